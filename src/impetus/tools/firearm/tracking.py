"""Follows boxes from frame to frame within one camera, as long as they are seen, and forgets them at once after.

After ByteTrack (Zhang et al. 2022, arXiv:2110.06864): sure detections are matched first, doubtful ones only continue
what is followed already. A gun of 20 pixels moves by more than its size between two frames, so that boxes are
compared after they were enlarged (Yang et al. 2023, arXiv:2211.13317). A track has a number that is used by this
camera alone, and nothing of how somebody looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from impetus.tools.firearm.arrays import Floats
from impetus.tools.firearm.detections import WEAPON, Detections, overlaps
from impetus.tools.firearm.inference import Window

DOUBTFUL = 0.1
"""Scores below this are never used."""
LEAST_OVERLAP = 0.1
ENLARGED_SHARE, ENLARGED_PX = 0.5, 8.0
MEMORY = 32
"""Frames that a track remembers."""
MOST_TRACKS = 200


@dataclass
class Seen:
    """One frame of a track; the score is 0 where it was not found."""

    frame: int
    time_s: float
    score: float
    box: Floats


@dataclass
class Track:
    """One thing that is followed."""

    number: int
    kind: int
    box: Floats
    velocity: Floats
    """Pixels a second of the middle."""
    first_s: float
    last_s: float
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=MEMORY))
    hits: int = 0

    def at(self, time_s: float) -> Floats:
        """Where its box should be."""
        step = np.tile(self.velocity * min(max(time_s - self.last_s, 0.0), 1.0), 2)
        return np.asarray(self.box + step)


class Tracker:
    """Tracks of one kind in one camera."""

    def __init__(self, kind: int, *, sure: float, lost_s: float = 1.5) -> None:
        self._kind = kind
        self._sure = sure
        self._lost_s = lost_s
        self._number = 0
        self.tracks: list[Track] = []

    def update(
        self, found: Detections, frame: int, time_s: float, looked: Sequence[Window] | None = None
    ) -> list[Track]:
        """Take a frame's detections; gives the tracks that are alive. Times go forward; after a jump all is new.

        `looked`: where the detector looked, everywhere without it. Where it did not look, nothing was missed.
        """
        if self.tracks and not -0.001 <= time_s - max(track.last_s for track in self.tracks) < 30.0:
            self.tracks = []
        mine = found.of(self._kind, DOUBTFUL)
        sure = mine.scores >= self._sure
        left = self._match(list(self.tracks), mine.where(sure), frame, time_s, new=True)
        left = self._match(left, mine.where(~sure), frame, time_s, new=False)
        for track in left:
            box = track.at(time_s)
            if looked is None or any(_within(box, window) for window in looked):
                track.seen.append(Seen(frame, time_s, 0.0, box))
        self.tracks = [track for track in self.tracks if time_s - track.last_s <= self._lost_s][-MOST_TRACKS:]
        return self.tracks

    def _match(self, tracks: list[Track], found: Detections, frame: int, time_s: float, *, new: bool) -> list[Track]:
        """Match greedily, the best overlap first; returns the tracks without a match."""
        taken: set[int] = set()
        matched: set[int] = set()
        if tracks and len(found):
            where = np.stack([track.at(time_s) for track in tracks])
            close = overlaps(_enlarged(where), _enlarged(found.boxes))
            for flat in np.argsort(-close, axis=None):
                row, column = divmod(int(flat), len(found))
                if close[row, column] < LEAST_OVERLAP:
                    break
                if row in matched or column in taken:
                    continue
                matched.add(row)
                taken.add(column)
                self._continue(tracks[row], found.boxes[column], float(found.scores[column]), frame, time_s)
        if new:
            for column in range(len(found)):
                if column not in taken:
                    self._number += 1
                    box = found.boxes[column].astype(np.float64)
                    track = Track(self._number, self._kind, box, np.zeros(2), time_s, time_s)
                    track.seen.append(Seen(frame, time_s, float(found.scores[column]), box))
                    track.hits = 1
                    self.tracks.append(track)
        return [track for row, track in enumerate(tracks) if row not in matched]

    def _continue(self, track: Track, box: Floats, score: float, frame: int, time_s: float) -> None:
        step_s = max(time_s - track.last_s, 1e-3)
        moved = (box[:2] + box[2:] - track.box[:2] - track.box[2:]) / 2
        track.velocity = track.velocity * 0.6 + (moved / max(step_s, 0.03)) * 0.4
        track.box = box.astype(np.float64)
        track.last_s = time_s
        track.hits += 1
        track.seen.append(Seen(frame, time_s, score, track.box))


def _within(box: Floats, window: Window) -> bool:
    x, y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    return window.left <= x < window.right and window.top <= y < window.bottom


def _enlarged(boxes: Floats) -> Floats:
    size = boxes[:, 2:] - boxes[:, :2]
    more = size * ENLARGED_SHARE + ENLARGED_PX
    return np.concatenate((boxes[:, :2] - more, boxes[:, 2:] + more), axis=1)


def carrier(weapon: Floats, persons: Detections) -> Floats | None:
    """The box of the person who holds a weapon: the one, enlarged a little, that holds most of it; None without."""
    if not len(persons):
        return None
    size = persons.boxes[:, 2:] - persons.boxes[:, :2]
    near = np.concatenate((persons.boxes[:, :2] - size * 0.25, persons.boxes[:, 2:] + size * 0.25), axis=1)
    low, high = np.maximum(near[:, :2], weapon[:2]), np.minimum(near[:, 2:], weapon[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    best = int(shared.argmax())
    if shared[best] < 0.3 * max(float((weapon[2:] - weapon[:2]).prod()), 1e-9):
        return None
    return np.asarray(persons.boxes[best])


__all__ = ["DOUBTFUL", "WEAPON", "Seen", "Track", "Tracker", "carrier"]
