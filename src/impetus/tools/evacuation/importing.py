"""Venues from other programs: OpenStreetMap XML, DXF drawings, and the zips of jupedsim-scenarios (WKT and JSON)."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import LineString, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from impetus.model import InvalidInput
from impetus.tools.evacuation.features import BYTES_LIMIT, VenueFile, parse_features, read_features, transformed
from impetus.tools.evacuation.ground import projection

UNZIPPED_LIMIT = 50_000_000
STREET_WIDTHS_M: Mapping[str, float] = {
    "footway": 3.0, "pedestrian": 8.0, "path": 2.0, "steps": 2.0, "living_street": 6.0, "residential": 8.0,
    "service": 5.0, "unclassified": 7.0, "tertiary": 9.0, "secondary": 11.0, "primary": 13.0, "cycleway": 3.0,
    "track": 3.0,
}  # fmt: skip
"""Widths of streets of OpenStreetMap that say none."""
DEFAULT_ORIGIN = (12.9, 44.9)
"""Where drawings without a place are put: the demo city's origin, in the open Adriatic."""
FARTHEST_M = 1e7
"""From the origin of a drawing; also false for what is no number."""
SPREAD_DEG = 1.0
"""Degrees from the middle of an OpenStreetMap file that its nodes may be away."""


def read_venue(path: str | Path) -> VenueFile:
    """A venue from GeoJSON, or from `.osm`, `.dxf` or a `.zip` of jupedsim-scenarios. Raises `InvalidInput`."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".osm", ".xml"):
        return parse_features(from_osm(_bytes(path), path.stem), default_id=path.stem)
    if suffix == ".dxf":
        return parse_features(from_dxf(_bytes(path), path.stem), default_id=path.stem)
    if suffix == ".zip":
        return parse_features(from_zip(_bytes(path), path.stem), default_id=path.stem)
    return read_features(path)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > BYTES_LIMIT:
            raise InvalidInput(f"{path.name} has more than {BYTES_LIMIT // 1_000_000} MB", hint="cut the venue out")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}") from error


def collection(id: str, features: list[dict[str, Any]]) -> dict[str, Any]:
    """A FeatureCollection as `parse_features` takes it."""
    return {"type": "FeatureCollection", "id": id, "name": id, "coordinates_checked": True, "features": features}


def feature(id: str, kind: str, geometry: BaseGeometry, **properties: object) -> dict[str, Any]:
    """One feature."""
    return {
        "type": "Feature", "id": id, "geometry": mapping(geometry), "properties": {"kind": kind, **properties}
    }  # fmt: skip


def from_osm(data: bytes, name: str) -> dict[str, Any]:
    """OpenStreetMap XML: pedestrian areas and streets become walkable, buildings and barriers obstacles; where streets
    leave the bounds of the file there are exits. Raises `InvalidInput`."""
    from defusedxml import ElementTree
    from defusedxml.common import DefusedXmlException

    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise InvalidInput(f"{name} is not OpenStreetMap XML: {str(error)[:120]}") from error
    nodes: dict[str, tuple[float, float]] = {}
    for node in root.iter("node"):
        try:
            nodes[str(node.get("id"))] = (float(node.get("lon", "")), float(node.get("lat", "")))
        except ValueError as error:
            raise InvalidInput(f"node {node.get('id')} of {name} has no position") from error
    if not nodes:
        raise InvalidInput(f"{name} has no nodes", hint="export the square with its ways and nodes")
    middle = (
        sum(at[0] for at in nodes.values()) / len(nodes),
        sum(at[1] for at in nodes.values()) / len(nodes),
    )
    # The plane that is drawn on holds for a city, and breaks where a node is on the other side of the world.
    if not all(abs(at[0] - middle[0]) < SPREAD_DEG and abs(at[1] - middle[1]) < SPREAD_DEG for at in nodes.values()):
        raise InvalidInput(f"the nodes of {name} are not of one place", hint="export one square or quarter")
    metres = projection(*middle)
    walkable: list[BaseGeometry] = []
    obstacles: list[tuple[str, BaseGeometry]] = []
    streets: list[tuple[str, LineString, float]] = []
    for way in root.iter("way"):
        tags = {str(tag.get("k")): str(tag.get("v")) for tag in way.iter("tag")}
        points = [
            metres.transform(*nodes[ref]) for ref in (str(nd.get("ref")) for nd in way.iter("nd")) if ref in nodes
        ]
        id = f"way-{way.get('id')}"
        closed = len(points) >= 4 and points[0] == points[-1]
        kind = tags.get("highway", "")
        if (
            closed
            and (tags.get("area") == "yes" or tags.get("place") == "square")
            and kind in ("", "pedestrian", "footway")
        ):
            walkable.append(shapely.make_valid(Polygon(points)))
        elif closed and ("building" in tags or tags.get("natural") == "water" or tags.get("amenity") == "fountain"):
            obstacles.append((tags.get("name", id), shapely.make_valid(Polygon(points))))
        elif kind in STREET_WIDTHS_M and len(points) >= 2:
            streets.append(
                (tags.get("name", id), LineString(points), _metres(tags.get("width"), STREET_WIDTHS_M[kind]))
            )
        elif "barrier" in tags and tags["barrier"] not in ("gate", "kerb", "bollard") and len(points) >= 2:
            obstacles.append((id, LineString(points).buffer(0.15, cap_style="flat")))
    bounds = root.find("bounds")
    if bounds is not None:
        try:
            west, south, east, north = (float(bounds.get(key, "")) for key in ("minlon", "minlat", "maxlon", "maxlat"))
        except ValueError as error:
            raise InvalidInput(f"the bounds of {name} are no numbers") from error
        frame = transformed(box(west, south, east, north), metres.transform)
    elif walkable:
        frame = unary_union(walkable).buffer(15.0)
    else:
        raise InvalidInput(f"{name} has neither bounds nor a square", hint="tag the square as area=yes")
    ground = unary_union([*walkable, *(line.buffer(width / 2, cap_style="flat") for _, line, width in streets)])
    ground = ground.intersection(frame).difference(unary_union([shape for _, shape in obstacles]).buffer(0))
    parts = [part for part in getattr(ground, "geoms", [ground]) if part.geom_type == "Polygon"]
    if not parts:
        raise InvalidInput(f"{name} has no pedestrian area and no street", hint="export more of the map")
    main = max(parts, key=lambda part: part.area)
    features = [feature("ground", "walkable", _degrees(main, metres))]
    seen: dict[str, int] = {}
    for title, line, width in streets:
        crossing = line.intersection(frame.boundary)
        for point in getattr(crossing, "geoms", [crossing]):
            if point.geom_type != "Point" or point.distance(main) > 1.0:
                continue
            mouth = frame.boundary.intersection(point.buffer(width / 2 + 0.01)).intersection(main.buffer(0.01))
            mouths = [part for part in getattr(mouth, "geoms", [mouth]) if part.geom_type == "LineString"]
            if mouths and max(part.length for part in mouths) > 0.5:
                seen[title] = seen.get(title, 0) + 1
                id = title if seen[title] == 1 else f"{title} {seen[title]}"
                longest = max(mouths, key=lambda part: part.length)
                features.append(feature(id, "exit", _degrees(longest, metres), name=id))
    return collection(name, features)


def _metres(text: str | None, otherwise: float) -> float:
    try:
        value = float((text or "").replace("m", "").strip())
    except ValueError:
        return otherwise
    return value if 0.3 < value < 200 else otherwise


def _degrees(geometry: BaseGeometry, metres: Any) -> BaseGeometry:

    return transformed(geometry, lambda x, y: metres.transform(x, y, direction="INVERSE"))


def from_dxf(data: bytes, name: str, *, origin: tuple[float, float] = DEFAULT_ORIGIN) -> dict[str, Any]:
    """A DXF drawing in metres (or the unit that it names): layers named like the kinds hold closed polylines
    (walkable, obstacle, zone) and lines (exit, gate, obstacle). Raises `InvalidInput`."""
    try:
        shapes = list(_drawn(data))
    except Exception as error:  # the library raises whatever its parts raise for a broken drawing
        raise InvalidInput(
            f"{name} is not a DXF drawing: {str(error)[:120]}", hint="draw and export it anew"
        ) from error
    features: list[dict[str, Any]] = []
    if not shapes:
        raise InvalidInput(
            f"{name} has nothing on layers named walkable, obstacle, exit, gate or zone", hint="name the layers so"
        )
    whole = shapely.GeometryCollection([one for _, _, one in shapes]).bounds
    metres = projection(*origin)
    cx, cy = (whole[0] + whole[2]) / 2, (whole[1] + whole[3]) / 2
    for id, kind, shape in shapes:
        moved = shapely.transform(shape, lambda at: at - [cx, cy])
        features.append(feature(id, kind, _degrees(moved, metres)))
    return collection(name, features)


def _drawn(data: bytes) -> Iterator[tuple[str, str, BaseGeometry]]:
    """Name, layer and shape in metres of all that a drawing has on named layers. Raises anything."""
    from ezdxf import recover
    from ezdxf.enums import InsertUnits
    from ezdxf.units import conversion_factor

    document, _ = recover.read(io.BytesIO(data))
    units = document.header.get("$INSUNITS", 0)
    factor = conversion_factor(InsertUnits(units), InsertUnits.Meters) if units else 1.0
    for number, entity in enumerate(document.modelspace()):
        layer = entity.dxf.layer.strip()
        kind = layer.lower().split("-")[0].split(":")[0].strip()
        if kind in ("0", "defpoints", ""):
            continue
        points: list[tuple[float, float]] = []
        closed = False
        if entity.dxftype() == "LWPOLYLINE":
            points = [(factor * x, factor * y) for x, y, *_ in entity.get_points()]  # type: ignore[attr-defined]
            closed = bool(entity.closed)  # type: ignore[attr-defined]
        elif entity.dxftype() == "POLYLINE":
            points = [(factor * v.dxf.location.x, factor * v.dxf.location.y) for v in entity.vertices]  # type: ignore[attr-defined]
            closed = bool(entity.is_closed)  # type: ignore[attr-defined]
        elif entity.dxftype() == "LINE":
            points = [(factor * p.x, factor * p.y) for p in (entity.dxf.start, entity.dxf.end)]
        elif entity.dxftype() == "CIRCLE":
            middle, radius = entity.dxf.center, entity.dxf.radius * factor
            points = [
                (factor * middle.x + radius * math.cos(a), factor * middle.y + radius * math.sin(a))
                for a in [k * math.pi / 8 for k in range(16)]
            ]
            closed = True
        if len(points) < 2:
            continue
        if not all(abs(x) < FARTHEST_M and abs(y) < FARTHEST_M for x, y in points):
            raise ValueError(f"what is on the layer {layer[:60]!r} is nowhere near")
        closed = closed or (len(points) > 3 and points[0] == points[-1])
        shape = Polygon(points) if closed and len(points) >= 3 else LineString(points)
        yield f"{layer}-{number + 1}", kind, shape


def from_zip(data: bytes, name: str, *, origin: tuple[float, float] = DEFAULT_ORIGIN) -> dict[str, Any]:
    """A zip of jupedsim-scenarios: the walkable area as WKT in metres, exits and distributions as JSON polygons.
    Raises `InvalidInput`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > 100 or sum(member.file_size for member in members) > UNZIPPED_LIMIT:
                raise InvalidInput(f"{name} unpacks to more than {UNZIPPED_LIMIT // 1_000_000} MB")
            texts = {
                member.filename: archive.read(member).decode("utf-8", "replace")
                for member in members
                if member.filename.lower().endswith((".wkt", ".json", ".txt"))
            }
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{name} is no zip: {str(error)[:100]}") from error
    wkt = next((text for file, text in texts.items() if file.lower().endswith(".wkt")), None)
    contents = []
    for file, text in texts.items():
        if file.lower().endswith(".json"):
            try:
                contents.append(json.loads(text))
            except (ValueError, RecursionError) as error:
                raise InvalidInput(f"{file} in {name} is not JSON: {str(error)[:80]}") from error
    if wkt is None:
        wkt = next((one[key] for one in contents if isinstance(one, dict) for key in one
                    if "wkt" in str(key).lower() and isinstance(one[key], str)), None)  # fmt: skip
    if wkt is None:
        raise InvalidInput(f"{name} holds no walkable area as WKT")
    try:
        area = shapely.from_wkt(wkt)
    except shapely.errors.GEOSException as error:
        raise InvalidInput(f"the WKT in {name} cannot be read: {str(error)[:100]}") from error
    left, bottom, right, top = area.bounds
    cx, cy = (left + right) / 2, (bottom + top) / 2
    metres = projection(*origin)

    def placed(shape: BaseGeometry) -> BaseGeometry:
        return _degrees(shapely.transform(shape, lambda at: at - [cx, cy]), metres)

    polygons = [part for part in getattr(area, "geoms", [area]) if part.geom_type in ("Polygon", "MultiPolygon")]
    if not polygons:
        raise InvalidInput(f"the WKT in {name} holds no polygon")
    features = [feature("ground", "walkable", placed(unary_union(polygons)))]
    for content in contents:
        for word, kind in (("exits", "exit"), ("distributions", "zone"), ("obstacles", "obstacle")):
            for id, entry in _entries(content, word):
                shape = _shape_of(entry)
                if shape is not None:
                    people = _people_of(entry)
                    features.append(feature(id, kind, placed(shape), **({"people": people} if people else {})))
    return collection(name, features)


