"""Trains the models of load. `python -m impetus.tools.workload.training --data DIR` writes `models.json` anew.

The people whom a model learnt from are remembered by hashes of some of their rows, so that it is never judged by them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from impetus.model import InvalidInput
from impetus.tools.workload import boosting, linear
from impetus.tools.workload.arrays import Booleans, Floats
from impetus.tools.workload.boosting import BoostedTrees
from impetus.tools.workload.brain_inputs import NAMES as BRAIN_NAMES
from impetus.tools.workload.brain_inputs import BrainInputs
from impetus.tools.workload.heart_inputs import NAMES as HEART_NAMES
from impetus.tools.workload.heart_inputs import HeartInputs
from impetus.tools.workload.linear import LinearModel
from impetus.tools.workload.recordings import (
    BRAIN_COLUMNS,
    BRAIN_STEP,
    HEART_COLUMNS,
    HEART_STEP,
    BrainRecording,
    HeartRecording,
    brain_recordings,
    heart_recordings,
    read_table,
    reordered,
)

MODELS = Path(__file__).with_name("models.json")
EVERY_S = 10
"""Of a heart recording, every so many seconds are learnt from; between them little changes."""
LATE_STARTS = 3
LATEST_START = 0.45
"""Share of a recording. Each recording is also learnt from as if it had begun later, so that the model cannot tell what
is going on from how long it has been going on: recordings of one experiment all follow one plan."""
RIDGE = 0.003
ORDERS = 8
"""Each session is also learnt from with its parts in so many orders drawn by chance: in a file the hard part may always
come first, and what is "before" must not tell the model which part it is."""
LOW, HIGH = "MATB Low", "MATB High"


def heart_rows(recording: HeartRecording, *, seed: int) -> tuple[Floats, Booleans]:
    """Inputs, shape (n, names), and states, shape (n,), of one person."""
    if recording.high is None:
        raise InvalidInput(f"{recording.person}: nothing says when the load was high", hint=f"give a column {'Label'}")
    random = np.random.default_rng(seed)
    length = len(recording.heart_bpm)
    starts = [0, *(int(share * length) for share in random.uniform(0.03, LATEST_START, LATE_STARTS))]
    inputs, high = [], []
    for start in starts:
        rows, usable = HeartInputs().update(recording.heart_bpm[start:], recording.breathing_per_min[start:])
        chosen = np.flatnonzero(usable)[::EVERY_S]
        inputs.append(rows[chosen])
        high.append(recording.high[start:][chosen])
    return np.concatenate(inputs), np.concatenate(high)


def brain_rows(recording: BrainRecording, *, seed: int) -> tuple[Floats, Booleans]:
    """Inputs, shape (n, names), and states, shape (n,), of the epochs of one session that are plainly low or high."""
    random = np.random.default_rng(seed)
    inputs, high = [], []
    for one in (recording, *(reordered(recording, random) for _ in range(ORDERS))):
        rows, usable = BrainInputs().update(one.powers)
        labels = np.array(one.label)
        chosen = usable & np.isin(labels, (LOW, HIGH))
        inputs.append(rows[chosen])
        high.append(labels[chosen] == HIGH)
    return np.concatenate(inputs), np.concatenate(high)


def train_heart(parts: Sequence[tuple[Floats, Booleans]]) -> BoostedTrees:
    """The model of heart rate and breathing, from the rows of each person."""
    return boosting.fit(HEART_NAMES, np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))


def train_brain(parts: Sequence[tuple[Floats, Booleans]]) -> LinearModel:
    """The model of band powers, from the rows of each person."""
    inputs, high = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    return linear.fit(BRAIN_NAMES, inputs, high, ridge=RIDGE)


def marks(recordings: Sequence[HeartRecording] | Sequence[BrainRecording], step: int) -> list[str]:
    """What the people of these recordings are recognised by."""
    return sorted({mark for recording in recordings for mark in recording.marks[::step]})


def train(folder: Path) -> dict[str, Any]:
    """Both models from the labelled files of a folder. Raises `InvalidInput` if one is missing."""
    content: dict[str, Any] = {}
    for path in sorted(folder.glob("*.csv*")):
        header, rows = read_table(path)
        if set(HEART_COLUMNS) <= set(header):
            hearts = heart_recordings(path, rows)
            parts = [heart_rows(one, seed=number) for number, one in enumerate(hearts)]
            content["heart"] = {"model": train_heart(parts).to_json(), "marks": marks(hearts, HEART_STEP)}
        elif set(BRAIN_COLUMNS) <= set(header):
            brains = brain_recordings(path, rows)
            content["brain"] = {
                "model": train_brain([brain_rows(one, seed=number) for number, one in enumerate(brains)]).to_json(),
                "marks": marks(brains, BRAIN_STEP),
            }
    if missing := {"heart", "brain"} - content.keys():
        raise InvalidInput(f"{folder} has nothing to learn {', '.join(sorted(missing))} from", hint="see the card")
    return content


def main(data: Annotated[Path, typer.Option(help="Folder with the labelled recordings.")]) -> None:
    """Train both models and write them beside this module."""
    MODELS.write_text(json.dumps(train(data), separators=(",", ":")) + "\n", encoding="ascii")
    typer.echo(f"{MODELS.name}: {MODELS.stat().st_size:,} bytes")


if __name__ == "__main__":
    typer.run(main)
