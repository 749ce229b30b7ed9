"""Recordings with a label of load, as published data sets have them: for training and for judging a model.

Two shapes are known, by their columns: heart rate and breathing each second (`Participant,HR,respr,Time(sec),Label`),
and band powers an epoch (`frontal_theta,...,subject,session,task,workload,epoch`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Booleans, Floats
from impetus.tools.workload.brain_inputs import POWERS

LIMIT_BYTES = 400_000_000
HEART_COLUMNS = ("Participant", "HR", "respr", "Time(sec)")
BRAIN_COLUMNS = (*POWERS, "subject", "session")
HEART_LABEL = "Label"
HEART_STEP = 25
BRAIN_STEP = 5
"""Every so many rows of a person are remembered as a mark, so that the person is recognised in another file."""


@dataclass(frozen=True, slots=True)
class HeartRecording:
    """One person, each second."""

    person: str
    time_s: Floats
    heart_bpm: Floats
    breathing_per_min: Floats
    high: Booleans | None
    """Whether the task load was high, where the file says so."""
    marks: tuple[str, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class BrainRecording:
    """One person's session, epochs in the order of the file."""

    person: str
    session: str
    powers: Floats
    block: tuple[str, ...]
    """The part of the session that each epoch is of; between parts there is a pause."""
    label: tuple[str, ...]
    """What is said of the load, as in `MATB High`; empty where nothing is."""
    marks: tuple[str, ...] = field(repr=False, default=())


def read_table(path: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Header and rows of a CSV file, which may be packed with xz. Raises `InvalidInput`."""
    try:
        if path.suffix == ".xz":
            with lzma.open(path, "rb") as packed:
                data = packed.read(LIMIT_BYTES + 1)
        else:
            with path.open("rb") as plain:
                data = plain.read(LIMIT_BYTES + 1)
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}", hint="name a CSV file") from error
    if len(data) > LIMIT_BYTES:
        raise InvalidInput(f"{path.name} holds more than {LIMIT_BYTES:,} bytes", hint="split it")
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), restkey="", restval="")
        return list(reader.fieldnames or ()), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path.name} is no CSV file: {error}", hint="give a table of text") from error


def heart_recordings(path: Path, rows: Sequence[Mapping[str, str]]) -> list[HeartRecording]:
    """The people of a file, in its order. Raises `InvalidInput` for a value that is no number."""
    people: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        people.setdefault(row.get("Participant") or "1", []).append(row)
    return [_heart_recording(path, person, rows) for person, rows in people.items()]


def _heart_recording(path: Path, person: str, rows: Sequence[Mapping[str, str]]) -> HeartRecording:
    heart, breathing, time_s = (
        np.array([_number(path, row.get(name, ""), name) for row in rows]) for name in ("HR", "respr", "Time(sec)")
    )
    if not np.isfinite(time_s).all():
        time_s = np.arange(len(rows), dtype=np.float64)
    labels = [row.get(HEART_LABEL, "").strip() for row in rows]
    high = np.array([float(label) > 0 for label in labels]) if all(_is_number(label) for label in labels) else None
    marks = [_mark(f"{row.get('Time(sec)')} {row.get('HR')} {row.get('respr')}") for row in rows]
    return HeartRecording(person, time_s, heart, breathing, high, tuple(marks))


def brain_recordings(path: Path, rows: Sequence[Mapping[str, str]]) -> list[BrainRecording]:
    """The sessions of a file, in its order. Raises `InvalidInput` for a value that is no number."""
    sessions: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for row in rows:
        sessions.setdefault((row.get("subject") or "1", row.get("session") or "1"), []).append(row)
    return [
        BrainRecording(
            person,
            session,
            np.array([[_number(path, row.get(name, ""), name) for name in POWERS] for row in rows]),
            tuple(row.get("filename") or f"{row.get('task', '')} {row.get('workload', '')}" for row in rows),
            tuple(f"{row.get('task', '')} {row.get('workload', '')}".strip() for row in rows),
            tuple(_mark(" ".join(row.get(name, "") for name in POWERS[:4])) for row in rows),
        )
        for (person, session), rows in sessions.items()
    ]


def reordered(recording: BrainRecording, random: np.random.Generator) -> BrainRecording:
    """The same recording with its parts in an order drawn by chance."""
    names = list(dict.fromkeys(recording.block))
    order = np.concatenate(
        [np.flatnonzero(np.array(recording.block) == names[place]) for place in random.permutation(len(names))]
    )
    return replace(
        recording,
        powers=recording.powers[order],
        block=tuple(recording.block[place] for place in order),
        label=tuple(recording.label[place] for place in order),
    )


def _number(path: Path, text: str, name: str) -> float:
    if not text.strip():
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInput(
            f"{path.name}: {text[:40]!r} in the column {name} is no number", hint="leave missing values empty"
        ) from error


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
