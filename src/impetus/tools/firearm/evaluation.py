"""How good a detector is: average precision, recall by size, picture-level AUC, each with an interval by bootstrap.

Average precision is the area under the precision-recall curve made monotone (PASCAL VOC 2010 and later, all points), a
detection counting where it overlaps a box not yet found by half (AP50). The bootstrap (Efron 1979) draws pictures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from impetus.tools.firearm.arrays import Booleans, Floats, Integers, Picture
from impetus.tools.firearm.detections import NAMES, PERSON, WEAPON, Detections, overlaps
from impetus.tools.firearm.inference import Looks

HALF = 0.5
SIZES_PX = (0.0, 16.0, 32.0, 64.0, 128.0, float("inf"))
"""Bounds of the sizes, square roots of the box's area, by which recall is told."""
DRAWS = 300
FALSE_ALARMS = 0.05


@dataclass(frozen=True)
class Judged:
    """One picture: what was found, which of it is right, and what there is."""

    scores: Floats
    kinds: Integers
    right: Booleans
    truth_kinds: Integers
    truth_sizes: Floats
    truth_scores: Floats
    """Of each true box the score of the detection that found it; 0 where none did."""
    ms: float = 0.0

    @property
    def armed(self) -> bool:
        """Whether there is a weapon."""
        return bool((self.truth_kinds == WEAPON).any())

    @property
    def weapon_score(self) -> float:
        """The picture's score: its best weapon."""
        mine = self.scores[self.kinds == WEAPON]
        return float(mine.max()) if mine.size else 0.0


def judge(found: Detections, boxes: Floats, kinds: Floats, *, ms: float = 0.0) -> Judged:
    """Match detections to boxes of their kind, the best score first, each box once."""
    order = np.argsort(-found.scores, kind="stable")
    found = found.where(order)
    whole_kinds = kinds.astype(np.int64)
    right = np.zeros(len(found), np.bool_)
    truth_scores = np.zeros(len(boxes))
    if len(found) and len(boxes):
        over = overlaps(found.boxes, boxes)
        over[found.kinds[:, None] != whole_kinds[None, :]] = 0
        free = np.ones(len(boxes), np.bool_)
        for row in range(len(found)):
            best = int(np.argmax(over[row] * free))
            if free[best] and over[row, best] >= HALF:
                right[row], free[best], truth_scores[best] = True, False, found.scores[row]
    sizes = np.sqrt(np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None))
    return Judged(found.scores, found.kinds, right, whole_kinds, sizes, truth_scores, ms)


def look_at(
    detector: Looks,
    pictures: Iterable[tuple[Picture, Floats, Floats]],
    seen: Callable[[Picture, Detections, Floats, Floats], None] = lambda *_: None,
) -> list[Judged]:
    """Judge a detector on pictures with boxes (N x 4) and kinds (N); `seen` gets each with what was found."""
    judged = []
    for picture, boxes, kinds in pictures:
        begun = time.perf_counter()
        found = detector.look(picture)
        judged.append(judge(found, boxes, kinds, ms=1_000 * (time.perf_counter() - begun)))
        seen(picture, found, boxes, kinds)
    return judged


def precision_recall(judged: Sequence[Judged], kind: int) -> tuple[Floats, Floats]:
    """Recall and precision of a kind after each detection, the surest first; precision made monotone.

    Two empty arrays where there is none of the kind.
    """
    total = sum(int((each.truth_kinds == kind).sum()) for each in judged)
    if not total:
        return np.zeros(0), np.zeros(0)
    scores = np.concatenate([each.scores[each.kinds == kind] for each in judged])
    right = np.concatenate([each.right[each.kinds == kind] for each in judged])
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(right[order])
    precision = found / np.arange(1, len(order) + 1)
    return found / total, np.maximum.accumulate(precision[::-1])[::-1]


def average_precision(judged: Sequence[Judged], kind: int) -> float:
    """AP50 of a kind; not a number where there is none of it."""
    if not any((each.truth_kinds == kind).any() for each in judged):
        return float("nan")
    recall, precision = precision_recall(judged, kind)
    steps = np.diff(np.concatenate(([0.0], recall)))
    return float((precision * steps).sum())


