"""A venue in metres: one connected area that people can walk on, with exits, gates, zones and entries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyproj
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring, unary_union

from impetus.model import FeatureKind, InvalidInput
from impetus.tools.evacuation.arrays import Floats
from impetus.tools.evacuation.features import VenueFile, VenueShape, transformed

RUN_OUT_M = 1.2
"""How far the ground goes on behind an exit's line."""
THROAT_M = 0.8
"""People are out when they are so far behind the line: those behind them feel them until then, as at a real door."""
SNAP_M = 3.0
"""An exit's line may be drawn so far off the edge."""
BARRIER_M = 0.2
SPECK_M2 = 1.0
LEAST_WIDTH_M = 0.4
"""Through less, nobody gets."""
LARGEST_M2 = 4e6


@dataclass(frozen=True)
class Exit:
    """A way out: people are counted out once they are in the sink."""

    id: str
    name: str
    area: Polygon
    """Ground behind the line."""
    line: LineString
    width_m: float
    open: bool = True
    capacity: int | None = None

    @property
    def sink(self) -> BaseGeometry:
        """The part of the area a step behind the line."""
        deep = self.area.difference(self.line.buffer(THROAT_M))
        return deep if deep.area > 0.1 * self.area.area else self.area


@dataclass(frozen=True)
class Gate:
    """A barrier across the ground that can be opened and closed."""

    id: str
    name: str
    geometry: BaseGeometry
    open: bool = True


@dataclass(frozen=True)
class Zone:
    """Where people stand."""

    id: str
    name: str
    area: BaseGeometry
    capacity: int | None = None
    people: float | None = None


