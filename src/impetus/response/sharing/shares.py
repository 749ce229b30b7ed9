"""Incidents that are open to other organisations: opened, kept up to date and closed as the agreements say.

What is shared is always an incident. Where an agreement lets confirmed alerts cross, confirming one opens an incident
on it, in the name of the person who confirmed: there has to be a room for both sides to meet in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import structlog
from pydantic import Field, ValidationError

from impetus.bus import Delivery
from impetus.governance import sharing
from impetus.governance.agreements import close_share, closed_view, share_envelope, share_view, view_envelope
from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.governance.sharing import Facts
from impetus.model import (
    Agreement,
    AlertState,
    Assessment,
    Clock,
    Conflict,
    FieldGroup,
    Identifier,
    ImpetusError,
    Incident,
    IncidentShare,
    IncidentState,
    NotAllowed,
    PartAction,
    PartState,
    Permission,
    SharedEntry,
    SharedEntryKind,
    SharedIncident,
    SharedRoom,
    ShareEnding,
    SharingTerms,
    Side,
    Signature,
    SubjectKind,
    Text,
    Value,
    derived_id,
    new_id,
)
from impetus.response.sharing.conversation import Conversation
from impetus.response.sharing.facts import Open, Organisations, head_of, look, read_facts
from impetus.store import AlertRecord, IncidentFilter, Page, Store, Transaction, VersionConflict
from impetus.store.sharing import ShareRecord

log = structlog.get_logger(__name__)

DURABLE = "response-sharing"
SUBJECTS = ("*.incident.>", "*.assessment.>", "*.agreement.>")

RUNNING = (IncidentState.CANDIDATE, IncidentState.OPEN, IncidentState.CONTAINED)
PREVIEW_DAYS = 7
PREVIEW_LIMIT = 200
PREVIEW_EXAMPLES = 3

PART_STEPS = {
    PartAction.ACKNOWLEDGE: (frozenset({PartState.NOTIFIED}), PartState.ACKNOWLEDGED),
    PartAction.ENGAGE: (
        frozenset({PartState.NOTIFIED, PartState.ACKNOWLEDGED, PartState.STOOD_DOWN}),
        PartState.ENGAGED,
    ),
    PartAction.STAND_DOWN: (
        frozenset({PartState.NOTIFIED, PartState.ACKNOWLEDGED, PartState.ENGAGED}),
        PartState.STOOD_DOWN,
    ),
}
"""What a receiver may decide: from which of its states, and where that leads."""

OpenIncident = Callable[[AlertRecord, Assessment], Awaitable[None]]
"""Opens an incident on a confirmed alert in the name of the person who confirmed it; idempotent."""


class PartDecision(Value):
    """What a person of the receiver decides on a shared incident."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: sending the same decision again is harmless."""
    action: PartAction
    reason: Text = ""
    version: Annotated[int, Field(ge=1)]
    """The version of the view that the person saw."""


class PartDecided(Value):
    """A decision that was taken, and the shared incident as it stands now."""

    decision: Assessment
    incident: SharedIncident


class ShareState(Value):
    """With whom an incident is shared, and what they do."""

    shares: tuple[IncidentShare, ...]
    timeline: tuple[SharedEntry, ...]
    """What the other sides decided."""


class Preview(Value):
    """What would have crossed in the last days under some terms."""

    days: int
    incidents: int
    """Incidents that were looked at."""
    crossing: int
    examples: tuple[SharedRoom, ...]
    """As the other side would have seen them."""


def part_actions(state: PartState) -> Sequence[PartAction]:
    """What may be decided now."""
    return [action for action, (before, _) in PART_STEPS.items() if state in before]


@dataclass(frozen=True, slots=True)
class _Now:
    """One look at everything, within one transaction."""

    transaction: Transaction
    organisations: Organisations


