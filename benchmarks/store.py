"""The store on SQLite: readings in and out, the queue among 10,000 alerts, decisions alone and beside readings."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from benchmarks.reporting import Figure, percentile, report
from impetus.model import (
    Alert,
    AlertState,
    Assessment,
    Category,
    Datastream,
    Factor,
    ModelReference,
    ObservationBatch,
    Place,
    Point,
    Severity,
    SubjectKind,
    SystemClock,
    Urgency,
    to_microseconds,
)
from impetus.store import OPEN_STATES, AlertFilter, AlertOrder, Store, open_store

RUNS = 5
TENANT = "municipality"
DATASTREAMS = tuple(f"traffic:loop-{number:04}" for number in range(1_000))
HISTORY_ROWS = 484_000
ALERTS = 10_000
DECISIONS = 100
SENSORS = 10_000


def batch(begin_us: int, rows: int) -> ObservationBatch:
    """Readings of all datastreams in turn, a microsecond apart."""
    return ObservationBatch.model_construct(
        datastreams=DATASTREAMS,
        index=tuple(number % len(DATASTREAMS) for number in range(rows)),
        time_us=tuple(range(begin_us, begin_us + rows)),
        value=tuple(float(number % 900) for number in range(rows)),
    )


def alert(number: int, now: datetime) -> Alert:
    """An alert of the usual size."""
    return Alert(
        id=f"alert-{number:05}",
        tool="anomaly",
        detector="seasonal",
        source=DATASTREAMS[number % len(DATASTREAMS)],
        headline=f"Unusual value {number}",
        description="What it is about, in a few sentences. " * 8,
        category=Category.TRANSPORT,
        urgency=Urgency.IMMEDIATE,
        severity=random.choice(list(Severity)),
        confidence=random.random(),
        onset=now,
        sent=now,
        place=Place(geometry=Point(coordinates=(10.75, 59.91)), name="Harbour Square"),
        explanation=tuple(Factor(name=f"factor {index}", weight=0.3) for index in range(4)),
        model=ModelReference(name="baseline", version="1"),
    )


async def milliseconds(work: Callable[[], Awaitable[object]], runs: int = RUNS) -> list[float]:
    """How long each of the runs took."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        await work()
        times.append((time.perf_counter() - begin) * 1_000)
    return times


async def readings(store: Store, now: datetime) -> list[Figure]:
    week_ago = now - timedelta(days=7)
    week_ago_us, now_us = to_microseconds(week_ago), to_microseconds(now)
    batches = [batch(now_us + number * 2_000, 2_000) for number in range(50)]
    rates = []
    for one in batches:
        begin = time.perf_counter()
        await store.readings.append(TENANT, one)
        rates.append(len(one) / (time.perf_counter() - begin))
    # A week, evenly.
    step_us = 7 * 86_400_000_000 // (HISTORY_ROWS // len(DATASTREAMS))
    for number in range(HISTORY_ROWS // len(DATASTREAMS)):
        await store.readings.append(TENANT, batch(week_ago_us + number * step_us, len(DATASTREAMS)))

    async def history() -> None:
        count = 0
        async for some in store.readings.history(TENANT, week_ago, now):
            count += len(some)
        if count != HISTORY_ROWS:
            raise RuntimeError(f"{count} readings came back")

    async def series() -> None:
        await store.readings.range(TENANT, DATASTREAMS[0], since=week_ago, until=now, points=300)

    return [
        Figure("readings kept, batches of 2,000 over 1,000 datastreams", "rows/s", 20_000, median(rates)),
        Figure(f"history of {HISTORY_ROWS:,} rows", "ms", 5_000, median(await milliseconds(history, 3)), at_most=True),
        Figure("one week of one datastream in 300 points", "ms", 50, median(await milliseconds(series)), at_most=True),
    ]


async def queue(store: Store, now: datetime) -> list[Figure]:
    begin = time.perf_counter()
    for first in range(0, ALERTS, 100):
        alerts = [alert(number, now) for number in range(first, first + 100)]
        async with store.transaction() as transaction:
            await transaction.alerts.upsert(TENANT, alerts, received=now, harm=lambda alert: alert.confidence)
    rate = ALERTS / (time.perf_counter() - begin)
    figures = [Figure("alerts kept, 100 a transaction", "alerts/s", 1_000, rate)]
    for order in AlertOrder:

        async def page(order: AlertOrder = order) -> None:
            async with store.view() as view:
                await view.alerts.list(TENANT, AlertFilter(states=OPEN_STATES), order=order, limit=200)

        took = median(await milliseconds(page))
        figures.append(Figure(f"200 of {ALERTS:,} open alerts by {order.value}", "ms", 50, took, at_most=True))
    return figures


async def sensors(store: Store) -> list[Figure]:
    described = [
        Datastream(id=f"sensor-{number:05}", name="Sensor", thing="Mast", observed_property="sound-level", unit="dB")
        for number in range(SENSORS)
    ]
    async with store.transaction() as transaction:
        await transaction.datastreams.put(TENANT, described)

    async def everything() -> None:
        async with store.view() as view:
            await view.datastreams.all(TENANT)
        await store.readings.latest(TENANT)

    took = median(await milliseconds(everything))
    return [Figure(f"all of {SENSORS:,} sensors with their newest reading", "ms", 200, took, at_most=True)]


async def decisions(store: Store, now: datetime) -> list[Figure]:
    async def decide(number: int) -> float:
        begin = time.perf_counter()
        async with store.transaction() as transaction:
            record = await transaction.alerts.change(
                TENANT,
                f"alert-{number:05}",
                expected_version=1,
                state=AlertState.CONFIRMED,
                incident=None,
                handled_by="Anna Berg",
                updated=now,
            )
            await transaction.assessments.add(
                Assessment(
                    tenant=TENANT,
                    subject_kind=SubjectKind.ALERT,
                    subject=record.alert.id,
                    action="confirm",
                    state_before="new",
                    state_after="confirmed",
                    version=record.version,
                    person="anna",
                    person_name="Anna Berg",
                    decided=now,
                )
            )
        return (time.perf_counter() - begin) * 1_000

    alone = [await decide(number) for number in range(DECISIONS)]
    stopping = asyncio.Event()
    kept = 0

    async def stream() -> None:
        nonlocal kept
        begin_us = to_microseconds(now) + 3_600_000_000
        while not stopping.is_set():
            kept += await store.readings.append(TENANT, batch(begin_us + kept, 2_000))

    begin = time.perf_counter()
    task = asyncio.create_task(stream())
    beside = []
    for number in range(DECISIONS, 2 * DECISIONS):
        beside.append(await decide(number))
        await asyncio.sleep(0.02)
    stopping.set()
    await task
    note = f"while {kept / (time.perf_counter() - begin):,.0f} readings/s were kept"
    return [
        Figure("a decision on disk, p95", "ms", 50, percentile(alone, 95), at_most=True),
        Figure("a decision on disk beside readings, p95", "ms", 50, percentile(beside, 95), at_most=True, note=note),
    ]


async def main() -> None:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
        store = await open_store(f"sqlite:///{folder}/store.sqlite", SystemClock())
        figures = await readings(store, now)
        figures += await queue(store, now)
        figures += await sensors(store)
        figures += await decisions(store, now)
        await store.close()
    report("The store on SQLite", figures)


if __name__ == "__main__":
    asyncio.run(main())
