"""Reads a file of one stream: `timestamp,value`."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from impetus.model import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_VALUE = frozenset({"", "na", "n/a", "nan", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity", "-"})
"""What stands for a missing value; anything else that is no number is an error."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its time as written and in seconds since 1970 (UTC), what local time is ahead of that, and the value.

    A time without offset is taken for local time of a place on UTC. The value is not a number where it is missing.
    """

    timestamp: str
    time_s: float
    offset_s: float
    value: float


def read_rows(lines: Iterable[str], name: str) -> Iterator[Row]:
    """Rows one by one, as the lines come.

    Columns are found by their names `timestamp` and `value` in the first line; others are ignored. A file that holds
    nothing but the names has no rows.

    Raises:
        InvalidInput: the first line does not name the columns, or a row is wrong; names the file and the line.
    """
    rows = csv.reader(lines)
    try:
        header = next(rows, None)
        if header is None:
            raise InvalidInput(f"{name} is empty", hint="the first line is: timestamp,value")
        names = [column.strip().lstrip("\ufeff").lower() for column in header]
        if "timestamp" not in names or "value" not in names:
            raise InvalidInput(
                f"{name}: line 1 names no columns timestamp and value: {','.join(header)[:80]!r}",
                hint="the first line is: timestamp,value",
            )
        time_column, value_column = names.index("timestamp"), names.index("value")
        for fields in rows:
            if not fields:
                continue
            if len(fields) <= max(time_column, value_column):
                raise InvalidInput(
                    f"{name}: line {rows.line_num} has {len(fields)} of {len(header)} fields",
                    hint="write a field for each column, empty where a value is missing",
                )
            yield _row(fields[time_column].strip(), fields[value_column].strip(), f"{name}: line {rows.line_num}")
    except csv.Error as error:
        raise InvalidInput(
            f"{name}: line {rows.line_num}: {error}", hint="write plain comma-separated values"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not text in UTF-8", hint="convert it first") from error


def _row(timestamp: str, value: str, place: str) -> Row:
    return Row(timestamp, *parse_time(timestamp, place), parse_value(value, place))


def parse_time(timestamp: str, place: str) -> tuple[float, float]:
    """Seconds since 1970 (UTC), and what local time is ahead of that; `place` is named in the error."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError as error:
        raise InvalidInput(
            f"{place}: {timestamp[:40]!r} is no time", hint="write times as in 2026-03-02T14:05:00 or with an offset"
        ) from error
    offset = moment.utcoffset()
    if offset is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH).total_seconds(), 0.0 if offset is None else offset.total_seconds()


def parse_value(value: str, place: str) -> float:
    """The number, or not a number where it is missing; `place` is named in the error."""
    if value.lower() in NO_VALUE:
        return math.nan
    try:
        return float(value)
    except ValueError as error:
        raise InvalidInput(
            f"{place}: {value[:40]!r} is no number", hint="use a point for decimals, and leave missing values empty"
        ) from error
