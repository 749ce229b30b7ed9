"""A venue as people write it: GeoJSON with `kind`, read leniently and bounded, every feature named when it is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyproj
import shapely
from shapely.geometry import Point, shape
from shapely.geometry.base import BaseGeometry

from impetus.model import FeatureKind, InvalidInput

BYTES_LIMIT = 20_000_000
FEATURE_LIMIT = 10_000
VERTEX_LIMIT = 200_000
FARTHEST = 1e9
"""No position has a greater number, in degrees or metres; also false for what is no number."""
WIDEST_M = 20_000.0
"""A venue that reaches further is no venue."""
KIND_KEYS = ("kind", "type", "category", "role", "feature", "class")
KIND_WORDS: Mapping[str, FeatureKind] = {
    **{kind.value: kind for kind in FeatureKind},
    **dict.fromkeys(
        ("walkable_area", "accessible", "accessible_area", "area", "floor", "ground", "square", "street", "room",
         "corridor", "plaza"),
        FeatureKind.WALKABLE,
    ),
    **dict.fromkeys(
        ("obstacles", "wall", "building", "barrier", "fence", "column", "pillar", "stage", "stall", "blocked"),
        FeatureKind.OBSTACLE,
    ),
    **dict.fromkeys(("exits", "door", "entrance", "egress", "way_out", "emergency_exit"), FeatureKind.EXIT),
    **dict.fromkeys(("gates", "turnstile", "removable_barrier"), FeatureKind.GATE),
    **dict.fromkeys(("zones", "crowd", "crowd_zone", "spawn", "start", "source", "distribution"), FeatureKind.ZONE),
    **dict.fromkeys(("responder", "responders", "responder_entrance", "emergency_entry"), FeatureKind.RESPONDER_ENTRY),
    **dict.fromkeys(("sensors", "counter", "people_counter", "camera"), FeatureKind.SENSOR),
}  # fmt: skip
STAIRS: Mapping[str, float] = {"up": 0.61 / 1.34, "down": 0.694 / 1.34}
"""Speed along the plan on stairs, as a share of that on the flat (Weidmann 1993, means of both)."""
EUROPE = (-25.0, 34.0, 45.0, 72.0)


@dataclass(frozen=True)
class VenueShape:
    """One feature in degrees, as it was read."""

    id: str
    name: str
    kind: FeatureKind
    geometry: BaseGeometry
    width_m: float | None = None
    open: bool = True
    capacity: int | None = None
    people: float | None = None
    speed_factor: float = 1.0
    """Of ground: the share of their free speed at which people walk there."""

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"{self.kind.value} {self.id!r}"


@dataclass(frozen=True)
class VenueFile:
    """All features of a venue, in degrees (WGS 84), longitude first."""

    id: str
    name: str
    shapes: Sequence[VenueShape]
    remarks: Sequence[str] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


def transformed(geometry: BaseGeometry, function: Callable[..., Any]) -> BaseGeometry:
    """A geometry with x and y sent through a function of two arrays."""
    return shapely.transform(geometry, function, interleaved=False)


def read_features(path: str | Path) -> VenueFile:
    """A venue's file. Raises `InvalidInput` if it cannot be read; names the feature that is wrong."""
    path = Path(path)
    try:
        if path.stat().st_size > BYTES_LIMIT:
            raise InvalidInput(f"{path.name} has more than {BYTES_LIMIT // 1_000_000} MB", hint="cut the venue out")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}") from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path.name} is not JSON: {str(error)[:200]}", hint="a venue is GeoJSON") from error
    return parse_features(content, default_id=path.stem)


def parse_features(content: object, *, default_id: str = "venue") -> VenueFile:
    """A venue from decoded GeoJSON. Raises `InvalidInput`."""
    if not isinstance(content, Mapping) or content.get("type") != "FeatureCollection":
        raise InvalidInput("the venue is no GeoJSON FeatureCollection", hint="see docs/guide/evacuation.md")
    features = content.get("features")
    if not isinstance(features, Sequence) or isinstance(features, str) or not features:
        raise InvalidInput("the venue is empty: it has no features", hint="draw at least one walkable area and an exit")
    if len(features) > FEATURE_LIMIT:
        raise InvalidInput(f"the venue has {len(features)} features; {FEATURE_LIMIT} are allowed")
    to_degrees = _foreign_crs(content)
    shapes: list[VenueShape] = []
    seen: dict[str, int] = {}
    vertices = 0
    for number, feature in enumerate(features):
        made = _shape(feature, number, to_degrees)
        vertices += _vertices(made.geometry)
        if vertices > VERTEX_LIMIT:
            raise InvalidInput(f"{made.title}: the venue has more than {VERTEX_LIMIT} vertices", hint="simplify it")
        if made.id in seen:
            seen[made.id] += 1
            made = _renamed(made, f"{made.id}-{seen[made.id]}")
        seen.setdefault(made.id, 1)
        shapes.append(made)
    _check_extent(shapes, checked=bool(content.get("coordinates_checked")))
    name = content.get("name")
    given = content.get("id")
    return VenueFile(
        id=str(given)[:64] if isinstance(given, str | int) else default_id[:64],
        name=str(name)[:200] if isinstance(name, str) and name.strip() else default_id[:200],
        shapes=shapes,
    )


