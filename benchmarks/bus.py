"""The embedded bus between two processes: readings in batches, single alerts, the way from one to the other, idling."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.reporting import Figure, percentile, report
from impetus.bus import Bus, Start, open_bus
from impetus.model import (
    Alert,
    Category,
    Certainty,
    Envelope,
    Factor,
    ModelReference,
    ObservationBatch,
    Place,
    Point,
    Severity,
    SystemClock,
    Urgency,
    to_microseconds,
)

RUNS = 3
BATCHES = 400
READINGS_A_BATCH = 1_000
ALERTS = 15_000
PUBLISHERS = 64
PACED_ALERTS = 2_000
PACE_PER_S = 200
IDLE_S = 5.0


def reading_batch(number: int) -> ObservationBatch:
    """A thousand readings of fifty datastreams."""
    start = to_microseconds(datetime.now(UTC)) - READINGS_A_BATCH
    return ObservationBatch(
        datastreams=tuple(f"traffic:loop-{index:03}" for index in range(50)),
        index=tuple(index % 50 for index in range(READINGS_A_BATCH)),
        time_us=tuple(range(start, start + READINGS_A_BATCH)),
        value=tuple(100.25 + (number * 7 + index) % 900 / 8 for index in range(READINGS_A_BATCH)),
    )


def alert(number: int) -> Alert:
    """An alert as the anomaly tool raises it; its description says when it was made, in monotonic nanoseconds."""
    now = datetime.now(UTC)
    return Alert(
        tool="anomaly",
        detector="seasonal-value",
        source=f"sound:square-{number % 200}",
        headline=f"Sound level at square {number % 200} is far above what is usual on a Saturday night",
        description=str(time.monotonic_ns()),
        instruction="Look at the square's camera, and ask the patrol nearby whether something is going on.",
        category=Category.SAFETY,
        urgency=Urgency.IMMEDIATE,
        severity=Severity.MODERATE,
        certainty=Certainty.LIKELY,
        confidence=0.87,
        onset=now,
        sent=now,
        place=Place(geometry=Point(coordinates=(10.75 + number % 100 / 1000, 59.91)), name=f"Square {number % 200}"),
        explanation=(
            Factor(name="value", weight=0.7, observed="93.4 dB", expected="58 to 71 dB", text="above the usual band"),
            Factor(name="duration", weight=0.2, observed="4 minutes", text="holds on"),
            Factor(name="neighbours", weight=-0.1, text="the squares beside it are as usual"),
        ),
        model=ModelReference(name="seasonal-robust-baseline", version="1.0.0"),
    )


async def publish_readings(bus: Bus) -> float:
    """Encode and publish batches; returns when it began."""
    began = time.monotonic()
    numbers = iter(range(BATCHES))

    async def publisher(name: int) -> None:
        for number in numbers:
            batch = reading_batch(number)
            await bus.publish([_wrapped(batch, "observation", "mqtt", f"mqtt-{name}")])

    await asyncio.gather(*(publisher(name) for name in range(4)))
    return began


async def publish_alerts(bus: Bus) -> float:
    """Publish single alerts from many tasks at once, as fast as the log takes them; returns when it began."""
    began = time.monotonic()
    numbers = iter(range(ALERTS))

    async def publisher() -> None:
        for number in numbers:
            message = alert(number)
            await bus.publish([_wrapped(message, "alert", "anomaly", message.source)])

    await asyncio.gather(*(publisher() for _ in range(PUBLISHERS)))
    return began


async def publish_paced_alerts(bus: Bus) -> float:
    """Publish alerts at an even pace, none waiting for the one before; returns when it began."""
    began = time.monotonic()
    tasks = []
    for number in range(PACED_ALERTS):
        await asyncio.sleep(max(0.0, began + number / PACE_PER_S - time.monotonic()))
        message = alert(number)
        tasks.append(asyncio.create_task(bus.publish([_wrapped(message, "alert", "anomaly", message.source)])))
    await asyncio.gather(*tasks)
    return began


async def consume_readings(bus: Bus, ready: Callable[[], None]) -> Sequence[float]:
    """Decode and count readings; returns the moment of the last one."""
    subscription = await bus.subscribe("benchmark", ["*.observation.>"])
    ready()
    count = 0
    while count < BATCHES * READINGS_A_BATCH:
        deliveries = await subscription.fetch()
        for delivery in deliveries:
            count += len(delivery.envelope.open(ObservationBatch))
        await subscription.acknowledge(deliveries)
    return [time.monotonic()]


async def consume_alerts(bus: Bus, ready: Callable[[], None], expected: int = ALERTS) -> Sequence[float]:
    """Decode alerts and acknowledge them; returns how long each was on its way, and the moment of the last one."""
    subscription = await bus.subscribe("benchmark", ["*.alert.>"])
    ready()
    times: list[float] = []
    while len(times) < expected:
        deliveries = await subscription.fetch(500)
        for delivery in deliveries:
            message = delivery.envelope.open(Alert)
            times.append((time.monotonic_ns() - int(message.description)) / 1e9)
        await subscription.acknowledge(deliveries)
    return [*times, time.monotonic()]


async def consume_paced_alerts(bus: Bus, ready: Callable[[], None]) -> Sequence[float]:
    """The same for the paced ones."""
    return await consume_alerts(bus, ready, PACED_ALERTS)


async def idle(bus: Bus, ready: Callable[[], None]) -> Sequence[float]:
    """Wait for messages that never come; returns the share of a core that this took."""
    subscriptions = [await bus.subscribe(f"idle-{number}", ["*.alert.>"], start=Start.LATEST) for number in range(4)]
    ready()
    began, used = time.monotonic(), time.process_time()

    async def wait(number: int) -> None:
        while time.monotonic() - began < IDLE_S:
            await subscriptions[number].fetch()

    await asyncio.gather(*(wait(number) for number in range(4)))
    return [(time.process_time() - used) / (time.monotonic() - began)]


def flush_ms() -> float:
    """How long the disk takes to flush one page, in ms."""
    times = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def _wrapped(message: Alert | ObservationBatch, kind: str, origin: str, partition: str) -> Envelope:
    return Envelope.wrap(
        message, kind=kind, tenant="municipality", origin=origin, time=datetime.now(UTC), partition=partition
    )


def _process(path: Path, work: Callable[..., Any], pipe: Connection) -> None:
    """Open the log in a process of its own, do the work, and send back what it returns."""

    async def run() -> Any:
        bus = open_bus(path, SystemClock())
        try:
            return await (work(bus) if work.__name__.startswith("publish") else work(bus, lambda: pipe.send("ready")))
        finally:
            await bus.close()

    pipe.send(asyncio.run(run()))


def _between_processes(
    publish: Callable[..., Any] | None, consume: Callable[..., Any]
) -> tuple[float, Sequence[float]]:
    """When publishing began, and what the consumer returned."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
        path = Path(folder) / "bus.sqlite"
        here, there = context.Pipe()
        consumer = context.Process(target=_process, args=(path, consume, there))
        consumer.start()
        here.recv()
        began = 0.0
        if publish is not None:
            from_publisher, to_publisher = context.Pipe()
            publisher = context.Process(target=_process, args=(path, publish, to_publisher))
            publisher.start()
            began = from_publisher.recv()
            publisher.join()
        returned = here.recv()
        consumer.join()
        return began, returned


