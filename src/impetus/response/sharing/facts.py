"""What the store knows of a shared incident at this moment; the view of the other side is made of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from impetus.governance import sharing
from impetus.governance.sharing import Facts, ShareHead
from impetus.model import Agreement, AgreementState, SharedRoom, ShareEnding
from impetus.store import AlertFilter, AlertOrder, Transaction
from impetus.store.sharing import ShareRecord

ALERT_LIMIT = 500
"""Alerts that one incident may hold."""


@dataclass(frozen=True, slots=True)
class Organisations:
    """Names of organisations, and which of them are let in."""

    names: Mapping[str, str]
    active: frozenset[str]

    def name(self, id: str) -> str:
        """What people call it."""
        return self.names.get(id, id)

    @classmethod
    async def read(cls, transaction: Transaction) -> Organisations:
        """All of the installation."""
        found = await transaction.organisations.list_in_installation()
        return cls({one.id: one.name for one in found}, frozenset(one.id for one in found if one.active))


async def read_facts(transaction: Transaction, giver: str, incident: str) -> Facts | None:
    """The incident with its alerts and decisions; None if there is none."""
    found = await transaction.incidents.find(giver, incident)
    if found is None:
        return None
    page = await transaction.alerts.list(
        giver, AlertFilter(incident=incident), order=AlertOrder.TIME, limit=ALERT_LIMIT
    )
    decisions = await transaction.sharing.decisions_on(giver, [incident, *(record.alert.id for record in page.items)])
    return Facts(found, page.items, decisions)


@dataclass(frozen=True, slots=True)
class Open:
    """A share that is open now: what it shows, and under which agreement."""

    agreement: Agreement
    room: SharedRoom
    facts: Facts


async def look(
    transaction: Transaction, share: ShareRecord, organisations: Organisations, now: datetime
) -> Open | ShareEnding:
    """What the receiver may see at this very moment, or why nothing.

    Asked afresh for every look: what the tables say of a share never opens anything by itself.
    """
    if share.ended is not None:
        return share.ending or ShareEnding.AGREEMENT_ENDED
    agreement = await transaction.sharing.find_agreement(share.receiver, share.agreement)
    if agreement is None or agreement.giver != share.giver or agreement.receiver != share.receiver:
        return ShareEnding.AGREEMENT_ENDED
    if agreement.state(now) is AgreementState.EXPIRED:
        return ShareEnding.AGREEMENT_EXPIRED
    if not {share.giver, share.receiver} <= organisations.active:
        return ShareEnding.ORGANISATION_SHUT_OUT
    if not sharing.in_force(agreement, now, organisations.active):
        return ShareEnding.AGREEMENT_ENDED
    facts = await read_facts(transaction, share.giver, share.incident)
    if facts is None or not sharing.incident_crosses(agreement.terms, facts):
        return ShareEnding.NOT_COVERED
    return Open(agreement, sharing.shared_room(agreement, head_of(share, organisations), facts), facts)


def head_of(share: ShareRecord, organisations: Organisations) -> ShareHead:
    """What a view says of the sharing itself."""
    return ShareHead(
        id=share.id,
        giver_name=organisations.name(share.giver),
        part=share.part,
        version=share.version,
        since=share.since,
        updated=share.updated,
    )
