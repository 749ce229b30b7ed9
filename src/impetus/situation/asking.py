"""What tools are asked for: by people, rules, procedures and other tools; kept until the tool says what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, JsonValue, ValidationError

from impetus.bus import Delivery
from impetus.governance import Principal
from impetus.governance.audit import append
from impetus.model import (
    REQUEST_LIMIT_BYTES,
    Clock,
    Conflict,
    Envelope,
    Identifier,
    Line,
    NotAllowed,
    NotFound,
    Permission,
    Place,
    RequestOrigin,
    RequestOutcome,
    RequestState,
    SimulationRequest,
    Slug,
    Text,
    ToolNotice,
    ToolRequest,
    UtcTime,
    Value,
    bounded_json,
    derived_id,
    new_id,
)
from impetus.sdk import InstalledTool, Manifest, TaskKind
from impetus.sdk.asking import check_content
from impetus.situation.consumer import Refuse
from impetus.situation.messages import validation_reason
from impetus.situation.requests import REQUEST
from impetus.situation.results import manifest_of
from impetus.situation.views import ORIGIN
from impetus.store import Page, Store, Transaction
from impetus.store.requests import RequestRecord

DURABLE: Final = "hub-tool-requests"
SUBJECTS: Final = (f"*.{REQUEST}.>", "*.simulation-request.>", "*.request-outcome.>")
BATCH: Final = 100


class NewRequest(Value):
    """A request to a tool, as a person asks for it."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: sending the same request again is harmless."""
    task: Slug
    content: Annotated[dict[str, JsonValue], bounded_json(REQUEST_LIMIT_BYTES)] = Field(default_factory=dict)
    """What the task takes, in the tool's words; at most 64 KB."""
    reason: Line | None = None
    place: Place | None = None
    alert: Identifier | None = None
    incident: Identifier | None = None


class RequestView(ToolRequest):
    """A request, and where it stands."""

    state: RequestState
    text: Text
    """What the tool says: what was done, or why it could not be done."""
    updated: UtcTime


def request_view(record: RequestRecord) -> RequestView:
    """A request as people see it."""
    return RequestView(**record.request.model_dump(), state=record.state, text=record.text, updated=record.updated)


