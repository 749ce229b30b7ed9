"""Chat and notes in an incident. A note marked `ours` never leaves the organisation that wrote it.

Every receiver has a conversation of its own with the giver: two receivers have no agreement with each other, so that
neither reads what the other writes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Agreement,
    Clock,
    Conflict,
    Envelope,
    FieldGroup,
    Identifier,
    IncidentMessage,
    NotAllowed,
    Slug,
    Value,
    Visibility,
    derived_id,
    new_id,
)
from impetus.response.sharing.facts import Open, Organisations, look
from impetus.store import Store, Transaction
from impetus.store.sharing import ShareRecord, StoredMessage

ORIGIN = "sharing"


class NewMessage(Value):
    """A message or a note, as a person sends it."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: sending it again is harmless."""
    text: Annotated[str, StringConstraints(min_length=1, max_length=4_000, strip_whitespace=True)]
    kind: Literal["chat", "note"] = "chat"
    visibility: Visibility = Visibility.OURS
    """Of a note; a chat message is always shared."""
    to: Slug | None = None
    """The one organisation it is for; only the giver chooses, and without it all who share the incident read it."""


class Conversation:
    """What people write in incidents, on both sides."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def messages(self, principal: Principal, id: str) -> Sequence[IncidentMessage]:
        """What the caller's organisation may read in its own incident or in one shared with it, in order of time.

        Raises `NotFound`.
        """
        async with self._store.view(across=True) as view:
            share = await view.sharing.find_share(principal.tenant, id)
            if share is None or share.receiver != principal.tenant:
                await view.incidents.get(principal.tenant, id)
                return await self._for_giver(view, principal.tenant, id)
            return await self.for_receiver(view, share)

    async def for_receiver(self, view: Transaction, share: ShareRecord) -> Sequence[IncidentMessage]:
        """What the receiver may read at this moment: its own words always, the giver's while they may cross."""
        organisations = await Organisations.read(view)
        state = await look(view, share, organisations, self._clock.now())
        agreement = state.agreement if isinstance(state, Open) else None
        return [
            _shown(message, share.id, share.receiver, agreement, organisations)
            for message in await view.sharing.messages(share.giver, share.incident)
            if receiver_reads(share, agreement, message)
        ]

    async def _for_giver(self, view: Transaction, giver: str, incident: str) -> Sequence[IncidentMessage]:
        organisations = await Organisations.read(view)
        agreements = {}
        for share in await view.sharing.shares_of_incident(giver, incident):
            agreements[share.receiver] = await view.sharing.find_agreement(giver, share.agreement)
        return [
            _shown(message, incident, giver, agreements.get(message.author), organisations)
            for message in await view.sharing.messages(giver, incident)
            if giver_reads(giver, message)
        ]

    async def post(self, principal: Principal, id: str, new: NewMessage) -> IncidentMessage:
        """Write into the own incident or one shared with the own organisation; on disk when this returns.

        The same message again changes nothing. Raises `NotFound`, `NotAllowed` for a machine, and `Conflict` where
        nobody would read it.
        """
        if principal.user is None:
            raise NotAllowed("Only a person writes here, and this token belongs to a machine.")
        tenant, now = principal.tenant, self._clock.now()
        shared = new.kind == "chat" or new.visibility is Visibility.SHARED
        async with self._store.transaction(across=True) as transaction:
            share = await transaction.sharing.find_share(tenant, id)
            received = share is not None and share.receiver == tenant
            organisations = await Organisations.read(transaction)
            readers: dict[str, tuple[ShareRecord, Agreement]] = {}
            if share is not None and received:
                giver, incident = share.giver, share.incident
                candidates: Sequence[ShareRecord] = [share]
            else:
                giver, incident = tenant, (await transaction.incidents.get(tenant, id)).id
                candidates = await transaction.sharing.shares_of_incident(tenant, id)
            for one in candidates if shared else ():
                state = await look(transaction, one, organisations, now)
                talks = isinstance(state, Open) and FieldGroup.CONVERSATION in state.agreement.terms.groups
                if isinstance(state, Open) and talks and new.to in (None, one.receiver, one.giver):
                    readers[one.receiver] = (one, state.agreement)
            # A shared note may wait for readers; who chats wants to be read now.
            if shared and not readers and (received or new.kind == "chat"):
                raise Conflict(
                    "Nobody else reads along in this incident.",
                    hint="It is not shared, or the agreement does not let words cross; write a note instead.",
                )
            message = StoredMessage(
                id=new.id,
                giver=giver,
                incident=incident,
                author=tenant,
                receiver=tenant if received else new.to,
                person=principal.user.id,
                person_name=principal.user.full_name,
                sent=now,
                text=new.text,
                kind=new.kind,
                visibility=Visibility.SHARED if shared else Visibility.OURS,
            )
            shown = _shown(message, id, tenant, None, organisations)
            if not await transaction.sharing.add_message(message):
                known = await transaction.sharing.find_message(tenant, new.id)
                if known is None or (known.incident, known.giver, known.text) != (incident, giver, new.text):
                    raise Conflict("Another message has this id.", hint="Give every message an id of its own.")
                return _shown(known, id, tenant, None, organisations)
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=principal.actor,
                action=f"incident.{new.kind}",
                subject=f"shared-incident:{id}" if received else f"incident:{id}",
                detail={"message": new.id, "visibility": message.visibility.value, "readers": _names(readers, giver)},
            )
            envelopes = [_envelope(shown, tenant)]
            for one, agreement in readers.values():
                if received:
                    envelopes.append(_envelope(_shown(message, one.incident, giver, agreement, organisations), giver))
                elif receiver_reads(one, agreement, message):
                    view = _shown(message, one.id, one.receiver, agreement, organisations)
                    envelopes.append(_envelope(view, one.receiver))
            await transaction.outbox.add(envelopes)
        return shown


