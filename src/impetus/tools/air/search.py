"""Finds where the posterior of a release is high: informed draws, then damped Gauss-Newton from many of them at once.

All is done in coordinates in which the unknowns hang together little: the source's distance up-wind of the readings'
centre and its offset across, both in the wind of the same row, and the rate relative to what that distance dilutes. The
change of coordinates keeps volumes (rotations and shears), so densities are the same in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from impetus.tools.air.arrays import Floats, Integers
from impetus.tools.air.release import FREEDOM, LOG_RATE_BOUNDS, REFERENCE_M, UNKNOWNS, Release, Unknown
from impetus.tools.air.spread import log_sigmas

FARTHEST_M = 4_000.0
NEAREST_M = 3.0
DRAWN_RATE_SD = 0.7
SEARCH_ERROR = 0.6
"""Standard error of a reading's logarithm while searching; the posterior has its own."""
ITERATIONS = 12
# Step of the finite differences, and the longest step of an iteration, in each coordinate but the error's.
DIFFERENCE = np.array([1.0, 0.5, 0.02, 0.3, 0.03, 0.02, 0.02, 0.01, 0.01, 0.001])
LONGEST_STEP = np.array([300.0, 200.0, 3.0, 15.0, 1.0, 0.5, 0.5, 0.2, 0.2, 0.1])
APART = np.array([30.0, 20.0, 1.0, 9.0, 0.9, 0.6, 0.6, 0.3, 0.5, 0.1])
"""Two optima are one if they differ by less in every coordinate (and by a fifth of the distance in the first)."""
WEAK_PRIOR_SD = np.array([600.0, 300.0, 4.0, *([np.inf] * 7)])
"""Bounds the curvature of directions in which the readings say nothing."""
SOUGHT = UNKNOWNS - 1
"""The error's size is not sought: its likelihood has no least squares."""


class WindCoordinates:
    """Between unknowns and: distance up-wind, offset across, diluted log rate, and the rest as it is."""

    def __init__(self, release: Release) -> None:
        self._release = release
        readings = release.readings
        weight = release.log_readings - np.log(readings.limit_gpm3) + 1e-6
        weight = np.maximum(weight, 0.0) / max(float(np.maximum(weight, 0.0).sum()), 1e-12)
        self._east, self._north = float(weight @ readings.east_m), float(weight @ readings.north_m)

    def to_unknowns(self, rows: Floats) -> Floats:
        """Rows (n, 11) of unknowns."""
        sine, cosine = self._direction(rows)
        found = rows.copy()
        found[:, Unknown.EAST] = self._east - rows[:, 0] * sine + rows[:, 1] * cosine
        found[:, Unknown.NORTH] = self._north - rows[:, 0] * cosine - rows[:, 1] * sine
        found[:, Unknown.LOG_RATE] = rows[:, 2] + self._dilution(rows[:, 0], rows)
        return found

    def from_unknowns(self, rows: Floats) -> Floats:
        """The inverse."""
        sine, cosine = self._direction(rows)
        east, north = rows[:, Unknown.EAST] - self._east, rows[:, Unknown.NORTH] - self._north
        found = rows.copy()
        found[:, 0] = -(east * sine + north * cosine)
        found[:, 1] = east * cosine - north * sine
        found[:, 2] = rows[:, Unknown.LOG_RATE] - self._dilution(found[:, 0], rows)
        return found

    def _direction(self, rows: Floats) -> tuple[Floats, Floats]:
        bearing = np.radians(self._release.weather.wind_from_deg + 180.0 + rows[:, Unknown.DIRECTION])
        return np.sin(bearing), np.cos(bearing)

    def _dilution(self, distance: Floats, rows: Floats) -> Floats:
        log_distance = 0.5 * np.log(distance**2 + 25.0**2)
        log_ratio = log_distance - math.log(REFERENCE_M)
        stability = np.clip(rows[:, Unknown.STABILITY], 0, 5)
        log_y, log_z = log_sigmas(log_distance, stability, self._release.weather.terrain)
        spread = log_y + log_z + rows[:, Unknown.LATERAL] + rows[:, Unknown.VERTICAL]
        growth = (rows[:, Unknown.LATERAL_GROWTH] + rows[:, Unknown.VERTICAL_GROWTH]) * log_ratio
        return np.asarray(math.log(math.pi * self._release.weather.wind_mps) + spread + growth)


