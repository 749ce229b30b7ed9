"""What a worker reads from the store: which organisations and datastreams there are, and kept readings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from impetus.model import Datastream, ObservationBatch


class Records(Protocol):
    """Read access to datastreams and readings. Methods raise `impetus.model.Unavailable` when the store is away."""

    async def tenants(self) -> Sequence[str]:
        """Organisations that have registered datastreams."""
        ...

    async def datastreams(self, tenant: str) -> Sequence[Datastream]:
        """All registered datastreams of an organisation."""
        ...

    def history(
        self, tenant: str, datastreams: Sequence[str] | None, since: datetime, until: datetime | None
    ) -> AsyncIterator[ObservationBatch]:
        """Kept readings with `since` <= time < `until`, of these datastreams or all, in time order per datastream."""
        ...
