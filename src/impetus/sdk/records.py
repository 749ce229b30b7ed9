"""What a worker reads from the store: which organisations and datastreams there are, kept readings and results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime

from impetus.model import Datastream, ObservationBatch, Role, ToolResult
from impetus.sdk.duty import DutyBoard, duty_of
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

    async def duties(self, tenant: str, persons: Collection[str], now: datetime, since: datetime) -> DutyBoard:
        """What waits for people, and what these persons hold and decided since then."""
        async with self._store.view() as view:
            waiting, oldest = await view.workload.waiting(tenant)
            loads = {load.person: load for load in await view.workload.loads(tenant)}
            caps = await view.workload.caps(tenant, now)
            operators = [user for user in await view.users.list(tenant) if user.active and user.role is Role.OPERATOR]
            decisions = (await view.assessments.list(tenant, since=since, limit=1_000)).items if persons else ()
        people = []
        for person in sorted(persons):
            load, cap = loads.get(person), caps.get(person)
            held, longest = (load.count, load.oldest) if load else (0, None)
            people.append(duty_of(person, held, cap.cap if cap else None, longest, decisions))
        return DutyBoard(
            waiting=waiting,
            oldest_waiting=oldest,
            operators=len(operators),
            held=sum(load.count for load in loads.values()),
            people=tuple(people),
        )

    async def datastreams(self, tenant: str) -> Sequence[Datastream]:
        """All registered datastreams of an organisation."""
        async with self._store.view() as transaction:
            return tuple((await transaction.datastreams.all(tenant)).values())

    def history(
        self, tenant: str, datastreams: Sequence[str] | None, since: datetime, until: datetime | None
    ) -> AsyncIterator[ObservationBatch]:
        """Kept readings with `since` <= time < `until`, of these datastreams or all, in time order."""
        return self._store.readings.history(tenant, since, until or FOREVER, datastreams=datastreams)
