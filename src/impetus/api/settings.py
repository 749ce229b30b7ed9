"""Settings of the HTTP interface."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from impetus.model.place import Latitude, Longitude


class MapSettings(BaseModel):
    """What the map shows beneath the city's own data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    longitude: Annotated[
        Longitude,
        Field(
            title="Longitude of the centre", description="Where the map looks first.", json_schema_extra={"unit": "deg"}
        ),
    ] = 7.9956
    latitude: Annotated[
        Latitude,
        Field(
            title="Latitude of the centre", description="Where the map looks first.", json_schema_extra={"unit": "deg"}
        ),
    ] = 58.1467
    zoom: Annotated[
        int,
        Field(
            title="Zoom level",
            description="0 is the world, 19 a house.",
            ge=0,
            le=22,
        ),
    ] = 14
    base: Annotated[
        Path | None,
        Field(title="GeoJSON base", description="File with a GeoJSON FeatureCollection that is drawn as the map."),
    ] = None
    tiles: Annotated[
        str | None,
        Field(
            title="Tile address",
            description="Address of a tile server, with {z}, {x} and {y}; empty: only the GeoJSON base is drawn.",
            max_length=500,
            pattern=r"^https?://",
        ),
    ] = None
    wms: Annotated[
        str | None,
        Field(title="WMS address", description="Address of a WMS service.", max_length=500, pattern=r"^https?://"),
    ] = None
    wms_layers: Annotated[str, Field(title="WMS layers", description="Their names, with commas.", max_length=500)] = ""
    attribution: Annotated[
        str, Field(title="Attribution", description="Shown in the corner of the map.", max_length=300)
    ] = ""


class StreamSettings(BaseModel):
    """How live events reach the screens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    readings_interval_s: Annotated[
        float,
        Field(
            title="Readings interval",
            json_schema_extra={"unit": "s"},
            description="How often new readings go to the screens.",
            ge=0.05,
            le=60,
        ),
    ] = 1.0
    ping_interval_s: Annotated[
        float,
        Field(
            title="Ping interval",
            json_schema_extra={"unit": "s"},
            description="How often an idle stream says that it lives.",
            ge=1,
            le=120,
        ),
    ] = 15.0
    client_queue: Annotated[
        int,
        Field(
            title="Client queue",
            description="A client further behind than this is told to reload.",
            ge=10,
            le=100_000,
        ),
    ] = 1_000
    kept_events: Annotated[
        int,
        Field(
            title="Kept events",
            description="Newest events of each organisation that are kept for clients that come back.",
            ge=10,
            le=1_000_000,
        ),
    ] = 5_000
    replayed_messages: Annotated[
        int,
        Field(
            title="Replayed messages",
            description="Messages of the log that are looked through at the start to fill the kept events.",
            ge=0,
            le=10_000_000,
        ),
    ] = 50_000
    check_interval_s: Annotated[
        float,
        Field(
            title="Access check interval",
            json_schema_extra={"unit": "s"},
            description="How soon an open stream ends after its session or token ended.",
            ge=0.1,
            le=60,
        ),
    ] = 2.0
    clients: Annotated[
        int,
        Field(
            title="Clients at once",
            description="More streams are refused.",
            ge=1,
            le=10_000,
        ),
    ] = 500


class ApiSettings(BaseModel):
    """Settings of the HTTP interface."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secure_cookies: Annotated[
        bool,
        Field(title="Secure cookies", description="Switch on where the pages are served over HTTPS."),
    ] = False
    body_limit_bytes: Annotated[
        int,
        Field(
            title="Largest request body",
            json_schema_extra={"unit": "B"},
            description="A larger body is refused.",
            ge=1024,
        ),
    ] = 1024 * 1024
    observations_limit_bytes: Annotated[
        int,
        Field(
            title="Largest body of observations",
            json_schema_extra={"unit": "B"},
            description="A larger body is refused.",
            ge=1024,
            le=8 * 1024 * 1024,
        ),
    ] = 8 * 1024 * 1024
    map: Annotated[MapSettings, Field(title="Map", description="What the map shows beneath the city's own data.")] = (
        MapSettings()
    )
    stream: Annotated[StreamSettings, Field(title="Live stream", description="How live events reach the screens.")] = (
        StreamSettings()
    )
