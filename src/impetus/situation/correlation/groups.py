"""What alerts are put together to: tracks (one detector on one source, with its repeats) and groups of tracks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from impetus.situation.correlation.calibration import LEAST, logit
from impetus.situation.correlation.evidence import Fused
from impetus.situation.correlation.rules import Tie
from impetus.situation.correlation.signal import Signal, Where

STRONGEST_KEPT = 3
"""Alerts of one track that count as evidence; what the fourth could add is less than a hundredth of the first."""


FOUND_TRUE = 0.98
FOUND_FALSE = LEAST


@dataclass(slots=True)
class Link:
    """Why a track is in its group: what ties it to another one there."""

    tie: Tie
    one: Track
    other: Track
    guessed: float
    """Log-odds that the two are about one happening rather than near by chance, by the rule alone."""
    distance_m: float | None
    gap_s: float
    entity: str | None
    """The name that both share, if that ties them."""
    afar: bool = False
    """A name ties them and they are not near each other, or have no place."""
    score: float = 0.0
    """The same, corrected by what was seen of such pairs."""

    @property
    def share(self) -> float:
        """The time between the two as a share of what the rule allows."""
        return self.gap_s / (self.tie.minutes * 60.0)


@dataclass(slots=True, eq=False)
class Track:
    """An alert and its repeats: of one detector, on one source, with no long pause between."""

    number: int
    tool: str
    detector: str
    source: str
    category: str
    status: str
    begin_s: float
    end_s: float
    where: Where | None
    entities: frozenset[str]
    cell: tuple[int, int] | None
    group: Group = field(init=False)
    kind: tuple[str, str, str] = field(init=False)
    signals: dict[str, Signal] = field(default_factory=dict)
    """Those that are held, in the order in which they came."""
    folded: int = 0
    """Older ones that are only counted, and in the sum."""
    folded_until_s: float = -math.inf
    """When the newest of them began."""
    strongest: list[Signal] = field(default_factory=list)
    closeness: float = 0.0
    believed: float = 0.0
    """How likely its strongest alert is true, by itself."""
    log_odds_sum: float = 0.0
    """Of all its alerts."""
    dead: bool = False
    """Moved into another track; the index may still hold it for a while."""

    def __post_init__(self) -> None:
        self.kind = (self.tool, self.detector, self.category)

    @property
    def count(self) -> int:
        """Alerts that it is made of."""
        return len(self.signals) + self.folded

    def add(self, signal: Signal) -> bool:
        """Take an alert in, or a new state of one that is in; whether it is one more."""
        known = self.signals.get(signal.id)
        was_folded = known is None and self.folded > 0 and signal.begin_s <= self.folded_until_s
        self.signals[signal.id] = signal
        if was_folded:
            self.folded -= 1  # and it is in the sum
        else:
            self.log_odds_sum += _log_odds(signal) - (0.0 if known is None else _log_odds(known))
        self.begin_s = min(self.begin_s, signal.begin_s)
        self.end_s = max(self.end_s, signal.end_s)
        if known is not None or signal.verdict is not None:
            self.rank()
        elif len(self.strongest) < STRONGEST_KEPT or signal.probability > self.strongest[-1].probability:
            self.strongest.append(signal)
            self.strongest.sort(key=_rank)
            del self.strongest[STRONGEST_KEPT:]
        return known is None and not was_folded

    def fold(self, id: str) -> bool:
        """Only count this alert from now on. False if it is evidence, or the newest: the next is compared with that."""
        signal = self.signals[id]
        if signal in self.strongest or id == next(reversed(self.signals)):
            return False
        del self.signals[id]
        self.folded += 1
        self.folded_until_s = max(self.folded_until_s, signal.begin_s)
        return True

    def remove(self, id: str) -> Signal:
        """Take an alert out."""
        signal = self.signals.pop(id)
        self.log_odds_sum -= _log_odds(signal)
        self.rank()
        return signal

    def rank(self) -> None:
        """Find the alerts that count as evidence again."""
        self.strongest = sorted(self.signals.values(), key=_rank)[:STRONGEST_KEPT]


@dataclass(slots=True, eq=False)
class Group:
    """Tracks that are about one happening, as far as is known."""

    number: int
    status: str
    tracks: dict[int, Track] = field(default_factory=dict)
    links: dict[int, Link] = field(default_factory=dict)
    """By the number of the track that came later."""
    incident: str | None = None
    fixed: bool = False
    """A person acted on its incident: it is never merged into another one."""
    closed: bool = False
    """Nothing is added any more."""
    kinds: set[tuple[str, str]] = field(default_factory=set)
    """(tool, source) that it was counted for in the rates of chance."""
    absorbed: list[str] = field(default_factory=list)
    """Incidents that were merged into this one and are still to be closed."""
    fused: Fused | None = None
    probability: float = 0.0
    confirmed: bool = False
    """Whether a person found one of its alerts to be true."""
    size: int = 0
    """Alerts in all its tracks."""
    anchor: Where | None = None
    """Where it began."""
    onset_s: float = math.inf
    """When it began: a late member may put it earlier; it does not move when one is taken out."""
    afar: bool = False
    """Whether it holds together by names rather than by place: some of it has no place, or is far away."""
    told_s: float = -math.inf
    """When its newest alert was received."""

    @property
    def begin_s(self) -> float:
        return min((track.begin_s for track in self.tracks.values()), default=0.0)

    @property
    def end_s(self) -> float:
        return max((track.end_s for track in self.tracks.values()), default=0.0)

    def alerts(self) -> list[str]:
        """Identifiers of its alerts, track by track."""
        return [id for track in self.tracks.values() for id in track.signals]


def _rank(signal: Signal) -> float:
    if signal.verdict is None:
        return -signal.probability
    return -2.0 if signal.verdict else 1.0


def _log_odds(signal: Signal) -> float:
    if signal.verdict is None:
        return logit(signal.probability)
    return logit(FOUND_TRUE if signal.verdict else FOUND_FALSE)
