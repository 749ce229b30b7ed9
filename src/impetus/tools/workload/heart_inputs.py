"""What the model of load is given of heart rate and breathing: a person against their own past, never the future.

Six channels at 1 Hz (level and unrest of heart rate and of breathing) are each taken relative to the person's running
mean so far (the personal baseline), now and at eleven lags up to eleven minutes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from impetus.tools.workload.arrays import Booleans, Floats, Integers

LAGS_S = (0, 30, 60, 90, 120, 180, 240, 300, 420, 540, 660)
CHANNELS = ("heart rate", "heart-rate spread", "heart-rate unrest", "breathing", "breathing spread", "breathing unrest")
CHANGES_S = ((10, 60), (60, 240), (120, 480))
NAMES = (
    *(f"{channel}:{lag}" for channel in CHANNELS for lag in LAGS_S),
    *(f"heart rate:{short}-{long}" for short, long in CHANGES_S),
)
USUAL_SD_BPM = 6.0
"""Spread of heart rate that is supposed of a person of whom nothing is known yet, with the weight below."""
USUAL_SD_WEIGHT_S = 300.0
USUAL_BREATHING_PER_MIN = 14.0
LONGEST_FILL_S = 15
"""A gap as short as this is bridged with the last value; in a longer one nothing is said."""
TAIL_S = max(*LAGS_S, CHANGES_S[-1][1]) + 60
HEART_BPM, BREATHING_PER_MIN = (30.0, 220.0), (3.0, 60.0)


@dataclass(slots=True)
class Baseline:
    """A person's own usual level of each channel: running means, at first fast, then slower with all that was seen."""

    seconds: float = 0.0
    mean: Floats = field(default_factory=lambda: np.zeros(len(CHANNELS)))
    heart_square: float = 0.0
    longest_s: float = 4 * 3_600.0
    """The mean forgets as if it had seen no more than this: slow change over shifts is followed."""

    def follow(self, values: Floats) -> tuple[Floats, Floats]:
        """Take in channel values, shape (n, channels); the running means, shape (n, channels), and sd of heart rate,
        shape (n,), each known at its own second."""
        count = self.seconds + np.arange(1, len(values) + 1)
        means = (self.seconds * self.mean + np.cumsum(values, axis=0)) / count[:, None]
        squares = (self.seconds * self.heart_square + np.cumsum(values[:, 0] ** 2)) / count
        variance = np.maximum(squares - means[:, 0] ** 2, 0.0)
        known = count / (count + USUAL_SD_WEIGHT_S)
        spread = np.sqrt(known * variance + (1 - known) * USUAL_SD_BPM**2)
        if len(values):
            self.seconds = min(float(count[-1]), self.longest_s)
            self.mean, self.heart_square = means[-1], float(squares[-1])
        return means, spread


