"""What tools expected datastreams to read: the band behind a series. Kept as readings are (docs/adr/0003)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from impetus.model import ExpectationBatch
from impetus.store.database import Database
from impetus.store.records import ExpectationColumns
from impetus.store.series import (
    ROWS_A_TRANSACTION,
    SeriesNumbers,
    columns_of,
    forget_rows,
    insert_rows,
    mean,
    span_of,
)
from impetus.store.tables import expectation


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
                added += await insert_rows(connection, "expectation", columns, some)
        return added

    async def range(
        self, tenant: str, datastream: str, *, since: datetime, until: datetime, points: int = 1_000
    ) -> ExpectationColumns:
        """Expectations of one datastream in [since, until), at most `points` of them. As `ReadingStore.range`."""
        span = span_of(since, until, points)
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
                mean(expectation.c.middle),
                func.max(expectation.c.high),
                func.max(expectation.c.score),
                bucket,
            )
            query = query.where(*inside).group_by(bucket).order_by(bucket)
            rows = [tuple(row)[:5] for row in await connection.execute(query)]
        return ExpectationColumns(*columns_of(rows, 5))

    async def forget(self, tenant: str, before: datetime, *, rows: int = 20_000) -> int:
        """Remove up to about `rows` expectations older than `before`; how many."""
        return await forget_rows(self._database, self._numbers, expectation, tenant, before, rows)
