"""Notices a stream whose readings scatter more, or less, than they usually do, at whatever level."""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.tail import StreamingTail

LEAST_SCATTER = 1e-3
"""Spreads; less is as good as nothing."""
MEMORY_STRETCHES = 500.0
CLIP = 3.0


class ScatterWatch(ArrayState):
    """The logarithm of a stretch's scatter against what is usual for the stream.

    A control chart of the exponentially weighted moving variance (MacGregor & Harris, J. Quality Technology 25(2),
    1993) on logarithms, where the scatter of scatter is about the same for all streams (Bartlett & Kendall, J. R. Stat.
    Soc. Suppl. 8, 1946); how rare a distance is, is learnt (`StreamingTail`).

    >>> watch = ScatterWatch()
    >>> watch.grow(1)
    >>> random = np.random.default_rng(1)
    >>> for size in np.append(random.uniform(0.8, 1.2, 300), 4.0):
    ...     more, less = watch.update(np.array([0]), np.array([size]))[0]
    >>> bool(more > 3), bool(less == 0)
    (True, True)
    """

    usual: Floats
    spread: Floats
    count: Floats

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        super().__init__({"usual": Column(), "spread": Column((), 0.3), "count": Column()})
        self.tail = StreamingTail(2, parameters)

    def grow(self, streams: int) -> None:
        super().grow(streams)
        self.tail.grow(streams)

    def update(self, row: Integers, scatter: Floats) -> Floats:
        """Rarities of so much and of so little scatter, by the stretches before; then learn. Shape (stretches, 2)."""
        size = np.log(np.maximum(scatter, LEAST_SCATTER))
        count = self.count[row]
        usual = np.where(count > 0, self.usual[row], size)
        spread = np.maximum(self.spread[row], 0.05)
        away = (size - usual) / spread
        rarity = self.tail.update(
            row, np.stack([np.maximum(away, 0.0), np.maximum(-away, 0.0)], axis=1), np.ones(len(row))
        )
        rate = 1.0 / np.minimum(count + 1.0, MEMORY_STRETCHES)
        bounded = np.clip(away, -CLIP, CLIP) * spread
        self.usual[row] = usual + rate * bounded
        self.spread[row] += np.where(count > 0, rate, 0.0) * (1.2533 * np.abs(bounded) - self.spread[row])
        self.count[row] = count + 1.0
        return rarity
