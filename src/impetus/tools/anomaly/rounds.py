"""Splits readings of many streams into rounds in which each stream occurs at most once, in time order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from impetus.tools.anomaly.arrays import Floats, Integers


def rounds(row: Integers, time_s: Floats) -> Iterator[Integers]:
    """Positions of the readings of each round, in order of time, equal times as they came.

    A round ends before the first reading of a stream that it has already. No reading comes before an older one, of
    whatever stream: what is found does not depend on how many of them arrive together.

    >>> import numpy as np
    >>> [list(map(int, part)) for part in rounds(np.array([0, 1, 0]), np.array([5.0, 1.0, 3.0]))]
    [[1, 2], [0]]
    """
    order = np.argsort(time_s, kind="stable")
    begin, seen = 0, set[int]()
    for place, stream in enumerate(row[order].tolist()):
        if stream in seen:
            yield order[begin:place]
            begin, seen = place, set()
        seen.add(stream)
    if begin < len(order):
        yield order[begin:]