def _entries(content: object, word: str) -> list[tuple[str, object]]:
    if not isinstance(content, dict):
        return []
    found = content.get(word)
    if isinstance(found, dict):
        return [(str(key), value) for key, value in found.items()]
    if isinstance(found, list):
        return [
            (str(value.get("id", f"{word}-{number + 1}")) if isinstance(value, dict) else f"{word}-{number + 1}", value)
            for number, value in enumerate(found)
        ]
    return []


def _shape_of(entry: object) -> BaseGeometry | None:
    points = entry
    if isinstance(entry, dict):
        points = next((entry[key] for key in ("coordinates", "polygon", "vertices", "points") if key in entry), None)
    if isinstance(points, str):
        try:
            return shapely.from_wkt(points)
        except shapely.errors.GEOSException:
            return None
    if (
        isinstance(points, list)
        and points
        and isinstance(points[0], list)
        and points[0]
        and isinstance(points[0][0], list)
    ):
        points = points[0]
    try:
        return Polygon([(float(p[0]), float(p[1])) for p in points]) if isinstance(points, list) else None
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _people_of(entry: object) -> float | None:
    if not isinstance(entry, dict):
        return None
    parameters = entry.get("parameters", entry)
    if isinstance(parameters, dict):
        for key in ("number", "count", "agents", "n"):
            value = parameters.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < FARTHEST_M:
                return float(value)
    return None
