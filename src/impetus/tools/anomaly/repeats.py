"""Finds a sensor that is stuck: the same value over and over, longer than this stream ever repeats by nature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Rows

ENOUGH_RUNS = 20.0
MEMORY_RUNS = 2_000.0
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
    stuck; a run must also be clearly longer than the longest of those. A value that never changed is not judged.

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
        before = self.value[rows]
        same = value == before
        kind = np.where(before == 0.0, 0, 1)
        run = self.run[rows]
        ended = ~same & ~self.stuck[rows] & (run > 0)
        repeats, runs, longest = self.repeats[numbers, kind], self.runs[numbers, kind], self.longest[numbers, kind]
        fade = np.where(runs > MEMORY_RUNS, 0.5, 1.0)
        self.repeats[numbers, kind] = np.where(ended, fade * (repeats + run - 1.0), repeats)
        self.runs[numbers, kind] = np.where(ended, fade * (runs + 1.0), runs)
        self.longest[numbers, kind] = np.where(ended, np.maximum(longest * FADING, run), longest)

        run = np.where(same, run + 1.0, 1.0)
        since = np.where(same, self.since_s[rows], time_s)
        probability = (repeats + 1.0) / (repeats + runs + 2.0)
        rarity = np.where(same, -(run - 1.0) * np.log10(probability), 0.0)
        known = runs >= ENOUGH_RUNS
        stuck = same & known & (rarity >= self._rarity) & (run >= 2.0 * longest + self._readings)
        self.value[rows], self.run[rows], self.since_s[rows], self.stuck[rows] = value, run, since, stuck
        return Repetition(stuck, since, run, rarity)
