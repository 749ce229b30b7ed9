"""One alert for one event: when an episode opens, gets worse and ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers

LONGEST_WINDOW = 32
CLEARLY_WORSE = 1.0
"""Powers of ten by which an event has to become rarer to be brought up to date."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of time in which one detector finds one stream unusual. Times in seconds since 1970, UTC."""

    detector: str
    onset_s: float
    last_s: float
    """Newest unusual reading."""
    rarity: float
    """Of the rarest reading."""
    value: float
    """The rarest reading, with what was usual for it."""
    low: float
    middle: float
    high: float
    feature: int
    readings: int
    """Unusual readings so far."""
    revision: int = -1
    """Of the newest alert that was sent for it; -1: none yet."""
    sent_rarity: float = 0.0
    sent_severity: str = ""
    sent_s: float = 0.0
    ended_s: float | None = None
    members: tuple[int, ...] = ()
    """Rows of neighbouring streams that took part, in the order in which they joined."""
    apart: bool = False
    """Whether its neighbours were as usual, so that the sensor itself is likely at fault."""
    unit: str = ""
    """Which change of unit its readings look like, if one."""

    @property
    def sign(self) -> int:
        """To which side it deviates: 1 above what is expected, -1 below."""
        return 1 if self.value >= self.middle else -1

    def to_json(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Episode:
        """The inverse of `to_json`. Raises `TypeError` or `ValueError` for anything else."""
        return cls(**{**saved, "members": tuple(int(row) for row in saved.get("members", ()))})


@dataclass(frozen=True, slots=True)
class EpisodeRules:
    """When an episode opens, is brought up to date, ends, and may follow another.

    It opens with one reading of at least `strong` rarity, or when `needed` of the last `window` readings have at least
    `weak`; it ends when none of the last `window` readings has.
    """

    strong: float
    weak: float
    needed: int = 3
    window: int = 5
    update_s: float = 30.0
    cool_down_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading as an episode sees it."""

    time_s: float
    value: float
    rarity: float
    low: float
    middle: float
    high: float
    feature: int


class RecentlyUnusual(ArrayState):
    """Which of the last readings of each stream were unusual, as bits: tells in one step where an episode may begin.

    >>> import numpy as np
    >>> recent = RecentlyUnusual()
    >>> recent.grow(2)
    >>> for _ in range(3):
    ...     counts = recent.update(np.array([0, 1]), np.array([60.0, 60.0]), np.array([True, False]), window=5)
    >>> [int(count) for count in counts]
    [3, 0]
    """

    bits: Integers
    first_s: Floats
    """When the present stretch of unusual readings began."""

    def __init__(self) -> None:
        super().__init__({"bits": Column((), 0, np.int64), "first_s": Column((), np.nan)})

    def update(self, row: Integers, time_s: Floats, unusual: Booleans, *, window: int) -> Integers:
        """How many of the last `window` readings of each stream were unusual, this one included."""
        if not 1 <= window <= LONGEST_WINDOW:
            raise ValueError(f"a window has 1 to {LONGEST_WINDOW} readings, not {window}")
        before = self.bits[row]
        bits = ((before << 1) | unusual) & ((1 << window) - 1)
        self.bits[row] = bits
        self.first_s[row] = np.where(unusual & (before & ((1 << (window - 1)) - 1) == 0), time_s, self.first_s[row])
        counts: Integers = np.bitwise_count(bits).astype(np.int64)
        return counts


Change = Literal["none", "opened", "worse", "ended"]


def advance(
    episode: Episode | None,
    reading: Reading,
    rules: EpisodeRules,
    *,
    detector: str,
    count: int,
    first_s: float,
    before: Episode | None = None,
) -> tuple[Episode | None, Change]:
    """One reading further.

    Args:
        episode: the open one, if any.
        reading: the new reading.
        rules: when to open, update and end.
        detector: name for a new episode.
        count: unusual readings among the last `rules.window`.
        first_s: when the present stretch of unusual readings began.
        before: the last episode that ended, for the cool-down.

    Returns:
        The episode (open, or ended with `ended_s`; None if there is none) and what happened.
    """
    if episode is None:
        if reading.rarity < rules.strong and count < rules.needed:
            return None, "none"
        if before is not None and before.ended_s is not None:
            cooling = 0 <= reading.time_s - before.ended_s < rules.cool_down_s
            if cooling and reading.rarity < before.rarity + CLEARLY_WORSE:
                return None, "none"
        onset_s = first_s if count > 1 else reading.time_s
        return (
            Episode(
                detector=detector,
                onset_s=onset_s,
                last_s=reading.time_s,
                rarity=reading.rarity,
                value=reading.value,
                low=reading.low,
                middle=reading.middle,
                high=reading.high,
                feature=reading.feature,
                readings=max(count, 1),
            ),
            "opened",
        )
    if count == 0:
        return replace(episode, ended_s=episode.last_s), "ended"
    if reading.rarity < rules.weak:
        return episode, "none"
    episode = replace(episode, last_s=reading.time_s, readings=episode.readings + 1)
    if reading.rarity > episode.rarity:
        episode = replace(
            episode,
            rarity=reading.rarity,
            value=reading.value,
            low=reading.low,
            middle=reading.middle,
            high=reading.high,
            feature=reading.feature,
        )
    clearly = episode.rarity >= episode.sent_rarity + CLEARLY_WORSE
    if clearly and reading.time_s - episode.sent_s >= rules.update_s:
        return episode, "worse"
    return episode, "none"
