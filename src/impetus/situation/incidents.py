"""Incidents of an organisation: alerts that are about one happening, and what people decide on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Assessment,
    Classification,
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
from impetus.situation.acts import ALERT_LIMIT, Act, move_to_incident
from impetus.situation.alerts import assessment_envelope
from impetus.situation.decisions import IncidentDecided, IncidentDecision, NewIncident, check_replay, deciding_person
from impetus.situation.harm import SEVERITY_WEIGHT
from impetus.situation.lifecycle import next_incident_state
from impetus.situation.merging import Merger, check_merged, merge, merged_incidents, undo_merger
from impetus.situation.timeline import TimelineEntry, timeline
from impetus.situation.views import incident_envelope
from impetus.store import Store
from impetus.store.records import AlertFilter, AlertOrder, AlertRecord, IncidentFilter, Page, VersionConflict


@dataclass(frozen=True, slots=True)
class IncidentRoom:
    """All that is known of one incident."""

    incident: Incident
    alerts: Sequence[AlertRecord]
    timeline: Sequence[TimelineEntry]
    merged: Sequence[Incident] = ()
    """Incidents that were merged into this one; what was decided on them is in the timeline."""


class IncidentService:
    """What may be done with incidents. Every method is about one organisation's incidents only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, principal: Principal, new: NewIncident) -> Incident:
        """Open an incident on alerts; on disk when this returns. Asking again with the same id is harmless.

        An alert that correlation put into a candidate is taken out of it: what a person says goes before what a
        program supposed. Raises `NotFound` for an unknown alert, and `Conflict` if one belongs to an incident that
        people opened, or if another incident has this id.
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
            act = Act(principal, person, person_name, self._clock.now(), transaction)
            await self._take_from_candidates(act, new.alerts, new.id)
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
            envelopes = [
                await move_to_incident(act, record, incident.id, IncidentAction.JOIN, incident.id) for record in records
            ]
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
        _check_form(decision)
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
                    incident=decision.incident,
                    classification=decision.classification,
                )
                return IncidentDecided(known, before)
            act = Act(principal, person, person_name, self._clock.now(), transaction)
            if decision.action is IncidentAction.JOIN and decision.alert is not None:
                await self._take_from_candidates(act, [decision.alert], id)
            return await self._carry_out(act, before, decision)

    async def _take_from_candidates(self, act: Act, alerts: Sequence[str], incident: str) -> None:
        """Separate alerts from candidates, so that they can go into `incident`, where a person wants them."""
        for alert in dict.fromkeys(alerts):
            record = await act.transaction.alerts.get(act.principal.tenant, alert)
            if record.incident is None or record.incident == incident:
                continue
            candidate = await act.transaction.incidents.get(record.tenant, record.incident)
            if candidate.state is IncidentState.CANDIDATE:
                decision = IncidentDecision(
                    id=derived_id("taken", record.tenant, incident, alert),
                    action=IncidentAction.SEPARATE,
                    version=candidate.version,
                    alert=alert,
                )
                await self._carry_out(act, candidate, decision)

    async def _carry_out(self, act: Act, before: Incident, decision: IncidentDecision) -> IncidentDecided:
        envelopes: list[Envelope] = []
        merger: Merger | None = None
        changed = before.model_copy(update={"updated": act.now})
        # With another version `change` below refuses it and says who was first.
        if before.version == decision.version:
            check_merged(before, decision)
            if decision.action is IncidentAction.MERGE:
                merger = await merge(act, changed, decision)
            elif decision.action is IncidentAction.SEPARATE and decision.alert is None:
                merger = await undo_merger(act, changed, decision)
            elif before.merged_into is None:
                state = next_incident_state(before.state, decision.action, decision.reason)
                changed = changed.model_copy(update={"state": state, **_classified(decision)})
            if merger is not None:
                changed = merger.changed
                envelopes += merger.envelopes
            if decision.alert is not None:
                record, changed = await _joined_or_separated(act, changed, decision.action, decision.alert)
                target = before.id if decision.action is IncidentAction.JOIN else None
                envelopes.append(await move_to_incident(act, record, target, decision.action, decision.id))
        after = await act.transaction.incidents.change(
            changed, expected_version=decision.version, handled_by=act.person_name
        )
        assessment = Assessment(
            id=decision.id,
            tenant=before.tenant,
            subject_kind=SubjectKind.INCIDENT,
            subject=before.id,
            action=decision.action.value,
            reason=decision.reason,
            state_before=before.state.value,
            state_after=after.state.value,
            version=after.version,
            person=act.person,
            person_name=act.person_name,
            decided=act.now,
            alert=decision.alert,
            alerts=merger.alerts if merger is not None else (),
            incident=merger.other if merger is not None else None,
            classification=decision.classification,
        )
        detail = {"reason": decision.reason, "alert": decision.alert, "incident": assessment.incident}
        if decision.classification is not None:
            detail["classification"] = decision.classification.model_dump_json(exclude_none=True)
        await self._record(act, assessment, after, envelopes, detail)
        return IncidentDecided(assessment, after)

    async def get(self, tenant: str, id: str) -> IncidentRoom:
        """One incident with its alerts and all that happened, in order. Raises `NotFound`."""
        async with self._store.view() as transaction:
            incident = await transaction.incidents.get(tenant, id)
            page = await transaction.alerts.list(
                tenant, AlertFilter(incident=id), order=AlertOrder.TIME, limit=ALERT_LIMIT
            )
            decisions = list(await transaction.assessments.history(tenant, id))
            merged = await merged_incidents(transaction, tenant, id)
            for one in merged:
                # The mergers themselves stand in the history of the incident that took the other in.
                history = await transaction.assessments.history(tenant, one.id)
                decisions += [decision for decision in history if decision.incident is None]
            for record in page.items:
                decisions += await transaction.assessments.history(tenant, record.alert.id)
        return IncidentRoom(incident, page.items, timeline(page.items, decisions), merged)

    async def list(self, tenant: str, wanted: IncidentFilter, *, limit: int, after: str | None) -> Page[Incident]:
        """A page of incidents, opened last first. Raises `InvalidInput` for a cursor that is not of this list."""
        async with self._store.view() as transaction:
            return await transaction.incidents.list(tenant, wanted, limit=limit, after=after)

    async def _record(
        self,
        act: Act,
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


def _check_form(decision: IncidentDecision) -> None:
    """Raises `InvalidInput` for fields that do not belong to the action, or that it lacks."""
    action = decision.action
    if action is IncidentAction.JOIN and decision.alert is None:
        raise InvalidInput("'join' needs 'alert', the alert that is meant.", hint="Say which alert.")
    if decision.alert is not None and action not in (IncidentAction.JOIN, IncidentAction.SEPARATE):
        raise InvalidInput(f"'{action.value}' takes no 'alert'.", hint="Only join and separate are about an alert.")
    if (decision.incident is not None) is not (action is IncidentAction.MERGE):
        wanted = "needs 'incident', the other one" if decision.incident is None else "takes no 'incident'"
        raise InvalidInput(f"'{action.value}' {wanted}.", hint="Only merge is about another incident.")
    says = decision.classification is not None and decision.classification != Classification()
    if says is not (action is IncidentAction.CLASSIFY):
        wanted = "takes no 'classification'" if says else "needs 'classification', with what to set"
        raise InvalidInput(f"'{action.value}' {wanted}.", hint="Only classify sets threat class, severity, confidence.")


def _classified(decision: IncidentDecision) -> Mapping[str, object]:
    """The fields of an incident that a decision sets."""
    said = decision.classification
    if said is None:
        return {}
    values = {"threat_class": said.threat_class, "severity": said.severity, "confidence": said.confidence}
    return {name: value for name, value in values.items() if value is not None}


async def _joinable(act: Act, found: Mapping[str, AlertRecord], alert: str, incident: str) -> AlertRecord:
    record = found.get(alert)
    if record is None:
        # Says so in the same words as everywhere else.
        record = await act.transaction.alerts.get(act.principal.tenant, alert)
    if record.incident is not None:
        where = "this incident already" if record.incident == incident else f"incident {record.incident}"
        raise Conflict(f"The alert {alert} belongs to {where}.", hint="Separate it from there first.")
    return record


async def _joined_or_separated(
    act: Act, incident: Incident, action: IncidentAction, alert: str
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


def _greatest(records: Sequence[AlertRecord]) -> Severity:
    known = [record.alert.severity for record in records if record.alert.severity is not Severity.UNKNOWN]
    return max(known, key=SEVERITY_WEIGHT.__getitem__, default=Severity.UNKNOWN)
