"""Areas of a camera's picture: where guns count, and where nothing is ever looked at."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from impetus.model import Value
from impetus.tools.firearm.arrays import Picture

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Area = Annotated[tuple[tuple[Share, Share], ...], Field(min_length=3, max_length=50)]
"""A polygon in shares of width and height."""


class Zones(Value):
    """One camera's areas."""

    watched: Annotated[tuple[Area, ...], Field(max_length=20)] = ()
    """A gun counts where its middle lies in one of them; none: everywhere."""
    hidden: Annotated[tuple[Area, ...], Field(max_length=20)] = ()
    """Blackened before anything looks at the picture: windows of homes, for example."""

    def counts(self, x: float, y: float) -> bool:
        """Whether a point (shares) is watched.

        >>> Zones(watched=(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)).counts(0.7, 0.5)
        False
        """
        if not self.watched:
            return True
        return any(
            cv2.pointPolygonTest(np.array(area, np.float32).reshape(-1, 1, 2), (float(x), float(y)), False) >= 0
            for area in self.watched
        )

    def hide(self, picture: Picture) -> Picture:
        """The picture with the hidden areas black; the same one where there are none."""
        if not self.hidden:
            return picture
        out = picture.copy()
        height, width = out.shape[:2]
        for area in self.hidden:
            points = np.round(np.array(area) * (width, height)).astype(np.int32)
            cv2.fillPoly(out, [points], (0,) * out.ndim if out.ndim > 2 else 0)
        return out
