"""Breathing from the heartbeat: it changes the interval between beats and their height.

Charlton et al., "Breathing rate estimation from the electrocardiogram and photoplethysmogram: a review", IEEE Reviews
in Biomedical Engineering 11 (2018), 2-20: both modulations, their spectra joined.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import detrend

from impetus.tools.workload.arrays import Booleans, Floats

SLOWEST_PER_MIN, FASTEST_PER_MIN = 9.0, 40.0
SHORTEST_S = 20.0
RESAMPLED_HZ = 4.0
FEWEST_BEATS = 12
LEAST_SHARE = 0.3
"""Of the power between the slowest and the fastest breath, so much must lie around the peak."""
PEAK_HZ = 0.05


def breathing_per_min(time_s: Floats, amplitude: Floats, good: Booleans) -> float | None:
    """Breaths a minute, from the times and heights of beats, shape (n,); None where the beat does not show it."""
    time_s, amplitude = time_s[good], amplitude[good]
    if len(time_s) < FEWEST_BEATS or time_s[-1] - time_s[0] < SHORTEST_S:
        return None
    grid = np.arange(time_s[1], time_s[-1], 1 / RESAMPLED_HZ)
    density = np.zeros(0)
    size = max(512, 2 ** int(np.ceil(np.log2(len(grid)))))
    for values in (np.diff(time_s), amplitude[1:]):
        even = CubicSpline(time_s[1:], values)(grid)
        even = detrend(even)
        one = np.abs(np.fft.rfft(even * np.hanning(len(even)), size)) ** 2
        total = float(one.sum())
        one = one / total if total > 0 else one
        density = one if not len(density) else density + one
    frequency = np.fft.rfftfreq(size, 1 / RESAMPLED_HZ)
    # Slower than 9 breaths a minute cannot be told from the slow waves of blood pressure.
    inside = (frequency >= SLOWEST_PER_MIN / 60) & (frequency <= FASTEST_PER_MIN / 60)
    if not density[inside].any():
        return None
    peak = float(frequency[inside][np.argmax(density[inside])])
    near = inside & (np.abs(frequency - peak) <= PEAK_HZ)
    if density[near].sum() < LEAST_SHARE * density[inside].sum():
        return None
    return 60 * peak