def _renamed(made: VenueShape, id: str) -> VenueShape:
    return replace(made, id=id)


def _shape(feature: object, number: int, to_degrees: pyproj.Transformer | None) -> VenueShape:
    if not isinstance(feature, Mapping):
        raise InvalidInput(f"feature {number + 1} is no GeoJSON Feature")
    given = feature.get("properties")
    properties: Mapping[str, object] = given if isinstance(given, Mapping) else {}
    word = next((properties[key] for key in KIND_KEYS if isinstance(properties.get(key), str)), None)
    id = next(
        (str(value)[:64] for value in (feature.get("id"), properties.get("id"), properties.get("name"))
         if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip()),
        f"{word or 'feature'}-{number + 1}",
    )  # fmt: skip
    kind = KIND_WORDS.get(str(word).strip().lower().replace("-", "_").replace(" ", "_")) if word else None
    if kind is None:
        known = ", ".join(one.value for one in FeatureKind)
        raise InvalidInput(f"feature {id!r} has the kind {str(word)[:40]!r}", hint=f"kind is one of {known}")
    title = f"{kind.value} {id!r}"
    geometry = feature.get("geometry")
    if not isinstance(geometry, Mapping):
        raise InvalidInput(f"{title} has no geometry")
    _check_positions(geometry, title, metres=to_degrees is not None)
    try:
        made = shape(dict(geometry))
    except Exception as error:  # shapely raises many kinds for many malformed geometries
        raise InvalidInput(f"{title} has a geometry that cannot be read: {str(error)[:120]}") from error
    if made.is_empty:
        raise InvalidInput(f"{title} is empty", hint="draw it or leave it out")
    if to_degrees is not None:
        made = transformed(made, to_degrees.transform)
    width = _number(properties, ("width_m", "width"), title)
    if width is not None and not 0.0 < width <= 1_000.0:
        raise InvalidInput(
            f"{title} has a width of {width:g} m", hint="give metres above 0; to close it, say open: false"
        )
    capacity = _number(properties, ("capacity",), title)
    if capacity is not None and capacity < 0:
        raise InvalidInput(f"{title} has a capacity below 0")
    people = _number(properties, ("people", "count", "occupancy", "persons", "population", "agents"), title)
    if people is not None and not 0 <= people <= 1e7:
        raise InvalidInput(f"{title} has {people:g} people")
    name = properties.get("name")
    return VenueShape(
        id=id,
        name=str(name)[:200] if isinstance(name, str) and name.strip() else id,
        kind=kind,
        geometry=made,
        width_m=width,
        open=_is_open(properties, title),
        capacity=None if capacity is None else int(capacity),
        people=people,
        speed_factor=_speed_factor(properties, title),
    )


def _speed_factor(properties: Mapping[str, object], title: str) -> float:
    stairs = properties.get("stairs")
    if stairs is not None and stairs is not False:
        word = str(stairs).strip().lower()
        if word not in STAIRS:
            raise InvalidInput(f"{title}: stairs is {word[:40]!r}", hint="say up or down: where those go who leave")
        return STAIRS[word]
    factor = _number(properties, ("speed_factor",), title)
    if factor is not None and not 0.05 <= factor <= 1.0:
        raise InvalidInput(f"{title} has a speed_factor of {factor:g}", hint="give a share from 0.05 to 1")
    return 1.0 if factor is None else factor


def _number(properties: Mapping[str, object], keys: Sequence[str], title: str) -> float | None:
    for key in keys:
        value = properties.get(key)
        if value is None or value == "":
            continue
        try:
            number = float(str(value).removesuffix("m").strip()) if isinstance(value, str) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidInput(f"{title}: {key} is {str(value)[:40]!r}, which is no number") from error
        if isinstance(value, bool) or not math.isfinite(number):
            raise InvalidInput(f"{title}: {key} is no finite number")
        return number
    return None


def _is_open(properties: Mapping[str, object], title: str) -> bool:
    if "closed" in properties and "open" not in properties:
        return not properties["closed"]
    value = properties.get("open", True)
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "yes", "open", "1", "none", ""):
        return True
    if word in ("false", "no", "closed", "0"):
        return False
    raise InvalidInput(f"{title}: open is {word[:40]!r}", hint="give true or false")


