"""Protects: a passkey lets in its person alone, on our page alone, once for each question; and secrets are sealed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from impetus.governance import AccessSettings, Governance, LogInThrottled, Principal
from impetus.governance.passkeys import CHALLENGE_S, Site, _challenge_of, _parsed
from impetus.governance.sealing import FILE, Seal, SealBroken, is_sealed, new_key, open_seal
from impetus.governance.second_factor import SecondFactorNeeded
from impetus.governance.sessions import LogIn
from impetus.governance.tests.authenticator import Authenticator
from impetus.governance.tests.conftest import PASSWORD, QUICK, House
from impetus.governance.tests.test_second_factor import code_of, person, set_up
from impetus.model import ConfigurationError, Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound, Role

HERE = "192.0.2.1"
SITE = Site("https://city.example", "city.example")
FORGED = Site("https://city.example.evil.example", "city.example.evil.example")


async def registered(house: House, by: Principal, *, verifies: bool = True) -> Authenticator:
    key = Authenticator(verifies)
    options = await house.governance.passkeys.begin(by, PASSWORD, SITE)
    await house.governance.passkeys.finish(by, "Telephone", key.make(options, SITE.origin), SITE)
    return key


def shown(house: House, key: Authenticator, site: Site = SITE) -> str:
    house.clock.advance(1)
    return key.show(house.governance.passkeys.ask(SITE), site.origin)


async def alone(house: House, passkey: str, site: Site = SITE) -> LogIn:
    return await house.governance.sessions.log_in_with_passkey(passkey, site, address=HERE)


async def test_a_passkey_lets_its_person_in_alone(house: House) -> None:
    key = await registered(house, await person(house))
    begun = await alone(house, shown(house, key))
    assert begun.user.name == "anna"
    records = await house.governance.audit_records(house.principal("admin-police"), action="session.begin")
    assert '"second_factor":"passkey"' in records.items[0].detail.replace(" ", "")
    (kept,) = await house.governance.passkeys.list(await house.governance.authenticate(session=begun.secret))
    assert (kept.title, kept.uses, kept.used) == ("Telephone", 1, house.clock.now())


async def test_an_answer_is_good_once_and_not_for_long(house: House) -> None:
    key = await registered(house, await person(house))
    earlier, answer = shown(house, key), shown(house, key)
    await alone(house, answer)
    for replayed in (answer, earlier):
        with pytest.raises(NotAuthenticated, match="does not let you in"):
            await alone(house, replayed)
    late = shown(house, key)
    house.clock.advance(CHALLENGE_S + 60)
    with pytest.raises(NotAuthenticated):
        await alone(house, late)


async def test_what_was_shown_to_a_forged_page_is_worth_nothing(house: House) -> None:
    """A browser writes its page's address into what is signed, and gives a key to its own site alone."""
    key = await registered(house, await person(house))
    with pytest.raises(NotAuthenticated):
        await alone(house, shown(house, key, FORGED))
    house.clock.advance(60)
    asked = house.governance.passkeys.ask(FORGED)
    for site in (SITE, FORGED):
        with pytest.raises(NotAuthenticated):
            await alone(house, key.show(asked, FORGED.origin), site)
        house.clock.advance(60)


async def test_another_key_or_one_that_was_copied_does_not_let_in(house: House) -> None:
    key = await registered(house, await person(house))
    with pytest.raises(NotAuthenticated):
        await alone(house, shown(house, Authenticator(id=key.id)))
    await alone(house, shown(house, key))
    key.uses = 0  # what a copy would count
    with pytest.raises(NotAuthenticated):
        await alone(house, shown(house, key))


async def test_one_that_verifies_nobody_is_a_second_factor_and_not_more(house: House) -> None:
    key = await registered(house, await person(house), verifies=False)
    with pytest.raises(NotAuthenticated):
        await alone(house, shown(house, key))
    sessions = house.governance.sessions
    with pytest.raises(SecondFactorNeeded, match="passkey"):
        await sessions.log_in("anna", PASSWORD, address=HERE)
    with pytest.raises(NotAuthenticated, match="name or password"):
        await sessions.log_in("anna", "wrong", address=HERE, passkey=shown(house, key), site=SITE)
    house.clock.advance(60)
    begun = await sessions.log_in("anna", PASSWORD, address=HERE, passkey=shown(house, key), site=SITE)
    assert begun.user.name == "anna"


async def test_somebody_elses_passkey_is_no_second_factor(house: House) -> None:
    await registered(house, await person(house))
    other = await registered(house, await person(house, "bo"))
    with pytest.raises(SecondFactorNeeded, match="wrong"):
        await house.governance.sessions.log_in("anna", PASSWORD, address=HERE, passkey=shown(house, other), site=SITE)


async def test_a_passkey_and_an_app_stand_side_by_side(house: House) -> None:
    secret, _ = await set_up(house, await person(house))
    anna = await person(house, code=code_of(house, secret))
    key = await registered(house, anna)
    house.clock.advance(60)
    await person(house, code=code_of(house, secret))
    await house.governance.sessions.log_in("anna", PASSWORD, address=HERE, passkey=shown(house, key), site=SITE)
    administrator = house.principal("admin-police")
    assert await house.governance.second_factors.holders(administrator, "police") == {house.users["anna"].id}
    await house.governance.second_factors.reset(administrator, "police", house.users["anna"].id)
    assert (await person(house)).name == "Anna Surname"


