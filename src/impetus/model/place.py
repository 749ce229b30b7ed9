"""Where something is: GeoJSON geometries (RFC 7946) in WGS 84, bounded in size."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from impetus.model.base import Line, Value

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Position = tuple[Longitude, Latitude]
"""Longitude first, as GeoJSON has it, in degrees."""

Ring = Annotated[tuple[Position, ...], Field(min_length=4, max_length=10_000)]


class Point(Value):
    """One position."""

    type: Literal["Point"] = "Point"
    coordinates: Position


class LineString(Value):
    """A line of two or more positions."""

    type: Literal["LineString"] = "LineString"
    coordinates: Annotated[tuple[Position, ...], Field(min_length=2, max_length=10_000)]


class Polygon(Value):
    """An outer ring and its holes; the first position of a ring is also its last."""

    type: Literal["Polygon"] = "Polygon"
    coordinates: Annotated[tuple[Ring, ...], Field(min_length=1, max_length=1_000)]

    @model_validator(mode="after")
    def _rings_are_closed(self) -> Polygon:
        for number, ring in enumerate(self.coordinates):
            if ring[0] != ring[-1]:
                raise ValueError(f"ring {number} is not closed: repeat its first position at its end")
        return self


Geometry = Annotated[Point | LineString | Polygon, Field(discriminator="type")]


class Place(Value):
    """A geometry and what people call it."""

    geometry: Geometry
    name: Line | None = None

    @property
    def centre(self) -> Position:
        """A position that stands for the place: the point itself, or the mean of the (outer) vertices."""
        geometry = self.geometry
        if isinstance(geometry, Point):
            return geometry.coordinates
        positions = geometry.coordinates if isinstance(geometry, LineString) else geometry.coordinates[0][:-1]
        return (
            sum(position[0] for position in positions) / len(positions),
            sum(position[1] for position in positions) / len(positions),
        )