class RequestService:
    """Passes requests on to tools, and knows what became of them."""

    def __init__(self, store: Store, clock: Clock, tools: Mapping[str, InstalledTool]) -> None:
        self._store = store
        self._clock = clock
        self._tools = tools

    async def ask(self, by: Principal, tool: str, wanted: NewRequest) -> RequestRecord:
        """A person asks a tool for something; on disk when this returns, with its audit record and message.

        The same request again gives the same answer. Raises `NotFound` for a tool, a task, an alert or an incident that
        there is not, `NotAllowed` for a machine or another role, `InvalidInput` for content that the task does not
        take, and `Conflict` for an id that was used for another request.
        """
        by.require(Permission.TOOLS_ASK)
        if by.user is None:
            raise NotAllowed("a tool is asked by a person", hint="Log in, or use a person's own token.")
        manifest = manifest_of(self._tools, tool)
        task = manifest.task(wanted.task)
        if task is None:
            known = ", ".join(one.id for one in manifest.tasks) or "none"
            raise NotFound(f"{tool} has no task {wanted.task!r}", hint=f"Its tasks: {known}.")
        if by.user.role not in manifest.askers(task):
            raise NotAllowed(f"your role may not ask {tool} for this", hint="Ask an administrator if it should.")
        now = self._clock.now()
        request = ToolRequest(
            id=wanted.id,
            tool=tool,
            task=wanted.task,
            reason=wanted.reason or task.title,
            origin=RequestOrigin.PERSON,
            content=wanted.content,
            place=wanted.place,
            alert=wanted.alert,
            incident=wanted.incident,
            person=by.user.id if task.person else None,
            asked=now,
        )
        # In a thread, as the first question to a tool imports it.
        tool_type = (await asyncio.to_thread(self._tools[tool].imported)).tool_type
        check_content(None if tool_type is None else tool_type.task_models.get(task.id), request)
        async with self._store.transaction() as transaction:
            known_one = await transaction.requests.find(by.tenant, tool, request.id)
            if known_one is not None:
                same = known_one.request.model_copy(update={"asked": now}) == request
                if not same or known_one.asker != by.user.id:
                    raise Conflict(
                        "Another request with this id was made before.", hint="Give every request an id of its own."
                    )
                return known_one
            if request.alert is not None:
                await transaction.alerts.get(by.tenant, request.alert)
            if request.incident is not None:
                await transaction.incidents.get(by.tenant, request.incident)
            await self._keep(transaction, by.tenant, request, manifest, asker=by.user.id)
            await append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action="tool.ask",
                subject=f"tool:{tool}",
                detail={
                    "request": request.id,
                    "task": request.task,
                    "alert": request.alert,
                    "incident": request.incident,
                },
            )
            await transaction.outbox.add([request_envelope(by.tenant, request)])
            return await transaction.requests.get(by.tenant, tool, request.id)

    async def get(self, by: Principal, tool: str, id: str) -> RequestRecord:
        """One request. Raises `NotFound`, and `NotAllowed` where the caller's role has no part in its task."""
        manifest, everybodys, own = self._visible(by, tool)
        async with self._store.view() as view:
            record = await view.requests.get(by.tenant, tool, id)
        task = record.request.task
        mine = by.user is not None and record.asker == by.user.id
        if task in everybodys or (mine and task in own):
            return record
        if manifest.task(task) is not None and task in own:
            raise NotFound(f"{tool} was not asked for {id}", hint="It may be another person's own.")
        raise NotAllowed("this request is not for your role", hint="Ask an administrator if it should be.")

    async def list(
        self, by: Principal, tool: str, *, task: str | None, state: RequestState | None, limit: int, after: str | None
    ) -> Page[RequestRecord]:
        """A page of the requests that the caller may see, asked last first. Raises `NotFound`, `InvalidInput`."""
        _, everybodys, own = self._visible(by, tool)
        if task is not None:
            everybodys, own = everybodys & {task}, own & {task}
        async with self._store.view() as view:
            return await view.requests.list(
                by.tenant,
                tool,
                tasks=everybodys,
                own_tasks=own,
                asker=None if by.user is None else by.user.id,
                state=state,
                limit=limit,
                after=after,
            )

    def _visible(self, by: Principal, tool: str) -> tuple[Manifest, frozenset[str], frozenset[str]]:
        """Tasks of which the caller sees all requests, and those of which only the own ones."""
        by.require(Permission.RESULTS_READ)
        manifest = manifest_of(self._tools, tool)
        if by.user is None:
            return manifest, frozenset(), frozenset()
        role = by.user.role
        asked = [task for task in manifest.tasks if role in manifest.askers(task)]
        return (
            manifest,
            frozenset(task.id for task in asked if not task.person),
            frozenset(task.id for task in asked if task.person),
        )

    async def handle(self, deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        """Take in what the bus delivered; see `impetus.situation.consumer`."""
        async with self._store.transaction() as transaction:
            for delivery in deliveries:
                try:
                    reason = await self._take(transaction, delivery.envelope)
                except ValidationError as error:
                    reason = validation_reason(error)
                if reason:
                    refuse(delivery, reason)

    async def _take(self, transaction: Transaction, envelope: Envelope) -> str:
        """Take in one message; why nobody can use it, or nothing."""
        if envelope.kind == "request-outcome":
            return await self._take_outcome(transaction, envelope)
        if envelope.kind == "simulation-request":
            return await self._take_simulation(transaction, envelope.tenant, envelope.open(SimulationRequest))
        request = envelope.open(ToolRequest)
        manifest, task = self._declared(request.tool, request.task)
        if manifest is None or task is None:
            return f"no installed tool {request.tool!r} has a task {request.task!r}"
        await self._keep(transaction, envelope.tenant, request, manifest)
        return ""

    async def _take_outcome(self, transaction: Transaction, envelope: Envelope) -> str:
        outcome = envelope.open(RequestOutcome)
        if envelope.subject != f"{envelope.tenant}.request-outcome.{outcome.tool}":
            return f"it was sent in the name of {outcome.tool!r} by somebody else"
        if await transaction.requests.find(envelope.tenant, outcome.tool, outcome.id) is None:
            return f"nobody asked {outcome.tool!r} for {outcome.id!r}, or it is forgotten"
        if await transaction.requests.settle(envelope.tenant, outcome):
            await transaction.outbox.add([request_notice(envelope.tenant, outcome)])
        return ""

    async def _take_simulation(self, transaction: Transaction, tenant: str, wanted: SimulationRequest) -> str:
        """A procedure asks for a simulation: every tool that declares it is asked."""
        answering = [
            (id, task)
            for id, tool in self._tools.items()
            if tool.manifest is not None and not tool.broken
            for task in tool.manifest.tasks
            if task.simulation is wanted.kind
        ]
        if not answering:
            return f"no installed tool answers a procedure's request for a simulation of kind {wanted.kind.value!r}"
        incident = await transaction.incidents.find(tenant, wanted.incident)
        for tool, task in answering:
            request = ToolRequest(
                id=derived_id("simulation", tenant, wanted.id, tool, task.id),
                tool=tool,
                task=task.id,
                reason=wanted.reason,
                origin=RequestOrigin.PROCEDURE,
                place=None if incident is None else incident.place,
                incident=wanted.incident,
                asked=wanted.asked,
            )
            await self._keep(transaction, tenant, request, manifest_of(self._tools, tool))
            await transaction.outbox.add([request_envelope(tenant, request)])
        return ""

    def _declared(self, tool: str, task: str) -> tuple[Manifest | None, TaskKind | None]:
        installed = self._tools.get(tool)
        manifest = None if installed is None else installed.manifest
        return manifest, None if manifest is None else manifest.task(task)

    async def _keep(
        self, transaction: Transaction, tenant: str, request: ToolRequest, manifest: Manifest, asker: str | None = None
    ) -> None:
        expires = self._clock.now() + timedelta(days=manifest.retention_days)
        await transaction.requests.add(tenant, request, expires=expires, asker=asker)


def request_envelope(tenant: str, request: ToolRequest) -> Envelope:
    """The message that asks the tool; the same request gives the same message id."""
    envelope = Envelope.wrap(
        request,
        kind=REQUEST,
        tenant=tenant,
        origin=ORIGIN,
        time=request.asked,
        partition=request.id,
        id=derived_id(REQUEST, tenant, request.tool, request.id),
    )
    return envelope.model_copy(update={"subject": f"{tenant}.{REQUEST}.{request.tool}"})


def request_notice(tenant: str, outcome: RequestOutcome) -> Envelope:
    """The message that tells the screens that a request was settled."""
    notice = ToolNotice(id=outcome.id, tool=outcome.tool, kind=outcome.task, state=outcome.state, time=outcome.time)
    return Envelope.wrap(
        notice,
        kind="request-notice",
        tenant=tenant,
        origin=ORIGIN,
        time=outcome.time,
        partition=outcome.id,
        id=derived_id("request-notice", tenant, outcome.tool, outcome.id, outcome.state.value),
    )
