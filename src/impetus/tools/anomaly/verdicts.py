"""What people found of a stream's alerts moves that stream's threshold, visibly and so that it can be taken back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MOST_VERDICTS = 10_000
"""Newest ones that are remembered."""
MOST_LOWER, MOST_HIGHER = 0.5, 1.5
"""Powers of ten that a threshold is moved at most."""


@dataclass(frozen=True, slots=True)
class Found:
    """What people found of the alerts of one stream."""

    confirmed: int = 0
    dismissed: int = 0

    @property
    def shift(self) -> float:
        """Powers of ten by which readings must be rarer to alert.

        The odds that an alert is wrong, with one of each added (Laplace): where three of four were wrong the bar rises
        by about that ratio, so that as many fewer wrong ones come.

        >>> round(Found(confirmed=0, dismissed=1).shift, 2), round(Found(confirmed=3, dismissed=3).shift, 2)
        (0.3, 0.0)
        """
        odds = math.log10((self.dismissed + 1) / (self.confirmed + 1))
        return min(max(odds, -MOST_LOWER), MOST_HIGHER)


class VerdictMemory:
    """The newest verdict on each alert; taking one back, or forgetting a stream, undoes what it did.

    >>> memory = VerdictMemory()
    >>> memory.take("alert-1", "stream-a", correct=False)
    >>> round(memory.found("stream-a").shift, 2)
    0.3
    >>> memory.take("alert-1", "stream-a", correct=None)
    >>> memory.found("stream-a").shift
    0.0
    """

    def __init__(self) -> None:
        self._verdicts: dict[str, tuple[str, bool]] = {}

    def take(self, alert: str, stream: str, *, correct: bool | None) -> None:
        """What is now found of an alert; None: nothing (any more)."""
        self._verdicts.pop(alert, None)
        if correct is not None:
            self._verdicts[alert] = (stream, correct)
        if len(self._verdicts) > MOST_VERDICTS:
            del self._verdicts[next(iter(self._verdicts))]

    def forget(self, stream: str) -> int:
        """Undo what the verdicts on a stream's alerts did; how many there were."""
        gone = [alert for alert, (about, _) in self._verdicts.items() if about == stream]
        for alert in gone:
            del self._verdicts[alert]
        return len(gone)

    def found(self, stream: str) -> Found:
        """Of the alerts of one stream."""
        return self.all().get(stream, Found())

    def all(self) -> dict[str, Found]:
        """Streams that people judged an alert of."""
        counts = Counter(self._verdicts.values())
        return {stream: Found(counts[stream, True], counts[stream, False]) for stream, _ in counts}

    def to_json(self) -> list[list[object]]:
        """Plain values for a checkpoint."""
        return [[alert, stream, correct] for alert, (stream, correct) in self._verdicts.items()]

    @classmethod
    def from_json(cls, saved: Iterable[Iterable[object]]) -> VerdictMemory:
        """The inverse of `to_json`. Raises `ValueError` or `TypeError` for anything else."""
        memory = cls()
        for alert, stream, correct in saved:
            memory.take(str(alert), str(stream), correct=bool(correct))
        return memory
