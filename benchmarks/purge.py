"""Ten million expired readings are removed while 5,000 a second come in: does anybody who brings readings wait long?

`python -m benchmarks purge [EXPIRED] [SECONDS]`. The purge is the retention's own loop; a stall is the time that one
batch of new readings takes until it is on disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.reporting import Figure, machine, report
from impetus.model import Observation, ObservationBatch, SystemClock
from impetus.store import Store, open_store

EXPIRED = 10_000_000
SENSORS = 500
A_SECOND = 5_000
BATCHES_A_SECOND = 5
AT_MOST_MS = 200.0
LIMIT_S = 600.0
"""Measuring ends after so long, and says how much was removed until then."""


def fill(file: Path, count: int, before: datetime) -> None:
    """So many readings that are older than `before`, as the store keeps them."""
    begin = int((before - timedelta(days=30)).timestamp() * 1_000_000)
    with closing(sqlite3.connect(file)) as connection:
        # Nobody else has the file open: without a journal it is written once.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-400000"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        numbers = [row[0] for row in connection.execute("SELECT number FROM series ORDER BY number")]
        each = count // len(numbers)
        connection.execute(
            "INSERT INTO reading (series, time_us, value) SELECT s.number, ? + n.value * 1000000, n.value % 97 "
            "FROM series AS s CROSS JOIN (WITH RECURSIVE counting(value) AS (SELECT 0 UNION ALL "
            "SELECT value + 1 FROM counting WHERE value < ?) SELECT value FROM counting) AS n",
            (begin, each - 1),
        )
        connection.commit()
        connection.execute("PRAGMA journal_mode=WAL").fetchall()


async def bring(store: Store, stop: asyncio.Event, waits_ms: list[float]) -> int:
    """Bring readings at their pace until told to stop; how many, and how long each batch took."""
    a_batch = A_SECOND // BATCHES_A_SECOND
    brought = 0
    due = time.monotonic()
    while not stop.is_set():
        now = datetime.now(UTC)
        batch = ObservationBatch.of(
            Observation(
                datastream=f"s{(brought + n) % SENSORS}",
                time=now + timedelta(microseconds=n // SENSORS),
                value=float(n),
            )
            for n in range(a_batch)
        )
        began = time.perf_counter()
        await store.readings.append("city", batch)
        waits_ms.append((time.perf_counter() - began) * 1_000)
        brought += len(batch)
        due += 1 / BATCHES_A_SECOND
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return brought


async def measure(expired: int, limit_s: float) -> list[Figure]:
    """Purge with readings coming in meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'store.sqlite'}"
        store = await open_store(url, SystemClock())
        now = datetime.now(UTC)
        first = [Observation(datastream=f"s{n}", time=now, value=0.0) for n in range(SENSORS)]
        await store.readings.append("city", ObservationBatch.of(first))
        await store.close()
        file = Path(folder) / "store-readings.sqlite"
        began = time.perf_counter()
        fill(file, expired, now - timedelta(days=90))
        store = await open_store(url, SystemClock())
        print(f"{expired:,} expired readings written in {time.perf_counter() - began:.0f} s")
        stop, waits_ms = asyncio.Event(), list[float]()
        bringing = asyncio.create_task(bring(store, stop, waits_ms))
        began = time.perf_counter()
        removed = 0
        while time.perf_counter() - began < limit_s:
            step = await store.readings.forget("city", now - timedelta(days=90))
            removed += step
            if not step:
                break
        took_s = time.perf_counter() - began
        stop.set()
        brought = await bringing
        await store.close()
    print(f"{removed:,} removed in {took_s:.0f} s ({removed / took_s:,.0f} a second)")
    return [
        Figure("expired readings removed", "", expired, removed),
        Figure("readings brought meanwhile", "1/s", 0.95 * A_SECOND, brought / took_s),
        Figure("longest wait of a batch", "ms", AT_MOST_MS, max(waits_ms), at_most=True),
        Figure(
            "99th percentile of a batch", "ms", AT_MOST_MS, sorted(waits_ms)[int(0.99 * len(waits_ms))], at_most=True
        ),
    ]


def main() -> None:
    """Measure with ten million readings, or with as many as the first argument says."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    expired = numbers[0] if numbers else EXPIRED
    limit_s = float(numbers[1]) if len(numbers) > 1 else LIMIT_S
    print(machine())
    report("purge", asyncio.run(measure(expired, limit_s)))


if __name__ == "__main__":
    main()
