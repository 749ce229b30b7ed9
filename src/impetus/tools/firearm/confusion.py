"""What a detector takes for what: a matrix of persons, weapons and nothing, and the worst mistakes as pictures.

Only for rendered pictures: a mistake is shown as it is, and nobody is in a rendered picture.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Floats, Integers, Picture
from impetus.tools.firearm.detections import NAMES, WEAPON, Detections, overlaps
from impetus.tools.firearm.evaluation import HALF
from impetus.tools.firearm.model import Thresholds

CLASSES = (*NAMES, "nothing")
NOTHING = len(NAMES)
MISTAKES = 6
"""Pictures of each kind of mistake."""
SIDE_PX = 160
BOX_COLOUR = (66, 72, 229)
"""Blue, green, red."""


@dataclass(frozen=True, order=True)
class Mistake:
    """A weapon that was missed, or something that was taken for one."""

    rank: float
    """The greater the worse: a false one's score, a missed one's size."""
    number: int
    missed: bool
    score: float
    size_px: float
    picture: bytes
    """JPEG of what is around it."""


@dataclass
class Confusion:
    """Counts over pictures, and the worst mistakes among them."""

    thresholds: Thresholds
    counts: Integers = field(default_factory=lambda: np.zeros((3, 3), np.int64))
    """Row: what there was; column: what was found."""
    _worst: dict[bool, list[Mistake]] = field(default_factory=lambda: {True: [], False: []})
    _number: int = 0

    def add(self, picture: Picture, found: Detections, boxes: Floats, kinds: Floats) -> None:
        """A picture, what was found in it, and the boxes (N x 4) and kinds (N) that there are."""
        least = np.where(found.kinds == WEAPON, self.thresholds.weapon, self.thresholds.person)
        found = found.where(np.flatnonzero(found.scores >= least))
        found = found.where(np.argsort(-found.scores, kind="stable"))
        over = overlaps(found.boxes, boxes) if len(found) and len(boxes) else np.zeros((len(found), len(boxes)))
        truths = kinds.astype(np.int64)
        free = np.ones(len(boxes), np.bool_)
        taken = np.zeros(len(found), np.bool_)
        # First what is right, then what is there and was taken for something else.
        for same in (True, False):
            for row in map(int, np.flatnonzero(~taken)):
                fits = free & ((truths == found.kinds[row]) == same) & (over[row] >= HALF)
                if fits.any():
                    place = int(np.argmax(over[row] * fits))
                    free[place], taken[row] = False, True
                    self.counts[truths[place], found.kinds[row]] += 1
                    if not same and found.kinds[row] == WEAPON:
                        self._keep(picture, found.boxes[row], float(found.scores[row]), missed=False)
        for row in map(int, np.flatnonzero(~taken)):
            self.counts[NOTHING, found.kinds[row]] += 1
            if found.kinds[row] == WEAPON:
                self._keep(picture, found.boxes[row], float(found.scores[row]), missed=False)
        for place in map(int, np.flatnonzero(free)):
            self.counts[truths[place], NOTHING] += 1
            if truths[place] == WEAPON:
                self._keep(picture, boxes[place], 0.0, missed=True)

    def mistakes(self) -> list[Mistake]:
        """The worst: what was surest taken for a weapon, then the largest weapons that were missed."""
        return [each for missed in (False, True) for each in sorted(self._worst[missed], reverse=True)]

    def json(self) -> dict[str, object]:
        """Counts by name, as the page shows them."""
        return {
            truth: {found: int(self.counts[row, column]) for column, found in enumerate(CLASSES)}
            for row, truth in enumerate(CLASSES)
        }

    def _keep(self, picture: Picture, box: Floats, score: float, *, missed: bool) -> None:
        size = float(np.sqrt(max(0.0, (box[2] - box[0]) * (box[3] - box[1]))))
        rank = size if missed else score
        worst = self._worst[missed]
        if len(worst) == MISTAKES and rank <= worst[0].rank:
            return
        self._number += 1
        mistake = Mistake(rank, self._number, missed, score, size, _around(picture, box))
        if len(worst) < MISTAKES:
            heapq.heappush(worst, mistake)
        else:
            heapq.heapreplace(worst, mistake)


def _around(picture: Picture, box: Floats) -> bytes:
    """What is around a box, with the box drawn, as JPEG."""
    height, width = picture.shape[:2]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = int(np.clip(0.9 * max(box[2] - box[0], box[3] - box[1]), 32, max(height, width) / 2))
    left, top = (int(np.clip(at - half, 0, max(0, most - 2 * half))) for at, most in ((x, width), (y, height)))
    cut = np.ascontiguousarray(picture[top : top + 2 * half, left : left + 2 * half])
    scale = SIDE_PX / max(cut.shape[:2])
    cut = np.asarray(cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), np.uint8)
    corners = [round(float(value)) for value in (box - np.array([left, top, left, top])) * scale]
    cv2.rectangle(cut, (corners[0], corners[1]), (corners[2], corners[3]), BOX_COLOUR, 1)
    _, data = cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return bytes(data)
