"""Judges the models of load by people whom they have not seen, and the measures of variability by recorded intervals.

A person of whom the model of this release learnt (`Models.heart_marks`, `brain_marks`) is judged by a model that was
trained without them, on the other people of the file; everybody else by the model of this release. Inputs are
normalised by what came before only; random folds within a person are never made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Booleans, Floats
from impetus.tools.workload.brain_inputs import BrainInputs
from impetus.tools.workload.estimate import BRAIN_FILTER, EPOCH_S, HEART_FILTER, OVERLOAD_LOGIT, models
from impetus.tools.workload.files import read_intervals
from impetus.tools.workload.filtering import FilterSettings, LoadFilter
from impetus.tools.workload.heart_inputs import HeartInputs
from impetus.tools.workload.heart_variability import require_milliseconds, variability
from impetus.tools.workload.recordings import (
    BRAIN_COLUMNS,
    HEART_COLUMNS,
    BrainRecording,
    HeartRecording,
    brain_recordings,
    heart_recordings,
    read_table,
    reordered,
)
from impetus.tools.workload.training import HIGH, LOW, brain_rows, heart_rows, train_brain, train_heart

LATE_S = 400
"""Recordings are judged once more as if they had begun so much later: what is lost then was known from the plan of the
experiment, and not from the person."""
ORDERS = 5
"""So many times the order of the tasks of a session is drawn by chance."""


class _Logit(Protocol):
    def logit(self, inputs: Floats) -> Floats: ...


def macro_f1(truth: Booleans, said: Booleans) -> float:
    """Mean of the F1 scores of both states; both of shape (n,).

    >>> macro_f1(np.array([True, True, False]), np.array([True, True, False]))
    1.0
    """
    scores = []
    for state in (False, True):
        right = float(np.count_nonzero((truth == state) & (said == state)))
        both = float(np.count_nonzero(truth == state) + np.count_nonzero(said == state))
        scores.append(2 * right / max(both, 1.0))
    return float(np.mean(scores))


def filtered(logits: Floats, usable: Booleans, step_s: float, settings: FilterSettings) -> Floats:
    """The state of the filter after each estimate, shape (n,)."""
    load = LoadFilter(settings)
    states = np.empty(len(logits))
    for place, logit in enumerate(logits):
        if usable[place]:
            load.update(float(logit), elapsed_s=step_s)
        else:
            load.pass_over(step_s)
        states[place] = load.mean
    return states


def brain_states(recording: BrainRecording, model: _Logit) -> tuple[Floats, Floats, Booleans]:
    """Log odds of each epoch, the same filtered, and which epochs may be used; the filter begins anew after a pause."""
    inputs, usable = BrainInputs().update(recording.powers)
    logits = model.logit(inputs)
    states = np.empty(len(logits))
    block = np.array(recording.block)
    starts = [0, *(np.flatnonzero(block[1:] != block[:-1]) + 1), len(block)]
    for start, end in pairwise(starts):
        states[start:end] = filtered(logits[start:end], usable[start:end], EPOCH_S, BRAIN_FILTER)
    return logits, states, usable


def evaluate_heart(recordings: Sequence[HeartRecording]) -> dict[str, Any]:
    """Figures of heart-rate recordings of which the load is known."""
    judged = [one for one in recordings if one.high is not None]
    seen = {one.person for one in judged if models().heart_marks.intersection(one.marks)}
    rows = {one.person: heart_rows(one, seed=number) for number, one in enumerate(judged)} if seen else {}
    truth, said, plain, late_truth, late_said = (list[Booleans]() for _ in range(5))
    for one in judged:
        if one.high is None:
            continue
        model: _Logit = models().heart
        if one.person in seen:
            model = train_heart(_others(rows, one.person))
        for start, truths, answers in ((0, truth, said), (LATE_S, late_truth, late_said)):
            inputs, usable = HeartInputs().update(one.heart_bpm[start:], one.breathing_per_min[start:])
            logits = model.logit(inputs)
            answers.append(filtered(logits, usable, 1.0, HEART_FILTER) > OVERLOAD_LOGIT)
            truths.append(one.high[start:])
            if not start:
                plain.append(logits > OVERLOAD_LOGIT)
    per_person = [macro_f1(high, answer) for high, answer in zip(truth, said, strict=True)]
    return {
        "people": len(judged),
        "seconds": sum(len(high) for high in truth),
        **_method(len(judged), len(seen)),
        "macro_f1": macro_f1(np.concatenate(truth), np.concatenate(said)),
        "macro_f1_mean_of_people": float(np.mean(per_person)),
        "macro_f1_each_second_alone": macro_f1(np.concatenate(truth), np.concatenate(plain)),
        "macro_f1_begun_400_s_later": macro_f1(np.concatenate(late_truth), np.concatenate(late_said)),
        "by_person": {one.person: round(score, 4) for one, score in zip(judged, per_person, strict=True)},
    }


def evaluate_brain(recordings: Sequence[BrainRecording]) -> dict[str, Any]:
    """Figures of recordings of band powers: the epochs of the task at low against those at high load."""
    judged = [one for one in recordings if {LOW, HIGH} & set(one.label)]
    people = list(dict.fromkeys(one.person for one in judged))
    seen = {one.person for one in judged if models().brain_marks.intersection(one.marks)}
    rows: dict[str, tuple[Floats, Booleans]] = {}
    for person in people if seen else []:
        parts = [brain_rows(one, seed=number) for number, one in enumerate(judged) if one.person == person]
        rows[person] = (np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))
    truth: dict[str, list[Booleans]] = {person: [] for person in people}
    said: dict[str, list[Booleans]] = {person: [] for person in people}
    alone: list[Booleans] = []
    trained = {person: train_brain(_others(rows, person)) for person in sorted(seen)}
    for one in judged:
        model: _Logit = trained.get(one.person, models().brain)
        logits, states, _ = brain_states(one, model)
        label = np.array(one.label)
        chosen = np.isin(label, (LOW, HIGH))
        truth[one.person].append(label[chosen] == HIGH)
        said[one.person].append(states[chosen] > OVERLOAD_LOGIT)
        alone.append(logits[chosen] > OVERLOAD_LOGIT)
    by_person = {person: (np.concatenate(truth[person]), np.concatenate(said[person])) for person in people}
    all_truth = np.concatenate([high for high, _ in by_person.values()])
    all_said = np.concatenate([answer for _, answer in by_person.values()])
    file_truth = np.concatenate([np.array(one.label)[np.isin(one.label, (LOW, HIGH))] == HIGH for one in judged])
    scores = {person: macro_f1(*pair) for person, pair in by_person.items()}
    return {
        "people": len(people),
        "epochs": len(all_truth),
        **_method(len(people), len(seen)),
        "macro_f1": macro_f1(all_truth, all_said),
        "macro_f1_mean_of_people": float(np.mean(list(scores.values()))),
        "macro_f1_each_epoch_alone": macro_f1(file_truth, np.concatenate(alone)),
        "macro_f1_order_by_chance": _order_by_chance(judged, trained),
        "by_person": {person: round(score, 4) for person, score in scores.items()},
    }


def _order_by_chance(recordings: Sequence[BrainRecording], trained: Mapping[str, _Logit]) -> float:
    """Macro-F1 with the parts of each session in another order: the mean of so many draws.

    What is "before" follows the order of a file, in which the hard task may stand first every time; a model that lived
    on that would fall here.
    """
    scores = []
    for draw in range(ORDERS):
        random = np.random.default_rng(1_000 + draw)
        truth, said = [], []
        for one in recordings:
            shuffled = reordered(one, random)
            _, states, _ = brain_states(shuffled, trained.get(one.person, models().brain))
            label = np.array(shuffled.label)
            chosen = np.isin(label, (LOW, HIGH))
            truth.append(label[chosen] == HIGH)
            said.append(states[chosen] > OVERLOAD_LOGIT)
        scores.append(macro_f1(np.concatenate(truth), np.concatenate(said)))
    return float(np.mean(scores))


def _others(rows: Mapping[str, tuple[Floats, Booleans]], person: str) -> list[tuple[Floats, Booleans]]:
    others = [part for other, part in rows.items() if other != person]
    if not others:
        raise InvalidInput(
            "the only person of the file is one of whom the model learnt", hint="give a file with other people as well"
        )
    return others


def _method(people: int, seen: int) -> dict[str, Any]:
    return {
        "judged_by_model_of_release": people - seen,
        "judged_by_model_trained_without_them": seen,
        "normalisation": "causal, by the person's own past",
    }


def evaluate(folder: Path) -> dict[str, Any]:
    """Figures of every file of a folder of which something can be judged. Raises `InvalidInput` if there is none."""
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder", hint="name the folder with the recordings")
    result: dict[str, Any] = {"variability": {}, "heart": {}, "brain": {}, "left_aside": {}}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        try:
            _evaluate_file(path, name, result)
        except InvalidInput as refusal:
            result["left_aside"][name] = str(refusal)
    if not any(result[kind] for kind in ("variability", "heart", "brain")):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in result["left_aside"].items())
        raise InvalidInput(f"{folder} has nothing that can be judged. {reasons[:500]}".strip(), hint="see the card")
    return result


def _evaluate_file(path: Path, file: str, result: dict[str, Any]) -> None:
    if path.suffix in (".npy", ".txt"):
        measures = variability(require_milliseconds(read_intervals(path)))
        result["variability"][file] = {
            name: getattr(measures, name)
            for name in (
                "intervals", "mean_nn_ms", "sdnn_ms", "rmssd_ms", "sdsd_ms", "pnn50", "lf_ms2", "hf_ms2", "lf_hf",
                "abstained",
            )
        }  # fmt: skip
    elif path.name.endswith((".csv", ".csv.xz")):
        header, rows = read_table(path)
        if set(HEART_COLUMNS) <= set(header):
            hearts = heart_recordings(path, rows)
            if not any(one.high is not None for one in hearts):
                raise InvalidInput("nothing says when the load was high", hint="give a column Label")
            result["heart"][file] = evaluate_heart(hearts)
        elif set(BRAIN_COLUMNS) <= set(header):
            brains = brain_recordings(path, rows)
            if not any({LOW, HIGH} & set(one.label) for one in brains):
                raise InvalidInput(f"no epoch is labelled {LOW} or {HIGH}", hint="give the columns task and workload")
            result["brain"][file] = evaluate_brain(brains)
        else:
            raise InvalidInput("its columns are of no known shape", hint="see the card")
