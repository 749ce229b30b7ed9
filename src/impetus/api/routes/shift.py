"""The shift: who holds how many alerts, who could take one, and hand-overs to the next shift."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, Paging, PathId, items_response, one, part, plain
from impetus.api.resource import Resource
from impetus.model import Handover, HandoverState, HandoverSummary, Identifier, Line, Permission, Role, UtcTime
from impetus.situation.handover import HandoverDecision, NewHandover
from impetus.situation.shift import CapDecision, ShiftBoard, Workload

resource = Resource("/shift", "shift")
handovers = Resource("/handovers", "shift")


class Board(BaseModel):
    """Who holds how many alerts, most first, and what waits for anybody."""

    people: list[Workload]
    waiting: int
    """Alerts that nobody has acknowledged; repeats are counted once."""
    oldest_waiting: UtcTime | None
    """When the one arrived that has waited longest."""


class Colleague(BaseModel):
    """Somebody who can work on alerts."""

    id: Identifier
    name: Line
    role: Role


class SummaryQuery(BaseModel):
    """Of which shift."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[AwareDatetime | None, Field(description="When it began; eight hours ago if left out.")] = None


class HandoverQuery(Paging):
    """Which hand-overs to list."""

    state: Annotated[HandoverState | None, Field(description="In this state.")] = None


@resource.get("/board", Permission.ALERTS_ASSIGN, Board)
async def read_shift_board(caller: Caller, hub: Hub) -> Response:
    """Who holds how many alerts, and what waits: for supervisors, who assign."""
    return _board(await hub.situation.shift.board(caller.tenant))


def _board(board: ShiftBoard, *, status: int = 200) -> Response:
    return plain(
        {
            "people": [part(person) for person in board.people],
            "waiting": board.waiting,
            "oldest_waiting": board.oldest_waiting,
        },
        status=status,
    )


@resource.post("/caps", Permission.ALERTS_ASSIGN, Board, body=CapDecision)
async def set_caps(
    caller: Caller, hub: Hub, decision: Annotated[CapDecision, Depends(json_body(CapDecision))]
) -> Response:
    """Set for a while how many alerts people may hold, or let the house's cap hold again; the board that comes of
    it."""
    return _board(await hub.situation.shift.set_caps(caller, decision), status=201)


@resource.get("/colleagues", Permission.ALERTS_DECIDE, Items[Colleague])
async def list_colleagues(caller: Caller, hub: Hub) -> Response:
    """Who could take an alert or a shift."""
    board = await hub.situation.shift.board(caller.tenant)
    people = [person for person in board.people if person.active]
    items = [{"id": person.person, "name": person.name, "role": person.role.value} for person in people]
    return plain({"items": sorted(items, key=lambda item: item["name"]), "next": None})


@resource.get("/summary", Permission.ALERTS_DECIDE, HandoverSummary)
async def read_shift_summary(caller: Caller, hub: Hub, query: Annotated[SummaryQuery, Query()]) -> Response:
    """How things stand for the person who asks: what a hand-over written now would say."""
    return one(await hub.situation.handovers.summary(caller, query.since))


@handovers.get("", Permission.ALERTS_DECIDE, Items[Handover])
async def list_handovers(caller: Caller, hub: Hub, query: Annotated[HandoverQuery, Query()]) -> Response:
    """Hand-overs, written last first."""
    page = await hub.situation.handovers.list(
        caller.tenant, state=query.state, limit=min(query.limit, 100), after=query.after
    )
    return items_response(page.items, page.next)


@handovers.post("", Permission.ALERTS_DECIDE, Handover, body=NewHandover)
async def write_handover(
    caller: Caller, hub: Hub, new: Annotated[NewHandover, Depends(json_body(NewHandover))]
) -> Response:
    """Leave the shift to the next: the summary is made now and kept. Asking again with the same id is harmless."""
    return one(await hub.situation.handovers.write(caller, new), status=201)


@handovers.get("/{id}", Permission.ALERTS_DECIDE, Handover)
async def read_handover(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One hand-over."""
    return one(await hub.situation.handovers.get(caller.tenant, id))


@handovers.post("/{id}/decisions", Permission.ALERTS_DECIDE, Handover, body=HandoverDecision)
async def decide_on_handover(
    caller: Caller, hub: Hub, id: PathId, decision: Annotated[HandoverDecision, Depends(json_body(HandoverDecision))]
) -> Response:
    """Accept a hand-over, which gives you all that its author holds, or withdraw your own."""
    return one(await hub.situation.handovers.decide(caller, id, decision), status=201)
