"""The ground as the models need it: the grid of ways to each exit, and walls by where they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from impetus.tools.evacuation.arrays import Booleans, Bytes, Floats, Integers, Singles
from impetus.tools.evacuation.fields import FAR, directions, sweep_distances, wall_distances
from impetus.tools.evacuation.ground import Ground, bounds_m

FINEST_M, COARSEST_M = 0.1, 0.25
CELLS_LIMIT = 1_500_000
"""Cells are made larger (up to 1 m on the largest grounds) so that there are no more."""
CLEARANCE_M = 0.35
"""Closer to a wall, a way counts as longer: people keep off walls."""
CLEARANCE_COST = 2.0
BUCKET_M = 1.0
AVOID_COST = 6.0
"""Every metre in a place to avoid counts as so many more."""
ROUNDS_LIMIT = 60


@dataclass(frozen=True)
class Ways:
    """Times and directions to each open exit on a grid, and the walls.

    Grids are (rows, columns) from the bottom left; positions are metres as in `Ground`.
    """

    ground: Ground
    exits: Sequence[str]
    """Ids of the open exits, in the order of `distance` and the directions."""
    widths_m: Floats
    left: float
    bottom: float
    cell_m: float
    walkable: Booleans
    clear: Booleans
    """Cells that lie wholly inside."""
    cost: Singles
    distance: Singles
    """(exits, rows, columns): metres of way, weighted near walls, on slow ground and in places to avoid."""
    east: Singles
    north: Singles
    pace: Singles
    """Share of the free speed at which people walk on each cell; (1, 1) where all ground is alike."""
    leaves: Bytes
    """Number of the exit whose run-out a cell is, -1 elsewhere."""
    walls: Floats
    wall_start: Integers
    wall_list: Integers
    bucket_columns: int
    bucket_rows: int

    @cached_property
    def headings(self) -> Bytes:
        """`east` and `north` together, see `packed`."""
        return packed(self.east, self.north)

    def cell(self, x: Floats, y: Floats) -> tuple[Integers, Integers]:
        """Row and column of positions, clipped to the grid."""
        rows, columns = self.walkable.shape
        column = np.clip(((x - self.left) / self.cell_m).astype(np.int64), 0, columns - 1)
        row = np.clip(((y - self.bottom) / self.cell_m).astype(np.int64), 0, rows - 1)
        return row, column

    def distances_at(self, x: Floats, y: Floats) -> Floats:
        """(people, exits): metres of way from each position."""
        row, column = self.cell(x, y)
        return np.ascontiguousarray(self.distance[:, row, column].T.astype(np.float64))


def make_ways(
    ground: Ground, *, avoid: Sequence[BaseGeometry] = (), cell_m: float | None = None, base: Ways | None = None
) -> Ways:
    """Work out all ways.

    Args:
        ground: the venue in metres.
        avoid: places that people keep away from where they can.
        cell_m: width of a cell; by default from the size of the ground.
        base: ways of the same ground without what is to be avoided: its grids are used again.
    """
    left, bottom, right, top = bounds_m(ground)
    if base is not None:
        cell_m, walkable, walls, leaves, clear = base.cell_m, base.walkable, base.walls, base.leaves, base.clear
        wall_start, wall_list, pace = base.wall_start, base.wall_list, base.pace
        bucket_columns, bucket_rows = base.bucket_columns, base.bucket_rows
        cost = base.cost.copy()
        rows, columns = walkable.shape
    else:
        if cell_m is None:
            cell_m = min(max(math.sqrt((right - left) * (top - bottom) / 250_000), FINEST_M), COARSEST_M)
            cell_m = max(cell_m, math.sqrt((right - left) * (top - bottom) / CELLS_LIMIT))
        rows, columns = math.ceil((top - bottom) / cell_m), math.ceil((right - left) / cell_m)
        walls = ground.walls()
        xs = left + (np.arange(columns) + 0.5) * cell_m
        ys = bottom + (np.arange(rows) + 0.5) * cell_m
        walkable = cover(ground.area, xs, ys)
        near = wall_distances(rows, columns, left, bottom, cell_m, walls, CLEARANCE_M)
        cost = (1.0 + CLEARANCE_COST * np.maximum(0.0, 1.0 - near / CLEARANCE_M)).astype(np.float32)
        pace = np.ones((rows, columns) if ground.slow else (1, 1), dtype=np.float32)
        for place, factor in ground.slow:
            pace[cover(place, xs, ys)] = factor
        cost /= pace
        cost[~walkable] = np.float32(FAR)
        clear = walkable & (near > 0.75 * cell_m)
        leaves = np.full((rows, columns), -1, dtype=np.int8)
        for number, one in enumerate(ground.open_exits):
            leaves[cover(one.sink, xs, ys) & walkable & (leaves < 0)] = number
        bucket_columns, bucket_rows = math.ceil((right - left) / BUCKET_M), math.ceil((top - bottom) / BUCKET_M)
        wall_start, wall_list = _buckets(walls, left, bottom, bucket_columns, bucket_rows)
    if avoid:
        xs = left + (np.arange(columns) + 0.5) * cell_m
        ys = bottom + (np.arange(rows) + 0.5) * cell_m
        for place in avoid:
            cost[cover(place, xs, ys) & walkable] += np.float32(AVOID_COST)
    distance = np.empty((len(ground.open_exits), rows, columns), dtype=np.float32)
    east, north = np.empty_like(distance), np.empty_like(distance)
    for number, _one in enumerate(ground.open_exits):
        seeds = _seeds(leaves == number, walkable, ground, number, left, bottom, cell_m)
        # Through another exit's run-out people would leave there.
        own = cost.copy()
        own[(leaves >= 0) & (leaves != number)] = np.float32(FAR)
        distance[number] = sweep_distances(own, seeds, cell_m, ROUNDS_LIMIT)
        east[number], north[number] = directions(distance[number], walkable, cell_m)
    return Ways(
        ground=ground,
        exits=tuple(one.id for one in ground.open_exits),
        widths_m=np.array([one.width_m for one in ground.open_exits]),
        left=left,
        bottom=bottom,
        cell_m=cell_m,
        walkable=walkable,
        clear=clear,
        cost=cost,
        distance=distance,
        east=east,
        north=north,
        pace=pace,
        leaves=leaves,
        walls=walls,
        wall_start=wall_start,
        wall_list=wall_list,
        bucket_columns=bucket_columns,
        bucket_rows=bucket_rows,
    )


def packed(east: Singles, north: Singles) -> Bytes:
    """Unit vectors as pairs of hundred-and-twenty-sevenths (ways, rows, columns, 2): an eighth of the memory, which is
    what walking waits for; directions are right within half a degree."""
    pairs: Bytes = np.rint(np.stack([east, north], axis=-1) * 127.0).astype(np.int8)
    return pairs


def cover(shape: BaseGeometry, xs: Floats, ys: Floats) -> Booleans:
    """Which cells' centres a shape covers (len(ys), len(xs)); only its bounding box is looked at."""
    covered = np.zeros((len(ys), len(xs)), dtype=np.bool_)
    if shape.is_empty:
        return covered
    left, bottom, right, top = shape.bounds
    first_column, last_column = np.searchsorted(xs, [left, right + 1e-9])
    first_row, last_row = np.searchsorted(ys, [bottom, top + 1e-9])
    if first_column >= last_column or first_row >= last_row:
        return covered
    shapely.prepare(shape)
    grid_x, grid_y = np.meshgrid(xs[first_column:last_column], ys[first_row:last_row])
    covered[first_row:last_row, first_column:last_column] = shapely.contains_xy(shape, grid_x, grid_y)
    return covered


