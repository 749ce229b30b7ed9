"""The team as a whole, and what could be done for it. No person is named here, and no small group is spoken of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from impetus.tools.workload.estimate import Estimate

STEP = 0.2
"""Shares are told in steps of a fifth, so that one person who comes or goes cannot be read off."""
LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class TeamState:
    """How a group of at least the least size is."""

    people: int
    overloaded: float
    """Share, 0 to 1."""
    underloaded: float
    load: float
    """Mean probability of high load."""


def team_state(estimates: Sequence[Estimate], *, at_least: int) -> TeamState | None:
    """The state of those of whom something can be said; None if they are too few.

    >>> one = Estimate(0.9, 0.1, 0.0, 0.9)
    >>> team_state([one] * 4, at_least=5) is None
    True
    >>> team_state([one] * 5, at_least=5).overloaded
    1.0
    """
    said = [one for one in estimates if one.abstained is None and one.overload is not None]
    if len(said) < at_least:
        return None
    count = len(said)
    return TeamState(
        count,
        sum((one.overload or 0) >= LIKELY for one in said) / count,
        sum((one.underload or 0) >= LIKELY for one in said) / count,
        sum(one.load or 0 for one in said) / count,
    )


def in_steps(share: float) -> float:
    """A share as it is told.

    >>> [in_steps(share) for share in (0.0, 0.29, 0.31, 1.0)]
    [0.0, 0.2, 0.4, 1.0]
    """
    return round(round(share / STEP) * STEP, 1)


@dataclass(slots=True)
class Sustained:
    """Whether something has held for long enough; a short break does not end it.

    >>> watch = Sustained(needed_s=60, break_s=20)
    >>> [watch.update(True, second) for second in (0, 30, 60, 61)]
    [False, False, True, True]
    >>> watch.update(False, 70), watch.update(False, 85)
    (True, False)
    """

    needed_s: float
    break_s: float
    since_s: float | None = field(default=None)
    held_s: float = field(default=0.0)

    def update(self, holds: bool, now_s: float) -> bool:
        """Whether it has held for `needed_s` by now."""
        if holds:
            if self.since_s is None:
                self.since_s = now_s
            self.held_s = now_s
        elif self.since_s is not None and now_s - self.held_s >= self.break_s:
            self.since_s = None
        return self.since_s is not None and now_s - self.since_s >= self.needed_s


def proposed_cap(current: int, *, least: int, share: float) -> int | None:
    """The cap to propose to a team of which this share is overloaded: lower by up to a half; None if it cannot fall.

    >>> proposed_cap(10, least=3, share=0.6), proposed_cap(10, least=3, share=1.0), proposed_cap(3, least=3, share=1.0)
    (7, 5, None)
    """
    wanted = max(least, round(current * (1 - 0.5 * share)))
    return wanted if wanted < current else None
