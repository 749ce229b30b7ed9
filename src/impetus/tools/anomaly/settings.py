"""Settings of the tool `anomaly`."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from impetus.sdk import ToolSettings
from impetus.tools.anomaly.city_calendar import public_holidays
from impetus.tools.anomaly.episodes import LONGEST_WINDOW


class AnomalySettings(ToolSettings):
    """What a city may set. How readings are scored is fixed (`parameters.py`)."""

    time_zone: Annotated[str, Field(title="Time zone", max_length=64)] = "UTC"
    """The zone whose days and weeks the streams follow, as in `Europe/Oslo`."""
    holidays_country: Annotated[str, Field(title="Country of the holidays", pattern=r"^([A-Z]{2})?$")] = ""
    """Two letters, as in `NO` or `IT`: its public holidays are expected as Sundays. Empty: no day is a holiday."""
    holidays_subdivision: Annotated[
        str, Field(title="Part of the country of the holidays", pattern=r"^[A-Za-z0-9]{0,6}$")
    ] = ""
    """Code of the state, canton or province whose holidays hold too, as in `BY`. Empty: those of the whole country."""
    false_alerts_a_day: Annotated[float, Field(title="False alerts a day", gt=0, le=1_000)] = 1.0
    """How many false alerts of unusual readings a day are borne, over all streams of the organisation."""
    events_a_day: Annotated[float, Field(title="Events a day", gt=0, le=1_000)] = 2.0
    """How many real events a day are expected; the confidence of an alert weighs them against false ones."""
    needed_readings: Annotated[int, Field(title="Unusual readings needed", ge=1, le=LONGEST_WINDOW)] = 3
    """So many unusual readings among the last ones open an alert; one that is very unusual does so alone."""
    window_readings: Annotated[int, Field(title="Readings looked back on", ge=1, le=LONGEST_WINDOW)] = 5
    """An alert ends when none of so many last readings is unusual."""
    cool_down_s: Annotated[float, Field(title="Cool-down in seconds", ge=0, le=86_400)] = 300.0
    """After an alert's end, only something clearly rarer on the same stream raises another within this time."""
    alert_age_s: Annotated[float, Field(title="Oldest reading that alerts, in seconds", gt=0, le=86_400)] = 900.0
    """Older readings are learnt from and raise nothing."""
    future_s: Annotated[float, Field(title="Tolerated clock error in seconds", ge=0, le=86_400)] = 300.0
    """Readings further in the future than this are set aside, and the status board says so."""
    silence_intervals: Annotated[float, Field(title="Intervals until silence", ge=2, le=1_000)] = 6.0
    """A sensor is silent after so many of its usual intervals without a reading."""
    silence_least_s: Annotated[float, Field(title="Shortest silence in seconds", ge=1, le=86_400)] = 45.0
    """No sensor is called silent earlier."""
    silence_together: Annotated[int, Field(title="Sensors silent together", ge=2, le=10_000)] = 8
    """So many sensors that go silent together are one event of the network."""
    stuck_rarity: Annotated[float, Field(title="Rarity of a stuck value", ge=2, le=50)] = 6.0
    """A run of equal values is a stuck sensor if its like occurs once in 10 to this power."""
    stuck_readings: Annotated[int, Field(title="Shortest stuck run in readings", ge=2, le=100_000)] = 12
    """No shorter run of equal values is called stuck; it must also be twice as long as any usual run."""
    expectation_interval_s: Annotated[float, Field(title="Seconds between expectations", ge=0, le=3_600)] = 10.0
    """How often at most the expected band of a stream is published."""
    checkpoint_interval_s: Annotated[float, Field(title="Seconds between checkpoints", ge=1, le=3_600)] = 60.0
    """How often what was learnt is saved."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {name!r}; write it as in Europe/Oslo") from error
        return name

    @model_validator(mode="after")
    def _holidays_are_known(self) -> AnomalySettings:
        public_holidays(self.holidays_country, self.holidays_subdivision)
        return self
