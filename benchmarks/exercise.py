"""Plays the shipped scenarios without players: pace, load, what was found, and whether a run can be repeated."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import end_tidily
from benchmarks.reporting import Figure, report
from impetus.exercise.city import sensors
from impetus.exercise.desk import Desk, Order, OrderKind, Phase
from impetus.exercise.outcomes import Outcome
from impetus.exercise.replay import replay
from impetus.exercise.reviewing import Reviewed
from impetus.exercise.signals import values
from impetus.model import Datastream, ObservationBatch, SystemClock
from impetus.sdk import load_tool
from impetus.store import open_store

READINGS_PER_S = 2_000
PLANTED = ("protest", "blackout", "false-alarms")


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run."""

    told: Reviewed
    took_s: float
    busiest: float
    """Share of all cores that the installation used, while the scenario was played."""
    most_waiting: int

    @property
    def detections(self) -> Counter[str]:
        """The planted events that were noticed, and by what."""
        return Counter(f"{one.id} {one.tool}" for one in self.told.review.truths if one.outcome is Outcome.FOUND)


def play(home: Path, scenario: str, speed: float, tools: Sequence[str], *, seconds: float | None = None) -> Run:
    """One run in a process of its own; with `seconds`, it is ended after so much of the scenario."""
    folder = home / f"{scenario}-{time.monotonic_ns()}"
    words = [sys.executable, "-m", "impetus.cli", "exercise", "run", scenario, "--speed", f"{speed:g}"]
    words += ["--folder", str(folder), *(word for tool in tools for word in ("--tool", tool))]
    process = subprocess.Popen(words, env={**os.environ, "IMPETUS_HOME": str(home)}, start_new_session=True)
    desk, began, ended, used_s, busy_s, waiting = Desk(folder), 0.0, 0.0, 0.0, 0.0, 0
    while process.poll() is None:
        state = desk.state()
        if state is not None and state.phase is Phase.RUNNING and state.elapsed_s >= 0:
            if not began:
                began, used_s = time.monotonic(), processor_s(process.pid)
            waiting = max(waiting, state.waiting)
            ended = time.monotonic()
            busy_s = processor_s(process.pid) - used_s
            if seconds is not None and state.elapsed_s >= seconds:
                desk.order(Order(kind=OrderKind.END, by="the benchmark"))
                seconds = None
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"the exercise {scenario} ended with {process.returncode}; see {folder / 'logs'}")
    took_s = max(ended - began, 1e-9)
    cores = len(os.sched_getaffinity(0))
    told = Reviewed.model_validate_json((folder / "report" / "review.json").read_text())
    return Run(told, took_s, busy_s / took_s / cores, waiting)


def processor_s(root: int) -> float:
    """Seconds of processor time of a process and all below it, those that ended left out."""
    tick = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
        spent[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / tick
    below = {root}
    grown = True
    while grown:
        more = {process for process, parent in parents.items() if parent in below} - below
        grown = bool(more)
        below |= more
    return sum(spent.get(process, 0.0) for process in below)


async def replayed(folder: Path, readings: int) -> float:
    """Readings a second of a replay of the tool `anomaly`, at 2,000 readings a second of the city."""
    store = await open_store(f"sqlite:///{folder / 'store.sqlite'}", SystemClock())
    start = datetime(2026, 3, 2, 8, tzinfo=UTC)
    city = list(sensors().values())
    streams: list[Datastream] = []
    for number in range(READINGS_PER_S):
        sensor = city[number % len(city)]
        streams.append(sensor.datastream.model_copy(update={"id": f"s{number}", "interval_s": 1.0}))
    try:
        async with store.transaction() as transaction:
            await transaction.datastreams.put("municipality", streams)
        seconds = readings // READINGS_PER_S
        moments = [start + timedelta(seconds=second) for second in range(seconds)]
        columns = [values(sensor, np.array([moment.timestamp() for moment in moments])).tolist() for sensor in city]
        for second, moment in enumerate(moments):
            time_us = int(moment.timestamp() * 1e6)
            await store.readings.append(
                "municipality",
                ObservationBatch(
                    datastreams=tuple(one.id for one in streams),
                    index=tuple(range(READINGS_PER_S)),
                    time_us=(time_us,) * READINGS_PER_S,
                    value=tuple(columns[number % len(city)][second] for number in range(READINGS_PER_S)),
                ),
            )
        until = start + timedelta(seconds=seconds)
        told = await replay(load_tool("anomaly"), store, "municipality", start, until, {})
        return told.readings / told.took_s
    finally:
        await store.close()


def main() -> None:
    """Play, measure, print."""
    end_tidily()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("pace", "scenarios", "natural", "replay"), help="only this part")
    parser.add_argument("--tool", action="append", default=[], help="run only these tools")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long the natural speed is measured")
    given: Any = parser.parse_args()
    figures: list[Figure] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
        home = Path(folder)
        if given.only in (None, "natural"):
            one = play(home, "protest", 1, given.tool, seconds=given.seconds)
            figures.append(Figure("protest at 1x: all processors", "%", 70, 100 * one.busiest, at_most=True))
            figures.append(Figure("protest at 1x: most messages waiting", "", 50, one.most_waiting, at_most=True))
        if given.only in (None, "pace"):
            pair = [play(home, "protest", 20, given.tool) for _ in range(2)]
            figures.append(Figure("protest at 20x: wall time", "s", 120, max(one.took_s for one in pair), at_most=True))
            same = pair[0].detections == pair[1].detections
            figures.append(Figure("two seeded runs find the same", "", 1, float(same)))
            notes.append(f"alerts of the two runs: {[one.told.review.alerts for one in pair]}")
        if given.only in (None, "scenarios"):
            for scenario in PLANTED:
                review = play(home, scenario, 20, given.tool).told.review
                played = [one for one in review.truths if one.outcome is not Outcome.SKIPPED]
                found = sum(one.outcome is Outcome.FOUND for one in played)
                if played:
                    figures.append(Figure(f"{scenario}: planted events found", "", len(played), found))
                if review.most_alerts_an_hour is not None:
                    figures.append(
                        Figure(
                            f"{scenario}: alerts an hour",
                            "",
                            review.most_alerts_an_hour,
                            review.alerts_an_hour,
                            at_most=True,
                        )
                    )
                delays = {one.id: one.delay_s for one in played}
                notes.append(f"{scenario}: seconds until found {json.dumps(delays)}")
        if given.only in (None, "replay"):
            rate = asyncio.run(replayed(home, 120_000))
            figures.append(
                Figure(
                    "replay of 24 h at 2,000 readings/s",
                    "min",
                    5,
                    86_400 * READINGS_PER_S / rate / 60,
                    at_most=True,
                    note=f"reckoned from {rate:,.0f} readings/s",
                )
            )
    report("Exercises", figures, notes=notes)


if __name__ == "__main__":
    main()
