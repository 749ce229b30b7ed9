"""Ways out on a grid: the time to an exit from everywhere, and the direction that shortens it fastest.

The eikonal equation |grad T| = slowness, solved by fast sweeping (H. Zhao, "A fast sweeping method for eikonal
equations", Mathematics of Computation 74, 2005).
"""

from __future__ import annotations

import math

import numpy as np

from impetus.tools.evacuation.arrays import Booleans, Floats, Integers, Singles
from impetus.tools.evacuation.compiled import compiled

FAR = 1e9
"""No way leads there."""


@compiled
def sweep_distances(cost: Singles, seeds: Booleans, cell_m: float, most_rounds: int) -> Singles:
    """Weighted distance in metres from the seeds over cells with finite cost (rows, columns); `FAR` elsewhere."""
    rows, columns = cost.shape
    distance = np.full((rows, columns), np.float32(FAR))
    for row in range(rows):
        for column in range(columns):
            if seeds[row, column]:
                distance[row, column] = 0.0
    for _ in range(most_rounds):
        changed = 0.0
        for sweep in range(4):
            for i in range(rows):
                row = i if sweep < 2 else rows - 1 - i
                for j in range(columns):
                    column = j if sweep % 2 == 0 else columns - 1 - j
                    here = float(cost[row, column])
                    if here >= 1e6 or seeds[row, column]:
                        continue
                    a, b = FAR, FAR
                    if column > 0:
                        a = float(distance[row, column - 1])
                    if column < columns - 1:
                        a = min(a, float(distance[row, column + 1]))
                    if row > 0:
                        b = float(distance[row - 1, column])
                    if row < rows - 1:
                        b = min(b, float(distance[row + 1, column]))
                    low, high = min(a, b), max(a, b)
                    if low >= FAR:
                        continue
                    step = here * cell_m
                    if high - low >= step:
                        best = low + step
                    else:
                        best = 0.5 * (a + b + math.sqrt(2.0 * step * step - (a - b) * (a - b)))
                    if best < distance[row, column] - 1e-5:
                        changed = max(changed, float(distance[row, column]) - best)
                        distance[row, column] = best
        if changed < 1e-3:
            break
    return distance


@compiled
def directions(distance: Singles, walkable: Booleans, cell_m: float) -> tuple[Singles, Singles]:
    """Unit vectors (east, north) down the distance; zero where no way leads. Blocked cells point to the nearest way."""
    rows, columns = distance.shape
    east = np.zeros((rows, columns), dtype=np.float32)
    north = np.zeros((rows, columns), dtype=np.float32)
    for row in range(rows):
        for column in range(columns):
            here = float(distance[row, column])
            if here >= FAR:
                # Somebody who stands half on a wall's cell goes towards the reachable neighbours.
                sx, sy, best = 0.0, 0.0, FAR
                for di in range(-2, 3):
                    for dj in range(-2, 3):
                        r, c = row + di, column + dj
                        if 0 <= r < rows and 0 <= c < columns and distance[r, c] < best:
                            best = float(distance[r, c])
                            sx, sy = float(dj), float(di)
                norm = math.sqrt(sx * sx + sy * sy)
                if norm > 0.0:
                    east[row, column] = sx / norm
                    north[row, column] = sy / norm
                continue
            left = float(distance[row, column - 1]) if column > 0 else FAR
            right = float(distance[row, column + 1]) if column < columns - 1 else FAR
            below = float(distance[row - 1, column]) if row > 0 else FAR
            above = float(distance[row + 1, column]) if row < rows - 1 else FAR
            gx, gy = 0.0, 0.0
            if left < FAR and right < FAR:
                gx = 0.5 * (left - right)
            elif right < FAR:
                gx = max(here - right, 0.0)
            elif left < FAR:
                gx = -max(here - left, 0.0)
            if below < FAR and above < FAR:
                gy = 0.5 * (below - above)
            elif above < FAR:
                gy = max(here - above, 0.0)
            elif below < FAR:
                gy = -max(here - below, 0.0)
            norm = math.sqrt(gx * gx + gy * gy)
            if norm > 1e-9:
                east[row, column] = gx / norm
                north[row, column] = gy / norm
    return east, north


@compiled
def along_the_way(
    distance: Singles, cost: Singles, rate: Singles, order: Integers, east: Singles, north: Singles, cell_m: float
) -> Singles:
    """Integral of `rate` (per metre walked) along the way out from every cell; `order`: cells by growing distance."""
    rows, columns = distance.shape
    total = np.zeros((rows, columns), dtype=np.float32)
    for place in range(order.shape[0]):
        cell = order[place]
        row, column = cell // columns, cell % columns
        if distance[row, column] >= FAR:
            break
        if distance[row, column] <= 0.0:
            continue
        ex, ey = float(east[row, column]), float(north[row, column])
        next_row = min(max(row + int(ey * 1.2 + 100.5) - 100, 0), rows - 1)
        next_column = min(max(column + int(ex * 1.2 + 100.5) - 100, 0), columns - 1)
        if distance[next_row, next_column] >= distance[row, column]:
            best = distance[row, column]
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    r, c = row + di, column + dj
                    if 0 <= r < rows and 0 <= c < columns and distance[r, c] < best:
                        best = distance[r, c]
                        next_row, next_column = r, c
        length = cell_m * math.sqrt(float((next_row - row) ** 2 + (next_column - column) ** 2))
        total[row, column] = total[next_row, next_column] + length * rate[row, column]
    return total


@compiled
def wall_distances(
    rows: int, columns: int, left: float, bottom: float, cell_m: float, walls: Floats, reach_m: float
) -> Singles:
    """Distance of each cell's centre to the nearest wall, up to `reach_m` (metres)."""
    found = np.full((rows, columns), np.float32(reach_m))
    for wall in range(walls.shape[0]):
        ax, ay, bx, by = walls[wall, 0], walls[wall, 1], walls[wall, 2], walls[wall, 3]
        vx, vy = bx - ax, by - ay
        square = max(vx * vx + vy * vy, 1e-12)
        first_row = max(int((min(ay, by) - reach_m - bottom) / cell_m), 0)
        last_row = min(int((max(ay, by) + reach_m - bottom) / cell_m) + 1, rows)
        for row in range(first_row, last_row):
            # Only the stretch of the row that the segment's neighbourhood covers.
            y = bottom + (row + 0.5) * cell_m
            low, high = min(ax, bx), max(ax, bx)
            if abs(vy) > 1e-9:
                t0 = min(max((y - reach_m - ay) / vy, 0.0), 1.0)
                t1 = min(max((y + reach_m - ay) / vy, 0.0), 1.0)
                low, high = min(ax + t0 * vx, ax + t1 * vx), max(ax + t0 * vx, ax + t1 * vx)
            first = max(int((low - reach_m - left) / cell_m), 0)
            last = min(int((high + reach_m - left) / cell_m) + 1, columns)
            for column in range(first, last):
                x = left + (column + 0.5) * cell_m
                along = min(max(((x - ax) * vx + (y - ay) * vy) / square, 0.0), 1.0)
                dx, dy = ax + along * vx - x, ay + along * vy - y
                d = math.sqrt(dx * dx + dy * dy)
                if d < found[row, column]:
                    found[row, column] = d
    return found
