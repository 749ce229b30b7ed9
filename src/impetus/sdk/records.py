"""What a worker reads from the store: which organisations and datastreams there are, kept readings and results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from impetus.model import Datastream, ObservationBatch, ToolResult
from impetus.store import Store

FOREVER = datetime.max.replace(tzinfo=UTC)


class Records:
    """Read access to what tools may see. Methods raise `impetus.model.Unavailable` when the store is away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def tenants(self, *, with_datastreams: bool) -> Sequence[str]:
        """Active organisations; or only those that have registered datastreams."""
        async with self._store.view() as transaction:
            organisations = await transaction.organisations.list_in_installation()
            if not with_datastreams:
                return [tenant.id for tenant in organisations if tenant.active]
            return [tenant.id for tenant in organisations if await transaction.datastreams.count(tenant.id)]

    async def results(self, tenant: str, tool: str, kind: str, limit: int) -> Sequence[ToolResult]:
        """The newest kept results of a kind that still hold, newest first."""
        async with self._store.view() as transaction:
            return (await transaction.results.list(tenant, tool, kind=kind, limit=limit)).items

    async def datastreams(self, tenant: str) -> Sequence[Datastream]:
        """All registered datastreams of an organisation."""
        async with self._store.view() as transaction:
            return tuple((await transaction.datastreams.all(tenant)).values())

    def history(
        self, tenant: str, datastreams: Sequence[str] | None, since: datetime, until: datetime | None
    ) -> AsyncIterator[ObservationBatch]:
        """Kept readings with `since` <= time < `until`, of these datastreams or all, in time order."""
        return self._store.readings.history(tenant, since, until or FOREVER, datastreams=datastreams)
