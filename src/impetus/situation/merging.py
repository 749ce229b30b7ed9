"""Merging two incidents by hand, and undoing it.

The alerts go over to the other incident; notes and history stay where they were written and are shown in the other
incident's room too. The merged incident is closed and points to the other one. Separating gives back the alerts that
came with it, as far as they are still there, and the state that it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impetus.model import (
    Assessment,
    Conflict,
    Envelope,
    Incident,
    IncidentAction,
    IncidentState,
    InvalidInput,
    Severity,
    SubjectKind,
    derived_id,
)
from impetus.situation.acts import ALERT_LIMIT, Act, move_to_incident
from impetus.situation.alerts import assessment_envelope
from impetus.situation.decisions import IncidentDecision
from impetus.situation.lifecycle import MERGED_ACTIONS, next_incident_state
from impetus.situation.views import incident_envelope
from impetus.store import Transaction

MERGED_DEPTH = 100
"""Incidents merged into incidents that one room shows."""


@dataclass(frozen=True, slots=True)
class Merger:
    """What became of a merger or its undoing: the incident that was decided on, before it is written."""

    changed: Incident
    other: str
    alerts: tuple[str, ...]
    envelopes: Sequence[Envelope]


def check_merged(incident: Incident, decision: IncidentDecision) -> None:
    """Raises `Conflict` for what cannot be done with an incident that was merged into another one."""
    if incident.merged_into is None:
        return
    undoes = decision.action is IncidentAction.SEPARATE and decision.alert is None
    if not undoes and decision.action is not IncidentAction.NOTE:
        raise Conflict(
            f"This incident was merged into {incident.merged_into}, so '{decision.action.value}' is not possible.",
            hint="Go on there, or separate it first.",
        )
    if MERGED_ACTIONS[decision.action] and not decision.reason.strip():
        raise InvalidInput(
            f"'{decision.action.value}' needs a reason here.", hint="Say in a few words why; it is kept."
        )


async def merge(act: Act, incident: Incident, decision: IncidentDecision) -> Merger:
    """Move all that `incident` holds into the other one. Raises `NotFound`, `Conflict` and `InvalidInput`."""
    if decision.incident == incident.id:
        raise InvalidInput("An incident cannot be merged into itself.", hint="Name another incident.")
    state = next_incident_state(incident.state, IncidentAction.MERGE, decision.reason)
    other = await act.transaction.incidents.get(incident.tenant, str(decision.incident))
    if other.merged_into is not None:
        raise Conflict(
            f"That incident was itself merged into {other.merged_into}.", hint="Merge into that one instead."
        )
    # Only what runs takes alerts.
    next_incident_state(other.state, IncidentAction.JOIN)
    if len(incident.alerts) + len(other.alerts) > ALERT_LIMIT:
        raise Conflict(
            f"Together they hold more than {ALERT_LIMIT} alerts, which is the most an incident may.",
            hint="Leave them apart.",
        )
    update: dict[str, object] = {}
    if other.place is None:
        update["place"] = incident.place
    if other.severity is Severity.UNKNOWN:
        update["severity"] = incident.severity
    envelopes = await _move_all(act, incident.alerts, other.id, decision)
    envelopes += await _tell_other(act, other.model_copy(update=update), incident.id, incident.alerts, decision)
    changed = incident.model_copy(update={"state": state, "merged_into": other.id, "alerts": ()})
    return Merger(changed, other.id, incident.alerts, envelopes)


async def undo_merger(act: Act, incident: Incident, decision: IncidentDecision) -> Merger:
    """Take back what `incident` brought into the other one. Raises `Conflict` where that is not possible."""
    if incident.merged_into is None:
        raise InvalidInput("'separate' needs 'alert', the alert that is meant.", hint="This incident was not merged.")
    transaction, tenant = act.transaction, incident.tenant
    other = await transaction.incidents.get(tenant, incident.merged_into)
    if other.merged_into is not None:
        raise Conflict(
            f"Incident {other.id} was itself merged into {other.merged_into} meanwhile.", hint="Separate that first."
        )
    if other.state is IncidentState.REVIEWED:
        raise Conflict(f"Incident {other.id} was reviewed with what is in it.", hint="Reopen it first.")
    history = await transaction.assessments.history(tenant, incident.id)
    merged = [one for one in history if one.action == IncidentAction.MERGE and one.incident == other.id]
    brought = merged[-1].alerts if merged else ()
    state = IncidentState(merged[-1].state_before) if merged else IncidentState.OPEN
    back = tuple(alert for alert in brought if alert in other.alerts)
    envelopes = await _move_all(act, back, incident.id, decision)
    envelopes += await _tell_other(act, other, incident.id, back, decision)
    changed = incident.model_copy(update={"state": state, "merged_into": None})
    return Merger(changed, other.id, back, envelopes)


async def merged_incidents(transaction: Transaction, tenant: str, id: str) -> Sequence[Incident]:
    """All incidents that were merged into this one, directly or through others."""
    found: dict[str, Incident] = {}
    waiting = [id]
    while waiting and len(found) < MERGED_DEPTH:
        for incident in await transaction.incidents.merged_into(tenant, waiting.pop()):
            if incident.id not in found and incident.id != id:
                found[incident.id] = incident
                waiting.append(incident.id)
    return list(found.values())


async def _move_all(act: Act, alerts: Sequence[str], to: str, decision: IncidentDecision) -> list[Envelope]:
    tenant = act.principal.tenant
    records = await act.transaction.alerts.many(tenant, alerts)
    return [
        await move_to_incident(act, records[alert], to, IncidentAction.JOIN, decision.id)
        for alert in alerts
        if alert in records
    ]


async def _tell_other(
    act: Act, other: Incident, incident: str, alerts: tuple[str, ...], decision: IncidentDecision
) -> list[Envelope]:
    """Write the other incident's side of a merger: a version of its own, and a line in its history."""
    after = await act.transaction.incidents.change(
        other.model_copy(update={"updated": act.now}), expected_version=other.version, handled_by=act.person_name
    )
    assessment = Assessment(
        id=derived_id(decision.action.value, "other", other.tenant, decision.id),
        tenant=other.tenant,
        subject_kind=SubjectKind.INCIDENT,
        subject=other.id,
        action=decision.action.value,
        reason=decision.reason,
        state_before=other.state.value,
        state_after=after.state.value,
        version=after.version,
        person=act.person,
        person_name=act.person_name,
        decided=act.now,
        alerts=alerts,
        incident=incident,
    )
    await act.transaction.assessments.add(assessment)
    return [incident_envelope(after), assessment_envelope(assessment)]
