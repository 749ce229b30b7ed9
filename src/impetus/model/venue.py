"""A public space that can be evacuated: one GeoJSON FeatureCollection."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from impetus.model.base import Identifier, Line, Value
from impetus.model.place import Geometry


class FeatureKind(StrEnum):
    """What a feature of a venue is."""

    WALKABLE = "walkable"
    OBSTACLE = "obstacle"
    EXIT = "exit"
    GATE = "gate"
    ZONE = "zone"
    RESPONDER_ENTRY = "responder_entry"
    SENSOR = "sensor"


class VenueProperties(Value):
    """What is known of a feature beside its shape."""

    kind: FeatureKind
    name: Line | None = None
    width_m: Annotated[float, Field(gt=0, le=1_000)] | None = None
    open: bool = True
    capacity: Annotated[int, Field(ge=0, le=10_000_000)] | None = None


class VenueFeature(Value):
    """One feature of a venue."""

    type: Literal["Feature"] = "Feature"
    id: Identifier
    geometry: Geometry
    properties: VenueProperties


class Venue(Value):
    """A square, street or building with its exits, obstacles and zones."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    id: Identifier
    name: Line
    features: Annotated[tuple[VenueFeature, ...], Field(max_length=10_000)]
