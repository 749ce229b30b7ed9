"""Readings of datastreams, and what tools expected them to be.

They come by the thousand a second, are never decided on, and can be had again from the bus until it is told that they
are kept. So they do not pass through `Store.transaction`: they write in short transactions of their own, with SQLite
in a file of their own, and never stand in the way of a decision (docs/adr/0003).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy
from sqlalchemy import ColumnElement, Table, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import (
    ExpectationBatch,
    InvalidInput,
    ObservationBatch,
    from_microseconds,
    to_microseconds,
)
from impetus.model.observation import BATCH_LIMIT
from impetus.store.database import Database, insert_if_absent
from impetus.store.records import ExpectationColumns, Reading, ReadingColumns
from impetus.store.tables import expectation, latest_reading, reading, series

ROWS_A_TRANSACTION: Final = 2_000
"""Rows that one transaction writes, so that whoever else waits for the disk waits a few milliseconds."""

HISTORY_ROWS: Final = 20_000
"""Readings that a batch of history aims at."""

FIRST_WINDOW_US: Final = 600 * 1_000_000
LONGEST_WINDOW_US: Final = 30 * 86_400 * 1_000_000

POINTS_LIMIT: Final = 20_000
"""Points that a series may be asked for in."""

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
            await self.of_tenant(tenant)
            missing = [datastream for datastream in missing if datastream not in known]
        if missing:
            async with self._database.write() as connection:
                await connection.execute(
                    insert_if_absent(connection, series),
                    [{"tenant": tenant, "datastream": datastream} for datastream in missing],
                )
            await self.of_tenant(tenant)
        return [known[datastream] for datastream in datastreams]


class ReadingStore:
    """Readings; a reading is kept once by its datastream and time, the first value stays."""

    def __init__(self, database: Database, numbers: SeriesNumbers) -> None:
        self._database = database
        self._numbers = numbers

    async def append(self, tenant: str, batch: ObservationBatch) -> int:
        """Keep readings; how many of them were new. They are on disk when this returns; repeating it is harmless.

        Raises `Unavailable`; then a part may have been kept, and repeating the whole is right.
        """
        if not len(batch):
            return 0
        numbers = await self._numbers.take(tenant, batch.datastreams)
        rows = list(zip(map(numbers.__getitem__, batch.index), batch.time_us, batch.value, strict=True))
        # In key order the same page of the table is written once for many rows.
        rows.sort(key=lambda row: row[:2])
        added = 0
        for begin in range(0, len(rows), ROWS_A_TRANSACTION):
            some = rows[begin : begin + ROWS_A_TRANSACTION]
            async with self._database.write() as connection:
                added += await _insert_rows(connection, "reading", ("series", "time_us", "value"), some)
                newest = {row[0]: row for row in some}
                await _keep_latest(connection, list(newest.values()))
        return added

    async def latest(self, tenant: str, datastreams: Collection[str] | None = None) -> Mapping[str, Reading]:
        """The newest reading of each datastream (of all that were ever read, or of those named)."""
        query = (
            select(series.c.datastream, latest_reading.c.time_us, latest_reading.c.value)
            .join(latest_reading, latest_reading.c.series == series.c.number)
            .where(series.c.tenant == tenant)
        )
        if datastreams is not None and len(datastreams) <= 500:
            query = query.where(series.c.datastream.in_(list(datastreams)))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {
            datastream: Reading(from_microseconds(time_us), value)
            for datastream, time_us, value in rows
            if datastreams is None or datastream in datastreams
        }

    async def range(
        self, tenant: str, datastream: str, *, since: datetime, until: datetime, points: int = 1_000
    ) -> ReadingColumns:
        """Readings of one datastream in [since, until), at most `points` of them: where there are more, one for each
        of that many equal spans of time. Empty for a datastream that was never read. Raises `InvalidInput`."""
        span = _span(since, until, points)
        number = await self._numbers.find(tenant, datastream)
        if number is None:
            return ReadingColumns()
        async with self._database.read() as connection:
            inside = (reading.c.series == number, reading.c.time_us >= span.begin, reading.c.time_us < span.end)
            count = (await connection.execute(select(func.count()).where(*inside))).scalar_one()
            if count <= points:
                plain = select(reading.c.time_us, reading.c.value).where(*inside).order_by(reading.c.time_us)
                rows = [(time_us, value, value, value, 1) for time_us, value in await connection.execute(plain)]
            else:
                bucket = ((reading.c.time_us - span.begin) // span.width).label("bucket")
                value = reading.c.value
                query = select(
                    func.min(reading.c.time_us), _mean(value), func.min(value), func.max(value), func.count(), bucket
                )
                query = query.where(*inside).group_by(bucket).order_by(bucket)
                rows = [tuple(row)[:5] for row in await connection.execute(query)]
        return ReadingColumns(*_columns(rows, 5))

    async def history(
        self,
        tenant: str,
        since: datetime,
        until: datetime,
        *,
        datastreams: Collection[str] | None = None,
    ) -> AsyncIterator[ObservationBatch]:
        """All readings in [since, until) in order of time, in batches of some thousand.

        Each batch is one short read, so that a slow taker holds nothing up; what is added meanwhile in a span that
        was read already is left out.
        """
        numbers = await self._numbers.of_tenant(tenant)
        names = {number: name for name, number in numbers.items() if datastreams is None or name in datastreams}
        if not names:
            return
        begin, end = to_microseconds(since), to_microseconds(until)
        width = FIRST_WINDOW_US
        while begin < end:
            window_end = min(begin + width, end)
            rows = await self._window(names, begin, window_end)
            if not rows:
                # Over a gap at once, however long it is.
                following = await self._first_time(names, window_end, end)
                if following is None:
                    return
                begin, width = following, FIRST_WINDOW_US
                continue
            for batch in _batches(rows, names):
                yield batch
            begin = window_end
            width = int(min(max(width * HISTORY_ROWS / len(rows), width / 8, 1_000_000), width * 8, LONGEST_WINDOW_US))

    async def forget(self, tenant: str, before: datetime, *, rows: int = 20_000) -> int:
        """Remove up to about `rows` readings older than `before`; how many. Retention calls it until it gives 0.

        The newest reading of each datastream stays known to `latest`.
        """
        return await _forget(self._database, self._numbers, reading, tenant, before, rows)

    async def _window(self, names: Mapping[int, str], begin: int, end: int) -> Rows:
        async with self._database.read() as connection:
            if self._database.sqlite:
                # A join from the list of series makes SQLite seek in each one, instead of reading through all time.
                result = await connection.exec_driver_sql(
                    "SELECT r.series, r.time_us, r.value FROM json_each(?) AS s CROSS JOIN reading AS r "
                    "ON r.series = s.value AND r.time_us >= ? AND r.time_us < ?",
                    (_json(names), begin, end),
                )
            else:
                result = await connection.exec_driver_sql(
                    "SELECT series, time_us, value FROM reading "
                    "WHERE series = ANY(%s::int[]) AND time_us >= %s AND time_us < %s",
                    (list(names), begin, end),
                )
            return result.all()

    async def _first_time(self, names: Mapping[int, str], begin: int, end: int) -> int | None:
        async with self._database.read() as connection:
            if self._database.sqlite:
                result = await connection.exec_driver_sql(
                    "SELECT min((SELECT min(r.time_us) FROM reading AS r WHERE r.series = s.value "
                    "AND r.time_us >= ? AND r.time_us < ?)) FROM json_each(?) AS s",
                    (begin, end, _json(names)),
                )
            else:
                result = await connection.exec_driver_sql(
                    "SELECT min((SELECT min(r.time_us) FROM reading AS r WHERE r.series = s.number "
                    "AND r.time_us >= %s AND r.time_us < %s)) FROM unnest(%s::int[]) AS s(number)",
                    (begin, end, list(names)),
                )
            first: int | None = result.scalar_one()
            return first


class ExpectationStore:
    """What was expected of datastreams; kept once by datastream and time, the first stays."""

    def __init__(self, database: Database, numbers: SeriesNumbers) -> None:
        self._database = database
        self._numbers = numbers

    async def append(self, tenant: str, batch: ExpectationBatch) -> int:
        """Keep expectations; how many of them were new. As `ReadingStore.append`."""
        if not len(batch):
            return 0
        numbers = await self._numbers.take(tenant, batch.datastreams)
        rows = list(
            zip(
                map(numbers.__getitem__, batch.index),
                batch.time_us,
                batch.low,
                batch.middle,
                batch.high,
                batch.score,
                strict=True,
            )
        )
        rows.sort(key=lambda row: row[:2])
        added = 0
        columns = ("series", "time_us", "low", "middle", "high", "score")
        for begin in range(0, len(rows), ROWS_A_TRANSACTION):
            async with self._database.write() as connection:
                some = rows[begin : begin + ROWS_A_TRANSACTION]
                added += await _insert_rows(connection, "expectation", columns, some)
        return added

    async def range(
        self, tenant: str, datastream: str, *, since: datetime, until: datetime, points: int = 1_000
    ) -> ExpectationColumns:
        """Expectations of one datastream in [since, until), at most `points` of them. As `ReadingStore.range`."""
        span = _span(since, until, points)
        number = await self._numbers.find(tenant, datastream)
        if number is None:
            return ExpectationColumns()
        async with self._database.read() as connection:
            inside = (
                expectation.c.series == number,
                expectation.c.time_us >= span.begin,
                expectation.c.time_us < span.end,
            )
            bucket = ((expectation.c.time_us - span.begin) // span.width).label("bucket")
            query = select(
                func.min(expectation.c.time_us),
                func.min(expectation.c.low),
                _mean(expectation.c.middle),
                func.max(expectation.c.high),
                func.max(expectation.c.score),
                bucket,
            )
            query = query.where(*inside).group_by(bucket).order_by(bucket)
            rows = [tuple(row)[:5] for row in await connection.execute(query)]
        return ExpectationColumns(*_columns(rows, 5))

    async def forget(self, tenant: str, before: datetime, *, rows: int = 20_000) -> int:
        """Remove up to about `rows` expectations older than `before`; how many."""
        return await _forget(self._database, self._numbers, expectation, tenant, before, rows)


@dataclass(frozen=True, slots=True)
class _Span:
    """A span of time in equal buckets, in microseconds."""

    begin: int
    end: int
    width: int


def _span(since: datetime, until: datetime, points: int) -> _Span:
    if not 1 <= points <= POINTS_LIMIT:
        raise InvalidInput(f"{points} points were asked for", hint=f"Ask for 1 to {POINTS_LIMIT}.")
    begin, end = to_microseconds(since), to_microseconds(until)
    # Rounded up, so that there are never more buckets than points.
    return _Span(begin, end, max(1, -((begin - end) // points)))


def _mean(column: ColumnElement[float]) -> ColumnElement[float]:
    """The mean of a column. Absurd values are left out where there are others, since their sum cannot be held."""
    sensible = case((func.abs(column) < LARGEST_IN_MEAN, column))
    return func.coalesce(func.avg(sensible), func.min(column) / 2 + func.max(column) / 2)


def _columns(rows: Rows, count: int) -> Sequence[tuple[Any, ...]]:
    return tuple(zip(*rows, strict=True)) if rows else ((),) * count


def _batches(rows: Rows, names: Mapping[int, str]) -> Iterator[ObservationBatch]:
    """The rows (series, time_us, value) in order of time, with the names of their datastreams."""
    numbers = numpy.fromiter((row[0] for row in rows), numpy.int64, len(rows))
    times = numpy.fromiter((row[1] for row in rows), numpy.int64, len(rows))
    values = numpy.fromiter((row[2] for row in rows), numpy.float64, len(rows))
    order = numpy.argsort(times, kind="stable")
    for begin in range(0, len(rows), BATCH_LIMIT):
        some = order[begin : begin + BATCH_LIMIT]
        used, index = numpy.unique(numbers[some], return_inverse=True)
        # Not validated again: the readings were when they came, and there are many.
        yield ObservationBatch.model_construct(
            datastreams=tuple(names[number] for number in used.tolist()),
            index=tuple(index.tolist()),
            time_us=tuple(times[some].tolist()),
            value=tuple(values[some].tolist()),
        )


async def _insert_rows(connection: AsyncConnection, table: str, columns: Sequence[str], rows: Rows) -> int:
    """Insert rows of numbers in the quickest way that the database has; how many were new."""
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
        return (await connection.exec_driver_sql(statement, list(rows))).rowcount
    types = ("int", "bigint", *("double precision",) * (len(columns) - 2))
    arrays = ", ".join(f"%s::{type}[]" for type in types)
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608
    return (await connection.exec_driver_sql(statement, tuple(list(column) for column in _columns(rows, 0)))).rowcount


async def _keep_latest(connection: AsyncConnection, rows: Rows) -> None:
    """Note readings (one a series) where they are newer than the newest so far."""
    update = (
        "ON CONFLICT (series) DO UPDATE SET time_us = excluded.time_us, value = excluded.value "
        "WHERE excluded.time_us > latest_reading.time_us"
    )
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql(
            f"INSERT INTO latest_reading (series, time_us, value) VALUES (?, ?, ?) {update}",  # noqa: S608
            list(rows),
        )
        return
    await connection.exec_driver_sql(
        "INSERT INTO latest_reading (series, time_us, value) "  # noqa: S608
        f"SELECT * FROM unnest(%s::int[], %s::bigint[], %s::double precision[]) {update}",
        tuple(list(column) for column in _columns(rows, 0)),
    )


async def _forget(
    database: Database, numbers: SeriesNumbers, table: Table, tenant: str, before: datetime, rows: int
) -> int:
    """Remove rows of an organisation in slices, each a transaction of its own."""
    known = list((await numbers.of_tenant(tenant)).values())
    before_us = to_microseconds(before)
    removed = 0
    while known and removed < rows:
        limit = min(ROWS_A_TRANSACTION, rows - removed)
        async with database.write() as connection:
            if database.sqlite:
                result = await connection.exec_driver_sql(
                    f"DELETE FROM {table.name} WHERE (series, time_us) IN ("  # noqa: S608 - our own name
                    f"SELECT r.series, r.time_us FROM json_each(?) AS s CROSS JOIN {table.name} AS r "
                    "ON r.series = s.value AND r.time_us < ? LIMIT ?)",
                    (_json(known), before_us, limit),
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


def _json(numbers: Iterable[int]) -> str:
    """The numbers as SQLite's `json_each` takes them."""
    return f"[{','.join(map(str, numbers))}]"
