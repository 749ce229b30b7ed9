"""The motion gate: which parts of a picture changed, told from a small grey copy, so that most frames cost
nothing more.

A running mean and a running mean deviation a pixel (an approximated median filter's kin, after Wren et al. 1997). What
all pixels share, as clouds and a camera's own exposure do, is taken off first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Booleans, Floats, Mask
from impetus.tools.firearm.inference import WINDOW, Window, tiles

SMALL_WIDTH = 192
"""The grey copy has this width; its height keeps the picture's shape."""
CELL = 4
"""Side of the cells in which change is counted, in pixels of the copy."""
LEARN = 0.03
NOISE_TIMES, NOISE_LEAST = 4.0, 9.0
"""A pixel changed if it differs by so many mean deviations, and by so many levels of 255."""
CHANGED_IN_CELL = 3
FRAMES_TO_LEARN = 3
MARGIN = 0.25
"""Regions are looked at with this share of their size around them."""
LEAST_WINDOW = 192
MOST_PIXELS = 1_300_000
"""Of all windows of a frame; what is left over is looked at in the next frames."""
PIXELS_A_S = 6_500_000
"""Of all windows of a second of video, however many frames it has: five frames a second may have all of theirs."""


def small_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the grey copy of a picture."""
    wide = min(SMALL_WIDTH, max(8, width))
    return max(8, round(height * wide / max(width, 1))), wide


@dataclass(frozen=True)
class Change:
    """What the gate saw: cells that changed, and boxes around them in pixels of the copy."""

    cells: Booleans
    boxes: tuple[tuple[int, int, int, int], ...]
    share: float
    """Share of the picture that changed."""

    @property
    def moved(self) -> bool:
        """Whether anything did."""
        return bool(self.boxes)


class MotionGate:
    """One camera's memory of how its picture looks when nothing happens."""

    def __init__(self) -> None:
        self._mean: Floats | None = None
        self._deviation: Floats | None = None
        self._frames = 0

    @property
    def background(self) -> Floats | None:
        """The remembered picture, grey; None before the first frame."""
        return self._mean

    def forget(self) -> None:
        """Begin anew, as after the camera moved."""
        self._mean = self._deviation = None
        self._frames = 0

    def update(self, small: Mask) -> Change:
        """Take the next grey copy (height x width of `small_size`)."""
        now = cv2.blur(small, (3, 3)).astype(np.float32)
        if self._mean is None or self._deviation is None or self._mean.shape != now.shape:
            self._mean, self._deviation = now.copy(), np.full_like(now, 4.0)
            self._frames = 1
            return Change(np.zeros((1, 1), np.bool_), (), 0.0)
        difference = now - self._mean
        difference -= float(np.median(difference[::2, ::2]))
        size = np.abs(difference)
        changed = size > np.maximum(self._deviation * NOISE_TIMES, NOISE_LEAST)
        # Where something moves, the mean follows slowly, so that who stands still for a while is not forgotten at once.
        early = self._frames < FRAMES_TO_LEARN * 4
        rate = np.where(changed, LEARN / 6, LEARN).astype(np.float32) if not early else np.float32(0.15)
        self._mean += (now - self._mean) * rate
        self._deviation += (np.minimum(size, 25.0) - self._deviation) * np.where(changed, 0.0, LEARN).astype(np.float32)
        self._frames += 1
        if self._frames <= FRAMES_TO_LEARN:
            return Change(np.zeros((1, 1), np.bool_), (), 0.0)
        height, width = changed.shape
        rows, columns = height // CELL, width // CELL
        counts = changed[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL).sum(axis=(1, 3))
        cells = counts >= CHANGED_IN_CELL
        if not cells.any():
            return Change(cells, (), 0.0)
        joined = cv2.dilate(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        boxes = tuple(
            (int(x) * CELL, int(y) * CELL, int(x + wide) * CELL, int(y + high) * CELL)
            for x, y, wide, high, _ in stats[1:count]
        )
        return Change(cells, boxes, float(cells.mean()))


class WindowPlan:
    """Chooses windows of a frame: around what moves and what is followed, and now and then everything.

    What it may look at grows with time (a token bucket), so that a camera of many frames a second costs no more than
    one of few.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._pixels = float(MOST_PIXELS)
        self._last_s = -np.inf

    def may_look(self, time_s: float) -> bool:
        """Take the time of the next frame; whether there is anything left to look with."""
        passed_s = time_s - self._last_s
        self._last_s = time_s
        # After a jump of the clock all is new.
        grown = PIXELS_A_S * passed_s if 0 <= passed_s < 1 else MOST_PIXELS
        self._pixels = min(self._pixels + grown, MOST_PIXELS)
        return self._pixels > 0

    def choose(
        self, height: int, width: int, regions: Sequence[tuple[float, float, float, float]], *, whole: bool
    ) -> list[Window]:
        """Windows to look at; `regions` in pixels of the picture; `whole`: everything is due."""
        if max(height, width) <= WINDOW:
            return [Window(0, 0, width, height)] if regions or whole else []
        windows: list[Window] = []
        for box in _merged([_grown(region, height, width) for region in regions]):
            wide, high = box[2] - box[0], box[3] - box[1]
            if max(wide, high) <= WINDOW:
                windows.append(Window(*box))
                continue
            windows.append(Window(*box, scale=WINDOW / max(wide, high)))
            windows.extend(
                Window(box[0] + tile.left, box[1] + tile.top, box[0] + tile.right, box[1] + tile.bottom)
                for tile in tiles(high, wide, WINDOW)
            )
        if whole:
            windows.append(Window(0, 0, width, height, WINDOW / max(height, width)))
            windows.extend(tiles(height, width, WINDOW))
        return self._within_budget(windows)

    def _within_budget(self, windows: list[Window]) -> list[Window]:
        if not windows:
            return []
        self._turn += 1
        start = self._turn % len(windows)
        chosen: list[Window] = []
        pixels = 0.0
        for window in windows[start:] + windows[:start]:
            cost = (window.right - window.left) * (window.bottom - window.top) * window.scale**2
            if chosen and pixels + cost > self._pixels:
                continue
            chosen.append(window)
            pixels += cost
        self._pixels -= pixels
        return chosen


def _grown(region: tuple[float, float, float, float], height: int, width: int) -> tuple[int, int, int, int]:
    """The region with a margin, at least as large as a window must be, within the picture."""
    sides = []
    for low, high, limit in ((region[0], region[2], width), (region[1], region[3], height)):
        size = min(max((high - low) * (1 + 2 * MARGIN), LEAST_WINDOW), limit)
        start = min(max((low + high - size) / 2, 0), limit - size)
        sides.append((int(start), int(np.ceil(start + size))))
    return sides[0][0], sides[1][0], min(sides[0][1], width), min(sides[1][1], height)


def _merged(boxes: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Boxes joined while the joint one is not much larger than both."""
    boxes = list(boxes)
    joined = True
    while joined:
        joined = False
        for first in range(len(boxes)):
            for second in range(first + 1, len(boxes)):
                a, b = boxes[first], boxes[second]
                both = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
                if _area(both) <= 1.1 * (_area(a) + _area(b)):
                    boxes[first] = both
                    del boxes[second]
                    joined = True
                    break
            if joined:
                break
    return boxes


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
