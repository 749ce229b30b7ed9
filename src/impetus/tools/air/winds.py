"""The wind over a city from the stations' latest readings, with what is not known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from impetus.tools.air.release import USUAL_WIND_LOG_ERROR, USUAL_WIND_MPS, Weather
from impetus.tools.air.spread import Terrain
from impetus.tools.air.stability import CALM_MPS, StabilityClass, class_from_radiation

MEMORY_S = 600.0
FASTEST_MPS = 120.0
MOST_RADIATION_WM2 = 1_500.0
USUAL_DIRECTION_ERROR_DEG = 15.0
UNKNOWN_DIRECTION_ERROR_DEG = 120.0
NIGHT_HOURS = (20, 6)


@dataclass
class WindRecord:
    """Readings of the last ten minutes."""

    _speeds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _radiation: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _directions: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def speed(self, station: str, time_s: float, value: float) -> None:
        """A speed in m/s; what cannot be is left out."""
        if 0 <= value <= FASTEST_MPS:
            _keep(self._speeds, station, time_s, value)

    def direction(self, station: str, time_s: float, value: float) -> None:
        """A direction in degrees from which the wind blows; what cannot be is left out."""
        if -360 <= value <= 720:
            _keep(self._directions, station, time_s, value % 360.0)

    def radiation(self, station: str, time_s: float, value: float) -> None:
        """Solar radiation in W/m2; what cannot be is left out."""
        if -50 <= value <= MOST_RADIATION_WM2:
            _keep(self._radiation, station, time_s, max(value, 0.0))

    def weather(self, now_s: float, terrain: Terrain, hour: float) -> tuple[Weather | None, tuple[str, ...]]:
        """The weather for a plume, and what has to be said of it; None when it is calm. What is missing widens it."""
        speeds = _latest(self._speeds, now_s)
        directions = _latest(self._directions, now_s)
        remarks: list[str] = []
        speed, speed_error = USUAL_WIND_MPS, USUAL_WIND_LOG_ERROR
        if speeds:
            speed, speed_error = sum(speeds.values()) / len(speeds), 0.0
        else:
            remarks.append(f"no wind speed of the last ten minutes is known: {speed:g} m/s is taken")
        if speed < CALM_MPS:
            return None, (f"the wind is calm ({speed:.1f} m/s): a release stays near and may spread to any side",)
        error = USUAL_DIRECTION_ERROR_DEG
        direction = 0.0
        if directions:
            east = sum(math.sin(math.radians(value)) for value in directions.values()) / len(directions)
            north = sum(math.cos(math.radians(value)) for value in directions.values()) / len(directions)
            direction = math.degrees(math.atan2(east, north)) % 360.0
            length = min(math.hypot(east, north), 1.0)
            spread = math.degrees(math.sqrt(max(-2.0 * math.log(max(length, 1e-6)), 0.0)))
            error = max(error, min(spread, UNKNOWN_DIRECTION_ERROR_DEG))
        else:
            error = UNKNOWN_DIRECTION_ERROR_DEG
            remarks.append("no wind direction of the last ten minutes is known: any is taken for possible")
        night = hour >= NIGHT_HOURS[0] or hour < NIGHT_HOURS[1]
        stability = StabilityClass.D if speed >= 4.0 or terrain is Terrain.URBAN else StabilityClass.C
        if night and speed < 4.0:
            stability = StabilityClass.E
        radiation = _latest(self._radiation, now_s)
        stability_error = 1.0
        if radiation and speeds:
            stability = class_from_radiation(speed, sum(radiation.values()) / len(radiation))
            stability_error = 0.7
        else:
            remarks.append("stability is taken from wind and hour: no radiation is measured")
        weather = Weather(
            speed,
            direction,
            stability,
            terrain,
            direction_error_deg=error,
            stability_error=stability_error,
            log_speed_error=speed_error,
        )
        return weather, tuple(remarks)


def _keep(record: dict[str, list[tuple[float, float]]], station: str, time_s: float, value: float) -> None:
    kept = record.setdefault(station, [])
    kept.append((time_s, value))
    if len(kept) > 400:
        del kept[:200]


def _latest(record: Mapping[str, list[tuple[float, float]]], now_s: float) -> dict[str, float]:
    """The mean over the last ten minutes of each station; directions are few and near one another within a station."""
    found = {}
    for station, kept in record.items():
        recent = [value for time_s, value in kept if 0 <= now_s - time_s <= MEMORY_S or abs(now_s - time_s) <= 60]
        if recent:
            reference = recent[-1]
            # Around the newest, so that 359 and 1 degree are not 180 on the average.
            found[station] = reference + sum(_apart(value, reference) for value in recent) / len(recent)
    return found


def _apart(value: float, reference: float) -> float:
    difference = value - reference
    return difference - 360.0 * round(difference / 360.0) if abs(difference) > 180 else difference
