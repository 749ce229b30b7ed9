"""Shapes never seen before: the distance of the last readings to the nearest of all earlier stretches of a stream.

The streaming form of the discord (Lu, Wu, Mueen, Zuluaga & Keogh: DAMP, KDD 2022), with the memory of prototypes and
the coarse, noise-proof description of adaptive resonance (Carpenter & Grossberg, Neural Networks 4, 1991) and of
contextual detectors: a stretch is eight blocks, each told by its extreme, in spreads from the middle, and what lies
close to the middle counts as the middle.
"""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.compiled import compiled

BLOCKS = 8
QUIET = 0.25
"""Spreads from the middle below which a block counts as being there."""


@compiled
def nearest(
    stretches: Floats, stored: int, latest: Floats, block: int, middle: float, spread: float, keep: bool
) -> float:
    """Mean distance a block to the nearest of `stored` stretches, in spreads; stores this one if it is to be kept.

    `latest` holds the newest readings, the newest last, `BLOCKS` times `block` of them or more.

    >>> wave, stretches = np.tile([0.0, 1.0, 2.0, 1.0], 20), np.zeros((50, BLOCKS))
    >>> seen = [nearest(stretches, stored, wave[: stored + 8], 1, 1.0, 1.0, True) for stored in range(40)]
    >>> float(seen[-1]), bool(nearest(stretches, 40, np.append(wave, 9.0), 1, 1.0, 1.0, True) > 0.5)
    (0.0, True)
    """
    end = len(latest)
    stretch = np.zeros(BLOCKS)
    for place in range(BLOCKS):
        first = end - block * (BLOCKS - place)
        lowest, highest, total = np.inf, -np.inf, 0.0
        for value in latest[first : first + block]:
            total += value
            lowest = min(lowest, value)
            highest = max(highest, value)
        mean = total / block
        extreme = highest if highest - mean > mean - lowest else lowest
        described = (extreme - middle) / spread
        stretch[place] = 0.0 if abs(described) < QUIET else described
    size = len(stretches)
    best = np.inf
    for other in range(min(stored, size)):
        distance = 0.0
        for place in range(BLOCKS):
            distance += abs(stretch[place] - stretches[other, place])
            if distance > best:
                break
        best = min(best, distance)
    if keep:
        stretches[stored % size] = stretch
    return best / BLOCKS if stored else 0.0
