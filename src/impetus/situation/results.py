"""Results that tools publish: kept, told to the screens, and removed when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from impetus.bus import Delivery
from impetus.governance import Principal
from impetus.governance.cases import holds_of
from impetus.model import (
    Clock,
    DataClass,
    Envelope,
    NotAllowed,
    NotFound,
    Permission,
    ToolNotice,
    ToolResult,
    derived_id,
)
from impetus.sdk import InstalledTool, Manifest, ResultKind
from impetus.situation.consumer import Refuse
from impetus.situation.messages import validation_reason
from impetus.situation.views import ORIGIN
from impetus.store import Page, Store

DURABLE: Final = "hub-results"
SUBJECTS: Final = ("*.result.>",)
BATCH: Final = 100
FORGET_S: Final = 600.0

ABOUT_PERSONS: Final = frozenset({DataClass.PSEUDONYMOUS, DataClass.PERSONAL, DataClass.SENSITIVE})


class ResultService:
    """Takes in what tools publish, and shows it to those whom its kind is for."""

    def __init__(self, store: Store, clock: Clock, tools: Mapping[str, InstalledTool]) -> None:
        self._store = store
        self._clock = clock
        self._tools = tools

    async def handle(self, deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        """Take in what the bus delivered; see `impetus.situation.consumer`."""
        arrived: list[tuple[str, ToolResult, Manifest, ResultKind]] = []
        for delivery in deliveries:
            envelope = delivery.envelope
            try:
                result = envelope.open(ToolResult)
                manifest, kind = self._declared(result)
            except ValidationError as error:
                refuse(delivery, validation_reason(error))
                continue
            except NotFound as error:
                refuse(delivery, str(error))
                continue
            if envelope.subject != f"{envelope.tenant}.result.{result.tool}":
                refuse(delivery, f"it was sent in the name of {result.tool!r} by somebody else")
                continue
            arrived.append((envelope.tenant, result, manifest, kind))
        if not arrived:
            return
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            trimmed: dict[tuple[str, str, str], int] = {}
            notices = []
            for tenant, result, manifest, kind in arrived:
                days = manifest.retention_days if kind.retention_days is None else kind.retention_days
                expires = now + timedelta(days=days)
                if await transaction.results.put(tenant, result, received=now, expires=expires):
                    notices.append(result_notice(tenant, result))
                    trimmed[tenant, result.tool, result.kind] = kind.keep
            for (tenant, tool, name), keep in trimmed.items():
                await transaction.results.trim(tenant, tool, name, keep)
            await transaction.outbox.add(notices)

    def _declared(self, result: ToolResult) -> tuple[Manifest, ResultKind]:
        tool = self._tools.get(result.tool)
        manifest = None if tool is None else tool.manifest
        kind = None if manifest is None else manifest.result(result.kind)
        if manifest is None or kind is None:
            raise NotFound(f"no installed tool {result.tool!r} declares a result {result.kind!r}")
        return manifest, kind

    async def get(self, by: Principal, tool: str, id: str) -> ToolResult:
        """One result. Raises `NotFound`, and `NotAllowed` for a kind that is not for this caller."""
        by.require(Permission.RESULTS_READ)
        manifest = manifest_of(self._tools, tool)
        async with self._store.view() as view:
            result = await view.results.get(by.tenant, tool, id, reader=_account(by))
        if result.kind not in readable_kinds(manifest, by):
            raise NotAllowed("this result is not for your role", hint="Ask an administrator if it should be.")
        return result

    async def list(
        self,
        by: Principal,
        tool: str,
        *,
        kind: str | None,
        incident: str | None,
        ended: bool | None,
        limit: int,
        after: str | None,
    ) -> Page[ToolResult]:
        """A page of results, newest first. Without a kind: of all kinds that the caller may read.

        Raises `NotFound` for a tool or a kind that there is not, and `NotAllowed` for one that is not for this caller.
        """
        by.require(Permission.RESULTS_READ)
        manifest = manifest_of(self._tools, tool)
        readable = readable_kinds(manifest, by)
        if kind is not None and manifest.result(kind) is None:
            known = ", ".join(one.id for one in manifest.results) or "none"
            raise NotFound(f"{tool} publishes no {kind!r}", hint=f"Its kinds of results: {known}.")
        if kind is not None and kind not in readable:
            raise NotAllowed("these results are not for your role", hint="Ask an administrator if they should be.")
        async with self._store.view() as view:
            return await view.results.list(
                by.tenant,
                tool,
                kind=kind,
                kinds=readable,
                incident=incident,
                ended=ended,
                reader=_account(by),
                limit=limit,
                after=after,
            )

    async def of_incident(self, by: Principal, incident: str, *, limit: int, after: str | None) -> Page[ToolResult]:
        """A page of all results about an incident that the caller may read, newest first. Raises `NotFound`."""
        by.require(Permission.RESULTS_READ)
        kinds = [
            (id, kind)
            for id, tool in self._tools.items()
            if tool.manifest is not None
            for kind in readable_kinds(tool.manifest, by)
        ]
        async with self._store.view() as view:
            await view.incidents.get(by.tenant, incident)
            return await view.results.of_incident(
                by.tenant, incident, kinds, reader=_account(by), limit=limit, after=after
            )

    async def keep_forgetting(self) -> None:
        """Remove results and requests whose time is over, until cancelled."""
        while True:
            async with self._store.transaction() as transaction:
                now = self._clock.now()
                tenants = [one.id for one in await transaction.organisations.list_in_installation()]
                held = [tenant for tenant in tenants if await holds_of(transaction, tenant, now)]
                await transaction.results.forget_expired_in_installation(now, held=held)
                await transaction.requests.forget_expired_in_installation(now, held=held)
            await asyncio.sleep(FORGET_S)


def manifest_of(tools: Mapping[str, InstalledTool], id: str) -> Manifest:
    """The manifest of an installed tool. Raises `NotFound`."""
    tool = tools.get(id)
    if tool is None or tool.manifest is None:
        raise NotFound(f"There is no tool '{id}'.", hint=f"Installed: {', '.join(tools) or 'none'}.")
    return tool.manifest


def readable_kinds(manifest: Manifest, by: Principal) -> frozenset[str]:
    """Kinds of results that the caller may read: by a person's role; a machine reads what is not about persons."""
    if by.user is None:
        return frozenset(kind.id for kind in manifest.results if kind.data_class not in ABOUT_PERSONS)
    role = by.user.role
    return frozenset(kind.id for kind in manifest.results if role in manifest.readers(kind))


def _account(by: Principal) -> str | None:
    return None if by.user is None else by.user.id


def result_notice(tenant: str, result: ToolResult) -> Envelope:
    """The message that tells the screens of a result; what it says they fetch, if they may."""
    notice = ToolNotice(id=result.id, tool=result.tool, kind=result.kind, revision=result.revision, time=result.time)
    return Envelope.wrap(
        notice,
        kind="result-notice",
        tenant=tenant,
        origin=ORIGIN,
        time=result.time,
        partition=result.id,
        id=derived_id("result-notice", tenant, result.tool, result.id, str(result.revision)),
    )
