"""Eyes: blinks, pupil and fixations. Shown to the person; not part of the estimate.

Fixations by dispersion: Salvucci and Goldberg, "Identifying fixations and saccades in eye-tracking protocols", ETRA
2000, 71-78. A blink is a time without a pupil of 70 to 500 ms (Schiffman 2001).
"""

from __future__ import annotations

import numpy as np

from impetus.tools.workload.arrays import Booleans, Floats

PUPIL_MM = (1.5, 9.0)
BLINK_S = (0.07, 0.5)
FIXATION_S = 0.1
DISPERSION_DEG = 1.0
LEAST_SEEN = 0.5


def pupil_measures(diameter_mm: Floats, rate_hz: float) -> dict[str, float]:
    """Of a pupil's diameter in mm, shape (n,), nan or 0 where it is not seen: mean diameter, blinks a minute.

    Empty if the eye was seen less than half of the time.
    """
    seen: Booleans = np.isfinite(diameter_mm) & (diameter_mm >= PUPIL_MM[0]) & (diameter_mm <= PUPIL_MM[1])
    if len(seen) < 2 or rate_hz <= 0 or np.mean(seen) < LEAST_SEEN:
        return {}
    lengths_s = _runs(~seen) / rate_hz
    blinks = np.count_nonzero((lengths_s >= BLINK_S[0]) & (lengths_s <= BLINK_S[1]))
    return {
        "pupil in mm": float(np.mean(diameter_mm[seen])),
        "blinks a minute": 60 * float(blinks) / (len(seen) / rate_hz),
    }


def gaze_measures(gaze_deg: Floats, rate_hz: float) -> dict[str, float]:
    """Of a gaze in degrees, shape (n, 2 or more), nan where it is not seen: fixations a minute and their mean length.

    Empty if the gaze was seen less than half of the time.
    """
    if gaze_deg.shape[1] < 2 or len(gaze_deg) < 2 or rate_hz <= 0:
        return {}
    gaze = gaze_deg[:, :2]
    if np.mean(np.isfinite(gaze).all(axis=1)) < LEAST_SEEN:
        return {}
    lengths = fixations_s(gaze, rate_hz)
    if not len(lengths):
        return {"fixations a minute": 0.0}
    return {
        "fixations a minute": 60 * len(lengths) / (len(gaze) / rate_hz),
        "mean fixation in s": float(lengths.mean()),
    }


def fixations_s(gaze_deg: Floats, rate_hz: float) -> Floats:
    """Lengths in s of the fixations of a gaze in degrees, shape (n, 2)."""
    least = max(2, round(FIXATION_S * rate_hz))
    lengths, start = [], 0
    while start + least <= len(gaze_deg):
        end = start + least
        if _dispersion(gaze_deg[start:end]) > DISPERSION_DEG:
            start += 1
            continue
        while end < len(gaze_deg) and _dispersion(gaze_deg[start : end + 1]) <= DISPERSION_DEG:
            end += 1
        lengths.append((end - start) / rate_hz)
        start = end
    return np.array(lengths)


def _dispersion(points: Floats) -> float:
    if not np.isfinite(points).all():
        return float("inf")
    return float(np.ptp(points[:, 0]) + np.ptp(points[:, 1]))


def _runs(flags: Booleans) -> Floats:
    """Lengths of the runs of true values, in samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return (edges[1::2] - edges[::2]).astype(np.float64)
