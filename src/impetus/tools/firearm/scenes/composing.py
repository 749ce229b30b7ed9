"""Sprites onto a background, with what is true of the result."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Floats, Mask, Picture
from impetus.tools.firearm.scenes.drawing import BODY, THING, Sprite

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

LEAST_VISIBLE = 0.5
"""A weapon of which less is seen has no box."""
LEAST_VISIBLE_PERSON = 0.25
LEAST_WEAPON_PX = 12.0
"""A weapon whose longer side is shorter has no box: nobody could tell it."""
LEAST_CONTRAST = 10.0
"""A weapon whose colour differs less, in levels of 255, from what is around it has no box: nobody could tell it."""
AROUND_PX = 3


@dataclass(frozen=True)
class Truth:
    """One thing in a picture."""

    kind: str
    """`person` or `weapon`."""
    box: Box


@dataclass
class Scene:
    """A picture in the making: put sprites on it from far to near, then ask what is seen."""

    picture: Picture
    owners: Mask = field(init=False)
    """Who is seen at each pixel: 0 background, then two numbers a sprite: body, thing."""
    _put: list[tuple[bool, Box, float, float, Box | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.owners = np.zeros(self.picture.shape[:2], np.uint8)

    def put(self, sprite: Sprite, x: float, y: float, *, weapon: bool, person: bool, shade: float = 1.0) -> None:
        """Put a sprite's origin at a point; `shade` makes it darker or brighter with the place."""
        height, width = self.picture.shape[:2]
        high, wide = sprite.alpha.shape
        left, top = round(x) + sprite.left, round(y) + sprite.top
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + wide, width), min(top + high, height)
        if x0 >= x1 or y0 >= y1 or len(self._put) >= 120:
            return
        cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        alpha = sprite.alpha[cut][:, :, None]
        under = self.picture[y0:y1, x0:x1]
        mixed = under * (1 - alpha) + sprite.colour[cut] * shade
        self.picture[y0:y1, x0:x1] = np.minimum(mixed, 255).astype(np.uint8)
        number = 2 * len(self._put) + 1
        shows = sprite.shows[cut]
        solid = alpha[:, :, 0] > 0.5
        owners = self.owners[y0:y1, x0:x1]
        thing = shows == THING
        owners[solid & ~thing & (shows >= BODY)] = number
        owners[solid & thing] = number + 1
        body_rows, body_columns = np.nonzero(sprite.alpha > 0.5)
        if not body_rows.size:
            self._put.append((False, (0, 0, 0, 0), 0.0, 0.0, None))
            return
        box = (
            float(left + body_columns.min()),
            float(top + body_rows.min()),
            float(left + body_columns.max() + 1),
            float(top + body_rows.max() + 1),
        )
        head = None
        if sprite.head is not None:
            head = (x + sprite.head[0], y + sprite.head[1], x + sprite.head[2], y + sprite.head[3])
        area = float(np.count_nonzero(sprite.alpha > 0.5)) if person else 0.0
        self._put.append((weapon, box, area, sprite.thing_area, head))

    def shadow(self, x: float, y: float, radius: float, strength: float) -> None:
        """A dark spot on the ground below somebody."""
        height, width = self.picture.shape[:2]
        wide, high = int(radius * 1.6), max(2, int(radius * 0.5))
        x0, y0, x1, y1 = int(x) - wide, int(y) - high, int(x) + wide, int(y) + high
        if x0 < 0 or y0 < 0 or x1 > width or y1 > height or wide < 2:
            return
        spot = np.zeros((2 * high, 2 * wide), np.float32)
        cv2.ellipse(spot, (wide, high), (wide * 3 // 4, max(1, high * 3 // 4)), 0, 0, 360, strength, -1)
        part = self.picture[y0:y1, x0:x1]
        self.picture[y0:y1, x0:x1] = (part * (1 - cv2.blur(spot, (5, 3)))[:, :, None]).astype(np.uint8)

    def truths(self, final: Picture | None = None) -> tuple[Truth, ...]:
        """What is seen: persons with their whole extent within the picture, weapons with the part that shows.

        `final`: the picture as a camera gave it, of the same size; weapons that are lost in it are left out.
        """
        height, width = self.picture.shape[:2]
        found: list[Truth] = []
        counts = np.bincount(self.owners.ravel(), minlength=2 * len(self._put) + 3)
        for index, (weapon, box, area, thing_area, _) in enumerate(self._put):
            number = 2 * index + 1
            seen = counts[number] + counts[number + 1]
            clipped = _clip(box, width, height)
            if area > 0 and seen >= LEAST_VISIBLE_PERSON * area and clipped[3] - clipped[1] >= 12:
                found.append(Truth("person", clipped))
            if weapon and thing_area > 0 and counts[number + 1] >= LEAST_VISIBLE * thing_area:
                inner = _clip(box, width, height)
                rows, columns = np.nonzero(
                    self.owners[int(inner[1]) : int(inner[3]) + 1, int(inner[0]) : int(inner[2]) + 1] == number + 1
                )
                if rows.size:
                    tight = (
                        float(int(inner[0]) + columns.min()),
                        float(int(inner[1]) + rows.min()),
                        float(int(inner[0]) + columns.max() + 1),
                        float(int(inner[1]) + rows.max() + 1),
                    )
                    long_enough = max(tight[2] - tight[0], tight[3] - tight[1]) >= LEAST_WEAPON_PX
                    if long_enough and (final is None or self._contrast(final, tight, number + 1) >= LEAST_CONTRAST):
                        found.append(Truth("weapon", tight))
        return tuple(found)

    def _contrast(self, final: Picture, box: Box, owner: int) -> float:
        """How far a thing's colour is, in levels, from that of the pixels around it."""
        height, width = final.shape[:2]
        x0, y0 = max(int(box[0]) - AROUND_PX, 0), max(int(box[1]) - AROUND_PX, 0)
        x1, y1 = min(int(box[2]) + AROUND_PX, width), min(int(box[3]) + AROUND_PX, height)
        thing = (self.owners[y0:y1, x0:x1] == owner).astype(np.uint8)
        kernel = np.ones((2 * AROUND_PX + 1, 2 * AROUND_PX + 1), np.uint8)
        around = (cv2.dilate(thing, kernel) > 0) & (thing == 0)
        if not around.any():
            return 0.0
        part = final[y0:y1, x0:x1].astype(np.float32)
        apart = part[thing > 0].mean(axis=0) - part[around].mean(axis=0)
        return float(np.sqrt((apart**2).mean()))

    def heads(self) -> tuple[Box, ...]:
        """Where the heads of persons are of whom something is seen."""
        height, width = self.picture.shape[:2]
        counts = np.bincount(self.owners.ravel(), minlength=2 * len(self._put) + 3)
        return tuple(
            _clip(head, width, height)
            for index, (_, _, area, _, head) in enumerate(self._put)
            if head is not None
            and head[0] < width
            and head[1] < height
            and head[2] > 0
            and head[3] > 0
            and counts[2 * index + 1] >= LEAST_VISIBLE_PERSON * area
        )


def _clip(box: Box, width: int, height: int) -> Box:
    return (max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(width)), min(box[3], float(height)))


def whole_area(box: Box) -> float:
    """Area in pixels."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def as_arrays(truths: tuple[Truth, ...]) -> tuple[Floats, Floats]:
    """Boxes (N x 4) and classes (N: 0 person, 1 weapon)."""
    boxes = np.array([truth.box for truth in truths], np.float32).reshape(-1, 4)
    return boxes, np.array([0.0 if truth.kind == "person" else 1.0 for truth in truths], np.float32)
