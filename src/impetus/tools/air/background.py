"""What a sensor reads when there is no release: a regression on the hour, the week, weather and traffic that keeps
learning, and how much readings scatter around it.

Recursive least squares with forgetting (Haykin, Adaptive Filter Theory), for many sensors at once; a reading that lies
far off teaches as much as one three standard errors off (Huber), so that a release does not become the norm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from impetus.tools.air.arrays import Booleans, Floats, Integers

COVARIATES = ("wind_speed_mps", "humidity_percent", "rain_mmph", "traffic_perh", "temperature_c")
"""What a background may depend on beside the time; missing ones are left at their mean."""
HARMONICS = 4
TIME_FEATURES = 1 + 2 * HARMONICS + 3
FEATURES = TIME_FEATURES + len(COVARIATES) + 1
MEMORY_DAYS = 14.0
"""The season is followed by forgetting: what was two weeks ago counts a third."""
CLIP = 3.0
PRIOR_READINGS = 10.0
"""Readings that the first guess of the scatter counts for."""
SCATTER_READINGS = 1_000.0
_DAY_S = 86_400.0


def features(time_s: float, covariates: Floats) -> Floats:
    """(m, FEATURES) for readings at one time with their covariates (m, 5), already centred and scaled; nan is unknown.

    The hour in four harmonics, three of them apart at the weekend, weather and traffic as they are, and dilution by the
    wind.
    """
    known = np.nan_to_num(covariates)
    angle = 2 * math.pi * (time_s % _DAY_S) / _DAY_S
    day = int(time_s // _DAY_S + 3) % 7
    weekend = 1.0 if day >= 5 else 0.0
    row = [1.0]
    for harmonic in range(1, HARMONICS + 1):
        row += [math.sin(harmonic * angle), math.cos(harmonic * angle)]
    row += [weekend, weekend * math.sin(angle), weekend * math.cos(angle)]
    found = np.empty((len(known), FEATURES))
    found[:, :TIME_FEATURES] = row
    found[:, TIME_FEATURES:-1] = known
    found[:, -1] = np.exp(-np.clip(known[:, 0], -3, 3)) - 1.0
    return found


@dataclass(frozen=True, slots=True)
class Expected:
    """What readings were expected to be, before they were seen."""

    mean: Floats
    sd: Floats
    """Of one reading, with what is not yet known of the background."""
    residual: Floats


class Background:
    """The backgrounds of many sensors, one row each."""

    def __init__(self) -> None:
        self._count = 0
        self._coefficients = np.zeros((0, FEATURES))
        self._covariance = np.zeros((0, FEATURES, FEATURES))
        self._variance = np.zeros(0)
        self._weight = np.zeros(0)
        self._readings = np.zeros(0, dtype=np.int64)
        self._newest_s = np.zeros(0)
        self._centre = np.zeros((0, len(COVARIATES)))
        self._scale = np.ones((0, len(COVARIATES)))
        self._seen = np.zeros((0, len(COVARIATES)))

    @property
    def readings(self) -> Integers:
        """How many readings each row has learnt from."""
        return self._readings

    def grow(self, count: int) -> None:
        """Have at least so many rows."""
        more = count - self._count
        if more <= 0:
            return
        width = len(COVARIATES)
        prior = np.broadcast_to(np.diag([1e6, *([100.0] * (FEATURES - 1))]), (more, FEATURES, FEATURES))
        self._coefficients = np.concatenate([self._coefficients, np.zeros((more, FEATURES))])
        self._covariance = np.concatenate([self._covariance, prior])
        self._variance = np.concatenate([self._variance, np.full(more, np.nan)])
        self._weight = np.concatenate([self._weight, np.zeros(more)])
        self._readings = np.concatenate([self._readings, np.zeros(more, dtype=np.int64)])
        self._newest_s = np.concatenate([self._newest_s, np.full(more, np.nan)])
        self._centre = np.concatenate([self._centre, np.zeros((more, width))])
        self._scale = np.concatenate([self._scale, np.ones((more, width))])
        self._seen = np.concatenate([self._seen, np.zeros((more, width))])
        self._count = count

    def expect(self, row: Integers, time_s: float, covariates: Floats, value: Floats) -> tuple[Expected, Floats]:
        """What readings of distinct rows at one time should have been; and their features, for `learn`."""
        scaled = (covariates - self._centre[row]) / self._scale[row]
        found = features(time_s, np.clip(scaled, -5, 5))
        mean = (found * self._coefficients[row]).sum(axis=1)
        first = self._readings[row] == 0
        mean = np.where(first, value, mean)
        leverage = np.einsum("ni,nij,nj->n", found, self._covariance[row], found)
        variance = np.where(np.isnan(self._variance[row]), np.maximum(0.04 * value**2, 1e-12), self._variance[row])
        sd = np.sqrt(variance * (1 + np.minimum(np.maximum(leverage, 0.0), 1e4)))
        return Expected(mean, sd, value - mean), found

    def learn(
        self, row: Integers, time_s: float, covariates: Floats, expected: Expected, found: Floats, quiet: Booleans
    ) -> None:
        """Take the readings in; where `quiet` is false, something is going on and the scatter is left as it is."""
        self._scale_covariates(row, covariates)
        passed_s = np.nan_to_num(time_s - self._newest_s[row])
        forgetting = np.exp(-np.clip(passed_s, 0, _DAY_S) / (MEMORY_DAYS * _DAY_S))
        covariance = self._covariance[row]
        product = np.einsum("nij,nj->ni", covariance, found)
        gain = product / (forgetting + (found * product).sum(axis=1))[:, None]
        error = np.clip(expected.residual, -CLIP * expected.sd, CLIP * expected.sd)
        first = self._readings[row] == 0
        error = np.where(first, expected.mean, error)
        # While something is going on it teaches nothing.
        taught = (quiet | first)[:, None]
        self._coefficients[row] += np.where(taught, gain * error[:, None], 0.0)
        updated = (covariance - gain[:, :, None] * product[:, None, :]) / forgetting[:, None, None]
        updated = 0.5 * (updated + updated.transpose(0, 2, 1))
        # What is not excited (no rain for weeks) is not forgotten without bound.
        trace = np.einsum("nii->n", updated)
        bounded = np.where((trace < 1e6 + 200.0 * FEATURES)[:, None, None], updated, covariance)
        self._covariance[row] = np.where(taught[:, :, None], bounded, covariance)
        leverage = np.maximum((found * product).sum(axis=1), 0.0)
        squared = np.minimum(expected.residual**2, (CLIP * expected.sd) ** 2) / (1 + leverage)
        start = np.isnan(self._variance[row])
        before = np.where(start, np.maximum(0.04 * expected.mean**2, 1e-12), self._variance[row])
        weight = np.where(start, PRIOR_READINGS, self._weight[row])
        teaches = quiet & ~first & (leverage < 1.0)
        weight_after = np.where(teaches, np.minimum(weight + 1, SCATTER_READINGS), weight)
        self._variance[row] = np.where(teaches, before + (squared - before) / weight_after, before)
        self._weight[row] = weight_after
        self._readings[row] += 1
        self._newest_s[row] = time_s

    def _scale_covariates(self, row: Integers, covariates: Floats) -> None:
        """Follow the mean and the spread of the covariates, so that all count alike; slowly after the first hundred."""
        known = ~np.isnan(covariates)
        value = np.where(known, covariates, self._centre[row])
        seen = self._seen[row] + known
        rate = 1.0 / np.clip(seen, 1, 50)
        # They are settled early and then held: a scale that moves would move the regression.
        rate = np.where(known & (seen <= 200), rate, 0.0)
        first = known & (seen == 1)
        centre = np.where(first, value, self._centre[row] + rate * (value - self._centre[row]))
        deviation = np.abs(value - centre)
        scale = np.where(
            first, np.maximum(np.abs(value), 1e-3), self._scale[row] + rate * (deviation - self._scale[row])
        )
        self._centre[row], self._scale[row], self._seen[row] = centre, np.maximum(scale, 1e-3), seen
