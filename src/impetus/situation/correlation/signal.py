"""What correlation knows of an alert: numbers in a form that thousands can be compared in a second."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from impetus.model import Alert, Place, Point

EARTH_M = 6_378_137.0
HIGHEST_LATITUDE = 85.0
WIDEST_M = 5_000.0
"""A place whose middle is farther than this from its edge says little of where; it counts as no place."""


@dataclass(slots=True)
class Where:
    """A place as a circle. `x` and `y` are Mercator coordinates, which keep directions; times `scale` they are metres
    on the ground."""

    x: float
    y: float
    scale: float
    radius_m: float

    def distance_m(self, other: Where) -> float:
        """Metres between the edges of the circles; 0 where they touch."""
        scale = 0.5 * (self.scale + other.scale)
        apart = math.hypot(self.x - other.x, self.y - other.y) * scale
        return max(apart - self.radius_m - other.radius_m, 0.0)


@dataclass(slots=True, eq=False)
class Signal:
    """One alert, or a new revision of it. Times are seconds since 1970-01-01 UTC."""

    id: str
    tool: str
    detector: str
    source: str
    category: str
    severity: str
    status: str
    begin_s: float
    end_s: float
    where: Where | None
    entities: frozenset[str]
    """The source and all that the alert names."""
    probability: float
    """Calibrated."""
    headline: str = ""
    place_name: str = ""
    verdict: bool | None = None
    """What people found; None: nothing yet."""
    too_wide: bool = False
    """It has a place, but one that is too large to say where."""
    received_s: float = field(default=0.0)

    @property
    def kind(self) -> tuple[str, str, str]:
        """What rules select by: tool, detector, category."""
        return (self.tool, self.detector, self.category)


def where_of(place: Place | None) -> Where | None:
    """The circle around a place; None without a place or for one that is wider than `WIDEST_M`."""
    if place is None:
        return None
    longitude, latitude = place.centre
    scale = math.cos(math.radians(min(abs(latitude), HIGHEST_LATITUDE)))
    x, y = _mercator(longitude, latitude)
    radius = 0.0
    if not isinstance(place.geometry, Point):
        coordinates = place.geometry.coordinates
        positions = coordinates if place.geometry.type == "LineString" else coordinates[0]
        for position in positions:
            ahead, up = _mercator(*position)  # type: ignore[misc]  # the discriminated union is not narrowed
            radius = max(radius, math.hypot(ahead - x, up - y) * scale)
        if radius > WIDEST_M:
            return None
    return Where(x, y, scale, radius)


def signal_of(alert: Alert, *, probability: float, received: datetime, verdict: bool | None = None) -> Signal:
    """The signal of an alert. What is forecast counts from when it was told."""
    where = where_of(alert.place)
    received_s = received.timestamp()
    begin = min(alert.onset.timestamp(), received_s)
    end = max(begin, min((alert.ended or alert.sent).timestamp(), received_s))
    return Signal(
        id=alert.id,
        tool=alert.tool,
        detector=alert.detector,
        source=alert.source,
        category=alert.category.value,
        severity=alert.severity.value,
        status=alert.status.value,
        begin_s=begin,
        end_s=end,
        where=where,
        entities=frozenset((alert.source, *alert.entities)),
        probability=probability,
        headline=alert.headline,
        place_name=(alert.place.name or "") if alert.place is not None else "",
        verdict=verdict,
        too_wide=where is None and alert.place is not None,
        received_s=received_s,
    )


def _mercator(longitude: float, latitude: float) -> tuple[float, float]:
    bounded = math.radians(min(max(latitude, -HIGHEST_LATITUDE), HIGHEST_LATITUDE))
    return EARTH_M * math.radians(longitude), EARTH_M * math.asinh(math.tan(bounded))
