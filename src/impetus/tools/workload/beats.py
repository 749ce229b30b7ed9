"""Heartbeats in an electrocardiogram or a photoplethysmogram, and how far the signal can be believed.

Beats: two moving averages, Elgendi, Jonkman and De Boer, "Frequency bands effects on QRS detection" (2010), and Elgendi
et al., "Systolic peak detection in acceleration photoplethysmograms", PLoS ONE 8 (2013) e76585. Quality: the
correlation of each beat with the median beat, after Orphanidou et al., IEEE Journal of Biomedical and Health
Informatics 19 (2015). Noise moves and invents beats, which looks like high variability; so below a stated quality
nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import butter, sosfiltfilt

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Booleans, Floats, Integers
from impetus.tools.workload.heart_variability import Variability, variability

LEAST_QUALITY = 0.9
"""Correlation with the median beat that every beat of a part must have, or nothing is said of that part."""
SEGMENT_S = 10.0
"""Quality is judged in parts of this length."""
LEAST_RATE_HZ, MOST_RATE_HZ = 50.0, 4_000.0
SHORTEST_S = 5.0
REFRACTORY_S = 0.25
FIT_S = 0.03
"""So far a beat is moved at most to fit the median beat."""
FEWEST_BEATS = 4
FLAT_SHARE = 0.2
"""So much of a segment at one and the same value, and the sensor is off or at the end of its range."""
LONGEST_INTERVAL_S = 2.5
MISSED_BEAT = 1.6
"""An interval so many times as long as the usual one around it, or so many times shorter."""
EDGE_S = 0.12
"""What begins or ends a recording nearer to a peak than this cannot be told from the filter's own edge."""
AROUND_BEATS = 11
MOST = 1e12
"""No device gives greater numbers, in whatever unit."""
STRONGEST = 2.0
"""So many times the usual strength of a second's beat, and the rest is cut off."""


class Pulse(StrEnum):
    """What the beats are looked for in."""

    ECG = "ecg"
    PPG = "ppg"


@dataclass(frozen=True, slots=True)
class _Shape:
    band_hz: tuple[float, float]
    beat_s: float
    """Length of a beat's sharp part."""
    cycle_s: float
    offset: float
    shape_band_hz: tuple[float, float]
    """Band in which beats are compared and their peak is placed."""
    around_s: tuple[float, float]
    """Before and after the peak, what is compared."""


SHAPES = {
    Pulse.ECG: _Shape((8.0, 20.0), 0.097, 0.611, 0.08, (1.0, 30.0), (0.20, 0.30)),
    Pulse.PPG: _Shape((0.5, 8.0), 0.111, 0.667, 0.02, (0.5, 8.0), (0.25, 0.35)),
}


@dataclass(frozen=True, slots=True)
class Beats:
    """What was found; `time_s` and `amplitude` have shape (beats,)."""

    time_s: Floats
    """Of the peaks, in seconds from the first sample, between samples by a parabola."""
    amplitude: Floats
    """In the signal's unit, in the band in which beats are compared."""
    quality: float
    """0 to 1, of the whole signal."""
    segment_quality: Floats
    """0 to 1, shape (segments,), of each part of `SEGMENT_S`."""
    good: Booleans
    """Whether each beat lies in a part that can be believed."""
    reason: str | None
    """Why nothing should be said, if so."""

    def intervals(self) -> tuple[Floats, Booleans]:
        """Intervals in ms between beats that can be believed, and whether each follows the one before without a gap."""
        both = self.good[1:] & self.good[:-1]
        interval = np.diff(self.time_s)
        # A beat that was missed doubles an interval, and one that was invented halves it: gaps, and no variability.
        usual = _usual(interval)
        both &= (interval <= LONGEST_INTERVAL_S) & (interval < MISSED_BEAT * usual) & (interval * MISSED_BEAT > usual)
        follows = np.concatenate([[False], both[:-1]])[both] if len(both) else np.zeros(0, dtype=np.bool_)
        return 1_000 * interval[both], follows

    def variability(self) -> Variability:
        """Variability of the intervals that can be believed; abstains where the signal cannot be."""
        intervals, follows = self.intervals()
        if self.reason is not None:
            return Variability(0, 0.0, 0, 0.0, abstained=self.reason)
        return variability(intervals, follows)


