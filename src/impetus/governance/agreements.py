"""Sharing agreements as people make them: proposed, changed, approved by both sides, ended by either at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from impetus.governance import audit, sharing
from impetus.governance.principal import Principal
from impetus.model import (
    Agreement,
    AgreementState,
    Clock,
    Conflict,
    Ending,
    Envelope,
    Identifier,
    IncidentShare,
    NotAllowed,
    Permission,
    PlaceDetail,
    SharedIncident,
    ShareEnding,
    SharingTerms,
    Side,
    Signature,
    Slug,
    Tenant,
    Text,
    Value,
    derived_id,
    new_id,
)
from impetus.store import Page, Store, Transaction
from impetus.store.sharing import ShareRecord

ORIGIN = "sharing"


class NewAgreement(Value):
    """An agreement, as it is proposed."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: asking again is harmless."""
    giver: Slug
    receiver: Slug
    terms: SharingTerms


class AgreementStep(Value):
    """An approval, or other terms for what is only proposed."""

    version: Annotated[int, Field(ge=1)]
    """The version that the person saw."""
    terms: SharingTerms | None = None
    """Only when changing."""


class AgreementEnd(Value):
    """Why an agreement is ended. It needs no version: ending always succeeds, and at once."""

    reason: Text = ""


class Agreements:
    """What a person of one side may do. Every method is about the person's own organisation's agreements only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list(self, by: Principal, *, limit: int = 100, after: str | None = None) -> Page[Agreement]:
        """Agreements of the own organisation, newest first. Raises `NotAllowed` and `InvalidInput`."""
        by.require(Permission.SHARING_READ)
        async with self._store.view(across=True) as view:
            return await view.sharing.list_agreements(by.tenant, limit=limit, after=after)

    async def get(self, by: Principal, id: str) -> Agreement:
        """One agreement. Raises `NotAllowed` and `NotFound`."""
        by.require(Permission.SHARING_READ)
        async with self._store.view(across=True) as view:
            return await view.sharing.get_agreement(by.tenant, id)

    async def partners(self, by: Principal) -> Sequence[Tenant]:
        """Organisations that an agreement can be made with. Raises `NotAllowed`."""
        by.require(Permission.SHARING_READ)
        async with self._store.view(across=True) as view:
            found = await view.organisations.list_in_installation()
        return [one for one in found if one.active and one.id != by.tenant]

    async def propose(self, by: Principal, new: NewAgreement) -> Agreement:
        """Propose an agreement, which the own side approves thereby; on disk when this returns.

        Raises `NotAllowed`, `InvalidInput`, `NotFound` for an unknown organisation, `Conflict` if the id is taken.
        """
        signature = self._signature(by)
        agreement = sharing.propose(
            id=new.id,
            tenant=by.tenant,
            giver=new.giver,
            receiver=new.receiver,
            terms=new.terms,
            by=signature,
            now=signature.time,
        )
        async with self._store.transaction(across=True) as transaction:
            for tenant in (new.giver, new.receiver):
                if not (await transaction.organisations.get(tenant)).active:
                    raise Conflict(f"The organisation {tenant} is shut out.", hint="It has to be let in again first.")
            if not await transaction.sharing.add_agreement(agreement):
                known = await transaction.sharing.find_agreement(by.tenant, new.id)
                if known is None or (known.giver, known.receiver, known.terms) != (
                    new.giver,
                    new.receiver,
                    new.terms,
                ):
                    raise Conflict("Another agreement has this id.", hint="Give every agreement an id of its own.")
                return known
            await self._record(transaction, by, agreement, "propose", {"terms": new.terms.model_dump(mode="json")})
        return agreement

    async def amend(self, by: Principal, id: str, step: AgreementStep) -> Agreement:
        """Propose other terms for what is not yet in force. Raises as `propose`, and `Conflict`."""
        if step.terms is None:
            return await self.get(by, id)
        signature = self._signature(by)
        async with self._store.transaction(across=True) as transaction:
            old = await transaction.sharing.get_agreement(by.tenant, id)
            new = sharing.amend(old, _side(old, by), step.terms, signature, signature.time)
            await transaction.sharing.change_agreement(new, expected_version=step.version)
            await self._record(transaction, by, new, "amend", {"terms": step.terms.model_dump(mode="json")})
        return new

    async def approve(self, by: Principal, id: str, version: int) -> Agreement:
        """Approve exactly the version that the person saw; from then on it is in force. Raises as `amend`."""
        signature = self._signature(by)
        async with self._store.transaction(across=True) as transaction:
            old = await transaction.sharing.get_agreement(by.tenant, id)
            if old.version == version:
                new = sharing.approve(old, _side(old, by), signature, signature.time)
            else:
                new = old
            # With another version this refuses it: nobody approves terms that they have not seen.
            await transaction.sharing.change_agreement(new, expected_version=version)
            await self._record(transaction, by, new, "approve")
        return new

    async def end(self, by: Principal, id: str, reason: str = "") -> Agreement:
        """End it at once: what was shared under it is closed to the other side when this returns. Ending what has
        ended changes nothing. Raises `NotAllowed` and `NotFound`."""
        signature = self._signature(by)
        async with self._store.transaction(across=True) as transaction:
            old = await transaction.sharing.get_agreement(by.tenant, id)
            if old.ending is not None:
                return old
            ending = Ending(
                side=_side(old, by), person=signature.person, name=signature.name, time=signature.time, reason=reason
            )
            new = await end_within(transaction, old, ending, ShareEnding.AGREEMENT_ENDED)
            await self._record(transaction, by, new, "end", {"reason": reason} if reason else None)
        return new

    def _signature(self, by: Principal) -> Signature:
        by.require(Permission.SHARING_DECIDE)
        if by.user is None:
            raise NotAllowed("Only a person stands for an agreement, and this token belongs to a machine.")
        return Signature(person=by.user.id, name=by.user.full_name, time=self._clock.now())

    async def _record(
        self,
        transaction: Transaction,
        by: Principal,
        agreement: Agreement,
        verb: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        for tenant in (agreement.giver, agreement.receiver):
            await audit.append(
                transaction,
                tenant=tenant,
                time=agreement.updated,
                # Whom the other side is, its own log says; here it is the organisation that acted.
                actor=by.actor if tenant == by.tenant else f"organisation:{by.tenant}",
                action=f"agreement.{verb}",
                subject=f"agreement:{agreement.id}",
                detail={"giver": agreement.giver, "receiver": agreement.receiver, **(detail or {})},
            )
        await transaction.outbox.add(agreement_envelopes(agreement))


async def end_all_of(transaction: Transaction, tenant: str, by: Principal, now: datetime) -> int:
    """End every agreement of an organisation that is being shut out, and all that is shared under them; how many.

    Both sides' logs say so. Nothing comes back by itself when it is let in again: people propose anew.
    """
    agreements = await transaction.sharing.open_agreements_of(tenant)
    for agreement in agreements:
        if agreement.state(now) is AgreementState.EXPIRED:
            continue
        side = agreement.side_of(tenant) or Side.GIVER
        ending = Ending(side=side, name=by.name, time=now, reason="The organisation was shut out.")
        ended = await end_within(transaction, agreement, ending, ShareEnding.ORGANISATION_SHUT_OUT)
        for one in (agreement.giver, agreement.receiver):
            await audit.append(
                transaction,
                tenant=one,
                time=now,
                actor=by.actor,
                action="agreement.end",
                subject=f"agreement:{agreement.id}",
                detail={"giver": agreement.giver, "receiver": agreement.receiver, "shut_out": tenant},
            )
        await transaction.outbox.add(agreement_envelopes(ended))
    return len(agreements)


async def end_within(transaction: Transaction, agreement: Agreement, ending: Ending, because: ShareEnding) -> Agreement:
    """End an agreement and close all that is shared under it, within the caller's transaction."""
    # What is being shared at this moment is told of before this, or not at all.
    await transaction.sharing.one_at_a_time(agreement.giver)
    ended = sharing.end(agreement, ending)
    await transaction.sharing.change_agreement(ended, expected_version=agreement.version)
    for share in await transaction.sharing.open_shares_of_agreement(agreement.giver, agreement.id):
        await close_share(transaction, share, because, ending.time)
    return ended


