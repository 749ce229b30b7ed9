"""Protects: administrators stay within their organisation, tokens never exceed who has them, nobody locks all out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from impetus.governance import installation_principal
from impetus.governance.tests.conftest import PASSWORD, House
from impetus.model import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Permission,
    Role,
)

NEW = "another long password"


async def test_an_administrator_works_within_the_own_organisation(house: House) -> None:
    accounts, admin, bo = house.governance.accounts, house.principal("admin-police"), house.users["bo"]
    carl = await accounts.create_user(
        admin, "police", name="carl", full_name="Carl", role=Role.ANALYST, password=PASSWORD
    )
    assert [user.name for user in await accounts.users(admin, "police")] == ["admin-police", "anna", "carl"]
    assert carl.tenant == "police"
    attempts = [
        accounts.create_user(admin, "fire", name="eve", full_name="Eve", role=Role.OPERATOR, password=PASSWORD),
        accounts.users(admin, "fire"),
        accounts.change_role(admin, "fire", bo.id, Role.ADMINISTRATOR),
        accounts.set_active(admin, "fire", bo.id, False),
        accounts.reset_password(admin, "fire", bo.id, NEW),
        accounts.set_organisation_active(admin, "fire", False),
        accounts.set_organisation_active(admin, "police", False),
        house.governance.tokens.create_machine(admin, "Spy", [Permission.ALERTS_READ], tenant="fire"),
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            await attempt
    # Nor by naming another organisation's person within the own one.
    for attempt in (
        accounts.change_role(admin, "police", bo.id, Role.PLANNER),
        accounts.set_active(admin, "police", bo.id, False),
        accounts.reset_password(admin, "police", bo.id, NEW),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_nobody_else_administers(house: House) -> None:
    accounts, anna = house.governance.accounts, house.principal("anna")
    for attempt in (
        accounts.create_organisation(anna, "mine", "Mine"),
        accounts.organisations(anna),
        accounts.create_user(anna, "police", name="eve", full_name="Eve", role=Role.OPERATOR, password=PASSWORD),
        accounts.users(anna, "police"),
        accounts.change_role(anna, "police", house.users["anna"].id, Role.ADMINISTRATOR),
        house.governance.tokens.create_machine(anna, "Gateway", [Permission.ALERTS_READ]),
        house.governance.audit_records(anna),
        house.governance.verify_audit(anna),
    ):
        with pytest.raises(NotAllowed):
            await attempt


async def test_the_last_administrator_stays(house: House) -> None:
    accounts, admin = house.governance.accounts, house.users["admin-police"]
    by = house.principal("admin-police")
    with pytest.raises(Conflict, match="last administrator"):
        await accounts.change_role(by, "police", admin.id, Role.OPERATOR)
    with pytest.raises(Conflict, match="last administrator"):
        await accounts.set_active(by, "police", admin.id, False)
    await accounts.change_role(by, "police", house.users["anna"].id, Role.ADMINISTRATOR)
    await accounts.set_active(by, "police", admin.id, False)


async def test_input_of_the_wrong_form_is_told(house: House) -> None:
    accounts, root = house.governance.accounts, installation_principal()
    for id in ("Police!", "", "system", "x" * 65):
        with pytest.raises(InvalidInput):
            await accounts.create_organisation(root, id, "Name")
    for fields in ({"name": "Eve Adams"}, {"name": ""}, {"full_name": ""}, {"language": "??"}, {"password": "short"}):
        values = {"name": "eve", "full_name": "Eve", "password": PASSWORD, "language": "en"} | fields
        with pytest.raises(InvalidInput):
            await accounts.create_user(root, "police", role=Role.OPERATOR, **values)
    with pytest.raises(Conflict):
        await accounts.create_organisation(root, "police", "Again")
    with pytest.raises(Conflict):
        await accounts.create_user(root, "fire", name="anna", full_name="Other", role=Role.OPERATOR, password=PASSWORD)
    with pytest.raises(NotFound):
        await accounts.create_user(root, "nowhere", name="eve", full_name="Eve", role=Role.OPERATOR, password=PASSWORD)


async def test_ones_own_password_is_changed_with_the_old_one(house: House) -> None:
    accounts, anna = house.governance.accounts, house.principal("anna")
    with pytest.raises(NotAllowed, match="present password"):
        await accounts.change_own_password(anna, "wrong", NEW)
    with pytest.raises(InvalidInput):
        await accounts.change_own_password(anna, PASSWORD, "short")
    await accounts.change_own_password(anna, PASSWORD, NEW)
    await house.governance.sessions.log_in("anna", NEW, address="192.0.2.1")


async def test_an_organisation_is_shut_out_and_let_in_again(house: House) -> None:
    root, governance = installation_principal(), house.governance
    log_in = await governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    _, token = await governance.tokens.create_machine(
        house.principal("admin-police"), "Gateway", [Permission.ALERTS_WRITE]
    )
    await governance.accounts.set_organisation_active(root, "police", False)
    with pytest.raises(NotAuthenticated):
        await governance.authenticate(session=log_in.secret)
    with pytest.raises(NotAuthenticated):
        await governance.authenticate(bearer=token)
    with pytest.raises(NotAuthenticated):
        await governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")
    await governance.accounts.set_organisation_active(root, "police", True)
    await governance.authenticate(bearer=token)
    await governance.sessions.log_in("anna", PASSWORD, address="192.0.2.1")


async def test_a_machine_has_its_scopes_and_never_decides(house: House) -> None:
    tokens, admin = house.governance.tokens, house.principal("admin-police")
    record, secret = await tokens.create_machine(
        admin, "Traffic gateway", [Permission.OBSERVATIONS_WRITE, Permission.ALERTS_READ]
    )
    assert secret.startswith("imp_")
    assert secret not in record.model_dump_json()
    principal = await house.governance.authenticate(bearer=secret)
    assert (principal.tenant, principal.machine, principal.user) == ("police", "Traffic gateway", None)
    assert principal.permissions == {Permission.OBSERVATIONS_WRITE, Permission.ALERTS_READ}
    assert principal.actor == f"machine:{record.id}"
    principal.require_csrf(None)
    for scope in (Permission.ALERTS_DECIDE, Permission.INCIDENTS_DECIDE, Permission.ADMINISTRATION):
        with pytest.raises(InvalidInput, match=scope.value):
            await tokens.create_machine(admin, "Robot", [Permission.ALERTS_READ, scope])
    with pytest.raises(InvalidInput):
        await tokens.create_machine(admin, "Idle", [])


async def test_a_personal_token_never_exceeds_the_person(house: House) -> None:
    governance, anna = house.governance, house.principal("anna")
    with pytest.raises(InvalidInput, match="administration"):
        await governance.tokens.create_personal(anna, "Laptop", [Permission.ADMINISTRATION])
    _, secret = await governance.tokens.create_personal(anna, "Laptop")
    principal = await governance.authenticate(bearer=secret)
    assert (principal.user, principal.permissions) == (house.users["anna"], anna.permissions)
    admin = house.principal("admin-police")
    await governance.accounts.change_role(admin, "police", house.users["anna"].id, Role.PLANNER)
    now = await governance.authenticate(bearer=secret)
    assert not now.may(Permission.ALERTS_DECIDE)
    assert now.may(Permission.ALERTS_READ)
    await governance.accounts.set_active(admin, "police", house.users["anna"].id, False)
    with pytest.raises(NotAuthenticated):
        await governance.authenticate(bearer=secret)
    machine = now.model_copy(update={"user": None, "machine": "Robot"})
    with pytest.raises(NotAllowed):
        await governance.tokens.create_personal(machine, "Copy")


async def test_tokens_end(house: House) -> None:
    governance, admin, anna = house.governance, house.principal("admin-police"), house.principal("anna")
    soon = house.clock.now() + timedelta(hours=1)
    record, secret = await governance.tokens.create_machine(admin, "Gateway", [Permission.ALERTS_WRITE], expires=soon)
    await governance.authenticate(bearer=secret)
    assert [token.used for token in await governance.tokens.list(admin)] == [house.clock.now()]
    house.clock.advance(3_600)
    with pytest.raises(NotAuthenticated):
        await governance.authenticate(bearer=secret)
    with pytest.raises(InvalidInput):
        await governance.tokens.create_machine(admin, "Late", [Permission.ALERTS_WRITE], expires=soon)
    mine, own_secret = await governance.tokens.create_personal(anna, "Laptop")
    assert [token.id for token in await governance.tokens.list(anna)] == [mine.id]
    with pytest.raises(NotAllowed):
        await governance.tokens.revoke(anna, record.id)
    with pytest.raises(NotFound):
        await governance.tokens.revoke(house.principal("admin-fire"), mine.id)
    await governance.tokens.revoke(anna, mine.id)
    with pytest.raises(NotAuthenticated):
        await governance.authenticate(bearer=own_secret)
    assert (await governance.tokens.revoke(admin, record.id)).revoked == house.clock.now()


async def test_all_that_is_administered_is_written_down(house: House) -> None:
    governance, admin = house.governance, house.principal("admin-police")
    await governance.accounts.change_role(admin, "police", house.users["anna"].id, Role.SUPERVISOR)
    await governance.tokens.create_machine(admin, "Gateway", [Permission.ALERTS_WRITE])
    page = await governance.audit_records(admin, limit=2)
    assert [record.action for record in page.items] == ["token.create", "user.change-role"]
    assert {record.actor for record in page.items} == {admin.actor}
    rest = await governance.audit_records(admin, after=page.next)
    assert [record.action for record in rest.items] == ["user.create", "user.create", "organisation.create"]
    assert [record.action for record in (await governance.audit_records(admin, action="user.create")).items] == [
        "user.create"
    ] * 2
    own = await governance.verify_audit(admin)
    assert (own.checked, own.findings) == (5, ())
    everything = await governance.verify_audit(installation_principal())
    assert {head.tenant for head in everything.heads} == {"police", "fire"}


async def test_a_token_is_replaced_while_its_machine_goes_on(house: House) -> None:
    tokens, admin = house.governance.tokens, house.principal("admin-police")
    ends = house.clock.now() + timedelta(days=100)
    old, old_secret = await tokens.create_machine(admin, "Gateway", [Permission.ALERTS_WRITE], expires=ends)
    house.clock.advance(timedelta(days=90).total_seconds())
    new, new_secret = await tokens.rotate(admin, old.id, overlap=timedelta(hours=1))
    assert (new.title, new.scopes, new.tenant) == (old.title, old.scopes, old.tenant)
    assert new.expires == house.clock.now() + timedelta(days=100)
    for secret in (old_secret, new_secret):
        assert (await house.governance.authenticate(bearer=secret)).permissions == {Permission.ALERTS_WRITE}
    house.clock.advance(3_600)
    with pytest.raises(NotAuthenticated):
        await house.governance.authenticate(bearer=old_secret)
    await house.governance.authenticate(bearer=new_secret)
    with pytest.raises(Conflict, match="has ended"):
        await tokens.rotate(admin, old.id)


async def test_a_token_is_replaced_only_by_those_who_may(house: House) -> None:
    governance, admin = house.governance, house.principal("admin-police")
    machine, secret = await governance.tokens.create_machine(admin, "Gateway", [Permission.ALERTS_WRITE])
    own, own_secret = await governance.tokens.create_personal(house.principal("anna"), "Script")
    # Whoever finds a lost token must not be able to make another of it.
    for by in (await governance.authenticate(bearer=secret), house.principal("anna"), house.principal("bo")):
        with pytest.raises(NotAllowed):
            await governance.tokens.rotate(by, machine.id)
    # Nor may an administrator come by the secret of a person's token.
    for by in (await governance.authenticate(bearer=own_secret), admin, house.principal("bo")):
        with pytest.raises(NotAllowed):
            await governance.tokens.rotate(by, own.id)
    with pytest.raises(NotFound):
        await governance.tokens.rotate(house.principal("admin-fire"), machine.id)
    with pytest.raises(NotAllowed):
        await governance.tokens.rotate(house.principal("admin-fire"), machine.id, tenant="police")
    for overlap in (timedelta(days=8), timedelta(seconds=-1)):
        with pytest.raises(InvalidInput):
            await governance.tokens.rotate(admin, machine.id, overlap=overlap)
    await governance.tokens.rotate(house.principal("anna"), own.id)
    await governance.tokens.rotate(installation_principal(), machine.id, tenant="police")
