"""Dispersion near the ground from measured turbulence: for when friction velocity, Obukhov length and the wind's
fluctuation are known and not only a stability class.

Vertically the advection-diffusion equation is solved with the wind and eddy diffusivity of Monin-Obukhov similarity,
as Nieuwstadt & van Ulden did (A numerical study on the vertical dispersion of passive contaminants from a continuous
source in the atmospheric surface layer, Atmospheric Environment 12, 1978), with dry deposition as a flux at the ground.
Laterally the spread is Taylor's: the measured fluctuation of direction times Draxler's universal function
(Determination of atmospheric diffusion parameters, Atmospheric Environment 10, 1976). Nothing is fitted to releases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_banded

from impetus.model import InvalidInput
from impetus.tools.air.arrays import Floats, Numbers
from impetus.tools.air.plume import CalmWind, check_source
from impetus.tools.air.stability import CALM_MPS, VON_KARMAN, phi_h, wind_profile_mps

LEVELS = 70
HIGHEST_M = 600.0
"""Top of the column where no mixing height is known: far above what reaches up within some kilometres."""
FIRST_STEP_M = 0.02
STEP_GROWTH = 0.04
"""Steps grow with the distance: spread is a matter of its logarithm."""
DRAXLER_S = 300.0
"""Draxler's time scale of lateral spread for sources near the ground."""
SULPHUR_DIOXIDE_MPS = 0.008
"""Deposition velocity of sulphur dioxide at a grass surface (Garland, Proceedings of the Royal Society A 354, 1977)."""
SHORT_GRASS_M = 0.006
"""Roughness length of the mown grass at O'Neill, Nebraska, where Prairie Grass was (Haugen 1959)."""


@dataclass(frozen=True, slots=True)
class SurfaceLayer:
    """What was measured of the air near the ground."""

    friction_velocity_mps: float
    obukhov_length_m: float
    direction_sd_rad: float
    """Standard deviation of the wind's direction over the averaging time."""
    wind_mps: float
    """Where the direction was measured."""
    roughness_m: float = 0.03
    mixing_height_m: float | None = None

    def __post_init__(self) -> None:
        for name, value in (
            ("friction velocity", self.friction_velocity_mps),
            ("fluctuation of direction", self.direction_sd_rad),
            ("roughness", self.roughness_m),
        ):
            if not (math.isfinite(value) and value > 0):
                raise InvalidInput(f"the {name} {value:g} cannot be", hint="give a number above 0")
        if self.obukhov_length_m == 0 or math.isnan(self.obukhov_length_m):
            raise InvalidInput("an Obukhov length of 0 cannot be", hint="write a large number for neutral air")
        if not self.wind_mps >= CALM_MPS:
            raise CalmWind(self.wind_mps)


def lateral_spread_m(distance_m: Numbers, air: SurfaceLayer) -> Floats:
    """sigma_y at distances: the angle of the fluctuation times the distance, less as eddies turn over.

    In stable air the eddies are no larger than the Obukhov length; they turn over within that length divided by the
    lateral turbulent speed, if this is sooner than Draxler's 300 s.
    """
    x = np.maximum(np.asarray(distance_m, dtype=np.float64), 0.0)
    lateral_mps = air.direction_sd_rad * air.wind_mps
    scale_s = min(DRAXLER_S, air.obukhov_length_m / lateral_mps) if air.obukhov_length_m > 0 else DRAXLER_S
    return np.asarray(air.direction_sd_rad * x / (1 + 0.9 * np.sqrt(x / air.wind_mps / scale_s)))


def crosswind_integrated(
    distance_m: Numbers, height_m: float, air: SurfaceLayer, *, source_height_m: float, deposition_mps: float = 0.0
) -> Floats:
    """Concentration integrated across the wind, per unit of release rate, in s/m2 at ascending distances.

    An implicit march down-wind over cells whose height grows with height.
    """
    distances = np.atleast_1d(np.asarray(distance_m, dtype=np.float64))
    order = np.argsort(distances)
    top = max(min(air.mixing_height_m or HIGHEST_M, HIGHEST_M), 4 * source_height_m, 20.0)
    edges = np.geomspace(air.roughness_m, top, LEVELS + 1)
    centres, thickness = np.sqrt(edges[1:] * edges[:-1]), np.diff(edges)
    wind = wind_profile_mps(centres, air.friction_velocity_mps, air.obukhov_length_m, air.roughness_m)
    inner = edges[1:-1]
    diffusivity = VON_KARMAN * air.friction_velocity_mps * inner / phi_h(inner / air.obukhov_length_m)
    exchange = diffusivity / np.diff(centres)
    level = _released(centres, thickness, wind, max(source_height_m, 2 * air.roughness_m))
    reached, step = 0.0, FIRST_STEP_M
    found = np.zeros(len(distances))
    flow = wind * thickness
    for place in order:
        while reached < distances[place] - 1e-9:
            forward = min(step, distances[place] - reached)
            diagonal = flow / forward
            right = diagonal * level
            diagonal = diagonal.copy()
            diagonal[:-1] += exchange
            diagonal[1:] += exchange
            diagonal[0] += deposition_mps
            bands = np.zeros((3, LEVELS))
            bands[0, 1:], bands[1], bands[2, :-1] = -exchange, diagonal, -exchange
            level = solve_banded((1, 1), bands, right, check_finite=False)
            reached += forward
            step = max(FIRST_STEP_M, STEP_GROWTH * reached)
        found[place] = np.interp(math.log(max(height_m, centres[0])), np.log(centres), level)
    return found


def similarity_gpm3(
    x_m: Numbers,
    y_m: Numbers,
    z_m: float,
    air: SurfaceLayer,
    *,
    rate_gps: float,
    source_height_m: float = 0.5,
    deposition_mps: float = 0.0,
) -> Floats:
    """Concentration of a continuous release near the ground at points down-wind, all at the height `z_m`, in g/m3.

    Raises InvalidInput if a rate or height cannot be.
    """
    check_source(rate_gps, air.wind_mps, source_height_m, None)
    x, y = np.broadcast_arrays(np.asarray(x_m, dtype=np.float64), np.asarray(y_m, dtype=np.float64))
    distances, back = np.unique(np.maximum(x, 0.1), return_inverse=True)
    integrated = crosswind_integrated(
        distances, z_m, air, source_height_m=source_height_m, deposition_mps=deposition_mps
    )[back].reshape(x.shape)
    spread = lateral_spread_m(np.maximum(x, 0.1), air)
    across = np.exp(-0.5 * (y / spread) ** 2) / (math.sqrt(2 * math.pi) * spread)
    return np.asarray(np.where(x > 0, rate_gps * integrated * across, 0.0))


def _released(centres: Floats, thickness: Floats, wind: Floats, height_m: float) -> Floats:
    """The first column: a unit flux in the two cells around the source, so that its mean height is right."""
    upper = int(np.clip(np.searchsorted(centres, height_m), 1, len(centres) - 1))
    share = np.clip((height_m - centres[upper - 1]) / (centres[upper] - centres[upper - 1]), 0.0, 1.0)
    level = np.zeros(len(centres))
    level[upper] = share / (wind[upper] * thickness[upper])
    level[upper - 1] = (1 - share) / (wind[upper - 1] * thickness[upper - 1])
    return level
