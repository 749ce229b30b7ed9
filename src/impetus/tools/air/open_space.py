"""Where a source may be: the open space of a street map, as a grid for the search."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from impetus.model import ConfigurationError
from impetus.tools.air.arrays import Booleans, Floats
from impetus.tools.air.plane import Plane
from impetus.tools.air.release import Box

LARGEST_BYTES = 20_000_000
CELLS = 300
"""On a side of the box: cells of 10 m in the box of 3 km in which a source is sought."""
REACH_DEG = 7.0 / 111_000.0
"""Half the diagonal of such a cell: a street that only touches a cell must not fall through the grid."""


@lru_cache(maxsize=4)
def read_open_space(path: Path) -> BaseGeometry:
    """All areas of a GeoJSON file as one, in degrees, and a little further: what lies within half a cell of them.

    Raises ConfigurationError if the file is missing, too large, or holds no area.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ConfigurationError(f"{path.name} is too large for a map of open space")
        content = json.loads(path.read_text(encoding="utf-8"))
        features = content["features"] if content["type"] == "FeatureCollection" else [{"geometry": content}]
        areas = [shape(feature["geometry"]).buffer(0) for feature in features if feature.get("geometry")]
    except ConfigurationError:
        raise
    except Exception as error:  # shapely raises many kinds for what is no geometry
        raise ConfigurationError(f"{path.name} cannot be read as GeoJSON: {error}") from error
    areas = [area for area in areas if not area.is_empty and area.geom_type in ("Polygon", "MultiPolygon")]
    if not areas:
        raise ConfigurationError(f"{path.name} holds no area", hint="give Polygons or MultiPolygons in WGS 84")
    space = shapely.unary_union(areas).buffer(REACH_DEG, quad_segs=2)
    shapely.prepare(space)
    return space


@lru_cache(maxsize=8)
def open_cells(space: BaseGeometry, plane: Plane, box: Box) -> tuple[Floats, Floats, Booleans] | None:
    """East and north of cells over the box, and which are open (rows north), as `Release.allowed` takes them; None
    where none is: a map that ends elsewhere must not forbid everything."""
    east = np.linspace(box.west, box.east, CELLS)
    north = np.linspace(box.south, box.north, CELLS)
    west, south = plane.to_degrees(box.west, box.south)
    right, top = plane.to_degrees(box.east, box.north)
    longitude, latitude = np.meshgrid(np.linspace(west, right, CELLS), np.linspace(south, top, CELLS))
    found: Booleans = np.asarray(shapely.contains_xy(space, longitude, latitude), dtype=np.bool_)
    return (east, north, found) if found.any() else None