def main() -> None:
    """Take each figure a few times and print the medians."""
    readings, alerts, paced, idling = [], [], [], []
    for _ in range(RUNS):
        began, (ended,) = _between_processes(publish_readings, consume_readings)
        readings.append(BATCHES * READINGS_A_BATCH / (ended - began))
        began, returned = _between_processes(publish_alerts, consume_alerts)
        alerts.append(ALERTS / (returned[-1] - began))
        _, returned = _between_processes(publish_paced_alerts, consume_paced_alerts)
        paced.append(percentile(returned[:-1], 95) * 1e3)
        _, (share,) = _between_processes(None, idle)
        idling.append(share * 100)
    report(
        "The embedded bus, one process publishing and one consuming",
        [
            Figure("readings in batches of 1,000", "1/s", 50_000, statistics.median(readings)),
            Figure(f"single alerts, {PUBLISHERS} publishers at once", "1/s", 3_000, statistics.median(alerts)),
            Figure(
                f"publish to consume, p95 at {PACE_PER_S} alerts/s", "ms", 50, statistics.median(paced), at_most=True
            ),
            Figure("a process that waits with 4 consumers", "% of a core", 2, statistics.median(idling), at_most=True),
        ],
        notes=[
            f"Medians of {RUNS} runs. Encoding, validation, the disk's flush, decoding and acknowledging are included.",
            f"One flush of this disk takes {flush_ms():.2f} ms (median): a slower one costs the single figures most.",
        ],
    )


if __name__ == "__main__":
    main()
