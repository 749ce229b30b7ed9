"""The report of an incident: what the interface exports of it, arranged for reading, and a sketch of where it was."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

SKETCH_WIDTH: Final = 1000.0
SKETCH_HEIGHT: Final = 460.0
LEAST_REACH_DEGREES: Final = 0.004
"""Half the height of the smallest sketch: about 450 m."""
SHAPES_LIMIT: Final = 1_500

SEVERITY_COLOURS: Final[Mapping[str, str]] = {
    "Extreme": "#c8102e",
    "Severe": "#d9660a",
    "Moderate": "#a88a00",
    "Minor": "#1c69c4",
    "Unknown": "#5d6b7c",
}
_FILLS: Final[Mapping[str, str]] = {
    "water": "#d3e4f2",
    "park": "#dcebd9",
    "square": "#efe9dc",
    "block": "#f0f0ee",
    "building": "#dcdcd8",
}
_LINES: Final[Mapping[str, tuple[str, float]]] = {
    "road-major": ("#b9bec6", 2.6),
    "road": ("#b9bec6", 2.6),
    "road-minor": ("#d5d8dd", 1.3),
    "rail": ("#9aa1ab", 1.2),
}


@dataclass(frozen=True, slots=True)
class SketchShape:
    """One shape of the base: points from the upper left corner, a fill for areas or a colour and width for lines."""

    points: Sequence[tuple[float, float]]
    fill: str | None = None
    stroke: str | None = None
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class SketchMark:
    """One numbered alert."""

    x: float
    y: float
    number: int
    colour: str


@dataclass(frozen=True, slots=True)
class Sketch:
    """A map of `SKETCH_WIDTH` by `SKETCH_HEIGHT`."""

    shapes: Sequence[SketchShape]
    marks: Sequence[SketchMark]
    scale_m: int
    """Length of the scale bar in metres."""
    scale_width: float
    """The same on the map."""


def sketch(alerts: Sequence[Mapping[str, Any]], base: Mapping[str, Any]) -> Sketch | None:
    """Where the alerts were, over the city's shapes; None if none of them has a place.

    `alerts` are those of the export, `base` is the GeoJSON FeatureCollection of the map.
    """
    places = [(number, alert, point) for number, alert in enumerate(alerts, 1) if (point := _point(alert)) is not None]
    if not places:
        return None
    west, east = min(p[0] for _, _, p in places), max(p[0] for _, _, p in places)
    south, north = min(p[1] for _, _, p in places), max(p[1] for _, _, p in places)
    middle = ((west + east) / 2, (south + north) / 2)
    shrink = max(0.05, math.cos(math.radians(middle[1])))
    proportion = SKETCH_WIDTH / SKETCH_HEIGHT
    reach = max(LEAST_REACH_DEGREES, 0.65 * (north - south), 0.65 * (east - west) * shrink / proportion)
    reach_x = reach * proportion / shrink
    left, top = middle[0] - reach_x, middle[1] + reach

    def place(point: Sequence[float]) -> tuple[float, float]:
        return (
            round((point[0] - left) / (2 * reach_x) * SKETCH_WIDTH, 1),
            round((top - point[1]) / (2 * reach) * SKETCH_HEIGHT, 1),
        )

    window = box(middle[0] - reach_x, middle[1] - reach, middle[0] + reach_x, middle[1] + reach)
    shapes = [
        SketchShape([place(point) for point in points], fill, stroke, width)
        for points, fill, stroke, width in _base(base, window)
    ]
    marks = [
        SketchMark(*place(point), number, SEVERITY_COLOURS.get(alert["severity"], SEVERITY_COLOURS["Unknown"]))
        for number, alert, point in places
    ]
    metres_a_unit = 2 * reach * 111_320 / SKETCH_HEIGHT
    scale = _round_length(metres_a_unit * SKETCH_WIDTH / 6)
    return Sketch(shapes[:SHAPES_LIMIT], marks, scale, scale / metres_a_unit)


def _point(alert: Mapping[str, Any]) -> tuple[float, float] | None:
    geometry = (alert.get("place") or {}).get("geometry")
    if not geometry:
        return None
    found = shape(geometry).representative_point()
    return (found.x, found.y)


def _base(
    base: Mapping[str, Any], window: BaseGeometry
) -> Iterable[tuple[Sequence[Sequence[float]], str | None, str | None, float]]:
    order = [*_FILLS, *_LINES]
    known = [one for one in base.get("features", ()) if (one.get("properties") or {}).get("kind") in order]
    for feature in sorted(known, key=lambda one: order.index(one["properties"]["kind"])):
        kind = feature["properties"]["kind"]
        geometry = shape(feature["geometry"])
        if not geometry.is_valid or not geometry.intersects(window):
            continue
        for piece in _pieces(geometry.intersection(window)):
            if kind in _FILLS and piece.geom_type == "Polygon":
                yield list(piece.exterior.coords), _FILLS[kind], None, 0.0
            elif kind in _LINES and piece.geom_type == "LineString":
                colour, width = _LINES[kind]
                yield list(piece.coords), None, colour, width


def _pieces(geometry: Any) -> Iterable[Any]:
    return geometry.geoms if hasattr(geometry, "geoms") else (geometry,)


def _round_length(metres: float) -> int:
    """The longest of 10, 20, 50, 100, ... metres that is no longer.

    >>> _round_length(180), _round_length(20), _round_length(3)
    (100, 20, 10)
    """
    best = 10
    for power in range(1, 7):
        for first in (1, 2, 5):
            if first * 10**power <= metres:
                best = first * 10**power
    return best
