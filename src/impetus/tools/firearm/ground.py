"""From a point of a camera's picture to a place on the map: a homography from four points that a person clicked."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from impetus.model import InvalidInput
from impetus.tools.firearm.arrays import Floats

METRES_A_DEGREE = 111_320.0
FARTHEST_M = 500.0
"""A place farther from the four points than this is beyond what they tell."""


class Ground:
    """The ground plane of one camera (Hartley and Zisserman 2004, section 4.1).

    `picture`: four points as shares of width and height; `places`: their longitudes and latitudes. Raises
    `InvalidInput` where three of them lie on a line.
    """

    def __init__(self, picture: Sequence[tuple[float, float]], places: Sequence[tuple[float, float]]) -> None:
        from_ = np.array(picture, np.float64)
        self._origin = np.array(places, np.float64).mean(axis=0)
        self._scale = np.array((METRES_A_DEGREE * np.cos(np.radians(self._origin[1])), METRES_A_DEGREE))
        to = (np.array(places, np.float64) - self._origin) * self._scale
        if from_.shape != (4, 2) or to.shape != (4, 2) or not (np.isfinite(from_).all() and np.isfinite(to).all()):
            raise InvalidInput("a calibration has four points", hint="click four")
        for points in (from_, to):
            spread = float(np.ptp(points, axis=0).max())
            for left_out in range(4):
                a, b, c = (points[each] for each in range(4) if each != left_out)
                area = abs(float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])))
                if area < 1e-3 * max(spread, 1e-12) ** 2:
                    raise InvalidInput("three of the four points lie on a line", hint="click a wider quadrangle")
        self._matrix: Floats = np.asarray(
            cv2.getPerspectiveTransform(from_.astype(np.float32), to.astype(np.float32)), np.float64
        )

    def place(self, x: float, y: float) -> tuple[float, float] | None:
        """Longitude and latitude of a point (shares of width and height); None beyond the horizon or far off."""
        east, north, depth = self._matrix @ np.array((x, y, 1.0))
        centre = self._matrix @ np.array((0.5, 0.75, 1.0))
        if abs(depth) < 1e-9 or np.sign(depth) != np.sign(centre[2] or 1.0):
            return None
        metres = np.array((east, north)) / depth
        if not np.isfinite(metres).all() or float(np.abs(metres).max()) > FARTHEST_M:
            return None
        longitude, latitude = metres / self._scale + self._origin
        return round(float(longitude), 7), round(float(latitude), 7)
