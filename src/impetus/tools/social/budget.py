"""A threshold that follows a budget of events a day on the local stream, not a fixed probability.

What share of a city's posts is threat-relevant differs from any training set: a model at 0.5 was seen to flag nine
in ten of shifted posts. So the threshold is the quantile of the recent local scores above which as many posts lie as
people can read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CELLS = 1_000
FADING_DAYS = 7.0
POSTS_AN_EVENT = 2.0
"""Posts above the threshold that make one event."""
FLOOR, FIRST = 0.6, 0.85
"""Never lower than the first; without enough history, the second."""
ENOUGH = 500.0


@dataclass
class Budget:
    """Remembers how scores are distributed."""

    events_a_day: float
    counts: list[float] = field(default_factory=lambda: [0.0] * CELLS)
    total: float = 0.0
    days: float = 0.0
    """Time that the counts speak of, fading with them."""
    last_s: float | None = None

    def add(self, score: float, time_s: float) -> None:
        """Take a post's relevance in; `time_s` in seconds since 1970."""
        if self.last_s is not None and time_s > self.last_s:
            passed = min(1.0, (time_s - self.last_s) / 86_400.0)
            if passed > 1e-4:
                fade = 2.718281828 ** (-passed / FADING_DAYS)
                self.counts = [count * fade for count in self.counts] if passed > 1e-3 else self.counts
                self.total = sum(self.counts) if passed > 1e-3 else self.total
                self.days = self.days * fade + passed
                self.last_s = time_s
        elif self.last_s is None:
            self.last_s = time_s
        cell = min(CELLS - 1, max(0, int(score * CELLS)))
        self.counts[cell] += 1.0
        self.total += 1.0

    @property
    def threshold(self) -> float:
        """Relevance from which a post makes an event.

        >>> budget = Budget(events_a_day=10)
        >>> budget.threshold
        0.85
        """
        if self.total < ENOUGH or self.days <= 0.02:
            return FIRST
        allowed = self.events_a_day * POSTS_AN_EVENT * self.days
        above = 0.0
        for cell in range(CELLS - 1, -1, -1):
            above += self.counts[cell]
            if above > allowed:
                return max(FLOOR, min(0.995, (cell + 1) / CELLS))
        return FLOOR
