"""Drafts of procedures: a person reads one, perhaps changes it, and lets it go out. Nothing goes out without that."""

from __future__ import annotations

from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Clock,
    Conflict,
    Draft,
    DraftSending,
    Incident,
    InvalidInput,
    NotFound,
    Permission,
    ProcedureAction,
    ProcedureRun,
    Status,
    SubjectKind,
    User,
    derived_id,
    joint_status,
)
from impetus.model.notification import Notification
from impetus.response.escalation import hindrance, marked
from impetus.response.plans import channels_of
from impetus.response.progress import event_of, run_envelope
from impetus.response.requests import Sending, acting_person, check_same
from impetus.store import Store, Transaction, VersionConflict
from impetus.store.procedures import KeptRun

ATTEMPTS = 5


class DraftService:
    """Lets drafts go out, through the channels of notification."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def send(self, principal: Principal, run: str, step: str, sending: Sending) -> ProcedureRun:
        """Put the message into the queue of each channel, in the name of the person who approved it; the delivery log
        says what became of it. The same again changes nothing.

        What belongs to an exercise goes only to channels that are marked for exercises, and says so in its first word.
        Raises `NotFound`, `NotAllowed` for a machine, `InvalidInput` for a channel that may not carry it, and
        `Conflict` for a channel that got this draft before.
        """
        principal.require(Permission.INCIDENTS_DECIDE)
        person = acting_person(principal)
        for _ in range(ATTEMPTS):
            try:
                return await self._send(principal, person, run, step, sending)
            except VersionConflict:
                # What moved is the procedure, by a task or by its clock: the approval concerns the words.
                continue
        raise Conflict("The procedure moves on too quickly.", hint="Try again in a moment.")

    async def _send(self, principal: Principal, person: User, id: str, step: str, sending: Sending) -> ProcedureRun:
        tenant, now = principal.tenant, self._clock.now()
        async with self._store.transaction() as transaction:
            kept = await transaction.procedures.run(tenant, id)
            known = await transaction.procedures.find_event(tenant, sending.id)
            if known is not None:
                check_same(known, ProcedureAction.SEND, person, task=None, run=id)
                return kept.run
            draft = next((one for one in kept.run.drafts if one.step == step), None)
            if draft is None:
                raise NotFound(f"the procedure drafted nothing in the step {step}", hint="Load it again.")
            _check_once(draft, sending)
            incident = await transaction.incidents.get(tenant, kept.run.incident)
            status = await _status(transaction, incident)
            await _check_channels(transaction, tenant, sending, status)
            title, body = marked(status, sending.title, sending.text)
            await transaction.notification.add_notifications(
                [
                    Notification(
                        id=derived_id("notification", tenant, sending.id, channel),
                        tenant=tenant,
                        run=id,
                        channel=channel,
                        recipient=draft.audience,
                        subject_kind=SubjectKind.INCIDENT,
                        subject=incident.id,
                        status=status,
                        title=title,
                        body=body,
                        created=now,
                        due=now,
                    )
                    for channel in sending.channels
                ]
            )
            done = DraftSending(
                id=sending.id,
                channels=sending.channels,
                title=sending.title,
                text=sending.text,
                sent=now,
                person=person.id,
                person_name=person.full_name,
            )
            sent = draft.model_copy(update={"sendings": (*draft.sendings, done)})
            drafts = tuple(sent if one.step == step else one for one in kept.run.drafts)
            run = await transaction.procedures.change_run(
                KeptRun(kept.run.model_copy(update={"drafts": drafts, "updated": now}), kept.engine_state, kept.wake),
                expected_version=kept.run.version,
                handled_by=person.full_name,
            )
            await transaction.procedures.add_event(
                event_of(
                    run,
                    ProcedureAction.SEND,
                    now,
                    id=sending.id,
                    title=draft.title,
                    person=person,
                    step=step,
                    answers={"channels": ", ".join(sending.channels)},
                )
            )
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=principal.actor,
                action="draft.send",
                subject=f"procedure-run:{id}",
                detail={"event": sending.id, "step": step, "channels": list(sending.channels), "status": status.value},
            )
            await transaction.outbox.add([run_envelope(run)])
        return run


def _check_once(draft: Draft, sending: Sending) -> None:
    if len(set(sending.channels)) < len(sending.channels):
        raise InvalidInput("A channel is named twice.", hint="Name each channel once.")
    for before in draft.sendings:
        again = [channel for channel in sending.channels if channel in before.channels]
        if again:
            raise Conflict(
                f"{before.person_name} sent this to {', '.join(again)} at {before.sent:%H:%M} UTC.",
                hint="Read what went out; choose other channels if others should get it too.",
            )


async def _check_channels(transaction: Transaction, tenant: str, sending: Sending, status: Status) -> None:
    channels = {kept.plan.id: kept.plan for kept in await channels_of(transaction, tenant)}
    for channel in sending.channels:
        why = hindrance(channels.get(channel), status)
        if why:
            raise InvalidInput(f"This cannot go to {channel}: {why}.", hint="Choose another channel.")


async def _status(transaction: Transaction, incident: Incident) -> Status:
    records = await transaction.alerts.many(incident.tenant, incident.alerts)
    return joint_status(record.alert.status for record in records.values())
