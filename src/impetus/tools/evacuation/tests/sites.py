"""Small venues that the tests share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from impetus.tools.evacuation.verification import degrees, line, rectangle


def feature(id: str, kind: str, geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    """One feature."""
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": {"kind": kind, **properties}}


def collection(*features: dict[str, Any], **more: object) -> dict[str, Any]:
    """A venue."""
    return {"type": "FeatureCollection", "features": list(features), **more}


def two_doors(**west: object) -> dict[str, Any]:
    """A room of 20 m x 12 m with a door of 1 m in the west and one of 4 m in the east."""
    return collection(
        feature("room", "walkable", rectangle(0, 0, 20, 12)),
        feature("west", "exit", line((0, 5), (0, 6)), **west),
        feature("east", "exit", line((20, 4), (20, 8))),
        feature("left-half", "zone", rectangle(1, 1, 9, 11)),
    )


def written(folder: Path, content: object, name: str = "venue.geojson") -> str:
    """A file with that content."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


__all__ = ["collection", "degrees", "feature", "line", "rectangle", "two_doors", "written"]
