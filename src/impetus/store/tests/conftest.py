"""A store on each database that the store supports."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from impetus.model import ManualClock
from impetus.store import Store, open_store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture(params=DATABASES)
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that was never opened."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    return str(request.getfixturevalue("fresh_database"))


@pytest.fixture(scope="session")
def shared_database(postgresql_server: str) -> str:
    """A PostgreSQL database that is made once, since making one takes much longer than emptying it."""
    # Each folder of tests that uses this fixture gets a database of its own.
    name = f"store_{secrets.token_hex(4)}"
    with psycopg.connect(postgresql_server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{postgresql_server.rsplit('/', 1)[0]}/{name}"


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store without rows."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    url = str(request.getfixturevalue("shared_database"))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%\\_revision'"
        tables = [sql.Identifier(name) for (name,) in connection.execute(query)]
        if tables:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
    return url


@pytest.fixture
async def store(store_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    """An open store without rows."""
    opened = await open_store(store_url, clock)
    yield opened
    await opened.close()


@pytest.fixture
def walled_database(postgresql_server: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database whose owner is an ordinary user: row-level security binds no
    superuser, as whom the other tests log in."""
    name = f"walled_{secrets.token_hex(4)}"
    identifier = sql.Identifier(name)
    administration = postgresql_server.replace("+psycopg", "")
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER").format(identifier))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, identifier))
    yield f"{postgresql_server.rsplit('/', 1)[0].replace('impetus@', f'{name}@')}/{name}"
    with psycopg.connect(administration, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))
        connection.execute(sql.SQL("DROP ROLE {}").format(identifier))
