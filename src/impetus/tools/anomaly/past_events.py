"""What was unusual in the last month, so that a person sees at once what another threshold would have said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import Floats

LEAST_RARITY = 3.0
"""Rarity from which a reading belongs to an event."""
KEPT_S = 31 * 86_400.0
MOST_EVENTS = 50_000
JOINED_GAPS = 5.0
"""Usual intervals (an hour at least) within which what follows belongs to the same event."""
SHORTEST_JOIN_S = 3_600.0


@dataclass(slots=True)
class PastEvent:
    """A stretch of unusual readings of one stream; times in seconds since 1970, UTC."""

    row: int
    begin_s: float
    end_s: float
    rarest: tuple[float, float, float]
    """The three rarest readings, rarest first."""

    def strength(self, weak_share: float) -> float:
        """The highest bar for one reading at which it is an alert: its rarest reading, or three that are a little less
        rare (`weak_share` of the bar suffices where there are three)."""
        return max(self.rarest[0], self.rarest[2] / weak_share)


class PastEvents:
    """Events of the last month, of all streams.

    >>> past = PastEvents()
    >>> for minute in range(4):
    ...     past.take(0, 60.0 * minute, 3.5 + minute / 10, interval_s=60.0)
    >>> past.take(1, 0.0, 6.0, interval_s=60.0)
    >>> len(past), past.strengths(0.8).round(1).tolist()
    (2, [4.5, 6.0])
    """

    def __init__(self) -> None:
        self._events: list[PastEvent] = []
        self._newest: dict[int, PastEvent] = {}

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[PastEvent]:
        return iter(self._events)

    def take(self, row: int, time_s: float, rarity: float, *, interval_s: float) -> None:
        """One reading of at least `LEAST_RARITY`; a stream's readings come in order of time."""
        event = self._newest.get(row)
        if event is None or time_s - event.end_s > max(JOINED_GAPS * interval_s, SHORTEST_JOIN_S):
            event = PastEvent(row, time_s, time_s, (rarity, 0.0, 0.0))
            self._newest[row] = event
            self._events.append(event)
            if len(self._events) > MOST_EVENTS:
                self.forget(time_s - KEPT_S)
            return
        event.end_s = time_s
        first, second, third = sorted((*event.rarest, rarity), reverse=True)[:3]
        event.rarest = (first, second, third)

    def forget(self, before_s: float) -> None:
        """Leave out what ended before; and, of too many, the oldest."""
        kept = [event for event in self._events if event.end_s >= before_s]
        self._events = kept[-MOST_EVENTS // 2 :] if len(kept) > MOST_EVENTS else kept
        self._newest = {event.row: event for event in self._events}

    def strengths(self, weak_share: float) -> Floats:
        """Of each event, for counting how many would have been alerts at a bar; shape (events,)."""
        return np.array([event.strength(weak_share) for event in self._events], dtype=np.float64)

    def to_json(self) -> list[list[float]]:
        """Plain values for a checkpoint."""
        return [[event.row, event.begin_s, event.end_s, *event.rarest] for event in self._events]

    @classmethod
    def from_json(cls, saved: Iterable[Iterable[float]]) -> PastEvents:
        """The inverse of `to_json`. Raises `ValueError` or `TypeError` for anything else."""
        past = cls()
        for row, begin_s, end_s, first, second, third in saved:
            event = PastEvent(int(row), float(begin_s), float(end_s), (float(first), float(second), float(third)))
            past._events.append(event)
            past._newest[event.row] = event
        return past
