"""Protects the second wall: on PostgreSQL no query, however wrong, reaches another organisation's rows in a request."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from impetus.model import Datastream, ManualClock, Role, Tenant, User
from impetus.store import Store, open_store, within
from impetus.store.partitions import is_part
from impetus.store.tables import metadata, readings_metadata
from impetus.store.tests.conftest import NOW
from impetus.store.wall import POLICY, sides_of

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def store(walled_database: str, clock: ManualClock) -> AsyncIterator[Store]:
    """Two organisations, each with a person and a datastream."""
    opened = await open_store(walled_database, clock)
    async with opened.transaction() as transaction:
        for tenant in ("police", "fire"):
            await transaction.organisations.add(Tenant(id=tenant, name=tenant.title(), created=NOW))
            person = User(
                id=f"{tenant}-person", tenant=tenant, name=tenant, full_name="A Person", role=Role.OPERATOR, created=NOW
            )
            await transaction.users.add(person, "hash")
            await transaction.datastreams.put(
                tenant, [Datastream(id="one", name="One", thing="A mast", observed_property="temperature", unit="degC")]
            )
    yield opened
    await opened.close()


async def test_a_query_that_forgets_its_organisation_shows_the_own_rows_only(store: Store) -> None:
    with within("fire"):
        for table in ("user_account", "datastream"):
            async with store._database.read() as connection:
                found = await connection.scalars(text(f"SELECT tenant FROM {table}"))
                assert set(found) == {"fire"}
        async with store.view() as view:
            assert await view.users.find("police", "police-person") is None
            assert await view.users.find("fire", "fire-person") is not None
        async with store.view(across=True) as view:
            assert await view.users.find("police", "police-person") is not None


async def test_rows_of_another_organisation_are_not_changed(store: Store) -> None:
    with within("fire"):
        async with store._database.write() as connection:
            changed = await connection.execute(text("UPDATE user_account SET full_name = 'Changed'"))
            assert changed.rowcount == 1
            removed = await connection.execute(text("DELETE FROM datastream WHERE tenant = 'police'"))
            assert removed.rowcount == 0
        with pytest.raises(DBAPIError, match="row-level security"):
            async with store._database.write() as connection:
                await connection.execute(text("UPDATE user_account SET tenant = 'police'"))
        with pytest.raises(DBAPIError, match="row-level security"):
            async with store.transaction() as transaction:
                await transaction.datastreams.put(
                    "police",
                    [Datastream(id="two", name="Two", thing="A mast", observed_property="temperature", unit="degC")],
                )
    async with store.view() as view:
        assert (await view.users.get("police", "police-person")).full_name == "A Person"
        assert await view.datastreams.find("police", "one") is not None


async def test_the_wall_ends_with_its_request(store: Store) -> None:
    """A connection that goes back to the pool takes nothing of it along."""
    for _ in range(20):
        with within("fire"):
            async with store.view() as view:
                await view.users.list("fire")
    for tenant in (None, ""):
        with within(tenant):
            async with store.view() as view:
                assert await view.users.find("police", "police-person") is not None
                assert await view.users.find("fire", "fire-person") is not None


async def test_what_an_organisation_is_called_is_data(store: Store) -> None:
    for name in ("'; DROP TABLE alert; --", "fire', 'police", "%", "\\"):
        with within(name):
            async with store.view() as view:
                assert await view.users.find("police", "police-person") is None


async def test_every_table_that_names_an_organisation_has_the_wall(store: Store) -> None:
    """Whatever table is added later: forgetting its policy fails here."""
    async with store._database.read() as connection:
        query = text("SELECT tablename FROM pg_policies WHERE policyname = :name")
        walled = set(await connection.scalars(query, {"name": POLICY}))
        forced = set(await connection.scalars(text("SELECT relname FROM pg_class WHERE relforcerowsecurity")))
    ours = [*metadata.sorted_tables, *readings_metadata.sorted_tables]
    # Parts by time have it themselves, for who names them.
    assert {"audit_before", "audit_rest"} <= walled
    assert walled == forced
    assert {name for name in walled if not is_part(name)} == {table.name for table in ours if sides_of(table)}