def _check_positions(geometry: Mapping[str, object], title: str, *, metres: bool) -> None:
    """Every number finite, and within what longitude and latitude can be."""
    stack: list[object] = [geometry.get("coordinates"), *list_of(geometry.get("geometries"))]
    visited = 0
    while stack:
        entry = stack.pop()
        visited += 1
        if visited > VERTEX_LIMIT:
            raise InvalidInput(f"{title} has more than {VERTEX_LIMIT} vertices", hint="simplify it")
        if isinstance(entry, Mapping):
            stack.append(entry.get("coordinates"))
            continue
        if not isinstance(entry, Sequence) or isinstance(entry, str):
            raise InvalidInput(f"{title} has a geometry that cannot be read: coordinates are missing or no list")
        if entry and all(isinstance(value, int | float) and not isinstance(value, bool) for value in entry):
            # Compared before it is made a float, which a number of hundreds of digits cannot be.
            numbers = [value for value in entry if isinstance(value, int | float)]
            position = [float(value) for value in numbers if abs(value) < FARTHEST]
            if len(position) < max(2, len(numbers)):
                raise InvalidInput(f"{title} has a position that is no pair of numbers: {str(entry)[:60]}")
            if not metres and (abs(position[0]) > 180 or abs(position[1]) > 90):
                raise InvalidInput(
                    f"{title} has the position {position[0]:g}, {position[1]:g}, which is not longitude, latitude",
                    hint="longitude comes first; coordinates are degrees (WGS 84), or name another system under crs",
                )
        else:
            stack.extend(entry)


def list_of(value: object) -> list[object]:
    """The entries of a list; none of anything else."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def _vertices(geometry: BaseGeometry) -> int:
    return int(shapely.get_num_coordinates(geometry))


def _foreign_crs(content: Mapping[str, object]) -> pyproj.Transformer | None:
    """From an older GeoJSON's coordinate system to WGS 84, if it names one."""
    given = content.get("crs")
    if given is None:
        return None
    name = given
    if isinstance(given, Mapping):
        properties = given.get("properties")
        name = properties.get("name") if isinstance(properties, Mapping) else None
    if not isinstance(name, str) or len(name) > 200:
        raise InvalidInput("crs names no coordinate system", hint="leave it out for WGS 84, or name e.g. EPSG:32633")
    if "CRS84" in name or name.upper().replace("URN:OGC:DEF:CRS:", "").replace("::", ":") == "EPSG:4326":
        return None
    try:
        return pyproj.Transformer.from_crs(pyproj.CRS.from_user_input(name), "EPSG:4326", always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise InvalidInput(f"crs {name[:80]!r} is unknown", hint="name e.g. EPSG:32633") from error


def _middle(geometry: BaseGeometry) -> Point:
    """Of the bounds: a polygon that crosses itself has no centroid that means anything."""
    west, south, east, north = geometry.bounds
    return Point((west + east) / 2, (south + north) / 2)


def _check_extent(shapes: Sequence[VenueShape], *, checked: bool) -> None:
    """Nothing planet-sized, nothing far away from the rest, no latitude first."""
    for one in shapes:
        west, south, east, north = one.geometry.bounds
        scale = math.cos(math.radians((south + north) / 2)) * 111_320.0
        extent = max((east - west) * scale, (north - south) * 111_320.0)
        if extent > WIDEST_M:
            raise InvalidInput(
                f"{one.title} is {extent / 1000:,.0f} km wide; a venue has at most {WIDEST_M / 1000:g} km",
                hint="are its coordinates degrees, longitude first?",
            )
    walkable = [one for one in shapes if one.kind is FeatureKind.WALKABLE]
    if not walkable:
        raise InvalidInput("the venue has no walkable area", hint="draw a polygon of kind walkable")
    middle = _middle(walkable[0].geometry)
    for one in shapes:
        here = _middle(one.geometry)
        scale = math.cos(math.radians(middle.y)) * 111_320.0
        away = math.hypot((here.x - middle.x) * scale, (here.y - middle.y) * 111_320.0)
        if away > WIDEST_M:
            swapped = math.hypot((here.y - middle.x) * scale, (here.x - middle.y) * 111_320.0) < WIDEST_M
            raise InvalidInput(
                f"{one.title} lies {away / 1000:,.0f} km away from {walkable[0].title}",
                hint="its latitude and longitude are swapped" if swapped else "are its coordinates right?",
            )
    west, south, east, north = EUROPE
    inside = west <= middle.x <= east and south <= middle.y <= north
    if not checked and not inside and west <= middle.y <= east and south <= middle.x <= north:
        raise InvalidInput(
            f"{walkable[0].title} lies at longitude {middle.x:.4f}, latitude {middle.y:.4f}:"
            " latitude seems to come first",
            hint='GeoJSON has longitude first; if the place is right, put "coordinates_checked": true beside "type"',
        )
