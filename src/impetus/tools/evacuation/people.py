"""Who is there: where people stand, how fast they walk, when they start, and what they know and follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from impetus.model import InvalidInput
from impetus.tools.evacuation.arrays import Booleans, Floats, Integers

RADIUS_M, TIME_GAP_S = 0.2, 0.59
"""Fitted to Weidmann's fundamental diagram in a corridor; see the card."""
DENSEST_PM2 = 6.0
"""More do not stand on a square metre."""
SPACING_M = 0.40
"""Bodies do not overlap at the start."""


@dataclass
class Crowd:
    """All people of one run, in columns; n is their number."""

    x: Floats
    y: Floats
    free_mps: Floats
    radius_m: Floats
    time_gap_s: Floats
    start_s: Floats
    """When each one starts to move."""
    familiar: Booleans
    """Whether they know all exits; the others leave where they came in."""
    comply: Booleans
    """Whether they follow what they are told."""
    comply_draw: Floats
    """Uniform numbers from which `comply` was drawn; stewards raise the bar."""
    group: Integers
    """Number of the social group each belongs to (walk at one speed, leave together); -1: alone."""
    preferred: Integers
    """Number of the exit that each one was assigned; -1: none."""
    zone: Integers
    """Number of the zone each one starts in; -1: none."""

    def __len__(self) -> int:
        return len(self.x)


def scatter(
    area: BaseGeometry, count: int, random: np.random.Generator, *, name: str = "the venue", taken: Floats | None = None
) -> Floats:
    """Positions (count, 2) spread over an area, no two closer than bodies allow.

    Raises:
        InvalidInput: more people than fit; it says how many do.
    """
    if count == 0:
        return np.empty((0, 2))
    roomy: BaseGeometry = area.buffer(-0.22)
    if roomy.is_empty:
        roomy = area
    most = math.floor(area.area * DENSEST_PM2)
    if count > most:
        raise InvalidInput(
            f"{count:,} people do not fit into {name}: it holds {most:,}", hint=f"{DENSEST_PM2:g} on a square metre"
        )
    spacing = math.sqrt(2.0 / (math.sqrt(3.0) * max(count / max(roomy.area, 1e-9), 1e-9)))
    spacing = min(max(spacing * 0.97, SPACING_M), 20.0)
    points: Floats = np.empty((0, 2))
    for _ in range(14):
        points = _lattice(roomy, spacing, random)
        if taken is not None and len(taken) and len(points):
            from scipy.spatial import cKDTree

            away, _ = cKDTree(taken).query(points)
            points = points[away > SPACING_M * 0.95]
        if len(points) >= count:
            return points[random.permutation(len(points))[:count]]
        if spacing <= SPACING_M:
            break
        spacing = max(spacing * 0.94, SPACING_M)
    raise InvalidInput(
        f"{count:,} people do not fit into {name}: it holds {len(points):,}",
        hint="obstacles, walls and others take room",
    )


def _lattice(area: BaseGeometry, spacing: float, random: np.random.Generator) -> Floats:
    left, bottom, right, top = area.bounds
    height = spacing * math.sqrt(3.0) / 2.0
    columns, rows = math.ceil((right - left) / spacing) + 2, math.ceil((top - bottom) / height) + 2
    if columns * rows > 4_000_000:
        columns = rows = 2_000
    row, column = np.mgrid[0:rows, 0:columns]
    x = left - random.uniform(0, spacing) + (column + 0.5 * (row % 2)) * spacing
    y = bottom - random.uniform(0, height) + row * height
    jitter = max((spacing - SPACING_M) / 2.0, 0.0)
    angle, reach = random.uniform(0, 2 * math.pi, x.shape), jitter * np.sqrt(random.uniform(0, 1, x.shape))
    x, y = x + reach * np.cos(angle), y + reach * np.sin(angle)
    shapely.prepare(area)
    inside = shapely.contains_xy(area, x, y)
    return np.column_stack([x[inside], y[inside]])


def join(crowds: Sequence[Crowd]) -> Crowd:
    """Several crowds as one; numbers of social groups stay apart."""
    offset = 0
    groups = []
    for crowd in crowds:
        groups.append(np.where(crowd.group >= 0, crowd.group + offset, -1))
        offset += int(crowd.group.max(initial=-1)) + 1
    columns = {
        name: np.concatenate([getattr(crowd, name) for crowd in crowds])
        for name in (
            "x", "y", "free_mps", "radius_m", "time_gap_s", "start_s", "familiar", "comply", "comply_draw", "preferred",
            "zone",
        )
    }  # fmt: skip
    return Crowd(**columns, group=np.concatenate(groups))
