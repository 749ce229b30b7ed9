"""Splits readings of many streams into rounds in which each stream occurs at most once, in time order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from impetus.tools.anomaly.arrays import Floats, Integers


def rounds(row: Integers, time_s: Floats) -> Iterator[Integers]:
    """Positions of the readings of each round: a stream's readings in order of time, equal times as they came.

    >>> import numpy as np
    >>> [list(map(int, part)) for part in rounds(np.array([0, 1, 0]), np.array([5.0, 1.0, 3.0]))]
    [[2, 1], [0]]
    """
    if not len(row):
        return
    order = np.lexsort((time_s, row))
    sorted_rows = row[order]
    starts = np.flatnonzero(np.r_[True, sorted_rows[1:] != sorted_rows[:-1]])
    lengths = np.diff(np.r_[starts, len(row)])
    turn = np.arange(len(row)) - np.repeat(starts, lengths)
    by_turn = order[np.argsort(turn, kind="stable")]
    ends = np.cumsum(np.bincount(turn))
    begin = 0
    for end in ends:
        yield by_turn[begin:end]
        begin = int(end)