async def close_share(transaction: Transaction, share: ShareRecord, because: ShareEnding, now: datetime) -> ShareRecord:
    """Close a shared incident to its receiver, and tell both sides."""
    closed = share.model_copy(
        update={"ended": now, "ending": because, "updated": now, "version": share.version + 1, "digest": ""}
    )
    await transaction.sharing.put_share(closed)
    for tenant in (share.giver, share.receiver):
        await audit.append(
            transaction,
            tenant=tenant,
            time=now,
            actor="system:sharing",
            action="sharing.end",
            subject=f"incident:{share.incident}" if tenant == share.giver else f"shared-incident:{share.id}",
            detail={"with": share.receiver if tenant == share.giver else share.giver, "because": because.value},
        )
    giver = await transaction.organisations.find(share.giver)
    receiver = await transaction.organisations.find(share.receiver)
    await transaction.outbox.add(
        [
            view_envelope(closed, closed_view(closed, giver.name if giver else share.giver)),
            share_envelope(share_view(closed, receiver.name if receiver else share.receiver, None), share.giver),
        ]
    )
    return closed


def closed_view(share: ShareRecord, giver_name: str) -> SharedIncident:
    """What is left to the receiver of an incident that is not shared any more: that there was one."""
    return SharedIncident(
        id=share.id,
        giver=share.giver,
        giver_name=giver_name,
        agreement=share.agreement,
        part=share.part,
        version=share.version,
        since=share.since,
        updated=share.updated,
        ended=share.ended or share.updated,
        ending=share.ending,
    )