class Shares:
    """What is shared between organisations."""

    def __init__(self, store: Store, clock: Clock, open_incident: OpenIncident | None = None) -> None:
        self._store = store
        self._clock = clock
        self._open_incident = open_incident
        self.conversation = Conversation(store, clock)

    # --- Kept up to date ---

    async def handle(self, deliveries: Sequence[Delivery], refuse: Callable[[Delivery, str], None]) -> None:
        """Look again at each incident that something was told of. Any number of repetitions is harmless."""
        incidents: dict[tuple[str, str], None] = {}
        givers: dict[str, None] = {}
        for delivery in deliveries:
            envelope = delivery.envelope
            try:
                if envelope.kind == "incident":
                    incidents[envelope.tenant, envelope.open(Incident).id] = None
                elif envelope.kind == "agreement":
                    agreement = envelope.open(Agreement)
                    if agreement.giver == envelope.tenant:
                        givers[envelope.tenant] = None
                else:
                    assessment = envelope.open(Assessment)
                    incident = await self._incident_of(assessment)
                    if incident is not None:
                        incidents[envelope.tenant, incident] = None
            except ValidationError as error:
                refuse(delivery, str(error))
        for tenant, id in incidents:
            await self.refresh(tenant, id)
        for tenant in givers:
            await self.refresh_all(tenant)

    async def _incident_of(self, assessment: Assessment) -> str | None:
        """The incident that a decision is about; opened now if a confirmed alert crosses and has none."""
        if assessment.subject_kind is SubjectKind.INCIDENT:
            return None  # its own message comes with it
        async with self._store.view(across=True) as view:
            record = await view.alerts.find(assessment.tenant, assessment.subject)
            if record is None or record.incident is not None:
                return record.incident if record is not None else None
            if assessment.action != "confirm" or record.state is not AlertState.CONFIRMED:
                return None
            now = self._clock.now()
            organisations = await Organisations.read(view)
            crosses = any(
                agreement.terms.alerts
                and sharing.in_force(agreement, now, organisations.active)
                and sharing.alert_crosses(agreement.terms, record)
                for agreement in await view.sharing.agreements_of_giver(assessment.tenant, now)
            )
        if crosses and self._open_incident is not None:
            try:
                await self._open_incident(record, assessment)
            except ImpetusError as error:
                # Somebody joined it elsewhere meanwhile, or the person's account is gone: then that is what counts.
                log.warning("no incident opened on a confirmed alert", alert=record.alert.id, error=str(error))
        return None

    async def refresh_all(self, giver: str) -> None:
        """Look again at all incidents of an organisation that run or are shared."""
        ids: dict[str, None] = {}
        async with self._store.view(across=True) as view:
            after = None
            while True:
                page = await view.incidents.list(giver, IncidentFilter(states=RUNNING), limit=1_000, after=after)
                ids |= dict.fromkeys(incident.id for incident in page.items)
                after = page.next
                if after is None:
                    break
            ids |= dict.fromkeys(share.incident for share in await view.sharing.open_shares_of_giver(giver))
        for id in ids:
            await self.refresh(giver, id)

    async def refresh(self, giver: str, incident: str) -> None:
        """Open, bring up to date or close the views of one incident, and tell both sides what changed."""
        async with self._store.view(across=True) as view:
            agreements = await view.sharing.agreements_of_giver(giver, self._clock.now())
            shares = await view.sharing.shares_of_incident(giver, incident)
            if not agreements and all(share.ended is not None for share in shares):
                return
        async with self._store.transaction(across=True) as transaction:
            await transaction.sharing.one_at_a_time(giver)
            now = self._clock.now()
            look_now = _Now(transaction, await Organisations.read(transaction))
            facts = await read_facts(transaction, giver, incident)
            known = {one.receiver: one for one in await transaction.sharing.shares_of_incident(giver, incident)}
            covering: dict[str, list[Agreement]] = {}
            for agreement in await transaction.sharing.agreements_of_giver(giver, now):
                if (
                    facts is not None
                    and sharing.in_force(agreement, now, look_now.organisations.active)
                    and sharing.incident_crosses(agreement.terms, facts)
                ):
                    covering.setdefault(agreement.receiver, []).append(agreement)
            for receiver in dict.fromkeys([*covering, *known]):
                share = known.get(receiver)
                chosen = sharing.widest(covering.get(receiver, ()))
                if chosen is not None and facts is not None:
                    await self._show(look_now, chosen, facts, share)
                elif share is not None and share.ended is None:
                    because = await look(transaction, share, look_now.organisations, now)
                    ending = ShareEnding.NOT_COVERED if isinstance(because, Open) else because
                    await close_share(transaction, share, ending, now)

    async def _show(self, at: _Now, agreement: Agreement, facts: Facts, share: ShareRecord | None) -> None:
        now = self._clock.now()
        fresh = share is None or share.ended is not None
        if share is None:
            share = ShareRecord(
                id=derived_id("share", agreement.giver, facts.incident.id, agreement.receiver),
                giver=agreement.giver,
                incident=facts.incident.id,
                receiver=agreement.receiver,
                agreement=agreement.id,
                part=PartState.NOTIFIED,
                version=0,
                since=now,
                updated=now,
            )
        elif fresh:
            share = share.model_copy(update={"since": now, "ended": None, "ending": None})
        share = share.model_copy(update={"agreement": agreement.id})
        digest = _digest(sharing.shared_room(agreement, head_of(_still(share), at.organisations), facts))
        if digest == share.digest and not fresh:
            return
        share = share.model_copy(update={"digest": digest, "updated": now, "version": share.version + 1})
        await at.transaction.sharing.put_share(share)
        if fresh:
            for tenant in (share.giver, share.receiver):
                await append(
                    at.transaction,
                    tenant=tenant,
                    time=now,
                    actor="system:sharing",
                    action="sharing.begin",
                    subject=f"incident:{share.incident}" if tenant == share.giver else f"shared-incident:{share.id}",
                    detail={
                        "with": share.receiver if tenant == share.giver else share.giver,
                        "agreement": agreement.id,
                    },
                )
        await self._tell(at, share, agreement, facts)

    async def _tell(self, at: _Now, share: ShareRecord, agreement: Agreement, facts: Facts) -> SharedIncident:
        view = sharing.shared_room(agreement, head_of(share, at.organisations), facts).incident
        given = share_view(share, at.organisations.name(share.receiver), agreement.terms)
        await at.transaction.outbox.add([view_envelope(share, view), share_envelope(given, share.giver)])
        return view

    async def sweep(self) -> int:
        """Close what is marked as open though its agreement's time is over; how many. Nobody could look at it since
        that moment anyway: this only tells the screens."""
        now = self._clock.now()
        async with self._store.view(across=True) as view:
            overdue = await view.sharing.overdue_in_installation(now)
        for giver, incident in dict.fromkeys((share.giver, share.incident) for share in overdue):
            await self.refresh(giver, incident)
        return len(overdue)

    # --- The receiver's side ---

    async def received(self, principal: Principal, *, limit: int, after: str | None) -> Page[SharedIncident]:
        """What is shared with the caller's organisation, newest first; what no longer is, shows that there was
        something. Raises `InvalidInput`."""
        principal.require(Permission.INCIDENTS_READ)
        now = self._clock.now()
        async with self._store.view(across=True) as view:
            organisations = await Organisations.read(view)
            page = await view.sharing.list_received(principal.tenant, limit=limit, after=after)
            found = []
            for share in page.items:
                state = await look(view, share, organisations, now)
                found.append(state.room.incident if isinstance(state, Open) else _gone(share, state, organisations))
        return Page(tuple(found), page.next)

    async def room(self, principal: Principal, id: str) -> SharedRoom:
        """Open a shared incident; both sides' audit logs say who did. Raises `NotFound` and `NotAllowed`."""
        principal.require(Permission.INCIDENTS_READ)
        now = self._clock.now()
        async with self._store.transaction(across=True) as transaction:
            share = await transaction.sharing.received_share(principal.tenant, id)
            organisations = await Organisations.read(transaction)
            state = await look(transaction, share, organisations, now)
            room = state.room if isinstance(state, Open) else SharedRoom(incident=_gone(share, state, organisations))
            own = await transaction.sharing.decisions_on(share.receiver, [share.id])
            words = await self.conversation.for_receiver(transaction, share)
            if isinstance(state, Open):
                await self._seen(transaction, principal, share, state)
        entries = [*room.timeline, *(_own_entry(one) for one in own)]
        entries += [
            SharedEntry(
                time=one.sent,
                kind=SharedEntryKind.NOTE,
                organisation=one.author,
                text=one.text,
                person_name=one.person_name,
                visibility=one.visibility,
            )
            for one in words
            if one.kind == "note"
        ]
        return room.model_copy(update={"timeline": tuple(sorted(entries, key=lambda entry: entry.time))})

    async def decide(self, principal: Principal, id: str, decision: PartDecision) -> PartDecided:
        """Take the decision of a person of the receiver. It stays theirs, whatever becomes of the agreement.

        The same decision again gives the same answer. Raises `NotFound`, `NotAllowed` for a machine, and `Conflict`
        when it is shared no more, the action is not possible, or the view changed since.
        """
        principal.require(Permission.INCIDENTS_DECIDE)
        if principal.user is None:
            raise NotAllowed("Only a person decides, and this token belongs to a machine.")
        tenant, now = principal.tenant, self._clock.now()
        async with self._store.transaction(across=True) as transaction:
            share = await transaction.sharing.received_share(tenant, id)
            await transaction.sharing.one_at_a_time(share.giver)
            share = await transaction.sharing.received_share(tenant, id)
            organisations = await Organisations.read(transaction)
            state = await look(transaction, share, organisations, now)
            known = await transaction.assessments.find(tenant, decision.id)
            if known is not None:
                if (known.subject, known.action, known.person) != (id, decision.action.value, principal.user.id):
                    raise Conflict("Another decision with this id was taken before.")
                view = state.room.incident if isinstance(state, Open) else _gone(share, state, organisations)
                return PartDecided(decision=known, incident=view)
            if not isinstance(state, Open):
                raise Conflict("This incident is not shared with your organisation any more.", hint="Load it again.")
            if share.version != decision.version:
                raise VersionConflict(
                    f"this shared incident changed meanwhile: your side is {share.part.value} now",
                    state=share.part.value,
                    version=share.version,
                    handled_by=None,
                )
            before, after = PART_STEPS[decision.action]
            if share.part not in before:
                possible = ", ".join(one.value for one in part_actions(share.part))
                raise Conflict(
                    f"Your side is {share.part.value}, so '{decision.action.value}' is not possible.",
                    hint=f"Possible now: {possible}.",
                )
            changed = share.model_copy(update={"part": after, "updated": now, "version": share.version + 1})
            facts = state.facts
            at = _Now(transaction, organisations)
            digest = _digest(sharing.shared_room(state.agreement, head_of(_still(changed), organisations), facts))
            changed = changed.model_copy(update={"digest": digest})
            await transaction.sharing.put_share(changed)
            assessment = Assessment(
                id=decision.id,
                tenant=tenant,
                subject_kind=SubjectKind.INCIDENT,
                subject=share.id,
                action=decision.action.value,
                reason=decision.reason,
                state_before=share.part.value,
                state_after=after.value,
                version=changed.version,
                person=principal.user.id,
                person_name=principal.user.full_name,
                decided=now,
            )
            await transaction.assessments.add(assessment)
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=principal.actor,
                action=f"shared-incident.{decision.action.value}",
                subject=f"shared-incident:{id}",
                detail={"decision": decision.id, "reason": decision.reason, "giver": share.giver},
            )
            view = await self._tell(at, changed, state.agreement, facts)
        return PartDecided(decision=assessment, incident=view)

    async def _seen(self, transaction: Transaction, principal: Principal, share: ShareRecord, state: Open) -> None:
        detail: dict[str, object] = {"agreement": share.agreement, "version": share.version}
        named = FieldGroup.PEOPLE in state.agreement.terms.groups
        await append(
            transaction,
            tenant=share.receiver,
            time=self._clock.now(),
            actor=principal.actor,
            action="shared-incident.open",
            subject=f"shared-incident:{share.id}",
            detail={"giver": share.giver, **detail},
        )
        await append(
            transaction,
            tenant=share.giver,
            time=self._clock.now(),
            actor=f"organisation:{share.receiver}",
            action="incident.seen",
            subject=f"incident:{share.incident}",
            detail={**detail, **({"by": principal.name} if named else {})},
        )

    # --- The giver's side ---

    async def state(self, principal: Principal, incident: str) -> ShareState:
        """With whom the own incident is or was shared, and what they decided. Raises `NotFound` and `NotAllowed`."""
        principal.require(Permission.INCIDENTS_READ)
        giver = principal.tenant
        async with self._store.view(across=True) as view:
            await view.incidents.get(giver, incident)
            organisations = await Organisations.read(view)
            shown, entries = [], []
            for share in await view.sharing.shares_of_incident(giver, incident):
                agreement = await view.sharing.find_agreement(giver, share.agreement)
                if agreement is None:
                    continue
                shown.append(share_view(share, organisations.name(share.receiver), agreement.terms))
                entries += [
                    sharing.shared_decision(agreement.terms, one)
                    for one in await view.sharing.decisions_on(share.receiver, [share.id])
                ]
        return ShareState(shares=tuple(shown), timeline=tuple(sorted(entries, key=lambda entry: entry.time)))

    async def preview(self, principal: Principal, terms: SharingTerms, receiver: str) -> Preview:
        """What of the last week would have crossed under these terms, if the caller's organisation gave.

        Those who may not read incidents get the numbers only. Raises `NotAllowed` and `InvalidInput`.
        """
        principal.require(Permission.SHARING_DECIDE)
        now = self._clock.now()
        sharing.check_terms(terms, now)
        signature = Signature(person="preview", name="preview", time=now)
        trial = Agreement(
            id="preview",
            giver=principal.tenant,
            receiver=receiver,
            terms=terms,
            proposed_by=Side.GIVER,
            approved_by_giver=signature,
            approved_by_receiver=signature,
            created=now,
            updated=now,
        )
        looked_at, rooms = 0, []
        async with self._store.view(across=True) as view:
            organisations = await Organisations.read(view)
            page = await view.incidents.list(principal.tenant, limit=PREVIEW_LIMIT)
            for incident in page.items:
                if incident.opened < now - timedelta(days=PREVIEW_DAYS):
                    break
                looked_at += 1
                facts = await read_facts(view, principal.tenant, incident.id)
                if facts is not None and sharing.incident_crosses(terms, facts):
                    head = sharing.ShareHead(
                        id=derived_id("preview", incident.id),
                        giver_name=organisations.name(principal.tenant),
                        part=PartState.NOTIFIED,
                        version=1,
                        since=incident.opened,
                        updated=incident.updated,
                    )
                    rooms.append(sharing.shared_room(trial, head, facts))
        shown = rooms[:PREVIEW_EXAMPLES] if principal.may(Permission.INCIDENTS_READ) else []
        return Preview(days=PREVIEW_DAYS, incidents=looked_at, crossing=len(rooms), examples=tuple(shown))


def _own_entry(decision: Assessment) -> SharedEntry:
    return SharedEntry(
        time=decision.decided,
        kind=SharedEntryKind.DECISION,
        organisation=decision.tenant,
        action=decision.action,
        state_after=decision.state_after,
        text=decision.reason or None,
        person_name=decision.person_name,
    )


def _gone(share: ShareRecord, because: ShareEnding, organisations: Organisations) -> SharedIncident:
    closed = share if share.ended is not None else share.model_copy(update={"ended": share.updated, "ending": because})
    return closed_view(closed, organisations.name(share.giver))


def _still(share: ShareRecord) -> ShareRecord:
    """Without what changes with every message, so that the same content has the same digest."""
    return share.model_copy(update={"version": 1, "updated": share.since})


def _digest(room: SharedRoom) -> str:
    return hashlib.sha256(room.model_dump_json().encode()).hexdigest()
