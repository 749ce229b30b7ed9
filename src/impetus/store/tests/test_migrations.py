"""Protects: a fresh store has the tables that the code expects, and a store is never opened by the wrong version."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from impetus.model import ConfigurationError, ManualClock, Unavailable, to_microseconds
from impetus.store import Store, open_store
from impetus.store.database import Database, parse_url
from impetus.store.migrations import READINGS, STORE, Group, migrate
from impetus.store.partitions import is_part
from impetus.store.tables import metadata, readings_metadata


@pytest.mark.parametrize("group", [STORE, READINGS], ids=lambda group: group.name)
async def test_the_migrated_tables_are_those_that_the_code_describes(store: Store, group: Group) -> None:
    ours = {*metadata.tables, *readings_metadata.tables}

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "version_table": group.version_table,
                # The other group's tables may be in the same database.
                "include_name": lambda name, kind, parents: (
                    kind != "table"
                    or name in group.metadata.tables
                    or (name not in ours and "_revision" not in name and not is_part(str(name)))
                ),
            },
        )
        return list(compare_metadata(context, group.metadata))

    database = store._database if group is STORE else store._readings_database
    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_readings_are_kept_without_row_numbers(tmp_path: Path, clock: ManualClock) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)
    async with store._readings_database.read() as connection:
        for table in ("reading", "expectation"):
            sql = await connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table})
            assert "WITHOUT ROWID" in str(sql)
    async with store._database.read() as connection:
        assert "AUTOINCREMENT" in str(
            await connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'outbox'"))
        )
    await store.close()


async def test_opening_again_changes_nothing(empty_store_url: str, clock: ManualClock) -> None:
    for _ in range(2):
        store = await open_store(empty_store_url, clock)
        await store.close()


async def test_a_store_that_is_up_to_date_opens_while_another_writes(tmp_path: Path, clock: ManualClock) -> None:
    """A dozen processes start at once, and one of them may write for long: none of the others ends for that."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    await (await open_store(url, clock)).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        store = await open_store(url, clock)
        async with store.view(across=True) as view:
            assert await view.organisations.list_in_installation() == []
        await store.close()


@pytest.mark.parametrize("group", [STORE, READINGS], ids=lambda group: group.name)
async def test_a_store_of_a_newer_version_is_refused(empty_store_url: str, clock: ManualClock, group: Group) -> None:
    store = await open_store(empty_store_url, clock)
    database = store._database if group is STORE else store._readings_database
    async with database.write() as connection:
        await connection.execute(text(f"UPDATE {group.version_table} SET version_num = '9999'"))
    await store.close()
    with pytest.raises(ConfigurationError, match="newer version of impetus"):
        await open_store(empty_store_url, clock)


async def test_a_store_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it(
    empty_store_url: str, clock: ManualClock
) -> None:
    """What was written by the first version is there after the update, and log-ins and tokens go on."""
    database = Database(parse_url(empty_store_url))
    await migrate(database, STORE, revision="0001")
    moment = to_microseconds(clock.now())
    rows: dict[str, dict[str, object]] = {
        "organisation": {"id": "police", "name": "Police", "active": True, "created": moment},
        "user_account": {
            "id": "anna",
            "tenant": "police",
            "name": "anna",
            "full_name": "Anna Berg",
            "role": "operator",
            "language": "en",
            "active": True,
            "created": moment,
            "password_hash": "a hash",
        },
        "session": {
            "hash": "a" * 64,
            "tenant": "police",
            "user": "anna",
            "csrf": "c",
            "created": moment,
            "used": moment,
            "expires": moment + 3_600_000_000,
        },
        "token": {
            "id": "t",
            "hash": "b" * 64,
            "tenant": "police",
            "title": "Gateway",
            "scopes": '["alerts:read"]',
            "created": moment,
            "created_by": "Anna",
        },
    }
    async with database.write() as connection:
        for table, row in rows.items():
            columns = ", ".join(f'"{name}"' for name in row)
            values = ", ".join(f":{name}" for name in row)
            await connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)
    await database.close()
    store = await open_store(empty_store_url, clock)
    async with store.view() as view:
        found = await view.sessions.find_in_installation("a" * 64)
        assert found is not None
        assert (found[0].second_factor, found[1].full_name) == (False, "Anna Berg")
        token = await view.tokens.find_in_installation("b" * 64)
        assert token is not None
        assert token[0].title == "Gateway"
        assert await view.second_factors.find("police", "anna") is None
    await store.close()


def test_several_processes_may_make_the_store_at_once(empty_store_url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from impetus.model import SystemClock\n"
        "from impetus.store import open_store\n"
        "async def main():\n"
        "    store = await open_store(sys.argv[1], SystemClock())\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, empty_store_url], stderr=subprocess.PIPE) for _ in range(3)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, errors


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/database", "nonsense", ""])
async def test_an_address_that_cannot_be_used_is_refused_in_plain_words(url: str, clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_store(url, clock)
    assert "sqlite:///" in caught.value.hint


async def test_a_password_in_an_address_is_not_shown(clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_store("mysql://anna:secret@host/database", clock)
    assert "secret" not in str(caught.value)


async def test_a_server_that_does_not_answer_is_unavailable(clock: ManualClock) -> None:
    with pytest.raises(Unavailable):
        await open_store("postgresql://nobody@127.0.0.1:1/nothing", clock)


async def test_a_server_that_says_nothing_is_unavailable_too(clock: ManualClock) -> None:
    """As one whose machine is cut off: psycopg then says that it took too long, which is an error of its own kind."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unavailable):
            await open_store(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing", clock)


async def test_a_file_that_is_no_database_is_told(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(Unavailable, match="damaged"):
        await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await open_store(f"sqlite:///{tmp_path}/file/store.sqlite", clock)


async def test_only_the_owner_can_read_the_files(tmp_path: Path, clock: ManualClock) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)
    modes = await asyncio.to_thread(
        lambda: {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    )
    await store.close()
    assert set(modes.values()) == {0o600}, modes
    assert "store-readings.sqlite" in modes
