"""What an administrator does from the command line, on the machine itself: each command works on the store directly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from impetus.governance import Governance, installation_principal
from impetus.governance.anchors import FILE_NAME, check_anchors, read_anchors
from impetus.governance.sealing import open_seal
from impetus.model import Conflict, Datastream, InvalidInput, NotFound, Permission, Role, SystemClock
from impetus.sdk import load_tool, load_tools
from impetus.sdk.card import check_card
from impetus.settings import Settings, read_settings
from impetus.store import Store, open_store

LINE_LIMIT_BYTES = 100_000
"""A longer line of an imported file is refused."""

WordType = TypeVar("WordType", Role, Permission)

console = Console(soft_wrap=True, highlight=False)


@dataclass(frozen=True, slots=True)
class _Office:
    store: Store
    governance: Governance


@asynccontextmanager
async def _office(settings: Settings | None = None) -> AsyncIterator[_Office]:
    settings = settings or read_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    clock = SystemClock()
    store = await open_store(settings.store_url, clock)
    try:
        yield _Office(store, Governance(store, clock, settings.access, open_seal(settings.access, settings.home)))
    finally:
        await store.close()


def _say(text: str) -> None:
    console.print(text, markup=False)


async def add_organisation(id: str, name: str) -> None:
    """Add an organisation and say so."""
    async with _office() as office:
        organisation = await office.governance.accounts.create_organisation(installation_principal(), id, name)
    _say(f"organisation {organisation.id} ({organisation.name}) added")


async def add_user(organisation: str, name: str, full_name: str, role: str, password: str) -> None:
    """Add a person and say so."""
    async with _office() as office:
        user = await office.governance.accounts.create_user(
            installation_principal(),
            organisation,
            name=name,
            full_name=full_name,
            role=_known(Role, role, "role"),
            password=password,
        )
    _say(f"{user.full_name} may log in as {user.name}")


async def set_password(name: str, password: str) -> None:
    """Set a person's password."""
    async with _office() as office:
        async with office.store.view() as view:
            found = await view.users.find_by_name_in_installation(name)
        if found is None:
            raise NotFound(f"nobody logs in as {name!r}", hint="impetus user list --organisation NAME")
        user = found.user
        await office.governance.accounts.reset_password(installation_principal(), user.tenant, user.id, password)
    _say(f"the password of {user.name} is changed; open sessions are ended")


async def reset_second_factor(name: str) -> None:
    """Take away the second factor of a person who lost it."""
    async with _office() as office:
        async with office.store.view() as view:
            found = await view.users.find_by_name_in_installation(name)
        if found is None:
            raise NotFound(f"nobody logs in as {name!r}", hint="impetus user list --organisation NAME")
        user = found.user
        await office.governance.second_factors.reset(installation_principal(), user.tenant, user.id)
    _say(f"{user.name} logs in with the password alone; open sessions are ended")


async def join_user(name: str, subject: str) -> None:
    """Let a person of the single sign-on in with an account that was there before."""
    async with _office() as office:
        user = await office.governance.single_sign_on.join(installation_principal(), name, subject)
    _say(f"{user.full_name} comes in by the single sign-on as {user.name}")


async def list_users(organisation: str) -> None:
    """Print the people of an organisation as a table."""
    async with _office() as office:
        users = await office.governance.accounts.users(installation_principal(), organisation)
    table = Table("log-in", "name", "role", "state", box=None)
    for user in users:
        table.add_row(user.name, user.full_name, user.role.value, "active" if user.active else "shut out")
    console.print(table)


async def add_token(organisation: str, title: str, scopes: Sequence[str], days: int) -> None:
    """Make a machine's token and print its secret alone on a line, so that it can be piped."""
    permissions = [_known(Permission, scope, "scope") for scope in scopes]
    async with _office() as office:
        _, secret = await office.governance.tokens.create_machine(
            installation_principal(),
            title,
            permissions,
            tenant=organisation,
            expires=SystemClock().now() + timedelta(days=days),
        )
    _say(secret)


