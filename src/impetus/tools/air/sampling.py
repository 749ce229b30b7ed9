"""Where to sample or place a sensor next: where a reading would tell most about the position of the source.

The expected gain of information about the position at a place is how much readings there would differ between the
places where the source may be, against how much they scatter anyway: for normal scatter of a reading's logarithm, half
the logarithm of total over remaining variance (Lindley 1956; Chaloner & Verdinelli, Bayesian experimental design,
Statistical Science 10, 1995).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.tools.air.arrays import Booleans, Floats
from impetus.tools.air.release import LOG_ERROR_MEAN, Box, Readings, Release

SAMPLES = 240
GROUPS = 12
CANDIDATES = 28
HEIGHT_M = 1.5
APART_M = 120.0
"""Places of one plan lie so far from one another."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place to sample, with what a reading there is expected to tell, in nats."""

    east_m: float
    north_m: float
    information: float


def sampling_plan(
    release: Release,
    samples: Floats,
    area: Box,
    random: np.random.Generator,
    *,
    count: int = 3,
    accessible: Booleans | None = None,
) -> Sequence[Place]:
    """The best places, best first, of a grid over the area; `accessible` (28, 28; rows north) leaves some out."""
    chosen = samples[random.choice(len(samples), min(SAMPLES, len(samples)), replace=False)]
    east, north = np.meshgrid(
        np.linspace(area.west, area.east, CANDIDATES), np.linspace(area.south, area.north, CANDIDATES)
    )
    places = np.column_stack([east.ravel(), north.ravel()])
    many = len(places)
    limit = float(np.median(release.readings.limit_gpm3))
    candidates = Readings(
        places[:, 0],
        places[:, 1],
        np.full(many, HEIGHT_M),
        np.zeros(many),
        np.full(many, limit),
        np.zeros(many, dtype=np.bool_),
        np.zeros(many, dtype=np.bool_),
    )
    log_model, _ = release.with_readings(candidates).log_concentration(chosen)
    reading = np.log(np.exp(np.minimum(log_model, 60.0)) + limit)
    group = _groups(chosen[:, :2], random)
    scatter = math.exp(2 * LOG_ERROR_MEAN)
    total = reading.var(axis=0) + scatter
    remaining = np.zeros(many)
    for number in range(GROUPS):
        own = group == number
        if own.any():
            remaining += own.mean() * reading[own].var(axis=0)
    information = 0.5 * np.log(total / (remaining + scatter))
    if accessible is not None:
        information = np.where(accessible.ravel(), information, -np.inf)
    found: list[Place] = []
    for place in np.argsort(-information):
        if len(found) == count or not np.isfinite(information[place]):
            break
        here = (float(places[place, 0]), float(places[place, 1]))
        if all(math.dist(here, (other.east_m, other.north_m)) >= APART_M for other in found):
            found.append(Place(*here, float(information[place])))
    return found


def _groups(positions: Floats, random: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Positions in groups of neighbours (k-means, a few rounds)."""
    scaled = (positions - positions.mean(axis=0)) / np.maximum(positions.std(axis=0), 1.0)
    centres = scaled[random.choice(len(scaled), GROUPS, replace=len(scaled) < GROUPS)]
    group = np.zeros(len(scaled), dtype=np.int64)
    for _ in range(6):
        group = ((scaled[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        for number in range(GROUPS):
            own = group == number
            if own.any():
                centres[number] = scaled[own].mean(axis=0)
    return group
