"""What people ask the tool for: apart from the worker, because pages read it and need none of the libraries."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class DispersionWanted(BaseModel):
    """A release to draw; rules that ask give the place only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: Annotated[str, Field(title="Agent", max_length=64)] = "chlorine"
    rate_gps: Annotated[float, Field(title="Release rate in g/s", gt=0, le=1e6)] = 100.0
    longitude: Annotated[float | None, Field(title="Longitude", ge=-180, le=180)] = None
    latitude: Annotated[float | None, Field(title="Latitude", ge=-90, le=90)] = None
