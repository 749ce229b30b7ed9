"""Regions of highest posterior density, as GeoJSON: the smallest areas that hold the source with a probability."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import contourpy
import numpy as np
from scipy.ndimage import gaussian_filter

from impetus.tools.air.arrays import Floats, Integers

CELLS = 160
MARGIN = 4.0
"""Bandwidths of empty margin around the samples."""
Ring = list[tuple[float, float]]
Positions = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Density:
    """Probability per cell of a grid: `mass[row, column]`, rows north."""

    east_m: Floats
    north_m: Floats
    mass: Floats

    def level(self, probability: float) -> float:
        """The mass of a cell at the border of the smallest region of that probability."""
        ordered = np.sort(self.mass, axis=None)[::-1]
        place = int(np.searchsorted(np.cumsum(ordered), probability * ordered.sum()))
        return float(ordered[min(place, len(ordered) - 1)])


def density_of(positions_m: Floats) -> Density:
    """A kernel density of samples (n, 2), on a grid along east and north.

    The kernel is as wide as Silverman's rule says for the innermost half of the samples, per axis: a few strays far off
    must not smear it. It is done on a grid and smoothed there, which is quick for any number of samples.
    """
    grid: list[Floats] = []
    widths: list[float] = []
    for axis in range(2):
        values = positions_m[:, axis]
        inner = np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.349
        width = max(float(min(inner, values.std()) or values.std()) * len(values) ** (-1 / 6), 1.0)
        low, high = np.quantile(values, [0.002, 0.998])
        grid.append(np.linspace(low - MARGIN * width, high + MARGIN * width, CELLS + 1))
        widths.append(width)
    counts, _, _ = np.histogram2d(positions_m[:, 1], positions_m[:, 0], bins=(grid[1], grid[0]))
    cell = [edges[1] - edges[0] for edges in grid]
    smooth = gaussian_filter(counts, (widths[1] / cell[1], widths[0] / cell[0]), mode="constant", truncate=4.0)
    centres = [0.5 * (edges[1:] + edges[:-1]) for edges in grid]
    return Density(centres[0], centres[1], smooth / smooth.sum())


def polygons_above(east_m: Floats, north_m: Floats, values: Floats, level: float) -> list[list[Ring]]:
    """Polygons (outer ring, holes) in which a field on a grid is above a level; rings are closed."""
    # A frame below every level closes what reaches the border.
    framed = np.pad(values, 1, constant_values=min(float(values.min()), level) - abs(level) - 1e-12)
    east = np.concatenate([[2 * east_m[0] - east_m[1]], east_m, [2 * east_m[-1] - east_m[-2]]])
    north = np.concatenate([[2 * north_m[0] - north_m[1]], north_m, [2 * north_m[-1] - north_m[-2]]])
    generator = contourpy.contour_generator(east, north, framed, fill_type=contourpy.FillType.OuterOffset)
    points, offsets = cast("tuple[list[Floats], list[Integers]]", generator.filled(level, np.inf))
    found = []
    for outline, breaks in zip(points, offsets, strict=True):
        rings = [[(float(x), float(y)) for x, y in outline[start:stop]] for start, stop in itertools.pairwise(breaks)]
        found.append([ring for ring in rings if len(ring) >= 4])
    return [rings for rings in found if rings]


def region_features(
    positions_m: Floats, probabilities: Sequence[float], *, place: Positions = lambda east, north: (east, north)
) -> list[dict[str, object]]:
    """GeoJSON features, one a probability: MultiPolygons whose properties give the probability and the area in m2.

    `place` turns metres east and north into the coordinates wanted, such as longitude and latitude.
    """
    density = density_of(positions_m)
    cell_m2 = float((density.east_m[1] - density.east_m[0]) * (density.north_m[1] - density.north_m[0]))
    features: list[dict[str, object]] = []
    for probability in probabilities:
        level = density.level(probability)
        rings = polygons_above(density.east_m, density.north_m, density.mass, level)
        coordinates = [[[list(place(*point)) for point in ring] for ring in polygon] for polygon in rings]
        features.append(
            {
                "type": "Feature",
                "properties": {
                    "probability": probability,
                    "area_m2": round(cell_m2 * int(np.count_nonzero(density.mass >= level)), 1),
                },
                "geometry": {"type": "MultiPolygon", "coordinates": coordinates},
            }
        )
    return features