@dataclass(frozen=True, slots=True)
class Optimum:
    """A place of high posterior density, in wind coordinates."""

    row: Floats
    """(11,)"""
    covariance: Floats
    """(11, 11): the inverse of the curvature."""
    cost: float
    """Negative logarithm of the density but for a constant."""


def draw_informed(release: Release, coordinates: WindCoordinates, count: int, random: np.random.Generator) -> Floats:
    """Rows of unknowns where a source is plausible: up-wind of the readings at any scale of distance, near the axis,
    with the rate that the readings then ask for."""
    rows = coordinates.from_unknowns(release.draw_prior(count, random))
    distance = NEAREST_M * np.exp(random.uniform(0, math.log(FARTHEST_M / NEAREST_M), count))
    distance *= np.where(random.random(count) < 0.1, -1.0, 1.0)
    rows[:, 0] = np.where(random.random(count) < 0.15, random.uniform(-FARTHEST_M, FARTHEST_M, count), distance)
    rows[:, 1] = (15.0 + 0.15 * np.abs(rows[:, 0])) * random.standard_t(2, count)
    found = coordinates.to_unknowns(rows)
    found[:, Unknown.LOG_RATE] = 0.0
    log_model, _ = release.log_concentration(found)
    detected = release.readings.concentration_gpm3 > 0
    if detected.any():
        wanted = np.median((release.log_readings - log_model)[:, detected], axis=1)
        drawn = wanted + DRAWN_RATE_SD * random.standard_t(4, count)
        found[:, Unknown.LOG_RATE] = np.clip(drawn, *LOG_RATE_BOUNDS)
    else:
        found[:, Unknown.LOG_RATE] = random.uniform(*LOG_RATE_BOUNDS, count)
    return found


