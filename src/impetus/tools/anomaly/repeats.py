"""Finds a sensor that is stuck: the same value over and over, longer than this stream ever repeats by nature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers, Rows

ENOUGH_RUNS = 20.0
MEMORY_RUNS = 2_000.0
OTHER_PACE, OTHER_PACE_READINGS = 4.0, 5.0
"""So many readings in a row that come so many times faster or slower: the stream is sampled otherwise than before."""
ZERO_AGE_S = 3 * 86_400.0
"""Age of a stream from which on runs of zero are judged."""
FADING = 0.999
"""By which the longest run is forgotten with every run that ends."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """What is said of each reading: is its stream stuck, since when, for how many readings, and how rare that is."""

    stuck: Booleans
    since_s: Floats
    run: Floats
    rarity: Floats


class RepeatWatch(ArrayState):
    """Length of the present run of equal values against what the stream's own runs are like.

    Runs of a value that repeats with probability p are geometric: n repeats are p**n likely. p is learnt for each
    stream, apart for zero and for other values (counts are zero all night), from runs that ended and were not called
    stuck; a run must also be clearly longer than the longest that ended. A value that never changed is not judged, and
    zeros not before some nights were seen. How often values repeat depends on how often they are read: when that
    changes, runs are learnt anew.

    >>> import numpy as np
    >>> watch = RepeatWatch()
    >>> watch.grow(1)
    >>> values = [float(number % 7) for number in range(100)] + [3.0] * 30
    >>> seen = [watch.update(slice(0, 1), np.array([60.0 * n]), np.array([v])) for n, v in enumerate(values)]
    >>> bool(seen[99].stuck[0]), bool(seen[-1].stuck[0]), float(seen[-1].since_s[0])
    (False, True, 6000.0)
    """

    value: Floats
    run: Floats
    since_s: Floats
    first_s: Floats
    time_s: Floats
    gap_s: Floats
    other_pace: Floats
    stuck: Booleans
    repeats: Floats
    runs: Floats
    longest: Floats

    def __init__(self, *, rarity: float = 6.0, readings: int = 12) -> None:
        super().__init__(
            {
                "value": Column((), np.nan),
                "run": Column(),
                "since_s": Column(),
                "first_s": Column((), np.nan),
                "time_s": Column((), np.nan),
                "gap_s": Column((), np.nan),
                "other_pace": Column(),
                "stuck": Column((), 0, np.bool_),
                "repeats": Column((2,)),
                "runs": Column((2,)),
                "longest": Column((2,)),
            }
        )
        self._rarity = rarity
        self._readings = readings

    def update(self, rows: Rows, time_s: Floats, value: Floats) -> Repetition:
        """Judge readings by the runs before, then learn. All arrays have the shape (rows,)."""
        numbers = np.arange(self.streams)[rows]
        self._notice_pace(rows, numbers, time_s)
        before = self.value[rows]
        same = value == before
        kind = 2 * numbers + (before != 0.0)
        run = self.run[rows]
        all_repeats, all_runs, all_longest = (array.reshape(-1) for array in (self.repeats, self.runs, self.longest))
        repeats, runs, longest = all_repeats[kind], all_runs[kind], all_longest[kind]
        ended = ~same & (run > 0)
        if ended.any():
            at = kind[ended]
            all_longest[at] = np.maximum(longest[ended] * FADING, run[ended])
            ended &= ~self.stuck[rows]
            at = kind[ended]
            fade = np.where(runs[ended] > MEMORY_RUNS, 0.5, 1.0)
            all_repeats[at] = fade * (repeats[ended] + run[ended] - 1.0)
            all_runs[at] = fade * (runs[ended] + 1.0)

        run = np.where(same, run + 1.0, 1.0)
        since = np.where(same, self.since_s[rows], time_s)
        probability = (repeats + 1.0) / (repeats + runs + 2.0)
        rarity = np.where(same, -(run - 1.0) * np.log10(probability), 0.0)
        first = self.first_s[rows]
        first = np.where(np.isnan(first), time_s, first)
        known = (runs >= ENOUGH_RUNS) & ((before != 0.0) | (time_s - first >= ZERO_AGE_S))
        stuck = same & known & (rarity >= self._rarity) & (run >= 2.0 * longest + self._readings)
        self.value[rows], self.run[rows], self.since_s[rows], self.stuck[rows] = value, run, since, stuck
        self.first_s[rows] = first
        return Repetition(stuck, since, run, rarity)

    def _notice_pace(self, rows: Rows, numbers: Integers, time_s: Floats) -> None:
        """Forget the runs of streams that are sampled otherwise than before."""
        gap, usual = time_s - self.time_s[rows], self.gap_s[rows]
        self.time_s[rows] = time_s
        with np.errstate(invalid="ignore"):
            other = (gap > OTHER_PACE * usual) | (gap * OTHER_PACE < usual)
        in_a_row = np.where(other, self.other_pace[rows] + 1.0, 0.0)
        self.other_pace[rows] = in_a_row
        new = (in_a_row >= OTHER_PACE_READINGS) | (np.isnan(usual) & ~np.isnan(gap))
        if new.any():
            at = numbers[new]
            self.gap_s[at] = gap[new]
            self.other_pace[at] = 0.0
            for array in (self.repeats, self.runs, self.longest, self.run):
                array[at] = 0.0
            self.value[at] = np.nan
            self.stuck[at] = False
