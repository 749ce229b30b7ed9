"""How often one kind of alert follows another, beyond chance: what the stream itself teaches.

A rule says within which time two kinds may belong together; whether the one really follows the other, in which order
and how soon, shows in the stream. Whenever an alert comes in, the groups near it (or of its name) that began within the
rule's time are counted by how long ago that was, and as a control those that began one to three times as long ago: by
chance alone they would be as many for each minute (a case-crossover comparison; Maclure 1991). What is more than chance
is compared with what the rules' scores expected, and the logarithm of this ratio corrects the scores. No verdicts are
needed. (Learning the kernel of a cascade from the excess of pairs over chance: Marsan and Lengliné 2008.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

BINS: Sequence[float] = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Upper ends of the spans of time, as shares of a rule's minutes."""

CONTROL = 3.0
"""The control lasts from once to so many times a rule's minutes."""

STRENGTH = 5.0
"""Pairs that the rules' own guess is worth."""

MOST = 3.0
"""Log-odds by which a score is corrected at most."""

MEMORY_S = 30 * 24 * 3_600.0
"""What was seen counts ever less, to a third after so long."""

Order = tuple[str, tuple[str, str], tuple[str, str]]
"""A rule's title, and tool and detector of what came first and of what came then."""


@dataclass(slots=True)
class _Seen:
    """Of one rule and order of kinds."""

    near: list[float] = field(default_factory=lambda: [0.0] * len(BINS))
    expected: list[float] = field(default_factory=lambda: [0.0] * len(BINS))
    control: float = 0.0
    """As many as by chance in the rule's whole time."""


class Following:
    """What was seen so far."""

    def __init__(self, remembered_s: float) -> None:
        self._remembered_s = remembered_s
        self._seen: dict[Order, _Seen] = {}
        self._faded_s: float | None = None

    def saw(self, order: Order, gap_s: float, span_s: float, score: float) -> None:
        """An alert came `gap_s` after a group began, of `span_s` that are allowed; `score`: log-odds by the rule."""
        share, control = gap_s / span_s, min(CONTROL, self._remembered_s / span_s) - 1.0
        if control <= 0.0:
            return  # nothing to compare with is remembered
        seen = self._seen.setdefault(order, _Seen())
        if share > 1.0:
            seen.control += (share - 1.0 <= control) / control
            return
        number = _bin(share)
        seen.near[number] += 1.0
        seen.expected[number] += 1.0 / (1.0 + math.exp(-score))

    def correction(self, order: Order, share: float) -> float:
        """Log-odds to add to a score."""
        seen = self._seen.get(order)
        if seen is None or share > 1.0:
            return 0.0
        beyond = max(sum(seen.near) - seen.control, 0.0)
        whole = (beyond + STRENGTH) / (sum(seen.expected) + STRENGTH)
        number = _bin(share)
        width = BINS[number] - (BINS[number - 1] if number else 0.0)
        beyond = max(seen.near[number] - seen.control * width, 0.0)
        ratio = (beyond + STRENGTH * whole) / (seen.expected[number] + STRENGTH)
        return min(max(math.log(ratio), -MOST), MOST)

    def fade(self, now_s: float) -> None:
        """Let what was seen long ago count less."""
        if self._faded_s is not None:
            share = math.exp(-max(now_s - self._faded_s, 0.0) / MEMORY_S)
            for seen in self._seen.values():
                seen.near = [count * share for count in seen.near]
                seen.expected = [count * share for count in seen.expected]
                seen.control *= share
        self._faded_s = now_s


def _bin(share: float) -> int:
    return next((number for number, end in enumerate(BINS) if share <= end), len(BINS) - 1)
