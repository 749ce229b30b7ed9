"""What a detector finds in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Floats, Integers

PERSON, WEAPON = 0, 1
NAMES = ("person", "weapon")


@dataclass(frozen=True)
class Detections:
    """Boxes N x 4 (left, top, right, bottom in pixels of the picture), scores N in 0..1, kinds N (`NAMES`)."""

    boxes: Floats
    scores: Floats
    kinds: Integers

    def __len__(self) -> int:
        return len(self.scores)

    def of(self, kind: int, least: float = 0.0) -> Detections:
        """Those of one kind that score at least so much, the best first."""
        return self.where((self.kinds == kind) & (self.scores >= least))

    def where(self, chosen: np.ndarray) -> Detections:
        """Those that a mask or an index chooses."""
        return Detections(self.boxes[chosen], self.scores[chosen], self.kinds[chosen])

    def objects(self) -> list[dict[str, object]]:
        """As JSON: `class`, `score`, `box_xyxy`."""
        return [
            {
                "class": NAMES[int(kind)],
                "score": round(float(score), 5),
                "box_xyxy": [round(float(side), 2) for side in box],
            }
            for box, score, kind in zip(self.boxes, self.scores, self.kinds, strict=True)
        ]


def nothing() -> Detections:
    """No detection."""
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


def joined(parts: list[Detections]) -> Detections:
    """All of several."""
    if not parts:
        return nothing()
    return Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.kinds for part in parts]),
    )


def overlaps(a: Floats, b: Floats) -> Floats:
    """Intersection over union of each box of `a` (N x 4) with each of `b` (M x 4): N x M.

    >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 1], [5, 5, 6, 6]])).tolist()
    [[0.5, 0.0]]
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(high - low, 0, None)
    shared = sides[..., 0] * sides[..., 1]
    area_a = np.clip(a[:, 2] - a[:, 0], 0, None) * np.clip(a[:, 3] - a[:, 1], 0, None)
    area_b = np.clip(b[:, 2] - b[:, 0], 0, None) * np.clip(b[:, 3] - b[:, 1], 0, None)
    return np.asarray(shared / np.maximum(area_a[:, None] + area_b[None, :] - shared, 1e-9))


def suppressed(found: Detections, *, limit: float, most: int) -> Detections:
    """Non-maximum suppression for each kind: of boxes that overlap more than `limit`, the best stays."""
    order = np.argsort(-found.scores, kind="stable")[: most * 8]
    found = found.where(order)
    if not len(found):
        return found
    rectangles = np.column_stack((found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]))
    # No score is too low here: curves need them all.
    keep = cv2.dnn.NMSBoxesBatched(rectangles.tolist(), found.scores.tolist(), found.kinds.tolist(), -1.0, limit)
    return found.where(np.sort(np.asarray(keep, np.int64).reshape(-1))[:most])
