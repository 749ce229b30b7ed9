"""Samples to learn from: rendered scenes or a folder of annotated pictures, cut, scaled, mirrored and tinted anew."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from impetus.model import InvalidInput
from impetus.tools.firearm.arrays import Floats, Picture
from impetus.tools.firearm.scenes.composing import as_arrays
from impetus.tools.firearm.scenes.picture import Renderer

KINDS = ("person", "weapon")
MOST_ANNOTATIONS_BYTES = 200_000_000
CROWD = 2.5
AIMED_SHARE = 0.7
"""So many of the cuts of a picture with weapons show one of them."""
KEPT_SHARE = (0.25, 0.45)
"""Of a person, of a weapon: so much of a box must be left by a cut for the box to stay."""


@dataclass(frozen=True)
class Sample:
    """A picture with boxes (N x 4, pixels) and kinds (N: 0 person, 1 weapon)."""

    picture: Picture
    boxes: Floats
    kinds: Floats


@dataclass(frozen=True)
class Annotated:
    """A picture file and its boxes."""

    file: Path
    boxes: Floats
    kinds: Floats


def read_annotations(folder: Path, part: str | None) -> Sequence[Annotated]:
    """Pictures of a folder with `annotations.jsonl`: a line each with `image`, `split` and `objects`.

    An object is `{"class": "person" or "weapon", "box_xyxy": [left, top, right, bottom]}`. `part`: only that split.
    Raises `InvalidInput` where the file or a line is wrong.
    """
    path = folder / "annotations.jsonl"
    try:
        if path.stat().st_size > MOST_ANNOTATIONS_BYTES:
            raise InvalidInput(f"{path} is larger than {MOST_ANNOTATIONS_BYTES // 1_000_000} MB", hint="split it")
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", hint="name a folder that holds it") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8", hint="write it as JSON Lines") from error
    found: list[Annotated] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            objects = [each for each in entry["objects"] if each["class"] in KINDS]
            boxes = np.array([each["box_xyxy"] for each in objects], np.float32).reshape(-1, 4)
            kinds = np.array([KINDS.index(each["class"]) for each in objects], np.float32)
            name = str(entry["image"])
            split = entry.get("split")
        except (ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"{path}, line {number}: {error}", hint="see docs/guide/firearm.md") from error
        if not np.isfinite(boxes).all() or Path(name).is_absolute() or ".." in Path(name).parts:
            raise InvalidInput(f"{path}, line {number}: a box or a file name is wrong", hint="mend the line")
        if part is None or split == part:
            file = folder / name
            with contextlib.suppress(OSError, ValueError):  # a name that no file can have
                file = file if file.exists() else folder / "images" / name
            found.append(Annotated(file, boxes, kinds))
    if not found:
        raise InvalidInput(f"{path} names no picture{f' of {part}' if part else ''}", hint="give another part")
    return found


def load(annotated: Annotated) -> Sample:
    """The picture of an annotation; raises `InvalidInput` if it cannot be read."""
    picture = cv2.imread(str(annotated.file), cv2.IMREAD_COLOR)
    if picture is None:
        raise InvalidInput(f"{annotated.file} is no picture that can be read", hint="remove its line")
    return Sample(np.asarray(picture, np.uint8), annotated.boxes, annotated.kinds)


class Pool:
    """Samples that are used several times each before new ones take their place: rendering costs more than cutting."""

    def __init__(self, make: Callable[[], Sample], *, size: int, uses: float, seed: int) -> None:
        self._make = make
        self._chance = np.random.default_rng(seed)
        self._size = size
        self._uses = uses
        self._due = 0.0
        self._kept: list[Sample] = []

    def take(self, side: int) -> Sample:
        """A cut of `side` x `side` pixels."""
        self._due += 1 / self._uses
        fresh = len(self._kept) < min(64, self._size)
        if fresh or self._due >= 1:
            self._due = max(0.0, self._due - 1)
            sample = self._make()
            if len(self._kept) < self._size:
                self._kept.append(sample)
            else:
                self._kept[int(self._chance.integers(self._size))] = sample
        return cut(self._kept[int(self._chance.integers(len(self._kept)))], side, self._chance)


def rendered_samples(seed: int, side: int) -> Callable[[], Sample]:
    """A maker of rendered samples."""
    renderer = Renderer(seed, crowd=CROWD)

    def make() -> Sample:
        rendered = renderer.picture(side, side)
        return Sample(rendered.picture, *as_arrays(rendered.truths))

    return make


def annotated_samples(pictures: Sequence[Annotated], seed: int) -> Callable[[], Sample]:
    """A maker of samples from files, those with weapons as often as those without."""
    chance = np.random.default_rng(seed)
    armed = [each for each in pictures if (each.kinds == 1).any()]
    others = [each for each in pictures if not (each.kinds == 1).any()]

    def make() -> Sample:
        from_ = others if others and (not armed or chance.random() < 0.3) else armed
        return load(from_[int(chance.integers(len(from_)))])

    return make


def cut(sample: Sample, side: int, chance: np.random.Generator) -> Sample:
    """A part of a sample at `side` x `side`, scaled by chance, perhaps mirrored, in other colours."""
    height, width = sample.picture.shape[:2]
    armed = np.flatnonzero(sample.kinds == 1)
    aimed = sample.boxes[armed[int(chance.integers(len(armed)))]] if len(armed) else None
    if chance.random() >= AIMED_SHARE:
        aimed = None
    # Mostly about as it is, at most half or twice as large; a large picture is shrunk to twice the cut, and so that the
    # gun that is aimed at fits in.
    scale = min(1.0, 2 * side / min(height, width))
    if aimed is not None:
        scale = min(scale, 0.8 * side / float(max(aimed[2] - aimed[0], aimed[3] - aimed[1])))
    scale *= float(np.exp(np.clip(chance.normal(0, 0.3), -0.7, 0.7)))
    stretch = float(np.exp(chance.normal(0, 0.06)))
    across, down = scale * stretch, scale / stretch
    mirror = chance.random() < 0.5
    most_left, most_top = width * across - side, height * down - side
    if aimed is not None:
        left = float((aimed[0] + aimed[2]) / 2 * across - chance.uniform(0.2, 0.8) * side)
        top = float((aimed[1] + aimed[3]) / 2 * down - chance.uniform(0.2, 0.8) * side)
        left = float(np.clip(left, min(0.0, most_left), max(0.0, most_left)))
        top = float(np.clip(top, min(0.0, most_top), max(0.0, most_top)))
    else:
        left = chance.uniform(min(0.0, most_left), max(0.0, most_left))
        top = chance.uniform(min(0.0, most_top), max(0.0, most_top))
    sign = -1.0 if mirror else 1.0
    matrix = np.array(((across * sign, 0, (side + left) if mirror else -left), (0, down, -top)))
    grey = int(chance.integers(60, 160))
    picture = cv2.warpAffine(
        sample.picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=(grey, grey, grey)
    )
    gain, lift = float(np.exp(chance.normal(0, 0.18))), float(chance.normal(0, 10))
    balance = gain * np.exp(chance.normal(0, 0.05, 3))
    levels = np.arange(256)[:, None] * balance + lift
    picture = cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8).reshape(1, 256, 3))
    boxes = sample.boxes.copy()
    if len(boxes):
        x = boxes[:, [0, 2]] * matrix[0, 0] + matrix[0, 2]
        y = boxes[:, [1, 3]] * down - top
        whole = np.ptp(x, axis=1) * np.ptp(y, axis=1)
        boxes = np.stack((x.min(1), y.min(1), x.max(1), y.max(1)), 1)
        boxes = np.clip(boxes, 0, side)
        left_over = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        longest = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        share = np.where(sample.kinds == 0, KEPT_SHARE[0], KEPT_SHARE[1])
        keep = (left_over >= share * whole) & (longest >= 6)
        boxes = boxes[keep]
        return Sample(np.asarray(picture, np.uint8), boxes.astype(np.float32), sample.kinds[keep])
    return Sample(np.asarray(picture, np.uint8), boxes, sample.kinds)
