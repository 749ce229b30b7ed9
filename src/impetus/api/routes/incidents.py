"""Incidents: the list, the room of one, opening one on alerts, decisions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, Paging, PathId, items_response, one, part, plain
from impetus.api.resource import Resource
from impetus.api.routes.alerts import PossibleAction
from impetus.model import Assessment, Incident, IncidentState, Permission
from impetus.situation.decisions import IncidentDecision, NewIncident
from impetus.situation.lifecycle import incident_actions
from impetus.situation.timeline import TimelineEntry
from impetus.situation.views import AlertView, alert_json
from impetus.store.records import IncidentFilter

resource = Resource("/incidents", "incidents")


class IncidentQuery(Paging):
    """Which incidents to list."""

    state: Annotated[list[IncidentState], Field(max_length=10, description="May be given several times.")] = []
    q: Annotated[str, Field(max_length=200, description="Stands in the title or the summary.")] = ""


class Room(BaseModel):
    """One incident, its alerts, all that happened in order, and what may be decided now."""

    incident: Incident
    alerts: list[AlertView]
    timeline: list[TimelineEntry]
    merged: list[Incident]
    """Incidents that were merged into this one; their alerts and decisions are among these."""
    actions: list[PossibleAction]


class IncidentDecisionTaken(BaseModel):
    """A decision, and the incident as it stands now."""

    decision: Assessment
    incident: Incident


@resource.get("", Permission.INCIDENTS_READ, Items[Incident])
async def list_incidents(caller: Caller, hub: Hub, query: Annotated[IncidentQuery, Query()]) -> Response:
    """Incidents, opened last first."""
    wanted = IncidentFilter(states=tuple(query.state), text=query.q)
    page = await hub.situation.incidents.list(caller.tenant, wanted, limit=query.limit, after=query.after)
    return items_response(page.items, page.next)


@resource.post("", Permission.INCIDENTS_DECIDE, Incident, body=NewIncident)
async def open_incident(
    caller: Caller, hub: Hub, new: Annotated[NewIncident, Depends(json_body(NewIncident))]
) -> Response:
    """Open an incident on alerts. Asking again with the same id is harmless."""
    return one(await hub.situation.incidents.create(caller, new), status=201)


@resource.get("/{id}", Permission.INCIDENTS_READ, Room)
async def read_incident(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One incident with its alerts and its timeline. The alerts are shown to those who may read alerts."""
    room = await hub.situation.incidents.get(caller.tenant, id)
    alerts = room.alerts if Permission.ALERTS_READ in caller.permissions else ()
    return plain(
        {
            "incident": part(room.incident),
            "alerts": [part(alert_json(record)) for record in alerts],
            "timeline": [part(entry) for entry in room.timeline],
            "merged": [part(incident) for incident in room.merged],
            "actions": [
                {"action": action.value, "needs_reason": needs_reason}
                for action, needs_reason in incident_actions(
                    room.incident.state, merged=room.incident.merged_into is not None
                ).items()
            ],
        }
    )


@resource.post("/{id}/decisions", Permission.INCIDENTS_DECIDE, IncidentDecisionTaken, body=IncidentDecision)
async def decide_on_incident(
    caller: Caller, hub: Hub, id: PathId, decision: Annotated[IncidentDecision, Depends(json_body(IncidentDecision))]
) -> Response:
    """Move an incident on, join or separate an alert, classify it, merge it into another one or undo that, or add a
    note, as the person who asks."""
    decided = await hub.situation.incidents.decide(caller, id, decision)
    return plain(
        {
            "decision": part(decided.decision),
            "incident": part(decided.incident),
        },
        status=201,
    )
