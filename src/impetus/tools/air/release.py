"""What is known and what is sought when a release is located: readings, weather, and the unknowns with their priors.

The unknowns are a row of numbers (`Unknown`). The model of a reading is a Gaussian plume with Briggs' spreads at a
class between classes; how far real spreads differ from Briggs' is unknown too, in level and in growth with distance,
and so is a bend of the plume's axis. Without these, a posterior believes its formulas too much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.air.arrays import Booleans, Floats
from impetus.tools.air.plume import CalmWind
from impetus.tools.air.spread import Terrain, log_sigmas
from impetus.tools.air.stability import CALM_MPS, StabilityClass


class Unknown(IntEnum):
    """Places of the unknowns in a row."""

    EAST = 0
    NORTH = 1
    LOG_RATE = 2
    """Natural logarithm of g/s."""
    DIRECTION = 3
    """Error of the reported wind direction in degrees."""
    STABILITY = 4
    """0 for class A to 5 for F, and between."""
    LATERAL = 5
    """Logarithm of real over Briggs' sigma_y at 200 m."""
    VERTICAL = 6
    LATERAL_GROWTH = 7
    """Exponent by which the real sigma_y grows faster with distance."""
    VERTICAL_GROWTH = 8
    BEND = 9
    """Tangent by which the axis turns with each factor e of distance."""
    LOG_ERROR = 10
    """Logarithm of the standard error of the logarithm of a reading."""


UNKNOWNS = len(Unknown)
USUAL_WIND_MPS, USUAL_WIND_LOG_ERROR = 3.0, 0.6
"""Taken where no wind speed is known: two in three lie between 1.6 and 5.5 m/s."""
LOG_RATE_BOUNDS = (math.log(1e-6), math.log(1e6))
REFERENCE_M = 200.0
LEAST_DISTANCE_M = 1.0
NOTHING = -700.0
"""Logarithm of a concentration that is none."""

# Prior standard deviations. Spread measured in experiments scatters about the curves by a factor of 1.5 or so and its
# exponent with distance lies between 0.7 and 1.0 laterally and 0.4 and 1.5 vertically (Hanna, Briggs & Hosker 1982).
LATERAL_SD, VERTICAL_SD = 0.4, 0.4
LATERAL_GROWTH_SD, VERTICAL_GROWTH_SD = 0.15, 0.25
BEND_SD = 0.03
LOG_ERROR_MEAN, LOG_ERROR_SD = math.log(0.5), 0.4
"""Ten-minute means under a good model scatter by a factor of about 1.7 (Chang & Hanna 2004: VG of 1.3 to 1.6)."""
EDGE_ERROR = 0.15
"""Further error towards the edge of the plume, a unit of log concentration below its axis."""
EDGE_LIMIT = 4.0
FREEDOM = 4.0
"""Degrees of freedom of the readings' errors (Student's t)."""
FEW_READINGS = 2
LIAR_SHARE = 0.03
"""Prior share of readings that say nothing, of a sensor that lies."""
LIAR_RANGE = 12.0
"""Range of logarithms over which a liar's reading may lie anywhere."""
_T_NORM = math.log(math.gamma(2.5) / (math.gamma(2.0) * math.sqrt(FREEDOM * math.pi)))


