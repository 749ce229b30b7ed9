"""Settings of the tool `workload`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from impetus.sdk import ToolSettings

LEAST_TEAM = 5
"""Nothing is said of fewer people together, whatever is set."""


class SourceKind(StrEnum):
    """Where signals come from."""

    NONE = "none"
    """Nowhere: ratings and the console only."""
    LSL = "lsl"
    """Lab Streaming Layer, over the local network."""
    REPLAY = "replay"
    """Recordings in a folder."""
    SIMULATOR = "simulator"
    """Invented people whose hearts follow what they hold: for exercises and the demo."""


class WorkloadSettings(ToolSettings):
    """What a control room may set."""

    works_agreement: Annotated[str, Field(title="Works agreement", max_length=300)] = ""
    """Which agreement with the staff's representatives allows this, with its date; without one nothing is processed."""
    source: Annotated[SourceKind, Field(title="Source of signals")] = SourceKind.NONE
    """`none`, `lsl`, `replay` or `simulator`."""
    replay_folder: Annotated[Path | None, Field(title="Folder of recordings")] = None
    """Of the source `replay`: a file `DEVICE.csv` or `DEVICE.edf` for each device."""
    replay_rate_hz: Annotated[float, Field(title="Rate of recordings in Hz", ge=50, le=4_000)] = 250.0
    """How many samples a second recordings have that do not say it themselves."""
    rest_s: Annotated[float, Field(title="Seconds of rest", ge=20, le=3_600)] = 300.0
    """So much signal is needed to know what is usual for a person, before anything is said."""
    estimate_every_s: Annotated[float, Field(title="Seconds between estimates", ge=1, le=60)] = 1.5
    """How often the state of each person is worked out."""
    rating_every_min: Annotated[float, Field(title="Minutes between ratings", ge=5, le=240)] = 30.0
    """After so many minutes the page asks for a rating of the load anew."""
    team_at_least: Annotated[int, Field(title="Fewest people of a team", ge=LEAST_TEAM, le=1_000)] = LEAST_TEAM
    """So many people at least; the supervisor is shown the state of no smaller a group."""
    overloaded_share: Annotated[float, Field(title="Share of the team that is overloaded", gt=0, le=1)] = 0.5
    """From so many on, the team counts as overloaded."""
    sustained_s: Annotated[float, Field(title="Seconds of overload until a proposal", ge=10, le=7_200)] = 180.0
    """The team must be overloaded for so long before anything is proposed, and twice as long before an alert."""
    usual_cap: Annotated[int, Field(title="Alerts held at once", ge=2, le=1_000)] = 10
    """How many alerts the house lets an operator hold (`situation.held_at_most`)."""
    least_cap: Annotated[int, Field(title="Least alerts held at once", ge=1, le=1_000)] = 3
    """How many alerts an operator may hold after any proposal: none goes lower."""
    rotate_after_h: Annotated[float, Field(title="Hours until a break is proposed", ge=0.5, le=24)] = 2.0
    """After so many hours of work, to somebody who is overloaded and shares their state."""
    hours_awake_before: Annotated[float, Field(title="Hours awake before the shift", ge=0, le=24)] = 2.0
    """How many hours somebody is supposed to have been awake, for the fatigue of the shift."""
    time_zone: Annotated[str, Field(title="Time zone", max_length=64)] = "UTC"
    """The zone of the control room, as in `Europe/Oslo`: fatigue follows the time of day."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {name!r}; write it as in Europe/Oslo") from error
        return name
