"""What anybody may see of a camera: the empty place, and flat shapes where somebody is.

The view is not a picture with faces hidden, since a detector misses some. It is put together from two things only:
a background that takes in a pixel once nothing moved there and nobody was found there for a while, and shapes of one
colour over all that moves or was found. Until the background is known a place is shown as a mosaic so coarse that
nobody can be recognised in it (24 blocks along the longer side, as the platform's own).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Booleans, Floats, Picture

VIEW_WIDTH = 480
BLOCKS = 24
SETTLED_S = 20.0
LONGEST_STEP_S = 5.0
"""A longer pause between two pictures counts as this much: what happened in between was not seen."""
SHADE = (84, 74, 66)
FRAME = (60, 60, 230)
HEAD_SHARE = 0.32
"""So much of a person's box, from above, is taken for the head and what surrounds it."""


def mosaic(picture: Picture, blocks: int = BLOCKS) -> Picture:
    """The picture in so few blocks along its longer side."""
    height, width = picture.shape[:2]
    share = blocks / max(height, width)
    coarse = cv2.resize(
        picture, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


class PublicView:
    """One camera's background and the masked pictures made with it."""

    def __init__(self) -> None:
        self._background: Picture | None = None
        self._settled: Floats | None = None
        self._last_s = 0.0
        self._busy: Booleans | None = None

    def forget(self) -> None:
        """Begin anew, as after the camera moved."""
        self._background = self._settled = self._busy = None

    def update(self, picture: Picture, cells: Booleans, persons: Sequence[Floats], time_s: float) -> None:
        """Learn from a picture: `cells` where something moved (a grid over the picture), `persons` boxes in pixels."""
        view = shrunk(picture)
        busy = self._busy_of(view, cells, persons, picture.shape[1])
        if self._background is None or self._settled is None or self._background.shape != view.shape:
            self._background = mosaic(view)
            self._settled = np.zeros(view.shape[:2], np.float32)
            self._last_s = time_s
        step_s = min(max(time_s - self._last_s, 0.0), LONGEST_STEP_S)
        self._last_s = time_s
        self._settled = np.where(busy, 0.0, self._settled + step_s).astype(np.float32)
        calm = self._settled >= SETTLED_S
        if calm.any():
            # At first as it is, then slowly, so that the light of the day comes in and a flash does not.
            new = calm & (self._settled < SETTLED_S + step_s + 1e-3)
            slowly = cv2.addWeighted(self._background, 0.9, view, 0.1, 0.0)
            np.copyto(self._background, slowly, where=(calm & ~new)[:, :, None], casting="unsafe")
            np.copyto(self._background, view, where=new[:, :, None])
        self._busy = busy

    def _busy_of(self, view: Picture, cells: Booleans, persons: Sequence[Floats], width: int) -> Booleans:
        height, wide = view.shape[:2]
        grid = cv2.dilate(cells.astype(np.uint8), np.ones((3, 3), np.uint8))
        busy = cv2.resize(grid, (wide, height), interpolation=cv2.INTER_NEAREST) > 0
        scale = wide / max(width, 1)
        for box in persons:
            x0, y0, x1, y1 = box * scale
            across, down = (x1 - x0) * 0.15 + 2, (y1 - y0) * 0.1 + 2
            rows = slice(max(0, int(y0 - down)), max(0, int(y1 + down) + 1))
            busy[rows, max(0, int(x0 - across)) : max(0, int(x1 + across) + 1)] = True
        return np.asarray(busy)

    def shown(self, weapons: Sequence[Floats] = (), width: int = 1) -> Picture | None:
        """The masked picture now, with a frame around each weapon (boxes in pixels of a picture so wide)."""
        if self._background is None or self._busy is None:
            return None
        out = self._background.copy()
        out[self._busy] = SHADE
        scale = out.shape[1] / max(width, 1)
        for box in weapons:
            x0, y0, x1, y1 = (round(float(side) * scale) for side in box)
            cv2.rectangle(out, (x0 - 2, y0 - 2), (x1 + 2, y1 + 2), FRAME, 2)
        return out


def shrunk(picture: Picture) -> Picture:
    """The picture at the size of views."""
    height, width = picture.shape[:2]
    if width <= VIEW_WIDTH:
        return picture
    size = (VIEW_WIDTH, max(1, round(height * VIEW_WIDTH / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def close_up(picture: Picture, weapon: Floats, persons: Sequence[Floats], *, side: int = 240) -> Picture:
    """The thing itself, enlarged, with the heads of all around it covered; a mosaic where nobody is known to hold it.

    A head is not looked for: the upper part of each person's box is covered, and where no person was found at the
    weapon, any part might be one.
    """
    height, width = picture.shape[:2]
    size = weapon[2:] - weapon[:2]
    margin = float(size.max()) * 0.15 + 2
    x0, y0 = max(0, int(weapon[0] - margin)), max(0, int(weapon[1] - margin))
    x1, y1 = min(width, int(weapon[2] + margin) + 1), min(height, int(weapon[3] + margin) + 1)
    if x1 <= x0 or y1 <= y0:
        return np.full((8, 8, 3), SHADE, np.uint8)
    part = picture[y0:y1, x0:x1].copy()
    middle = (weapon[:2] + weapon[2:]) / 2
    known = False
    for box in persons:
        across, down = (box[2] - box[0]) * 0.25, (box[3] - box[1]) * 0.08
        known |= bool(box[0] - across <= middle[0] <= box[2] + across and box[1] - down <= middle[1] <= box[3] + down)
        top, bottom = int(box[1] - down) - y0, int(box[1] + (box[3] - box[1]) * HEAD_SHARE) + 1 - y0
        left, right = int(box[0] - across) - x0, int(box[2] + across) + 1 - x0
        part[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = SHADE
    if not known:
        part = mosaic(part, 6)
    scale = side / max(part.shape[:2])
    shape = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    return np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_NEAREST), np.uint8)


def jpeg(picture: Picture, quality: int = 75) -> bytes:
    """The picture as JPEG."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)