def find_beats(signal: Floats, rate_hz: float, pulse: Pulse = Pulse.ECG) -> Beats:
    """Beats of a signal, shape (n,), sampled at `rate_hz`. Raises `InvalidInput` for a rate or length that cannot
    be."""
    if not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
        raise InvalidInput(
            f"a rate of {rate_hz:g} Hz cannot be used", hint=f"between {LEAST_RATE_HZ:g} and {MOST_RATE_HZ:g} Hz"
        )
    if len(signal) < SHORTEST_S * rate_hz:
        raise InvalidInput(f"{len(signal) / rate_hz:.1f} s are too short", hint=f"give at least {SHORTEST_S:g} s")
    segments = max(1, int(len(signal) / (SEGMENT_S * rate_hz)))
    missing = ~(np.abs(signal) < MOST)
    off = np.array([_is_off(part) for part in np.array_split(np.where(missing, np.nan, signal), segments)])
    clean = np.where(missing, np.nanmedian(np.where(missing, np.nan, signal)) if not missing.all() else 0.0, signal)
    shape = SHAPES[pulse]
    filtered = sosfiltfilt(_band(shape.shape_band_hz, rate_hz), clean)
    filtered = _upright(filtered, rate_hz) if pulse is Pulse.ECG else filtered
    peaks = _peaks(clean, filtered, rate_hz, pulse)
    time_s, amplitude = _refined(filtered, peaks, rate_hz, shape)
    alike = _likeness(filtered, peaks, rate_hz, shape)
    segment = np.minimum((time_s * rate_hz / len(signal) * segments).astype(np.int64), segments - 1)
    quality = np.zeros(segments)
    for number in range(segments):
        inside = segment == number
        if np.count_nonzero(inside) >= FEWEST_BEATS and not off[number]:
            # The least alike: one invented beat among many good ones is enough to spoil variability.
            quality[number] = max(float(np.min(alike[inside])), 0.0)
    good = quality[segment] >= LEAST_QUALITY if len(segment) else np.zeros(0, dtype=np.bool_)
    whole = float(np.mean(quality))
    return Beats(time_s, amplitude, whole, quality, good, _reason(quality, off))


def _usual(interval: Floats) -> Floats:
    """The median of the intervals around each, shape (n,)."""
    if not len(interval):
        return interval
    result: Floats = median_filter(interval, size=AROUND_BEATS, mode="nearest")
    return result


def _reason(quality: Floats, off: Booleans) -> str | None:
    """Why nothing should be said: unless at least half of the parts can be believed."""
    if np.mean(quality >= LEAST_QUALITY) >= 0.5:
        return None
    if np.mean(off) >= 0.5:
        return "the sensor is off: the signal is flat, missing or at the end of its range"
    return f"the signal is too noisy: quality {float(np.median(quality)):.2f}, {LEAST_QUALITY} is needed"


def _is_off(part: Floats) -> bool:
    finite = part[np.isfinite(part)]
    if len(finite) < (1 - FLAT_SHARE) * len(part) or not len(finite):
        return True
    if float(np.ptp(finite)) == 0:
        return True
    ends = np.count_nonzero((finite == finite.max()) | (finite == finite.min()))
    return bool(ends > FLAT_SHARE * len(part) or np.mean(np.diff(finite) == 0) > 0.8)


@lru_cache(maxsize=64)
def _band(band_hz: tuple[float, float], rate_hz: float) -> Floats:
    upper = min(band_hz[1], 0.45 * rate_hz)
    sections: Floats = butter(2, (band_hz[0], upper), "bandpass", fs=rate_hz, output="sos")
    return sections


def _upright(filtered: Floats, rate_hz: float) -> Floats:
    """The signal turned so that the sharp parts point up, whichever way the electrodes are put on."""
    parts = np.array_split(filtered, max(1, int(len(filtered) / rate_hz)))
    up, down = np.median([part.max() for part in parts]), np.median([-part.min() for part in parts])
    return filtered if up >= down else -filtered


