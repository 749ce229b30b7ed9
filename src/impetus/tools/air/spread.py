"""How wide and how high a plume is at a distance: Briggs' and Pasquill-Gifford's coefficients.

Sources: Briggs, Diffusion estimation for small emissions, ATDL Contribution 79 (1973), as tabulated by Hanna,
Briggs & Hosker (1982), table 4.5; Pasquill-Gifford curves in the formulas of US EPA's ISC3 (EPA-454/B-95-003b, tables
1-1 and 1-2), which follow Turner (1970).
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from impetus.tools.air.arrays import Floats, Numbers
from impetus.tools.air.stability import StabilityClass


class Terrain(StrEnum):
    """Which coefficients."""

    RURAL = "rural"
    """Briggs, open country."""
    URBAN = "urban"
    """Briggs, after McElroy and Pooler's St. Louis experiments."""
    PASQUILL_GIFFORD = "pasquill-gifford"
    """The curves of Prairie Grass, as ISC3 has them."""


# sigma = a x (1 + b x)^p, x in metres: one row a class, A to F.
_RURAL_Y = (
    (0.22, 1e-4, -0.5),
    (0.16, 1e-4, -0.5),
    (0.11, 1e-4, -0.5),
    (0.08, 1e-4, -0.5),
    (0.06, 1e-4, -0.5),
    (0.04, 1e-4, -0.5),
)
_RURAL_Z = (
    (0.20, 0.0, 0.0),
    (0.12, 0.0, 0.0),
    (0.08, 2e-4, -0.5),
    (0.06, 1.5e-3, -0.5),
    (0.03, 3e-4, -1.0),
    (0.016, 3e-4, -1.0),
)
_URBAN_Y = (
    (0.32, 4e-4, -0.5),
    (0.32, 4e-4, -0.5),
    (0.22, 4e-4, -0.5),
    (0.16, 4e-4, -0.5),
    (0.11, 4e-4, -0.5),
    (0.11, 4e-4, -0.5),
)
# The exponent of A and B is +0.5: vertical spread grows faster than distance. Some tables print -0.5.
_URBAN_Z = (
    (0.24, 1e-3, 0.5),
    (0.24, 1e-3, 0.5),
    (0.20, 0.0, 0.0),
    (0.14, 3e-4, -0.5),
    (0.08, 1.5e-3, -0.5),
    (0.08, 1.5e-3, -0.5),
)
BRIGGS = {
    Terrain.RURAL: (np.array(_RURAL_Y), np.array(_RURAL_Z)),
    Terrain.URBAN: (np.array(_URBAN_Y), np.array(_URBAN_Z)),
}
"""Rows a, b, p of sigma_y and sigma_z for the classes A to F."""

# ISC3: sigma_y = 465.11628 x tan(0.017453293 (c - d ln x)), x in kilometres.
_GIFFORD_Y = (
    (24.1670, 2.5334),
    (18.3330, 1.8096),
    (12.5000, 1.0857),
    (8.3330, 0.72382),
    (6.2500, 0.54287),
    (4.1667, 0.36191),
)
# ISC3: sigma_z = a x^b; (upper bound in kilometres, a, b), at most 5,000 m.
_GIFFORD_Z: tuple[tuple[tuple[float, float, float], ...], ...] = (
    (
        (0.10, 122.800, 0.94470),
        (0.15, 158.080, 1.05420),
        (0.20, 170.220, 1.09320),
        (0.25, 179.520, 1.12620),
        (0.30, 217.410, 1.26440),
        (0.40, 258.890, 1.40940),
        (0.50, 346.750, 1.72830),
        (math.inf, 453.850, 2.11660),
    ),
    ((0.20, 90.673, 0.93198), (0.40, 98.483, 0.98332), (math.inf, 109.300, 1.09710)),
    ((math.inf, 61.141, 0.91465),),
    (
        (0.30, 34.459, 0.86974),
        (1.00, 32.093, 0.81066),
        (3.00, 32.093, 0.64403),
        (10.00, 33.504, 0.60486),
        (30.00, 36.650, 0.56589),
        (math.inf, 44.053, 0.51179),
    ),
    (
        (0.10, 24.260, 0.83660),
        (0.30, 23.331, 0.81956),
        (1.00, 21.628, 0.75660),
        (2.00, 21.628, 0.63077),
        (4.00, 22.534, 0.57154),
        (10.00, 24.703, 0.50527),
        (20.00, 26.970, 0.46713),
        (40.00, 35.420, 0.37615),
        (math.inf, 47.618, 0.29592),
    ),
    (
        (0.20, 15.209, 0.81558),
        (0.70, 14.457, 0.78407),
        (1.00, 13.953, 0.68465),
        (2.00, 13.953, 0.63227),
        (3.00, 14.823, 0.54503),
        (7.00, 16.187, 0.46490),
        (15.00, 17.836, 0.41507),
        (30.00, 22.651, 0.32681),
        (60.00, 27.074, 0.27436),
        (math.inf, 34.219, 0.21716),
    ),
)
_GIFFORD_HIGHEST_M = 5_000.0


def sigmas_m(distance_m: Numbers, stability: StabilityClass, terrain: Terrain) -> tuple[Floats, Floats]:
    """Lateral and vertical standard deviation of a plume in metres at distances down-wind in metres; 0 up-wind.

    >>> lateral, vertical = sigmas_m(1_000.0, StabilityClass.D, Terrain.RURAL)
    >>> round(float(lateral), 2), round(float(vertical), 2)
    (76.28, 37.95)
    """
    x = np.maximum(np.asarray(distance_m, dtype=np.float64), 0.0)
    if terrain is Terrain.PASQUILL_GIFFORD:
        return _gifford(x, stability)
    lateral, vertical = BRIGGS[terrain]
    return _briggs(x, lateral[stability.number]), _briggs(x, vertical[stability.number])


def _briggs(x: Floats, row: Floats) -> Floats:
    a, b, p = row
    return np.asarray(a * x * (1 + b * x) ** p)


def _gifford(x: Floats, stability: StabilityClass) -> tuple[Floats, Floats]:
    kilometres = x / 1_000.0
    c, d = _GIFFORD_Y[stability.number]
    away = np.maximum(kilometres, 1e-9)
    lateral = 465.11628 * kilometres * np.tan(0.017453293 * (c - d * np.log(away)))
    pieces = _GIFFORD_Z[stability.number]
    conditions = [away <= bound for bound, _, _ in pieces]
    vertical = np.select(conditions, [a * away**b for _, a, b in pieces])
    return lateral, np.where(kilometres > 0, np.minimum(vertical, _GIFFORD_HIGHEST_M), 0.0)


def log_sigmas(log_distance: Floats, stability_number: Floats, terrain: Terrain) -> tuple[Floats, Floats]:
    """Natural logarithms of Briggs' sigmas at a class between classes: 0 is A, 2.5 half-way from C to D.

    Both arguments broadcast. Used where the class is uncertain; Pasquill-Gifford's curves are taken for Briggs' rural.
    """
    lateral, vertical = BRIGGS[Terrain.URBAN if terrain is Terrain.URBAN else Terrain.RURAL]
    lower = np.clip(np.floor(stability_number).astype(np.int64), 0, 4)
    share = np.clip(stability_number - lower, 0.0, 1.0)
    x = np.exp(log_distance)

    def mixed(table: Floats) -> Floats:
        def at(number: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Floats:
            return np.asarray(np.log(table[number, 0]) + table[number, 2] * np.log1p(table[number, 1] * x))

        low = at(lower)
        return np.asarray(log_distance + low + share * (at(lower + 1) - low))

    return mixed(lateral), mixed(vertical)
