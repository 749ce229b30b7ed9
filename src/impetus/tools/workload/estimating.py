"""Estimates of a whole file, line by line, as the live side makes them: from what came before only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.workload.beats import find_beats
from impetus.tools.workload.brain_inputs import NAMES as BRAIN_NAMES
from impetus.tools.workload.brain_inputs import BrainInputs
from impetus.tools.workload.estimate import (
    BRAIN_FILTER,
    EPOCH_S,
    HEART_FILTER,
    Estimate,
    carried_by,
    estimate_of,
    models,
)
from impetus.tools.workload.files import read_signal
from impetus.tools.workload.filtering import LoadFilter
from impetus.tools.workload.heart_inputs import NAMES as HEART_NAMES
from impetus.tools.workload.heart_inputs import HeartInputs
from impetus.tools.workload.heartbeat import HeartSeconds
from impetus.tools.workload.recordings import (
    BRAIN_COLUMNS,
    BrainRecording,
    HeartRecording,
    brain_recordings,
    heart_recordings,
    read_table,
)

MOST_CARRIED = 3


def estimate_table(path: Path, *, rate_hz: float | None, every: int) -> Iterator[dict[str, Any]]:
    """Lines of a file: of each person, each second or epoch. Raises `InvalidInput`."""
    if rate_hz is not None or path.suffix.lower() in (".edf", ".bdf", ".npy"):
        yield from _of_ecg(path, rate_hz, every)
        return
    header, rows = read_table(path)
    if set(BRAIN_COLUMNS[:-2]) <= set(header):
        for brain in brain_recordings(path, rows):
            yield from _of_brain(brain, every)
    elif "HR" in header:
        for heart in heart_recordings(path, rows):
            yield from _of_heart(heart, every)
    else:
        raise InvalidInput(
            f"{path.name}: its columns are of no known shape",
            hint="give HR and respr, band powers, or --rate of an ECG",
        )


def _of_heart(recording: HeartRecording, every: int) -> Iterator[dict[str, Any]]:
    model, usual = models().heart, np.zeros(len(HEART_NAMES))
    inputs, usable = HeartInputs().update(recording.heart_bpm, recording.breathing_per_min)
    logits = model.logit(inputs)
    load = LoadFilter(HEART_FILTER)
    for place, time_s in enumerate(recording.time_s):
        if usable[place]:
            load.update(float(logits[place]), elapsed_s=1.0)
        else:
            load.pass_over(1.0)
        if place % every == 0:
            carried = carried_by(model.logit, HEART_NAMES, inputs[place], usual) if usable[place] else {}
            estimate = estimate_of(load, _most(carried))
            yield {"person": recording.person, "time": float(time_s), **_line(estimate, usable=bool(usable[place]))}


def _of_brain(recording: BrainRecording, every: int) -> Iterator[dict[str, Any]]:
    model = models().brain
    inputs, usable = BrainInputs().update(recording.powers)
    logits = model.logit(inputs)
    load, block = LoadFilter(BRAIN_FILTER), recording.block[0] if recording.block else ""
    for place in range(len(recording.powers)):
        if recording.block[place] != block:
            load, block = LoadFilter(BRAIN_FILTER), recording.block[place]
        if usable[place]:
            load.update(float(logits[place]), elapsed_s=EPOCH_S)
        else:
            load.pass_over(EPOCH_S)
        if place % every == 0:
            carried = carried_by(model.logit, BRAIN_NAMES, inputs[place], model.mean) if usable[place] else {}
            estimate = estimate_of(load, _most(carried))
            yield {
                "person": recording.person,
                "session": recording.session,
                "epoch": place,
                "block": block,
                **_line(estimate, usable=bool(usable[place])),
            }


def _of_ecg(path: Path, rate_hz: float | None, every: int) -> Iterator[dict[str, Any]]:
    signal = read_signal(path)
    rate = rate_hz or signal.rate_hz
    if rate is None:
        raise InvalidInput(f"{path.name} does not say its rate", hint="give it with --rate HZ")
    beats = find_beats(signal.values, rate)
    seconds = HeartSeconds.of(beats, len(signal.values) / rate)
    yield from _of_heart(
        HeartRecording(path.stem, np.arange(len(seconds.heart_bpm), dtype=np.float64), *seconds.columns(), None), every
    )


def _most(carried: dict[str, float]) -> dict[str, float]:
    return dict(list(carried.items())[:MOST_CARRIED])


def _line(estimate: Estimate, *, usable: bool) -> dict[str, Any]:
    line = asdict(estimate)
    if not usable and estimate.abstained is None:
        line["abstained"] = "no usable signal at this moment"
        line |= {"overload": None, "normal": None, "underload": None, "load": None}
    return line
