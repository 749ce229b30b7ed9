"""The map: where it looks, and the city's own shapes."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.listing import plain
from impetus.api.problem import JsonResponse
from impetus.api.resource import Resource
from impetus.model import Permission, Unavailable

resource = Resource("/map", "map")

EMPTY = b'{"type":"FeatureCollection","features":[]}'


class MapView(BaseModel):
    """What the map shows beneath the city's own data; `tiles` and `wms` are null where there is no such service."""

    centre: tuple[float, float]
    """Longitude and latitude in degrees."""
    zoom: int
    tiles: str | None
    wms: str | None
    wms_layers: str
    attribution: str
    time_zone: str
    """Time zone in which the pages show times."""


@resource.get("/settings", Permission.OBSERVATIONS_READ, MapView)
async def read_map_settings(caller: Caller, hub: Hub) -> Response:
    """Where the map looks first, and which background it has."""
    settings = hub.settings.map
    return plain(
        {
            "centre": [settings.longitude, settings.latitude],
            "zoom": settings.zoom,
            "tiles": settings.tiles,
            "wms": settings.wms,
            "wms_layers": settings.wms_layers,
            "attribution": settings.attribution,
            "time_zone": hub.time_zone,
        }
    )


@resource.get("/base", Permission.OBSERVATIONS_READ)
async def read_map_base(caller: Caller, hub: Hub, request: Request) -> Response:
    """The city's shapes (GeoJSON FeatureCollection), drawn where there is no tile server."""
    path = hub.settings.map.base
    if path is None:
        return JsonResponse(EMPTY)
    try:
        changed = await asyncio.to_thread(lambda: path.stat().st_mtime_ns)
        content, tag = await asyncio.to_thread(_load, path, changed)
    except OSError as error:
        raise Unavailable(
            "The map's base cannot be read.", hint="Check the setting api.map.base and the file that it names."
        ) from error
    # It may be large and hardly ever changes: a browser asks only whether it did.
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/geo+json", headers=headers)


@lru_cache(maxsize=2)
def _load(path: Path, changed_ns: int) -> tuple[bytes, str]:
    content = path.read_bytes()
    return content, f'"{changed_ns:x}-{len(content):x}"'
