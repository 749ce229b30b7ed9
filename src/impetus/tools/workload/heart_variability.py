"""Heart-rate variability as the Task Force of the European Society of Cardiology and NASPE defines it.

Source: "Heart rate variability: standards of measurement, physiological interpretation, and clinical use", Circulation
93 (1996), 1043-1065. The spectrum is Welch's of the cubic spline through the intervals at 4 Hz, in windows of 256 s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import welch

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Booleans, Floats

SHORTEST_MS, LONGEST_MS = 250.0, 2_500.0
"""Intervals of a living person at a console; others are artefacts."""
FEWEST_INTERVALS = 8
RESAMPLED_HZ = 4.0
WELCH_S = 256.0
SHORTEST_SPECTRUM_S = 60.0
"""Ten cycles of the slowest part of the HF band need this long; LF needs twice that."""
SHORTEST_LF_S = 120.0
SHORTEST_VLF_S = 300.0
VLF_HZ, LF_HZ, HF_HZ = (0.003, 0.04), (0.04, 0.15), (0.15, 0.4)
ARTEFACT_SHARE = 0.2
"""More artefacts than this, and nothing is said of variability."""
ECTOPIC_CHANGE = 0.2
ECTOPIC_REACH = 5
"""Intervals to each side among which the usual one is looked for."""


@dataclass(frozen=True, slots=True)
class Variability:
    """Measures of heart-rate variability; None where there is too little to say."""

    intervals: int
    duration_s: float
    artefacts: int
    """Intervals that no heart at rest has; left out."""
    ectopic_share: float
    """Of intervals that differ by more than a fifth from those around; they are kept, since the input is called
    normal."""
    mean_nn_ms: float | None = None
    median_nn_ms: float | None = None
    mean_hr_bpm: float | None = None
    sdnn_ms: float | None = None
    rmssd_ms: float | None = None
    sdsd_ms: float | None = None
    nn50: int | None = None
    pnn50: float | None = None
    """Per cent of successive differences above 50 ms."""
    sd1_ms: float | None = None
    sd2_ms: float | None = None
    vlf_ms2: float | None = None
    lf_ms2: float | None = None
    hf_ms2: float | None = None
    total_power_ms2: float | None = None
    lf_hf: float | None = None
    lf_nu: float | None = None
    hf_nu: float | None = None
    respiration_per_min: float | None = None
    """Where the HF band peaks: breathing makes it (respiratory sinus arrhythmia)."""
    abstained: str | None = None
    """Why nothing is said, if so."""


def variability(intervals_ms: Floats, joined: Booleans | None = None) -> Variability:
    """Measures of a series of normal-to-normal intervals, shape (n,), in ms.

    `joined`, shape (n,), says of each interval whether it follows the one before it without a gap; None: all do.
    Differences are taken across no gap, and the spectrum of the longest stretch without one.

    >>> sine = 800 + 30 * np.sin(2 * np.pi * 0.1 * np.cumsum(np.full(400, 0.8)))
    >>> measures = variability(sine)
    >>> round(measures.mean_nn_ms), round(measures.sdnn_ms, 1), measures.lf_ms2 > 50 * measures.hf_ms2
    (800, 21.2, True)
    """
    follows = np.ones(len(intervals_ms), dtype=np.bool_) if joined is None else joined.copy()
    possible = np.isfinite(intervals_ms) & (intervals_ms >= SHORTEST_MS) & (intervals_ms <= LONGEST_MS)
    artefacts = int(np.count_nonzero(~possible))
    # What follows an artefact follows a gap.
    follows[1:] &= possible[:-1]
    nn, follows = intervals_ms[possible], follows[possible]
    duration_s = float(nn.sum()) / 1_000
    ectopic_share = float(np.mean(ectopic(nn))) if len(nn) else 0.0
    base = {
        "intervals": len(nn),
        "duration_s": duration_s,
        "artefacts": artefacts,
        "ectopic_share": ectopic_share,
    }
    if len(nn) < FEWEST_INTERVALS:
        return Variability(**base, abstained=f"{len(nn)} usable intervals are too few")  # type: ignore[arg-type]
    if artefacts > ARTEFACT_SHARE * len(intervals_ms):
        share = 100 * artefacts / len(intervals_ms)
        return Variability(**base, abstained=f"{share:.0f} % of the intervals are artefacts")  # type: ignore[arg-type]
    difference = np.diff(nn)[follows[1:]]
    if len(difference) < FEWEST_INTERVALS - 1:
        return Variability(**base, abstained="too few intervals follow each other without a gap")  # type: ignore[arg-type]
    sdsd = float(difference.std(ddof=1))
    sdnn = float(nn.std(ddof=1))
    measures = Variability(
        **base,  # type: ignore[arg-type]
        mean_nn_ms=float(nn.mean()),
        median_nn_ms=float(np.median(nn)),
        mean_hr_bpm=60_000 / float(nn.mean()),
        sdnn_ms=sdnn,
        rmssd_ms=math.sqrt(float(np.mean(difference**2))),
        sdsd_ms=sdsd,
        nn50=int(np.count_nonzero(np.abs(difference) > 50)),
        pnn50=100 * float(np.mean(np.abs(difference) > 50)),
        sd1_ms=sdsd / math.sqrt(2),
        sd2_ms=math.sqrt(max(2 * sdnn**2 - sdsd**2 / 2, 0.0)),
    )
    return replace(measures, **_spectral(_longest_stretch(nn, follows)))  # type: ignore[arg-type]


def ectopic(nn: Floats) -> Booleans:
    """Which intervals, shape (n,), differ by more than a fifth from the median of those around them."""
    if len(nn) < 3:
        return np.zeros(len(nn), dtype=np.bool_)
    reach = min(ECTOPIC_REACH, (len(nn) - 1) // 2)
    padded = np.pad(nn, reach, mode="reflect")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    return np.abs(nn - around) > ECTOPIC_CHANGE * around


def _longest_stretch(nn: Floats, follows: Booleans) -> Floats:
    parts = np.split(nn, np.flatnonzero(~follows[1:]) + 1)
    return max(parts, key=len)


def _spectral(nn: Floats) -> dict[str, float | None]:
    """Power in the bands, in ms squared; empty when the stretch is too short."""
    time_s = np.cumsum(nn) / 1_000
    length_s = float(time_s[-1] - time_s[0])
    if length_s < SHORTEST_SPECTRUM_S:
        return {}
    grid = np.arange(time_s[0], time_s[-1], 1 / RESAMPLED_HZ)
    even = CubicSpline(time_s, nn)(grid)
    window = min(len(even), int(WELCH_S * RESAMPLED_HZ))
    frequency, density = welch(
        even - even.mean(), RESAMPLED_HZ, nperseg=window, nfft=max(4_096, window), detrend="constant"
    )
    hf = band_power(frequency, density, HF_HZ)
    inside = (frequency >= HF_HZ[0]) & (frequency < HF_HZ[1])
    result: dict[str, float | None] = {
        "hf_ms2": hf,
        "respiration_per_min": 60 * float(frequency[inside][np.argmax(density[inside])]),
    }
    if length_s >= SHORTEST_LF_S:
        lf = band_power(frequency, density, LF_HZ)
        result |= {
            "lf_ms2": lf,
            "lf_hf": lf / hf if hf > 0 else None,
            "lf_nu": 100 * lf / (lf + hf) if lf + hf > 0 else None,
            "hf_nu": 100 * hf / (lf + hf) if lf + hf > 0 else None,
        }
        if length_s >= SHORTEST_VLF_S:
            result["vlf_ms2"] = band_power(frequency, density, VLF_HZ)
            result["total_power_ms2"] = band_power(frequency, density, (VLF_HZ[0], HF_HZ[1]))
    return result


def band_power(frequency: Floats, density: Floats, band: tuple[float, float]) -> float:
    """Integral of a density, shape (n,), over a band in Hz; the unit of the signal squared."""
    inside = (frequency >= band[0]) & (frequency < band[1])
    return float(np.trapezoid(density[inside], frequency[inside]))


def require_milliseconds(intervals: Floats) -> Floats:
    """The same intervals. Raises `InvalidInput` if they are plainly no RR intervals in ms."""
    finite = intervals[np.isfinite(intervals)]
    if not len(finite):
        raise InvalidInput("there is no interval", hint="give RR intervals in milliseconds")
    middle = float(np.median(np.abs(finite)))
    if middle < 10:
        raise InvalidInput(
            f"the intervals are around {middle:.3g}: these look like seconds", hint="give them in milliseconds"
        )
    return intervals