def choose_starts(release: Release, rows: Floats, count: int, random: np.random.Generator) -> Floats:
    """Some of the best rows, and others by chance in a flattened posterior."""
    prior = release.log_prior(rows)
    value = release.log_likelihood(rows) + np.where(np.isfinite(prior), prior, -1e6)
    flat = np.exp(0.15 * (value - value.max()))
    chosen = random.choice(len(rows), count - count // 4, p=flat / flat.sum())
    return np.asarray(rows[np.unique(np.concatenate([np.argsort(-value)[: count // 4], chosen]))])


def optimise(
    release: Release, coordinates: WindCoordinates, starts: Floats, *, iterations: int = ITERATIONS
) -> list[Optimum]:
    """Levenberg-Marquardt from all starts (n, 11; in wind coordinates) at once with reweighted residuals; the distinct
    optima, best first, at most eight."""
    rows = starts.copy()
    mean, sd = release.prior_mean()[:SOUGHT], release.prior_sd()[:SOUGHT]
    precision = np.where(np.isfinite(sd), 1.0 / sd**2, 0.0)
    damping = np.full(len(rows), 1e-2)

    def residual(candidates: Floats) -> Floats:
        clipped = candidates.copy()
        clipped[:, Unknown.STABILITY] = np.clip(clipped[:, Unknown.STABILITY], 0, 5)
        return release.residuals(coordinates.to_unknowns(clipped))[0]

    def cost(candidates: Floats, found: Floats) -> Floats:
        squared = (found / SEARCH_ERROR) ** 2
        robust = 0.5 * (FREEDOM + 1) * np.log1p(squared / FREEDOM)
        misfit = np.where(release.readings.trusted, 0.5 * squared, robust).sum(axis=1)
        return np.asarray(misfit + 0.5 * (precision * (candidates[:, :SOUGHT] - mean) ** 2).sum(axis=1))

    found = residual(rows)
    value = cost(rows, found)
    curvature = np.zeros((len(rows), SOUGHT, SOUGHT))
    diagonal = np.arange(SOUGHT)
    for _ in range(iterations):
        jacobian = np.empty((*found.shape, SOUGHT))
        for place in range(SOUGHT):
            step = DIFFERENCE[place] * (1 + 0.01 * np.abs(rows[:, 0]) * (place < 2))
            moved = rows.copy()
            moved[:, place] += step
            jacobian[:, :, place] = (residual(moved) - found) / step[:, None]
        robust = (FREEDOM + 1) / (FREEDOM + (found / SEARCH_ERROR) ** 2)
        weight = np.where(release.readings.trusted, 1.0, robust) / SEARCH_ERROR**2
        weighted = jacobian * weight[:, :, None]
        curvature = weighted.transpose(0, 2, 1) @ jacobian
        curvature[:, diagonal, diagonal] += precision
        gradient = (weighted.transpose(0, 2, 1) @ found[:, :, None])[:, :, 0] + precision * (rows[:, :SOUGHT] - mean)
        damped = curvature.copy()
        damped[:, diagonal, diagonal] *= 1 + damping[:, None]
        damped[:, diagonal, diagonal] += 1e-9
        step = np.clip(-np.linalg.solve(damped, gradient[:, :, None])[:, :, 0], -LONGEST_STEP, LONGEST_STEP)
        moved = rows.copy()
        moved[:, :SOUGHT] += step
        moved[:, Unknown.STABILITY] = np.clip(moved[:, Unknown.STABILITY], 0, 5)
        found_there = residual(moved)
        value_there = cost(moved, found_there)
        better = value_there < value
        rows = np.where(better[:, None], moved, rows)
        found = np.where(better[:, None], found_there, found)
        value = np.where(better, value_there, value)
        damping = np.where(better, np.maximum(damping / 5, 1e-6), np.minimum(damping * 5, 1e6))
    return [
        _optimum(release, rows[place], found[place], curvature[place], float(value[place]))
        for place in _distinct(rows, value)
    ]


def _distinct(rows: Floats, value: Floats, most: int = 8, worst: float = 8.0) -> list[int]:
    kept: list[int] = []
    order: Integers = np.argsort(value)
    for place in order:
        if len(kept) == most or value[place] > value[order[0]] + worst:
            break
        tolerance = [APART + 0.2 * np.abs(rows[other, 0]) * (np.arange(SOUGHT) == 0) for other in kept]
        apart = (
            (np.abs(rows[place, :SOUGHT] - rows[other, :SOUGHT]) > limit).any()
            for other, limit in zip(kept, tolerance, strict=True)
        )
        if all(apart):
            kept.append(int(place))
    return kept


def _optimum(release: Release, row: Floats, residual: Floats, curvature: Floats, cost: float) -> Optimum:
    mean, sd = release.prior_mean()[Unknown.LOG_ERROR], release.prior_sd()[Unknown.LOG_ERROR]
    bounded = curvature + np.diag(np.where(np.isfinite(WEAK_PRIOR_SD), 1.0 / WEAK_PRIOR_SD**2, 0.0))
    covariance = np.zeros((UNKNOWNS, UNKNOWNS))
    covariance[:SOUGHT, :SOUGHT] = np.linalg.inv(bounded)
    count = len(residual)
    size = 0.5 * math.log(float(np.mean(np.minimum(np.abs(residual), 1.5) ** 2)) + 0.05)
    covariance[Unknown.LOG_ERROR, Unknown.LOG_ERROR] = 1.0 / (2.0 * count * 0.5 + 1.0 / sd**2)
    complete = row.copy()
    complete[Unknown.LOG_ERROR] = (2 * count * size + mean / sd**2) / (2 * count + 1 / sd**2)
    return Optimum(complete, covariance, cost)
