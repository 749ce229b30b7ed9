"""Tells tools what people found of their alerts, without anybody's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from impetus.bus import Delivery
from impetus.model import AlertAction, AlertState, Assessment, Envelope, SubjectKind, Verdict, derived_id
from impetus.situation.consumer import Refuse
from impetus.situation.messages import validation_reason
from impetus.situation.views import ORIGIN
from impetus.store import Store

DURABLE: Final = "hub-verdicts"
SUBJECTS: Final = ("*.assessment.>",)
BATCH: Final = 200
TOLD: Final = frozenset({AlertAction.CONFIRM.value, AlertAction.DISMISS.value, AlertAction.REOPEN.value})


class VerdictTeller:
    """Makes a verdict of each decision that confirms or dismisses an alert, or takes that back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle(self, deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        """Take in what the bus delivered; see `impetus.situation.consumer`."""
        decisions: list[Assessment] = []
        for delivery in deliveries:
            try:
                decision = delivery.envelope.open(Assessment)
            except ValidationError as error:
                refuse(delivery, validation_reason(error))
                continue
            if decision.subject_kind is SubjectKind.ALERT and decision.action in TOLD:
                decisions.append(decision)
        if not decisions:
            return
        async with self._store.transaction() as transaction:
            for decision in decisions:
                record = await transaction.alerts.find(decision.tenant, decision.subject)
                if record is None:
                    continue
                verdict = Verdict(
                    alert=record.alert.id,
                    tool=record.alert.tool,
                    detector=record.alert.detector,
                    source=record.alert.source,
                    state=AlertState(decision.state_after),
                    reason=decision.reason_class,
                    decided=decision.decided,
                )
                await transaction.outbox.add([verdict_envelope(decision, verdict)])


def verdict_envelope(decision: Assessment, verdict: Verdict) -> Envelope:
    """The message for the tool; the same decision gives the same message id."""
    envelope = Envelope.wrap(
        verdict,
        kind="verdict",
        tenant=decision.tenant,
        origin=ORIGIN,
        time=decision.decided,
        partition=decision.subject,
        id=derived_id("verdict", decision.tenant, decision.id),
    )
    return envelope.model_copy(update={"subject": f"{decision.tenant}.verdict.{verdict.tool}"})
