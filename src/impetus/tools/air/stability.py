"""How turbulent the air is: Pasquill's classes from wind and radiation or from the Obukhov length, and wind profiles.

Sources: Turner, Workbook of Atmospheric Dispersion Estimates (1970); US EPA, On-site Meteorological Program Guidance,
EPA-454/R-99-005 (2000), tables 6-7 and 6-3 (solar radiation / delta-T method); Golder, Relations among stability
parameters in the surface layer, Boundary-Layer Meteorology 3 (1972); Dyer, A review of flux-profile relationships,
Boundary-Layer Meteorology 7 (1974); Seinfeld & Pandis, Atmospheric Chemistry and Physics (2006), chapter 16.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.air.arrays import Floats, Numbers

VON_KARMAN = 0.4
CALM_MPS = 0.5
"""Below this, a wind has no direction that a plume could follow."""


class StabilityClass(StrEnum):
    """Pasquill's classes: A very unstable, D neutral, F stable."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"

    @property
    def number(self) -> int:
        """0 for A to 5 for F."""
        return "ABCDEF".index(self.value)


CLASSES = tuple(StabilityClass)

# 1/L = a + b log10(z0) in the middle of each class: Golder's lines in Seinfeld & Pandis (2006), equation 16.83.
_GOLDER = ((-0.096, 0.029), (-0.037, 0.029), (-0.002, 0.018), (0.0, 0.0), (0.004, -0.018), (0.035, -0.036))


def class_of(text: str) -> StabilityClass:
    """The class of that letter. Raises InvalidInput for any other text; G counts as F."""
    letter = text.strip().upper()
    if letter == "G":
        letter = "F"
    try:
        return StabilityClass(letter)
    except ValueError as error:
        raise InvalidInput(
            f"there is no stability class {text[:20]!r}", hint="write one of A, B, C, D, E, F"
        ) from error


def class_from_radiation(wind_mps: float, solar_wm2: float, *, lapse_kpm: float | None = None) -> StabilityClass:
    """Class from wind at 10 m and solar radiation by day, vertical temperature gradient by night (EPA's SRDT method).

    `solar_wm2` of 0 or less is night; then `lapse_kpm` is the temperature gradient in K/m (positive: warmer above). A
    night without it is taken for clear, as the more dangerous case.
    """
    if solar_wm2 > 0:
        row = _bin(wind_mps, (2.0, 3.0, 5.0, 6.0))
        column = 3 - _bin(solar_wm2, (175.0, 675.0, 925.0))
        return StabilityClass(("AABD", "ABCD", "BBCD", "CCDD", "CDDD")[row][column])
    row = _bin(wind_mps, (2.0, 2.5))
    inversion = lapse_kpm is None or lapse_kpm >= 0
    return StabilityClass(("EF", "DE", "DD")[row][int(inversion)])


def inverse_obukhov_length(stability: StabilityClass, roughness_m: float) -> float:
    """1/L in 1/m in the middle of a class over ground of that roughness."""
    a, b = _GOLDER[stability.number]
    return a + b * math.log10(min(max(roughness_m, 0.001), 0.5))


def class_from_obukhov(obukhov_length_m: float, roughness_m: float = 0.03) -> StabilityClass:
    """The class whose middle is nearest in 1/L (Golder 1972); an infinite length is neutral.

    Raises InvalidInput for a length of 0.
    """
    if obukhov_length_m == 0 or math.isnan(obukhov_length_m):
        raise InvalidInput("an Obukhov length of 0 cannot be", hint="write a large number for neutral air")
    inverse = 1.0 / obukhov_length_m
    return min(CLASSES, key=lambda name: abs(inverse_obukhov_length(name, roughness_m) - inverse))


def class_from_direction_sd(direction_sd_deg: float) -> StabilityClass:
    """Class from the standard deviation of the wind's direction over ten minutes (EPA's sigma-A method, by day)."""
    return CLASSES[5 - _bin(direction_sd_deg, (3.8, 7.5, 12.5, 17.5, 22.5))]


def _bin(value: float, bounds: tuple[float, ...]) -> int:
    return sum(value >= bound for bound in bounds)


def phi_m(zeta: Numbers) -> Floats:
    """Dyer's dimensionless wind gradient at height over Obukhov length."""
    z = np.asarray(zeta, dtype=np.float64)
    return np.where(z < 0, (1 - 16 * np.minimum(z, 0)) ** -0.25, 1 + 5 * z)


def phi_h(zeta: Numbers) -> Floats:
    """Dyer's dimensionless gradient of a scalar."""
    z = np.asarray(zeta, dtype=np.float64)
    return np.where(z < 0, (1 - 16 * np.minimum(z, 0)) ** -0.5, 1 + 5 * z)


def psi_m(zeta: Numbers) -> Floats:
    """The integral of (1 - phi_m) / zeta (Paulson 1970)."""
    z = np.asarray(zeta, dtype=np.float64)
    x = (1 - 16 * np.minimum(z, 0)) ** 0.25
    unstable = 2 * np.log((1 + x) / 2) + np.log((1 + x * x) / 2) - 2 * np.arctan(x) + math.pi / 2
    return np.where(z < 0, unstable, -5 * z)


def wind_profile_mps(
    height_m: Numbers, friction_velocity_mps: float, obukhov_length_m: float, roughness_m: float
) -> Floats:
    """Mean wind at a height by Monin-Obukhov similarity; never less than a fifth of u*/k, so that air moves near the
    ground too."""
    z = np.maximum(np.asarray(height_m, dtype=np.float64), 1.2 * roughness_m)
    scale = friction_velocity_mps / VON_KARMAN
    profile = np.log(z / roughness_m) - psi_m(z / obukhov_length_m) + psi_m(roughness_m / obukhov_length_m)
    return np.asarray(np.maximum(scale * profile, 0.2 * scale))
