"""Alerts: the queue, one alert with its history, decisions, and alerts that machines send."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, Paging, PathId, items_response, part, plain, raw_items
from impetus.api.problem import JsonResponse
from impetus.api.resource import Resource
from impetus.api.services import note_trace
from impetus.model import (
    Alert,
    AlertAction,
    AlertState,
    Assessment,
    Envelope,
    Identifier,
    Permission,
    Severity,
    Slug,
    Status,
    SubjectKind,
    derived_id,
)
from impetus.situation.decisions import AlertDecision
from impetus.situation.lifecycle import alert_actions
from impetus.situation.views import AlertView, alert_json
from impetus.store.records import AlertFilter, AlertOrder

resource = Resource("/alerts", "alerts")
decisions = Resource("/decisions", "alerts")


class AlertQuery(Paging):
    """Which alerts to list, and in which order."""

    state: Annotated[list[AlertState], Field(max_length=10, description="May be given several times.")] = []
    severity: Annotated[list[Severity], Field(max_length=10, description="May be given several times.")] = []
    status: Annotated[list[Status], Field(max_length=10, description="May be given several times.")] = []
    tool: Annotated[list[Slug], Field(max_length=50, description="May be given several times.")] = []
    source: Annotated[list[Identifier], Field(max_length=50, description="May be given several times.")] = []
    incident: Annotated[Identifier | None, Field(description="Alerts of this incident.")] = None
    holder: Annotated[Identifier | None, Field(description="Held by this person.")] = None
    repeat_of: Annotated[Identifier | None, Field(description="Repeats of this alert.")] = None
    joined: Annotated[bool, Field(description="Leave out alerts that repeat another one, as the queue shows it.")] = (
        False
    )
    since: Annotated[AwareDatetime | None, Field(description="Received at this time or later.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Received before this time.")] = None
    q: Annotated[
        str, Field(max_length=200, description="Stands in the headline, description, source or the place's name.")
    ] = ""
    order: Annotated[AlertOrder, Field(description="`harm`: greatest first; `time`: received last first.")] = (
        AlertOrder.HARM
    )


class PossibleAction(BaseModel):
    """An action that is possible now."""

    action: str
    needs_reason: bool


class AlertWithHistory(AlertView):
    """One alert, what was decided on it and what may be decided now."""

    history: list[Assessment]
    actions: list[PossibleAction]


class AlertDecisionTaken(BaseModel):
    """A decision, and the alert as it stands now."""

    decision: Assessment
    alert: AlertView


class Accepted(BaseModel):
    """What was taken in and is on its way."""

    id: str


class DecisionQuery(Paging):
    """Which decisions to list."""

    subject: Annotated[Identifier | None, Field(description="The alert or incident that was decided on.")] = None
    since: Annotated[AwareDatetime | None, Field(description="Decided at this time or later.")] = None


@resource.get("", Permission.ALERTS_READ, Items[AlertView])
async def list_alerts(caller: Caller, hub: Hub, query: Annotated[AlertQuery, Query()]) -> Response:
    """The queue."""
    wanted = AlertFilter(
        states=tuple(query.state),
        severities=tuple(query.severity),
        statuses=tuple(query.status),
        tools=tuple(query.tool),
        sources=tuple(query.source),
        incident=query.incident,
        holder=query.holder,
        repeat_of=query.repeat_of,
        joined=query.joined,
        since=query.since,
        until=query.until,
        text=query.q,
    )
    page = await hub.situation.alerts.list(
        caller.tenant, wanted, order=query.order, limit=query.limit, after=query.after
    )
    return raw_items(map(alert_json, page.items), page.next)


@resource.get("/{id}", Permission.ALERTS_READ, AlertWithHistory)
async def read_alert(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One alert with its history and with what may be decided now."""
    record, history = await hub.situation.alerts.get(caller.tenant, id)
    more = {
        "history": [part(assessment) for assessment in history],
        "actions": [
            {"action": action.value, "needs_reason": needs_reason}
            for action, needs_reason in alert_actions(record.state).items()
            if record.holder is not None or action is not AlertAction.RELEASE
        ],
    }
    return JsonResponse(alert_json(record)[:-1] + b"," + orjson.dumps(more)[1:])


@resource.post("", Permission.ALERTS_WRITE, Accepted, body=Alert, status=202)
async def send_alert(
    caller: Caller, hub: Hub, request: Request, alert: Annotated[Alert, Depends(json_body(Alert))]
) -> Response:
    """Raise an alert, or bring one up to date with a greater revision. It is on disk when this answers, and in the
    queue a moment later. Sending it again is harmless. Without a valid approval of the tool it is refused."""
    await hub.data_protection.require_approval(caller.tenant, alert.tool)
    hub.situation.alerts.check(alert)
    envelope = Envelope.wrap(
        alert,
        kind="alert",
        tenant=caller.tenant,
        origin=alert.tool,
        time=hub.clock.now(),
        partition=alert.source,
        id=derived_id("alert", caller.tenant, alert.id, str(alert.revision)),
    )
    note_trace(hub, caller.tenant, (alert.source,), request.headers.get("traceparent"))
    await hub.bus.publish([envelope])
    return plain({"id": alert.id}, status=202)


@resource.post("/{id}/decisions", Permission.ALERTS_DECIDE, AlertDecisionTaken, body=AlertDecision)
async def decide_on_alert(
    caller: Caller, hub: Hub, id: PathId, decision: Annotated[AlertDecision, Depends(json_body(AlertDecision))]
) -> Response:
    """Acknowledge, confirm, dismiss, escalate, reopen, release or assign an alert, as the person who asks.

    Who acknowledges holds it, up to the cap of the role (409 `at-capacity` beyond it). `assign` gives it to `person`:
    what you hold, or, with `alerts:assign`, any; with `override` and a reason even above that person's cap.
    """
    decided = await hub.situation.alerts.decide(caller, id, decision)
    return plain({"decision": part(decided.decision), "alert": part(alert_json(decided.alert))}, status=201)


@decisions.get("", Permission.ALERTS_READ, Items[Assessment])
async def list_decisions(caller: Caller, hub: Hub, query: Annotated[DecisionQuery, Query()]) -> Response:
    """Decisions on alerts (and on incidents, for those who may read them), newest first."""
    async with hub.store.view() as transaction:
        page = await transaction.assessments.list(
            caller.tenant, subject=query.subject, since=query.since, limit=query.limit, after=query.after
        )
    readable = [
        assessment
        for assessment in page.items
        if assessment.subject_kind is SubjectKind.ALERT or Permission.INCIDENTS_READ in caller.permissions
    ]
    return items_response(readable, page.next)
