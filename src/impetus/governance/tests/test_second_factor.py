"""Protects: whoever has a second factor needs it, no code is good twice, and guessing codes slows down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pyotp
import pytest

from impetus.governance import AccessSettings, Governance, LogInThrottled, PasswordSettings, Principal
from impetus.governance.second_factor import STEP_S, SecondFactorNeeded, new_step
from impetus.governance.tests.conftest import PASSWORD, QUICK, SEAL, House
from impetus.model import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound, Permission, Role

HERE = "192.0.2.1"
# RFC 6238, appendix B: the eight-digit codes end in the six-digit ones.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_CODES = ((59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130"))


async def person(house: House, name: str = "anna", code: str = "") -> Principal:
    log_in = await house.governance.sessions.log_in(name, PASSWORD, address=HERE, code=code)
    return await house.governance.authenticate(session=log_in.secret)


def code_of(house: House, secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(house.clock.now().timestamp()) // STEP_S + steps)


async def set_up(house: House, by: Principal) -> tuple[str, Sequence[str]]:
    begun = await house.governance.second_factors.begin(by, PASSWORD)
    codes = await house.governance.second_factors.confirm(by, code_of(house, begun.secret))
    house.clock.advance(STEP_S)
    return begun.secret, codes


@pytest.mark.parametrize(("moment_s", "code"), RFC_CODES)
def test_codes_are_those_of_the_standard(moment_s: int, code: str) -> None:
    moment = datetime.fromtimestamp(moment_s, UTC)
    assert new_step(RFC_SECRET, 0, code, moment) == moment_s // STEP_S
    for wrong in ("", "0", code[:5], code + "0", "abcdef", "\ud800", "x" * 10_000, "１２３４５６"):
        assert new_step(RFC_SECRET, 0, wrong, moment) is None


async def test_a_person_with_a_second_factor_needs_it(house: House) -> None:
    anna = await person(house)
    other = await house.governance.sessions.log_in("anna", PASSWORD, address=HERE)
    secret, _ = await set_up(house, anna)
    # A session that somebody else may have begun with the password alone is over; the own goes on.
    with pytest.raises(NotAuthenticated):
        await house.governance.authenticate(session=other.secret)
    with pytest.raises(SecondFactorNeeded, match="as well"):
        await person(house)
    with pytest.raises(SecondFactorNeeded, match="wrong"):
        await person(house, code="000000" if code_of(house, secret) != "000000" else "000001")
    with pytest.raises(NotAuthenticated, match="name or password"):
        await house.governance.sessions.log_in("anna", "wrong", address=HERE, code=code_of(house, secret))
    assert (await person(house, code=code_of(house, secret))).name == "Anna Surname"


async def test_no_code_is_good_twice(house: House) -> None:
    secret, _ = await set_up(house, await person(house))
    code = code_of(house, secret)
    await person(house, code=code)
    with pytest.raises(SecondFactorNeeded, match="used already"):
        await person(house, code=code)
    # Nor is an older one that was not used.
    house.clock.advance(STEP_S)
    await person(house, code=code_of(house, secret, 1))
    with pytest.raises(SecondFactorNeeded):
        await person(house, code=code_of(house, secret))


async def test_of_two_log_ins_at_once_with_one_code_one_comes_in(house: House) -> None:
    """At two hubs, which have locks of their own."""
    secret, _ = await set_up(house, await person(house))
    code = code_of(house, secret)
    hubs = [Governance(house.store, house.clock, QUICK, SEAL) for _ in range(4)]
    tries = (hub.sessions.log_in("anna", PASSWORD, address=HERE, code=code) for hub in hubs)
    came = await asyncio.gather(*tries, return_exceptions=True)
    assert [isinstance(one, SecondFactorNeeded) for one in came].count(False) == 1


async def test_clocks_may_differ_by_a_step_and_no_more(house: House) -> None:
    secret, _ = await set_up(house, await person(house))
    house.clock.advance(600)
    for steps in (-2, 2):
        with pytest.raises(SecondFactorNeeded):
            await person(house, code=code_of(house, secret, steps))
    for steps in (-1, 1):
        house.clock.advance(600)
        await person(house, code=code_of(house, secret, steps))


async def test_a_recovery_code_is_good_once(house: House) -> None:
    _, codes = await set_up(house, await person(house))
    assert len(set(codes)) == 10
    anna = await person(house, code=f" {codes[3].upper()} ")
    with pytest.raises(SecondFactorNeeded):
        await person(house, code=codes[3])
    left = await house.governance.second_factors.state(anna)
    assert left is not None
    assert len(left.recovery) == 9
    assert not any(code in left.model_dump_json() for code in codes)


async def test_guessing_codes_slows_down_and_is_written_down(house: House) -> None:
    secret, _ = await set_up(house, await person(house))
    right = {code_of(house, secret, steps) for steps in (-1, 0, 1)}
    guesses = [code for code in (f"{number:06}" for number in range(20)) if code not in right]
    for guess in guesses[: QUICK.throttle.free_attempts_name]:
        with pytest.raises(SecondFactorNeeded):
            await person(house, code=guess)
    with pytest.raises(LogInThrottled):
        await person(house, code=code_of(house, secret))
    by = house.principal("admin-police")
    page = await house.governance.audit_records(by, action="session.refuse")
    assert len(page.items) == QUICK.throttle.free_attempts_name


async def test_asking_without_a_code_is_no_failure(house: House) -> None:
    secret, _ = await set_up(house, await person(house))
    for _ in range(QUICK.throttle.free_attempts_name + 1):
        with pytest.raises(SecondFactorNeeded):
            await person(house)
    await person(house, code=code_of(house, secret))


async def test_a_stolen_session_cannot_change_it(house: House) -> None:
    factors, anna = house.governance.second_factors, await person(house)
    for _ in range(QUICK.throttle.free_attempts_name):
        with pytest.raises(NotAllowed, match="password"):
            await factors.begin(anna, "guess")
    with pytest.raises(LogInThrottled):
        await factors.begin(anna, PASSWORD)
    house.clock.advance(QUICK.throttle.longest_wait_s)
    await set_up(house, anna)
    with pytest.raises(Conflict):
        await factors.begin(anna, PASSWORD)
    with pytest.raises(NotAllowed, match="password"):
        await factors.remove(anna, "guess")
    house.clock.advance(QUICK.throttle.longest_wait_s)
    await factors.remove(anna, PASSWORD)
    await person(house)


async def test_it_counts_only_after_a_code_was_seen(house: House) -> None:
    factors, anna = house.governance.second_factors, await person(house)
    with pytest.raises(Conflict, match="being set up"):
        await factors.confirm(anna, "123456")
    begun = await factors.begin(anna, PASSWORD)
    assert begun.address.startswith("otpauth://totp/impetus:anna?")
    assert begun.secret in begun.address
    with pytest.raises(InvalidInput):
        await factors.confirm(anna, code_of(house, begun.secret, 5))
    await person(house)


async def test_a_machine_and_a_token_have_none(house: House) -> None:
    admin = house.principal("admin-police")
    _, machine = await house.governance.tokens.create_machine(admin, "Gateway", [Permission.ALERTS_READ])
    _, own = await house.governance.tokens.create_personal(house.principal("anna"), "Script")
    for secret in (machine, own):
        with pytest.raises(NotAllowed):
            await house.governance.second_factors.begin(await house.governance.authenticate(bearer=secret), PASSWORD)


async def test_an_administrator_takes_away_a_lost_one_within_the_own_organisation(house: House) -> None:
    await set_up(house, await person(house))
    factors, anna = house.governance.second_factors, house.users["anna"].id
    assert await factors.holders(house.principal("admin-police"), "police") == {anna}
    for wrong, error in (("admin-fire", NotAllowed), ("bo", NotAllowed)):
        with pytest.raises(error):
            await factors.reset(house.principal(wrong), "police", anna)
        with pytest.raises(error):
            await factors.holders(house.principal(wrong), "police")
    with pytest.raises(NotFound):
        await factors.reset(house.principal("admin-fire"), "fire", anna)
    await factors.reset(house.principal("admin-police"), "police", anna)
    await person(house)


async def test_a_role_that_must_have_one_may_do_nothing_before(house: House) -> None:
    strict = AccessSettings(
        password=PasswordSettings(memory_kib=8, passes=1), second_factor_roles=(Role.ADMINISTRATOR,)
    )
    governance = Governance(house.store, house.clock, strict)
    log_in = await governance.sessions.log_in("admin-police", PASSWORD, address=HERE)
    admin = await governance.authenticate(session=log_in.secret)
    assert admin.second_factor_missing
    assert not admin.permissions
    with pytest.raises(NotAllowed):
        await governance.accounts.users(admin, "police")
    begun = await governance.second_factors.begin(admin, PASSWORD)
    await governance.second_factors.confirm(admin, code_of(house, begun.secret))
    admin = await governance.authenticate(session=log_in.secret)
    assert not admin.second_factor_missing
    await governance.accounts.users(admin, "police")
    with pytest.raises(NotAllowed, match="must have"):
        await governance.second_factors.remove(admin, PASSWORD)
    anna = await governance.sessions.log_in("anna", PASSWORD, address=HERE)
    assert (await governance.authenticate(session=anna.secret)).permissions
