"""Who works on which alert: an acknowledged alert is held by a person, and nobody holds more than the cap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from impetus.governance import ROLE_PERMISSIONS
from impetus.governance.principal import Principal
from impetus.model import AlertAction, Conflict, InvalidInput, NotAllowed, Permission, Role, User
from impetus.situation.decisions import AlertDecision
from impetus.situation.settings import SituationSettings
from impetus.store import Transaction
from impetus.store.records import AlertRecord

TAKING = frozenset({AlertAction.ACKNOWLEDGE, AlertAction.REOPEN})
"""Actions after which the one who acts holds the alert."""


class AtCapacity(Conflict):
    """The person holds as many alerts as the cap allows."""

    code = "at-capacity"
    title = "The person holds as much as the cap allows"

    def __init__(self, name: str, held: int, cap: int) -> None:
        super().__init__(
            f"{name} holds {held} alerts, and the cap is {cap}.",
            hint="Release one or give one to a colleague first, or ask a supervisor to assign it in spite of the cap.",
        )


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whom an alert was given to."""

    id: str
    name: str


def cap_of(role: Role, settings: SituationSettings) -> int:
    """How many alerts a person of this role may hold, where no supervisor set it otherwise
    (`ShiftService.set_caps`)."""
    return settings.held_at_most.get(role, settings.held_at_most_otherwise)


def may_work(user: User) -> bool:
    """Whether a person can work on alerts at all."""
    return user.active and Permission.ALERTS_DECIDE in ROLE_PERMISSIONS[user.role]


async def settle_holder(
    transaction: Transaction,
    principal: Principal,
    record: AlertRecord,
    decision: AlertDecision,
    settings: SituationSettings,
    now: datetime,
) -> Receiver | None:
    """Write who holds the alert after a decision, before its version is raised; whom it was given to, if it was.

    Raises `NotAllowed` for somebody else's alert, `AtCapacity`, and `InvalidInput` or `Conflict` for what cannot be.
    """
    user = principal.user
    if user is None:
        raise TypeError("only a person decides")
    tenant, id = record.tenant, record.alert.id
    supervises = principal.may(Permission.ALERTS_ASSIGN)
    if (decision.person is not None) is not (decision.action is AlertAction.ASSIGN):
        wanted = "needs 'person', the one to give it to" if decision.person is None else "takes no 'person'"
        raise InvalidInput(f"'{decision.action.value}' {wanted}.", hint="Only assign is about another person.")
    if decision.override:
        if not supervises:
            raise NotAllowed("Only a supervisor goes above the cap.", hint="Ask a supervisor to assign the alert.")
        if not decision.reason.strip():
            raise InvalidInput("Going above the cap needs a reason.", hint="Say in a few words why.")
    if decision.action in TAKING:
        await _check_cap(transaction, user, record, decision, settings, now)
        await transaction.workload.hold(tenant, id, user.id, user.full_name, now)
        return None
    if decision.action is AlertAction.ASSIGN:
        return await _assign(transaction, user, record, decision, settings, now, supervises=supervises)
    if decision.action is AlertAction.RELEASE:
        if record.holder is None:
            raise Conflict("Nobody holds this alert.", hint="Look at its present state.")
        if record.holder != user.id and not supervises:
            raise NotAllowed(
                f"{record.holder_name} holds this alert, not you.", hint="Ask that person or a supervisor."
            )
    # Confirmed and dismissed is settled; escalated waits for somebody higher up; released waits for anybody.
    await transaction.workload.let_go(tenant, id)
    return None


async def _assign(
    transaction: Transaction,
    user: User,
    record: AlertRecord,
    decision: AlertDecision,
    settings: SituationSettings,
    now: datetime,
    *,
    supervises: bool,
) -> Receiver:
    if record.holder != user.id and not supervises:
        who = record.holder_name or "nobody"
        raise NotAllowed(
            f"You can give away only what you hold; {who} holds this alert.", hint="Ask a supervisor to assign it."
        )
    receiver = await transaction.users.get(record.tenant, str(decision.person))
    if not may_work(receiver):
        raise Conflict(f"{receiver.full_name} cannot work on alerts.", hint="Choose another person.")
    if receiver.id == record.holder:
        raise Conflict(f"{receiver.full_name} holds this alert already.", hint="Choose another person.")
    await _check_cap(transaction, receiver, record, decision, settings, now)
    await transaction.workload.hold(record.tenant, record.alert.id, receiver.id, receiver.full_name, now)
    return Receiver(receiver.id, receiver.full_name)


async def _check_cap(
    transaction: Transaction,
    user: User,
    record: AlertRecord,
    decision: AlertDecision,
    settings: SituationSettings,
    now: datetime,
) -> None:
    if decision.override or record.holder == user.id:
        return
    await transaction.workload.one_at_a_time(record.tenant, user.id)
    held = await transaction.workload.count(record.tenant, user.id)
    set_cap = (await transaction.workload.caps(record.tenant, now)).get(user.id)
    cap = cap_of(user.role, settings) if set_cap is None else set_cap.cap
    if held >= cap:
        raise AtCapacity(user.full_name, held, cap)
