"""What tools process of a person by consent: given, seen, taken along and withdrawn by that person, nobody else.

The folders are the SDK's (`impetus.sdk.own`). That consent was given and withdrawn stands in the audit log, for the
law asks for a proof of it; what the data said does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, JsonValue, ValidationError

from impetus.governance import Principal
from impetus.governance.audit import append
from impetus.model import (
    Clock,
    Identifier,
    InvalidInput,
    Line,
    NotAllowed,
    NotFound,
    Permission,
    Slug,
    Value,
    bounded_json,
)
from impetus.sdk import Consent, InstalledTool, OwnEntry, OwnFolders, OwnUse, OwnView
from impetus.sdk.own import ENTRY_LIMIT_BYTES, SHARED
from impetus.situation.results import manifest_of
from impetus.store import Store

CONSENT: Final = "consent"
LOOK_AGAIN: Final = timedelta(minutes=15)
"""Looking at what others share is written down once in so long for each person who looks."""


class NewConsent(Value):
    """Consent to what a tool does, for a shift."""

    hours: Annotated[float, Field(gt=0, le=24 * 31)]
    """From now on; no longer than the tool's manifest says."""
    shared: bool = False
    """Whether those whom the manifest names may see the own state, for this shift."""
    terms: Annotated[dict[str, JsonValue], bounded_json(ENTRY_LIMIT_BYTES)] = Field(default_factory=dict)
    """In the tool's words, for example which device is worn."""


class NewEntry(Value):
    """What a person says to a tool, for themselves."""

    kind: Slug
    content: Annotated[dict[str, JsonValue], bounded_json(ENTRY_LIMIT_BYTES)] = Field(default_factory=dict)


class SharedDocument(Value):
    """What somebody shares of what a tool knows of them."""

    person: Identifier
    name: Line
    content: dict[str, JsonValue]


class OwnService:
    """Every method is about the caller's own data, but for `shared`."""

    def __init__(self, store: Store, clock: Clock, tools: Mapping[str, InstalledTool], home: Path) -> None:
        self._store = store
        self._clock = clock
        self._tools = tools
        self._home = home
        self._looked: dict[tuple[str, str], datetime] = {}

    async def view(self, by: Principal, tool: str) -> OwnView:
        """All that the tool has of the caller; empty if they gave no consent. Raises `NotFound` and `NotAllowed`."""
        folders, _ = self._folders(by, tool)
        return await folders.view(_person(by))

    async def consent(self, by: Principal, tool: str, wanted: NewConsent) -> Consent:
        """Give consent or renew it. Raises `NotFound`, `NotAllowed` and `InvalidInput`."""
        folders, use = self._folders(by, tool)
        if by.user is None:
            raise NotAllowed("consent is a person's own")
        if wanted.hours > use.longest_h:
            raise InvalidInput(
                f"a consent holds for {use.longest_h:g} h at most", hint="give it anew for the next shift"
            )
        if wanted.shared and not use.shared_with:
            raise InvalidInput(f"{tool} shares nothing with anybody", hint="leave 'shared' out")
        await self._check(tool, CONSENT, wanted.terms)
        now = self._clock.now()
        consent = await folders.open(
            by.user.id,
            by.user.full_name,
            now=now,
            until=now + timedelta(hours=wanted.hours),
            shared=wanted.shared,
            terms=wanted.terms,
        )
        await self._note(by, tool, "own.consent", {"until": consent.until.isoformat(), "shared": consent.shared})
        return consent

    async def say(self, by: Principal, tool: str, entry: NewEntry) -> OwnEntry:
        """Tell the tool something. Raises `NotFound`, `NotAllowed`, `InvalidInput` and `Conflict`."""
        folders, _ = self._folders(by, tool)
        await self._check(tool, entry.kind, entry.content)
        return await folders.say(_person(by), entry.kind, entry.content, now=self._clock.now())

    async def withdraw(self, by: Principal, tool: str) -> None:
        """Remove all that the tool has of the caller; on the disk when this returns."""
        folders, _ = self._folders(by, tool)
        if await folders.withdraw(_person(by)):
            await self._note(by, tool, "own.withdraw", {})

    async def shared(self, by: Principal, tool: str) -> Sequence[SharedDocument]:
        """What others share now with the caller's role. Raises `NotFound` and `NotAllowed`."""
        by.require(Permission.RESULTS_READ)
        manifest = manifest_of(self._tools, tool)
        if manifest.own is None:
            raise NotFound(f"{tool} processes nothing by consent.", hint="Look at its card.")
        if by.user is None or by.user.role not in manifest.own.shared_with:
            raise NotAllowed("this is not shared with your role", hint="It is for those whom its people chose.")
        folders, now = OwnFolders(self._home, tool, by.tenant), self._clock.now()
        found = []
        for consent in await folders.consents():
            if consent.shared and consent.until > now:
                content = await folders.read(consent, SHARED)
                if content is not None:
                    found.append(SharedDocument(person=consent.person, name=consent.name, content=content))
        last = self._looked.get((by.tenant, by.user.id))
        if found and (last is None or now - last > LOOK_AGAIN):
            self._looked[by.tenant, by.user.id] = now
            await self._note(by, tool, "own.look", {"people": [one.person for one in found]})
        return found

    async def forget(self) -> None:
        """Remove what belongs to consents that were over longer ago than the tools' manifests say."""
        now = self._clock.now()
        for id, tool in self._tools.items():
            if tool.manifest is None or tool.manifest.own is None:
                continue
            async with self._store.view() as view:
                tenants = [one.id for one in await view.organisations.list_in_installation()]
            for tenant in tenants:
                before = now - timedelta(days=tool.manifest.retention_days)
                await OwnFolders(self._home, id, tenant).forget(before=before)

    def _folders(self, by: Principal, tool: str) -> tuple[OwnFolders, OwnUse]:
        by.require(Permission.TOOLS_ASK)
        manifest = manifest_of(self._tools, tool)
        if manifest.own is None:
            raise NotFound(f"{tool} processes nothing by consent.", hint="Look at its card.")
        if by.user is None or by.user.role not in (manifest.own.roles or manifest.roles):
            raise NotAllowed(f"{tool} is not for your role", hint="Ask an administrator if it should be.")
        return OwnFolders(self._home, tool, by.tenant), manifest.own

    async def _check(self, tool: str, kind: str, content: dict[str, JsonValue]) -> None:
        tool_type = (await asyncio.to_thread(self._tools[tool].imported)).tool_type
        model = None if tool_type is None else tool_type.own_models.get(kind)
        if model is None:
            if kind == CONSENT and not content:
                return
            raise InvalidInput(f"{tool} takes no entry of the kind {kind!r}", hint="see its card")
        try:
            model.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(f"{where}: {first['msg']}".removeprefix(": "), hint="see the tool's card") from error

    async def _note(self, by: Principal, tool: str, action: str, detail: Mapping[str, object]) -> None:
        async with self._store.transaction() as transaction:
            await append(
                transaction,
                tenant=by.tenant,
                time=self._clock.now(),
                actor=by.actor,
                action=action,
                subject=f"tool:{tool}",
                detail=dict(detail),
            )


def _person(by: Principal) -> str:
    if by.user is None:
        raise NotAllowed("this is a person's own")
    return by.user.id
