"""The organisations, people, sensors and credentials of the demo, made once per installation and kept."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from impetus.exercise.city import datastreams, load_datastreams
from impetus.exercise.register import approve_all
from impetus.exercise.shift import OPERATORS, agree
from impetus.governance import AccessSettings, Governance, Principal, installation_principal, principal_of
from impetus.governance.data_protection import DataProtection
from impetus.model import (
    Clock,
    ConfigurationError,
    Line,
    NotAuthenticated,
    Role,
    Slug,
    User,
    Value,
)
from impetus.sdk import load_tools
from impetus.store import Store

CITY, POLICE = "municipality", "police"
ORGANISATIONS: Sequence[tuple[str, str]] = ((CITY, "City of Aurelia"), (POLICE, "Aurelia Police"))
PEOPLE: Sequence[tuple[str, str, Role, str]] = (
    ("operator", "Mira Kovač", Role.OPERATOR, CITY),
    ("supervisor", "Jonas Lindqvist", Role.SUPERVISOR, CITY),
    ("administrator", "Teresa Alba", Role.ADMINISTRATOR, CITY),
    ("analyst", "Samir Haddad", Role.ANALYST, CITY),
    ("planner", "Greta Moen", Role.PLANNER, CITY),
    ("it-security", "Piotr Zielinski", Role.IT_SECURITY, CITY),
    ("data-protection", "Elena Ricci", Role.DATA_PROTECTION_OFFICER, CITY),
    *((name, full_name, Role.OPERATOR, CITY) for name, full_name in OPERATORS),
    ("police-operator", "Davide Serra", Role.OPERATOR, POLICE),
    ("police-supervisor", "Ingrid Halvorsen", Role.SUPERVISOR, POLICE),
    ("police-administrator", "Noor Aziz", Role.ADMINISTRATOR, POLICE),
    ("police-data-protection", "Henrik Dahl", Role.DATA_PROTECTION_OFFICER, POLICE),
)
"""Log-in name, full name, role, organisation."""
API_USER = "supervisor"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class DemoUser(Value):
    """Somebody who can log in to the demo."""

    name: Slug
    password: str
    role: Role
    organisation: Slug


class DemoAccess(Value):
    """How to get into the demo: what `impetus demo --json` prints."""

    url: str
    token: str
    """A personal token of the city's supervisor."""
    users: tuple[DemoUser, ...]


class _Kept(Value):
    """The secrets of this installation's demo, in `secrets/demo.json`."""

    token: Line | None = None
    passwords: dict[str, str]


async def seed_demo(
    store: Store,
    clock: Clock,
    *,
    home: Path,
    url: str,
    access: AccessSettings | None = None,
    load_readings_per_s: int = 0,
) -> DemoAccess:
    """Make what is missing of the demo: organisations, people, token, datastreams; harmless to repeat.

    Passwords and the token are made at random at the first start and kept in `home/secrets/demo.json`, so that they
    work again after a restart. `load_readings_per_s` registers the datastreams of a load test. Raises
    ConfigurationError if that file cannot be used.
    """
    file = home / "secrets" / "demo.json"
    governance = Governance(store, clock, access or AccessSettings())
    installation = installation_principal("demo")
    kept = _read(file)
    existing = {organisation.id for organisation in await governance.accounts.organisations(installation)}
    for id, name in ORGANISATIONS:
        if id not in existing:
            await governance.accounts.create_organisation(installation, id, name)
    users: dict[str, User] = {}
    passwords: dict[str, str] = {}
    for organisation, _ in ORGANISATIONS:
        users |= {user.name: user for user in await governance.accounts.users(installation, organisation)}
    # Written before the accounts are made: a start that is broken off leaves no account with a lost password.
    for name, *_ in PEOPLE:
        passwords[name] = kept.passwords.get(name) or new_password()
    if passwords != kept.passwords:
        _write(file, _Kept(token=kept.token, passwords=passwords))

    async def account(name: str, full_name: str, role: Role, organisation: str) -> None:
        if name not in users:
            users[name] = await governance.accounts.create_user(
                installation, organisation, name=name, full_name=full_name, role=role, password=passwords[name]
            )
        elif name not in kept.passwords:
            await governance.accounts.reset_password(installation, organisation, users[name].id, passwords[name])

    # Side by side, since hashing a password is meant to take long.
    await asyncio.gather(*(account(*person) for person in PEOPLE))
    token = await _token(governance, principal_of(users[API_USER]), kept.token)
    if token != kept.token:
        _write(file, _Kept(token=token, passwords=passwords))
    register = DataProtection(store, clock, load_tools())
    for officer in ("data-protection", "police-data-protection"):
        await approve_all(register, principal_of(users[officer]), clock)
    await agree(home, CITY, users, clock)
    async with store.transaction() as transaction:
        await transaction.datastreams.put(CITY, [*datastreams(), *load_datastreams(load_readings_per_s)])
    return DemoAccess(
        url=url,
        token=token,
        users=tuple(
            DemoUser(name=name, password=passwords[name], role=role, organisation=organisation)
            for name, _, role, organisation in PEOPLE
        ),
    )


def new_password() -> str:
    """A random password of about 69 bits that can be typed from a screen."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(3))


async def _token(governance: Governance, owner: Principal, kept: str | None) -> str:
    """The kept token if it is still good, else a new one."""
    if kept is not None:
        try:
            await governance.tokens.authenticate(kept, touch=False)
            return kept
        except NotAuthenticated:
            pass
    _, secret = await governance.tokens.create_personal(owner, "Demo")
    return secret


def _read(file: Path) -> _Kept:
    try:
        return _Kept.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _Kept(passwords={})
    except (OSError, ValidationError, ValueError) as error:
        raise ConfigurationError(
            f"the demo's log-ins in {file} cannot be read: {error}", hint="remove the file to have new ones made"
        ) from error


def _write(file: Path, kept: _Kept) -> None:
    """Replace the file as a whole, readable for its owner only."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(kept.model_dump(mode="json"), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise ConfigurationError(f"the demo's log-ins cannot be written to {file}: {error}") from error
