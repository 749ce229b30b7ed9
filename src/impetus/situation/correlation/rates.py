"""How often a tool raises something in a quarter of the city, or names a thing: the chance that it is near anyway."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable

MEMORY_S = 24 * 3_600.0
"""Happenings count ever less, to a third after so long."""

SHORTEST_S = 4 * 3_600.0
"""In the first hours the rate is taken as if this time had been watched, so that a single happening is not a flood."""

FIRST_GUESS = 0.1
"""Happenings that are assumed where none was seen."""


class Rates:
    """Counts that fade with time, per key and tool."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Hashable, str], tuple[float, float]] = {}
        self._began_s: float | None = None

    def count(self, key: Hashable, tool: str, now_s: float) -> None:
        """One more happening."""
        if self._began_s is None:
            self._began_s = now_s
        value, since = self._counts.get((key, tool), (0.0, now_s))
        self._counts[key, tool] = (value * math.exp(min(since - now_s, 0.0) / MEMORY_S) + 1.0, max(now_s, since))

    def rate(self, keys: Iterable[Hashable], tool: str, now_s: float) -> float:
        """Happenings per second in all these keys together; never 0."""
        total = FIRST_GUESS
        for key in keys:
            known = self._counts.get((key, tool))
            if known is not None:
                total += known[0] * math.exp(min(known[1] - now_s, 0.0) / MEMORY_S)
        watched = 0.0 if self._began_s is None else now_s - self._began_s
        return total / (MEMORY_S * (1.0 - math.exp(-max(watched, SHORTEST_S) / MEMORY_S)))

    def sweep(self, now_s: float) -> None:
        """Forget what has faded to nothing."""
        self._counts = {key: known for key, known in self._counts.items() if known[1] > now_s - 7 * MEMORY_S}
