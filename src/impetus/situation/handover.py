"""Hand-over between shifts: a summary from what is in the store, written by who leaves, accepted by who comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from impetus.bus import Bus
from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    AlertState,
    Assessment,
    Clock,
    Conflict,
    Envelope,
    Handover,
    HandoverAction,
    HandoverState,
    HandoverSummary,
    HealthState,
    HeldAlert,
    Identifier,
    IncidentAction,
    IncidentState,
    InvalidInput,
    NotAllowed,
    PartTrouble,
    ShiftDecision,
    ShiftIncident,
    Text,
    UtcTime,
    Value,
    derived_id,
    new_id,
)
from impetus.model.handover import LIST_LIMIT, ShiftEscalation
from impetus.model.notification import EscalationState
from impetus.situation.decisions import deciding_person
from impetus.situation.health import HealthBoard
from impetus.situation.holding import may_work
from impetus.situation.shift import Mover, move_alert
from impetus.situation.views import ORIGIN
from impetus.store import Store, Transaction
from impetus.store.records import AlertFilter, AlertRecord, IncidentFilter, Page, VersionConflict

DECISIONS_LOOKED_AT: Final = 1_000
"""Newest decisions of a shift that the summary counts."""
LONGEST_SHIFT: Final = timedelta(days=7)
USUAL_SHIFT: Final = timedelta(hours=8)
RUNNING: Final = (IncidentState.CANDIDATE, IncidentState.OPEN, IncidentState.CONTAINED)


class NewHandover(Value):
    """A hand-over, as it is asked for."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: asking again is harmless."""
    text: Text = ""
    since: UtcTime | None = None
    """When the shift began; None: eight hours ago."""
    successor: Identifier | None = None
    """For whom it is meant; None: whoever accepts it."""


class HandoverDecision(Value):
    """A decision on a hand-over, as it is asked for."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: sending the same decision again is harmless."""
    action: HandoverAction
    version: Annotated[int, Field(ge=1)]
    """The version of the hand-over that the person saw."""


