"""Alerts of an organisation: taken in once, decided on by people, never overwritten in silence."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from impetus.bus import Delivery
from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import Alert, AlertAction, Assessment, Clock, Envelope, ImpetusError, Status, SubjectKind, derived_id
from impetus.situation.admission import Window, check_alert
from impetus.situation.consumer import Refuse
from impetus.situation.correlating import CorrelationService
from impetus.situation.decisions import AlertDecided, AlertDecision, check_replay, deciding_person
from impetus.situation.harm import expected_harm
from impetus.situation.holding import settle_holder
from impetus.situation.lifecycle import next_alert_state
from impetus.situation.messages import validation_reason
from impetus.situation.repeats import join_repeats
from impetus.situation.settings import SituationSettings
from impetus.situation.views import ORIGIN, alert_envelope
from impetus.store import Store
from impetus.store.records import AlertArrival, AlertFilter, AlertOrder, AlertRecord, Page, VersionConflict

DURABLE = "situation-alerts"
SUBJECTS = ("*.alert.>",)


class AlertService:
    """What may be done with alerts. Every method is about one organisation's alerts only."""

    def __init__(
        self, store: Store, clock: Clock, settings: SituationSettings, correlation: CorrelationService
    ) -> None:
        self._store = store
        self._correlation = correlation
        self._clock = clock
        self._settings = settings

    async def ingest(self, tenant: str, alerts: Sequence[Alert]) -> Sequence[AlertArrival]:
        """Keep alerts that arrived, in one transaction; on disk when this returns.

        Any number of repetitions is harmless. A greater revision of a known alert brings its content up to date; what
        people decided stays.
        """
        now = self._clock.now()
        if self._settings.status is not Status.ACTUAL:
            alerts = [
                alert.model_copy(update={"status": self._settings.status}) if alert.status is Status.ACTUAL else alert
                for alert in alerts
            ]
        probability = await self._correlation.calibrated(tenant)
        async with self._store.transaction() as transaction:
            arrivals = await transaction.alerts.upsert(
                tenant,
                alerts,
                received=now,
                harm=lambda alert: expected_harm(alert, probability(alert)),
                probability=probability,
            )
            # Of an alert that came twice in one go only the last state is told; a repeat is told as its head's count.
            told = await join_repeats(transaction, tenant, arrivals, self._settings, now)
            if told:
                await transaction.outbox.add([alert_envelope(record) for record in told])
        return arrivals

    def check(self, alert: Alert) -> None:
        """Raises `InvalidInput` for an alert whose times cannot be real."""
        check_alert(
            alert,
            Window.around(self._clock.now(), behind_days=self._settings.behind_days, ahead_s=self._settings.ahead_s),
        )

    async def handle(self, deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        """Take in what the bus delivered; see `impetus.situation.consumer`."""
        by_tenant: dict[str, list[Alert]] = {}
        for delivery in deliveries:
            envelope = delivery.envelope
            try:
                alert = envelope.open(Alert)
                self.check(alert)
            except ValidationError as error:
                refuse(delivery, validation_reason(error))
            except ImpetusError as error:
                refuse(delivery, str(error))
            else:
                by_tenant.setdefault(envelope.tenant, []).append(alert)
        for tenant, alerts in by_tenant.items():
            await self.ingest(tenant, alerts)

    async def decide(self, principal: Principal, id: str, decision: AlertDecision) -> AlertDecided:
        """Take a person's decision; on disk when this returns, with its audit record, history and messages.

        The same decision again gives the same answer and changes nothing. Raises `NotFound`, `NotAllowed` for a
        machine, `InvalidInput` for a missing reason, and `Conflict` when the action is not possible or when somebody
        else decided since the version that the person saw.
        """
        try:
            return await self._decide(principal, id, decision)
        except VersionConflict:
            # Perhaps it was this very decision, sent twice at once, that was first: then the answer is the same.
            return await self._decide(principal, id, decision)

    async def _decide(self, principal: Principal, id: str, decision: AlertDecision) -> AlertDecided:
        person, person_name = deciding_person(principal)
        tenant = principal.tenant
        async with self._store.transaction() as transaction:
            known = await transaction.assessments.find(tenant, decision.id)
            record = await transaction.alerts.get(tenant, id)
            if known is not None:
                check_replay(
                    known,
                    kind=SubjectKind.ALERT,
                    subject=id,
                    action=decision.action.value,
                    person=person,
                    given_to=decision.person,
                )
                return AlertDecided(known, record)
            now = self._clock.now()
            receiver = None
            if record.version == decision.version:
                state = next_alert_state(record.state, decision.action, decision.reason)
                receiver = await settle_holder(transaction, principal, record, decision, self._settings, now)
            else:
                # `change` below refuses it and says who was first.
                state = record.state
            changed = await transaction.alerts.change(
                tenant,
                id,
                expected_version=decision.version,
                state=state,
                incident=record.incident,
                handled_by=person_name,
                updated=now,
            )
            followed = await transaction.workload.follow(
                tenant, id, before=record.state, after=changed.state, handled_by=person_name, updated=now
            )
            assessment = Assessment(
                id=decision.id,
                tenant=tenant,
                subject_kind=SubjectKind.ALERT,
                subject=id,
                action=decision.action.value,
                reason=decision.reason,
                reason_class=decision.reason_class if decision.action is AlertAction.DISMISS else None,
                state_before=record.state.value,
                state_after=changed.state.value,
                version=changed.version,
                person=person,
                person_name=person_name,
                decided=now,
                given_to=receiver.id if receiver is not None else None,
                given_to_name=receiver.name if receiver is not None else None,
            )
            await transaction.assessments.add(assessment)
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=principal.actor,
                action=f"alert.{decision.action.value}",
                subject=f"alert:{id}",
                detail={
                    "decision": decision.id,
                    "before": record.state.value,
                    "after": changed.state.value,
                    "reason": decision.reason,
                    "repeats": followed,
                    **({"override": True} if decision.override else {}),
                    **({"given_to": receiver.id} if receiver is not None else {}),
                },
            )
            await transaction.outbox.add([alert_envelope(changed), assessment_envelope(assessment)])
        return AlertDecided(assessment, changed)

    async def get(self, tenant: str, id: str) -> tuple[AlertRecord, Sequence[Assessment]]:
        """One alert and all decisions on it; of a repeat, those on the alert that it repeats as well, first.

        Raises `NotFound`.
        """
        async with self._store.view() as transaction:
            record = await transaction.alerts.get(tenant, id)
            own = await transaction.assessments.history(tenant, id)
            if record.repeat_of is None:
                return record, own
            return record, [*await transaction.assessments.history(tenant, record.repeat_of), *own]

    async def list(
        self, tenant: str, wanted: AlertFilter, *, order: AlertOrder, limit: int, after: str | None
    ) -> Page[AlertRecord]:
        """A page of the queue. Raises `InvalidInput` for a cursor that is not of this list."""
        async with self._store.view() as transaction:
            return await transaction.alerts.list(tenant, wanted, order=order, limit=limit, after=after)


def assessment_envelope(assessment: Assessment) -> Envelope:
    """The message that tells everyone of a decision; the same decision gives the same message id."""
    return Envelope.wrap(
        assessment,
        kind="assessment",
        tenant=assessment.tenant,
        origin=ORIGIN,
        time=assessment.decided,
        partition=assessment.subject,
        id=derived_id("assessment", assessment.tenant, assessment.id),
    )