def giver_reads(giver: str, message: StoredMessage) -> bool:
    """The giver reads its own words, and what others shared: that is part of the file of its incident."""
    return message.author == giver or message.visibility is Visibility.SHARED


def receiver_reads(share: ShareRecord, agreement: Agreement | None, message: StoredMessage) -> bool:
    """A receiver reads its own words, and of the giver's what is shared with it; `agreement` is None where nothing is
    in force. What was said to others before the incident was shared with it, it does not read."""
    if message.author == share.receiver:
        return True
    return (
        agreement is not None
        and FieldGroup.CONVERSATION in agreement.terms.groups
        and message.author == share.giver
        and message.visibility is Visibility.SHARED
        and message.receiver in (None, share.receiver)
        and (message.kind == "note" or message.sent >= share.since)
    )


def _shown(
    message: StoredMessage, incident: str, reader: str, agreement: Agreement | None, organisations: Organisations
) -> IncidentMessage:
    named = message.author == reader or (agreement is not None and FieldGroup.PEOPLE in agreement.terms.groups)
    return IncidentMessage(
        # Identifiers are the author's own; the other side gets one that tells nothing.
        id=message.id if message.author == reader else derived_id("message", message.author, message.id),
        author=message.author,
        person=message.person if message.author == reader else None,
        person_name=message.person_name if named else None,
        sent=message.sent,
        text=message.text,
        kind=message.kind,
        visibility=message.visibility,
        incident=incident,
        author_name=organisations.name(message.author),
    )


def _names(readers: Collection[str], giver: str) -> list[str]:
    return sorted({giver, *readers}) if readers else []


def _envelope(message: IncidentMessage, tenant: str) -> Envelope:
    return Envelope.wrap(
        message,
        kind="incident-message",
        tenant=tenant,
        origin=ORIGIN,
        time=message.sent,
        partition=message.incident,
        id=derived_id("incident-message", tenant, message.author, message.id),
    )
