"""Readings of datastreams.

They come by the thousand a second, are never decided on, and can be had again from the bus until it is told that they
are kept. So they do not pass through `Store.transaction`: they write in short transactions of their own, with SQLite
in a file of their own, and never stand in the way of a decision (docs/adr/0003).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import ObservationBatch, from_microseconds, to_microseconds
from impetus.model.observation import BATCH_LIMIT
from impetus.store.database import Database
from impetus.store.records import Reading, ReadingColumns
from impetus.store.series import (
    ROWS_A_TRANSACTION,
    Rows,
    SeriesNumbers,
    columns_of,
    forget_rows,
    insert_rows,
    json_of,
    mean,
    span_of,
)
from impetus.store.tables import latest_reading, reading, series

HISTORY_ROWS: Final = 20_000
"""Readings that a batch of history aims at."""

FIRST_WINDOW_US: Final = 600 * 1_000_000
LONGEST_WINDOW_US: Final = 30 * 86_400 * 1_000_000

_ROW: Final = numpy.dtype([("series", numpy.int64), ("time_us", numpy.int64), ("value", numpy.float64)])


@dataclass(frozen=True, slots=True)
class ReadingArrays:
    """Many readings in order of time: `index` points into `datastreams`, which holds all that were asked for; the
    arrays are of shape (readings,)."""

    datastreams: tuple[str, ...]
    index: NDArray[numpy.int64]
    time_us: NDArray[numpy.int64]
    value: NDArray[numpy.float64]


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
                added += await insert_rows(connection, "reading", ("series", "time_us", "value"), some)
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
        span = span_of(since, until, points)
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
                    func.min(reading.c.time_us), mean(value), func.min(value), func.max(value), func.count(), bucket
                )
                query = query.where(*inside).group_by(bucket).order_by(bucket)
                rows = [tuple(row)[:5] for row in await connection.execute(query)]
        return ReadingColumns(*columns_of(rows, 5))

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
        async for arrays in self.arrays(tenant, since, until, datastreams=datastreams):
            for batch in _batches(arrays):
                yield batch

    async def arrays(
        self,
        tenant: str,
        since: datetime,
        until: datetime,
        *,
        datastreams: Collection[str] | None = None,
        rows: int = HISTORY_ROWS,
    ) -> AsyncGenerator[ReadingArrays, None]:
        """The same in arrays of about `rows` readings, for who computes with very many."""
        numbers = await self._numbers.of_tenant(tenant)
        names = {number: name for name, number in numbers.items() if datastreams is None or name in datastreams}
        if not names:
            return
        known = numpy.array(sorted(names), dtype=numpy.int64)
        titles = tuple(names[number] for number in known.tolist())
        begin, end = to_microseconds(since), to_microseconds(until)
        width = FIRST_WINDOW_US
        while begin < end:
            window_end = min(begin + width, end)
            found = await self._window(names, begin, window_end)
            if not len(found):
                # Over a gap at once, however long it is.
                following = await self._first_time(names, window_end, end)
                if following is None:
                    return
                begin, width = following, FIRST_WINDOW_US
                continue
            found = found[numpy.argsort(found["time_us"], kind="stable")]
            yield ReadingArrays(
                titles,
                numpy.searchsorted(known, found["series"]).astype(numpy.int64),
                numpy.ascontiguousarray(found["time_us"]),
                numpy.ascontiguousarray(found["value"]),
            )
            begin = window_end
            width = int(min(max(width * rows / len(found), width / 8, 1_000_000), width * 8, LONGEST_WINDOW_US))

    async def forget(self, tenant: str, before: datetime, *, rows: int = 20_000) -> int:
        """Remove up to about `rows` readings older than `before`; how many. Retention calls it until it gives 0.

        The newest reading of each datastream stays known to `latest`.
        """
        return await forget_rows(self._database, self._numbers, reading, tenant, before, rows)

    async def _window(self, names: Mapping[int, str], begin: int, end: int) -> NDArray[numpy.void]:
        if self._database.sqlite:
            # A join from the list of series makes SQLite seek in each one, instead of reading through all time.
            query = (
                "SELECT r.series, r.time_us, r.value FROM json_each(?) AS s CROSS JOIN reading AS r "
                "ON r.series = s.value AND r.time_us >= ? AND r.time_us < ?"
            )
            parameters: tuple[Any, ...] = (json_of(names), begin, end)
        else:
            query = (
                "SELECT series, time_us, value FROM reading "
                "WHERE series = ANY(%s::int[]) AND time_us >= %s AND time_us < %s"
            )
            parameters = (list(names), begin, end)

        def read(connection: Connection) -> NDArray[numpy.void]:
            result = connection.exec_driver_sql(query, parameters)
            # As the driver gives them: of millions of rows each costs less than a `Row` made of it.
            rows = result.cursor.fetchall()
            result.close()
            return numpy.fromiter(rows, _ROW, len(rows))

        async with self._database.read() as connection:
            return await connection.run_sync(read)

    async def _first_time(self, names: Mapping[int, str], begin: int, end: int) -> int | None:
        async with self._database.read() as connection:
            if self._database.sqlite:
                result = await connection.exec_driver_sql(
                    "SELECT min((SELECT min(r.time_us) FROM reading AS r WHERE r.series = s.value "
                    "AND r.time_us >= ? AND r.time_us < ?)) FROM json_each(?) AS s",
                    (begin, end, json_of(names)),
                )
            else:
                result = await connection.exec_driver_sql(
                    "SELECT min((SELECT min(r.time_us) FROM reading AS r WHERE r.series = s.number "
                    "AND r.time_us >= %s AND r.time_us < %s)) FROM unnest(%s::int[]) AS s(number)",
                    (begin, end, list(names)),
                )
            first: int | None = result.scalar_one()
            return first


def _batches(arrays: ReadingArrays) -> Iterator[ObservationBatch]:
    """Batches of the readings, each with the names of its own datastreams only."""
    for begin in range(0, len(arrays.value), BATCH_LIMIT):
        some = slice(begin, begin + BATCH_LIMIT)
        used, index = numpy.unique(arrays.index[some], return_inverse=True)
        # Not validated again: the readings were when they came, and there are many.
        yield ObservationBatch.model_construct(
            datastreams=tuple(arrays.datastreams[number] for number in used.tolist()),
            index=tuple(index.tolist()),
            time_us=tuple(arrays.time_us[some].tolist()),
            value=tuple(arrays.value[some].tolist()),
        )


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
        tuple(list(column) for column in columns_of(rows, 0)),
    )
