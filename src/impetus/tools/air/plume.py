"""Gaussian plumes and puffs with reflection at the ground and under a lid, and a wind that changes with time.

Source: Hanna, Briggs & Hosker, Handbook on Atmospheric Diffusion, DOE/TIC-11223 (1982), chapters 4 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.air.arrays import Floats, Numbers
from impetus.tools.air.spread import Terrain, sigmas_m
from impetus.tools.air.stability import CALM_MPS, StabilityClass

MOST_IMAGES = 6
WELL_MIXED = 1.6
"""Vertical spreads of a mixing height beyond which the air below it is taken for well mixed (Turner 1970)."""


class CalmWind(InvalidInput):
    """The wind is too weak for a plume."""

    def __init__(self, wind_mps: float) -> None:
        super().__init__(
            f"a wind of {wind_mps:g} m/s is calm: a plume has no direction below {CALM_MPS:g} m/s",
            hint="use puffs, or a wind measured over a longer time",
        )


def plume_gpm3(
    x_m: Numbers,
    y_m: Numbers,
    z_m: Numbers,
    *,
    rate_gps: float,
    wind_mps: float,
    stability: StabilityClass,
    terrain: Terrain,
    height_m: float = 0.0,
    mixing_height_m: float | None = None,
) -> Floats:
    """Concentration of a continuous release at points: x down-wind of the source, y across, z above the ground.

    `rate_gps` in g/s gives g/m3. The three coordinates broadcast. Up-wind of the source the air is clean.

    Raises:
        CalmWind: the wind is below 0.5 m/s.
        InvalidInput: a rate or height is negative or no number.

    >>> float(np.round(plume_gpm3(500, 0, 0, rate_gps=100, wind_mps=2, stability=StabilityClass.F,
    ...                           terrain=Terrain.RURAL), 5))
    0.11722
    """
    check_source(rate_gps, wind_mps, height_m, mixing_height_m)
    if wind_mps < CALM_MPS:
        raise CalmWind(wind_mps)
    x, y, z = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (x_m, y_m, z_m)))
    lateral, vertical = sigmas_m(np.maximum(x, 1e-3), stability, terrain)
    across = np.exp(-0.5 * (y / lateral) ** 2) / (math.sqrt(2 * math.pi) * lateral)
    found = rate_gps / wind_mps * across * vertical_density(z, height_m, vertical, mixing_height_m)
    return np.asarray(np.where((x > 0) & (z >= 0), found, 0.0))


def check_source(rate_gps: float, wind_mps: float, height_m: float, mixing_height_m: float | None) -> None:
    """Raises InvalidInput if one of them cannot be."""
    for name, value in (("rate", rate_gps), ("wind speed", wind_mps), ("height", height_m)):
        if not (math.isfinite(value) and value >= 0):
            raise InvalidInput(f"the {name} {value:g} cannot be", hint="give a number that is not negative")
    if mixing_height_m is not None and not (math.isfinite(mixing_height_m) and mixing_height_m > height_m):
        raise InvalidInput(
            f"the mixing height {mixing_height_m:g} m is not above the source", hint="leave it out where it is unknown"
        )


def vertical_density(z: Floats, height_m: float, sigma_m: Floats, mixing_height_m: float | None) -> Floats:
    """Probability density (1/m) over height: reflected at the ground and, where there is one, at the mixing height."""
    if mixing_height_m is None:
        return _reflected(z, height_m, sigma_m)
    images = sum(
        (
            _reflected(z, height_m + 2 * number * mixing_height_m, sigma_m)
            for number in range(-MOST_IMAGES, MOST_IMAGES + 1)
        ),
        np.zeros(np.broadcast(z, sigma_m).shape),
    )
    mixed = np.where(sigma_m > WELL_MIXED * mixing_height_m, 1.0 / mixing_height_m, images)
    return np.asarray(np.where(z <= mixing_height_m, mixed, 0.0))


def _reflected(z: Floats, height_m: float, sigma_m: Floats) -> Floats:
    terms = np.exp(-0.5 * ((z - height_m) / sigma_m) ** 2) + np.exp(-0.5 * ((z + height_m) / sigma_m) ** 2)
    return np.asarray(terms / (math.sqrt(2 * math.pi) * sigma_m))


@dataclass(frozen=True, slots=True)
class WindSpan:
    """Wind that holds for a while: where it blows to in m/s east and north, and how turbulent the air is."""

    seconds: float
    east_mps: float
    north_mps: float
    stability: StabilityClass


CALM_SPREAD_MPS = 0.5
"""Speed at which a puff widens in calm air: lateral turbulence of light winds (Hanna 1983)."""


def puffs_gpm3(
    east_m: Numbers,
    north_m: Numbers,
    z_m: Numbers,
    winds: Sequence[WindSpan],
    *,
    rate_gps: float,
    terrain: Terrain,
    release_s: float = math.inf,
    height_m: float = 0.0,
    mixing_height_m: float | None = None,
    puff_every_s: float = 15.0,
) -> Floats:
    """Concentration at the end of the last span at points relative to the source, of a release from the first span's
    beginning for `release_s` seconds, as a row of puffs that drift with the wind of their time.

    A puff's spread grows with the way that it has come, by the class of the moment; in calm air with time. That way is
    taken up anew at the distance where the new class gives the present spread. Works with no wind at all.

    Raises InvalidInput if a value cannot be.
    """
    check_source(rate_gps, 0.0, height_m, mixing_height_m)
    if not winds or not all(span.seconds > 0 for span in winds):
        raise InvalidInput("a wind span must last for some time", hint="give at least one span of more than 0 s")
    total_s = sum(span.seconds for span in winds)
    count = max(1, math.ceil(min(total_s, release_s) / puff_every_s))
    each_s = min(total_s, release_s) / count
    released_s = (np.arange(count) + 0.5) * each_s
    east, north = np.zeros(count), np.zeros(count)
    lateral, vertical = np.full(count, 0.1), np.full(count, 0.1)
    began_s = 0.0
    for span in winds:
        # Wind and class hold for all of a span: each puff moves and grows in one step.
        active_s = np.clip(began_s + span.seconds - released_s, 0.0, span.seconds)
        east += span.east_mps * active_s
        north += span.north_mps * active_s
        way_m = np.maximum(math.hypot(span.east_mps, span.north_mps), CALM_SPREAD_MPS) * active_s
        lateral = _grown(lateral, way_m, span.stability, terrain, 0)
        vertical = _grown(vertical, way_m, span.stability, terrain, 1)
        began_s += span.seconds
    x, y, z = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64)[..., None] for value in (east_m, north_m, z_m)))
    squared = ((x - east) ** 2 + (y - north) ** 2) / lateral**2
    level = np.exp(-0.5 * squared) / (2 * math.pi * lateral**2)
    return np.asarray(
        (rate_gps * each_s * level * vertical_density(z, height_m, vertical, mixing_height_m)).sum(axis=-1)
    )


_TABLE_M = np.geomspace(0.2, 1e5, 160)


def _grown(sigma: Floats, way_m: Floats, stability: StabilityClass, terrain: Terrain, which: int) -> Floats:
    """The spread after a further way, from the distance at which this class has the present spread."""
    table = np.maximum.accumulate(sigmas_m(_TABLE_M, stability, terrain)[which]) * (
        1 + 1e-12 * np.arange(len(_TABLE_M))
    )
    # Spreads are nearly powers of the distance: between the points of the table they are straight in logarithms.
    distance = np.exp(np.interp(np.log(sigma), np.log(table), np.log(_TABLE_M)))
    grown = sigmas_m(distance + way_m, stability, terrain)[which]
    return np.asarray(np.where(way_m > 0, np.maximum(grown, sigma), sigma))
