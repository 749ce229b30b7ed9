"""Plays the shipped scenarios without players: pace, load, what was found, and whether a run can be repeated.

Processor time is counted by the processes that spend it, so that it says the same on a machine that others use as
well; wall time does not, and is told with the load. `--only` measures one part; `--run` looks at a run that is there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import end_tidily
from benchmarks.reporting import Figure, report
from impetus.exercise.city import sensors
from impetus.exercise.desk import Desk, Order, OrderKind, Phase
from impetus.exercise.outcomes import Lane, Outcome
from impetus.exercise.replay import replay
from impetus.exercise.reviewing import Reviewed
from impetus.exercise.signals import values
from impetus.model import Datastream, ObservationBatch, SystemClock
from impetus.sdk import load_tool
from impetus.store import open_store

READINGS_PER_S = 2_000
REPLAY_START = datetime(2026, 3, 2, 8, tzinfo=UTC)
REPLAYED_MINUTES = (60, 90)
PLANTED = ("blackout", "false-alarms")
"""Played once each; `protest` is played for the pace."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run."""

    told: Reviewed
    took_s: float
    processor_s: float
    """That all its processes spent while the scenario was played."""
    waiting: Sequence[int]
    """Messages that the slowest tool had still to read, every half second."""

    @property
    def share(self) -> float:
        """Of all cores, what was spent in a second of the scenario."""
        return self.processor_s / max(self.told.review.length_s, 1.0) / len(os.sched_getaffinity(0))

    @property
    def growth(self) -> float:
        """How many messages more waited in the last third than in the first, on average."""
        third = max(len(self.waiting) // 3, 1)
        return float(np.mean(self.waiting[-third:]) - np.mean(self.waiting[:third])) if self.waiting else 0.0

    @property
    def alerts(self) -> Counter[str]:
        """All that was detected, ids aside."""
        return alerts_of(self.told)


def alerts_of(told: Reviewed) -> Counter[str]:
    """What a run detected, ids aside."""
    return Counter(f"{one.tool}: {one.title}" for one in told.review.timeline if one.lane is Lane.DETECTED)


def in_common(first: Counter[str], second: Counter[str]) -> float:
    """Share of the alerts of two runs that both have."""
    every = first | second
    return (first & second).total() / every.total() if every else 1.0


def play(home: Path, scenario: str, speed: float, tools: Sequence[str], *, seconds: float | None = None) -> Run:
    """One run in a process of its own; with `seconds`, it is ended after so much of the scenario."""
    folder = home / f"{scenario}-{time.monotonic_ns()}"
    words = [sys.executable, "-m", "impetus.cli", "exercise", "run", scenario, "--speed", f"{speed:g}"]
    words += ["--folder", str(folder), *(word for tool in tools for word in ("--tool", tool))]
    process = subprocess.Popen(words, env={**os.environ, "IMPETUS_HOME": str(home)}, start_new_session=True)
    desk, began, ended, used_s, busy_s = Desk(folder), 0.0, 0.0, 0.0, 0.0
    waiting: list[int] = []
    while process.poll() is None:
        state = desk.state()
        if state is not None and state.phase is Phase.RUNNING and state.elapsed_s >= 0:
            if not began:
                began, used_s = time.monotonic(), processor_s(process.pid)
            waiting.append(state.waiting)
            ended = time.monotonic()
            busy_s = processor_s(process.pid) - used_s
            if seconds is not None and state.elapsed_s >= seconds:
                desk.order(Order(kind=OrderKind.END, by="the benchmark"))
                seconds = None
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"the exercise {scenario} ended with {process.returncode}; see {folder / 'logs'}")
    took_s = max(ended - began, 1e-9)
    told = Reviewed.model_validate_json((folder / "report" / "review.json").read_text())
    return Run(told, took_s, busy_s, waiting)