def area_under_curve(scores: Floats, positive: Booleans) -> float:
    """Probability that a positive scores higher than a negative, ties as one half (Mann and Whitney 1947).

    >>> area_under_curve(np.array([0.9, 0.4, 0.5, 0.1]), np.array([True, True, False, False]))
    0.75
    """
    if not positive.any() or positive.all():
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))


def recall_at_false_alarms(scores: Floats, positive: Booleans, share: float = FALSE_ALARMS) -> float:
    """Share of positives that score above a threshold which at most `share` of the negatives pass."""
    if not positive.any() or positive.all():
        return float("nan")
    negatives = np.sort(scores[~positive])[::-1]
    allowed = int(np.floor(share * len(negatives)))
    threshold = negatives[allowed] if allowed < len(negatives) else -np.inf
    return float((scores[positive] > threshold).mean())


@dataclass(frozen=True)
class Measure:
    """A figure with its interval of 95 %."""

    value: float
    low: float
    high: float

    def json(self) -> dict[str, float | None]:
        """As JSON; null where there is nothing to measure."""
        return {
            name: None if not np.isfinite(each) else round(each, 4)
            for name, each in (("value", self.value), ("low", self.low), ("high", self.high))
        }


@dataclass(frozen=True)
class Report:
    """All figures of one detector on one set."""

    pictures: int
    weapon_ap50: Measure
    person_ap50: Measure
    auc: Measure
    recall_at_5_percent: Measure
    recall_by_size: tuple[tuple[str, int, float], ...]
    """Size of weapons in pixels, how many, share found at the threshold."""
    false_a_picture: float
    """Weapons found at the threshold where there are none, a picture."""
    ms_a_picture: float

    def json(self) -> dict[str, object]:
        """As JSON."""
        return {
            "pictures": self.pictures,
            "weapon_ap50": self.weapon_ap50.json(),
            "person_ap50": self.person_ap50.json(),
            "picture_auc": self.auc.json(),
            "recall_at_5_percent_false_alarms": self.recall_at_5_percent.json(),
            "weapon_recall_by_size": [
                {"size_px": name, "weapons": count, "recall": None if not np.isfinite(share) else round(share, 4)}
                for name, count, share in self.recall_by_size
            ],
            "false_weapons_a_picture": round(self.false_a_picture, 4),
            "ms_a_picture": round(self.ms_a_picture, 2),
        }


def report(judged: Sequence[Judged], *, threshold: float, draws: int = DRAWS, seed: int = 1) -> Report:
    """All figures, with intervals from so many draws of pictures."""
    chance = np.random.default_rng(seed)
    picks = [chance.integers(len(judged), size=len(judged)) for _ in range(draws)]

    def measured(of: Callable[[Sequence[Judged]], float]) -> Measure:
        values = np.array([of([judged[place] for place in pick]) for pick in picks])
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, (2.5, 97.5)) if values.size else (np.nan, np.nan)
        return Measure(float(of(judged)), float(low), float(high))

    def scores(some: Sequence[Judged]) -> tuple[Floats, Booleans]:
        return np.array([each.weapon_score for each in some]), np.array([each.armed for each in some])

    by_size = []
    kinds = np.concatenate([each.truth_kinds for each in judged])
    sizes = np.concatenate([each.truth_sizes for each in judged])
    got = np.concatenate([each.truth_scores for each in judged])
    for low, high in pairwise(SIZES_PX):
        chosen = (kinds == WEAPON) & (sizes >= low) & (sizes < high)
        name = f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g}+"
        share = float((got[chosen] >= threshold).mean()) if chosen.any() else float("nan")
        by_size.append((name, int(chosen.sum()), share))
    false = sum(
        int(((each.kinds == WEAPON) & ~each.right & (each.scores >= threshold)).sum()) for each in judged
    ) / len(judged)
    return Report(
        len(judged),
        measured(lambda some: average_precision(some, WEAPON)),
        measured(lambda some: average_precision(some, PERSON)),
        measured(lambda some: area_under_curve(*scores(some))),
        measured(lambda some: recall_at_false_alarms(*scores(some))),
        tuple(by_size),
        false,
        float(np.median([each.ms for each in judged])),
    )


__all__ = [
    "NAMES",
    "Judged",
    "Measure",
    "Report",
    "area_under_curve",
    "average_precision",
    "judge",
    "look_at",
    "precision_recall",
    "recall_at_false_alarms",
    "report",
]
