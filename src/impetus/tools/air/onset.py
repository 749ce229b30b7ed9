"""When a release began, from when sensors first noticed it and how long the wind took to carry it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.tools.air.arrays import Floats
from impetus.tools.air.release import Unknown, Weather

TRAVEL_ERROR = 0.3
"""Share by which a travel time may be wrong: the wind at the plume's height is not the measured one, and its front is
spread along the wind (Hanna, Briggs & Hosker 1982, chapter 4)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a sensor first read something of the release."""

    east_m: float
    north_m: float
    time_s: float
    error_s: float
    """Its sample length, and what its instrument samples over."""


def start_times(samples: Floats, weather: Weather, arrivals: Sequence[Arrival], random: np.random.Generator) -> Floats:
    """(n,) times in seconds at which the release of each row of a posterior began.

    Given a position, each arrival says so much: its time less the way down-wind over the wind, both uncertain; they are
    averaged by their precision. `arrivals` must not be empty.
    """
    speed = weather.wind_mps * np.exp(weather.log_speed_error * random.normal(size=len(samples)))
    bearing = np.radians(weather.wind_from_deg + 180.0 + samples[:, Unknown.DIRECTION])
    total, weighted = np.zeros(len(samples)), np.zeros(len(samples))
    for arrival in arrivals:
        east = arrival.east_m - samples[:, Unknown.EAST]
        north = arrival.north_m - samples[:, Unknown.NORTH]
        travel_s = np.maximum(east * np.sin(bearing) + north * np.cos(bearing), 0.0) / speed
        precision = 1.0 / (arrival.error_s**2 + (TRAVEL_ERROR * travel_s) ** 2)
        total += precision
        weighted += precision * (arrival.time_s - travel_s)
    return np.asarray(weighted / total + random.normal(size=len(samples)) / np.sqrt(total))
