"""Publishers and consumers in processes of their own, to be killed; run as a module with ROLE, ADDRESS and LEASE."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from impetus.bus import Bus, open_bus
from impetus.bus.tests.messages import message
from impetus.model import SystemClock

DURABLE = "shared"
LEASE_S = 1.0
BATCH = 3


async def publish(bus: Bus, lease_s: float) -> None:
    """Publish batches without end; says the number of each batch when the log has it."""
    for batch in range(1_000_000):
        await bus.publish([message(batch * BATCH + part, partition=f"source-{part}") for part in range(BATCH)])
        print(batch, flush=True)


async def consume(bus: Bus, lease_s: float) -> None:
    """Fetch and acknowledge without end; says `got` and the id of each message, then `done` and the id."""
    subscription = await bus.subscribe(DURABLE, [">"], lease_s=lease_s)
    print("ready", flush=True)
    while True:
        deliveries = await subscription.fetch(7)
        for delivery in deliveries:
            print("got", delivery.envelope.id, flush=True)
        await subscription.acknowledge(deliveries)
        for delivery in deliveries:
            print("done", delivery.envelope.id, flush=True)


async def hoard(bus: Bus, lease_s: float) -> None:
    """Fetch, and acknowledge nothing; says the id of each message."""
    subscription = await bus.subscribe(DURABLE, [">"], lease_s=lease_s)
    print("ready", flush=True)
    while True:
        for delivery in await subscription.fetch(7, timeout_s=0.05):
            print(delivery.envelope.id, flush=True)


ROLES = {role.__name__: role for role in (publish, consume, hoard)}


class Process:
    """A running role."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        assert process.stdout is not None
        self._output = process.stdout

    async def line(self) -> str:
        """The next line that it says."""
        line = await self._output.readline()
        assert line, "the process ended"
        return line.decode().strip()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def kill(self) -> list[str]:
        """kill -9; returns the whole lines that it had said and nobody had read."""
        self._process.kill()
        rest = await self._output.read()
        await self._process.wait()
        return rest[: rest.rfind(b"\n") + 1].decode().splitlines()


@asynccontextmanager
async def started(role: str, address: str, lease_s: float = LEASE_S) -> AsyncIterator[Process]:
    """That role in a process of its own, killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "impetus.bus.tests.process",
        role,
        address,
        str(lease_s),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def main(role: str, address: str, lease_s: float) -> None:
    """Do what the role does until killed."""
    await ROLES[role](open_bus(address, SystemClock()), lease_s)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
