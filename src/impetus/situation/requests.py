"""Requests that a city's rules make when an alert reaches a state: a confirmed plume asks for an evacuation plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from impetus.model import Envelope, ToolRequest, derived_id
from impetus.situation.correlation.rules import RequestRule
from impetus.situation.views import ORIGIN
from impetus.store import AlertRecord

REQUEST = "tool-request"
"""Kind of the message; its subject is `TENANT.tool-request.TOOL`, the tool that is asked."""


def request_envelopes(rules: Sequence[RequestRule], record: AlertRecord, now: datetime) -> Sequence[Envelope]:
    """The requests that an alert in its present state makes; asked again, they have the same ids."""
    alert = record.alert
    envelopes: list[Envelope] = []
    for rule in rules:
        if record.state not in rule.states or (record.probability or 0.0) < rule.probability_from:
            continue
        if not rule.when.selects(alert.tool, alert.detector, alert.category.value, alert.severity.value):
            continue
        request = ToolRequest(
            id=derived_id(REQUEST, record.tenant, rule.tool, rule.task, alert.id, record.state.value),
            tool=rule.tool,
            task=rule.task,
            reason=rule.title,
            alert=alert.id,
            incident=record.incident,
            place=alert.place,
            asked=now,
        )
        message = Envelope.wrap(
            request,
            kind=REQUEST,
            tenant=record.tenant,
            origin=ORIGIN,
            time=now,
            partition=alert.id,
            id=request.id,
        )
        envelopes.append(message.model_copy(update={"subject": f"{record.tenant}.{REQUEST}.{rule.tool}"}))
    return envelopes
