"""Parts by time of the tables that grow without end, on PostgreSQL (declarative partitioning, PostgreSQL 15, 5.11).

A day of readings is a table of its own, so that a purge drops what is past its time at once instead of deleting it row
by row, and the indexes that are written to stay small. Parts are made ahead by whoever purges. A row for which there is
no part goes into the one that takes the rest, and is moved when its part is made: nothing is refused for its time.
What was there before parts were made is one part. SQLite has none of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Unavailable, from_microseconds, to_microseconds
from impetus.store.database import Database

DAY_US: Final = 86_400 * 1_000_000
AHEAD: Final = 4
"""Parts that are there before they are needed, the present one not counted: a hub may be down for so long."""
ADVISORY_LOCK: Final = 0x696D706574757301
"""Whoever holds it may make and drop parts."""
_BOUNDS: Final = re.compile(r"FROM \((?:'(-?\d+)'|MINVALUE)\) TO \('(-?\d+)'\)")
_PATIENCE: Final = text("SET LOCAL lock_timeout = '2s'")
_NAME: Final = re.compile(r"(?:reading|expectation|audit)_(?:before|rest|\d{8})")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parted:
    """A table that has parts."""

    table: str
    width_us: int
    column: str = "time_us"


READINGS: Final = (Parted("reading", DAY_US), Parted("expectation", DAY_US))
AUDIT: Final = Parted("audit", 28 * DAY_US)


@dataclass(frozen=True, slots=True)
class Part:
    """One part: rows from `begin` (None: from the beginning of time) until before `end`."""

    name: str
    begin: int | None
    end: int


def is_part(table: str) -> bool:
    """Whether a table of this name is a part of another.

    >>> is_part("reading_20261121"), is_part("audit_rest"), is_part("audit_head")
    (True, True, False)
    """
    return _NAME.fullmatch(table) is not None


class Partitions:
    """Makes parts ahead, and drops those that are past their time."""

    def __init__(self, database: Database, readings_database: Database) -> None:
        self._database = database
        self._readings_database = readings_database

    async def make_ahead(self, now: datetime) -> Sequence[str]:
        """Make the parts of the next time; names of those that were made. Where somebody reads for long, next time."""
        made: list[str] = []
        for database, parted in ((self._readings_database, READINGS), (self._database, (AUDIT,))):
            if database.sqlite:
                continue
            for one in parted:
                with _unless_in_use(one):
                    async with database.write(across=True) as connection:
                        await connection.execute(_PATIENCE)
                        made += await connection.run_sync(make_parts, one, to_microseconds(now))
        return made

    async def drop(self, before: datetime) -> Mapping[str, Mapping[str, int]]:
        """Drop the parts of readings and expectations in which nothing is as new as `before`: how many rows of which
        table each organisation lost. What somebody reads for long, such as a backup, is dropped next time."""
        lost: dict[str, dict[str, int]] = {}
        if self._readings_database.sqlite:
            return lost
        for parted in READINGS:
            with _unless_in_use(parted):
                async with self._readings_database.write(across=True) as connection:
                    await connection.execute(_PATIENCE)
                    rows = await _drop(connection, parted, to_microseconds(before))
                for tenant, count in rows.items():
                    lost.setdefault(tenant, {})[parted.table] = count
        return lost


@contextmanager
def _unless_in_use(parted: Parted) -> Iterator[None]:
    """Who waits for a table's lock holds up all who come after: better later."""
    try:
        yield
    except (Unavailable, DBAPIError) as error:
        log.info("parts are left as they are for now", table=parted.table, reason=type(error).__name__)


def parts_of(connection: Connection, table: str) -> list[Part]:
    """The parts that a table has, in order, but for the one with the rest."""
    query = text(
        "SELECT part.relname, pg_get_expr(part.relpartbound, part.oid) FROM pg_inherits "
        "JOIN pg_class AS part ON part.oid = inhrelid WHERE inhparent = to_regclass(:table)"
    )
    found = []
    for name, bounds in connection.execute(query, {"table": table}):
        if (match := _BOUNDS.search(bounds)) is not None:
            found.append(Part(name, None if match[1] is None else int(match[1]), int(match[2])))
    return sorted(found, key=lambda part: part.end)


def make_parts(connection: Connection, parted: Parted, now_us: int) -> list[str]:
    """Make the part of the present and the next ones, where they are missing; names of those that were made."""
    width, table = parted.width_us, parted.table
    made: list[str] = []
    first = now_us - now_us % width
    wanted = [(begin, begin + width) for begin in range(first, first + (AHEAD + 1) * width, width)]

    def missing() -> list[tuple[int, int]]:
        there = parts_of(connection, table)
        return [
            (begin, end)
            for begin, end in wanted
            if not any((part.begin is None or part.begin < end) and begin < part.end for part in there)
        ]

    if not missing():
        return made
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
    for begin, end in missing():  # looked at again: another hub may have made them meanwhile
        name = f"{table}_{from_microseconds(begin).astimezone(UTC):%Y%m%d}"
        inside = f"{parted.column} >= {begin} AND {parted.column} < {end}"
        statements: tuple[str, ...] = (
            f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
            f"LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE",
            f"WITH moved AS (DELETE FROM {table}_rest WHERE {inside} RETURNING *) "  # noqa: S608 - our own names
            f"INSERT INTO {name} SELECT * FROM moved",
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})",
            *wall(name, table),
        )
        for statement in statements:
            connection.execute(text(statement))
        made.append(name)
    return made


def wall(name: str, table: str) -> Sequence[str]:
    """What puts a part of the audit log behind the wall between organisations (`impetus.store.wall`), also for who
    names the part itself. Readings have it in the table of their series."""
    if table != AUDIT.table:
        return ()
    return (
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY organisation_wall ON {name} USING "
        "(coalesce(current_setting('impetus.organisation', true), '') IN ('', tenant))",
    )


async def _drop(connection: AsyncConnection, parted: Parted, before_us: int) -> Mapping[str, int]:
    """Drop what ends by then; rows of each organisation that were in it."""
    lost: dict[str, int] = {}
    parts: list[Part] = await connection.run_sync(parts_of, parted.table)
    old = [part for part in parts if part.end <= before_us]
    if not old:
        return lost
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
    still = {part.name for part in await connection.run_sync(parts_of, parted.table)}
    for part in old:
        if part.name not in still:
            continue
        query = text(
            f"SELECT series.tenant, count(*) FROM {part.name} AS part "  # noqa: S608 - our own names
            "JOIN series ON series.number = part.series GROUP BY series.tenant"
        )
        rows: Any = await connection.execute(query)
        for tenant, count in rows:
            lost[tenant] = lost.get(tenant, 0) + count
        await connection.execute(text(f"DROP TABLE {part.name}"))
    return lost
