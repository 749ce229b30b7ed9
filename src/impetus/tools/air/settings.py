"""Settings of the tool `air`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from impetus.sdk import ToolSettings


class AirSettings(ToolSettings):
    """What a city may set. How readings are tested and sources located is fixed."""

    sample_s: Annotated[float, Field(title="Seconds a sample", ge=1, le=3_600)] = 20.0
    """Readings of a sensor within so many seconds are averaged to one sample."""
    update_s: Annotated[float, Field(title="Seconds between zones", ge=1, le=3_600)] = 20.0
    """How often the source and the zone of a release are worked out anew."""
    end_s: Annotated[float, Field(title="Seconds until a release is over", ge=10, le=86_400)] = 180.0
    """A zone is called over when nothing was above background for so long."""
    terrain: Annotated[Literal["urban", "rural"], Field(title="Terrain")] = "urban"
    """Which of Briggs' coefficients carry the plume."""
    gas: Annotated[str, Field(title="Gas of the gas sensors", max_length=64)] = "chlorine"
    """Which agent of the table the sensors of `gas-concentration` measure."""
    agents_file: Annotated[Path | None, Field(title="Table of agents")] = None
    """A TOML file like the tool's `guidelines.toml` that replaces it."""
    instruments_file: Annotated[Path | None, Field(title="Table of instruments")] = None
    """A TOML file that says how instruments are reached, what they cannot see, and when they were calibrated."""
    open_space_file: Annotated[Path | None, Field(title="Where a source may be")] = None
    """A GeoJSON file of areas (streets, squares, parks) in which a source is sought; everywhere without it."""
    sensor_height_m: Annotated[float, Field(title="Height of the sensors in metres", ge=0, le=500)] = 3.0
    """Of inlets above the ground, where the table of instruments says nothing else."""
    exposure_min: Annotated[float, Field(title="Exposure in minutes", gt=0, le=480)] = 30.0
    """Guideline levels are drawn for an exposure of this length in minutes."""
    bacteria_cfupm3: Annotated[tuple[float, float, float], Field(title="Levels of bacteria, CFU/m3")] = (1e3, 1e4, 1e5)
    """Three levels in CFU/m3. No authority gives any for unknown bacteria: these are the city's own numbers."""
    bacteria_doses_cfu: Annotated[
        tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None, Field(title="Doses of bacteria, CFU")
    ] = None
    """Three inhaled doses in CFU in place of levels, for an organism whose infectious dose is known: drawn where
    somebody who breathes 20 L/min takes them in within the exposure."""
    particles_pl: Annotated[tuple[float, float, float], Field(title="Levels of particles, 1/L")] = (1e2, 1e3, 1e4)
    """Three levels in fluorescent particles a litre; the city's own as well."""
    future_s: Annotated[float, Field(title="Tolerated clock error in seconds", ge=0, le=86_400)] = 300.0
    """Readings further in the future than this are left out, and the status board says so."""
    alert_age_s: Annotated[float, Field(title="Oldest sample that alerts, in seconds", gt=0, le=86_400)] = 900.0
    """Older samples are learnt from and raise nothing."""
