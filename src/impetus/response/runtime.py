"""The procedures as the hub uses them, and what runs in the background: timers and deadlines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from impetus.model import Clock
from impetus.response.drafts import DraftService
from impetus.response.library import Library
from impetus.response.procedures import ProcedureService
from impetus.response.tasks import TaskService
from impetus.store import Store

WATCH_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Procedures:
    """The services of procedures."""

    service: ProcedureService
    tasks: TaskService
    drafts: DraftService

    @classmethod
    def create(cls, store: Store, clock: Clock) -> Procedures:
        """The services on a store; nothing runs yet."""
        library = Library(store, clock)
        return cls(
            ProcedureService(store, clock, library), TaskService(store, clock, library), DraftService(store, clock)
        )

    async def watch(self) -> None:
        """Let timers run out and late tasks climb, until cancelled."""
        while True:
            await self.watch_once()
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def watch_once(self) -> int:
        """One round; how much happened."""
        return await self.service.move_on() + await self.tasks.escalate()
