"""What readings and expectations have in common: rows of numbers of a datastream in order of time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import InvalidInput, to_microseconds
from impetus.store.database import Database, insert_if_absent
from impetus.store.tables import series

ROWS_A_TRANSACTION: Final = 2_000
"""Rows that one transaction writes, so that whoever else waits for the disk waits a few milliseconds."""
ROWS_A_PURGE: Final = 500
PURGE_PAUSE_S: Final = 0.005
"""Nobody waits for a purge: its slices are short, and between two of them those who bring readings have their turn."""

POINTS_LIMIT: Final = 20_000
"""Points that a series may be asked for in."""

NAMES_AT_ONCE: Final = 500
"""Names that one query asks for."""

LARGEST_IN_MEAN: Final = 1e150
"""PostgreSQL sums squares as well when it takes a mean, and refuses what it cannot hold."""

Rows = Sequence[tuple[Any, ...]]


class SeriesNumbers:
    """The small numbers that stand for datastreams in readings. They are never changed or removed, hence cached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[str, dict[str, int]] = {}

    async def of_tenant(self, tenant: str) -> Mapping[str, int]:
        """All that are known of an organisation, freshly read."""
        async with self._database.read() as connection:
            query = select(series.c.datastream, series.c.number).where(series.c.tenant == tenant)
            numbers = {row.datastream: row.number for row in await connection.execute(query)}
        self._numbers.setdefault(tenant, {}).update(numbers)
        return numbers

    async def find(self, tenant: str, datastream: str) -> int | None:
        """The number of a datastream, or None if it was never read."""
        number = self._numbers.get(tenant, {}).get(datastream)
        return number if number is not None else (await self.of_tenant(tenant)).get(datastream)

    async def take(self, tenant: str, datastreams: Sequence[str]) -> list[int]:
        """The numbers of these datastreams, given to those that have none yet."""
        known = self._numbers.setdefault(tenant, {})
        missing = [datastream for datastream in datastreams if datastream not in known]
        if missing:
            await self._look_up(tenant, missing)
            missing = [datastream for datastream in missing if datastream not in known]
        if missing:
            async with self._database.write() as connection:
                await connection.execute(
                    insert_if_absent(connection, series),
                    [{"tenant": tenant, "datastream": datastream} for datastream in missing],
                )
            await self._look_up(tenant, missing)
        return [known[datastream] for datastream in datastreams]

    async def _look_up(self, tenant: str, datastreams: Sequence[str]) -> None:
        """Read the numbers of these; one new sensor must not cost the reading of all others."""
        known = self._numbers.setdefault(tenant, {})
        async with self._database.read() as connection:
            for begin in range(0, len(datastreams), NAMES_AT_ONCE):
                some = datastreams[begin : begin + NAMES_AT_ONCE]
                query = select(series.c.datastream, series.c.number).where(
                    series.c.tenant == tenant, series.c.datastream.in_(some)
                )
                known.update({row.datastream: row.number for row in await connection.execute(query)})


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time in equal buckets, in microseconds."""

    begin: int
    end: int
    width: int


def span_of(since: datetime, until: datetime, points: int) -> Span:
    """[since, until) in at most `points` equal buckets. Raises `InvalidInput` for a senseless number of points."""
    if not 1 <= points <= POINTS_LIMIT:
        raise InvalidInput(f"{points} points were asked for", hint=f"Ask for 1 to {POINTS_LIMIT}.")
    begin, end = to_microseconds(since), to_microseconds(until)
    # Rounded up, so that there are never more buckets than points.
    return Span(begin, end, max(1, -((begin - end) // points)))


def mean(column: ColumnElement[float]) -> ColumnElement[float]:
    """The mean of a column. Absurd values are left out where there are others, since their sum cannot be held."""
    sensible = case((func.abs(column) < LARGEST_IN_MEAN, column))
    return func.coalesce(func.avg(sensible), func.min(column) / 2 + func.max(column) / 2)


def columns_of(rows: Rows, count: int) -> Sequence[tuple[Any, ...]]:
    """The rows turned into columns; `count` empty ones where there are no rows."""
    return tuple(zip(*rows, strict=True)) if rows else ((),) * count


async def insert_rows(connection: AsyncConnection, table: str, columns: Sequence[str], rows: Rows) -> int:
    """Insert rows of numbers in the quickest way that the database has; how many were new."""
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
        return (await connection.exec_driver_sql(statement, list(rows))).rowcount
    types = ("int", "bigint", *("double precision",) * (len(columns) - 2))
    arrays = ", ".join(f"%s::{type}[]" for type in types)
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608
    return (await connection.exec_driver_sql(statement, tuple(list(column) for column in columns_of(rows, 0)))).rowcount


async def forget_rows(
    database: Database, numbers: SeriesNumbers, table: Table, tenant: str, before: datetime, rows: int
) -> int:
    """Remove rows of an organisation in slices, each a transaction of its own."""
    known = list((await numbers.of_tenant(tenant)).values())
    before_us = to_microseconds(before)
    removed = 0
    while known and removed < rows:
        if removed:
            await asyncio.sleep(PURGE_PAUSE_S)
        limit = min(ROWS_A_PURGE, rows - removed)
        async with database.write() as connection:
            if database.sqlite:
                result = await connection.exec_driver_sql(
                    f"DELETE FROM {table.name} WHERE (series, time_us) IN ("  # noqa: S608 - our own name
                    f"SELECT r.series, r.time_us FROM json_each(?) AS s CROSS JOIN {table.name} AS r "
                    "ON r.series = s.value AND r.time_us < ? LIMIT ?)",
                    (json_of(known), before_us, limit),
                )
            else:
                result = await connection.exec_driver_sql(
                    f"DELETE FROM {table.name} WHERE (series, time_us) IN ("  # noqa: S608
                    "SELECT r.series, r.time_us FROM unnest(%s::int[]) AS s(number) CROSS JOIN LATERAL ("
                    f"SELECT series, time_us FROM {table.name} WHERE series = s.number AND time_us < %s LIMIT %s"
                    ") AS r LIMIT %s)",
                    (known, before_us, limit, limit),
                )
        removed += result.rowcount
        if result.rowcount < limit:
            break
    return removed


def json_of(numbers: Iterable[int]) -> str:
    """The numbers as SQLite's `json_each` takes them."""
    return f"[{','.join(map(str, numbers))}]"
