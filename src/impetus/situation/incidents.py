"""Incidents of an organisation: alerts that are about one happening, and what people decide on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Assessment,
    Clock,
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
from impetus.situation.alerts import assessment_envelope
from impetus.situation.decisions import IncidentDecided, IncidentDecision, NewIncident, check_replay, deciding_person
from impetus.situation.harm import SEVERITY_WEIGHT
from impetus.situation.lifecycle import next_incident_state
from impetus.situation.timeline import TimelineEntry, timeline
from impetus.situation.views import alert_envelope, incident_envelope
from impetus.store import Store, Transaction
from impetus.store.records import AlertFilter, AlertOrder, AlertRecord, IncidentFilter, Page, VersionConflict

ALERT_LIMIT = 500
"""Alerts that one incident may hold."""


@dataclass(frozen=True, slots=True)
class IncidentRoom:
    """All that is known of one incident."""

    incident: Incident
    alerts: Sequence[AlertRecord]
    timeline: Sequence[TimelineEntry]


@dataclass(frozen=True, slots=True)
class _Act:
    """One person's act within one transaction."""

    principal: Principal
    person: str
    person_name: str
    now: datetime
    transaction: Transaction


class IncidentService:
    """What may be done with incidents. Every method is about one organisation's incidents only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, principal: Principal, new: NewIncident) -> Incident:
        """Open an incident on alerts; on disk when this returns. Asking again with the same id is harmless.

        Raises `NotFound` for an unknown alert, and `Conflict` if one belongs to another incident, or if another
        incident has this id.
        """
        try:
            return await self._create(principal, new)
        except VersionConflict:
            # Somebody acted on one of the alerts at the same moment; now it is plain whether they can be joined.
            return await self._create(principal, new)

    async def _create(self, principal: Principal, new: NewIncident) -> Incident:
        person, person_name = deciding_person(principal)
        tenant = principal.tenant
        async with self._store.transaction() as transaction:
            known = await transaction.incidents.find(tenant, new.id)
            if known is not None:
                if known.title != new.title:
                    raise Conflict(
                        "Another incident has this id.", hint="Give every incident an id of its own, or leave it out."
                    )
                return known
            act = _Act(principal, person, person_name, self._clock.now(), transaction)
            found = await transaction.alerts.many(tenant, new.alerts)
            records = [await _joinable(act, found, alert, new.id) for alert in dict.fromkeys(new.alerts)]
            incident = Incident(
                id=new.id,
                tenant=tenant,
                title=new.title,
                summary=new.summary,
                state=IncidentState.OPEN,
                severity=new.severity or _greatest(records),
                threat_class=new.threat_class,
                place=next((record.alert.place for record in records if record.alert.place is not None), None),
                opened=act.now,
                updated=act.now,
            )
            if not await transaction.incidents.add(incident, handled_by=person_name):
                raise Conflict("This incident is being opened at this moment.", hint="Look at the list of incidents.")
            envelopes = [await _move(act, record, incident.id, IncidentAction.JOIN, incident.id) for record in records]
            assessment = Assessment(
                id=derived_id("opened", tenant, incident.id),
                tenant=tenant,
                subject_kind=SubjectKind.INCIDENT,
                subject=incident.id,
                action=IncidentAction.OPEN.value,
                state_before=IncidentState.CANDIDATE.value,
                state_after=IncidentState.OPEN.value,
                version=incident.version,
                person=person,
                person_name=person_name,
                decided=act.now,
            )
            incident = await transaction.incidents.get(tenant, incident.id)
            await self._record(act, assessment, incident, envelopes, {"alerts": list(incident.alerts)})
        return incident

    async def decide(self, principal: Principal, id: str, decision: IncidentDecision) -> IncidentDecided:
        """Take a person's decision; on disk when this returns, with its audit record, history and messages.

        The same decision again gives the same answer and changes nothing. Raises as `AlertService.decide` does.
        """
        try:
            return await self._decide(principal, id, decision)
        except VersionConflict:
            # Perhaps it was this very decision, sent twice at once, that was first: then the answer is the same.
            return await self._decide(principal, id, decision)

    async def _decide(self, principal: Principal, id: str, decision: IncidentDecision) -> IncidentDecided:
        person, person_name = deciding_person(principal)
        tenant = principal.tenant
        moves = decision.action in (IncidentAction.JOIN, IncidentAction.SEPARATE)
        if moves is (decision.alert is None):
            wanted = "needs 'alert', the alert that is meant" if moves else "takes no 'alert'"
            raise InvalidInput(
                f"'{decision.action.value}' {wanted}.", hint="Only join and separate are about an alert."
            )
        async with self._store.transaction() as transaction:
            known = await transaction.assessments.find(tenant, decision.id)
            before = await transaction.incidents.get(tenant, id)
            if known is not None:
                check_replay(
                    known,
                    kind=SubjectKind.INCIDENT,
                    subject=id,
                    action=decision.action.value,
                    person=person,
                    alert=decision.alert,
                )
                return IncidentDecided(known, before)
            act = _Act(principal, person, person_name, self._clock.now(), transaction)
            envelopes: list[Envelope] = []
            changed = before.model_copy(update={"updated": act.now})
            # With another version `change` below refuses it and says who was first.
            if before.version == decision.version:
                state = next_incident_state(before.state, decision.action, decision.reason)
                changed = changed.model_copy(update={"state": state})
                if decision.alert is not None:
                    record, changed = await _joined_or_separated(act, changed, decision.action, decision.alert)
                    target = id if decision.action is IncidentAction.JOIN else None
                    envelopes.append(await _move(act, record, target, decision.action, decision.id))
            after = await transaction.incidents.change(
                changed, expected_version=decision.version, handled_by=person_name
            )
            assessment = Assessment(
                id=decision.id,
                tenant=tenant,
                subject_kind=SubjectKind.INCIDENT,
                subject=id,
                action=decision.action.value,
                reason=decision.reason,
                state_before=before.state.value,
                state_after=after.state.value,
                version=after.version,
                person=person,
                person_name=person_name,
                decided=act.now,
                alert=decision.alert,
            )
            await self._record(act, assessment, after, envelopes, {"reason": decision.reason, "alert": decision.alert})
        return IncidentDecided(assessment, after)

    async def get(self, tenant: str, id: str) -> IncidentRoom:
        """One incident with its alerts and all that happened, in order. Raises `NotFound`."""
        async with self._store.view() as transaction:
            incident = await transaction.incidents.get(tenant, id)
            page = await transaction.alerts.list(
                tenant, AlertFilter(incident=id), order=AlertOrder.TIME, limit=ALERT_LIMIT
            )
            decisions = list(await transaction.assessments.history(tenant, id))
            for record in page.items:
                decisions += await transaction.assessments.history(tenant, record.alert.id)
        return IncidentRoom(incident, page.items, timeline(page.items, decisions))

    async def list(self, tenant: str, wanted: IncidentFilter, *, limit: int, after: str | None) -> Page[Incident]:
        """A page of incidents, opened last first. Raises `InvalidInput` for a cursor that is not of this list."""
        async with self._store.view() as transaction:
            return await transaction.incidents.list(tenant, wanted, limit=limit, after=after)

    async def _record(
        self,
        act: _Act,
        assessment: Assessment,
        incident: Incident,
        envelopes: Sequence[Envelope],
        detail: Mapping[str, object],
    ) -> None:
        await act.transaction.assessments.add(assessment)
        await append(
            act.transaction,
            tenant=incident.tenant,
            time=act.now,
            actor=act.principal.actor,
            action=f"incident.{assessment.action}",
            subject=f"incident:{incident.id}",
            detail={
                "decision": assessment.id,
                "before": assessment.state_before,
                "after": assessment.state_after,
                **{name: value for name, value in detail.items() if value},
            },
        )
        await act.transaction.outbox.add([*envelopes, incident_envelope(incident), assessment_envelope(assessment)])


async def _joinable(act: _Act, found: Mapping[str, AlertRecord], alert: str, incident: str) -> AlertRecord:
    record = found.get(alert)
    if record is None:
        # Says so in the same words as everywhere else.
        record = await act.transaction.alerts.get(act.principal.tenant, alert)
    if record.incident is not None:
        where = "this incident already" if record.incident == incident else f"incident {record.incident}"
        raise Conflict(f"The alert {alert} belongs to {where}.", hint="Separate it from there first.")
    return record


async def _joined_or_separated(
    act: _Act, incident: Incident, action: IncidentAction, alert: str
) -> tuple[AlertRecord, Incident]:
    tenant = incident.tenant
    if action is IncidentAction.SEPARATE:
        record = await act.transaction.alerts.get(tenant, alert)
        if record.incident != incident.id:
            raise Conflict(f"The alert {alert} does not belong to this incident.", hint="Look at the incident again.")
        return record, incident
    if len(incident.alerts) >= ALERT_LIMIT:
        raise Conflict(
            f"The incident holds {ALERT_LIMIT} alerts, which is the most it may.", hint="Open another incident."
        )
    record = await _joinable(act, {}, alert, incident.id)
    update: dict[str, object] = {}
    if incident.place is None:
        update["place"] = record.alert.place
    if incident.severity is Severity.UNKNOWN:
        update["severity"] = record.alert.severity
    return record, incident.model_copy(update=update)


async def _move(act: _Act, record: AlertRecord, incident: str | None, action: IncidentAction, cause: str) -> Envelope:
    """Put an alert into an incident, or take it out, and keep that in the alert's own history too."""
    tenant = record.tenant
    changed = await act.transaction.alerts.change(
        tenant,
        record.alert.id,
        expected_version=record.version,
        state=record.state,
        incident=incident,
        handled_by=act.person_name,
        updated=act.now,
    )
    await act.transaction.assessments.add(
        Assessment(
            id=derived_id(action.value, tenant, cause, record.alert.id),
            tenant=tenant,
            subject_kind=SubjectKind.ALERT,
            subject=record.alert.id,
            action=action.value,
            state_before=record.state.value,
            state_after=changed.state.value,
            version=changed.version,
            person=act.person,
            person_name=act.person_name,
            decided=act.now,
            alert=record.alert.id,
        )
    )
    return alert_envelope(changed)


def _greatest(records: Sequence[AlertRecord]) -> Severity:
    known = [record.alert.severity for record in records if record.alert.severity is not Severity.UNKNOWN]
    return max(known, key=SEVERITY_WEIGHT.__getitem__, default=Severity.UNKNOWN)
