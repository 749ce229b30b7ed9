"""Protects: what is not granted is denied, and no machine decides."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from impetus.governance import (
    MACHINE_PERMISSIONS,
    ROLE_PERMISSIONS,
    Principal,
    installation_principal,
    principal_of,
)
from impetus.model import NotAllowed, Permission, Role, User
from impetus.store.tests.conftest import NOW

DECISIONS = {
    Permission.ALERTS_DECIDE,
    Permission.INCIDENTS_DECIDE,
    Permission.DEAD_LETTERS_DECIDE,
    Permission.SHARING_DECIDE,
}


def user(role: Role) -> User:
    return User(id="anna", tenant="police", name="anna", full_name="Anna Berg", role=role, created=NOW)


def test_every_role_is_spelled_out_and_every_permission_is_known() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    for role, granted in ROLE_PERMISSIONS.items():
        assert granted, role
        assert granted <= set(Permission)
    with pytest.raises(TypeError):
        ROLE_PERMISSIONS[Role.PLANNER] = frozenset(Permission)  # type: ignore[index]


def test_every_permission_is_somebodys() -> None:
    granted = frozenset[Permission]().union(*ROLE_PERMISSIONS.values()) | MACHINE_PERMISSIONS
    assert granted == set(Permission)


def test_no_machine_decides_or_administers() -> None:
    assert not MACHINE_PERMISSIONS & (DECISIONS | {Permission.ADMINISTRATION})


def test_only_the_administrator_administers_and_does_not_decide_about_people() -> None:
    administer = {role for role, granted in ROLE_PERMISSIONS.items() if Permission.ADMINISTRATION in granted}
    assert administer == {Role.ADMINISTRATOR}
    granted = ROLE_PERMISSIONS[Role.ADMINISTRATOR]
    assert not granted & {Permission.ALERTS_DECIDE, Permission.INCIDENTS_DECIDE, Permission.ALERTS_READ}


@pytest.mark.parametrize("role", list(Role))
def test_a_person_may_exactly_what_the_role_grants(role: Role) -> None:
    principal = principal_of(user(role))
    for permission in Permission:
        if permission in ROLE_PERMISSIONS[role]:
            principal.require(permission)
        else:
            with pytest.raises(NotAllowed, match=permission.value):
                principal.require(permission)
    scoped = principal_of(user(role), scopes=set(Permission))
    assert scoped.permissions == ROLE_PERMISSIONS[role]
    assert principal_of(user(role), scopes=()).permissions == frozenset()


def test_a_principal_is_a_person_or_a_machine_of_one_organisation() -> None:
    anna = user(Role.OPERATOR)
    for fields in ({}, {"user": anna, "machine": "Gateway"}):
        with pytest.raises(ValidationError):
            Principal.model_validate({"tenant": "police", "permissions": frozenset()} | fields)
    with pytest.raises(ValidationError):
        Principal(tenant="fire", permissions=frozenset(), user=anna)
    assert principal_of(anna).actor == "user:anna"
    assert installation_principal().actor == "system:command-line"
    assert not principal_of(anna).installation


def test_a_change_with_a_session_needs_its_csrf_token() -> None:
    without = principal_of(user(Role.OPERATOR))
    without.require_csrf(None)
    principal = without.model_copy(update={"session": "x", "csrf": "right"})
    principal.require_csrf("right")
    for header in (None, "", "wrong", "rightt", "ünïcödé"):
        with pytest.raises(NotAllowed):
            principal.require_csrf(header)
