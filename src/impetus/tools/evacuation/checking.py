"""What `impetus evacuation validate` says of a venue."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import shapely

from impetus.tools.evacuation.features import VenueFile
from impetus.tools.evacuation.fields import FAR
from impetus.tools.evacuation.ground import make_ground
from impetus.tools.evacuation.people import DENSEST_PM2
from impetus.tools.evacuation.ways import make_ways


def check_venue(source: VenueFile) -> dict[str, Any]:
    """Figures of a sound venue. Raises `InvalidInput` that names what is wrong."""
    ground = make_ground(source)
    ways = make_ways(ground)
    remarks = list(ground.remarks)
    unreached = ways.walkable & (ways.distance.min(axis=0) >= FAR) & (ways.leaves < 0)
    lost_m2 = float(unreached.sum()) * ways.cell_m**2
    if lost_m2 > 1.0:
        rows, columns = np.nonzero(unreached)
        x, y = ways.left + columns.mean() * ways.cell_m, ways.bottom + rows.mean() * ways.cell_m
        remarks.append(f"{lost_m2:.0f} m2 around {x:.0f} m east, {y:.0f} m north of the middle have no way out")
    for number, door in enumerate(ways.exits):
        if not (ways.distance[number] < FAR).any():
            remarks.append(f"exit {door!r} cannot be reached")
    return {
        "valid": True,
        "id": ground.id,
        "name": ground.name,
        "area_m2": round(ground.inner.area),
        "holds": math.floor(ground.inner.area * DENSEST_PM2),
        "longitude": ground.longitude,
        "latitude": ground.latitude,
        "exits": [
            {
                "id": one.id,
                "name": one.name,
                "width_m": round(one.width_m, 2),
                "open": one.open,
                "capacity": one.capacity,
            }
            for one in ground.exits
        ],
        "gates": [{"id": one.id, "open": one.open} for one in ground.gates],
        "zones": [one.id for one in ground.zones],
        "responder_entries": list(ground.entries),
        "sensors": list(ground.sensors),
        "remarks": remarks,
    }


def venue_document(source: VenueFile) -> dict[str, Any]:
    """A venue as GeoJSON in the tool's own words."""
    features = []
    for one in source.shapes:
        properties: dict[str, Any] = {"kind": one.kind.value, "name": one.name}
        if one.width_m is not None:
            properties["width_m"] = one.width_m
        if not one.open:
            properties["open"] = False
        if one.capacity is not None:
            properties["capacity"] = one.capacity
        if one.speed_factor < 1.0:
            properties["speed_factor"] = one.speed_factor
        if one.people is not None:
            properties["people"] = one.people
        features.append(
            {
                "type": "Feature",
                "id": one.id,
                "geometry": json.loads(shapely.to_geojson(one.geometry)),
                "properties": properties,
            }
        )
    return {"type": "FeatureCollection", "id": source.id, "name": source.name, "coordinates_checked": True,
            "features": features}  # fmt: skip
