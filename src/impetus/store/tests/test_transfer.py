"""Moving a store to another database: every row arrives once, counting goes on, and nothing is written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from impetus.model import ConfigurationError, Conflict, ManualClock, Tenant, to_microseconds
from impetus.store import open_store
from impetus.store.tests import samples
from impetus.store.tests.conftest import NOW
from impetus.store.transfer import checksums, transfer


async def filled(url: str, clock: ManualClock) -> None:
    """A store with something in several tables, readings among them."""
    store = await open_store(url, clock)
    async with store.transaction() as transaction:
        await transaction.organisations.add(Tenant(id="police", name="Police \N{SNOWMAN}", created=NOW))
        alerts = [samples.alert(source=f"sensor-{number}") for number in range(3)]
        await transaction.alerts.upsert("police", alerts, received=NOW, harm=samples.harm)
    values = [number / 7 for number in range(4_500)]
    await store.readings.append("police", samples.readings("sensor-1", to_microseconds(NOW), values))
    await store.close()


@pytest.fixture
def source(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/old/store.sqlite"


async def test_every_row_arrives_and_the_store_goes_on(source: str, empty_store_url: str, clock: ManualClock) -> None:
    """On SQLite and PostgreSQL: same counts and sums on both sides, and new rows after it get new numbers."""
    await filled(source, clock)
    moved = await transfer(source, empty_store_url)
    assert {one.table: one.rows for one in moved}["reading"] == 4_500
    assert sum(one.rows for one in moved) > 4_500
    assert list(await checksums(source)) == list(moved) == list(await checksums(empty_store_url))
    store = await open_store(empty_store_url, clock)
    await store.readings.append("police", samples.readings("sensor-2", to_microseconds(NOW), [1.0]))
    async with store.transaction() as transaction:
        alert = samples.alert(source="sensor-9")
        await transaction.alerts.upsert("police", [alert], received=NOW, harm=samples.harm)
    await store.close()
    rows = {one.table: one.rows for one in await checksums(empty_store_url)}
    assert (rows["series"], rows["reading"], rows["alert"]) == (2, 4_501, 4)


async def test_a_store_that_is_in_use_is_not_written_over(
    source: str, empty_store_url: str, clock: ManualClock
) -> None:
    """The target must be empty, and must not be the source."""
    await filled(source, clock)
    await transfer(source, empty_store_url)
    before = await checksums(empty_store_url)
    with pytest.raises(Conflict, match="already"):
        await transfer(source, empty_store_url)
    assert await checksums(empty_store_url) == before
    with pytest.raises(ConfigurationError, match="itself"):
        await transfer(source, source)
