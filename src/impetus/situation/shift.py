"""The people of a shift and what they hold: the supervisor's board, and alerts whose holder is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import structlog
from pydantic import Field

from impetus.governance import Principal
from impetus.governance.audit import append
from impetus.model import (
    AlertAction,
    Assessment,
    Clock,
    Envelope,
    Identifier,
    Line,
    NotAllowed,
    Permission,
    Role,
    SubjectKind,
    UtcTime,
    Value,
    derived_id,
)
from impetus.situation.alerts import assessment_envelope
from impetus.situation.holding import cap_of, may_work
from impetus.situation.lifecycle import next_alert_state
from impetus.situation.settings import SituationSettings
from impetus.situation.views import alert_envelope
from impetus.store import Store, Transaction
from impetus.store.records import AlertRecord, VersionConflict
from impetus.store.workload import Cap

log = structlog.get_logger(__name__)

ORIGIN_PERSON = "system:shift"
"""Who is named where the system itself returns an alert to the queue."""
ORIGIN_NAME = "impetus"


class Workload(Value):
    """One person who can work on alerts, and what that person holds."""

    person: Identifier
    name: Line
    role: Role
    active: bool
    held: int
    cap: int
    cap_until: UtcTime | None = None
    """Until when a supervisor set the cap otherwise than the house; None: the house's."""
    oldest: UtcTime | None = None
    """Since when the alert is held that is held longest."""


class CapDecision(Value):
    """A supervisor sets for a while how many alerts people may hold, or lets the house's cap hold again."""

    people: Annotated[tuple[Identifier, ...], Field(max_length=200)] = ()
    """Accounts; empty: all operators who can work."""
    cap: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """None: that of the house again."""
    hours: Annotated[float, Field(gt=0, le=24)] = 4.0
    """For so long; a shift ends, and the next one begins as usual."""
    reason: Line


@dataclass(frozen=True, slots=True)
class ShiftBoard:
    """Who holds how many, and what waits for anybody."""

    people: Sequence[Workload]
    """Most held first."""
    waiting: int
    """Alerts that nobody has acknowledged; repeats are counted once."""
    oldest_waiting: datetime | None
    """When the one arrived that has waited longest."""


@dataclass(frozen=True, slots=True)
class Mover:
    """On whose account alerts go from one hand to another, within one transaction."""

    person: str
    name: str
    actor: str
    cause: str
    """The decision that moves them: the same decision makes the same records."""
    reason: str
    now: datetime


