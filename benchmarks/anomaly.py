"""The anomaly tool: score on the Numenta Anomaly Benchmark, readings a second, time to warm up from history."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.reporting import Figure, report
from impetus.model import Datastream, ObservationBatch
from impetus.sdk import LocalContext, read_manifest
from impetus.sdk.testing import START
from impetus.tools import anomaly
from impetus.tools.anomaly.band import score_of
from impetus.tools.anomaly.monitor import StreamMonitor
from impetus.tools.anomaly.readings_file import read_rows
from impetus.tools.anomaly.rounds import rounds
from impetus.tools.anomaly.worker import AnomalyTool

SHARED = Path(__file__).resolve().parents[2] / "shared"
DATA, LABELS, SCORER = SHARED / "data/nab/data", SHARED / "data/nab/windows.json", SHARED / "scripts/nab_score.py"
RUNS = 3
STREAMS, ROUNDS = 2_000, 60
WARM_STREAMS, WARM_READINGS = 130, 4_000
LIVE_SECONDS, LIVE_READINGS = 30, 2_000


def main() -> None:
    """Measure and print."""
    notes = ["Processor time, so that what else runs on the machine matters little."]
    figures = [
        Figure(
            "batches over 2,000 streams, one core",
            "readings/s",
            100_000,
            statistics.median(_speed() for _ in range(RUNS)),
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
    if SCORER.exists() and LABELS.exists():
        scores = _nab_scores()
        for profile, asked in (("standard", 55.0), ("reward_low_fp", 40.0), ("reward_low_fn", 60.0)):
            figures.append(Figure(f"NAB {profile}", "of 100", asked, scores[profile]))
        notes.append(f"NAB: {scores['files']:.0f} development files, one fixed parameter set, no tuning on labels.")
    else:
        notes.append(f"NAB: not measured, {SCORER} or its data are not here.")
    report("Anomaly detection", figures, notes=notes)


def _speed() -> float:
    """Readings of the pure method a second of processor time."""
    monitor = StreamMonitor()
    monitor.grow(STREAMS)
    row, offset_s = np.arange(STREAMS), np.zeros(STREAMS)
    values = np.random.default_rng(1).normal(50.0, 5.0, (ROUNDS, STREAMS))
    began_s = time.process_time()
    for number in range(ROUNDS):
        monitor.update(row, np.full(STREAMS, 60.0 * number), offset_s, values[number])
    return STREAMS * ROUNDS / (time.process_time() - began_s)


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


def _nab_scores() -> dict[str, float]:
    """The scores by the shared scorer; the files go through the method side by side, each as a stream of its own."""
    files = sorted(DATA.rglob("*.csv"))
    rows = []
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            rows.append(list(read_rows(lines, file.name)))
    stream = np.repeat(np.arange(len(files)), [len(part) for part in rows])
    time_s = np.array([row.time_s for part in rows for row in part])
    value = np.array([row.value for part in rows for row in part])
    # Rounds take a stream in order of time; the files' own order is what the command line follows.
    order = np.concatenate([np.arange(len(part), dtype=np.float64) for part in rows])
    score = np.zeros(len(stream))
    monitor = StreamMonitor()
    monitor.grow(len(files))
    for part in rounds(stream, order):
        scored = monitor.update(stream[part], time_s[part], np.zeros(len(part)), value[part])
        score[part] = score_of(scored.novelty)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        for number, file in enumerate(files):
            target = (results / file.relative_to(DATA)).with_suffix(".jsonl")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(
                "".join(json.dumps({"score": found}) + "\n" for found in score[stream == number].tolist())
            )
        command = [sys.executable, str(SCORER), "--json", "--data", str(DATA), "--labels", str(LABELS)]
        output = subprocess.run([*command, "--results", folder], capture_output=True, text=True, check=True).stdout
    found = json.loads(output)
    return {"files": found["files"]} | {name: found[name]["score"] for name in found if name != "files"}


if __name__ == "__main__":
    main()