@dataclass(frozen=True, slots=True)
class Weather:
    """Wind and stability with what is not known of them."""

    wind_mps: float
    wind_from_deg: float
    stability: StabilityClass | None = None
    """None: anything, D most likely."""
    terrain: Terrain = Terrain.RURAL
    direction_error_deg: float = 15.0
    """Standard deviation of what the reported direction may be wrong by."""
    stability_error: float = 0.7
    """Standard deviation of the class: about one class either way."""
    release_height_m: float = 0.0
    log_speed_error: float = 0.0
    """Standard deviation of the logarithm of the speed: the rate is uncertain by as much, the position is not."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.wind_mps) and self.wind_mps >= 0 and math.isfinite(self.wind_from_deg)):
            raise InvalidInput("the wind is no wind", hint="give a speed in m/s, 0 or more, and a direction in degrees")
        if self.wind_mps < CALM_MPS:
            raise CalmWind(self.wind_mps)
        if not (0 < self.direction_error_deg <= 360 and 0 < self.stability_error <= 6 and self.release_height_m >= 0):
            raise InvalidInput("the weather's uncertainty or the release height is no such thing")

    @property
    def stability_number(self) -> float:
        """The class as a number; D where it is unknown."""
        return float(self.stability.number if self.stability is not None else StabilityClass.D.number)

    @property
    def stability_sd(self) -> float:
        """The standard deviation of that number."""
        return self.stability_error if self.stability is not None else 1.5


@dataclass(frozen=True, slots=True)
class Box:
    """Where the source may be, in metres east and north."""

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        if not (self.west < self.east and self.south < self.north):
            raise InvalidInput("the search box is empty", hint="give west < east and south < north in metres")

    @classmethod
    def around(cls, east: float, north: float, width: float) -> Box:
        """A square."""
        return cls(east - width / 2, north - width / 2, east + width / 2, north + width / 2)


@dataclass(frozen=True, slots=True)
class Readings:
    """What samplers measured, one row each: position in metres east, north and up, concentration in g/m3."""

    east_m: Floats
    north_m: Floats
    height_m: Floats
    concentration_gpm3: Floats
    """0 where nothing was found."""
    limit_gpm3: Floats
    """Below this the instrument sees nothing: errors are counted from there on."""
    saturated: Booleans
    """Where the reading is only a lower bound."""
    trusted: Booleans
    """Where the reading is known to be of the release, because a detection stands on it: it cannot be a liar's."""

    def __len__(self) -> int:
        return len(self.concentration_gpm3)

    def subset(self, chosen: Booleans) -> Readings:
        """Only these."""
        return Readings(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def readings_of(
    position_m: Floats,
    concentration_gpm3: Floats,
    *,
    limit_gpm3: float | None = None,
    saturated: Sequence[bool] | None = None,
) -> Readings:
    """Readings from rows of east, north, up and concentrations; without a known limit of detection, half of the least
    reading above 0 is taken for it. Where no more than two are above 0 they are trusted: otherwise the likeliest story
    would be that there is no release.

    Raises InvalidInput when there are too few, or a number is negative or none.
    """
    position = np.asarray(position_m, dtype=np.float64).reshape(-1, 3)
    concentration = np.asarray(concentration_gpm3, dtype=np.float64)
    if len(position) != len(concentration) or not len(position):
        raise InvalidInput("there are no readings, or not as many as positions")
    if not (np.isfinite(position).all() and np.isfinite(concentration).all() and (concentration >= 0).all()):
        raise InvalidInput("a reading is negative or no number", hint="leave it out, or write 0 for nothing found")
    above = concentration[concentration > 0]
    if limit_gpm3 is None:
        if not len(above):
            raise InvalidInput(
                "no reading is above 0 and no limit of detection is known", hint="give detection_limit_gpm3"
            )
        limit_gpm3 = 0.5 * float(above.min())
    if not (math.isfinite(limit_gpm3) and limit_gpm3 > 0):
        raise InvalidInput("the limit of detection must be above 0 g/m3")
    count = len(concentration)
    return Readings(
        position[:, 0],
        position[:, 1],
        np.maximum(position[:, 2], 0.0),
        concentration,
        np.full(count, limit_gpm3),
        np.asarray(saturated if saturated is not None else np.zeros(count), dtype=np.bool_),
        (concentration > 0) & (len(above) <= FEW_READINGS),
    )


@dataclass(frozen=True)
class Release:
    """The problem: readings of a steady release under one weather, and the box where its source may be."""

    readings: Readings
    weather: Weather
    box: Box
    allowed: tuple[Floats, Floats, Booleans] | None = None
    """Open space of a street map: ascending east and north of cell centres, and whether a source may be in a cell
    (rows are north)."""
    log_readings: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "log_readings", np.log(self.readings.concentration_gpm3 + self.readings.limit_gpm3))

    def with_readings(self, readings: Readings) -> Release:
        """The same problem with other readings."""
        return replace(self, readings=readings)

    def prior_sd(self) -> Floats:
        """Standard deviations of the unknowns that have a normal prior; infinite for position and rate."""
        return np.array(
            [
                np.inf,
                np.inf,
                np.inf,
                self.weather.direction_error_deg,
                self.weather.stability_sd,
                LATERAL_SD,
                VERTICAL_SD,
                LATERAL_GROWTH_SD,
                VERTICAL_GROWTH_SD,
                BEND_SD,
                LOG_ERROR_SD,
            ]
        )

    def prior_mean(self) -> Floats:
        """Means of the unknowns that have a normal prior; 0 elsewhere."""
        mean = np.zeros(UNKNOWNS)
        mean[Unknown.STABILITY] = self.weather.stability_number
        mean[Unknown.LOG_ERROR] = LOG_ERROR_MEAN
        return mean

    def draw_prior(self, count: int, random: np.random.Generator) -> Floats:
        """Rows from the prior, as if all the box were allowed."""
        sd = self.prior_sd()
        rows = self.prior_mean() + random.normal(size=(count, UNKNOWNS)) * np.where(np.isfinite(sd), sd, 0.0)
        rows[:, Unknown.EAST] = random.uniform(self.box.west, self.box.east, count)
        rows[:, Unknown.NORTH] = random.uniform(self.box.south, self.box.north, count)
        rows[:, Unknown.LOG_RATE] = random.uniform(*LOG_RATE_BOUNDS, count)
        rows[:, Unknown.STABILITY] = np.clip(rows[:, Unknown.STABILITY], 0.0, 5.0)
        return np.asarray(rows)

    def log_prior(self, rows: Floats) -> Floats:
        """Logarithm of the prior density but for a constant; minus infinity outside of the bounds."""
        east, north = rows[:, Unknown.EAST], rows[:, Unknown.NORTH]
        log_rate, stability = rows[:, Unknown.LOG_RATE], rows[:, Unknown.STABILITY]
        inside = (east >= self.box.west) & (east <= self.box.east)
        inside &= (north >= self.box.south) & (north <= self.box.north)
        inside &= (log_rate >= LOG_RATE_BOUNDS[0]) & (log_rate <= LOG_RATE_BOUNDS[1])
        inside &= (stability >= 0) & (stability <= 5)
        if self.allowed is not None:
            inside &= _is_allowed(east, north, self.allowed)
        scaled = (rows - self.prior_mean()) / self.prior_sd()
        return np.where(inside, -0.5 * (scaled**2).sum(axis=1), -np.inf)

    def log_concentration(self, rows: Floats) -> tuple[Floats, Floats]:
        """Natural logarithm of the modelled concentration (g/m3) of each row at each sampler, and how far below its
        axis the plume is there, both (rows, samplers)."""
        bearing = np.radians(self.weather.wind_from_deg + 180.0 + rows[:, Unknown.DIRECTION])[:, None]
        sine, cosine = np.sin(bearing), np.cos(bearing)
        east = self.readings.east_m - rows[:, Unknown.EAST, None]
        north = self.readings.north_m - rows[:, Unknown.NORTH, None]
        along, across = east * sine + north * cosine, east * cosine - north * sine
        log_along = np.log(np.maximum(along, LEAST_DISTANCE_M))
        log_ratio = log_along - math.log(REFERENCE_M)
        across = across + rows[:, Unknown.BEND, None] * np.exp(log_along) * log_ratio
        log_y, log_z = log_sigmas(log_along, np.clip(rows[:, Unknown.STABILITY, None], 0, 5), self.weather.terrain)
        log_y = log_y + rows[:, Unknown.LATERAL, None] + rows[:, Unknown.LATERAL_GROWTH, None] * log_ratio
        log_z = log_z + rows[:, Unknown.VERTICAL, None] + rows[:, Unknown.VERTICAL_GROWTH, None] * log_ratio
        edge = 0.5 * (across * np.exp(-log_y)) ** 2
        height, source = self.readings.height_m, self.weather.release_height_m
        inverse = np.exp(-2 * log_z)
        if source:
            vertical = np.logaddexp(-0.5 * (height - source) ** 2 * inverse, -0.5 * (height + source) ** 2 * inverse)
            vertical = vertical - math.log(2.0)
        else:
            vertical = -0.5 * height**2 * inverse
        level = rows[:, Unknown.LOG_RATE, None] - math.log(math.pi * self.weather.wind_mps) - log_y - log_z
        return np.where(along > 0, np.maximum(level - edge + vertical, NOTHING), NOTHING), edge

    def residuals(self, rows: Floats) -> tuple[Floats, Floats]:
        """Logarithm of reading over model, and its standard error, both (rows, samplers)."""
        log_model, edge = self.log_concentration(rows)
        predicted = np.log(np.exp(np.minimum(log_model, 60.0)) + self.readings.limit_gpm3)
        error = np.exp(2 * rows[:, Unknown.LOG_ERROR, None]) + (EDGE_ERROR * np.minimum(edge, EDGE_LIMIT)) ** 2
        residual = self.log_readings - predicted
        # Of a saturated reading, the model may lie above it at no cost.
        residual = np.where(self.readings.saturated & (residual < 0), 0.0, residual)
        return residual, np.sqrt(error)

    def log_likelihood(self, rows: Floats) -> Floats:
        """Each reading errs by Student's t in its logarithm, or with a small probability says nothing at all; one that
        is trusted errs normally."""
        residual, error = self.residuals(rows)
        density = _T_NORM - np.log(error) - 0.5 * (FREEDOM + 1) * np.log1p((residual / error) ** 2 / FREEDOM)
        honest = math.log(1 - LIAR_SHARE) + density
        doubted = np.logaddexp(honest, math.log(LIAR_SHARE / LIAR_RANGE))
        if self.readings.trusted.any():
            normal = -0.5 * (residual / error) ** 2 - np.log(error) - 0.5 * math.log(2 * math.pi)
            doubted = np.where(self.readings.trusted, normal, doubted)
        return np.asarray(doubted.sum(axis=1))


def _is_allowed(east: Floats, north: Floats, allowed: tuple[Floats, Floats, Booleans]) -> Booleans:
    columns, lines, open_space = allowed
    column = np.clip(np.searchsorted(columns, east), 1, len(columns) - 1)
    column -= east - columns[column - 1] < columns[column] - east
    line = np.clip(np.searchsorted(lines, north), 1, len(lines) - 1)
    line -= north - lines[line - 1] < lines[line] - north
    return np.asarray(open_space[line, column])
