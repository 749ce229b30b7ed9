"""Electrodermal activity: its level, and how often it reacts.

Boucsein et al., "Publication recommendations for electrodermal measurements", Psychophysiology 49 (2012), 1017-1034: a
response is a rise of at least 0.05 microsiemens within 5 s. Shown to the person; not part of the estimate.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import find_peaks

from impetus.tools.workload.arrays import Floats

LEAST_US, MOST_US = 0.05, 60.0
LEAST_RESPONSE_US = 0.05
RISE_S = 5.0


def skin_measures(values: Floats, rate_hz: float) -> dict[str, float]:
    """Of a conductance in microsiemens, shape (n,): the mean level, and responses a minute; empty if it cannot be."""
    good = np.isfinite(values) & (values >= LEAST_US) & (values <= MOST_US)
    if len(values) < 2 or np.mean(good) < 0.9 or rate_hz <= 0:
        return {}
    kept = values[good]
    level = {"skin level in µS": float(np.mean(kept))}
    duration_s = len(values) / rate_hz
    if duration_s < 2 * RISE_S:
        return level
    smooth = median_filter(kept, size=max(1, round(rate_hz / 2)) | 1, mode="nearest")
    peaks, _ = find_peaks(smooth, prominence=LEAST_RESPONSE_US, wlen=max(3, round(2 * RISE_S * rate_hz) | 1))
    return level | {"skin responses a minute": 60 * len(peaks) / duration_s}
