"""A store with two organisations, and governance with hashes that are quick to make."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from impetus.governance import (
    AccessSettings,
    Governance,
    PasswordSettings,
    Principal,
    installation_principal,
    principal_of,
)
from impetus.governance.sealing import Seal
from impetus.model import ManualClock, Role, User
from impetus.store import Store

# The databases are the store's business.
from impetus.store.tests.conftest import clock, shared_database, store, store_url  # noqa: F401

PASSWORD = "correct horse battery staple"
SEAL = Seal()
"""The same at all hubs."""
QUICK = AccessSettings(password=PasswordSettings(memory_kib=8, passes=1))


@dataclass(frozen=True)
class House:
    """Two organisations with an administrator and an operator each; all have the same password."""

    store: Store
    clock: ManualClock
    governance: Governance
    users: dict[str, User]

    def principal(self, name: str) -> Principal:
        return principal_of(self.users[name])


@pytest.fixture
async def house(store: Store, clock: ManualClock) -> House:  # noqa: F811
    governance = Governance(store, clock, QUICK, SEAL)
    root = installation_principal()
    users = {}
    for tenant, people in (("police", ("anna", "admin-police")), ("fire", ("bo", "admin-fire"))):
        await governance.accounts.create_organisation(root, tenant, tenant.title())
        for name in people:
            role = Role.ADMINISTRATOR if name.startswith("admin") else Role.OPERATOR
            users[name] = await governance.accounts.create_user(
                root, tenant, name=name, full_name=f"{name.title()} Surname", role=role, password=PASSWORD
            )
    return House(store, clock, governance, users)
