"""An invented person's electrocardiogram for the tests."""

from __future__ import annotations

import numpy as np

from impetus.tools.workload import signals
from impetus.tools.workload.arrays import Floats

RATE_HZ = 250.0


def beats(duration_s: float, seed: int = 1, *, heart_bpm: float = 66.0, variation: float = 1.0) -> Floats:
    """Times of the beats, in s."""
    random = np.random.default_rng(seed)
    times = np.cumsum(signals.intervals(duration_s, random, heart_bpm=heart_bpm, variation=variation))
    return times[times < duration_s - 0.4]


def ecg(times: Floats, duration_s: float, decibels: float = 30.0, seed: int = 2) -> Floats:
    """An electrocardiogram in mV with noise so far below it."""
    clean = signals.ecg(times, duration_s, RATE_HZ)
    return signals.with_noise(clean, decibels, np.random.default_rng(seed))
