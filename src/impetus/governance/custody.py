"""Opening evidence: a person says why, the content is checked against its name, and both are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from impetus.governance import audit
from impetus.governance.principal import Principal
from impetus.model import Clock, ImpetusError, NotAllowed, NotFound, Permission
from impetus.model.custody import Custody, CustodyKind
from impetus.store import EvidenceStore, Store
from impetus.store.evidence import EvidenceAltered

OPENING_LASTS: Final = timedelta(minutes=10)


class EvidenceCustody:
    """The only way to the content of evidence."""

    def __init__(self, store: Store, evidence: EvidenceStore, clock: Clock) -> None:
        self._store = store
        self._evidence = evidence
        self._clock = clock

    async def open(self, by: Principal, sha256: str, reason: str, incident: str | None = None) -> tuple[Custody, bytes]:
        """Open evidence: its content, checked, and the entry in its chain.

        Raises `NotAllowed` for a machine, `NotFound` for evidence or an incident of somebody else, and
        `EvidenceAltered`; the last two leave their entry in the chain of what this organisation knows, too.
        """
        by.require(Permission.EVIDENCE_READ)
        if by.user is None:
            raise NotAllowed("evidence is opened by a person", hint="Log in, or use a person's own token.")
        if incident is not None:
            async with self._store.view() as view:
                await view.incidents.get(by.tenant, incident)
        kind, data = CustodyKind.OPENED, b""
        trouble: ImpetusError | None = None
        try:
            data = await self._evidence.get(by.tenant, sha256)
        except EvidenceAltered as error:
            kind, trouble = CustodyKind.ALTERED, error
        except NotFound as error:
            kind, trouble = CustodyKind.MISSING, error
        entry = await self._note(by, kind, sha256, reason, incident)
        if trouble is not None:
            raise trouble
        return entry, data

    async def read(self, by: Principal, sha256: str, opening: str | None) -> bytes:
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
            raise NotAllowed(
                "this evidence was not opened", hint="Say why you open it: POST /evidence/{sha256}/openings."
            )
        try:
            return await self._evidence.get(by.tenant, sha256)
        except EvidenceAltered:
            await self._note(by, CustodyKind.ALTERED, sha256, entry.reason, entry.incident)
            raise

    async def chain(self, by: Principal, sha256: str) -> Sequence[Custody]:
        """All that happened to a piece of evidence of the own organisation, in order."""
        by.require(Permission.EVIDENCE_READ)
        async with self._store.view() as view:
            return await view.custody.chain(by.tenant, sha256)

    async def _note(self, by: Principal, kind: CustodyKind, sha256: str, reason: str, incident: str | None) -> Custody:
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
        )
        async with self._store.transaction() as transaction:
            await transaction.custody.add(by.tenant, entry)
            await audit.append(
                transaction,
                tenant=by.tenant,
                time=entry.time,
                actor=by.actor,
                action=f"evidence.{'open' if kind is CustodyKind.OPENED else kind.value}",
                subject=f"evidence:{sha256}",
                detail={"reason": entry.reason, "incident": incident, "opening": entry.id},
            )
        return entry
