"""From tracks to events: a gun must be found in k of the last n frames, and the track be probable enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.tools.firearm.arrays import Floats
from impetus.tools.firearm.model import Calibration
from impetus.tools.firearm.tracking import Seen, Track

LEAST_SCORE = 0.02
"""Stands for frames in which a track was not found."""


@dataclass(frozen=True)
class Rules:
    """When a track becomes an event."""

    needed: int = 4
    window: int = 8
    threshold: float = 0.35
    """Score from which a frame counts."""
    least_probability: float = 0.5
    quiet_s: float = 8.0
    """An event is over when no gun was seen for so long; what is seen before that belongs to it."""


@dataclass(frozen=True)
class Confirmed:
    """A track that was confirmed in a frame."""

    track: Track
    hits: int
    probability: float
    best: Seen


def evidence(seen: Sequence[Seen]) -> float:
    """Mean logit of the scores of some frames."""
    scores = np.clip([each.score for each in seen], LEAST_SCORE, 1 - 1e-4)
    return float(np.log(scores / (1 - scores)).mean())


def probability(seen: Sequence[Seen], calibration: Calibration) -> float:
    """That a track is a gun, calibrated on rendered sequences that training never saw."""
    return float(1 / (1 + np.exp(-(calibration.offset + calibration.slope * evidence(seen)))))


def judge(track: Track, rules: Rules, calibration: Calibration) -> Confirmed | None:
    """Whether a track is confirmed by its last frames."""
    recent = list(track.seen)[-rules.window :]
    hits = sum(each.score >= rules.threshold for each in recent)
    if hits < rules.needed:
        return None
    # The best frames in the number that is needed: a gun that turns away for a moment loses nothing by it.
    best = sorted(recent, key=lambda each: -each.score)[: max(rules.needed, len(recent) * 3 // 4)]
    sure = probability(best, calibration)
    if sure < rules.least_probability:
        return None
    return Confirmed(track, hits, sure, best[0])


@dataclass
class Event:
    """Guns seen in one camera without a long pause: one event, however many tracks."""

    number: int
    start_s: float
    confirmed_s: float
    last_s: float
    probability: float
    hits: int
    window: int
    best: Seen
    box: Floats
    frames: list[int]
    tracks: set[int]
    ended: bool = False

    @property
    def size_px(self) -> float:
        """Longer side of the gun where it was seen best."""
        size = self.best.box[2:] - self.best.box[:2]
        return float(size.max())


class Events:
    """One camera's events."""

    def __init__(self, rules: Rules, calibration: Calibration) -> None:
        self.rules = rules
        self._calibration = calibration
        self._number = 0
        self.open: Event | None = None

    def update(self, tracks: Sequence[Track], time_s: float) -> tuple[Event | None, Event | None]:
        """The event that begins with this frame, and the one that ended; either may be None."""
        ended = None
        if self.open is not None and not -1.0 <= time_s - self.open.last_s <= self.rules.quiet_s:
            self.open.ended = True
            ended, self.open = self.open, None
        begun = None
        for track in tracks:
            confirmed = judge(track, self.rules, self._calibration)
            if confirmed is None:
                continue
            if self.open is None:
                self._number += 1
                frames = [each.frame for each in track.seen if each.score >= self.rules.threshold]
                begun = self.open = Event(
                    self._number,
                    track.first_s,
                    time_s,
                    time_s,
                    confirmed.probability,
                    confirmed.hits,
                    min(len(track.seen), self.rules.window),
                    confirmed.best,
                    track.box,
                    frames[-self.rules.window :],
                    {track.number},
                )
                continue
            self.open.last_s = time_s
            self.open.tracks.add(track.number)
            if confirmed.probability > self.open.probability:
                self.open.probability, self.open.best = confirmed.probability, confirmed.best
                self.open.hits = confirmed.hits
        return begun, ended

    def finish(self) -> Event | None:
        """The end of the stream ends what is open."""
        if self.open is not None:
            self.open.ended = True
        ended, self.open = self.open, None
        return ended
