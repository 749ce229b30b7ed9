"""A city as a plane: metres east and north of a point, good to a metre within some ten kilometres."""

from __future__ import annotations

import math
from dataclasses import dataclass

METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Plane:
    """The plane that touches the earth at a point."""

    longitude: float
    latitude: float

    def to_metres(self, longitude: float, latitude: float) -> tuple[float, float]:
        """East and north of the point."""
        shrink = math.cos(math.radians(self.latitude))
        return (
            (longitude - self.longitude) * METRES_PER_DEGREE * shrink,
            (latitude - self.latitude) * METRES_PER_DEGREE,
        )

    def to_degrees(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Longitude and latitude, to about 0.1 m.

        >>> Plane(12.9, 44.9).to_degrees(0.0, 111_320.0)
        (12.9, 45.9)
        """
        shrink = max(math.cos(math.radians(self.latitude)), 1e-6)
        longitude = self.longitude + east_m / (METRES_PER_DEGREE * shrink)
        return round(longitude, 6), round(self.latitude + north_m / METRES_PER_DEGREE, 6)