def share_view(share: ShareRecord, receiver_name: str, terms: SharingTerms | None) -> IncidentShare:
    """What the giver sees of the sharing."""
    return IncidentShare(
        id=share.id,
        incident=share.incident,
        receiver=share.receiver,
        receiver_name=receiver_name,
        agreement=share.agreement,
        part=share.part,
        version=share.version,
        since=share.since,
        updated=share.updated,
        ended=share.ended,
        ending=share.ending,
        groups=terms.groups if terms is not None else (),
        place=terms.place if terms is not None else PlaceDetail.NONE,
    )


def agreement_envelopes(agreement: Agreement) -> Sequence[Envelope]:
    """Tells both sides how an agreement stands."""
    return [
        Envelope.wrap(
            agreement,
            kind="agreement",
            tenant=tenant,
            origin=ORIGIN,
            time=agreement.updated,
            partition=agreement.id,
            id=derived_id("agreement", tenant, agreement.id, str(agreement.version)),
        )
        for tenant in (agreement.giver, agreement.receiver)
    ]


def view_envelope(share: ShareRecord, view: SharedIncident) -> Envelope:
    """Tells the receiver how a shared incident stands."""
    return Envelope.wrap(
        view,
        kind="shared-incident",
        tenant=share.receiver,
        origin=ORIGIN,
        time=view.updated,
        partition=share.id,
        id=derived_id("shared-incident", share.id, str(share.version)),
    )


def share_envelope(view: IncidentShare, giver: str) -> Envelope:
    """Tells the giver how the sharing of an incident stands."""
    return Envelope.wrap(
        view,
        kind="incident-share",
        tenant=giver,
        origin=ORIGIN,
        time=view.updated,
        partition=view.id,
        id=derived_id("incident-share", view.id, str(view.version)),
    )


def _side(agreement: Agreement, by: Principal) -> Side:
    side = agreement.side_of(by.tenant)
    if side is None:
        raise NotAllowed("Your organisation is not a side of this agreement.")
    return side
