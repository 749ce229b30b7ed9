"""Who is in danger, now and in the next minutes: the probability that a level is exceeded, over the posterior.

For one sample of the posterior, where a plume is above a level is an interval across the wind whose half-width depends
on the distance down-wind only; so a map costs a look-up a cell instead of a plume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.tools.air.agents import Level
from impetus.tools.air.arrays import Floats
from impetus.tools.air.release import LEAST_DISTANCE_M, REFERENCE_M, Box, Unknown, Weather
from impetus.tools.air.spread import log_sigmas

CELLS = 200
SAMPLES = 32
LEADS_S = (0.0, 300.0, 900.0, 1_800.0)
BREATHING_HEIGHT_M = 1.5
TURNING_DEG = 4.0
"""How far the mean wind turns within ten minutes (one standard deviation); grows with the square root of the time."""
TABLE_STEPS = 256
FRONT_FACTOR = 1.2
"""The fastest air comes so much sooner than the mean wind."""


@dataclass(frozen=True, slots=True)
class HazardMap:
    """Probability of exceedance on a grid, for each lead time and level."""

    east_m: Floats
    north_m: Floats
    leads_s: Sequence[float]
    levels: Sequence[Level]
    probability: Floats
    """(leads, levels, north, east), 0 to 1."""


def hazard_map(
    samples: Floats,
    weather: Weather,
    box: Box,
    levels: Sequence[Level],
    random: np.random.Generator,
    *,
    age_s: float = math.inf,
    leads_s: Sequence[float] = LEADS_S,
    cells: int = CELLS,
    scale: float = 1.0,
) -> HazardMap:
    """The map of equally weighted samples of a posterior (n, 11).

    `age_s` is for how long the release has gone on: the plume has not come farther than the wind carried it. The
    release is taken to go on. `scale` is how much of the levels' unit one unit of the samples' rate makes.
    """
    chosen = samples[random.choice(len(samples), min(SAMPLES, len(samples)), replace=False)]
    east = np.linspace(box.west, box.east, cells)
    north = np.linspace(box.south, box.north, cells)
    reach = math.hypot(box.east - box.west, box.north - box.south)
    log_distance = np.linspace(math.log(LEAST_DISTANCE_M), math.log(max(reach, 10.0)), TABLE_STEPS)
    half_width = _half_widths(chosen, weather, log_distance, levels, scale)
    step = log_distance[1] - log_distance[0]
    # Single precision: half the memory to move, and a map needs no more.
    east32, north32 = east.astype(np.float32), north.astype(np.float32)
    found = np.zeros((len(leads_s), len(levels), cells, cells), dtype=np.float32)
    for place, lead_s in enumerate(leads_s):
        turned = random.normal(0, TURNING_DEG * math.sqrt(lead_s / 600.0), len(chosen)) if lead_s else 0.0
        bearing = np.radians(weather.wind_from_deg + 180.0 + chosen[:, Unknown.DIRECTION] + turned)
        front_m = FRONT_FACTOR * weather.wind_mps * (age_s + lead_s)
        for number, row in enumerate(chosen):
            sine, cosine = np.float32(math.sin(bearing[number])), np.float32(math.cos(bearing[number]))
            x = (east32 - np.float32(row[Unknown.EAST]))[None, :]
            y = (north32 - np.float32(row[Unknown.NORTH]))[:, None]
            along = x * sine + y * cosine
            across = np.abs(x * cosine - y * sine)
            ahead = (along > LEAST_DISTANCE_M) & (along < min(front_m, reach))
            # The widest that any level is anywhere says where to look at all.
            widest = np.float32(half_width[number].max())
            inside = np.flatnonzero(ahead & (across < widest))
            if not len(inside):
                continue
            entry = (np.log(along.ravel()[inside]) * np.float32(1 / step)).astype(np.int64)
            np.minimum(entry, TABLE_STEPS - 1, out=entry)
            near = across.ravel()[inside]
            for level in range(len(levels)):
                exceeded = inside[near < half_width[number, level][entry]]
                found[place, level].ravel()[exceeded] += 1
    return HazardMap(east, north, tuple(leads_s), tuple(levels), (found / len(chosen)).astype(np.float64))


def _half_widths(
    samples: Floats, weather: Weather, log_distance: Floats, levels: Sequence[Level], scale: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(samples, levels, distances): metres either side of the axis where the level is exceeded; 0 for nowhere."""
    ratio = log_distance - math.log(REFERENCE_M)
    stability = np.clip(samples[:, Unknown.STABILITY, None], 0, 5)
    everywhere = np.broadcast_to(log_distance, (len(samples), len(log_distance)))
    log_y, log_z = log_sigmas(everywhere, stability, weather.terrain)
    log_y = log_y + samples[:, Unknown.LATERAL, None] + samples[:, Unknown.LATERAL_GROWTH, None] * ratio
    log_z = log_z + samples[:, Unknown.VERTICAL, None] + samples[:, Unknown.VERTICAL_GROWTH, None] * ratio
    height = BREATHING_HEIGHT_M - weather.release_height_m
    axis = samples[:, Unknown.LOG_RATE, None] - math.log(math.pi * weather.wind_mps) - log_y - log_z
    axis = axis - 0.5 * (height * np.exp(-log_z)) ** 2
    above = axis[:, None, :] - np.log([level.concentration / scale for level in levels])[None, :, None]
    width = np.exp(log_y)[:, None, :] * np.sqrt(2 * np.maximum(above, 0.0))
    return np.asarray(width, dtype=np.float32)