@dataclass(frozen=True)
class Ground:
    """A venue in metres east and north of its middle."""

    id: str
    name: str
    area: Polygon
    """Where people can be, with the run-outs of open exits, without obstacles and closed gates."""
    inner: BaseGeometry
    """The same without run-outs: where people can stand at first."""
    exits: Sequence[Exit]
    gates: Sequence[Gate]
    zones: Sequence[Zone]
    entries: Mapping[str, Point]
    sensors: Mapping[str, BaseGeometry]
    longitude: float
    latitude: float
    source: VenueFile
    remarks: Sequence[str] = ()
    opened: Mapping[str, bool] = field(default_factory=dict)
    slow: Sequence[tuple[BaseGeometry, float]] = ()
    """Stairs and other slow ground, and the share of their free speed at which people walk there."""

    @property
    def open_exits(self) -> Sequence[Exit]:
        """Exits that can be used."""
        return [one for one in self.exits if one.open]

    def exit(self, id: str) -> Exit:
        """An exit by its id. Raises `InvalidInput` for one that there is not."""
        for one in self.exits:
            if one.id == id:
                return one
        known = ", ".join(one.id for one in self.exits)
        raise InvalidInput(f"there is no exit {id[:60]!r}", hint=f"the venue has {known}")

    def to_metres(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Metres east and north of the middle."""
        x, y = projection(self.longitude, self.latitude).transform(longitude, latitude)
        return float(x), float(y)

    def to_degrees(self, x: float, y: float) -> tuple[float, float]:
        """Longitude and latitude."""
        longitude, latitude = projection(self.longitude, self.latitude).transform(x, y, direction="INVERSE")
        return float(longitude), float(latitude)

    def project(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry in degrees, in metres."""
        return transformed(geometry, projection(self.longitude, self.latitude).transform)

    def walls(self) -> Floats:
        """The edges of the area as segments (n, 4): x, y of both ends."""
        segments = []
        for ring in [self.area.exterior, *self.area.interiors]:
            points = np.asarray(ring.coords)[:, :2]
            segments.append(np.hstack([points[:-1], points[1:]]))
        return np.ascontiguousarray(np.vstack(segments), dtype=np.float64)


def projection(longitude: float, latitude: float) -> pyproj.Transformer:
    """Degrees to metres around a middle: transverse Mercator, true to scale there."""
    return pyproj.Transformer.from_crs(
        "EPSG:4326",
        f"+proj=tmerc +lat_0={latitude:.7f} +lon_0={longitude:.7f} +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m",
        always_xy=True,
    )


def make_ground(
    venue: VenueFile, *, opened: Mapping[str, bool] | None = None, widths_m: Mapping[str, float] | None = None
) -> Ground:
    """A venue, projected, repaired and checked.

    Args:
        venue: its features.
        opened: exits and gates by id that a scenario opens or closes, whatever the venue says.
        widths_m: widths of exits that a scenario changes.

    Raises:
        InvalidInput: it names the feature that is wrong.
    """
    opened, widths_m = dict(opened or {}), dict(widths_m or {})
    _check_names(venue, [*opened, *widths_m])
    remarks: list[str] = list(venue.remarks)
    whole = shapely.GeometryCollection([one.geometry for one in venue.shapes if one.kind is FeatureKind.WALKABLE])
    west, south, east, north = whole.bounds
    longitude, latitude = round((west + east) / 2, 7), round((south + north) / 2, 7)
    to_metres = projection(longitude, latitude).transform
    metres = {one.id: transformed(one.geometry, to_metres) for one in venue.shapes}
    walkable = _walkable(venue, metres, remarks)
    obstacles = _obstacles(venue, metres, remarks)
    gates = [
        Gate(one.id, one.name, metres[one.id], opened.get(one.id, one.open))
        for one in venue.shapes
        if one.kind is FeatureKind.GATE
    ]
    closed = [_barrier(gate.geometry) for gate in gates if not gate.open]
    inner = walkable.difference(unary_union([*obstacles, *closed])) if obstacles or closed else walkable
    if inner.is_empty or inner.area < SPECK_M2:
        raise InvalidInput("nothing is left to walk on: obstacles and closed gates cover the walkable area")
    if inner.area > LARGEST_M2:
        raise InvalidInput(
            f"the walkable area has {inner.area / 1e6:,.1f} km2; {LARGEST_M2 / 1e6:g} are allowed", hint="cut it"
        )
    exits = []
    for one in venue.shapes:
        if one.kind is FeatureKind.EXIT:
            made = _exit(one, metres[one.id], inner, walkable, remarks, widths_m.get(one.id))
            exits.append(
                Exit(made.id, made.name, made.area, made.line, made.width_m, opened.get(one.id, one.open), one.capacity)
            )
    if not exits:
        raise InvalidInput("the venue has no exit", hint="draw a line of kind exit across each way out")
    if not any(one.open for one in exits):
        names = ", ".join(one.id for one in exits)
        raise InvalidInput(f"all exits are closed ({names}): nobody can get out", hint="open at least one")
    area = _one_area(venue, metres, inner, [one for one in exits if one.open], remarks)
    zones = [
        Zone(one.id, one.name, metres[one.id], one.capacity, one.people)
        for one in venue.shapes
        if one.kind is FeatureKind.ZONE
    ]
    for zone in zones:
        if zone.area.area > 0 and not zone.area.intersects(area):
            raise InvalidInput(f"zone {zone.id!r} lies outside of the walkable area")
    return Ground(
        id=venue.id,
        name=venue.name,
        area=area,
        inner=inner.intersection(area),
        exits=tuple(exits),
        gates=tuple(gates),
        zones=tuple(zones),
        entries={one.id: metres[one.id].centroid for one in venue.shapes if one.kind is FeatureKind.RESPONDER_ENTRY},
        sensors={one.id: metres[one.id] for one in venue.shapes if one.kind is FeatureKind.SENSOR},
        longitude=longitude,
        latitude=latitude,
        source=venue,
        remarks=tuple(remarks),
        opened=opened,
        slow=tuple((metres[one.id], one.speed_factor) for one in venue.shapes if one.speed_factor < 1.0),
    )


def _check_names(venue: VenueFile, ids: Sequence[str]) -> None:
    known = {one.id for one in venue.shapes if one.kind in (FeatureKind.EXIT, FeatureKind.GATE)}
    for id in ids:
        if id not in known:
            raise InvalidInput(
                f"there is no exit or gate {id[:60]!r}", hint=f"the venue has {', '.join(sorted(known))}"
            )


def _walkable(venue: VenueFile, metres: Mapping[str, BaseGeometry], remarks: list[str]) -> BaseGeometry:
    parts = []
    for one in venue.shapes:
        if one.kind is not FeatureKind.WALKABLE:
            continue
        if one.geometry.geom_type not in ("Polygon", "MultiPolygon"):
            raise InvalidInput(f"{one.title} is a {one.geometry.geom_type}", hint="a walkable area is a polygon")
        parts.append(_repaired(one, metres[one.id], remarks))
    return unary_union(parts)


def _repaired(one: VenueShape, geometry: BaseGeometry, remarks: list[str]) -> BaseGeometry:
    """A valid polygon. One that crosses itself so that parts fall asunder is refused."""
    if geometry.is_valid:
        made = geometry
    else:
        reason = shapely.is_valid_reason(one.geometry)
        made = shapely.make_valid(geometry)
        polygons = [part for part in getattr(made, "geoms", [made]) if part.geom_type in ("Polygon", "MultiPolygon")]
        made = unary_union(polygons) if polygons else Polygon()
        largest = max((part.area for part in getattr(made, "geoms", [made])), default=0.0)
        if made.is_empty or largest < 0.95 * made.area:
            raise InvalidInput(
                f"{one.title} crosses itself: {reason}", hint="draw its edge in order, without crossings"
            )
        remarks.append(f"{one.title} was repaired: {reason}")
    if made.area < 0.01:
        raise InvalidInput(f"{one.title} is empty: it has no area", hint="draw a polygon with an inside")
    return made


def _obstacles(venue: VenueFile, metres: Mapping[str, BaseGeometry], remarks: list[str]) -> list[BaseGeometry]:
    made = []
    for one in venue.shapes:
        if one.kind is not FeatureKind.OBSTACLE:
            continue
        geometry = metres[one.id]
        if geometry.geom_type in ("Polygon", "MultiPolygon"):
            made.append(_repaired(one, geometry, remarks))
        elif geometry.geom_type in ("LineString", "MultiLineString"):
            made.append(geometry.buffer((one.width_m or BARRIER_M) / 2, cap_style="flat"))
        elif geometry.geom_type in ("Point", "MultiPoint"):
            made.append(geometry.buffer((one.width_m or 0.5) / 2, quad_segs=3))
        else:
            raise InvalidInput(f"{one.title} is a {geometry.geom_type}", hint="draw a polygon, a line or a point")
    return made


def _barrier(geometry: BaseGeometry) -> BaseGeometry:
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    return geometry.buffer(BARRIER_M / 2, cap_style="square")


def _exit(
    one: VenueShape,
    geometry: BaseGeometry,
    inner: BaseGeometry,
    walkable: BaseGeometry,
    remarks: list[str],
    width_m: float | None,
) -> Exit:
    width_m = width_m if width_m is not None else one.width_m
    edge = inner.boundary
    if geometry.geom_type == "Point":
        if width_m is None:
            raise InvalidInput(f"{one.title} is a point and has no width", hint="give width_m, or draw a line")
        line = _on_the_edge(one, geometry.centroid, edge, width_m)
    elif geometry.geom_type == "LineString":
        line = LineString(np.asarray(geometry.coords)[:, :2])
        if line.length < 0.01:
            raise InvalidInput(f"{one.title} has a width of 0 m: its line has no length")
    elif geometry.geom_type == "Polygon":
        found = _mouth(geometry, inner, walkable)
        if found is None:
            raise InvalidInput(
                f"{one.title} does not touch the walkable area", hint="draw it across or beside the edge"
            )
        mouth, length = found
        if width_m is None or width_m >= length - 0.3:
            if length < LEAST_WIDTH_M:
                raise InvalidInput(f"{one.title} is {length:.2f} m wide: nobody gets through")
            return Exit(one.id, one.name, _valid(geometry), mouth, width_m or length)
        line = mouth
    else:
        raise InvalidInput(f"{one.title} is a {geometry.geom_type}", hint="an exit is a line, a polygon or a point")
    away = line.distance(inner)
    if away > SNAP_M:
        raise InvalidInput(
            f"{one.title} lies {away:,.1f} m away from the walkable area", hint="draw its line across the edge"
        )
    if width_m is not None and width_m < line.length - 0.02:
        middle = line.length / 2
        line = _stretch(line, middle - width_m / 2, middle + width_m / 2)
    elif width_m is not None and width_m > 1.2 * line.length:
        remarks.append(f"{one.title} says {width_m:g} m, but its line is {line.length:.1f} m long: the line counts")
    if line.length < LEAST_WIDTH_M:
        raise InvalidInput(f"{one.title} is {line.length:.2f} m wide: nobody gets through")
    return Exit(one.id, one.name, _run_out(line, inner, away), line, line.length)


def _valid(polygon: BaseGeometry) -> Polygon:
    made = polygon if polygon.is_valid else polygon.buffer(0)
    if not isinstance(made, Polygon):
        made = made.convex_hull
    return made if isinstance(made, Polygon) else made.buffer(0.1)


def _stretch(line: LineString, low: float, high: float) -> LineString:
    made = substring(line, low, high)
    return made if isinstance(made, LineString) else LineString([made, made])


def _on_the_edge(one: VenueShape, point: Point, edge: BaseGeometry, width_m: float) -> LineString:
    rings = [LineString(ring.coords) for ring in getattr(edge, "geoms", [edge])]
    ring = min(rings, key=lambda candidate: candidate.distance(point))
    if ring.distance(point) > SNAP_M:
        raise InvalidInput(
            f"{one.title} lies {ring.distance(point):,.1f} m away from the edge of the walkable area",
            hint="put it on the edge, or draw a line",
        )
    middle, total = ring.project(point), ring.length
    low, high = middle - width_m / 2, middle + width_m / 2
    if width_m >= total:
        raise InvalidInput(f"{one.title} is wider than the edge it lies on")
    if low < 0 or high > total:  # across the ring's first point
        coordinates = list(ring.coords)[:-1]
        half = len(coordinates) // 2
        turned = LineString([*coordinates[half:], *coordinates[: half + 1]])
        middle = turned.project(point)
        return _stretch(turned, middle - width_m / 2, middle + width_m / 2)
    return _stretch(ring, low, high)


def _mouth(polygon: BaseGeometry, inner: BaseGeometry, walkable: BaseGeometry) -> tuple[LineString, float] | None:
    """The line at which people enter an exit's polygon, and its length."""
    polygon = _valid(polygon)
    if polygon.distance(inner) > 0.5:
        return None
    if polygon.intersection(inner).area > 0.05 * polygon.area:
        cut = polygon.boundary.intersection(inner.buffer(-0.02))
    else:
        cut = inner.boundary.intersection(polygon.buffer(max(0.1, polygon.distance(inner) + 0.05)))
    parts = [part for part in getattr(cut, "geoms", [cut]) if part.geom_type == "LineString" and part.length > 0.05]
    if not parts:
        return None
    merged = shapely.line_merge(unary_union(parts))
    lines = [part for part in getattr(merged, "geoms", [merged]) if part.length > 0]
    longest = max(lines, key=lambda part: part.length)
    return longest, sum(part.length for part in lines)


def _run_out(line: LineString, inner: BaseGeometry, away: float) -> Polygon:
    """The ground behind a line: on the side that is not walkable, or a band where both sides are."""
    best: BaseGeometry = line.buffer(0.3, cap_style="flat")
    share = 0.6
    for sign in (1, -1):
        side = line.buffer(sign * RUN_OUT_M, single_sided=True, join_style="mitre")
        if side.is_empty:
            continue
        covered = side.intersection(inner).area / max(side.area, 1e-9)
        if covered < share:
            best, share = side, covered
    if share < 0.6:
        # Reaches back to the ground where the line is drawn a little outside.
        back = line.buffer(away + 0.05, cap_style="flat") if away > 0 else line.buffer(0.02, cap_style="flat")
        best = best.union(back)
    return _valid(best)


def _one_area(
    venue: VenueFile,
    metres: Mapping[str, BaseGeometry],
    inner: BaseGeometry,
    exits: Sequence[Exit],
    remarks: list[str],
) -> Polygon:
    """Inner area and run-outs as one polygon. Raises `InvalidInput` if a part that matters is cut off."""
    whole = unary_union([inner, *(one.area for one in exits)]).buffer(0)
    whole = shapely.set_precision(whole, 0.001)
    parts = [part for part in getattr(whole, "geoms", [whole]) if part.geom_type == "Polygon" and part.area > 0.01]
    parts.sort(key=lambda part: -part.area)
    main = parts[0]
    for part in parts[1:]:
        cut_off = next((one for one in exits if one.area.intersection(part).area > 0.5 * one.area.area), None)
        names = [
            one.title
            for one in venue.shapes
            if one.kind is FeatureKind.WALKABLE and metres[one.id].intersection(part).area > 0.5 * part.area
        ]
        if cut_off is not None and part.area < cut_off.area.area + SPECK_M2:
            raise InvalidInput(f"exit {cut_off.id!r} does not touch the walkable area", hint="draw it across the edge")
        if part.area > max(SPECK_M2, 0.02 * main.area) or cut_off is not None:
            where = names[0] if names else "the walkable area"
            middle = part.representative_point()
            raise InvalidInput(
                f"{where} is cut off: {part.area:,.0f} m2 around {middle.x:.0f} m east, {middle.y:.0f} m north of the"
                " middle cannot be reached from the rest",
                hint="the walkable area must be one: overlap its polygons, or open a gap between obstacles",
            )
        if part.area > SPECK_M2:
            remarks.append(f"{part.area:.1f} m2 that cannot be reached are left out")
    return _simple(main)


def _simple(area: Polygon) -> Polygon:
    """Without holes smaller than a hand and without needles."""
    holes = [ring for ring in area.interiors if Polygon(ring).area > 0.003]
    made = Polygon(area.exterior, holes).simplify(0.01)
    if isinstance(made, Polygon) and made.is_valid:
        return made
    parts = [part for part in getattr(made.buffer(0), "geoms", [made.buffer(0)]) if isinstance(part, Polygon)]
    return max(parts, key=lambda part: part.area, default=area)


def bounds_m(ground: Ground) -> tuple[float, float, float, float]:
    """Left, bottom, right and top with a margin of a metre."""
    left, bottom, right, top = ground.area.bounds
    return math.floor(left) - 1.0, math.floor(bottom) - 1.0, math.ceil(right) + 1.0, math.ceil(top) + 1.0
