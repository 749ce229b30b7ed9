"""How likely it is that several alerts are a true incident: log-odds that add up, each kind of evidence once.

The strongest alert stands with its own log-odds. Every other one adds the logarithm of how much more likely it is to be
there if the incident is real than by chance. What says the same again adds little: an alert from the same source a
tenth of the one before, one of the same tool from elsewhere four tenths (one tool's errors have common causes: the
weather, the model). The sums are geometric, so ten thousand copies add no more than a ninth of the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from impetus.situation.correlation.calibration import logistic, logit

SAME_SOURCE = 0.1
"""Share that each further alert of one source counts."""

SAME_TOOL = 0.4
"""Share that each further source of one tool counts."""

MOST_A_PIECE = 2.5
"""Log-odds that one further alert can add: calibration and chance rates are themselves estimates."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One alert as evidence for an incident."""

    tool: str
    source: str
    probability: float
    """That the alert is true, calibrated, after loss of trust."""
    base: float
    """Share of this detector's alerts that are true."""
    closeness: float = 0.0
    """Log of how much likelier it is here under one incident than by chance."""


@dataclass(frozen=True, slots=True)
class Fused:
    """What several pieces say together."""

    log_odds: float
    strongest: int
    """Which piece stands first; -1 without any."""
    added: tuple[float, ...]
    """What each piece added, in log-odds; the strongest: its own."""

    @property
    def probability(self) -> float:
        return logistic(self.log_odds)


def fuse(pieces: Iterable[Piece]) -> Fused:
    """Put evidence together.

    >>> one = Piece("firearm", "camera-1", 0.6, 0.3)
    >>> other = Piece("social", "feed", 0.4, 0.2, closeness=2.0)
    >>> fuse([one]).probability < fuse([one, one]).probability < fuse([one, other]).probability
    True
    """
    known = list(pieces)
    if not known:
        return Fused(logit(0.0), -1, ())
    strongest = max(range(len(known)), key=lambda number: known[number].probability)
    added = [0.0] * len(known)
    added[strongest] = total = logit(known[strongest].probability)
    worth = {number: _worth(piece) for number, piece in enumerate(known) if number != strongest}
    from_source: dict[tuple[str, str], int] = {(known[strongest].tool, known[strongest].source): 1}
    sources_of_tool: dict[str, int] = {known[strongest].tool: 1}
    for number in sorted(worth, key=lambda number: -worth[number]):
        piece = known[number]
        key = (piece.tool, piece.source)
        times = from_source.get(key, 0)
        sources = sources_of_tool.get(piece.tool, 0)
        if times == 0:
            sources_of_tool[piece.tool] = sources + 1
            share = SAME_TOOL**sources
        else:
            share = SAME_TOOL ** max(sources - 1, 0) * SAME_SOURCE**times
        from_source[key] = times + 1
        added[number] = worth[number] * share
        total += added[number]
    return Fused(total, strongest, tuple(added))


def _worth(piece: Piece) -> float:
    """Log-odds that a further piece adds alone: how true it is among its kind, and how unlikely by chance.

    Evidence that is no better than chance adds nothing; that a doubtful alert stands beside another is no sign that
    the other is false.
    """
    truth = logit(piece.probability) - logit(piece.base)
    return min(max(truth + piece.closeness, 0.0), MOST_A_PIECE)