class HandoverService:
    """Every method is about one organisation's hand-overs only."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, health: HealthBoard) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._health = health

    async def summary(self, principal: Principal, since: datetime | None = None) -> HandoverSummary:
        """How things stand now for a person who leaves. Raises `InvalidInput` for a shift that cannot have been."""
        person, _ = deciding_person(principal)
        tenant = principal.tenant
        now = self._clock.now()
        began = now - USUAL_SHIFT if since is None else since
        if not now - LONGEST_SHIFT <= began <= now:
            raise InvalidInput(
                "The shift must have begun within the last seven days.", hint="Leave 'since' out for eight hours ago."
            )
        letters = await self._bus.dead_letters(tenant, limit=LIST_LIMIT)
        async with self._store.view() as view:
            held = await view.workload.held_by(tenant, person)
            waiting, _ = await view.workload.waiting(tenant)
            escalated = await view.alerts.list(
                tenant, AlertFilter(states=(AlertState.ESCALATED,), joined=True), limit=LIST_LIMIT
            )
            counts = await view.alerts.counts(tenant)
            incidents = await view.incidents.list(tenant, IncidentFilter(states=RUNNING), limit=LIST_LIMIT)
            decisions = await view.assessments.list(tenant, since=began, limit=DECISIONS_LOOKED_AT)
            escalations = await view.notification.escalations(tenant, limit=LIST_LIMIT)
        notes = [one for one in decisions.items if one.action == IncidentAction.NOTE]
        return HandoverSummary(
            since=began,
            made=now,
            held=_held(held[:LIST_LIMIT]),
            held_count=len(held),
            waiting_count=waiting,
            incidents=tuple(
                ShiftIncident(
                    id=incident.id,
                    title=incident.title,
                    state=incident.state,
                    severity=incident.severity,
                    threat_class=incident.threat_class,
                    opened=incident.opened,
                    alerts=len(incident.alerts),
                )
                for incident in incidents.items
            ),
            decisions=_decisions(decisions.items[:LIST_LIMIT]),
            decision_counts=dict(Counter(one.action for one in decisions.items)),
            decisions_complete=decisions.next is None,
            escalated=_held(escalated.items),
            escalated_count=counts[AlertState.ESCALATED],
            escalations=tuple(
                ShiftEscalation(
                    chain=one.chain,
                    subject=one.subject.id,
                    title=one.subject.headline,
                    state=one.state.value,
                    started=one.started,
                )
                for one in escalations.items
                if one.state in (EscalationState.CLIMBING, EscalationState.EXHAUSTED)
            ),
            notes=_decisions(notes[:LIST_LIMIT]),
            dead_letters=len(letters),
            parts=tuple(
                PartTrouble(part=part.part, state=part.state.value, text=part.text)
                for part in self._health.board()
                if part.state is not HealthState.RUNNING
            ),
        )

    async def write(self, principal: Principal, new: NewHandover) -> Handover:
        """Leave the shift to the next; on disk when this returns. Asking again with the same id is harmless.

        Raises `Conflict` for an id that is taken or a successor who cannot work, `NotFound` for one who is unknown,
        and `InvalidInput`.
        """
        person, person_name = deciding_person(principal)
        tenant = principal.tenant
        summary = await self.summary(principal, new.since)
        async with self._store.transaction() as transaction:
            known = await transaction.handovers.find(tenant, new.id)
            if known is not None:
                if (known.author, known.text) != (person, new.text):
                    raise Conflict(
                        "Another hand-over has this id.", hint="Give every hand-over an id of its own, or leave it out."
                    )
                return known
            successor = None if new.successor is None else await transaction.users.get(tenant, new.successor)
            if successor is not None and (not may_work(successor) or successor.id == person):
                raise Conflict(f"{successor.full_name} cannot take over.", hint="Choose another person.")
            now = self._clock.now()
            handover = Handover(
                id=new.id,
                tenant=tenant,
                author=person,
                author_name=person_name,
                text=new.text,
                summary=summary,
                written=now,
                updated=now,
                successor=successor.id if successor is not None else None,
                successor_name=successor.full_name if successor is not None else None,
            )
            if not await transaction.handovers.add(tenant, handover):
                raise Conflict("This hand-over is being written at this moment.", hint="Look at the list.")
            await self._record(transaction, principal, handover, "write", {"held": summary.held_count})
        return handover

    async def decide(self, principal: Principal, id: str, decision: HandoverDecision) -> Handover:
        """Accept or withdraw; on disk when this returns. The same decision again gives the same answer.

        Accepting gives all that the author holds at that moment to the one who accepts, in one transaction. The cap
        does not hinder it: a leaving person's alerts must go somewhere. Nothing more can be taken until the successor
        is below it.

        Raises `NotFound`, `NotAllowed` for the wrong person, and `Conflict` when it was accepted or withdrawn before.
        """
        try:
            return await self._decide(principal, id, decision)
        except VersionConflict:
            # Somebody acted on one of the alerts or on the hand-over at the same moment; now it is plain who was first.
            return await self._decide(principal, id, decision)

    async def _decide(self, principal: Principal, id: str, decision: HandoverDecision) -> Handover:
        person, person_name = deciding_person(principal)
        tenant = principal.tenant
        accepts = decision.action is HandoverAction.ACCEPT
        async with self._store.transaction() as transaction:
            before = await transaction.handovers.get(tenant, id)
            if before.decision == decision.id:
                who = before.successor if before.state is HandoverState.ACCEPTED else before.author
                if who != person:
                    raise Conflict("Another decision has this id.", hint="Give every decision an id of its own.")
                return before
            now = self._clock.now()
            update: dict[str, object] = {"updated": now, "decision": decision.id}
            envelopes: list[Envelope] = []
            if before.version == decision.version:
                _check(before, decision.action, person)
            if before.version == decision.version and accepts:
                await transaction.workload.one_at_a_time(tenant, before.author)
                held = await transaction.workload.held_by(tenant, before.author)
                reason = f"hand-over from {before.author_name}"
                mover = Mover(person, person_name, principal.actor, decision.id, reason, now)
                for record in held:
                    _, more = await move_alert(transaction, mover, record, (person, person_name))
                    envelopes += more
                moved = tuple(record.alert.id for record in held)
                update |= {"successor": person, "successor_name": person_name, "accepted": now, "moved": moved}
            state = HandoverState.ACCEPTED if accepts else HandoverState.WITHDRAWN
            changed = await transaction.handovers.change(
                tenant, before.model_copy(update={**update, "state": state}), expected_version=decision.version
            )
            await transaction.outbox.add(envelopes)
            detail = {"decision": decision.id, "author": before.author, "alerts": list(changed.moved)}
            await self._record(transaction, principal, changed, decision.action.value, detail)
        return changed

    async def get(self, tenant: str, id: str) -> Handover:
        """One hand-over. Raises `NotFound`."""
        async with self._store.view() as view:
            return await view.handovers.get(tenant, id)

    async def list(self, tenant: str, *, state: HandoverState | None, limit: int, after: str | None) -> Page[Handover]:
        """A page of hand-overs, written last first. Raises `InvalidInput`."""
        async with self._store.view() as view:
            return await view.handovers.list(tenant, state=state, limit=limit, after=after)

    async def _record(
        self,
        transaction: Transaction,
        principal: Principal,
        handover: Handover,
        action: str,
        detail: Mapping[str, object],
    ) -> None:
        await append(
            transaction,
            tenant=handover.tenant,
            time=handover.updated,
            actor=principal.actor,
            action=f"handover.{action}",
            subject=f"handover:{handover.id}",
            detail=detail,
        )
        envelope = Envelope.wrap(
            handover,
            kind="handover",
            tenant=handover.tenant,
            origin=ORIGIN,
            time=handover.updated,
            partition=handover.id,
            id=derived_id("handover", handover.tenant, handover.id, str(handover.version)),
        )
        await transaction.outbox.add([envelope])


def _check(handover: Handover, action: HandoverAction, person: str) -> None:
    if handover.state is not HandoverState.WRITTEN:
        raise Conflict(
            f"The hand-over is {handover.state.value} already.", hint="Look at it again, or write another one."
        )
    if action is HandoverAction.WITHDRAW:
        if person != handover.author:
            raise NotAllowed(f"Only {handover.author_name} withdraws this hand-over.", hint="Accept it, or let it be.")
    elif person == handover.author:
        raise NotAllowed("A hand-over is accepted by another person.", hint="Ask your successor to accept it.")
    elif handover.successor not in (None, person):
        raise NotAllowed(
            f"This hand-over is meant for {handover.successor_name}.", hint="Ask the author to write another one."
        )


def _held(records: Sequence[AlertRecord]) -> tuple[HeldAlert, ...]:
    return tuple(
        HeldAlert(
            id=record.alert.id,
            headline=record.alert.headline,
            severity=record.alert.severity,
            state=record.state,
            place=record.alert.place.name if record.alert.place is not None else None,
            incident=record.incident,
            received=record.received,
            held_since=record.held_since,
            holder_name=record.holder_name,
            repeats=record.repeats,
        )
        for record in records
    )


def _decisions(assessments: Sequence[Assessment]) -> tuple[ShiftDecision, ...]:
    return tuple(
        ShiftDecision(
            decided=one.decided,
            subject_kind=one.subject_kind,
            subject=one.subject,
            action=one.action,
            person_name=one.person_name,
            reason=one.reason,
        )
        for one in assessments
    )
