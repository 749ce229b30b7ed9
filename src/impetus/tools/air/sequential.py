"""Whether a step has begun: a generalised likelihood ratio test for each sensor, and a joint one over neighbours.

After Willsky & Jones, A generalized likelihood ratio approach to the detection and estimation of jumps (IEEE
Transactions on Automatic Control 21, 1976) and Basseville & Nikiforov, Detection of Abrupt Changes (1993), chapters 2.4
and 8. What a sensor reads beyond its background hangs together from sample to sample; so residuals are first whitened
by a first-order autoregression, and a step is looked for in the form that whitening gives it: all of it once, then what
is left. What all sensors of a network share (a front, pollen) is taken out before: a release has a place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from impetus.tools.air.arrays import Booleans, Floats, Integers

WINDOW = 8
"""Samples back to which the onset may lie."""
MOST = 5.0
"""Standard errors that a single sample counts for at most: noise has heavier tails than the normal law."""
LEAST_SAMPLES = 2
"""Samples that a step of one sensor lasts at least: one spike is no release."""
JOINT_MOST = 6.0
"""One sensor that screams must not be the evidence of three."""
LEVEL_SAMPLES = 48.0
"""Samples over which what lasts is followed (four hours at five minutes), such as a front or a drift."""
JOINT_SENSORS = 3
COMMON_SENSORS = 6
"""So many sensors are needed to tell what all share (a front, pollen) from what some have."""
COMMON_S = 1_200.0
"""What is shared (weather, pollen, the hour) changes over some twenty minutes; faster is scatter."""
COMMON_JUMP = 3.5
SHARE_SAMPLES = 600.0
"""Two days at five minutes."""
SHARE_PRIOR = 20.0
MOST_CORRELATION = 0.9
LEAST_SQUARE = 0.05
"""Taking out what is shared may leave less scatter than the background has; at most so much less is believed."""
_MEMORY = 400.0


@dataclass(frozen=True, slots=True)
class Step:
    """The best step of some sensors: its evidence, when it began and how large it is."""

    evidence: Floats
    """Standard errors above nothing; 0 where no step is likely."""
    samples: Integers
    """Samples since its onset, this one included."""
    height: Floats
    """In standard deviations of what is left of the background."""


class StepTest:
    """The tests of many sensors, one row each."""

    def __init__(self) -> None:
        self._white = np.zeros((0, WINDOW))
        self._last = np.zeros(0)
        self._product = np.zeros(0)
        self._square = np.zeros(0)
        self._weight = np.zeros(0)
        self._share = np.zeros(0)
        self._together = np.zeros(0)
        self._alone = np.zeros(0)
        self._level = np.zeros(0)
        self._common = 0.0
        self._common_variance = 0.2

    def grow(self, count: int) -> None:
        """Have at least so many rows."""
        more = count - len(self._last)
        if more > 0:
            self._white = np.concatenate([self._white, np.zeros((more, WINDOW))])
            self._last = np.concatenate([self._last, np.zeros(more)])
            self._product = np.concatenate([self._product, np.zeros(more)])
            self._square = np.concatenate([self._square, np.ones(more)])
            self._weight = np.concatenate([self._weight, np.full(more, 20.0)])
            self._share = np.concatenate([self._share, np.ones(more)])
            self._together = np.concatenate([self._together, np.zeros(more)])
            self._alone = np.concatenate([self._alone, np.zeros(more)])
            self._level = np.concatenate([self._level, np.zeros(more)])

    def correlation(self, row: Integers) -> Floats:
        """How much of a residual is left in the next one."""
        return np.clip(self._product[row] / np.maximum(self._square[row], 1e-9), 0.0, MOST_CORRELATION)

    def without_common(
        self, row: Integers, standardised: Floats, usable: Booleans, passed_s: float
    ) -> tuple[Floats, float]:
        """Residuals less what most sensors share at this moment, each by how much it takes part; and what is shared.

        What is shared is the median, followed over `COMMON_S`: the scatter of the median itself is nobody's. When the
        median leaves its usual scatter, all of it is believed at once (a front arrives).
        """
        if np.count_nonzero(usable) < COMMON_SENSORS:
            return standardised, 0.0
        away = float(np.median(standardised[usable])) - self._common
        size = min(away * away, 9 * self._common_variance)
        gain = 1.0 - math.exp(-max(passed_s, 0.0) / COMMON_S)
        self._common += away if away * away > COMMON_JUMP**2 * self._common_variance else gain * away
        self._common_variance += (size - self._common_variance) / _MEMORY
        return standardised - self._share[row] * self._common, self._common

    def without_level(self, row: Integers, standardised: Floats) -> Floats:
        """Residuals less what has lasted for hours."""
        return np.asarray(standardised - self._level[row])

    def learn_level(self, row: Integers, residual: Floats) -> None:
        """Follow what lasts, from residuals that have had it taken out (of quiet times only)."""
        self._level[row] += np.clip(residual, -2, 2) / LEVEL_SAMPLES

    def learn_share(self, row: Integers, standardised: Floats, common: float) -> None:
        """Follow how much each sensor takes part in what is shared (least squares with forgetting, at first 1)."""
        if common:
            bounded = np.clip(standardised, self._share[row] * common - 3, self._share[row] * common + 3)
            keep = 1.0 - 1.0 / SHARE_SAMPLES
            self._together[row] = self._together[row] * keep + common * bounded
            self._alone[row] = self._alone[row] * keep + common * common
            share = (SHARE_PRIOR + self._together[row]) / (SHARE_PRIOR + self._alone[row])
            self._share[row] = np.clip(share, 0.0, 3.0)

    def update(self, row: Integers, standardised: Floats, adjacent: Booleans) -> Step:
        """Take residuals over their standard deviation, of distinct rows; `adjacent` says whether the sample before is
        the one just before in time (otherwise it says nothing of this one)."""
        correlation = np.where(adjacent, self.correlation(row), 0.0)
        size = np.sqrt(np.clip(self._square[row], LEAST_SQUARE, 1.0) * (1 - correlation**2))
        white = (standardised - correlation * self._last[row]) / size
        window = self._white[row]
        window[:, 1:] = window[:, :-1]
        window[:, 0] = np.clip(white, -MOST, MOST)
        self._white[row] = window
        # The sample before is what it was, however far off: clipped it would leave its step in this one.
        self._last[row] = standardised
        return self.best(row)

    def learn(self, row: Integers, standardised: Floats, before: Floats, adjacent: Booleans) -> None:
        """Follow the correlation between neighbouring samples (of quiet times only)."""
        now, earlier = np.clip(standardised, -3, 3), np.clip(before, -3, 3)
        weight = np.minimum(self._weight[row] + 1, _MEMORY)
        rate = np.where(adjacent, 1.0 / weight, 0.0)
        self._product[row] += rate * (now * earlier - self._product[row])
        self._square[row] += rate * (0.5 * (now**2 + earlier**2) - self._square[row])
        self._weight[row] = np.where(adjacent, weight, self._weight[row])

    def last(self, row: Integers) -> Floats:
        """The latest standardised residuals."""
        return np.asarray(self._last[row].copy())

    def evidence(self, row: Integers) -> Floats:
        """(rows, WINDOW): evidence of a step that began 1, 2, ... samples ago."""
        return self._projected(row)[0]

    def best(self, row: Integers) -> Step:
        """The likeliest onset of each row."""
        evidence, height = self._projected(row)
        evidence[:, : LEAST_SAMPLES - 1] = 0.0
        place = evidence.argmax(axis=1)
        rows = np.arange(len(row))
        return Step(np.maximum(evidence[rows, place], 0.0), place + 1, height[rows, place])

    def forget(self, row: Integers) -> None:
        """Begin anew after an alert ended."""
        self._white[row] = 0.0

    def _projected(self, row: Integers) -> tuple[Floats, Floats]:
        correlation = self.correlation(row)[:, None]
        left = (1 - correlation) / np.sqrt(1 - correlation**2)
        first = 1.0 / np.sqrt(1 - correlation**2)
        white = self._white[row]
        # A step that began j samples ago: `first` in its first sample, `left` in the j - 1 later ones.
        later = np.concatenate([np.zeros((len(row), 1)), np.cumsum(white, axis=1)[:, :-1]], axis=1)
        count = np.arange(WINDOW)
        product = left * later + first * white
        energy = left**2 * count + first**2
        return product / np.sqrt(energy), product / energy


def joint_evidence(evidence: Floats) -> tuple[Floats, Integers]:
    """Evidence of one step of the three sensors of each group that show most, as (groups, WINDOW), and which three, as
    (groups, WINDOW, JOINT_SENSORS); from the evidence of the members, (groups, members, WINDOW).

    It is the sum of theirs over its standard error, and 0 where one of the three says less than one standard error.
    """
    order = np.argsort(-evidence, axis=1)[:, :JOINT_SENSORS]
    chosen = np.take_along_axis(evidence, order, axis=1)
    total = np.minimum(chosen, JOINT_MOST).sum(axis=1) / math.sqrt(JOINT_SENSORS)
    return np.where(chosen.min(axis=1) >= 1.0, total, 0.0), order.transpose(0, 2, 1)
