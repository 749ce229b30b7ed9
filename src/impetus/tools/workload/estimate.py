"""The estimate of a person's load: what the models, the person and the console say, joined in one filter."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from impetus.model import ConfigurationError
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.boosting import BoostedTrees
from impetus.tools.workload.brain_inputs import NAMES as BRAIN_NAMES
from impetus.tools.workload.filtering import FilterSettings, LoadFilter
from impetus.tools.workload.heart_inputs import NAMES as HEART_NAMES
from impetus.tools.workload.linear import LinearModel
from impetus.tools.workload.training import MODELS

HEART_FILTER = FilterSettings(drift_per_s=0.01, estimate_variance=4.0)
"""Seconds of heart rate resemble each other, so one says little: together a memory of some 20 s."""
BRAIN_FILTER = FilterSettings(drift_per_s=0.009, estimate_variance=1.0)
"""An epoch of 30 s says more: about two fifths of the state comes from the newest."""
EPOCH_S = 30.0
"""Length of an epoch of band powers."""
OVERLOAD_LOGIT = 0.0
"""Above it high task load is likelier than low."""
UNDERLOAD_LOGIT = -1.5
"""Below it the load is far under what people at rest in the training data show; no data says what underload is."""
UNCERTAIN_VARIANCE = 3.0
"""A state that is as uncertain as this says nothing."""
REPORT_VARIANCE = 0.5
"""Of what the person says on the scale of one to five."""
CONSOLE_VARIANCE = 4.0
"""Of what the console's own traffic says: a hint only."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is thought of a person's load at a moment; the three probabilities sum to one, or are None together."""

    overload: float | None
    normal: float | None
    underload: float | None
    load: float | None
    """Probability that the task load is high rather than low, 0 to 1."""
    carried: Mapping[str, float] = field(default_factory=dict)
    """How much each kind of input moved the log odds, the most important first."""
    abstained: str | None = None
    """Why nothing is said, if so."""


@dataclass(frozen=True, slots=True)
class Models:
    """Both models of load, and whom they learnt from."""

    heart: BoostedTrees
    brain: LinearModel
    heart_marks: frozenset[str]
    brain_marks: frozenset[str]


@lru_cache(maxsize=1)
def models() -> Models:
    """The models of this release. Raises `ConfigurationError` if the file is spoilt."""
    try:
        content: dict[str, Any] = json.loads(MODELS.read_text(encoding="ascii"))
        heart, brain = content["heart"], content["brain"]
        return Models(
            BoostedTrees.from_json(heart["model"], HEART_NAMES),
            LinearModel.from_json(brain["model"], BRAIN_NAMES),
            frozenset(heart["marks"]),
            frozenset(brain["marks"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"the models of load cannot be read: {error}", hint="install impetus again") from error


def estimate_of(load: LoadFilter, carried: Mapping[str, float] | None = None) -> Estimate:
    """What a filter's state says."""
    if load.variance >= UNCERTAIN_VARIANCE:
        return Estimate(None, None, None, None, abstained="too little is known yet, or of the last minutes")
    overload = load.above(OVERLOAD_LOGIT)
    underload = 1 - load.above(UNDERLOAD_LOGIT)
    return Estimate(
        overload, max(1 - overload - underload, 0.0), underload, 1 / (1 + math.exp(-load.mean)), carried or {}
    )


def carried_by(
    logit: Callable[[Floats], Floats], names: tuple[str, ...], inputs: Floats, usual: Floats
) -> dict[str, float]:
    """How far the log odds would fall if a kind of input (the name up to its `:`) were as usual; the largest first.

    `inputs` and `usual` have the shape (names,).
    """
    groups = list(dict.fromkeys(name.partition(":")[0] for name in names))
    rows = np.repeat(inputs[None], len(groups) + 1, axis=0)
    for number, group in enumerate(groups, start=1):
        places = [place for place, name in enumerate(names) if name.partition(":")[0] == group]
        rows[number, places] = usual[places]
    logits = logit(rows)
    effects = {group: float(logits[0] - logits[number]) for number, group in enumerate(groups, start=1)}
    return dict(sorted(effects.items(), key=lambda item: -abs(item[1])))


def report_logit(rating: int) -> float:
    """What a rating of one (under-used) to five (too much) says, as log odds of high load.

    >>> [report_logit(rating) for rating in (1, 3, 5)]
    [-2.5, -0.5, 1.5]
    """
    return float(rating) - 3.5
