"""Correlation at work: follows alerts and decisions on the bus, and keeps incident candidates and what it learnt.

What it follows are the messages that tell the screens: they are sent after the alert or the decision is kept, in order
for each alert. Everything is idempotent: an alert is put where it belongs however often it is told, and a candidate is
kept in one transaction with the alerts that are in it. Should that fail, the state in memory is thrown away and made
anew from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from pydantic import ValidationError

from impetus.bus import Delivery
from impetus.governance.audit import append
from impetus.model import (
    Alert,
    AlertAction,
    Assessment,
    Clock,
    Envelope,
    Incident,
    IncidentAction,
    IncidentOrigin,
    IncidentState,
    Severity,
    SubjectKind,
    new_id,
)
from impetus.situation.consumer import Refuse
from impetus.situation.correlation.calibration import logistic
from impetus.situation.correlation.groups import Group
from impetus.situation.correlation.reasons import reasons
from impetus.situation.desk import INCIDENT_TOOL, RUNNING, SEVERAL, Desk, Priors, open_desk, take
from impetus.situation.harm import SEVERITY_WEIGHT
from impetus.situation.messages import validation_reason
from impetus.situation.pace import Pace
from impetus.situation.requests import request_envelopes
from impetus.situation.views import AlertView, alert_envelope, incident_envelope
from impetus.store import AlertRecord, Store, Transaction
from impetus.store.correlation import VerdictRecord

log = structlog.get_logger(__name__)

DURABLE = "situation-correlation"
SUBJECTS = ("*.alert-view.>", "*.assessment.>")
ACTOR = "system:correlation"
ALERT_LIMIT = 500
"""Alerts that one incident may hold; further ones stay in the queue and are counted in its reasons."""

NOTEWORTHY = 0.01
"""A smaller change of the probability is not worth a message to every screen."""

_RECORD_FIELDS = frozenset(AlertRecord.model_fields) - {"alert"}


class CorrelationService:
    """Puts the alerts of all organisations together, each one's by themselves."""

    def __init__(self, store: Store, clock: Clock, priors: Priors | None = None) -> None:
        self._store = store
        self._clock = clock
        self._priors: Priors = priors or {}
        self._desks: dict[str, Desk] = {}

    async def desk(self, tenant: str) -> Desk:
        """The organisation's state, made from the store at the first time."""
        known = self._desks.get(tenant)
        if known is None:
            known = await open_desk(self._store, tenant, self._priors, self._clock.now())
            known = self._desks.setdefault(tenant, known)
        return known

    def forget(self, tenant: str) -> None:
        """Make the state anew at the next alert: the rules changed, or something failed."""
        self._desks.pop(tenant, None)

    async def calibrated(self, tenant: str) -> Callable[[Alert], float]:
        """What gives alerts of an organisation their calibrated probability."""
        calibration = (await self.desk(tenant)).calibration

        def probability(alert: Alert) -> float:
            return calibration.probability(alert.tool, alert.detector, alert.source, alert.confidence)

        return probability

    async def handle(self, deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        """Take in what the bus delivered; see `impetus.situation.consumer`."""
        by_tenant: dict[str, list[AlertRecord | Assessment]] = {}
        for delivery in deliveries:
            envelope = delivery.envelope
            try:
                told = _record(envelope) if envelope.kind == "alert-view" else envelope.open(Assessment)
            except ValidationError as error:
                refuse(delivery, validation_reason(error))
            else:
                by_tenant.setdefault(envelope.tenant, []).append(told)
        for tenant, told_all in by_tenant.items():
            try:
                await self._take(tenant, told_all)
            except BaseException:
                self.forget(tenant)
                raise

    async def _take(self, tenant: str, told_all: Sequence[AlertRecord | Assessment]) -> None:
        desk = await self.desk(tenant)
        requests: list[Envelope] = []
        pace = Pace()
        for told in told_all:
            if isinstance(told, Assessment):
                await self._take_decision(desk, told)
            else:
                take(desk, told)
                requests += request_envelopes(desk.grouping.rules.requests, told, self._clock.now())
            await pace.pause()
        changed = desk.grouping.changed()
        if not changed and not requests:
            return
        async with self._store.transaction() as transaction:
            envelopes = list(requests)
            for group in changed:
                envelopes += await self._keep(transaction, tenant, desk, group)
            if envelopes:
                await transaction.outbox.add(envelopes)

    # --- decisions ---

    async def _take_decision(self, desk: Desk, decision: Assessment) -> None:
        if decision.subject_kind is SubjectKind.ALERT:
            if decision.action in (AlertAction.CONFIRM, AlertAction.DISMISS, AlertAction.REOPEN):
                await self._take_verdict(desk, decision)
            return
        grouping = desk.grouping
        incident = decision.subject
        group = grouping.group_of_incident(incident)
        was_candidate = decision.state_before == IncidentState.CANDIDATE.value
        if was_candidate and decision.state_after in (IncidentState.OPEN.value, IncidentState.CLOSED.value):
            await self._take_outcome(desk, decision, group)
        grouping.fix(incident)
        match decision.action:
            case IncidentAction.JOIN if decision.alert is not None:
                grouping.join(decision.alert, incident)
            case IncidentAction.SEPARATE if decision.alert is not None:
                grouping.separate(decision.alert, incident)
            case IncidentAction.CLOSE | IncidentAction.MERGE:
                grouping.retire(incident)
            case IncidentAction.REOPEN:
                grouping.revive(incident)

    async def _take_verdict(self, desk: Desk, decision: Assessment) -> None:
        """What a person found of an alert teaches; taken back, it is unlearnt. The same again changes nothing."""
        tenant = decision.tenant
        async with self._store.transaction() as transaction:
            before = await transaction.verdicts.find(tenant, decision.subject)
            if before is not None and before.decided >= decision.decided:
                return
            if decision.action == AlertAction.REOPEN:
                await transaction.verdicts.remove(tenant, decision.subject)
                verdict = None
            else:
                record = await transaction.alerts.find(tenant, decision.subject)
                if record is None:
                    return
                alert = record.alert
                verdict = VerdictRecord(
                    tenant=tenant,
                    alert=alert.id,
                    tool=alert.tool,
                    detector=alert.detector,
                    source=alert.source,
                    confidence=alert.confidence,
                    probability=record.probability,
                    correct=decision.action == AlertAction.CONFIRM,
                    decided=decision.decided,
                )
                await transaction.verdicts.put(verdict)
        if verdict is not None:
            desk.learn(verdict, before)
        elif before is not None:
            desk.unlearn(before)

    async def _take_outcome(self, desk: Desk, decision: Assessment, group: Group | None) -> None:
        """A candidate was opened (it is one) or closed at once (it is none): its probability is learnt from that."""
        if group is None or group.fused is None or decision.action == IncidentAction.MERGE:
            return
        verdict = VerdictRecord(
            tenant=decision.tenant,
            alert=decision.subject,
            tool=INCIDENT_TOOL,
            detector=SEVERAL,
            source=INCIDENT_TOOL,
            confidence=logistic(group.fused.log_odds),
            probability=group.probability,
            correct=decision.state_after == IncidentState.OPEN.value,
            decided=decision.decided,
        )
        async with self._store.transaction() as transaction:
            before = await transaction.verdicts.find(decision.tenant, decision.subject)
            if before is None:
                await transaction.verdicts.put(verdict)
        desk.learn(verdict, before)

    # --- what is kept ---

    async def _keep(self, transaction: Transaction, tenant: str, desk: Desk, group: Group) -> Sequence[Envelope]:
        """Keep a group as it is now; the messages that tell of it."""
        rules = desk.grouping.rules
        envelopes: list[Envelope] = []
        if group.incident is None:
            if len(group.tracks) < 2 or group.probability < rules.candidate_from:
                return ()
            return await self._begin(transaction, tenant, desk, group)
        incident = await transaction.incidents.find(tenant, group.incident)
        if incident is None:
            return ()
        if incident.state not in RUNNING:
            desk.grouping.retire(incident.id)
            return ()
        for absorbed in list(group.absorbed):
            envelopes += await self._absorb(transaction, tenant, desk, absorbed, incident)
            group.absorbed.remove(absorbed)
        held = set(incident.alerts)
        room = max(ALERT_LIMIT - len(held), 0)
        wanted = [id for id in group.alerts() if id not in held]
        if wanted and incident.version > 1:
            # A person may have taken one out, and the message that tells of it may not have come yet: it stays out.
            apart = await _taken_out(transaction, incident)
            for id in apart.intersection(wanted):
                desk.grouping.separate(id, incident.id)
            if not apart.isdisjoint(wanted):
                desk.grouping.weigh(group)
            wanted = [id for id in wanted if id not in apart]
        wanted = wanted[:room]
        placed = (
            await transaction.alerts.place(tenant, wanted, incident.id, updated=self._clock.now()) if wanted else ()
        )
        changed = self._described(desk, group, incident, placed)
        if placed or changed is not None or envelopes:
            changed = (changed or incident).model_copy(update={"updated": self._clock.now()})
            if await transaction.incidents.refresh(changed):
                known = await transaction.incidents.get(tenant, incident.id)
                envelopes += [*map(alert_envelope, placed), incident_envelope(known)]
        return envelopes

    async def _begin(self, transaction: Transaction, tenant: str, desk: Desk, group: Group) -> Sequence[Envelope]:
        """A group becomes an incident candidate."""
        now = self._clock.now()
        found = await transaction.alerts.many(tenant, group.alerts()[:ALERT_LIMIT])
        free = [record for record in found.values() if record.incident is None]
        if len({(record.alert.tool, record.alert.detector, record.alert.source) for record in free}) < 2:
            # A person was quicker; the message that tells of it follows.
            return ()
        incident = self._described(
            desk,
            group,
            Incident(
                id=new_id(),
                tenant=tenant,
                title="candidate",
                origin=IncidentOrigin.CORRELATION,
                opened=now,
                updated=now,
            ),
            free,
        )
        if incident is None or not await transaction.incidents.add(incident, handled_by=None):
            return ()
        placed = await transaction.alerts.place(tenant, [record.alert.id for record in free], incident.id, updated=now)
        desk.grouping.assign(group, incident.id)
        await append(
            transaction,
            tenant=tenant,
            time=now,
            actor=ACTOR,
            action="incident.candidate",
            subject=f"incident:{incident.id}",
            detail={"alerts": [record.alert.id for record in placed], "probability": round(group.probability, 3)},
        )
        known = await transaction.incidents.get(tenant, incident.id)
        return [*map(alert_envelope, placed), incident_envelope(known)]

    async def _absorb(
        self, transaction: Transaction, tenant: str, desk: Desk, absorbed: str, into: Incident
    ) -> Sequence[Envelope]:
        """Two candidates turned out to be one: the later is closed, and its alerts go to the earlier."""
        lost = await transaction.incidents.find(tenant, absorbed)
        if lost is None:
            return ()
        if lost.version != 1 or lost.state is not IncidentState.CANDIDATE:
            # A person acted on it meanwhile: it stays, with its alerts.
            for alert in lost.alerts:
                desk.grouping.join(alert, lost.id)
            return ()
        now = self._clock.now()
        moved = await transaction.alerts.place(tenant, lost.alerts, into.id, taken_from=lost.id, updated=now)
        closed = await transaction.incidents.change(
            lost.model_copy(update={"state": IncidentState.CLOSED, "merged_into": into.id, "updated": now}),
            expected_version=1,
            handled_by=ACTOR,
        )
        await append(
            transaction,
            tenant=tenant,
            time=now,
            actor=ACTOR,
            action="incident.merge",
            subject=f"incident:{lost.id}",
            detail={"into": into.id, "alerts": [record.alert.id for record in moved]},
        )
        return [*map(alert_envelope, moved), incident_envelope(closed)]

    def _described(
        self, desk: Desk, group: Group, incident: Incident, placed: Sequence[AlertRecord]
    ) -> Incident | None:
        """The incident with what is known now; None if that is nothing new. Words and severity of a candidate follow
        its alerts until a person has acted on it."""
        update: dict[str, object] = {}
        probability = round(group.probability, 4)
        if incident.probability is None or abs(incident.probability - probability) >= NOTEWORTHY:
            update["probability"] = probability
        why = tuple(reasons(group, desk.grouping.trust))
        if set(why) != set(incident.reasons) and (update or placed):
            update["reasons"] = why
        if incident.origin is IncidentOrigin.CORRELATION and incident.version == 1:
            severity = max(
                (record.alert.severity for record in placed), key=SEVERITY_WEIGHT.__getitem__, default=incident.severity
            )
            if incident.severity is Severity.UNKNOWN or SEVERITY_WEIGHT[severity] > SEVERITY_WEIGHT[incident.severity]:
                update["severity"] = severity
            strongest = max(placed, key=lambda record: record.harm, default=None)
            if strongest is not None and incident.title == "candidate":
                update["title"] = strongest.alert.headline
            if incident.place is None:
                update["place"] = next((record.alert.place for record in placed if record.alert.place), None)
            update = {name: value for name, value in update.items() if value != getattr(incident, name)}
        return incident.model_copy(update=update) if update else None


def _record(envelope: Envelope) -> AlertRecord:
    view = envelope.open(AlertView)
    alert = Alert.model_construct(**{name: getattr(view, name) for name in Alert.model_fields})
    return AlertRecord.model_construct(alert=alert, **{name: getattr(view, name) for name in _RECORD_FIELDS})


async def _taken_out(transaction: Transaction, incident: Incident) -> set[str]:
    """Alerts that a person took out of the incident, and that nobody has put back."""
    apart: set[str] = set()
    for decision in await transaction.assessments.history(incident.tenant, incident.id):
        if decision.alert is not None and decision.action == IncidentAction.SEPARATE.value:
            apart.add(decision.alert)
        elif decision.alert is not None and decision.action == IncidentAction.JOIN.value:
            apart.discard(decision.alert)
    return apart
