"""How much of what is dangerous: acute exposure guideline levels of gases, and levels that a city sets for the rest."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.air.quantities import gas_gpm3

TABLE = Path(__file__).with_name("guidelines.toml")


@dataclass(frozen=True, slots=True)
class Level:
    """A concentration from which people are in a kind of danger."""

    id: str
    """`aegl-1`, `aegl-2`, `aegl-3`, or `level-1` ... of a city's own."""
    title: str
    concentration: float
    """In the unit of the agent."""


class Agent(BaseModel):
    """One agent of a table."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    title: str = Field(min_length=1, max_length=100)
    source: str = Field(min_length=1, max_length=300)
    molar_mass_gpmol: float = Field(gt=0, le=1_000)
    heavy: bool = False
    """Denser than air when cold or concentrated: a Gaussian plume underrates how it hugs the ground."""
    ppm: Mapping[int, tuple[float, float, float]] = Field(min_length=1)
    """By minutes of exposure: AEGL-1, 2 and 3."""

    def levels(self, exposure_min: float) -> Sequence[Level]:
        """AEGL-1, 2 and 3 in g/m3 for the longest tabulated time not shorter than the exposure (the safer side)."""
        times = sorted(self.ppm)
        chosen = next((time for time in times if time >= exposure_min), times[-1])
        return [
            Level(f"aegl-{number}", f"AEGL-{number} ({chosen} min)", gas_gpm3(1_000 * ppm, self.molar_mass_gpmol))
            for number, ppm in enumerate(self.ppm[chosen], start=1)
        ]


@lru_cache(maxsize=8)
def read_agents(path: Path = TABLE) -> Mapping[str, Agent]:
    """The agents of a table. Raises ConfigurationError if the file is missing or wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path.name} cannot be read as a table of agents: {error}") from error
    try:
        return {
            name: Agent.model_validate({**entry, "ppm": {int(time): row for time, row in entry["ppm"].items()}})
            for name, entry in content.items()
        }
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"{path.name}: an agent is wrong: {error}", hint="copy the form of chlorine"
        ) from error


def agent_of(name: str, path: Path = TABLE) -> Agent:
    """An agent by its name. Raises InvalidInput for one that the table lacks."""
    agents = read_agents(path)
    if name not in agents:
        raise InvalidInput(f"there is no agent {name[:40]!r}", hint=f"known are {', '.join(sorted(agents))}")
    return agents[name]


def dose_level(
    id: str, title: str, dose: float, *, breathing_m3ps: float = 0.00033, exposure_s: float = 600.0
) -> Level:
    """The concentration at which somebody at light activity (20 L/min) inhales a dose within an exposure time."""
    if dose <= 0 or breathing_m3ps <= 0 or exposure_s <= 0:
        raise InvalidInput("a dose, a breathing rate and an exposure time are above 0")
    return Level(id, title, dose / (breathing_m3ps * exposure_s))
