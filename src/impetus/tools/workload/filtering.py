"""The load as it goes on: a Kalman filter of a random walk, with gaps.

Kalman, "A new approach to linear filtering and prediction problems", Journal of Basic Engineering 82 (1960), 35-45. The
state is the log odds of high load; between two estimates it may drift, the more the longer the gap. When nothing is
known of a time long enough, the state is as uncertain as at the beginning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """How fast load changes, and how much one estimate says."""

    drift_per_s: float
    """Variance that a second adds to the state."""
    estimate_variance: float
    """Of one estimate of the model about the state."""
    start_variance: float = 4.0
    """Before anything is known; no gap makes it more."""


@dataclass(slots=True)
class LoadFilter:
    """The state of one person.

    >>> load = LoadFilter(FilterSettings(drift_per_s=0.01, estimate_variance=1.0))
    >>> for second in range(60):
    ...     load.update(2.0, elapsed_s=1.0)
    >>> 1.9 < load.mean < 2.0, load.above(0.0) > 0.99
    (True, True)
    >>> load.pass_over(3_600)
    >>> load.variance
    4.0
    """

    settings: FilterSettings
    mean: float = 0.0
    variance: float = 4.0

    def __post_init__(self) -> None:
        self.variance = self.settings.start_variance

    def update(self, logit: float, *, elapsed_s: float) -> None:
        """Take in one estimate of the model, so long after the last one."""
        self.pass_over(elapsed_s)
        gain = self.variance / (self.variance + self.settings.estimate_variance)
        self.mean += gain * (logit - self.mean)
        self.variance *= 1 - gain

    def pass_over(self, elapsed_s: float) -> None:
        """Time goes by without an estimate: less is known, and the mean goes back to neither."""
        limit = self.settings.start_variance
        grown = self.variance + self.settings.drift_per_s * max(elapsed_s, 0.0)
        if grown >= limit:
            self.mean *= math.sqrt(self.variance / grown)
        self.variance = min(grown, limit)

    def above(self, threshold: float) -> float:
        """Probability that the state is above a threshold."""
        return 0.5 * math.erfc((threshold - self.mean) / math.sqrt(2 * max(self.variance, 1e-12)))
