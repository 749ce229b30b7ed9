"""A simulated network of air sensors with all that makes detection hard, and releases planted in it; seeded.

Each sensor has a background that follows the hour, the week, the season, wind, rain, humidity and traffic; it
cross-reacts to diesel soot and to pollen; its noise hangs together over some samples, may have heavy tails, drifts, and
it reports late. Nothing here is taken from the detector: what it must learn, it is not told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.tools.air.arrays import Floats
from impetus.tools.air.background import COVARIATES

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class PlantedStep:
    """A release as a sensor sees it: so many background sigmas more from one sample to another."""

    sensor: int
    first: int
    """Sample number of its first sample."""
    samples: int
    height_sd: float


@dataclass(frozen=True, slots=True)
class SimulatedNetwork:
    """Readings (samples, sensors) at times, with what was planted and the weather that stations report."""

    time_s: Floats
    values: Floats
    covariates: Floats
    """(samples, 5): `background.COVARIATES`, as measured."""
    background_sd: Floats
    """(sensors,): scatter about the explained background, in the unit of the values: one sigma."""
    positions_m: Floats
    """(sensors, 2)"""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How large and how difficult."""

    sensors: int = 12
    days: float = 60.0
    interval_s: float = 300.0
    seed: int = 1
    start_s: float = 1_772_409_600.0
    """2 March 2026 at midnight: into the pollen season."""
    tail_freedom: float | None = None
    """Degrees of freedom of the noise where its tails are heavier than the normal law's (8 is hard)."""
    correlation: float = 0.35
    """Between neighbouring samples of the scatter."""
    delay_samples: int = 0
    """A release is seen so many samples late: the instrument collects, then counts."""


def simulate(settings: NetworkSettings, steps: Sequence[PlantedStep] = ()) -> SimulatedNetwork:
    """The same settings and steps give the same readings.

    >>> simulate(NetworkSettings(sensors=3, days=1)).values.shape
    (288, 3)
    """
    random = np.random.default_rng(settings.seed)
    count = round(settings.days * _DAY_S / settings.interval_s)
    time_s = np.asarray(settings.start_s + np.arange(count) * settings.interval_s, dtype=np.float64)
    weather = _weather(time_s, settings.interval_s, random)
    wind, humidity, rain, traffic, temperature = weather.T
    pollen = _pollen(time_s, rain, random)
    size = random.uniform(60.0, 240.0, settings.sensors)
    sd = 0.12 * size
    values = np.empty((count, settings.sensors))
    for sensor in range(settings.sensors):
        soot, grains, washout = random.uniform(0.05, 0.35), random.uniform(0.05, 0.3), random.uniform(0.1, 0.3)
        level = 0.6 + soot * traffic / 1_000.0 + grains * pollen + 0.15 * (humidity - 70.0) / 30.0
        level *= (2.5 / np.maximum(wind, 0.6)) ** random.uniform(0.1, 0.3) * (1 - washout * np.minimum(rain / 2.0, 1.0))
        level *= 1 + 0.01 * (temperature - 10.0)
        drift = 0.05 * np.cumsum(random.normal(0, math.sqrt(settings.interval_s / (30 * _DAY_S)), count))
        values[:, sensor] = size[sensor] * np.maximum(level + drift, 0.05)
        values[:, sensor] += sd[sensor] * _scatter(count, settings.correlation, settings.tail_freedom, random)
    for step in steps:
        first = step.first + settings.delay_samples
        values[first : first + step.samples, step.sensor] += step.height_sd * sd[step.sensor]
    measured = weather * (1 + 0.05 * random.normal(size=weather.shape))
    side = math.ceil(math.sqrt(settings.sensors))
    grid = np.array([(number % side, number // side) for number in range(settings.sensors)], dtype=np.float64)
    positions = 500.0 * grid + random.uniform(-100, 100, grid.shape)
    return SimulatedNetwork(time_s, np.maximum(values, 0.0), measured, sd, positions)


def _weather(time_s: Floats, interval_s: float, random: np.random.Generator) -> Floats:
    hour = (time_s % _DAY_S) / 3_600.0
    day = (time_s // _DAY_S).astype(np.int64)
    sun = np.maximum(np.sin(2 * np.pi * (hour - 6) / 24), 0.0)
    slow = _walk(time_s, interval_s, 18.0, random)
    wind = np.maximum(0.3, (2.2 + 1.3 * sun) * np.exp(0.4 * slow))
    temperature = 9.0 + 6.0 * sun + 4.0 * _walk(time_s, interval_s, 60.0, random)
    front = _walk(time_s, interval_s, 10.0, random)
    rain = np.maximum(front - 1.3, 0.0) * 3.0
    humidity = np.clip(72 - 15 * sun + 8 * _walk(time_s, interval_s, 30.0, random) + 8 * (rain > 0), 20, 100)
    weekend = ((day + 3) % 7 >= 5).astype(np.float64)
    rush = np.exp(-0.5 * ((hour - 8.0) / 1.0) ** 2) + np.exp(-0.5 * ((hour - 17.0) / 1.4) ** 2)
    traffic = 120 + (900 * rush + 350 * sun) * (1 - 0.55 * weekend)
    traffic = traffic * np.exp(0.15 * _walk(time_s, interval_s, 1.0, random))
    found = np.column_stack([wind, humidity, rain, traffic, temperature])
    if found.shape[1] != len(COVARIATES):
        raise AssertionError("the weather has a column for each covariate")
    return found


def _pollen(time_s: Floats, rain: Floats, random: np.random.Generator) -> Floats:
    """Grains in the air: a season of weeks with peaks on dry forenoons."""
    days = (time_s - time_s[0]) / _DAY_S
    season = np.exp(-0.5 * ((days - 40.0) / 15.0) ** 2)
    hour = (time_s % _DAY_S) / 3_600.0
    daily = np.exp(-0.5 * ((hour - 11.0) / 3.0) ** 2)
    dry = np.exp(-rain)
    burst = np.exp(0.4 * _walk(time_s, time_s[1] - time_s[0], 12.0, random))
    return np.asarray(2.0 * season * (0.3 + daily) * dry * burst)


def _walk(time_s: Floats, interval_s: float, hours: float, random: np.random.Generator) -> Floats:
    """A stationary process whose correlation falls by a factor e in so many hours, smooth over an hour."""
    keep = math.exp(-interval_s / (hours * 3_600.0))
    found = _autoregression(random.normal(size=len(time_s)), keep)
    width = max(1, round(3_600.0 / interval_s))
    smooth = np.convolve(found, np.ones(width) / width, mode="same")
    return np.asarray(smooth)


def _scatter(count: int, correlation: float, freedom: float | None, random: np.random.Generator) -> Floats:
    if freedom is None:
        return _autoregression(random.normal(size=count), correlation)
    return _autoregression(random.standard_t(freedom, count) / math.sqrt(freedom / (freedom - 2)), correlation)


def _autoregression(noise: Floats, keep: float) -> Floats:
    found = np.empty(len(noise))
    level = 0.0
    gain = math.sqrt(1 - keep * keep)
    for number, value in enumerate(noise):
        level = keep * level + gain * value if number else float(value)
        found[number] = level
    return found
