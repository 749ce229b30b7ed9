"""Whether a detector's repeats are new measurements or the same one again: what their confidences say.

A copy has the confidence of the one before; a new look at the same thing has one of its own. The correlation between
an alert and the one before on the same source (beyond what the source's record explains) is learnt from the stream for
each detector, and n repeats are worth n / (1 + (n - 1) r) alerts: the effective sample size of a cluster (Kish 1965).
Where nothing is known yet repeats are held for near copies.
"""

from __future__ import annotations

from dataclasses import dataclass

from impetus.situation.correlation.calibration import logit
from impetus.situation.correlation.groups import Track
from impetus.situation.correlation.signal import Signal

FIRST_GUESS = 0.9
"""Correlation that is assumed before any repeat was seen."""

STRENGTH = 20.0
"""Repeats that the first guess is worth, each with a variance of 1 in log-odds."""

LEAST = 0.05
"""Repeats are never held for wholly independent: no more than twenty of them count."""

Kind = tuple[str, str, str]


@dataclass(slots=True)
class _Seen:
    together: float = FIRST_GUESS * STRENGTH
    """Sum of the products of neighbours' deviations."""
    spread: float = STRENGTH
    """Sum of the mean of their squares."""
    count: float = 0.0
    mean: float = 0.0


class Repeating:
    """What was seen of each detector's repeats."""

    def __init__(self) -> None:
        self._seen: dict[Kind, _Seen] = {}

    def saw(self, track: Track, signal: Signal, usual: float) -> None:
        """An alert repeats those of the track; `usual`: log-odds of what its source says otherwise."""
        before = next(reversed(track.signals.values()))
        seen = self._seen.setdefault(track.kind, _Seen())
        one, other = logit(before.probability) - usual, logit(signal.probability) - usual
        seen.count += 1.0
        seen.mean += (0.5 * (one + other) - seen.mean) / seen.count
        one, other = one - seen.mean, other - seen.mean
        seen.together += one * other
        seen.spread += 0.5 * (one * one + other * other)

    def worth(self, kind: Kind, count: int) -> float:
        """How many alerts of their own so many repeats are worth; 1 for a single one."""
        seen = self._seen.get(kind)
        correlation = FIRST_GUESS if seen is None else min(max(seen.together / seen.spread, LEAST), 1.0)
        return count / (1.0 + (count - 1) * correlation)
