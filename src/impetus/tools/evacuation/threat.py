"""Where it is dangerous, and when: sight of a gunman, corridors of a vehicle, a blast's circle, zones of a plume.

Exposure is time spent where it is dangerous, in person-seconds. What happens to people there is not predicted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from impetus.model import InvalidInput
from impetus.tools.evacuation.arrays import Booleans, Bytes, Floats, Singles
from impetus.tools.evacuation.compiled import compiled
from impetus.tools.evacuation.ground import Ground
from impetus.tools.evacuation.motion import crosses
from impetus.tools.evacuation.populate import area_of
from impetus.tools.evacuation.scenario import Threat
from impetus.tools.evacuation.ways import Ways, cover

OUTSIDE_M = 200.0
"""A threat further away than this from the walkable area is refused."""
SIGHT_M, BLAST_M, FIRE_M = 60.0, 50.0, 15.0
SPEEDS_MPS = {"gunman": 1.2, "vehicle": 10.0}
AVOID_M = 15.0
"""People and plans keep so far away from where a threat stands."""
RASTER_M = 1.0
AHEAD_S = 8.0
"""A vehicle endangers who is where it will be within so many seconds."""


@dataclass(frozen=True)
class Danger:
    """A threat on the ground: a raster of 1 m of who is in danger at a moment."""

    threat: Threat
    ground: Ground
    left: float
    bottom: float
    opaque: Bytes
    """(rows, columns): 1 where nobody stands."""
    walls: Floats
    """(n, 4): segments that end sight."""
    path: Floats
    """(n, 2) in metres."""
    zones: Sequence[tuple[float, BaseGeometry]]
    """Of a plume: from when (s), where."""

    def active(self, time_s: float) -> bool:
        """Whether it is dangerous at that moment."""
        end_s = math.inf if self.threat.end_s is None else self.threat.end_s
        return self.threat.start_s <= time_s <= end_s

    def position(self, time_s: float) -> tuple[float, float]:
        """Where it is at that moment."""
        speed = self.threat.speed_mps
        if speed is None:
            speed = SPEEDS_MPS.get(self.threat.kind, 0.0)
        walked = max(0.0, time_s - self.threat.start_s) * speed
        for (ax, ay), (bx, by) in zip(self.path[:-1], self.path[1:], strict=True):
            length = math.hypot(bx - ax, by - ay)
            if walked <= length and length > 0:
                return ax + (bx - ax) * walked / length, ay + (by - ay) * walked / length
            walked -= length
        return float(self.path[-1, 0]), float(self.path[-1, 1])

    def raster(self, time_s: float) -> Booleans:
        """(rows, columns) of 1 m: where people are in danger at that moment."""
        if not self.active(time_s):
            return np.zeros(self.opaque.shape, dtype=np.bool_)
        kind = self.threat.kind
        if kind == "plume" or not len(self.path):
            begun = [start for start, _ in self.zones if start <= time_s]
            shapes = [area for start, area in self.zones if begun and start == max(begun)]
            return self._covered(unary_union(shapes)) if shapes else np.zeros(self.opaque.shape, dtype=np.bool_)
        x, y = self.position(time_s)
        if kind == "vehicle":
            points = [self.position(time_s + lead) for lead in np.linspace(0.0, AHEAD_S, 9)]
            line = LineString(points) if len(set(points)) > 1 else Point(points[0])
            return self._covered(line.buffer(self.threat.width_m / 2))
        rows, columns = self.opaque.shape
        grid_x, grid_y = np.meshgrid(
            self.left + (np.arange(columns) + 0.5) * RASTER_M, self.bottom + (np.arange(rows) + 0.5) * RASTER_M
        )
        seen = in_sight(x, y, grid_x.ravel(), grid_y.ravel(), self._reach_m(), self.walls).reshape(rows, columns)
        return np.asarray(seen & (self.opaque == 0), dtype=np.bool_)

    def _reach_m(self) -> float:
        return self.threat.range_m or {"gunman": SIGHT_M, "bomb": BLAST_M}.get(self.threat.kind, FIRE_M)

    def endangered(self, time_s: float, x: Floats, y: Floats) -> Booleans:
        """Who is in danger at that moment."""
        if self.active(time_s) and self.threat.kind not in ("plume", "vehicle") and len(self.path):
            return in_sight(*self.position(time_s), x, y, self._reach_m(), self.walls)
        raster = self.raster(time_s)
        rows, columns = raster.shape
        column = np.clip(((x - self.left) / RASTER_M).astype(np.int64), 0, columns - 1)
        row = np.clip(((y - self.bottom) / RASTER_M).astype(np.int64), 0, rows - 1)
        return raster[row, column]

    def avoided(self) -> Sequence[BaseGeometry]:
        """Places from which ways keep away: around where it is at first, along a vehicle's road, in a plume."""
        if self.threat.kind == "plume" or not len(self.path):
            return [area for _, area in self.zones]
        if self.threat.kind == "vehicle" and len(self.path) > 1:
            return [LineString(self.path).buffer(self.threat.width_m / 2 + 2.0)]
        return [Point(*self.path[0]).buffer(AVOID_M)]

    def mean_raster(self, until_s: float) -> Singles:
        """Share of the time until then that each square metre is in danger: for the quick estimate."""
        times = np.linspace(0.0, max(until_s, 1.0), 13)
        rasters = [self.raster(float(time_s)) for time_s in times]
        return np.asarray(np.mean(rasters, axis=0), dtype=np.float32)

    def _covered(self, area: BaseGeometry) -> Booleans:
        rows, columns = self.opaque.shape
        xs = self.left + (np.arange(columns) + 0.5) * RASTER_M
        ys = self.bottom + (np.arange(rows) + 0.5) * RASTER_M
        return cover(area, xs, ys)


