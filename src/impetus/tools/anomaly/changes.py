"""Notices a small but lasting change of a stream's level: a change point."""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.tail import StreamingTail

SLACK = 0.5
"""Of a stretch's usual distance: what a change must exceed to add up; half of the smallest change looked for."""
MOST = 50.0
MEMORY_STRETCHES = 500.0
CLIP = 3.0


class ChangeWatch(ArrayState):
    """Cumulative sums of the stretches' distances from what was expected, upwards and downwards.

    Page, Continuous inspection schemes, Biometrika 41, 1954. The expectation follows a change within days, so that the
    sums come back by themselves; how rare a sum is, is learnt (`StreamingTail`), as hours are not independent.

    >>> watch = ChangeWatch()
    >>> watch.grow(1)
    >>> random = np.random.default_rng(1)
    >>> for mean in np.append(random.normal(0.0, 0.2, 500), np.full(12, 0.5)):
    ...     up, down = watch.update(np.array([0]), np.array([mean]))[0]
    >>> bool(up > 3), bool(down == 0)
    (True, True)
    """

    spread: Floats
    up: Floats
    down: Floats
    count: Floats

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        super().__init__({"spread": Column((), 0.5), "up": Column(), "down": Column(), "count": Column()})
        self.tail = StreamingTail(2, parameters)

    def grow(self, streams: int) -> None:
        super().grow(streams)
        self.tail.grow(streams)

    def update(self, row: Integers, mean: Floats) -> Floats:
        """Rarities of a change upwards and downwards, by the stretches before; then learn. Shape (stretches, 2)."""
        spread = np.maximum(self.spread[row], 0.05)
        away = np.clip(mean / spread, -2.0 * CLIP, 2.0 * CLIP)
        self.up[row] = np.clip(self.up[row] + away - SLACK, 0.0, MOST)
        self.down[row] = np.clip(self.down[row] - away - SLACK, 0.0, MOST)
        rarity = self.tail.update(row, np.stack([self.up[row], self.down[row]], axis=1), np.ones(len(row)))
        self.count[row] += 1.0
        rate = 1.0 / np.minimum(self.count[row], MEMORY_STRETCHES)
        self.spread[row] += rate * (1.2533 * np.abs(np.clip(away, -CLIP, CLIP)) * spread - self.spread[row])
        return rarity
