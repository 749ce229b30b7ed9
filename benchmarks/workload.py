"""The workload tool: variability and beats against what is known, load of people it has not seen, and what it costs."""

from __future__ import annotations

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.reporting import Figure, report
from impetus.sdk import Duty, DutyBoard, LocalContext, read_manifest
from impetus.tools import workload
from impetus.tools.workload import signals
from impetus.tools.workload.beats import find_beats
from impetus.tools.workload.evaluation import evaluate
from impetus.tools.workload.heart_variability import variability
from impetus.tools.workload.settings import WorkloadSettings
from impetus.tools.workload.worker import WorkloadTool

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "workload"
RATE_HZ = 250.0
PEOPLE, LIVE_S = 50, 24
RECORDINGS, RECORDING_S = 6, 120.0
NOISE_DB = (24.0, 12.0, 6.0, 3.0, 0.0)


def main() -> None:
    """Measure and print; with the word `live`, what it costs and nothing else."""
    if "live" in sys.argv[1:]:
        report("Workload, live", _live())
        return
    figures, notes = _sine()
    beats, more = _beats()
    figures += beats
    notes += more
    if DATA.is_dir():
        judged, more = _judged()
        figures += judged
        notes += more
    else:
        notes.append(f"{DATA.name}: the recordings are not beside the repository, nothing was judged by them.")
    report("Workload", [*figures, *_live()], notes=notes)


def _sine() -> tuple[list[Figure], list[str]]:
    time_s = np.cumsum(np.full(1_000, 0.8))
    measures = variability(800 + 30 * np.sin(2 * np.pi * 0.1 * time_s))
    powers = [getattr(measures, name) or 0.0 for name in ("vlf_ms2", "lf_ms2", "hf_ms2")]
    return [
        _close("SDNN of a 30 ms sine", "ms", 21.21, measures.sdnn_ms or 0, 0.01),
        Figure("share of its power in its own band", "%", 95, 100 * powers[1] / sum(powers)),
    ], []


def _close(name: str, unit: str, known: float, reached: float, relative: float) -> Figure:
    off = 100 * abs(reached / known - 1)
    return Figure(f"{name}: off {known:g} {unit}", "%", 100 * relative, off, at_most=True, note=f"{reached:.3f} {unit}")


def _beats() -> tuple[list[Figure], list[str]]:
    figures, notes = [], []
    for decibels in NOISE_DB:
        sensitivity, precision, abstained, errors = [], [], 0, []
        for seed in range(RECORDINGS):
            random = np.random.default_rng(seed)
            beats = signals.intervals(RECORDING_S, random, heart_bpm=55 + 10 * seed, variation=0.4 + 0.3 * seed)
            true = np.cumsum(beats)
            true = true[true < RECORDING_S - 0.5]
            noisy = signals.with_noise(signals.ecg(true, RECORDING_S, RATE_HZ), decibels, random)
            found = find_beats(noisy, RATE_HZ)
            distance = np.abs(true[:, None] - found.time_s[None])
            sensitivity.append(float(np.mean(distance.min(axis=1) < 0.05)))
            precision.append(float(np.mean(distance.min(axis=0) < 0.05)))
            said, known = found.variability(), variability(1_000 * np.diff(true))
            if said.rmssd_ms is None or known.rmssd_ms is None:
                abstained += 1
            else:
                errors.append(abs(said.rmssd_ms / known.rmssd_ms - 1))
        if decibels == NOISE_DB[0]:
            figures += [
                Figure("sensitivity of R peaks at 24 dB, the worst recording", "share", 0.99, min(sensitivity)),
                Figure("precision of R peaks at 24 dB, the worst recording", "share", 0.99, min(precision)),
            ]
        worst = f"{100 * max(errors):.1f} % off at most" if errors else "nothing said"
        notes.append(
            f"{decibels:g} dB: all beats, sensitivity {min(sensitivity):.3f}, precision {min(precision):.3f};"
            f" {abstained} of {RECORDINGS} recordings abstained, RMSSD of the others {worst}"
        )
    return figures, notes


