"""Bench instruments: what is known of each, and how its raw readings become readings that can be trusted.

A table of instruments (setting `instruments_file`) says for each registered datastream how its instrument is reached,
how it samples, what it cannot see, at what height it stands, and when and how it was calibrated.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from impetus.model import ConfigurationError

LARGEST_BYTES = 1_000_000


class Calibration(BaseModel):
    """One entry of an instrument's calibration log: true value = span x (raw - zero), from `time` on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    time: AwareDatetime
    zero: float = 0.0
    """What it read in clean air, in the datastream's unit."""
    span: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    by: Annotated[str, Field(max_length=100)] = ""
    """Laboratory or certificate; no person."""


class Instrument(BaseModel):
    """What is known of an instrument. Every field may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    address: Annotated[str, Field(max_length=300)] = ""
    """`tcp://HOST:PORT` or `serial:///dev/NAME?baud=9600` of a line protocol, or `replay:FILE.csv`; empty: its readings
    come over the platform (MQTT, SensorThings, the interface)."""
    unit: Annotated[str, Field(max_length=32)] = ""
    """Of the raw readings where a line names none; empty: the datastream's."""
    limit: Annotated[float, Field(ge=0)] = 0.0
    """Limit of detection in the datastream's unit: what is below it is nothing found."""
    sampling_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """A reading is the mean over so many seconds before its time."""
    flow_lpm: Annotated[float | None, Field(gt=0, le=1e5)] = None
    """Air drawn, litres a minute: a particle counter cannot see less than one particle in its sample."""
    height_m: Annotated[float | None, Field(ge=0, le=500)] = None
    """Of the inlet above the ground: roofs are higher than lamp posts."""
    calibrate_days: Annotated[float, Field(gt=0, le=3_650)] = 365.0
    calibrations: Annotated[tuple[Calibration, ...], Field(max_length=1_000)] = ()

    def calibrated(self, raw: float, time: datetime) -> float:
        """The reading after the calibration that held at its time; as it came before the first.

        >>> from datetime import UTC
        >>> log = [Calibration(time=datetime(2026, 1, 1, tzinfo=UTC), zero=2.0, span=1.5)]
        >>> Instrument(calibrations=log).calibrated(12.0, datetime(2026, 2, 1, tzinfo=UTC))
        15.0
        """
        log = sorted(self.calibrations, key=lambda entry: entry.time)
        place = bisect_right([entry.time for entry in log], time)
        return raw if not place else log[place - 1].span * (raw - log[place - 1].zero)

    def overdue(self, now: datetime) -> bool:
        """Whether it has a calibration log whose latest entry is too old."""
        past = [entry.time for entry in self.calibrations if entry.time <= now]
        return bool(past) and now - max(past) > timedelta(days=self.calibrate_days)

    def least(self, *, counts_a_litre: bool) -> float:
        """The limit of detection; for counters at least three particles in one sample (Poisson, 95 %; Currie 1968)."""
        if not counts_a_litre or self.flow_lpm is None or not self.sampling_s:
            return self.limit
        return max(self.limit, 3.0 / (self.flow_lpm * self.sampling_s / 60.0))


NOTHING_KNOWN = Instrument()


@lru_cache(maxsize=8)
def read_instruments(path: Path) -> Mapping[str, Instrument]:
    """Instruments by datastream. Raises ConfigurationError if the file is missing or wrong."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ConfigurationError(f"{path.name} is too large for a table of instruments")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path.name} cannot be read as a table of instruments: {error}") from error
    try:
        return {name: Instrument.model_validate(entry) for name, entry in content.items()}
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{path.name}: {where}: {first['msg']}", hint="see the example in the guide of the air tool"
        ) from error


def instruments_of(path: Path | None) -> Mapping[str, Instrument]:
    """The table of a setting; empty where there is none."""
    return read_instruments(path) if path is not None else {}
