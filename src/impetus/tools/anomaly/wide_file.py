"""Reads files of many streams: first column `timestamp`, one column a stream; and the graph beside them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.graph import Graph
from impetus.tools.anomaly.readings_file import parse_time, parse_value

MOST_STREAMS = 20_000
MOST_CHARACTERS = 400 * MOST_STREAMS
"""Of one line; a longer one is no reading of so many streams."""


@dataclass(frozen=True, slots=True)
class WideRow:
    """The readings of all streams at one time, not a number where there is none."""

    timestamp: str
    time_s: float
    offset_s: float
    values: Floats


def read_wide(lines: Iterable[str], name: str) -> tuple[list[str], Iterator[WideRow]]:
    """The names of the streams, and the rows one by one.

    Raises:
        InvalidInput: no column `timestamp`, no or doubled names, or a wrong row; names the file and the line.
    """
    rows = csv.reader(_bounded(lines, name))
    try:
        header = next(rows, None)
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name} is no table: {error}", hint="write plain comma-separated values") from error
    names = [column.strip().lstrip("\ufeff") for column in header or ()]
    if len(names) < 2 or names[0].lower() != "timestamp":
        raise InvalidInput(f"{name}: line 1 does not begin with timestamp", hint="timestamp,STREAM,STREAM,...")
    streams = names[1:]
    if len(streams) > MOST_STREAMS:
        raise InvalidInput(f"{name} has {len(streams)} streams", hint=f"{MOST_STREAMS} at most; split the file")
    if len(set(streams)) < len(streams) or "" in streams:
        raise InvalidInput(f"{name}: two streams have the same name, or one has none", hint="name each differently")
    return streams, _rows(rows, name, streams)


def read_graph(path: Path, streams: list[str]) -> Graph:
    """A square matrix of closeness, with or without a first line of names, which may then be in another order.

    Raises:
        InvalidInput: it cannot be read, or does not fit the streams.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            table = [row for row in csv.reader(_bounded(lines, str(path))) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", hint="name a CSV file with a square matrix") from error
    names = None
    if table and not all(_is_number(field) for field in table[0]):
        names = [field.strip().lstrip("\ufeff") for field in table.pop(0)]
    if len(table) != len(streams) or any(len(row) != len(streams) for row in table):
        raise InvalidInput(
            f"{path} has {len(table)} rows and {len(table[0]) if table else 0} columns for {len(streams)} streams",
            hint="give one row and one column a stream, in the order of the file",
        )
    try:
        matrix = np.array(table, dtype=np.float64)
    except ValueError as error:
        raise InvalidInput(f"{path}: {error}", hint="write 0 where two streams are no neighbours") from error
    if names is not None:
        missing = sorted(set(streams) - set(names))
        if missing or len(names) != len(streams):
            raise InvalidInput(f"{path} does not name {missing[:3]}", hint="name the streams as in the file")
        order = [names.index(stream) for stream in streams]
        matrix = matrix[np.ix_(order, order)]
    return Graph.of_matrix(matrix)


def _rows(rows: Iterator[list[str]], name: str, streams: list[str]) -> Iterator[WideRow]:
    number = 1
    try:
        for number, fields in enumerate(rows, start=2):
            if not fields:
                continue
            if len(fields) != len(streams) + 1:
                raise InvalidInput(
                    f"{name}: line {number} has {len(fields)} of {len(streams) + 1} fields",
                    hint="write a field for each stream, empty where a value is missing",
                )
            place = f"{name}: line {number}"
            timestamp = fields[0].strip()
            time_s, offset_s = parse_time(timestamp, place)
            values = np.fromiter((parse_value(field.strip(), place) for field in fields[1:]), np.float64, len(streams))
            yield WideRow(timestamp, time_s, offset_s, values)
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name}: line {number}: {error}", hint="write plain comma-separated UTF-8") from error


def _bounded(lines: Iterable[str], name: str) -> Iterator[str]:
    for line in lines:
        if len(line) > MOST_CHARACTERS:
            raise InvalidInput(f"{name} has a line of {len(line)} characters", hint="one line a time")
        yield line


def _is_number(field: str) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False
