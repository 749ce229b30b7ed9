"""What the demo city's sensors read: daily and weekly rhythm, weather, noise that is the same at any sampling interval.

Everything is a function of the sensor's seed and of time, so that history at five-minute steps and live readings every
few seconds belong to one and the same signal, and any reading can be computed again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from impetus.exercise.city import Sensor
from impetus.model import to_microseconds

Seconds = NDArray[np.float64]
"""Seconds since 1970-01-01 UTC."""
Values = NDArray[np.float64]

LOCAL_OFFSET_S = 3_600.0
"""Aurelia lives at UTC+1 all the year, so that the demo needs no time-zone data base."""
_DAY_S = 86_400.0
_MINUTE_S = 60.0

# Readings that a real network loses: single ones, and now and then a gap of a few seconds.
LOST_SHARE = 0.006
GAP_SHARE = 0.0008
GAP_S = 12.0


def value(sensor: Sensor, moment: datetime) -> float:
    """What the sensor reads at a moment, in its unit."""
    return float(values(sensor, np.array([to_microseconds(moment) / 1e6]))[0])


def values(sensor: Sensor, time_s: Seconds) -> Values:
    """What the sensor reads at these times, in its unit, rounded as the real device would."""
    raw = _SIGNALS[sensor.property.id](sensor, time_s)
    observed = sensor.property
    bounded = np.clip(raw, observed.lowest, sensor.highest())
    return np.asarray(np.round(bounded, 0 if observed.is_count else observed.decimals))


def is_lost(sensor: Sensor, moment: datetime) -> bool:
    """Whether the reading of this moment never leaves the sensor."""
    return bool(lost(sensor, np.array([to_microseconds(moment) / 1e6]))[0])


def lost(sensor: Sensor, time_s: Seconds) -> NDArray[np.bool_]:
    """Which readings of these times never leave the sensor."""
    single = _uniform(sensor.seed, 91, np.floor(time_s * 10)) < LOST_SHARE
    gap = _uniform(sensor.seed, 92, np.floor(time_s / GAP_S)) < GAP_SHARE
    return np.asarray(single | gap)


def history_times(start: datetime, end: datetime, step: timedelta) -> Sequence[datetime]:
    """Times from `start` on, before `end`, on whole multiples of the step since 1970."""
    step_us = step // timedelta(microseconds=1)
    first = -(-to_microseconds(start) // step_us)
    last = -(-to_microseconds(end) // step_us)
    origin = start - timedelta(microseconds=to_microseconds(start))
    return [origin + number * step for number in range(first, last)]


def noise(seed: int, stream: int, time_s: Seconds, scale_s: float) -> Values:
    """Gaussian noise of unit variance that forgets itself over about `scale_s` seconds.

    Random numbers stand on a lattice of `scale_s`; between two of them the value goes over from one to the other with
    the variance kept at one. Being a function of time it does not depend on how often it is sampled.
    """
    at = time_s / scale_s
    left = np.floor(at)
    share = at - left
    mixed = _gauss(seed, stream, left) * (1 - share) + _gauss(seed, stream, left + 1) * share
    return np.asarray(mixed / np.sqrt((1 - share) ** 2 + share**2))


def _texture(sensor: Sensor, time_s: Seconds) -> Values:
    """Noise of several memories, unit variance: minutes, half an hour, three hours."""
    return (
        0.55 * noise(sensor.seed, 1, time_s, 45.0)
        + 0.55 * noise(sensor.seed, 2, time_s, 7 * _MINUTE_S)
        + 0.50 * noise(sensor.seed, 3, time_s, 40 * _MINUTE_S)
        + 0.38 * noise(sensor.seed, 4, time_s, 180 * _MINUTE_S)
    )


def _hours(sensor: Sensor, time_s: Seconds) -> tuple[Values, Values, Values]:
    """Hour of the day, share of Saturday and Sunday (smooth at midnight), share of Friday and Saturday evening."""
    local = time_s + LOCAL_OFFSET_S - sensor.shift_h * 3_600
    day = np.floor(local / _DAY_S)
    hour = (local - day * _DAY_S) / 3_600
    weekday = np.mod(day + 3, 7)  # 1970-01-01 was a Thursday; 0 is Monday
    rest = (weekday >= 5).astype(float)
    # The night from Friday to Saturday already belongs to the weekend, the one to Monday no more.
    late = np.where((weekday == 4) | (weekday == 5), _hump(hour, 22.5, 2.2), 0.0)
    return hour, rest, late


def _hump(hour: Values, centre: float, width: float) -> Values:
    """A bell over the hour of the day, round the clock."""
    distance = np.mod(hour - centre + 12, 24) - 12
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


def _activity(sensor: Sensor, time_s: Seconds) -> Values:
    """How busy traffic is, 0 to about 1."""
    hour, rest, late = _hours(sensor, time_s)
    working = 0.95 * _hump(hour, 8.1, 1.3) + 0.62 * _hump(hour, 12.8, 2.8) + 1.0 * _hump(hour, 17.6, 1.9)
    leisure = 0.82 * _hump(hour, 12.2, 2.8) + 0.9 * _hump(hour, 17.8, 3.0)
    shape = np.where(rest > 0, leisure * sensor.weekend, working) + 0.25 * late
    return np.asarray(0.05 + 0.92 * np.minimum(shape, 1.25))


def _strolling(sensor: Sensor, time_s: Seconds) -> Values:
    """How busy squares are, 0 to about 1.2."""
    hour, rest, late = _hours(sensor, time_s)
    shape = 0.45 * _hump(hour, 9.3, 1.6) + 0.75 * _hump(hour, 12.8, 1.9) + 0.9 * _hump(hour, 18.3, 2.3)
    shape = np.where(rest > 0, shape * sensor.weekend, shape) + 0.45 * late
    return np.asarray(0.02 + 0.95 * np.minimum(shape, 1.6))


def _counted(sensor: Sensor, time_s: Seconds, mean: Values, share: float) -> Values:
    """A count around its mean: texture in proportion, and the scatter of independent arrivals."""
    scatter = _gauss(sensor.seed, 9, np.floor(time_s * 10)) * np.sqrt(np.maximum(mean, 0.0)) * 0.5
    return np.maximum(mean * np.exp(share * _texture(sensor, time_s)) + scatter, 0.0)


def _white(sensor: Sensor, time_s: Seconds, deviation: float) -> Values:
    return _gauss(sensor.seed, 9, np.floor(time_s * 10)) * deviation


def _traffic_flow(sensor: Sensor, time_s: Seconds) -> Values:
    return _counted(sensor, time_s, sensor.size * _activity(sensor, time_s), 0.07)


def _traffic_speed(sensor: Sensor, time_s: Seconds) -> Values:
    slowing = 0.28 * np.minimum(_activity(sensor, time_s), 1.1) ** 2
    return sensor.size * (1.08 - slowing) + 1.7 * _texture(sensor, time_s) + _white(sensor, time_s, 1.1)


def _people(sensor: Sensor, time_s: Seconds) -> Values:
    return _counted(sensor, time_s, sensor.size * _strolling(sensor, time_s), 0.09)


def _bicycles(sensor: Sensor, time_s: Seconds) -> Values:
    return _counted(sensor, time_s, sensor.size * _activity(sensor, time_s) * 0.9, 0.10)


def _sound(sensor: Sensor, time_s: Seconds) -> Values:
    busy = 0.5 * _activity(sensor, time_s) + 0.5 * np.minimum(_strolling(sensor, time_s), 1.2)
    level = sensor.size - 15.0 + 15.0 * np.sqrt(np.minimum(busy, 1.1))
    return level + 0.9 * _texture(sensor, time_s) + _white(sensor, time_s, 0.7)


def _weather(time_s: Seconds, stream: int, scale_h: float) -> Values:
    """The same for the whole city."""
    return noise(7, stream, time_s, scale_h * 3_600)


def _particles(sensor: Sensor, time_s: Seconds) -> Values:
    hour, _, _ = _hours(sensor, time_s)
    day = 1.0 + 0.18 * _hump(hour, 8.5, 2.0) + 0.30 * _hump(hour, 20.5, 3.0)
    still_air = np.exp(0.22 * _weather(time_s, 11, 30.0))
    return sensor.size * day * still_air * np.exp(0.05 * _texture(sensor, time_s)) + _white(sensor, time_s, 0.25)


def _nitrogen(sensor: Sensor, time_s: Seconds) -> Values:
    level = 0.30 + 0.75 * _activity(sensor, time_s)
    still_air = np.exp(0.14 * _weather(time_s, 11, 30.0))
    return sensor.size * level * still_air * np.exp(0.06 * _texture(sensor, time_s)) + _white(sensor, time_s, 0.5)


def _parking(sensor: Sensor, time_s: Seconds) -> Values:
    hour, rest, late = _hours(sensor, time_s)
    taken = 0.22 + 0.55 * _hump(hour, 12.3, 3.6) + 0.18 * _hump(hour, 18.5, 2.0)
    taken = np.where(rest > 0, 0.18 + (taken - 0.18) * sensor.weekend, taken) + 0.12 * late
    # Cars come and go slowly: only the slower part of the texture, and no scatter from one reading to the next.
    slow = 0.7 * noise(sensor.seed, 3, time_s, 40 * _MINUTE_S) + 0.7 * noise(sensor.seed, 4, time_s, 180 * _MINUTE_S)
    quick = 0.006 * noise(sensor.seed, 1, time_s, 45.0)
    return sensor.size * (1 - np.clip(taken + 0.025 * slow + quick, 0.0, 1.0))


def _water(sensor: Sensor, time_s: Seconds) -> Values:
    upstream = min(sensor.size, 1.4) / 1.4
    tide = 0.16 * np.sin(2 * math.pi * time_s / 44_714.0) + 0.07 * np.sin(2 * math.pi * time_s / 86_164.0 + 1.1)
    rain = 0.05 * _weather(time_s, 12, 60.0)
    waves = 0.012 * noise(sensor.seed, 1, time_s, 45.0) + _white(sensor, time_s, 0.006)
    return sensor.size + tide * (1 - 0.85 * upstream) + rain + waves


def _power(sensor: Sensor, time_s: Seconds) -> Values:
    hour, rest, _ = _hours(sensor, time_s)
    day = 0.50 + 0.26 * _hump(hour, 9.5, 2.6) + 0.16 * _hump(hour, 13.5, 2.5) + 0.36 * _hump(hour, 19.5, 2.4)
    day = np.where(rest > 0, 0.5 + (day - 0.5) * sensor.weekend, day)
    return sensor.size * day * (1 + 0.018 * _texture(sensor, time_s)) + _white(sensor, time_s, sensor.size * 0.004)


def _wind(sensor: Sensor, time_s: Seconds) -> Values:
    hour, _, _ = _hours(sensor, time_s)
    breeze = 1.0 + 0.22 * _hump(hour, 15.0, 3.0)
    gust = np.exp(0.28 * _weather(time_s, 13, 9.0) + 0.13 * _texture(sensor, time_s))
    return sensor.size * breeze * gust * 0.8 + np.abs(_white(sensor, time_s, 0.2))


def _wind_direction(sensor: Sensor, time_s: Seconds) -> Values:
    """Degrees from which the sea breeze blows; it keeps well away from north, where degrees begin anew."""
    turning = 14.0 * _weather(time_s, 15, 9.0) + 4.0 * _texture(sensor, time_s)
    return sensor.size + turning + _white(sensor, time_s, 4.0)


def _bacteria(sensor: Sensor, time_s: Seconds) -> Values:
    """More by day and where people are; counting scatters each sample by itself."""
    level = 0.75 + 0.35 * np.minimum(_strolling(sensor, time_s), 1.2)
    still_air = np.exp(0.10 * _weather(time_s, 11, 30.0))
    return _counted(sensor, time_s, sensor.size * level * still_air, 0.012) + _white(sensor, time_s, 4.0)


def _temperature(sensor: Sensor, time_s: Seconds) -> Values:
    hour, _, _ = _hours(sensor, time_s)
    day = 3.4 * np.cos(2 * math.pi * (hour - 14.8) / 24)
    return (
        sensor.size
        + day
        + 1.3 * _weather(time_s, 14, 48.0)
        + 0.18 * _texture(sensor, time_s)
        + _white(sensor, time_s, 0.03)
    )


_SIGNALS: Mapping[str, Callable[[Sensor, Seconds], Values]] = {
    "traffic-flow": _traffic_flow,
    "traffic-speed": _traffic_speed,
    "bicycle-flow": _bicycles,
    "people-count": _people,
    "sound-level": _sound,
    "pm2-5": _particles,
    "no2": _nitrogen,
    "parking-free": _parking,
    "water-level": _water,
    "power-load": _power,
    "wind-speed": _wind,
    "air-temperature": _temperature,
    "wind-direction": _wind_direction,
    "bacteria-concentration": _bacteria,
}


def _mixed(seed: int, stream: int, index: Values) -> NDArray[np.uint64]:
    """A well mixed 64-bit number for each lattice point (the finaliser of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        word = index.astype(np.int64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        word = word + np.uint64((seed * 0x2545F4914F6CDD1D + stream * 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(word ^ (word >> np.uint64(31)))


def _uniform(seed: int, stream: int, index: Values) -> Values:
    return np.asarray((_mixed(seed, stream, index) >> np.uint64(11)).astype(np.float64) / 2.0**53)


def _gauss(seed: int, stream: int, index: Values) -> Values:
    """Standard normal numbers (Box and Muller 1958)."""
    first = np.maximum(_uniform(seed, stream, index), 1e-300)
    second = _uniform(seed, stream + 1_000, index)
    return np.asarray(np.sqrt(-2.0 * np.log(first)) * np.cos(2 * math.pi * second))
