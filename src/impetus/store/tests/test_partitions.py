"""Protects: tables that grow are in parts by time on PostgreSQL, and neither a row nor the wall is lost in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from impetus.model import ManualClock, ObservationBatch, Tenant, to_microseconds
from impetus.store import AuditRecord, Store, open_store, within
from impetus.store.database import Database, parse_url
from impetus.store.migrations import READINGS, STORE, migrate
from impetus.store.partitions import AHEAD, is_part, parts_of
from impetus.store.tests.conftest import NOW

pytestmark = pytest.mark.postgresql
LATER = datetime.now(UTC).replace(hour=12) + timedelta(days=400)
"""So far ahead of the day on which the tables are made that the part with what was before does not reach it."""


@pytest.fixture
async def store(walled_database: str, clock: ManualClock) -> AsyncIterator[Store]:
    """Owned by an ordinary user, whom the wall binds."""
    opened = await open_store(walled_database, clock)
    yield opened
    await opened.close()


def batch(*times: datetime, datastream: str = "one") -> ObservationBatch:
    return ObservationBatch(
        datastreams=(datastream,),
        index=(0,) * len(times),
        time_us=tuple(to_microseconds(time) for time in times),
        value=tuple(float(number) for number in range(len(times))),
    )


def record(tenant: str, sequence: int, time: datetime) -> AuditRecord:
    return AuditRecord(
        tenant=tenant,
        sequence=sequence,
        time_us=to_microseconds(time),
        actor="a",
        action="b",
        subject="c",
        detail="{}",
        previous="0" * 64,
        hash="1" * 64,
    )


async def rows_in(store: Store, part: str) -> int:
    async with store._readings_database.read() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {part}")) or 0)


async def parts(store: Store, table: str) -> list[str]:
    async with store._readings_database.read() as connection:
        return [part.name for part in await connection.run_sync(parts_of, table)]


async def test_parts_are_made_ahead_once_and_rows_go_into_theirs(store: Store) -> None:
    made = await store.partitions.make_ahead(LATER)
    assert len(made) == 3 * (AHEAD + 1)
    assert all(map(is_part, made))
    assert await store.partitions.make_ahead(LATER) == []
    await store.readings.append("police", batch(LATER, LATER + timedelta(days=1)))
    assert await rows_in(store, f"reading_{LATER:%Y%m%d}") == 1
    assert await rows_in(store, f"reading_{LATER + timedelta(days=1):%Y%m%d}") == 1


async def test_a_row_without_a_part_is_kept_and_moved_when_its_part_is_made(store: Store) -> None:
    early, late = LATER - timedelta(days=200), LATER + timedelta(days=2)
    assert await store.readings.append("police", batch(early, late)) == 2
    assert await rows_in(store, "reading_rest") == 2
    await store.partitions.make_ahead(LATER)
    assert (await rows_in(store, "reading_rest"), await rows_in(store, f"reading_{late:%Y%m%d}")) == (1, 1)
    # The first value stays, wherever it is.
    assert await store.readings.append("police", batch(early, late)) == 0
    found = await store.readings.range("police", "one", since=early, until=late + timedelta(days=1))
    assert len(found.value) == 2


async def test_a_purge_drops_whole_parts_and_says_whose_rows_they_held(store: Store) -> None:
    await store.partitions.make_ahead(LATER)
    for tenant, count in (("police", 3), ("fire", 1)):
        await store.readings.append(tenant, batch(*(LATER + timedelta(seconds=n) for n in range(count))))
        await store.readings.append(tenant, batch(LATER + timedelta(days=1)))
    end = (LATER + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert await store.partitions.drop(end - timedelta(microseconds=1)) == {}
    assert await store.partitions.drop(end) == {"police": {"reading": 3}, "fire": {"reading": 1}}
    assert f"reading_{LATER:%Y%m%d}" not in await parts(store, "reading")
    left = await store.readings.range("police", "one", since=LATER - timedelta(days=9), until=LATER + timedelta(days=9))
    assert len(left.value) == 1
    # What comes late for a part that was dropped is kept until the next purge.
    await store.readings.append("police", batch(LATER))
    assert await store.readings.forget("police", end) == 1


async def test_a_long_reader_puts_the_work_off_and_holds_up_nobody(store: Store) -> None:
    """As a backup is: whoever waited for it would hold up all who come after."""
    await store.partitions.make_ahead(LATER)
    await store.readings.append("police", batch(LATER))
    end = (LATER + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    async with store._readings_database.read() as reader:
        await reader.execute(text("SELECT count(*) FROM reading"))
        assert await store.partitions.drop(end) == {}
        assert await store.readings.append("police", batch(LATER + timedelta(seconds=1))) == 1
    assert await store.partitions.drop(end) == {"police": {"reading": 2}}


async def test_the_audit_log_is_in_parts_behind_the_wall(store: Store) -> None:
    await store.partitions.make_ahead(LATER)
    async with store.transaction() as transaction:
        for tenant in ("police", "fire"):
            await transaction.organisations.add(Tenant(id=tenant, name=tenant, created=NOW))
            for sequence, time in enumerate((NOW, LATER, LATER + timedelta(days=40)), start=1):
                await transaction.audit.insert(record(tenant, sequence, time))
    named = [part for part in await parts(store, "audit") if part != "audit_before"]
    assert len(named) == AHEAD + 1
    async with store.view() as view:
        assert [one.sequence for one in await view.audit.slice("police", after=0, limit=9)] == [1, 2, 3]
    with within("fire"):
        async with store._database.read() as connection:
            for table in ("audit", "audit_rest", "audit_before", *named):
                tenants = set(await connection.scalars(text(f"SELECT tenant FROM {table}")))
                assert tenants <= {"fire"}, table
            assert await connection.scalar(text("SELECT count(*) FROM audit")) == 3


async def test_what_was_there_before_parts_were_made_is_kept(walled_database: str, clock: ManualClock) -> None:
    """An update of a city that has readings and an audit log."""
    database = Database(parse_url(walled_database))
    await migrate(database, STORE, revision="0013")
    await migrate(database, READINGS, revision="0002")
    far = to_microseconds(LATER)
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO series (number, tenant, datastream) VALUES (1, 'police', 'one')"))
        await connection.execute(text(f"INSERT INTO reading VALUES (1, 5, 1.0), (1, {far}, 2.0)"))
        for sequence, time_us in ((1, 5), (2, far)):
            await connection.execute(
                text(f"INSERT INTO audit VALUES ('police', {sequence}, {time_us}, 'a', 'b', 'c', '{{}}', '0', '1')")
            )
    await database.close()
    store = await open_store(walled_database, clock)
    found = await store.readings.range(
        "police", "one", since=datetime(1970, 1, 1, tzinfo=UTC), until=LATER + timedelta(days=1)
    )
    assert list(found.value) == [1.0, 2.0]
    async with store.view() as view:
        assert [one.sequence for one in await view.audit.slice("police", after=0, limit=9)] == [1, 2]
    await store.partitions.make_ahead(LATER)
    assert await rows_in(store, f"reading_{LATER:%Y%m%d}") == 1
    assert (await store.partitions.drop(LATER - timedelta(days=1)))["police"] == {"reading": 1}
    await store.close()