async def test_setting_up_asks_for_the_password_and_ends_other_sessions(house: House) -> None:
    anna = await person(house)
    other = await house.governance.sessions.log_in("anna", PASSWORD, address=HERE)
    with pytest.raises(NotAllowed, match="password"):
        await house.governance.passkeys.begin(anna, "wrong", SITE)
    options = await house.governance.passkeys.begin(anna, PASSWORD, SITE)
    key = Authenticator()
    with pytest.raises(InvalidInput):
        await house.governance.passkeys.finish(anna, "x", key.make(options, FORGED.origin), SITE)
    stranger = await person(house, "bo")
    with pytest.raises(InvalidInput, match="another question"):
        await house.governance.passkeys.finish(stranger, "x", key.make(options, SITE.origin), SITE)
    await house.governance.passkeys.finish(anna, "x", key.make(options, SITE.origin), SITE)
    with pytest.raises(Conflict):
        await house.governance.passkeys.finish(anna, "x", key.make(options, SITE.origin), SITE)
    with pytest.raises(NotAuthenticated):
        await house.governance.authenticate(session=other.secret)


async def test_the_last_factor_of_a_role_that_must_have_one_stays(house: House) -> None:
    settings = QUICK.model_copy(update={"second_factor_roles": (Role.OPERATOR,)})
    governance = Governance(house.store, house.clock, settings)
    house = House(house.store, house.clock, governance, house.users)
    anna = await person(house)
    assert anna.second_factor_missing
    key = await registered(house, anna)
    begun = await alone(house, shown(house, key))
    anna = await governance.authenticate(session=begun.secret)
    assert not anna.second_factor_missing
    (kept,) = await governance.passkeys.list(anna)
    with pytest.raises(NotAllowed, match="must have"):
        await governance.passkeys.remove(anna, kept.id, PASSWORD)
    await registered(house, anna)
    await governance.passkeys.remove(anna, kept.id, PASSWORD)
    with pytest.raises(NotFound):
        await governance.passkeys.remove(anna, kept.id, PASSWORD)


async def test_guessing_slows_down(house: House) -> None:
    for _ in range(QUICK.throttle.free_attempts_address):
        with pytest.raises(NotAuthenticated, match="does not let you in"):
            await alone(house, "{}")
    with pytest.raises(LogInThrottled):
        await alone(house, "{}")


@given(answer=st.text(max_size=300) | st.from_regex(r'\{"response": \{"clientDataJSON": "[A-Za-z0-9_-]{0,80}"\}\}'))
def test_whatever_a_browser_says_is_refused_in_words(answer: str) -> None:
    with pytest.raises(InvalidInput):
        _challenge_of(_parsed(answer))


async def test_secrets_of_apps_are_sealed_and_old_ones_are_sealed_at_the_start(house: House) -> None:
    old, new = new_key(), new_key()
    before = House(house.store, house.clock, Governance(house.store, house.clock, QUICK, Seal([old])), house.users)
    secret, _ = await set_up(before, await person(before))
    user = house.users["anna"]
    async with house.store.transaction() as transaction:
        kept = await transaction.second_factors.find(user.tenant, user.id)
        assert kept is not None
        assert is_sealed(kept.secret)
        assert secret not in kept.model_dump_json()
        # As a release before this one kept it.
        await transaction.second_factors.put(kept.model_copy(update={"secret": secret}))
    after = House(house.store, house.clock, Governance(house.store, house.clock, QUICK, Seal([new, old])), house.users)
    assert await after.governance.second_factors.seal_anew() == 1
    assert await after.governance.second_factors.seal_anew() == 0
    house.clock.advance(60)
    await person(after, code=code_of(after, secret))
    house.clock.advance(60)
    with pytest.raises(SealBroken, match="none of the keys"):
        await person(before, code=code_of(before, secret))
    only_new = House(house.store, house.clock, Governance(house.store, house.clock, QUICK, Seal([new])), house.users)
    await person(only_new, code=code_of(only_new, secret))


def test_a_key_is_put_in_front_and_the_old_one_taken_away() -> None:
    old, new = new_key(), new_key()
    sealed = Seal([old]).close("secret")
    renewed = Seal([new, old]).renewed(sealed)
    assert renewed is not None
    assert Seal([new]).open(renewed) == "secret"
    assert Seal([new, old]).renewed(renewed) is None
    with pytest.raises(SealBroken):
        Seal([new]).open(sealed)
    with pytest.raises(SealBroken):
        Seal([old]).open(sealed[:-4] + "AAA=")


def test_keys_come_from_a_word_a_file_or_the_folder_of_all_state(tmp_path: Path) -> None:
    made = open_seal(AccessSettings(), tmp_path)
    own = tmp_path / FILE
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert open_seal(AccessSettings(), tmp_path).open(made.close("a")) == "a"
    other = tmp_path / "keys"
    other.write_text(f"# newest first\n{Fernet.generate_key().decode()}\n{own.read_text()}")
    assert open_seal(AccessSettings(keys_file=other), tmp_path).open(made.close("a")) == "a"
    key = Fernet.generate_key().decode()
    assert open_seal(AccessSettings(keys=f"{key}, {own.read_text().strip()}"), tmp_path).open(made.close("a")) == "a"  # type: ignore[arg-type]
    assert key not in repr(AccessSettings(keys=key))  # type: ignore[arg-type]
    for wrong in ("", "no key\n", "# nothing\n"):
        other.write_text(wrong)
        with pytest.raises(ConfigurationError, match="key"):
            open_seal(AccessSettings(keys_file=other), tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_seal(AccessSettings(keys_file=tmp_path / "none"), tmp_path)


async def test_the_database_holds_no_secret_that_reads(house: House) -> None:
    """Of passkeys it holds the public half alone."""
    secret, _ = await set_up(house, await person(house))
    await registered(house, await person(house, code=code_of(house, secret)))
    async with house.store._database.read() as connection:
        for table in ("second_factor", "passkey"):
            rows = (await connection.execute(text(f"SELECT * FROM {table}"))).all()
            assert rows
            assert secret not in repr(rows)
