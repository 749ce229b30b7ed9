"""Heart rate and breathing each second, from beats: what the model of load reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.beats import Beats
from impetus.tools.workload.breathing import breathing_per_min

MEAN_S = 10.0
"""Heart rate is the mean of the intervals of so many last seconds, as wrist-worn devices give it."""
BREATHING_S = 40.0
BREATHING_EVERY_S = 5


@dataclass(frozen=True, slots=True)
class HeartSeconds:
    """Shape (seconds,) each; nan where the signal cannot be believed."""

    heart_bpm: Floats
    breathing_per_min: Floats

    def columns(self) -> tuple[Floats, Floats]:
        """Heart rate and breathing."""
        return self.heart_bpm, self.breathing_per_min

    @classmethod
    def of(cls, beats: Beats, duration_s: float) -> HeartSeconds:
        """What beats say of each whole second, from the beats before its end only."""
        length = int(duration_s)
        heart, breathing = np.full(length, np.nan), np.full(length, np.nan)
        both = beats.good[1:] & beats.good[:-1]
        ends, interval = beats.time_s[1:][both], np.diff(beats.time_s)[both]
        for second in range(length):
            first, last = np.searchsorted(ends, [second + 1 - MEAN_S, second + 1], side="right")
            if last - first >= 3:
                heart[second] = 60 / float(np.mean(interval[first:last]))
            if second % BREATHING_EVERY_S == 0:
                inside = slice(*np.searchsorted(beats.time_s, [second + 1 - BREATHING_S, second + 1]))
                found = breathing_per_min(beats.time_s[inside], beats.amplitude[inside], beats.good[inside])
                breathing[second] = np.nan if found is None else found
        return cls(heart, breathing)
