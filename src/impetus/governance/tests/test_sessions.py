"""Protects: who logs in is who it says, sessions end when they should, and guessing is slowed down and written down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from impetus.governance import AccessSettings, Governance, LogInThrottled, PasswordSettings, installation_principal
from impetus.governance.audit import verify
from impetus.governance.sessions import secret_hash
from impetus.governance.tests.conftest import PASSWORD, QUICK, House
from impetus.model import SYSTEM_TENANT, ManualClock, NotAuthenticated, Role
from impetus.store import open_store


async def test_a_person_logs_in_and_out(house: House) -> None:
    log_in = await house.governance.sessions.log_in(" Anna ", PASSWORD, address="192.0.2.1")
    assert log_in.user == house.users["anna"]
    principal = await house.governance.authenticate(session=log_in.secret)
    assert (principal.user, principal.tenant, principal.csrf) == (house.users["anna"], "police", log_in.csrf)
    principal.require_csrf(log_in.csrf)
    await house.governance.sessions.log_out(principal)
    with pytest.raises(NotAuthenticated):
        await house.governance.authenticate(session=log_in.secret)
    await house.governance.sessions.log_out(principal)


async def test_the_secret_is_not_in_the_store(house: House) -> None:
    log_in = await house.governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    async with house.store.view() as view:
        found = await view.sessions.find_in_installation(secret_hash(log_in.secret))
        assert found is not None
        assert log_in.secret not in found[0].model_dump_json()
    assert len(log_in.secret) >= 43
    other = await house.governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    assert len({log_in.secret, other.secret, log_in.csrf, other.csrf}) == 4


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("anna", "wrong"),
        ("nobody", PASSWORD),
        ("anna' OR 1=1 --", PASSWORD),
        ("", ""),
        ("anna\0", PASSWORD),
        ("x" * 10_000, "x" * 100_000),
        ("anna", "\ud800"),
    ],
)
async def test_whatever_is_wrong_the_words_are_the_same(house: House, name: str, password: str) -> None:
    with pytest.raises(NotAuthenticated, match="name or password is wrong"):
        await house.governance.sessions.log_in(name, password, address="192.0.2.1")


@pytest.mark.parametrize("secret", ["", "nonsense", "imp_nonsense", "\ud800", "x" * 100_000])
async def test_no_other_secret_opens_anything(house: House, secret: str) -> None:
    for session, bearer in ((secret, None), (None, secret), (secret, secret)):
        with pytest.raises(NotAuthenticated):
            await house.governance.authenticate(session=session, bearer=bearer)
    with pytest.raises(NotAuthenticated):
        await house.governance.authenticate()


async def test_a_session_ends_when_idle_and_after_its_longest_time(house: House) -> None:
    sessions = house.governance.sessions
    idle = await sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    house.clock.advance(QUICK.session.idle_s - 1)
    await sessions.authenticate(idle.secret)
    house.clock.advance(QUICK.session.idle_s)
    with pytest.raises(NotAuthenticated):
        await sessions.authenticate(idle.secret)
    busy = await sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    elapsed = 0.0
    while elapsed < QUICK.session.longest_s - 1_000:
        house.clock.advance(1_000)
        elapsed += 1_000
        await sessions.authenticate(busy.secret)
    house.clock.advance(1_000)
    with pytest.raises(NotAuthenticated):
        await sessions.authenticate(busy.secret)
    assert await sessions.forget_expired() >= 2


async def test_a_clock_that_is_set_back_does_not_revive_or_break_sessions(house: House) -> None:
    log_in = await house.governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    house.clock.advance(-7_200)
    await house.governance.sessions.authenticate(log_in.secret)
    house.clock.advance(QUICK.session.longest_s + 7_200)
    with pytest.raises(NotAuthenticated):
        await house.governance.sessions.authenticate(log_in.secret)


async def test_role_password_and_deactivation_end_sessions_at_once(house: House) -> None:
    accounts, sessions = house.governance.accounts, house.governance.sessions
    admin, anna = house.principal("admin-police"), house.users["anna"]

    async def is_out(secret: str) -> bool:
        try:
            await sessions.authenticate(secret)
        except NotAuthenticated:
            return True
        return False

    log_in = await sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    await accounts.change_role(admin, "police", anna.id, Role.SUPERVISOR)
    assert await is_out(log_in.secret)
    log_in = await sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    await accounts.reset_password(admin, "police", anna.id, "another long password")
    assert await is_out(log_in.secret)
    with pytest.raises(NotAuthenticated):
        await sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    log_in = await sessions.log_in("anna", "another long password", address="192.0.2.1")
    await accounts.set_active(admin, "police", anna.id, False)
    assert await is_out(log_in.secret)
    with pytest.raises(NotAuthenticated, match="name or password is wrong"):
        await sessions.log_in("anna", "another long password", address="192.0.2.1")
    await accounts.set_active(admin, "police", anna.id, True)
    assert await is_out(log_in.secret)
    await sessions.log_in("anna", "another long password", address="192.0.2.1")


async def test_guessing_one_name_is_slowed_down(house: House) -> None:
    sessions, throttle = house.governance.sessions, QUICK.throttle
    for number in range(throttle.free_attempts_name):
        with pytest.raises(NotAuthenticated):
            await sessions.log_in("anna", f"guess {number}", address=f"192.0.2.{number}")
    with pytest.raises(LogInThrottled) as caught:
        await sessions.log_in("anna", PASSWORD, address="198.51.100.1")
    assert caught.value.retry_after_s == throttle.first_wait_s
    await sessions.log_in("bo", PASSWORD, address="198.51.100.1")
    house.clock.advance(caught.value.retry_after_s)
    await sessions.log_in("anna", PASSWORD, address="198.51.100.1")
    with pytest.raises(NotAuthenticated):
        await sessions.log_in("anna", "a new mistake", address="198.51.100.1")
    await sessions.log_in("anna", PASSWORD, address="198.51.100.1")


async def test_guessing_many_names_from_one_address_is_slowed_down(house: House) -> None:
    sessions = house.governance.sessions
    for number in range(QUICK.throttle.free_attempts_address):
        with pytest.raises(NotAuthenticated):
            await sessions.log_in(f"name-{number}", "guess", address="192.0.2.1")
    with pytest.raises(LogInThrottled):
        await sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    await sessions.log_in("anna", PASSWORD, address="192.0.2.2")


async def test_guesses_side_by_side_are_counted_like_guesses_in_a_row(house: House) -> None:
    async def guess(number: int) -> str:
        try:
            await house.governance.sessions.log_in("anna", f"guess {number}", address=f"192.0.2.{number}")
        except LogInThrottled:
            return "throttled"
        except NotAuthenticated:
            return "wrong"
        return "in"

    outcomes = await asyncio.gather(*(guess(number) for number in range(30)))
    assert outcomes.count("wrong") == QUICK.throttle.free_attempts_name
    assert outcomes.count("throttled") == 30 - QUICK.throttle.free_attempts_name


async def test_twenty_colleagues_may_log_in_at_once(house: House) -> None:
    log_ins = await asyncio.gather(
        *(house.governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1") for _ in range(20))
    )
    assert len({log_in.secret for log_in in log_ins}) == 20


async def test_log_ins_are_written_down_without_what_was_typed(house: House) -> None:
    sessions = house.governance.sessions
    await sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    for name in ("anna", "my-secret-typed-as-name"):
        with pytest.raises(NotAuthenticated):
            await sessions.log_in(name, "guess", address="192.0.2.1")
    async with house.store.view() as view:
        records = [*(await view.audit.list("police")).items, *(await view.audit.list(SYSTEM_TENANT)).items]
    actions = [record.action for record in records]
    assert (actions.count("session.begin"), actions.count("session.refuse")) == (1, 2)
    for record in records:
        assert "guess" not in record.detail + record.subject
        assert "my-secret" not in record.detail + record.subject
    assert (await verify(house.store)).findings == ()


async def test_a_password_hash_with_older_settings_is_made_anew(house: House) -> None:
    stronger = AccessSettings(password=PasswordSettings(memory_kib=16, passes=2))
    governance = Governance(house.store, house.clock, stronger)
    await governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    async with house.store.view() as view:
        found = await view.users.find_by_name_in_installation("anna")
    assert found is not None
    assert "m=16,t=2" in found.password_hash
    await governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")


async def test_people_may_still_look_while_nothing_can_be_written(tmp_path: Path, clock: ManualClock) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/full.sqlite", clock)
    governance, root = Governance(store, clock, QUICK), installation_principal()
    await governance.accounts.create_organisation(root, "police", "Police")
    await governance.accounts.create_user(
        root, "police", name="anna", full_name="Anna Berg", role=Role.OPERATOR, password=PASSWORD
    )
    log_in = await governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    principal = await governance.sessions.authenticate(log_in.secret)
    _, token = await governance.tokens.create_personal(principal, "Laptop")
    # The connection that writes refuses to from now on, as it does on a full disk.
    async with store._database.write() as connection:
        await connection.execute(text("PRAGMA query_only=ON"))
    clock.advance(3_600)
    await governance.authenticate(session=log_in.secret)
    await governance.authenticate(bearer=token)
    await store.close()
