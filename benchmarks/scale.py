"""Scale out: how much each of 1, 2 and 4 workers of one consumer gets done on the bus on NATS JetStream.

Each worker waits a while over each message rather than computing, as one that asks a camera or a service does: so that
a machine with few cores shows what the bus costs, and not how many cores there are. A busy machine wakes waiting
processes late all the same: so many processes that wait as long without any bus are measured beside, and what they lose
is the machine's loss.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.reporting import Figure, report
from impetus.bus import open_bus
from impetus.model import Envelope, SystemClock, new_id
from tests.servers import NatsServer

WAIT_S = 0.02
"""Over each message."""
SOURCES = 400
SETTLE_S = 4.0
MEASURED_S = 8.0
DURABLE = "tool-waiting"
PATTERNS = ["*.observation.>"]


def message(number: int) -> Envelope:
    """A small message of one of many sources."""
    return Envelope(
        id=new_id(),
        source="/mqtt",
        type="impetus.observation.v1",
        subject="city.observation.mqtt",
        time=SystemClock().now(),
        tenant="city",
        partition=f"sensor-{number % SOURCES}",
        data=b'{"number":%d}' % number,
    )


async def work(address: str) -> None:
    """Be one worker: once it is told to by a line, count for a while, and print how many were dealt with."""
    bus = open_bus(address, SystemClock())
    subscription = await bus.subscribe(DURABLE, PATTERNS)
    await subscription.fetch(1, timeout_s=0.1)
    print("ready", flush=True)
    # Slots are shared while nothing is there to be read.
    settled = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    while not settled.done():
        await subscription.acknowledge(await subscription.fetch(50, timeout_s=0.2))
    done = 0
    ends = time.monotonic() + MEASURED_S
    while time.monotonic() < ends:
        deliveries = await subscription.fetch(25, timeout_s=0.5)
        for _ in deliveries:
            await asyncio.sleep(WAIT_S)
        await subscription.acknowledge(deliveries)
        done += len(deliveries)
    print(done, flush=True)
    await bus.close()


async def wait_only() -> None:
    """Be a process that waits as a worker does, with nothing to wait for; print how often it did."""
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    done = 0
    ends = time.monotonic() + MEASURED_S
    while time.monotonic() < ends:
        await asyncio.sleep(WAIT_S)
        done += 1
    print(done, flush=True)


async def measure_machine(workers: int) -> float:
    """Waits a second for each of so many processes without a bus."""
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.scale", "--wait-only"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(workers)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
    done = 0
    for process in processes:
        assert process.stdout is not None
        done += int(await process.stdout.readline())
        await process.wait()
    return done / workers / MEASURED_S


async def measure(server: NatsServer, workers: int) -> float:
    """Messages a second for each worker."""
    address = f"{server.url}/scale-{workers}"
    bus = open_bus(address, SystemClock())
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.scale", "--worker", address),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(workers)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            await process.stdout.readline()
        await asyncio.sleep(SETTLE_S)
        # More than all of them can deal with, of many sources.
        total = int(workers * (MEASURED_S + 4) / WAIT_S)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        for start in range(0, total, 500):
            await bus.publish([message(number) for number in range(start, min(start + 500, total))])
        done = 0
        for process in processes:
            assert process.stdout is not None
            done += int(await process.stdout.readline())
        return done / workers / MEASURED_S
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await bus.close()


async def run() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="impetus-scale-") as folder:
        server = NatsServer(Path(folder) / "nats")
        server.start()
        try:
            reached = {workers: await measure(server, workers) for workers in (1, 2, 4)}
        finally:
            server.stop()
    machine = {workers: await measure_machine(workers) for workers in (1, 4)}
    report(
        "Workers of one consumer on NATS JetStream, each waiting 20 ms over a message",
        [
            Figure(f"{workers} workers: each, compared with one alone", "%", 85, 100 * reached[workers] / reached[1])
            for workers in (2, 4)
        ],
        notes=[
            *(f"{workers}: {rate:.1f} messages/s each" for workers, rate in reached.items()),
            *(f"{workers} without a bus: {rate:.1f} waits/s each" for workers, rate in machine.items()),
        ],
    )


def main() -> None:
    """Measure, or be a worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker", metavar="ADDRESS")
    parser.add_argument("--wait-only", action="store_true")
    options = parser.parse_args()
    if options.wait_only:
        asyncio.run(wait_only())
    else:
        asyncio.run(work(options.worker) if options.worker else run())


if __name__ == "__main__":
    main()