def make_danger(threat: Threat, ways: Ways) -> Danger:
    """A scenario's threat on a ground. Raises `InvalidInput` if it lies outside or says nowhere."""
    ground = ways.ground
    rows = math.ceil(ways.walkable.shape[0] * ways.cell_m / RASTER_M)
    columns = math.ceil(ways.walkable.shape[1] * ways.cell_m / RASTER_M)
    xs = ways.left + (np.arange(columns) + 0.5) * RASTER_M
    ys = ways.bottom + (np.arange(rows) + 0.5) * RASTER_M
    opaque = (~cover(ground.area, xs, ys)).astype(np.int8)
    path = np.array([ground.to_metres(*spot) for spot in threat.path]).reshape(-1, 2)
    zones: list[tuple[float, BaseGeometry]] = []
    for zone in threat.zones:
        geometry = zone.get("geometry")
        probability = zone.get("probability", 0.5)
        if isinstance(geometry, dict) and (not isinstance(probability, int | float) or probability >= 0.5):
            lead = zone.get("lead_s", zone.get("start_s", 0.0))
            begin = float(lead) if isinstance(lead, int | float) else 0.0
            zones.append((threat.start_s + begin, area_of(geometry, ground, "a zone of the threat")))
    if threat.area is not None:
        zones.append((threat.start_s, area_of(threat.area, ground, "the threat's area")))
    if threat.kind == "plume" and not zones and len(path):
        zones.append((threat.start_s, Point(*path[0]).buffer(threat.range_m or BLAST_M)))
    if not len(path) and not zones:
        raise InvalidInput("the threat has no place", hint="give at: [longitude, latitude], a path or an area")
    if threat.kind == "vehicle" and len(path) == 1:
        raise InvalidInput("a vehicle needs a path of two or more positions", hint="path: [[lon, lat], [lon, lat]]")
    for spot, (x, y) in zip(threat.path, path, strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            raise InvalidInput("the threat's position is not longitude, latitude")
        if threat.kind != "vehicle":
            _check_near(ground, Point(x, y), spot)
    if threat.kind == "vehicle" and len(path) > 1:
        _check_near(ground, LineString(path), threat.path[0])
    if zones and not any(area.distance(ground.area) < OUTSIDE_M for _, area in zones):
        away = min(area.distance(ground.area) for _, area in zones)
        raise InvalidInput(f"the threat's area lies outside of the venue, {away:,.0f} m away")
    return Danger(
        threat, ground, ways.left, ways.bottom, opaque, ways.walls, path, tuple(sorted(zones, key=lambda one: one[0]))
    )


def _check_near(ground: Ground, place: BaseGeometry, spot: Sequence[float]) -> None:
    away = place.distance(ground.area)
    if away > OUTSIDE_M:
        swapped = False
        if abs(spot[0]) <= 90:
            x, y = ground.to_metres(spot[1], spot[0])
            swapped = math.isfinite(x) and Point(x, y).distance(ground.area) <= OUTSIDE_M
        raise InvalidInput(
            f"the threat at {spot[0]:g}, {spot[1]:g} lies outside of the venue, {away:,.0f} m away",
            hint="latitude and longitude are swapped" if swapped else "give longitude, latitude near the venue",
        )


@compiled
def in_sight(px: float, py: float, x: Floats, y: Floats, reach_m: float, walls: Floats) -> Booleans:
    """Who of (x, y) is within reach of a point and not hidden by a wall (n, 4).

    The first metre counts as clear, so that somebody in a doorway or at a window sees out.
    """
    count = x.shape[0]
    seen = np.zeros(count, dtype=np.bool_)
    near = np.zeros(walls.shape[0], dtype=np.int64)
    found = 0
    for wall in range(walls.shape[0]):
        left, right = min(walls[wall, 0], walls[wall, 2]), max(walls[wall, 0], walls[wall, 2])
        low, high = min(walls[wall, 1], walls[wall, 3]), max(walls[wall, 1], walls[wall, 3])
        if left <= px + reach_m and right >= px - reach_m and low <= py + reach_m and high >= py - reach_m:
            near[found] = wall
            found += 1
    for person in range(count):
        dx, dy = x[person] - px, y[person] - py
        away = math.sqrt(dx * dx + dy * dy)
        if away > reach_m:
            continue
        part = min(1.0, 0.5 * away) / max(away, 1e-9)
        ax, ay = px + part * dx, py + part * dy
        clear = True
        for index in range(found):
            wall = near[index]
            if crosses(
                ax, ay, x[person], y[person], walls[wall, 0], walls[wall, 1], walls[wall, 2], walls[wall, 3]
            ):  # fmt: skip
                clear = False
                break
        seen[person] = clear
    return seen


def geometry_of(danger: Danger) -> BaseGeometry:
    """The threat's first place in metres, for a map."""
    if len(danger.path):
        return Point(*danger.path[0]) if len(danger.path) == 1 else LineString(danger.path)
    return shapely.union_all([area for _, area in danger.zones])


def plume_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The air tool's hazard zone as a threat: at its first level, likely, by lead time."""
    zones = content.get("zones")
    made = []
    levels: list[str] = []
    for zone in zones if isinstance(zones, list) else []:
        if not isinstance(zone, Mapping) or not isinstance(zone.get("geometry"), Mapping):
            continue
        level = str(zone.get("level"))
        if level not in levels:
            levels.append(level)
        probability = zone.get("probability", 0.5)
        if level == levels[0] and isinstance(probability, int | float) and probability >= 0.5:
            made.append({"lead_s": zone.get("lead_s", 0), "geometry": zone["geometry"], "probability": probability})
    if not made:
        raise InvalidInput("the hazard zone has no area")
    return {"kind": "plume", "zones": made[:20]}