def _peaks(signal: Floats, filtered: Floats, rate_hz: float, pulse: Pulse) -> Integers:
    """Samples of the peaks."""
    shape = SHAPES[pulse]
    sharp = sosfiltfilt(_band(shape.band_hz, rate_hz), signal)
    sharp = sharp if pulse is Pulse.ECG else np.maximum(sharp, 0)
    # Motion is stronger than any beat; it must not hide the beats of the rest of the signal.
    seconds = np.array_split(np.abs(sharp), max(1, int(len(sharp) / rate_hz)))
    limit = STRONGEST * float(np.median([part.max() for part in seconds]))
    power = np.minimum(np.abs(sharp), limit) ** 2
    beat, cycle = (_moving_mean(power, max(3, round(length * rate_hz) | 1)) for length in (shape.beat_s, shape.cycle_s))
    inside = beat > cycle + shape.offset * float(np.mean(power))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    long_enough = ends - starts >= 0.6 * shape.beat_s * rate_hz
    peaks: list[int] = []
    reach = round(0.04 * rate_hz) if pulse is Pulse.ECG else 0
    for start, end in zip(starts[long_enough], ends[long_enough], strict=True):
        begin, stop = max(start - reach, 0), min(end + reach, len(filtered))
        peak = begin + int(np.argmax(filtered[begin:stop]))
        if peaks and peak - peaks[-1] < REFRACTORY_S * rate_hz:
            if filtered[peak] > filtered[peaks[-1]]:
                peaks[-1] = peak
        else:
            peaks.append(peak)
    found = np.array(peaks, dtype=np.int64)
    edge = EDGE_S * rate_hz
    return found[(found >= edge) & (found < len(signal) - edge)]


def _moving_mean(values: Floats, length: int) -> Floats:
    sums = np.cumsum(np.concatenate([np.zeros(1), np.pad(values, length // 2, mode="edge")]))
    means: Floats = (sums[length:] - sums[:-length]) / length
    return means


def _refined(filtered: Floats, peaks: Integers, rate_hz: float, shape: _Shape) -> tuple[Floats, Floats]:
    """Times of the peaks between samples, and their heights.

    Each beat is laid over the median beat where it fits best, which noise moves far less than the highest sample.
    """
    if not len(peaks):
        return np.zeros(0), np.zeros(0)
    before, after = (round(length * rate_hz) for length in shape.around_s)
    reach = max(1, round(FIT_S * rate_hz))
    time = peaks.astype(np.float64)
    whole = (peaks >= before + reach) & (peaks < len(filtered) - after - reach)
    if np.count_nonzero(whole) >= FEWEST_BEATS:
        inner = peaks[whole]
        cuts = filtered[inner[:, None] + np.arange(-before - reach, after + reach)]
        template = np.median(cuts[:, reach : cuts.shape[1] - reach], axis=0)
        template = template - template.mean()
        fits = np.lib.stride_tricks.sliding_window_view(cuts, len(template), axis=1) @ template
        best = np.argmax(fits, axis=1)
        time[whole] = inner + best - reach + _between(fits, np.clip(best, 1, fits.shape[1] - 2), best)
        # The template's own peak may lie beside its middle: all beats are moved by the same.
        middle = np.argmax(template[before - reach : before + reach + 1]) - reach
        time[whole] += middle
    height = filtered[np.clip(np.rint(time).astype(np.int64), 0, len(filtered) - 1)]
    return np.clip(time, 0, len(filtered) - 1) / rate_hz, height


def _between(fits: Floats, place: Integers, best: Integers) -> Floats:
    """How far beside its best sample each row, shape (n, lags), has its top, by a parabola."""
    rows = np.arange(len(fits))
    left, at, right = fits[rows, place - 1], fits[rows, place], fits[rows, place + 1]
    bend = left - 2 * at + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    result: Floats = np.where(place == best, np.clip(shift, -0.5, 0.5), 0.0)
    return result


def _likeness(filtered: Floats, peaks: Integers, rate_hz: float, shape: _Shape) -> Floats:
    """Correlation of each beat with the median beat, shape (beats,); one at the edge counts as its neighbour."""
    before, after = (round(length * rate_hz) for length in shape.around_s)
    whole = (peaks >= before) & (peaks < len(filtered) - after)
    if np.count_nonzero(whole) < FEWEST_BEATS:
        return np.zeros(len(peaks))
    cuts = filtered[peaks[whole][:, None] + np.arange(-before, after)]
    cuts = cuts - cuts.mean(axis=1, keepdims=True)
    template = np.median(cuts, axis=0)
    norm = np.linalg.norm(cuts, axis=1) * np.linalg.norm(template)
    alike = (cuts @ template) / np.maximum(norm, 1e-30)
    result: Floats = np.interp(np.arange(len(peaks)), np.flatnonzero(whole), alike)
    return result
