"""Sharing put together: it belongs to the response, and opens incidents through the situation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from impetus.bus import Bus
from impetus.governance import principal_of
from impetus.model import Assessment, Clock, Permission, derived_id
from impetus.response.sharing import DURABLE, SUBJECTS, Shares
from impetus.situation.consumer import Progress, consume
from impetus.situation.decisions import NewIncident
from impetus.situation.incidents import IncidentService
from impetus.store import AlertRecord, Store

SWEEP_S = 1.0
BATCH = 100


def create_shares(store: Store, clock: Clock, incidents: IncidentService) -> Shares:
    """What is shared between organisations; nothing runs yet."""

    async def open_incident(record: AlertRecord, confirmed: Assessment) -> None:
        async with store.view() as view:
            user = await view.users.get(record.tenant, confirmed.person)
        # In the name of the person whose confirmation this is, and of nobody else.
        principal = principal_of(user)
        principal.require(Permission.ALERTS_DECIDE)
        await incidents.create(
            principal,
            NewIncident(
                id=derived_id("shared-alert-incident", record.tenant, record.alert.id),
                title=record.alert.headline,
                alerts=(record.alert.id,),
            ),
        )

    return Shares(store, clock, open_incident)


def sharing_works(bus: Bus, shares: Shares) -> Mapping[str, Callable[[Progress], Awaitable[None]]]:
    """The background tasks of sharing."""
    return {
        "sharing": lambda progress: consume(bus, DURABLE, SUBJECTS, shares.handle, limit=BATCH, progress=progress),
        "sharing-sweep": lambda _: _keep_sweeping(shares),
    }


async def _keep_sweeping(shares: Shares) -> None:
    while True:
        await shares.sweep()
        await asyncio.sleep(SWEEP_S)