class HeartInputs:
    """Makes the model's inputs as seconds arrive; in one go or one by one, they are the same."""

    def __init__(self, baseline: Baseline | None = None) -> None:
        self.baseline = baseline or Baseline()
        self._heart: Floats = np.zeros(0)
        self._breathing: Floats = np.zeros(0)
        self._level: Floats = np.zeros(0)
        """Heart rate over 30 s, not relative."""
        self._relative: Floats = np.zeros((0, len(CHANNELS)))
        self._missing = LONGEST_FILL_S + 1
        self._last = (float("nan"), USUAL_BREATHING_PER_MIN)

    def update(self, heart_bpm: Floats, breathing_per_min: Floats) -> tuple[Floats, Booleans]:
        """Inputs, shape (n, names), of each of n seconds, and which of them may be used, shape (n,).

        Values that no person has count as missing. A second in a longer gap of heart rate may not be used, and the
        baseline does not learn from it.
        """
        heart, breathing, usable = self._filled(heart_bpm, breathing_per_min)
        result = np.zeros((len(heart), len(NAMES)))
        learnt = np.isfinite(heart)
        if learnt.any():
            result[learnt] = self._inputs(heart[learnt], breathing[learnt])
        return result, usable

    def _filled(self, heart: Floats, breathing: Floats) -> tuple[Floats, Floats, Booleans]:
        """Short gaps bridged; seconds in longer ones are nan."""
        good = np.isfinite(heart) & (heart >= HEART_BPM[0]) & (heart <= HEART_BPM[1])
        breathes = np.isfinite(breathing) & (breathing >= BREATHING_PER_MIN[0]) & (breathing <= BREATHING_PER_MIN[1])
        filled, breath = np.full(len(heart), np.nan), np.empty(len(heart))
        for place in range(len(heart)):
            self._missing = 0 if good[place] else self._missing + 1
            self._last = (
                float(heart[place]) if good[place] else self._last[0],
                float(breathing[place]) if breathes[place] else self._last[1],
            )
            if self._missing <= LONGEST_FILL_S:
                filled[place] = self._last[0]
            breath[place] = self._last[1]
        return filled, breath, np.isfinite(filled)

    def _inputs(self, heart: Floats, breathing: Floats) -> Floats:
        new = len(heart)
        heart = np.concatenate([self._heart, heart])
        breathing = np.concatenate([self._breathing, breathing])
        level = _trailing(heart, 30, new)
        channels = np.column_stack(
            [
                level,
                np.log(_trailing_spread(heart, 30, new) + 0.5),
                np.log(_trailing(np.abs(np.diff(heart, prepend=heart[0])), 60, new) + 0.05),
                _trailing(breathing, 30, new),
                np.log(_trailing_spread(breathing, 60, new) + 0.2),
                np.log(_trailing(np.abs(np.diff(breathing, prepend=breathing[0])), 60, new) + 0.02),
            ]
        )
        means, spread = self.baseline.follow(channels)
        levels = np.concatenate([self._level, level])
        relative = np.concatenate([self._relative, channels - means])
        columns = []
        for channel in range(len(CHANNELS)):
            for lag in LAGS_S:
                if channel == 0:
                    past, known = _lagged(levels, lag, new)
                    columns.append(np.where(known, (past - means[:, 0]) / spread, 0.0))
                else:
                    past, known = _lagged(relative[:, channel], lag, new)
                    columns.append(np.where(known, past, 0.0))
        columns += [(_trailing(heart, short, new) - _trailing(heart, long, new)) / spread for short, long in CHANGES_S]
        self._heart, self._breathing = heart[-TAIL_S:], breathing[-TAIL_S:]
        self._level, self._relative = levels[-TAIL_S:], relative[-TAIL_S:]
        return np.column_stack(columns)


def _trailing(values: Floats, seconds: int, new: int) -> Floats:
    """Mean of the last so many seconds, for the `new` last values; of fewer where there are fewer."""
    part, begin, end = _spans(values, seconds, new)
    sums = np.concatenate([np.zeros(1), np.cumsum(part)])
    result: Floats = (sums[end] - sums[begin]) / (end - begin)
    return result


def _trailing_spread(values: Floats, seconds: int, new: int) -> Floats:
    """Standard deviation in the same way."""
    part, begin, end = _spans(values, seconds, new)
    part = part - part.mean()
    sums, squares = (np.concatenate([np.zeros(1), np.cumsum(one)]) for one in (part, part**2))
    mean = (sums[end] - sums[begin]) / (end - begin)
    variance = (squares[end] - squares[begin]) / (end - begin) - mean**2
    # What is left of equal values by rounding is no spread.
    result: Floats = np.sqrt(np.where(variance > 1e-9, variance, 0.0))
    return result


def _spans(values: Floats, seconds: int, new: int) -> tuple[Floats, Integers, Integers]:
    """The values that are needed, and where in them the window of each new value begins and ends."""
    start = len(values) - new
    first = max(start - seconds + 1, 0)
    end = np.arange(start - first + 1, len(values) - first + 1)
    return values[first:], np.maximum(end - seconds, 0), end


def _lagged(values: Floats, lag: int, new: int) -> tuple[Floats, Booleans]:
    """Values so many seconds earlier, for the `new` last ones, and where there are any."""
    place = np.arange(len(values) - new, len(values)) - lag
    return values[np.maximum(place, 0)], place >= 0
