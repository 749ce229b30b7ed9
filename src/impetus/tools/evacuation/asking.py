"""What the live tool is asked for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class PlanWanted(BaseModel):
    """A plan; rules and procedures that ask give the place only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: Annotated[str, Field(title="Venue (empty: the nearest to the place)", max_length=64)] = ""
    people: Annotated[int, Field(title="People (0: from counters)", ge=0, le=50_000)] = 0
    threat: Annotated[Literal["none", "gunman", "vehicle", "bomb", "plume", "fire"], Field(title="Threat")] = "gunman"
    longitude: Annotated[float | None, Field(title="Longitude of the threat", ge=-180, le=180)] = None
    latitude: Annotated[float | None, Field(title="Latitude of the threat", ge=-90, le=90)] = None
    budget_s: Annotated[float, Field(title="Seconds to look for it (0: as set)", ge=0, le=240)] = 0.0


class PlanChosen(BaseModel):
    """A plan of a result, by its number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(max_length=128)] = ""
    number: Annotated[int, Field(ge=-1, le=50)] = 0
    """-1: nearest exits."""
    reason: Annotated[str, Field(max_length=1_000)] = ""


class PlanChanged(BaseModel):
    """What a person wants otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(max_length=128)] = ""
    closed: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    opened: Annotated[tuple[str, ...], Field(max_length=100)] = ()


class VenueDrawn(BaseModel):
    """A venue from the editor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: dict[str, Any] = Field(default_factory=dict)
    """GeoJSON FeatureCollection."""
