"""What the HTTP interface works with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from impetus.api.broadcast import Broadcaster
from impetus.api.settings import ApiSettings
from impetus.bus import Bus
from impetus.governance import Governance
from impetus.model import Clock
from impetus.sdk import InstalledTool
from impetus.situation import Situation
from impetus.situation.consumer import Progress
from impetus.situation.runtime import keep_running
from impetus.situation.runtime import running as situation_running
from impetus.store import EvidenceStore, Store


@dataclass(slots=True)
class Services:
    """All that the routes use. `app.py` makes it once a process."""

    bus: Bus
    store: Store
    clock: Clock
    settings: ApiSettings
    governance: Governance
    situation: Situation
    evidence: EvidenceStore
    tools: Mapping[str, InstalledTool]
    broadcaster: Broadcaster = field(init=False)

    def __post_init__(self) -> None:
        self.broadcaster = Broadcaster(self.bus, self.settings.stream, self.situation.readings.latest.take_changes)


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[Services]:
    """Run all background tasks of the hub while the body runs: the situation's and the live stream's."""
    broadcaster = services.broadcaster
    await broadcaster.start()
    async with situation_running(services.situation) as situation:
        tasks = []
        for name, work in (("stream", broadcaster.run), ("stream-readings", broadcaster.run_readings)):
            progress = Progress(name)
            situation.progress.append(progress)
            tasks.append(asyncio.create_task(keep_running(lambda _, work=work: work(), progress), name=f"api-{name}"))
        try:
            yield services
        finally:
            broadcaster.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
