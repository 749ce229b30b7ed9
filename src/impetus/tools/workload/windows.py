"""The last minute of the slow signals of a person: skin, pupil, gaze. Measured and shown, not part of the estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.eyes import gaze_measures, pupil_measures
from impetus.tools.workload.skin import skin_measures

WINDOW_S = 60.0
LEAST_S = 10.0
"""Of less nothing is measured."""
EVERY_S = 10.0
MOST_RATE_HZ = 2_000.0
MEASURES: Mapping[str, Callable[[Floats, float], dict[str, float]]] = {
    "skin": lambda samples, rate_hz: skin_measures(samples[:, 0], rate_hz),
    "pupil": lambda samples, rate_hz: pupil_measures(samples[:, 0], rate_hz),
    "gaze": gaze_measures,
}


class LastMinute:
    """One slow signal, and what was measured of it."""

    def __init__(self, kind: str) -> None:
        """`kind` is one of `MEASURES`."""
        self._measure = MEASURES[kind]
        self._samples: Floats = np.zeros((0, 1))
        self._rate_hz = 0.0
        self._measured_s = -np.inf
        self._arrived_s = -np.inf
        self._found: dict[str, float] = {}

    def take(self, samples: Floats, rate_hz: float, now_s: float) -> None:
        """Take in samples, shape (n, k), that arrived at `now_s`."""
        if not 0 < rate_hz <= MOST_RATE_HZ:
            return
        stale = now_s - self._arrived_s > LEAST_S
        if stale or rate_hz != self._rate_hz or samples.shape[1] != self._samples.shape[1]:
            self._samples, self._found = samples[:0], {}
        self._rate_hz, self._arrived_s = rate_hz, now_s
        self._samples = np.concatenate([self._samples, samples])[-round(WINDOW_S * rate_hz) :]
        if now_s - self._measured_s >= EVERY_S and len(self._samples) >= LEAST_S * rate_hz:
            self._measured_s = now_s
            self._found = self._measure(self._samples, rate_hz)

    def measures(self, now_s: float) -> dict[str, float]:
        """What was measured; nothing once the signal is silent."""
        return self._found if now_s - self._arrived_s <= LEAST_S else {}
