"""Connectors of all sorts for the tests here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from impetus.bus import Bus, open_bus
from impetus.connectors.mqtt.arrival import Source
from impetus.connectors.mqtt.connector import run_connector
from impetus.connectors.mqtt.listener import Listener
from impetus.connectors.mqtt.settings import Connection, EmbeddedListener, MqttSettings
from impetus.connectors.mqtt.tests.doubles import datastream
from impetus.model import Observation, ObservationBatch, SystemClock, Tenant
from impetus.store import Store, open_store

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def eventually(condition: Callable[[], Awaitable[bool]] | Callable[[], bool], limit_s: float = 30.0) -> None:
    """Wait until it is so; the limit is for a machine that hangs, not a measurement."""
    async with asyncio.timeout(limit_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


@dataclass
class Running:
    """A connector at work on a real bus and a real store."""

    bus: Bus
    store: Store
    sources: Sequence[Source]
    task: asyncio.Task[None]
    stop: asyncio.Event

    @property
    def port(self) -> int:
        listener = self.sources[0]
        assert isinstance(listener, Listener)
        return listener.port

    async def observations(self) -> list[Observation]:
        found: list[Observation] = []
        async for delivery in self.bus.replay(["*.observation.mqtt"], since=LONG_AGO):
            found += delivery.envelope.open(ObservationBatch).observations()
        return found

    async def reasons(self) -> list[str]:
        return [letter.reason for letter in await self.bus.dead_letters("municipality")]


@asynccontextmanager
async def running(home: Path, *connections: Connection, **settings: float) -> AsyncIterator[Running]:
    """Run a connector; `sound-1` and `sound-2` (dB) are registered."""
    clock = SystemClock()
    store = await open_store(f"sqlite:///{home / 'store.sqlite'}", clock)
    bus = open_bus(home / "bus.sqlite", clock)
    started: asyncio.Future[Sequence[Source]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    async with store.transaction() as transaction:
        if await transaction.organisations.find("municipality") is None:
            await transaction.organisations.add(Tenant(id="municipality", name="City", created=clock.now()))
        await transaction.datastreams.put("municipality", [datastream("sound-1"), datastream("sound-2")])
    task = asyncio.create_task(
        run_connector(
            MqttSettings.model_validate(
                {"connections": connections or (EmbeddedListener(port=0, anonymous=True),), **settings}
            ),
            home=home,
            bus=bus,
            store=store,
            clock=clock,
            stop=stop,
            started=started.set_result,
        )
    )
    try:
        await asyncio.wait((started, task), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield Running(bus, store, started.result(), task, stop)
        stop.set()
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()
        await store.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path