async def list_tokens(organisation: str) -> None:
    """Print the tokens of an organisation as a table."""
    async with _office() as office, office.store.view() as view:
        tokens = await view.tokens.list(organisation)
    table = Table("id", "for", "may", "ends", "state", box=None)
    for token in tokens:
        ends = "" if token.expires is None else f"{token.expires:%Y-%m-%d %H:%M}"
        state = "good" if token.good_at(SystemClock().now()) else "ended"
        table.add_row(token.id, token.title, " ".join(scope.value for scope in token.scopes), ends, state)
    console.print(table)


async def rotate_token(organisation: str, id: str, overlap_hours: float) -> None:
    """Replace a token by a new one and print its secret alone on a line, so that it can be piped."""
    async with _office() as office:
        _, secret = await office.governance.tokens.rotate(
            installation_principal(), id, tenant=organisation, overlap=timedelta(hours=overlap_hours)
        )
    _say(secret)


async def import_datastreams(organisation: str, file: Path) -> None:
    """Register the datastreams of a file of JSON Lines: all of them, or none if one is wrong."""
    datastreams: list[Datastream] = []
    with file.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(LINE_LIMIT_BYTES + 1), b""), start=1):
            if len(line) > LINE_LIMIT_BYTES:
                raise InvalidInput(f"{file}, line {number}: longer than {LINE_LIMIT_BYTES} bytes")
            if not line.strip():
                continue
            try:
                datastreams.append(Datastream.model_validate_json(line))
            except ValidationError as error:
                wrong = "; ".join(
                    f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                    for problem in error.errors(include_url=False, include_input=False, include_context=False)
                )
                raise InvalidInput(
                    f"{file}, line {number}: {wrong}", hint="nothing was imported; mend the line and import again"
                ) from error
    names = [datastream.id for datastream in datastreams]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Conflict(f"{file}: datastream {twice!r} stands there twice", hint="nothing was imported")
    async with _office() as office, office.store.transaction() as transaction:
        await transaction.organisations.get(organisation)
        await transaction.datastreams.put(organisation, datastreams)
    _say(f"{len(datastreams)} datastreams registered for {organisation}")


async def verify_audit() -> None:
    """Check the audit log of all organisations. Raises `Conflict` that names what does not hold."""
    async with _office() as office:
        result = await office.governance.verify_audit(installation_principal())
        anchors = read_anchors(read_settings().home / FILE_NAME)
        findings = [*result.findings, *await check_anchors(office.store, anchors)]
    if findings:
        places = "; ".join(f"{each.tenant} record {each.sequence}: {each.problem}" for each in findings[:20])
        raise Conflict(f"the audit log does not hold: {places}", hint="compare with a backup and tell the officer")
    _say(f"{result.checked} records checked, all chains hold and go through {len(anchors)} anchors")


def list_tools() -> None:
    """Print the installed tools as a table."""
    table = Table("tool", "version", "title", "state", box=None)
    for tool in (found.imported() for found in load_tools().values()):
        manifest = tool.manifest
        table.add_row(
            tool.id,
            manifest.version if manifest else "",
            manifest.title if manifest else "",
            f"broken: {tool.error}" if tool.broken else "ready",
        )
    console.print(table)


def check_tool(id: str) -> None:
    """Check a tool's manifest and card. Raises `ConfigurationError` or `InvalidInput` that names what is wrong."""
    tool = load_tool(id)
    tool.usable()
    if tool.folder is not None and (problems := check_card(tool.folder)):
        raise InvalidInput(f"the card of {id}: {'; '.join(problems)}", hint="see docs/guide/write-a-tool.md")
    _say(f"{id}: manifest and card are complete")


def _known(words: type[WordType], word: str, what: str) -> WordType:
    try:
        return words(word)
    except ValueError:
        raise InvalidInput(
            f"{word!r} is no {what}", hint=f"one of: {', '.join(each.value for each in words)}"
        ) from None
