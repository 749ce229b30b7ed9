"""Finds a sensor that is stuck: the same value over and over, longer than this stream ever repeats by nature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers, Rows
from impetus.tools.anomaly.compiled import compiled

ENOUGH_RUNS = 20.0
MEMORY_RUNS = 2_000.0
OTHER_PACE, OTHER_PACE_READINGS = 4.0, 5.0
"""So many readings in a row that come so many times faster or slower: the stream is sampled otherwise than before."""
ZERO_AGE_S = 3 * 86_400.0
"""Age of a stream from which on runs of zero are judged."""
FADING = 0.999
"""By which the longest run is forgotten with every run that ends."""


State: TypeAlias = tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats, Booleans, Floats, Floats, Floats]


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
        self.needed_rarity = rarity
        self.needed_readings = readings

    def update(self, rows: Rows, time_s: Floats, value: Floats) -> Repetition:
        """Judge readings by the runs before, then learn. All arrays have the shape (rows,)."""
        numbers = np.arange(self.streams)[rows] if isinstance(rows, slice) else rows
        stuck, told = np.zeros(len(value), dtype=np.bool_), np.empty((3, len(value)))
        count_repeats(numbers, time_s, value, self.needed_rarity, self.needed_readings, *self.state(), stuck, told)
        return Repetition(stuck, told[0], told[1], told[2])

    def state(self) -> State:
        """The arrays, in the order in which compiled code takes them."""
        lately = (self.value, self.run, self.since_s, self.first_s, self.time_s, self.gap_s, self.other_pace)
        return (*lately, self.stuck, self.repeats, self.runs, self.longest)


@compiled
def count_repeats(
    rows: Integers,
    time_s: Floats,
    value: Floats,
    needed_rarity: float,
    needed_readings: int,
    last: Floats,
    runs_on: Floats,
    since_s: Floats,
    first_s: Floats,
    last_s: Floats,
    usual_gap_s: Floats,
    other_pace: Floats,
    stuck: Booleans,
    repeats: Floats,
    runs: Floats,
    longest: Floats,
    stuck_out: Booleans,
    told: Floats,
) -> None:
    """Judge readings by the runs before, then learn; `told` has a row each for since when, length and rarity."""
    for number in range(len(rows)):
        row, now, reading = rows[number], time_s[number], value[number]
        gap, usual = now - last_s[row], usual_gap_s[row]
        last_s[row] = now
        if gap > OTHER_PACE * usual or gap * OTHER_PACE < usual:
            other_pace[row] += 1.0
        else:
            other_pace[row] = 0.0
        if other_pace[row] >= OTHER_PACE_READINGS or (usual != usual and gap == gap):
            # Sampled otherwise than before: the runs say nothing any more.
            usual_gap_s[row] = gap
            other_pace[row] = 0.0
            runs_on[row] = 0.0
            last[row] = np.nan
            stuck[row] = False
            for kind in range(2):
                repeats[row, kind] = runs[row, kind] = longest[row, kind] = 0.0

        before, run = last[row], runs_on[row]
        kind = 0 if before == 0.0 else 1
        ended, repeated, most = runs[row, kind], repeats[row, kind], longest[row, kind]
        same = reading == before
        if same:
            run += 1.0
            rarity = -(run - 1.0) * math.log10((repeated + 1.0) / (repeated + ended + 2.0))
        else:
            if run > 0.0:
                longest[row, kind] = max(most * FADING, run)
                if not stuck[row]:
                    fade = 0.5 if ended > MEMORY_RUNS else 1.0
                    repeats[row, kind] = fade * (repeated + run - 1.0)
                    runs[row, kind] = fade * (ended + 1.0)
            run, rarity = 1.0, 0.0
            since_s[row] = now
        if first_s[row] != first_s[row]:
            first_s[row] = now
        known = ended >= ENOUGH_RUNS and (kind == 1 or now - first_s[row] >= ZERO_AGE_S)
        stuck[row] = same and known and rarity >= needed_rarity and run >= 2.0 * most + needed_readings
        last[row], runs_on[row] = reading, run
        stuck_out[number] = stuck[row]
        told[0, number], told[1, number], told[2, number] = since_s[row], run, rarity
