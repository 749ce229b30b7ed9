"""The demo's log-ins are made once for an installation, work again after a restart, and are for its owner only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from impetus.exercise.city import datastreams
from impetus.exercise.seed import CITY, PEOPLE, POLICE, DemoAccess, new_password, seed_demo
from impetus.governance import AccessSettings, Governance, PasswordSettings
from impetus.model import ConfigurationError, Permission, Role, SystemClock
from impetus.store import Store, open_store

ACCESS = AccessSettings(password=PasswordSettings(memory_kib=8, passes=1))
"""Hashing is made cheap here: what a hash costs is governance's concern."""


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite:///{home / 'store.sqlite'}", SystemClock())
    try:
        yield store
    finally:
        await store.close()


async def seeded(store: Store, home: Path) -> DemoAccess:
    return await seed_demo(store, SystemClock(), home=home, url="http://127.0.0.1:8600", access=ACCESS)


async def can_log_in(store: Store, name: str, password: str) -> bool:
    governance = Governance(store, SystemClock(), ACCESS)
    try:
        log_in = await governance.sessions.log_in(name, password, address="127.0.0.1")
    except Exception:
        return False
    return log_in is not None


async def test_everybody_can_log_in_and_the_token_is_the_supervisors(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        access = await seeded(store, tmp_path)
        assert {(user.name, user.role, user.organisation) for user in access.users} == {
            (name, role, organisation) for name, _, role, organisation in PEOPLE
        }
        for user in access.users:
            assert await can_log_in(store, user.name, user.password)
        principal = await Governance(store, SystemClock(), ACCESS).authenticate(bearer=access.token)
        assert principal.tenant == CITY
        assert principal.user is not None
        assert principal.user.role is Role.SUPERVISOR
        assert principal.may(Permission.ALERTS_DECIDE)
        async with store.view() as view:
            assert set(await view.datastreams.all(CITY)) == {datastream.id for datastream in datastreams()}
            assert await view.datastreams.count(POLICE) == 0
        printed = json.loads(access.model_dump_json())
        assert set(printed) == {"url", "token", "users"}
        assert set(printed["users"][0]) == {"name", "password", "role", "organisation"}


async def test_after_a_restart_the_same_log_ins_work_and_nothing_is_doubled(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = await seeded(store, tmp_path)
    async with opened(tmp_path) as store:
        assert await seeded(store, tmp_path) == first
        async with store.view() as view:
            assert len(await view.tokens.list(CITY)) == 1


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await seeded(store, tmp_path)
    file = tmp_path / "secrets" / "demo.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_lost_secrets_are_made_anew_for_the_accounts_that_exist(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = await seeded(store, tmp_path)
        (tmp_path / "secrets" / "demo.json").unlink()
        second = await seeded(store, tmp_path)
        assert second.token != first.token
        assert not await can_log_in(store, first.users[0].name, first.users[0].password)
        assert await can_log_in(store, second.users[0].name, second.users[0].password)


async def test_kept_secrets_make_the_accounts_of_a_store_that_was_lost(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = await seeded(store, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    async with opened(empty) as store:
        second = await seeded(store, tmp_path)
        assert second.users == first.users
        assert await can_log_in(store, first.users[0].name, first.users[0].password)


async def test_a_broken_file_is_said_and_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "demo.json"
    file.parent.mkdir()
    file.write_text("{")
    async with opened(tmp_path) as store:
        with pytest.raises(ConfigurationError, match=r"demo\.json cannot be read"):
            await seeded(store, tmp_path)
    assert file.read_text() == "{"


def test_passwords_differ_and_have_no_letters_that_look_alike() -> None:
    passwords = {new_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(len(password) == 17 and not set(password) & set("il1o0") for password in passwords)
