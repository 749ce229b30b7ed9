"""How often a source raises something anyway: the chance that it does so just now, just here."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable

MEMORY_S = 5 * 24 * 3_600.0
"""Happenings count ever less, to a third after so long."""

SHORTEST_S = 12 * 3_600.0
"""In the first hours the rate is taken as if this time had been watched, so that a single happening is not a flood."""

FIRST_GUESS = 0.1
"""Happenings of one source that are assumed before any was seen."""

SHARE_OF_MEAN = 1.0
"""Sources' worth of the tool's mean that every source starts with."""


class Rates:
    """Counts that fade with time, per tool and key; each key starts at the mean of its tool's keys."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Hashable], tuple[float, float]] = {}
        self._totals: dict[str, tuple[float, float]] = {}
        self._keys: dict[str, int] = {}
        self._began_s: float | None = None

    def count(self, tool: str, key: Hashable, now_s: float) -> None:
        """One more happening."""
        if self._began_s is None:
            self._began_s = now_s
        known = self._counts.get((tool, key))
        if known is None:
            self._keys[tool] = self._keys.get(tool, 0) + 1
        self._counts[tool, key] = (self._faded(known, now_s) + 1.0, now_s)
        self._totals[tool] = (self._faded(self._totals.get(tool), now_s) + 1.0, now_s)

    def rate(self, tool: str, keys: Iterable[Hashable], now_s: float) -> float:
        """Happenings per second at all these keys together; never 0."""
        mean = self._faded(self._totals.get(tool), now_s) / self._keys[tool] if tool in self._keys else FIRST_GUESS
        total = sum(self._faded(self._counts.get((tool, key)), now_s) for key in keys)
        watched = 0.0 if self._began_s is None else now_s - self._began_s
        return (total + max(SHARE_OF_MEAN * mean, FIRST_GUESS)) / (
            MEMORY_S * (1.0 - math.exp(-max(watched, SHORTEST_S) / MEMORY_S)) * (1.0 + SHARE_OF_MEAN)
        )

    def sweep(self, now_s: float) -> None:
        """Forget what has faded to nothing."""
        self._counts = {key: known for key, known in self._counts.items() if self._faded(known, now_s) > 0.01}
        self._keys = {}
        for tool, _ in self._counts:
            self._keys[tool] = self._keys.get(tool, 0) + 1

    @staticmethod
    def _faded(known: tuple[float, float] | None, now_s: float) -> float:
        return 0.0 if known is None else known[0] * math.exp(min(known[1] - now_s, 0.0) / MEMORY_S)
