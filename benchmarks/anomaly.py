"""The anomaly tool: readings a second, bytes of state a stream, time to warm up from history."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.reporting import Figure, report
from impetus.model import Datastream, ObservationBatch
from impetus.sdk import LocalContext, read_manifest
from impetus.sdk.testing import START
from impetus.tools import anomaly
from impetus.tools.anomaly.day_memory import DayMemory
from impetus.tools.anomaly.hours import HourWatch
from impetus.tools.anomaly.memory import Memory
from impetus.tools.anomaly.monitor import StreamMonitor
from impetus.tools.anomaly.worker import AnomalyTool

RUNS = 3
STREAMS, ROUNDS = 10_000, 60
WARM_STREAMS, WARM_READINGS = 130, 4_000
LIVE_SECONDS, LIVE_READINGS = 30, 2_000


def main() -> None:
    """Measure and print."""
    notes = ["Processor time, so that what else runs on the machine matters little."]
    figures = [
        Figure(
            "batches over 10,000 streams, one core",
            "readings/s",
            5_000_000,
            statistics.median(_speed() for _ in range(RUNS)),
        ),
        Figure(
            "the same with scatter, course and change over hours",
            "readings/s",
            5_000_000,
            statistics.median(_speed(hours=True) for _ in range(RUNS)),
        ),
        Figure(
            "state of a stream besides its seasonal memory",
            "bytes",
            2_048,
            _state_bytes(),
            at_most=True,
            note="everything that the worker keeps",
        ),
        Figure(
            "warm start, 130 streams of 4,000 readings, processor time",
            "s",
            8,
            asyncio.run(_warm_start_s()),
            at_most=True,
        ),
        Figure(
            "processor share at 2,000 readings/s live",
            "cores",
            0.5,
            asyncio.run(_live_share()),
            at_most=True,
            note="of the tool alone, a batch of 2,000 a second",
        ),
    ]
    report("Anomaly detection", figures, notes=notes)


def _speed(*, hours: bool = False) -> float:
    """Readings of the pure method a second of processor time; with `hours`, of the detectors over hours too."""
    monitor, watch, days = StreamMonitor(), HourWatch(), DayMemory()
    for part in (monitor, watch, days):
        part.grow(STREAMS)
    row, offset_s, nothing = np.arange(STREAMS), np.zeros(STREAMS), np.zeros(STREAMS, dtype=np.bool_)
    values = np.random.default_rng(1).normal(50.0, 5.0, (ROUNDS, STREAMS))
    began_s = 0.0
    for number in range(ROUNDS):
        # The first round compiles what is not compiled yet.
        began_s = time.process_time() if number == 1 else began_s
        time_s = np.full(STREAMS, 60.0 * number)
        scored = monitor.update(row, time_s, offset_s, values[number])
        if hours:
            distance = (values[number] - scored.middle) / scored.spread
            watch.update(row, time_s, distance, scored.spread, nothing, days)
    return STREAMS * (ROUNDS - 1) / (time.process_time() - began_s)


def _state_bytes() -> float:
    """Of one stream, all that the worker keeps; the profiles of day and week and the last four weeks not counted."""
    one, two = Memory(AnomalyTool.settings_type()), Memory(AnomalyTool.settings_type())
    two.rows_of(["stream"])
    seasonal = ("day", "week")

    def kept(memory: Memory) -> int:
        arrays = memory.monitor.dump("m") | memory.saved() | memory.band.dump("band")
        return sum(
            array.nbytes
            for name, array in arrays.items()
            if name != "known" and not name.startswith("days.") and not name.rpartition(".")[2].startswith(seasonal)
        ) + sum(array.nbytes for array in (memory.shift, memory.contributions, memory.level_open, memory.fault_open))

    return float(kept(two) - kept(one))


def _batch(first: int, count: int, streams: int, interval_s: float) -> ObservationBatch:
    random = np.random.default_rng(first)
    start_us = int(START.timestamp() * 1e6)
    times = [start_us + int((first + number) * interval_s * 1e6) for number in range(count)]
    return ObservationBatch(
        datastreams=tuple(f"stream-{number}" for number in range(streams)),
        index=tuple(range(streams)) * count,
        time_us=tuple(moment for moment in times for _ in range(streams)),
        value=tuple(random.normal(50.0, 5.0, streams * count).tolist()),
    )


def _context(streams: int, interval_s: float) -> LocalContext:
    registered = [
        Datastream(
            id=f"stream-{number}",
            name=f"Stream {number}",
            thing=f"Mast {number}",
            observed_property="sound-level",
            unit="dB",
            interval_s=interval_s,
        )
        for number in range(streams)
    ]
    return LocalContext(read_manifest(Path(anomaly.__file__).parent), datastreams=registered)


async def _warm_start_s() -> float:
    """Processor time until the tool is warm, reading the history from the store not counted."""
    context = _context(WARM_STREAMS, 300.0)
    batches = [_batch(first, 500, WARM_STREAMS, 300.0) for first in range(0, WARM_READINGS, 500)]
    context.clock.advance(WARM_READINGS * 300.0)
    tool = AnomalyTool(context, AnomalyTool.settings_type())
    began_s = time.process_time()
    await tool.start()
    for batch in batches:
        await tool.observe(batch)
    return time.process_time() - began_s


async def _live_share() -> float:
    """Processor time of the tool per second of life at 2,000 streams of one reading a second."""
    context = _context(LIVE_READINGS, 1.0)
    tool = AnomalyTool(context, AnomalyTool.settings_type())
    await tool.start()
    spent_s = 0.0
    for second in range(LIVE_SECONDS):
        batch = _batch(second, 1, LIVE_READINGS, 1.0)
        context.clock.advance(1.0)
        began_s = time.process_time()
        await tool.observe(batch)
        if second % 5 == 4:
            await tool.tick()
        spent_s += time.process_time() - began_s
    return spent_s / LIVE_SECONDS


if __name__ == "__main__":
    main()