class ShiftService:
    """Every method is about one organisation's people only, but for `return_orphans`."""

    def __init__(self, store: Store, clock: Clock, settings: SituationSettings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings

    async def board(self, tenant: str) -> ShiftBoard:
        """Everybody who can work on alerts or still holds some, and what waits."""
        async with self._store.view() as view:
            loads = {load.person: load for load in await view.workload.loads(tenant)}
            caps = await view.workload.caps(tenant, self._clock.now())
            waiting, oldest = await view.workload.waiting(tenant)
            people = [
                Workload(
                    person=user.id,
                    name=user.full_name,
                    role=user.role,
                    active=user.active,
                    held=loads[user.id].count if user.id in loads else 0,
                    cap=caps[user.id].cap if user.id in caps else cap_of(user.role, self._settings),
                    cap_until=caps[user.id].until if user.id in caps else None,
                    oldest=loads[user.id].oldest if user.id in loads else None,
                )
                for user in await view.users.list(tenant)
                if may_work(user) or user.id in loads
            ]
        return ShiftBoard(sorted(people, key=lambda one: (-one.held, one.name, one.person)), waiting, oldest)

    async def set_caps(self, by: Principal, decision: CapDecision) -> ShiftBoard:
        """A supervisor sets caps; nothing that is held is taken away. What comes of it is the new board.

        Raises `NotAllowed`, and `NotFound` for somebody who is not of this organisation.
        """
        by.require(Permission.ALERTS_ASSIGN)
        if by.user is None:
            raise NotAllowed("caps are set by a person", hint="Log in, or use a person's own token.")
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            users = await transaction.users.list(by.tenant)
            if decision.people:
                chosen = [await transaction.users.get(by.tenant, person) for person in decision.people]
            else:
                chosen = [user for user in users if may_work(user) and user.role is Role.OPERATOR]
            for user in chosen:
                if decision.cap is None:
                    await transaction.workload.lift_cap(by.tenant, user.id)
                else:
                    until = now + timedelta(hours=decision.hours)
                    await transaction.workload.set_cap(
                        by.tenant, Cap(user.id, decision.cap, until, by.user.id, decision.reason)
                    )
            await append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action="shift.cap",
                subject="shift",
                detail={
                    "people": [user.id for user in chosen],
                    "cap": decision.cap,
                    "hours": decision.hours,
                    "reason": decision.reason,
                },
            )
        return await self.board(by.tenant)

    async def return_orphans(self) -> int:
        """Return to the queue what is held by people who can no longer work on it; how many alerts that were."""
        async with self._store.view() as view:
            gone = [
                (tenant, person)
                for tenant, person in await view.workload.holders_in_installation()
                if not await _works(view, tenant, person)
            ]
        returned = 0
        for tenant, person in gone:
            try:
                returned += await self._return(tenant, person)
            except VersionConflict:
                # Somebody acts on one of them at this moment; the next round sees what is left.
                log.info("alerts not returned yet", tenant=tenant)
        return returned

    async def _return(self, tenant: str, person: str) -> int:
        async with self._store.transaction() as transaction:
            if await _works(transaction, tenant, person):
                return 0
            held = await transaction.workload.held_by(tenant, person)
            if not held:
                return 0
            name = held[0].holder_name or person
            mover = Mover(
                ORIGIN_PERSON,
                ORIGIN_NAME,
                ORIGIN_PERSON,
                f"{person} {self._clock.now().isoformat()}",
                f"{name} can no longer work on it.",
                self._clock.now(),
            )
            envelopes: list[Envelope] = []
            for record in held:
                _, more = await move_alert(transaction, mover, record, None)
                envelopes += more
            await append(
                transaction,
                tenant=tenant,
                time=mover.now,
                actor=mover.actor,
                action="shift.return",
                subject=f"user:{person}",
                detail={"alerts": [record.alert.id for record in held]},
            )
            await transaction.outbox.add(envelopes)
        return len(held)


async def move_alert(
    transaction: Transaction, mover: Mover, record: AlertRecord, to: tuple[str, str] | None
) -> tuple[AlertRecord, Sequence[Envelope]]:
    """Give a held alert to another person (id, full name), or back to the queue; keeps that in its history.

    Raises `VersionConflict` when somebody acted on it since `record` was read.
    """
    tenant, id = record.tenant, record.alert.id
    action = AlertAction.RELEASE if to is None else AlertAction.ASSIGN
    state = next_alert_state(record.state, action)
    if to is None:
        await transaction.workload.let_go(tenant, id)
    else:
        await transaction.workload.hold(tenant, id, to[0], to[1], mover.now)
    changed = await transaction.alerts.change(
        tenant,
        id,
        expected_version=record.version,
        state=state,
        incident=record.incident,
        handled_by=mover.name,
        updated=mover.now,
    )
    await transaction.workload.follow(
        tenant, id, before=record.state, after=state, handled_by=mover.name, updated=mover.now
    )
    assessment = Assessment(
        id=derived_id(action.value, tenant, mover.cause, id),
        tenant=tenant,
        subject_kind=SubjectKind.ALERT,
        subject=id,
        action=action.value,
        reason=mover.reason,
        state_before=record.state.value,
        state_after=state.value,
        version=changed.version,
        person=mover.person,
        person_name=mover.name,
        decided=mover.now,
        given_to=to[0] if to is not None else None,
        given_to_name=to[1] if to is not None else None,
    )
    await transaction.assessments.add(assessment)
    return changed, (alert_envelope(changed), assessment_envelope(assessment))


async def _works(transaction: Transaction, tenant: str, person: str) -> bool:
    user = await transaction.users.find(tenant, person)
    organisation = await transaction.organisations.find(tenant)
    return user is not None and may_work(user) and organisation is not None and organisation.active
