"""Settings of the tool `evacuation`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from impetus.sdk import ToolSettings


class EvacuationSettings(ToolSettings):
    """What a city may set. How people walk is fixed, and stands in the card."""

    venues_folder: Annotated[Path | None, Field(title="Folder of venues")] = None
    """GeoJSON files of the city's own venues, beside the shipped ones."""
    budget_s: Annotated[float, Field(title="Seconds for a live plan", ge=3, le=240)] = 24.0
    """How long a live plan is improved after its first proposal."""
    verify: Annotated[bool, Field(title="Verify with JuPedSim")] = True
    """Whether finalists are run in JuPedSim as well."""
    processes: Annotated[int, Field(title="Processes for JuPedSim", ge=1, le=64)] = 2
    """JuPedSim runs side by side in so many processes."""
    people_pm2: Annotated[float, Field(title="People where nothing counts them, 1/m2", ge=0, le=5)] = 0.15
    """How many people a square metre are taken to be where a venue has no people counter with a recent reading."""
    counter_age_s: Annotated[float, Field(title="Oldest count used, in seconds", gt=0, le=86_400)] = 1_800.0
    """Counts older than this are not used."""
    place_m: Annotated[float, Field(title="Distance of a threat in metres", gt=0, le=5_000)] = 150.0
    """A threat belongs to the nearest venue within this distance."""
    sight_m: Annotated[float, Field(title="Range of a gunman in metres", gt=0, le=1_000)] = 60.0
    """Whoever is in line of sight within this distance counts as exposed."""
