"""How many a second."""

from __future__ import annotations

from collections import deque


class Rate:
    """How many a second, over the last full seconds."""

    def __init__(self, seconds: int = 10) -> None:
        self._seconds = seconds
        self._counts: deque[tuple[int, int]] = deque()

    def add(self, count: int, now_s: float) -> None:
        """So many came now."""
        second = int(now_s)
        if self._counts and self._counts[-1][0] == second:
            self._counts[-1] = (second, self._counts[-1][1] + count)
        else:
            self._counts.append((second, count))
        self._forget(second)

    def value(self, now_s: float) -> float:
        """The mean over the last seconds, the present one left out because it is not over."""
        second = int(now_s)
        self._forget(second)
        return sum(count for then, count in self._counts if then < second) / self._seconds

    def _forget(self, second: int) -> None:
        while self._counts and self._counts[0][0] < second - self._seconds:
            self._counts.popleft()
