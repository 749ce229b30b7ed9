"""What people found of alerts shifts the probability of the next ones: one number, the logit's offset."""

from __future__ import annotations

import math
from collections.abc import Sequence

PRIOR_DEVIATION = 1.0
"""Before any verdict the offset is 0, give or take one logit."""
KEPT = 300


def offset(verdicts: Sequence[tuple[float, bool]]) -> float:
    """The most probable offset, given probabilities that were told and whether they were right.

    Logistic regression of a constant with the told logit as offset and a normal prior (Platt 1999, with a prior in
    place of his target values), by Newton's method.

    >>> offset([])
    0.0
    >>> offset([(0.9, False)] * 5) < -1
    True
    """
    shift = 0.0
    for _ in range(25):
        slope, curve = -shift / PRIOR_DEVIATION**2, -1 / PRIOR_DEVIATION**2
        for told, right in verdicts:
            now = shifted(told, shift)
            slope += float(right) - now
            curve -= now * (1 - now)
        step = -slope / curve
        shift += step
        if abs(step) < 1e-9:
            break
    return shift


def shifted(probability: float, shift: float) -> float:
    """A probability with its logit moved.

    >>> round(shifted(0.5, 1.0), 3)
    0.731
    """
    bounded = min(max(probability, 1e-4), 1 - 1e-4)
    return 1 / (1 + math.exp(-(math.log(bounded / (1 - bounded)) + shift)))
