"""The newest expected band of each stream, and when it was last published."""

from __future__ import annotations

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers
from impetus.tools.anomaly.monitor import Outcome, Scored
from impetus.tools.anomaly.parameters import PARAMETERS


def score_of(rarity: Floats) -> Floats:
    """A rarity as a score from 0 to 1; one half is where a single file's reading is reported.

    >>> score_of(np.array([0.0, PARAMETERS.alert_rarity])).tolist()
    [0.0, 0.5]
    """
    return rarity / (rarity + PARAMETERS.alert_rarity)


class LatestBand(ArrayState):
    """Keeps the newest band of each stream until it is due for publication."""

    time_s: Floats
    low: Floats
    middle: Floats
    high: Floats
    score: Floats
    published_s: Floats
    published_time_s: Floats

    def __init__(self) -> None:
        nothing = Column((), np.nan)
        never = Column((), -np.inf)
        super().__init__(
            {
                "time_s": nothing,
                "low": nothing,
                "middle": nothing,
                "high": nothing,
                "score": nothing,
                "published_s": never,
                "published_time_s": never,
            }
        )

    def update(self, row: Integers, time_s: Floats, scored: Scored) -> None:
        """Take over the bands of one round, where there are any."""
        finite = np.isfinite(scored.low) & np.isfinite(scored.high)
        good = (scored.outcome == Outcome.SCORED) & finite
        rows = row[good]
        self.time_s[rows] = time_s[good]
        self.low[rows], self.middle[rows], self.high[rows] = scored.low[good], scored.middle[good], scored.high[good]
        self.score[rows] = score_of(scored.rarity[good])

    def due(self, rows: Integers, now_s: float, interval_s: float) -> Integers:
        """Which of `rows` have a new band and were not published for `interval_s`; they count as published now."""
        new = ~np.isnan(self.time_s[rows]) & (self.time_s[rows] != self.published_time_s[rows])
        due: Integers = rows[new & (now_s - self.published_s[rows] >= interval_s)]
        self.published_s[due] = now_s
        self.published_time_s[due] = self.time_s[due]
        return due
