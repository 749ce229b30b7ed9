"""The demo city's base map: streets, blocks and buildings grown from the sketch in `geography`, always the same.

Blocks come from recursive subdivision along oriented bounding boxes (Vanegas et al., "Procedural generation of parcels
in urban modeling", Computer Graphics Forum 31(2), 2012): every face between main roads, water and rails is cut across
its longer side until it has the usual size of its district; the cuts are the streets.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from shapely import LineString, MultiLineString, MultiPolygon, Point, Polygon, box, oriented_envelope, set_precision
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import linemerge, polygonize, split, unary_union

from impetus.exercise import geography
from impetus.exercise.geography import District, Metres, to_degrees

SEED = 1797
EDGE_M = 2_050.0
"""Streets and blocks are drawn up to about here; main roads, river and sea go on beyond it."""
SMALLEST_GROUND_M2 = 700.0
SMALLEST_BLOCK_M2 = 420.0
FILE = Path(__file__).parent / "data" / "aurelia.geojson"
OPEN_SPACE = Path(__file__).parent / "data" / "aurelia-open-space.geojson"
"""Where somebody can stand outside: what `open_space` makes of the map."""


@lru_cache(maxsize=1)
def base_map() -> dict[str, Any]:
    """The committed base map as a GeoJSON FeatureCollection; each feature has `kind` and may have `name`."""
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return document


def open_space(document: dict[str, Any]) -> dict[str, Any]:
    """Streets, squares and parks of a map, as a GeoJSON FeatureCollection; rounded to some centimetres."""
    kinds: dict[str, list[BaseGeometry]] = {}
    for feature in document["features"]:
        kinds.setdefault(feature["properties"]["kind"], []).append(shape(feature["geometry"]))
    built = unary_union([*kinds["block"], *kinds["building"]])
    ground = box(*built.bounds).difference(built).difference(unary_union(kinds["water"]))
    outside = set_precision(unary_union([ground, *kinds["square"], *kinds["park"]]), 1e-6)
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {"kind": "open-space"}, "geometry": mapping(outside)}],
    }


def write_base_map(file: Path = FILE) -> None:
    """Draw the map anew and write it."""
    document = draw()
    lines = ",\n".join(
        json.dumps(feature, separators=(",", ":"), ensure_ascii=False) for feature in document["features"]
    )
    head = json.dumps({key: value for key, value in document.items() if key != "features"}, separators=(",", ":"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{head[:-1]},"features":[\n{lines}\n]}}\n', encoding="utf-8")
    outside = json.dumps(open_space(document), separators=(",", ":"))
    (file.parent / OPEN_SPACE.name).write_text(f"{outside}\n", encoding="utf-8")


def draw() -> dict[str, Any]:
    """The base map as a GeoJSON FeatureCollection, in the order in which it is painted."""
    return {"type": "FeatureCollection", "name": "aurelia", "features": [*_Draughtsman(random.Random(SEED)).features()]}  # noqa: S311


def smooth(course: Sequence[Metres], rounds: int = 3, *, is_closed: bool = False) -> list[Metres]:
    """Round the corners of a line (Chaikin's corner cutting); the ends of an open line stay."""
    points = list(course)
    for _ in range(rounds):
        pairs = list(zip(points, points[1:] + points[:1] if is_closed else points[1:], strict=False))
        cut: list[Metres] = []
        for (ax, ay), (bx, by) in pairs:
            cut += [(0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by), (0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by)]
        points = cut if is_closed else [points[0], *cut, points[-1]]
    return points


def road_lines() -> dict[str, LineString]:
    """Main roads by name, in metres."""
    return {road.name: LineString(smooth(road.course, 2)) for road in geography.ROADS}


class _Draughtsman:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._roads = road_lines()
        self._rails = [LineString(smooth(course)) for course in geography.RAILS]
        self._water = self._draw_water()
        self._squares = [(area.name, Polygon(area.outline)) for area in geography.SQUARES]
        self._parks = self._draw_parks()

    def features(self) -> Iterator[dict[str, Any]]:
        """All features, in the order of painting."""
        for part in _polygons(self._water.simplify(1.2)):
            yield _feature(part, "water")
        for name, park in self._parks:
            for part in _polygons(park.simplify(1.5)):
                if part.area > 900:
                    yield _feature(part, "park", name)
        streets, blocks, buildings = self._build_up()
        yield from (_feature(block, "block") for block in blocks)
        yield from (_feature(street, "road-minor") for street in streets)
        yield from (_feature(building, "building") for building in buildings)
        for name, square in self._squares:
            yield _feature(square, "square", name)
        for rail in self._rails:
            yield _feature(rail.simplify(1.0), "rail")
        for road in geography.ROADS:
            yield _feature(self._roads[road.name].simplify(0.8), "road-major", road.name, width_m=road.width_m)
        for district in geography.DISTRICTS:
            yield _feature(Point(district.label), "district", district.name)
        yield _feature(Point(150, -1180), "district", "Gulf of Aurelia")

    def _draw_water(self) -> BaseGeometry:
        coast = smooth(geography.COAST, 2)
        sea = Polygon([*coast, (7000, 5200), (7000, -5000), (-6000, -5000)])
        river = LineString(smooth(geography.RIVER, 3)).buffer(geography.RIVER_WIDTH_M / 2, cap_style="flat")
        canal = LineString(smooth(geography.CANAL, 2)).buffer(geography.CANAL_WIDTH_M / 2, cap_style="flat")
        water = unary_union([sea, river, canal, *(Polygon(basin) for basin in geography.BASINS)])
        moles = [LineString(smooth(course, 2)).buffer(9, cap_style="round") for course in geography.BREAKWATERS]
        return water.difference(unary_union([*(Polygon(pier) for pier in geography.PIERS), *moles]))

    def _draw_parks(self) -> list[tuple[str, BaseGeometry]]:
        parks: list[tuple[str, BaseGeometry]] = []
        streets = unary_union([self._roads[road.name].buffer(road.width_m / 2 + 3) for road in geography.ROADS])
        rails = unary_union([rail.buffer(9) for rail in self._rails])
        for area in geography.PARKS:
            outline = smooth(area.outline, 3, is_closed=True) if area.is_smooth else list(area.outline)
            ground = Polygon(outline).buffer(0).difference(self._water.buffer(8))
            parks.append((area.name, ground.difference(streets).difference(rails)))
        # The glacis of the old wall: a green belt outside the inner ring, as many old towns have one.
        belt: BaseGeometry = self._roads["Wall Ring"].buffer(62, cap_style="flat")
        inside = Polygon([*self._roads["Wall Ring"].coords, *reversed(self._roads["Harbour Promenade"].coords)])
        belt = (
            belt.difference(inside.buffer(2)).difference(streets).difference(rails).difference(self._water.buffer(10))
        )
        parks.append(("Glacis", belt.difference(unary_union([ground for _, ground in parks]))))
        return parks

    def _build_up(self) -> tuple[list[MultiLineString], list[Polygon], list[MultiPolygon]]:
        """Minor streets and buildings (one feature a face, for a small file), and blocks."""
        frame = box(-EDGE_M * 1.02, -EDGE_M * 0.86, EDGE_M * 1.02, EDGE_M * 0.86)
        closed = unary_union(
            [
                self._water.buffer(14),
                *(ground.buffer(5) for _, ground in self._parks),
                *(square.buffer(4) for _, square in self._squares),
                *(self._roads[road.name].buffer(road.width_m / 2) for road in geography.ROADS),
                *(rail.buffer(13) for rail in self._rails),
            ]
        )
        cuts = [frame.boundary, *self._roads.values(), *self._rails, self._water.boundary]
        streets: list[MultiLineString] = []
        blocks: list[Polygon] = []
        buildings: list[MultiPolygon] = []
        faces = sorted(polygonize(unary_union(cuts)), key=lambda face: (round(face.centroid.x), round(face.centroid.y)))
        for face in faces:
            lines, found, houses = self._build_up_face(face.difference(closed))
            blocks += found
            if lines:
                streets.append(MultiLineString(lines))
            if houses:
                buildings.append(MultiPolygon(houses))
        return streets, blocks, buildings

    def _build_up_face(self, ground: BaseGeometry) -> tuple[list[LineString], list[Polygon], list[Polygon]]:
        """Streets, blocks and buildings of the ground between main roads."""
        cuts: list[tuple[LineString, float]] = []
        leaves: list[tuple[Polygon, District]] = []
        for part in _polygons(ground):
            if part.area >= SMALLEST_GROUND_M2:
                district = self._district(part)
                pieces = self._subdivide(part, district.block_m2, district.street_m, cuts)
                leaves += [(piece, district) for piece in pieces]
        room = unary_union([line.buffer(width / 2, cap_style="flat") for line, width in cuts])
        blocks: list[Polygon] = []
        houses: list[Polygon] = []
        for leaf, district in leaves:
            # In and out again: slivers and needle-like corners vanish.
            rounded = leaf.difference(room).buffer(-1.5, join_style="mitre").buffer(1.5, join_style="mitre")
            for block in _polygons(rounded.simplify(1.0)):
                if block.area >= SMALLEST_BLOCK_M2 and not self._is_left_open(block):
                    blocks.append(block)
                    houses += self._houses(block, district)
        # Only streets that lead along blocks are drawn.
        near = unary_union(blocks).buffer(14)
        drawn = _lines(unary_union([line for line, _ in cuts]).intersection(near))
        return [part for line in drawn if line.length > 12 for part in _lines(line.simplify(1.0))], blocks, houses

    def _district(self, ground: Polygon) -> District:
        centre = ground.centroid
        return min(geography.DISTRICTS, key=lambda district: centre.distance(Point(district.label)))

    def _is_left_open(self, block: Polygon) -> bool:
        """Towards the edge of the city more and more ground is fields."""
        centre = block.centroid
        distance = math.hypot(centre.x / 1.22, centre.y / 0.95)
        return self._chance.random() < (distance - 1_180) / 420

    def _subdivide(
        self, ground: Polygon, size_m2: float, street_m: float, cuts: list[tuple[LineString, float]], depth: int = 0
    ) -> list[Polygon]:
        if ground.area < size_m2 * self._chance.uniform(0.75, 1.7) or depth > 12:
            return [ground]
        # Ground that bends, along a shore or inside a ring, may be cut badly at the first try.
        for attempt in range(8):
            line = self._cut(ground, 0.13 + 0.03 * attempt, is_turned=attempt in (3, 6))
            pieces = _polygons(split(ground, line))
            if len(pieces) >= 2 and min(piece.area for piece in pieces) >= 0.16 * size_m2:
                break
        else:
            return [ground]
        width = street_m * (1.5 if ground.area > 9 * size_m2 else 1.15 if ground.area > 4 * size_m2 else 0.9)
        cuts.extend((part, width) for part in _lines(line.intersection(ground)))
        return [leaf for piece in pieces for leaf in self._subdivide(piece, size_m2, street_m, cuts, depth + 1)]

    def _cut(self, ground: Polygon, wobble: float, *, is_turned: bool) -> LineString:
        """A line across the longer side of the smallest rectangle around the ground, near its middle, slightly askew.

        `is_turned` cuts across the shorter side.
        """
        corners = list(_box_around(ground).exterior.coords)[:4]
        (ax, ay), (bx, by), (cx, cy) = corners[0], corners[1], corners[2]
        if (math.hypot(cx - bx, cy - by) > math.hypot(bx - ax, by - ay)) != is_turned:
            (ax, ay), (bx, by), (cx, cy) = (bx, by), (cx, cy), corners[3]
        # Now A to B is the longer side and B to C the shorter one: cut parallel to BC.
        at = 0.5 + self._chance.uniform(-wobble, wobble)
        skew = self._chance.gauss(0, 0.035)
        sx, sy = ax + (bx - ax) * (at - skew), ay + (by - ay) * (at - skew)
        ex, ey = ax + (bx - ax) * (at + skew) + cx - bx, ay + (by - ay) * (at + skew) + cy - by
        dx, dy = (ex - sx) * 0.08, (ey - sy) * 0.08
        return LineString([(sx - dx, sy - dy), (ex + dx, ey + dy)])

    def _houses(self, block: Polygon, district: District) -> list[Polygon]:
        lots = self._subdivide(block, district.lot_m2, 0, [], 4)
        found: list[Polygon] = []
        if district.style == "courtyard":
            depth = 11.5 if district.lot_m2 < 600 else 14.0
            yard = block.buffer(-depth, join_style="mitre")
            rows = block.buffer(-1.6, join_style="mitre").difference(yard)
            for lot in lots:
                houses = _polygons(lot.buffer(-0.45, join_style="mitre").intersection(rows))
                found += [house for house in houses if house.area > 55 and self._chance.random() > 0.07]
        else:
            margin = 5.0 if district.style == "hall" else 9.0
            for lot in lots:
                houses = _polygons(lot.buffer(-margin, join_style="mitre"))
                found += [house for house in houses if house.area > 60 and self._chance.random() > 0.12]
        simple = [part for house in found for part in _polygons(house.simplify(1.3))]
        return [house for house in simple if house.area > 40]


def _box_around(ground: Polygon) -> Polygon:
    """The smallest rectangle around it, at any angle."""
    rectangle = oriented_envelope(ground)
    return rectangle if isinstance(rectangle, Polygon) else box(*ground.bounds)


def _polygons(geometry: BaseGeometry) -> list[Polygon]:
    if isinstance(geometry, Polygon):
        return [] if geometry.is_empty else [geometry]
    return [part for each in getattr(geometry, "geoms", ()) for part in _polygons(each)]


def _lines(geometry: BaseGeometry) -> list[LineString]:
    if isinstance(geometry, LineString):
        return [] if geometry.is_empty else [geometry]
    if isinstance(geometry, MultiLineString):
        merged = linemerge(geometry)
        return [merged] if isinstance(merged, LineString) else list(merged.geoms)
    return [part for each in getattr(geometry, "geoms", ()) for part in _lines(each)]


def _feature(geometry: BaseGeometry, kind: str, name: str | None = None, **more: float) -> dict[str, Any]:
    properties: dict[str, Any] = {"kind": kind, **({"name": name} if name else {}), **more}
    return {"type": "Feature", "properties": properties, "geometry": _geojson(geometry)}


def _geojson(geometry: BaseGeometry) -> dict[str, Any]:
    def degrees(positions: Iterable[Any]) -> list[tuple[float, float]]:
        return [to_degrees((position[0], position[1])) for position in positions]

    def rings(polygon: Polygon) -> list[list[tuple[float, float]]]:
        return [degrees(polygon.exterior.coords), *(degrees(hole.coords) for hole in polygon.interiors)]

    if isinstance(geometry, Point):
        return {"type": "Point", "coordinates": to_degrees((geometry.x, geometry.y))}
    if isinstance(geometry, LineString):
        return {"type": "LineString", "coordinates": degrees(geometry.coords)}
    if isinstance(geometry, MultiLineString):
        return {"type": "MultiLineString", "coordinates": [degrees(line.coords) for line in geometry.geoms]}
    if isinstance(geometry, MultiPolygon):
        return {"type": "MultiPolygon", "coordinates": [rings(polygon) for polygon in geometry.geoms]}
    if isinstance(geometry, Polygon):
        return {"type": "Polygon", "coordinates": rings(geometry)}
    raise TypeError(f"{geometry.geom_type} is not drawn")