def _judged() -> tuple[list[Figure], list[str]]:
    judged = evaluate(DATA)
    known = judged["variability"]["nn-intervals-sample.npy"]
    published = (
        ("mean_nn_ms", "mean NN", "ms", 768.438, 0.0001),
        ("sdnn_ms", "SDNN", "ms", 85.357, 0.0001),
        ("rmssd_ms", "RMSSD", "ms", 60.523, 0.0001),
        ("sdsd_ms", "SDSD", "ms", 60.530, 0.0001),
        ("pnn50", "pNN50", "%", 28.57, 0.001),
        ("lf_hf", "LF/HF", "", 1.78, 0.05),
    )
    figures = [_close(title, unit, value, known[name], off) for name, title, unit, value, off in published]
    heart, brain = judged["heart"]["stress-predict-hr.csv.xz"], judged["brain"]["cog-bci-bands.csv.xz"]
    figures += [
        Figure("macro-F1 by heart and breathing, people not seen", "", 0.66, heart["macro_f1"]),
        Figure("macro-F1 by band powers, people not seen", "", 0.80, brain["macro_f1"]),
    ]
    notes = [
        f"heart: {heart['people']} people, {heart['seconds']} s; mean of people {heart['macro_f1_mean_of_people']:.3f};"
        f" without the filter {heart['macro_f1_each_second_alone']:.3f};"
        f" begun 400 s later {heart['macro_f1_begun_400_s_later']:.3f}",
        f"brain: {brain['people']} people, {brain['epochs']} epochs;"
        f" mean of people {brain['macro_f1_mean_of_people']:.3f};"
        f" without the filter {brain['macro_f1_each_epoch_alone']:.3f};"
        f" with the order of the tasks drawn by chance {brain['macro_f1_order_by_chance']:.3f}",
    ]
    return figures, notes


def _live() -> Sequence[Figure]:
    share, slowest_s = asyncio.run(_live_cost())
    every_s = WorkloadSettings().estimate_every_s
    return [
        Figure("processor share of 50 operators, 250 Hz and bands", "%", 30, 100 * share, at_most=True),
        Figure(
            "sample to estimate, the worst",
            "s",
            2,
            every_s + slowest_s,
            at_most=True,
            note=f"{every_s:g} s between estimates, {slowest_s:.2f} s of processor time for all 50",
        ),
    ]


async def _live_cost() -> tuple[float, float]:
    """Processor time a second of signals, and of the round of all people that took most."""
    context = LocalContext(read_manifest(Path(workload.__file__).parent), own=Path(tempfile.mkdtemp()))
    settings = WorkloadSettings.model_validate({"works_agreement": "a benchmark", "source": "simulator", "rest_s": 20})
    tool = WorkloadTool(context, settings)
    await tool.start()
    now = context.clock.now()
    for number in range(PEOPLE):
        person = f"person-{number}"
        await context.own.open(
            person, person, now=now, until=now + timedelta(hours=8), shared=False, terms={"device": "simulated"}
        )
    people = tuple(Duty(person=f"person-{number}", held=4) for number in range(PEOPLE))
    context.board = DutyBoard(waiting=20, operators=PEOPLE, held=200, people=people)
    rounds = math.ceil(LIVE_S / settings.estimate_every_s)
    spent_s, slowest_s = 0.0, 0.0
    for number in range(2 * rounds):
        context.clock.advance(settings.estimate_every_s)
        began_s = time.process_time()
        await tool.tick()
        if number >= rounds:
            # The first half is rest and warming up. The invented signals are made within, and counted.
            took_s = time.process_time() - began_s
            spent_s += took_s
            slowest_s = max(slowest_s, took_s)
    return spent_s / (rounds * settings.estimate_every_s), slowest_s


if __name__ == "__main__":
    main()
