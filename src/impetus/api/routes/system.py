"""The system about itself: is it up, how are its parts, which tools are there, what could not be used."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus import __version__
from impetus.api.access import Caller, Hub, Open
from impetus.api.body import json_body
from impetus.api.degraded import Limitation, consumers_of, limitations
from impetus.api.listing import Items, PathId, PathSlug, plain
from impetus.api.resource import Resource
from impetus.api.services import Services
from impetus.governance.audit import append
from impetus.model import Health, HealthState, IncidentState, NotFound, Permission, Text, UtcTime
from impetus.sdk import InstalledTool

health = Resource("/health", "system")
status = Resource("/status", "system")
tools = Resource("/tools", "system")
dead_letters = Resource("/dead-letters", "system")


RUNNING_STATES = (IncidentState.CANDIDATE, IncidentState.OPEN, IncidentState.CONTAINED)


class Alive(BaseModel):
    """The server answers."""

    status: str
    version: str


class ConsumerView(BaseModel):
    """How far a consumer of the bus is."""

    durable: str
    pending: int


class StatusView(BaseModel):
    """How the parts are, and how much there is."""

    version: str
    time: UtcTime
    limitations: list[Limitation]
    """What does not work at the moment, the worst first."""
    parts: list[Health]
    consumers: list[ConsumerView]
    counts: dict[str, float | None]
    """The figures at the top of the pages."""
    alerts: dict[str, int]
    """Alerts by state."""
    severities: dict[str, int]
    """Alerts that wait for somebody, by severity."""
    position: int
    """Place in the live stream up to which events were handed out."""


class ToolView(BaseModel):
    """An installed tool: what it says of itself, and how its worker is."""

    id: str
    manifest: dict[str, Any] | None
    error: str
    health: Health | None


class DeadLetterView(BaseModel):
    """A message that nobody could use."""

    id: str
    origin: str
    reason: str
    time: UtcTime
    subject: str
    body: str
    """As text; bytes that are not UTF-8 are shown as U+FFFD. Cut if long."""
    size_bytes: int


class DeadLetterQuery(BaseModel):
    """Which page of the dead letters."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    after: Annotated[str | None, Field(max_length=200)] = None


class Discard(BaseModel):
    """Why a dead letter is not needed any more."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Text, Field(min_length=1)]


@health.get("", Open.PUBLIC, Alive)
async def read_health() -> Response:
    """Whether the server answers. Says nothing of the inside; see `/status`."""
    return plain({"status": "ok", "version": __version__})


@status.get("", Permission.TOOLS_READ, StatusView)
async def read_status(caller: Caller, hub: Hub) -> Response:
    """How the parts are, how far the consumers of the bus are, and how much there is."""
    consumers = await consumers_of(hub.bus)
    known = () if isinstance(consumers, str) else consumers
    # Channels are the organisation's own: nobody else's board shows them.
    channels = await hub.notification.health(caller.tenant)
    figures = await hub.situation.figures.of(caller.tenant)
    up = [tool for tool in hub.tools.values() if not tool.broken and _is_up(hub.situation.health.part(_worker(tool)))]
    counts = {
        "alerts": sum(figures.alerts.values()),
        "alerts_open": figures.alerts_open,
        "alerts_serious": figures.alerts_serious,
        "incidents": sum(figures.incidents.values()),
        "incidents_open": sum(figures.incidents[state.value] for state in RUNNING_STATES),
        "sensors": figures.sensors,
        "sensors_reporting": figures.sensors_reporting,
        "acknowledge_mean_s": figures.acknowledge_mean_s,
        "readings_per_s": figures.readings_per_s,
        "tools": len(hub.tools),
        "tools_up": len(up),
        "streams": hub.broadcaster.clients,
    }
    board = hub.situation.health.board()
    lacking = limitations(
        consumers=consumers,
        parts=board,
        channels=channels,
        home=hub.home,
        clock_step_s=hub.clock_watch.step_s(),
    )
    return plain(
        {
            "version": __version__,
            "time": hub.clock.now(),
            "limitations": [one.model_dump(mode="json") for one in lacking],
            "parts": [part.model_dump(mode="json") for part in (*board, *channels)],
            "consumers": [{"durable": one.durable, "pending": one.pending} for one in known],
            "counts": counts,
            "alerts": {state.value: count for state, count in figures.alerts.items()},
            "severities": {severity.value: count for severity, count in figures.open_by_severity.items()},
            "position": hub.broadcaster.position,
        }
    )


@tools.get("", Permission.TOOLS_READ, Items[ToolView])
async def list_tools(caller: Caller, hub: Hub) -> Response:
    """All installed tools; a broken one is listed with its error."""
    return plain({"items": [_tool(hub, tool) for tool in hub.tools.values()], "next": None})


@tools.get("/{id}", Permission.TOOLS_READ, ToolView)
async def read_tool(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """One installed tool."""
    tool = hub.tools.get(id)
    if tool is None:
        raise NotFound(f"There is no tool '{id}'.", hint=f"Installed: {', '.join(hub.tools) or 'none'}.")
    return plain(_tool(hub, tool))


@dead_letters.get("", Permission.DEAD_LETTERS_READ, Items[DeadLetterView])
async def list_dead_letters(caller: Caller, hub: Hub, query: Annotated[DeadLetterQuery, Query()]) -> Response:
    """Messages that nobody could use, newest first."""
    found = await hub.bus.dead_letters(caller.tenant, limit=query.limit + 1, before=query.after)
    items = [
        {
            "id": letter.id,
            "origin": letter.origin,
            "reason": letter.reason,
            "time": letter.time,
            "subject": letter.subject,
            "body": letter.body.decode("utf-8", errors="replace"),
            "size_bytes": letter.size_bytes,
        }
        for letter in found[: query.limit]
    ]
    return plain({"items": items, "next": items[-1]["id"] if len(found) > query.limit else None})


@dead_letters.post("/{id}/discard", Permission.DEAD_LETTERS_DECIDE, body=Discard, status=200)
async def discard_dead_letter(
    caller: Caller, hub: Hub, id: PathId, discard: Annotated[Discard, Depends(json_body(Discard))]
) -> Response:
    """Remove a dead letter after a person looked at it."""
    if not await hub.bus.discard_dead_letter(caller.tenant, id):
        raise NotFound("There is no such dead letter.", hint="Somebody may have discarded it already.")
    async with hub.store.transaction() as transaction:
        await append(
            transaction,
            tenant=caller.tenant,
            time=hub.clock.now(),
            actor=caller.actor,
            action="dead-letter.discard",
            subject=f"dead-letter:{id}",
            detail={"reason": discard.reason},
        )
    return plain({"id": id})


def _worker(tool: InstalledTool) -> str:
    """What the tool's process is called on the status board."""
    return f"worker-{tool.id}"


def _is_up(report: Health | None) -> bool:
    return report is not None and report.state in (HealthState.RUNNING, HealthState.DEGRADED)


def _tool(hub: Services, tool: InstalledTool) -> dict[str, Any]:
    report = hub.situation.health.part(_worker(tool))
    return {
        "id": tool.id,
        "manifest": None if tool.manifest is None else tool.manifest.model_dump(mode="json"),
        "error": tool.error,
        "health": None if report is None else report.model_dump(mode="json"),
    }
