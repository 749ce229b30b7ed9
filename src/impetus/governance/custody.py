"""Opening evidence: a person says why, the content is checked against its name, and both are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from impetus.governance import audit
from impetus.governance.cases import Cases
from impetus.governance.masking import masked
from impetus.governance.principal import Principal
from impetus.model import AlertState, Clock, ImpetusError, NotAllowed, NotFound, Permission, derived_id
from impetus.model.custody import Custody, CustodyKind
from impetus.store import EvidenceStore, Store, Transaction
from impetus.store.evidence import EvidenceAltered

OPENING_LASTS: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Loan:
    """Evidence of another organisation that the caller's may look at now."""

    owner: str
    """The organisation that keeps it."""
    incident: str
    """What the owner calls the incident under which it is shared."""
    agreement: str
    named: bool
    """Whether the owner may learn who opened it by name."""


class EvidenceCustody:
    """The only way to the content of evidence."""

    def __init__(self, store: Store, evidence: EvidenceStore, clock: Clock) -> None:
        self._store = store
        self._evidence = evidence
        self._clock = clock
        self._cases = Cases(store, clock)

    async def open(
        self,
        by: Principal,
        sha256: str,
        reason: str,
        incident: str | None = None,
        *,
        loan: Loan | None = None,
        unmask: bool = False,
    ) -> tuple[Custody, bytes]:
        """Open evidence: its content, checked, and the entry in its chain; what is on loan has one on both sides.

        Pictures are masked, unless `unmask` is asked for by somebody entitled and an alert with this evidence is
        confirmed, or the caller broke the glass (`impetus.governance.cases`).

        `incident` is what the own organisation calls it. Raises `NotAllowed` for a machine, `NotFound` for evidence or
        an incident of somebody else, and `EvidenceAltered`; the last two leave their entry in the chain of what this
        organisation knows, too.
        """
        by.require(Permission.EVIDENCE_READ)
        if by.user is None:
            raise NotAllowed("evidence is opened by a person", hint="Log in, or use a person's own token.")
        if incident is not None and loan is None:
            async with self._store.view() as view:
                await view.incidents.get(by.tenant, incident)
        if unmask:
            await self._may_unmask(by, sha256, loan)
        kind, data = CustodyKind.OPENED, b""
        trouble: ImpetusError | None = None
        try:
            data = await self._evidence.get(loan.owner if loan else by.tenant, sha256)
        except EvidenceAltered as error:
            kind, trouble = CustodyKind.ALTERED, error
        except NotFound as error:
            kind, trouble = CustodyKind.MISSING, error
        entry = await self._note(by, kind, sha256, reason, incident, loan, unmasked=unmask)
        if trouble is not None:
            raise trouble
        return entry, data if unmask else await asyncio.to_thread(masked, data)

    async def _may_unmask(self, by: Principal, sha256: str, loan: Loan | None) -> None:
        if await self._cases.broke_glass(by, f"evidence:{sha256}"):
            return
        by.require(Permission.EVIDENCE_UNMASK)
        async with self._store.view() as view:
            states = await view.alerts.states_with_evidence(loan.owner if loan else by.tenant, sha256)
        if not states & {AlertState.CONFIRMED, AlertState.ESCALATED}:
            raise NotAllowed(
                "the people in it are shown once a person confirmed its alert",
                hint="Confirm the alert first; in an emergency, break the glass: it is reviewed afterwards.",
            )

    async def read(self, by: Principal, sha256: str, opening: str | None, *, loan: Loan | None = None) -> bytes:
        """The content of evidence that the same person opened within the last ten minutes. Raises as `open` does."""
        by.require(Permission.EVIDENCE_READ)
        async with self._store.view() as view:
            entry = await view.custody.find(by.tenant, opening) if opening else None
        if (
            entry is None
            or by.user is None
            or entry.person != by.user.id
            or entry.sha256 != sha256
            or entry.kind is not CustodyKind.OPENED
            or self._clock.now() - entry.time > OPENING_LASTS
        ):
            raise NotAllowed("this evidence was not opened", hint="Say why you open it: POST to its openings.")
        try:
            data = await self._evidence.get(loan.owner if loan else by.tenant, sha256)
            return data if entry.unmasked else await asyncio.to_thread(masked, data)
        except EvidenceAltered:
            await self._note(by, CustodyKind.ALTERED, sha256, entry.reason, entry.incident, loan)
            raise

    async def chain(self, by: Principal, sha256: str) -> Sequence[Custody]:
        """All that the own organisation knows to have happened to a piece of evidence, in order: of its own, who
        opened it on either side; of another's, who opened it here."""
        by.require(Permission.EVIDENCE_READ)
        async with self._store.view() as view:
            return await view.custody.chain(by.tenant, sha256)

    async def _note(
        self,
        by: Principal,
        kind: CustodyKind,
        sha256: str,
        reason: str,
        incident: str | None,
        loan: Loan | None,
        *,
        unmasked: bool = False,
    ) -> Custody:
        if by.user is None:
            raise NotAllowed("evidence is opened by a person")
        entry = Custody(
            sha256=sha256,
            kind=kind,
            time=self._clock.now(),
            person=by.user.id,
            person_name=by.user.full_name,
            reason=reason,
            incident=incident,
            unmasked=unmasked,
        )
        action = f"evidence.{'open' if kind is CustodyKind.OPENED else kind.value}"
        if unmasked:
            action = "evidence.unmask"
        async with self._store.transaction() as transaction:
            await transaction.custody.add(by.tenant, entry)
            await audit.append(
                transaction,
                tenant=by.tenant,
                time=entry.time,
                actor=by.actor,
                action=action,
                subject=f"evidence:{sha256}",
                detail={
                    "reason": entry.reason,
                    "incident": incident,
                    "opening": entry.id,
                    **({"owner": loan.owner, "agreement": loan.agreement} if loan else {}),
                },
            )
            if loan is not None:
                await _tell_owner(transaction, by, loan, entry, action)
        return entry


async def _tell_owner(transaction: Transaction, by: Principal, loan: Loan, entry: Custody, action: str) -> None:
    """The owner learns that, when and why, and by whom as far as names cross."""
    theirs = entry.model_copy(
        update={
            "id": derived_id("custody", loan.owner, entry.id),
            "incident": loan.incident,
            "organisation": by.tenant,
            "person": None,
            "person_name": entry.person_name if loan.named else None,
        }
    )
    await transaction.custody.add(loan.owner, theirs)
    await audit.append(
        transaction,
        tenant=loan.owner,
        time=entry.time,
        actor=f"organisation:{by.tenant}",
        action=action,
        subject=f"evidence:{entry.sha256}",
        detail={
            "reason": entry.reason,
            "incident": loan.incident,
            "opening": theirs.id,
            "agreement": loan.agreement,
            **({"by": entry.person_name} if loan.named else {}),
        },
    )
