"""A real bus and a real store in a folder, and a worker beside them, for tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from impetus.bus import Bus, DeadLetter, open_bus
from impetus.model import (
    Alert,
    Datastream,
    Envelope,
    Health,
    Observation,
    ObservationBatch,
    SystemClock,
    Tenant,
    from_microseconds,
)
from impetus.sdk.registry import InstalledTool
from impetus.sdk.testing import approved_record
from impetus.sdk.worker import run_worker
from impetus.store import Store, open_store

MOMENT_US = 1_772_409_600_000_000
"""2026-03-02 00:00 UTC: the first reading's time."""


class Rig:
    """What a test of the worker needs."""

    def __init__(self, bus: Bus, store: Store, home: Path) -> None:
        self.bus = bus
        self.store = store
        self.home = home
        self.clock = SystemClock()
        self.beats = 0
        self._sent = 0
        self._worker: asyncio.Task[None] | None = None

    async def observe(self, *values: float, tenant: str = "municipality", datastream: str = "mast-1:flow") -> None:
        """Publish one message that carries these values, a second apart, later than all before."""
        await self.publish(tenant, self.batch(values, datastream))

    def batch(self, values: Iterable[float], datastream: str = "mast-1:flow") -> ObservationBatch:
        readings = []
        for value in values:
            moment = from_microseconds(MOMENT_US + self._sent * 1_000_000)
            readings.append(Observation(datastream=datastream, time=moment, value=value))
            self._sent += 1
        return ObservationBatch.of(readings)

    async def publish(self, tenant: str, *batches: ObservationBatch) -> None:
        now = self.clock.now()
        await self.bus.publish(
            [Envelope.wrap(batch, kind="observation", tenant=tenant, origin="mqtt", time=now) for batch in batches]
        )

    async def register(self, tenant: str, *datastreams: Datastream) -> None:
        async with self.store.transaction() as transaction:
            if await transaction.organisations.find(tenant) is None:
                await transaction.organisations.add(Tenant(id=tenant, name=tenant, created=datetime.now(UTC)))
            await transaction.datastreams.put(tenant, datastreams)

    async def approve(self, tool: InstalledTool, *tenants: str) -> None:
        """What a data-protection officer does in the pages; harmless to repeat."""
        if tool.manifest is None:
            return
        async with self.store.transaction() as transaction:
            for tenant in tenants:
                if await transaction.data_protection.find(tenant, tool.id) is None:
                    await transaction.data_protection.put(approved_record(tool.manifest, tenant, self.clock.now()))

    @contextlib.asynccontextmanager
    async def worker(
        self,
        tool: InstalledTool,
        settings: Mapping[str, object] = MappingProxyType({}),
        *,
        approved: Sequence[str] = ("municipality", "police", "fire-service"),
    ) -> AsyncIterator[asyncio.Task[None]]:
        """A worker that runs meanwhile and is stopped cleanly at the end; organisations that approved its tool."""
        await self.approve(tool, *approved)
        stop = asyncio.Event()
        task = asyncio.create_task(
            run_worker(tool, self.bus, self.store, self.clock, self.home, settings, heartbeat=self._beat, stop=stop)
        )
        self._worker = task
        try:
            yield task
        finally:
            self._worker = None
            stop.set()
            async with asyncio.timeout(30):
                await task

    def _beat(self) -> None:
        self.beats += 1

    async def messages(self, kind: str) -> Sequence[Envelope]:
        """All messages of a kind that the log holds."""
        found = self.bus.replay([f"*.{kind}.>"], since=datetime(1970, 1, 1, tzinfo=UTC))
        return [delivery.envelope async for delivery in found]

    async def alerts(self) -> Sequence[Alert]:
        return [envelope.open(Alert) for envelope in await self.messages("alert")]

    async def health(self) -> Health:
        """The newest that a worker said of itself."""
        return (await self.messages("health"))[-1].open(Health)

    async def dead_letters(self, tenant: str = "municipality") -> Sequence[DeadLetter]:
        return await self.bus.dead_letters(tenant)

    async def pending(self, tool: str = "sample") -> int:
        """Observations that the tool's consumer has not acknowledged; -1 if there is no such consumer."""
        return next((state.pending for state in await self.bus.consumers() if state.durable == f"tool-{tool}"), -1)

    async def settled(self, tool: str = "sample") -> None:
        """Wait until the tool has dealt with all observations."""
        async with asyncio.timeout(60):
            while await self.pending(tool) != 0:
                self._check_worker()
                await asyncio.sleep(0.05)

    def _check_worker(self) -> None:
        """Raise what ended the worker too early."""
        if self._worker is not None and self._worker.done():
            self._worker.result()


@contextlib.asynccontextmanager
async def open_rig(home: Path) -> AsyncIterator[Rig]:
    """A rig in that folder."""
    clock = SystemClock()
    bus = open_bus(home / "bus.sqlite", clock)
    store = await open_store(f"sqlite:///{home / 'store.sqlite'}", clock)
    try:
        yield Rig(bus, store, home)
    finally:
        await store.close()
        await bus.close()


async def until(condition: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    """Wait for a condition; raises TimeoutError if it does not come true."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