def processor_s(root: int) -> float:
    """Seconds of processor time of a process and all below it, with those that ended and were waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
        spent[int(path.parent.name)] = sum(int(field) for field in fields[11:15]) / tick
    below = {root}
    grown = True
    while grown:
        more = {process for process, parent in parents.items() if parent in below} - below
        grown = bool(more)
        below |= more
    return sum(spent.get(process, 0.0) for process in below)


def record(folder: Path, minutes: int) -> None:
    """A store with so many minutes of 2,000 readings a second of the city."""
    city = list(sensors().values())
    streams = [
        city[number % len(city)].datastream.model_copy(update={"id": f"s{number}", "interval_s": 1.0})
        for number in range(READINGS_PER_S)
    ]
    asyncio.run(_register(folder, streams))
    with closing(sqlite3.connect(folder / "store-readings.sqlite")) as file, file:
        numbers = dict(file.execute("SELECT datastream, number FROM series"))
        moments_s = REPLAY_START.timestamp() + np.arange(60.0 * minutes)
        columns = [values(sensor, moments_s).tolist() for sensor in city]
        times_us = [int(moment * 1e6) for moment in moments_s]
        # Written at once, where the store would write a few thousand at a time.
        for place, stream in enumerate(streams):
            column = columns[place % len(city)]
            rows = zip(repeat(numbers[stream.id]), times_us, column, strict=False)
            file.executemany("INSERT OR IGNORE INTO reading (series, time_us, value) VALUES (?, ?, ?)", rows)


async def _register(folder: Path, streams: Sequence[Datastream]) -> None:
    store = await open_store(f"sqlite:///{folder / 'store.sqlite'}", SystemClock())
    try:
        async with store.transaction() as transaction:
            await transaction.datastreams.put("municipality", streams)
        batch = ObservationBatch(
            datastreams=tuple(one.id for one in streams),
            index=tuple(range(READINGS_PER_S)),
            time_us=(int(REPLAY_START.timestamp() * 1e6),) * READINGS_PER_S,
            value=(0.0,) * READINGS_PER_S,
        )
        await store.readings.append("municipality", batch)
    finally:
        await store.close()


async def replayed_s(folder: Path, minutes: int) -> float:
    """Seconds of a replay of the tool `anomaly` over so much of what was recorded."""
    address = f"sqlite:///{folder / 'store.sqlite'}"
    store = await open_store(address, SystemClock())
    began_s = time.monotonic()
    try:
        until = REPLAY_START + timedelta(minutes=minutes)
        told = await replay(load_tool("anomaly"), store, "municipality", REPLAY_START, until, {}, address=address)
    finally:
        await store.close()
    if told.readings != 60 * minutes * READINGS_PER_S:
        raise SystemExit(f"{told.readings} readings were replayed, not {60 * minutes * READINGS_PER_S}")
    return time.monotonic() - began_s


def replay_figures(home: Path) -> list[Figure]:
    """Of two lengths, both beyond which a process reads ahead, and what follows from them for a day."""
    short, long = REPLAYED_MINUTES
    record(home, long)
    short_s, long_s = (asyncio.run(replayed_s(home, minutes)) for minutes in (short, long))
    minute_s = (long_s - short_s) / (long - short)
    day_s = short_s + (24 * 60 - short) * minute_s
    note = f"reckoned from {short} and {long} minutes: {60 * READINGS_PER_S / minute_s:,.0f} readings/s; "
    note += f"load {os.getloadavg()[0]:.1f}"
    return [Figure("replay of 24 h at 2,000 readings/s", "min", 5, day_s / 60, at_most=True, note=note)]


def scenario_figures(told: Reviewed) -> tuple[list[Figure], str]:
    """What a run says of its scenario: planted events found, each in its time, and alerts an hour."""
    review, figures = told.review, []
    played = [one for one in review.truths if one.outcome is not Outcome.SKIPPED]
    if played:
        found = sum(one.outcome is Outcome.FOUND for one in played)
        figures.append(Figure(f"{review.scenario}: planted events found", "", len(played), found))
    if review.most_alerts_an_hour is not None:
        most = review.most_alerts_an_hour
        figures.append(Figure(f"{review.scenario}: alerts an hour", "", most, review.alerts_an_hour, at_most=True))
    delays = {one.id: one.delay_s if one.delay_s is not None else one.outcome.value for one in review.truths}
    return figures, f"{review.scenario}: seconds until found {json.dumps(delays)}; {review.alerts} alerts"


def pace_figures(runs: Sequence[Run]) -> list[Figure]:
    """What two runs at twenty times the speed say."""
    load = f"load {os.getloadavg()[0]:.1f}"
    most, spent = max(one.took_s for one in runs), max(one.processor_s for one in runs)
    return [
        Figure("protest at 20x: wall time", "s", 120, most, at_most=True, note=load),
        Figure("protest at 20x: processor time on two cores", "s", 240, spent, at_most=True),
        *same_figures(runs[0].told, runs[1].told),
    ]


def same_figures(first: Reviewed, second: Reviewed) -> list[Figure]:
    """Whether two seeded runs are the same."""
    outcomes = [{one.id: one.outcome for one in told.review.truths} for told in (first, second)]
    return [
        Figure("two seeded runs find the same planted events", "", 1, float(outcomes[0] == outcomes[1])),
        Figure("two seeded runs: alerts in common", "%", 100, 100 * in_common(alerts_of(first), alerts_of(second))),
    ]


def kept(folder: Path) -> Reviewed:
    """The review of a run that was played before."""
    return Reviewed.model_validate_json((folder / "report" / "review.json").read_text())


def main() -> None:
    """Play, measure, print."""
    end_tidily()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("pace", "scenarios", "natural", "replay"), help="only this part")
    parser.add_argument("--tool", action="append", default=[], help="run only these tools")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long the natural speed is measured")
    parser.add_argument("--run", action="append", default=[], type=Path, help="review a kept run, play none")
    given: Any = parser.parse_args()
    figures: list[Figure] = []
    notes: list[str] = []
    before = [kept(folder) for folder in given.run]
    for told in before:
        found, note = scenario_figures(told)
        figures += found
        notes.append(note)
    if len(before) == 2 and before[0].review.scenario == before[1].review.scenario:
        figures += same_figures(*before)
    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
        home = Path(folder)
        if given.only == "natural" or not (given.only or before):
            one = play(home, "protest", 1, given.tool, seconds=given.seconds)
            figures.append(Figure("protest at 1x: share of all processors", "%", 70, 100 * one.share, at_most=True))
            figures.append(Figure("protest at 1x: growth of what waits", "", 5, one.growth, at_most=True))
            notes.append(f"protest at 1x: at most {max(one.waiting, default=0)} messages waited for a tool")
        if given.only == "pace" or not (given.only or before):
            runs = [play(home, "protest", 20, given.tool) for _ in range(2)]
            figures += pace_figures(runs)
            found, note = scenario_figures(runs[0].told)
            figures += found
            notes.append(note)
        if given.only == "scenarios" or not (given.only or before):
            for scenario in PLANTED:
                found, note = scenario_figures(play(home, scenario, 20, given.tool).told)
                figures += found
                notes.append(note)
        if given.only == "replay" or not (given.only or before):
            figures += replay_figures(home)
    report("Exercises", figures, notes=notes)


if __name__ == "__main__":
    main()
