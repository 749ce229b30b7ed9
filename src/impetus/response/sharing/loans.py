"""Evidence of shared incidents: opened as one's own is, for as long as the agreement lets it cross."""

from __future__ import annotations

from impetus.governance.custody import EvidenceCustody, Loan
from impetus.governance.principal import Principal
from impetus.model import Clock, FieldGroup, NotFound, Permission
from impetus.model.custody import Custody
from impetus.response.sharing.facts import Open, Organisations, look
from impetus.store import Store


class SharedEvidence:
    """The only way to the content of another organisation's evidence."""

    def __init__(self, store: Store, custody: EvidenceCustody, clock: Clock) -> None:
        self._store = store
        self._custody = custody
        self._clock = clock

    async def open(self, principal: Principal, share: str, sha256: str, reason: str) -> tuple[Custody, bytes]:
        """Open evidence of a shared incident: its content, checked, and the own side's entry in the chain of custody;
        the giver's chain gets one too, with the reason.

        Raises `NotFound` for what does not cross, as if it did not exist, and as `EvidenceCustody.open` does.
        """
        principal.require(Permission.EVIDENCE_READ)
        loan = await self._loan(principal.tenant, share, sha256)
        return await self._custody.open(principal, sha256, reason, share, loan=loan)

    async def read(self, principal: Principal, share: str, sha256: str, opening: str | None) -> bytes:
        """The content that the same person opened within the last ten minutes, if it still crosses. Raises as
        `open` does."""
        principal.require(Permission.EVIDENCE_READ)
        loan = await self._loan(principal.tenant, share, sha256)
        return await self._custody.read(principal, sha256, opening, loan=loan)

    async def _loan(self, receiver: str, id: str, sha256: str) -> Loan:
        async with self._store.view(across=True) as view:
            share = await view.sharing.received_share(receiver, id)
            state = await look(view, share, await Organisations.read(view), self._clock.now())
        if isinstance(state, Open):
            shown = {one.sha256 for alert in state.room.alerts for one in alert.evidence or ()}
            if sha256 in shown:
                named = FieldGroup.PEOPLE in state.agreement.terms.groups
                return Loan(share.giver, share.incident, state.agreement.id, named)
        raise NotFound(f"there is no evidence {sha256}", hint="It may not be shared with your organisation.")
