"""Moves a whole store to another database: every row once, counted and summed on both sides, all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from sqlalchemy import Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import ConfigurationError, Conflict
from impetus.store.database import Database, parse_url
from impetus.store.migrations import READINGS, STORE, Group, migrate
from impetus.store.store import readings_url

ROWS_AT_ONCE = 2_000
_MODULUS = 2**64


@dataclass(frozen=True, slots=True)
class Summed:
    """How many rows a table has, and a sum over them that any changed row changes."""

    table: str
    rows: int
    checksum: str
    """64 bits in hexadecimal; the order of the rows does not matter."""


class _Sum:
    def __init__(self, table: str) -> None:
        self._table = table
        self._rows = 0
        self._total = 0

    def add(self, rows: Sequence[Sequence[object]]) -> None:
        for row in rows:
            digest = hashlib.blake2b(repr(tuple(row)).encode(), digest_size=8).digest()
            self._total = (self._total + int.from_bytes(digest)) % _MODULUS
        self._rows += len(rows)

    def summed(self) -> Summed:
        return Summed(self._table, self._rows, f"{self._total:016x}")


async def transfer(source: str, target: str, told: Callable[[Summed], None] = lambda summed: None) -> Sequence[Summed]:
    """Copy all of the store at `source` into the empty one at `target`, which is made as needed.

    `told` is called after each table. Raises `ConfigurationError` for addresses that cannot be used, and `Conflict`
    when the target holds something already or what arrived is not what was sent: then nothing stays in it.
    """
    if parse_url(source) == parse_url(target):
        raise ConfigurationError("the store would be copied onto itself", hint="name another database to move to")
    found: list[Summed] = []
    async with AsyncExitStack() as stack:
        for group in (STORE, READINGS):
            databases = []
            for url in (source, target):
                database = _database(url, group)
                stack.push_async_callback(database.close)
                await migrate(database, group)
                databases.append(database)
            reading = await stack.enter_async_context(databases[0].read())
            writing = await stack.enter_async_context(databases[1].write())
            for table in group.metadata.sorted_tables:
                summed = await _copy(reading, writing, table)
                told(summed)
                found.append(summed)
    return found


async def checksums(url: str) -> Sequence[Summed]:
    """Counts and sums of all tables of a store."""
    found = []
    for group in (STORE, READINGS):
        database = _database(url, group)
        try:
            async with database.read() as connection:
                found += [await _sum(connection, table) for table in group.metadata.sorted_tables]
        finally:
            await database.close()
    return found


def _database(url: str, group: Group) -> Database:
    parsed = parse_url(url)
    if group is READINGS and parsed.get_backend_name() == "sqlite":
        parsed = readings_url(parsed)
    return Database(parsed)


async def _copy(source: AsyncConnection, target: AsyncConnection, table: Table) -> Summed:
    if await target.scalar(select(func.count()).select_from(table)):
        raise Conflict(
            f"the database to move to holds rows in {table.name} already", hint="name an empty database, or empty it"
        )
    sent = _Sum(table.name)
    names = [column.name for column in table.columns]
    async for rows in _pages(source, table):
        sent.add(rows)
        await target.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
    await _go_on_counting(target, table)
    arrived = await _sum(target, table)
    if arrived != sent.summed():
        raise Conflict(
            f"{table.name} did not arrive whole: {sent.summed().rows} rows were sent and {arrived.rows} came,"
            f" with sums {sent.summed().checksum} and {arrived.checksum}; nothing was changed",
            hint="try again; if it happens again, look at the disks of both databases",
        )
    return arrived


async def _sum(connection: AsyncConnection, table: Table) -> Summed:
    found = _Sum(table.name)
    async for rows in _pages(connection, table):
        found.add(rows)
    return found.summed()


async def _pages(connection: AsyncConnection, table: Table) -> AsyncIterator[Sequence[Sequence[object]]]:
    result = await connection.stream(select(*table.columns).execution_options(yield_per=ROWS_AT_ONCE))
    async for rows in result.partitions():
        yield [tuple(row) for row in rows]


async def _go_on_counting(connection: AsyncConnection, table: Table) -> None:
    """PostgreSQL gives numbers from a counter of its own, which knows nothing of rows that brought theirs."""
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    highest = await connection.scalar(select(func.max(column)))
    if highest is not None:
        statement = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
        await connection.execute(statement, {"table": table.name, "column": column.name, "highest": highest})