def _seeds(
    area: Booleans, walkable: Booleans, ground: Ground, number: int, left: float, bottom: float, cell_m: float
) -> Booleans:
    """Cells from which an exit's distance is measured: its area, or the one nearest to it."""
    seeds = area & walkable
    if not seeds.any():
        point = ground.open_exits[number].area.representative_point()
        rows, columns = np.nonzero(walkable)
        away = (left + (columns + 0.5) * cell_m - point.x) ** 2 + (bottom + (rows + 0.5) * cell_m - point.y) ** 2
        nearest = int(np.argmin(away))
        seeds = np.zeros_like(walkable)
        seeds[rows[nearest], columns[nearest]] = True
    return seeds


def _buckets(walls: Floats, left: float, bottom: float, columns: int, rows: int) -> tuple[Integers, Integers]:
    """Walls near each square of `BUCKET_M`: those within half a metre of it."""
    lists: list[list[int]] = [[] for _ in range(columns * rows)]
    margin = 0.5
    for number, (ax, ay, bx, by) in enumerate(walls):
        pieces = max(1, math.ceil(math.hypot(bx - ax, by - ay) / BUCKET_M))
        seen = set()
        for piece in range(pieces):
            x0, x1 = ax + (bx - ax) * piece / pieces, ax + (bx - ax) * (piece + 1) / pieces
            y0, y1 = ay + (by - ay) * piece / pieces, ay + (by - ay) * (piece + 1) / pieces
            first_column = int((min(x0, x1) - margin - left) / BUCKET_M)
            last_column = int((max(x0, x1) + margin - left) / BUCKET_M)
            first_row = int((min(y0, y1) - margin - bottom) / BUCKET_M)
            last_row = int((max(y0, y1) + margin - bottom) / BUCKET_M)
            for row in range(max(first_row, 0), min(last_row, rows - 1) + 1):
                for column in range(max(first_column, 0), min(last_column, columns - 1) + 1):
                    bucket = row * columns + column
                    if bucket not in seen:
                        seen.add(bucket)
                        lists[bucket].append(number)
    start = np.zeros(columns * rows + 1, dtype=np.int64)
    start[1:] = np.cumsum([len(one) for one in lists])
    flat = np.array([number for one in lists for number in one] or [0], dtype=np.int64)
    return start, flat
