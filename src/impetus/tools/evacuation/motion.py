"""How people walk: the collision-free speed model in its second version, for thousands at once.

A. Tordeux, M. Chraibi, A. Seyfried, "Collision-free speed model for pedestrian dynamics", Traffic and Granular Flow
'15; version 2 (each person repels, and is repelled by walls, with the same constants) as JuPedSim 1.x has it. A person
walks in the direction of the way out, bent away from neighbours and walls, and so fast that the gap to the next one
ahead is kept for `time_gap_s`:

    direction = normalised(way out - 8 sum exp((l - d) / 0.1) e_neighbour - 5 sum exp((r - d) / 0.02) e_wall)
    speed     = min(free speed, max(0, gap / time gap))

What differs from JuPedSim: directions come from a grid instead of from the next corner, the step is 0.1 s instead of
0.05 s, neighbours are looked for only as far as they can matter, nobody can step through a wall, and whoever has stood
for a while turns the shoulders and tries beside the way (`STOOD_S`), which JuPedSim's people do here too.
"""

from __future__ import annotations

import math

import numpy as np

from impetus.tools.evacuation.arrays import Bytes, Floats, Integers, Singles
from impetus.tools.evacuation.compiled import compiled

NEIGHBOUR_STRENGTH, NEIGHBOUR_RANGE_M = 8.0, 0.1
WALL_STRENGTH, WALL_RANGE_M = 5.0, 0.02
REPULSION_REACH_M = 0.65
"""Beyond this gap a neighbour's repulsion is below 0.012 of the way's pull."""
NEIGHBOUR_LIMIT = 256
WAITING, WALKING, OUT = 0, 1, 2
STOOD_S = 2.0
"""Whoever stood still for so long turns the shoulders and tries directions up to `JOSTLE` beside the way, anew each
second: without it an arch of people who all wait for each other holds a door of a metre for ever."""
JOSTLE = 1.0
"""In radians."""
SHOULDERS = 0.8
"""Whose shoulders are turned takes so much of the usual distance to others, until the next step is made."""
TABLE_FROM_M, TABLE_STEP_M = -0.8, 0.002
REPULSION = NEIGHBOUR_STRENGTH * np.exp(
    -np.arange(TABLE_FROM_M, REPULSION_REACH_M + 3 * TABLE_STEP_M, TABLE_STEP_M) / NEIGHBOUR_RANGE_M
)
"""A neighbour's repulsion by the gap to it, to be interpolated (error below 1 in 10,000): quicker than exponentials."""


@compiled
def sort_into_cells(
    count: int,
    x: Floats,
    y: Floats,
    state: Bytes,
    cell_m: float,
    left: float,
    bottom: float,
    columns: int,
    rows: int,
    start: Integers,
    order: Integers,
    cell_of: Integers,
) -> int:
    """Counting sort of those present by cell; `start[c]:start[c+1]` are the places of cell c in `order`."""
    for cell in range(columns * rows + 1):
        start[cell] = 0
    for person in range(count):
        if state[person] == 2:
            cell_of[person] = -1
            continue
        column = min(max(int((x[person] - left) / cell_m), 0), columns - 1)
        row = min(max(int((y[person] - bottom) / cell_m), 0), rows - 1)
        cell_of[person] = row * columns + column
        start[cell_of[person] + 1] += 1
    for cell in range(columns * rows):
        start[cell + 1] += start[cell]
    present = start[columns * rows]
    for person in range(count - 1, -1, -1):
        cell = cell_of[person]
        if cell >= 0:
            start[cell + 1] -= 1
            order[start[cell + 1]] = person
    # Every start slipped one cell down while the places were given out.
    for cell in range(columns * rows):
        start[cell] = start[cell + 1]
    start[columns * rows] = present
    return int(present)


@compiled
def jostled(person: int, now_s: float) -> float:
    """Angle in radians, within `JOSTLE` to either side, by which somebody who stands tries beside the way; the same for
    the same person and second."""
    mixed = (person * 73_856_093) ^ (int(now_s) * 19_349_663)
    return JOSTLE * ((mixed >> 4) % 1_024 / 511.5 - 1.0)


@compiled
def crosses(px: float, py: float, qx: float, qy: float, ax: float, ay: float, bx: float, by: float) -> bool:
    """Whether the step from p to q crosses the segment from a to b."""
    one = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    two = (bx - ax) * (qy - ay) - (by - ay) * (qx - ax)
    if one * two > 0.0:
        return False
    three = (qx - px) * (ay - py) - (qy - py) * (ax - px)
    four = (qx - px) * (by - py) - (qy - py) * (bx - px)
    return three * four <= 0.0


@compiled
def walk(
    steps: int,
    step_s: float,
    time_s: float,
    x: Floats,
    y: Floats,
    state: Bytes,
    speed_mps: Floats,
    free_mps: Floats,
    radius_m: Floats,
    time_gap_s: Floats,
    start_s: Floats,
    way: Integers,
    exit_of: Integers,
    out_s: Floats,
    moved_s: Floats,
    factor: Singles,
    use_factor: bool,
    headings: Bytes,
    leaves: Bytes,
    field_m: float,
    left: float,
    bottom: float,
    walls: Floats,
    wall_start: Integers,
    wall_list: Integers,
    bucket_m: float,
    bucket_columns: int,
    bucket_rows: int,
    reach_m: float,
    cell_m: float,
    period_m: float,
    scratch_start: Integers,
    scratch_order: Integers,
    scratch_cell: Integers,
    cell_columns: int,
    cell_rows: int,
) -> None:
    """Let everybody walk for `steps` steps; positions, states, exits and times are changed in place.

    `headings` (ways, rows, columns, 2): of each way out on a grid of `field_m`, see `ways.packed`; `leaves` (rows,
    columns): number of the exit whose line lies behind a cell, -1 elsewhere. `walls` (n, 4): segments; those near each
    bucket are `wall_list[wall_start[b]:wall_start[b+1]]`. `reach_m` is the farthest that anybody looks,
    `cell_m` the width of the cells of the search. `period_m` > 0 joins the right end to the left one.
    """
    count = x.shape[0]
    rows, columns = leaves.shape
    new_x = np.empty(count)
    new_y = np.empty(count)
    sx = np.empty(count)
    sy = np.empty(count)
    sr = np.empty(count)
    near_x = np.empty(NEIGHBOUR_LIMIT)
    near_y = np.empty(NEIGHBOUR_LIMIT)
    near_d = np.empty(NEIGHBOUR_LIMIT)
    near_l = np.empty(NEIGHBOUR_LIMIT)
    for step in range(steps):
        now_s = time_s + step * step_s
        present = sort_into_cells(
            count, x, y, state, cell_m, left, bottom, cell_columns, cell_rows, scratch_start, scratch_order,
            scratch_cell,
        )  # fmt: skip
        if present == 0:
            return
        for place in range(present):
            person = scratch_order[place]
            sx[place] = x[person]
            sy[place] = y[person]
            sr[place] = radius_m[person]
        for place in range(present):
            person = scratch_order[place]
            px, py, pr = sx[place], sy[place], sr[place]
            new_x[person] = px
            new_y[person] = py
            speed_mps[person] = 0.0
            if state[person] == 0:
                if start_s[person] > now_s:
                    continue
                state[person] = 1
                moved_s[person] = now_s
            column = min(max(int((px - left) / field_m), 0), columns - 1)
            row = min(max(int((py - bottom) / field_m), 0), rows - 1)
            ex = headings[way[person], row, column, 0] * (1.0 / 127.0)
            ey = headings[way[person], row, column, 1] * (1.0 / 127.0)
            narrow = 1.0
            if now_s - moved_s[person] > STOOD_S:
                narrow = SHOULDERS
                angle = jostled(person, now_s)
                turn, keep = math.sin(angle), math.cos(angle)
                ex, ey = keep * ex - turn * ey, turn * ex + keep * ey
            bx = min(max(int((px - left) / bucket_m), 0), bucket_columns - 1)
            by = min(max(int((py - bottom) / bucket_m), 0), bucket_rows - 1)
            bucket = by * bucket_columns + bx
            first_wall, last_wall = wall_start[bucket], wall_start[bucket + 1]
            gap_s = time_gap_s[person]
            free = free_mps[person]
            if use_factor:
                free *= float(factor[row, column])
            sight = free * gap_s + 2.0 * pr + 0.05
            if sight > reach_m:
                sight = reach_m
            least = 2.0 * pr + REPULSION_REACH_M
            if sight < least:
                sight = least
            sight2 = sight * sight
            push_x, push_y = 0.0, 0.0
            nearest = 1e9
            for index in range(first_wall, last_wall):
                wall = wall_list[index]
                ax, ay = walls[wall, 0], walls[wall, 1]
                vx, vy = walls[wall, 2] - ax, walls[wall, 3] - ay
                along = ((px - ax) * vx + (py - ay) * vy) / max(vx * vx + vy * vy, 1e-12)
                along = min(max(along, 0.0), 1.0)
                wx, wy = ax + along * vx - px, ay + along * vy - py
                d = math.sqrt(wx * wx + wy * wy)
                nearest = min(nearest, d)
                if d < pr + 0.2:
                    strength = WALL_STRENGTH * math.exp(min((pr - d) / WALL_RANGE_M, 8.0)) / max(d, 1e-6)
                    push_x -= strength * wx
                    push_y -= strength * wy
            # Neighbours: rows of cells, each one stretch of the sorted order.
            found = 0
            low_col = min(max(int((px - sight - left) / cell_m), 0), cell_columns - 1)
            high_col = min(max(int((px + sight - left) / cell_m), 0), cell_columns - 1)
            low_row = min(max(int((py - sight - bottom) / cell_m), 0), cell_rows - 1)
            high_row = min(max(int((py + sight - bottom) / cell_m), 0), cell_rows - 1)
            for part in range(2):
                # The second part looks around the end of a periodic corridor.
                shift = 0.0
                if part == 1:
                    if period_m <= 0.0:
                        break
                    if px - left < reach_m:
                        low_col = max(int((period_m - reach_m) / cell_m), 0)
                        high_col = cell_columns - 1
                        shift = -period_m
                    elif px - left > period_m - reach_m:
                        low_col = 0
                        high_col = min(int(reach_m / cell_m), cell_columns - 1)
                        shift = period_m
                    else:
                        break
                for other_row in range(low_row, high_row + 1):
                    base = other_row * cell_columns
                    for other in range(scratch_start[base + low_col], scratch_start[base + high_col + 1]):
                        dx = sx[other] + shift - px
                        dy = sy[other] - py
                        d2 = dx * dx + dy * dy
                        if d2 > sight2 or other == place:
                            continue
                        # Nobody is hidden who is nearer than the nearest wall.
                        if d2 > nearest * nearest and period_m <= 0.0:
                            hidden = False
                            for index in range(first_wall, last_wall):
                                wall = wall_list[index]
                                if crosses(
                                    px, py, sx[other], sy[other],
                                    walls[wall, 0], walls[wall, 1], walls[wall, 2], walls[wall, 3],
                                ):  # fmt: skip
                                    hidden = True
                                    break
                            if hidden:
                                continue
                        d = math.sqrt(d2)
                        touching = pr + sr[other]
                        free_gap = d - touching
                        if free_gap < REPULSION_REACH_M:
                            entry = max(free_gap - TABLE_FROM_M, 0.0) * (1.0 / TABLE_STEP_M)
                            low = int(entry)
                            strength = REPULSION[low] + (entry - low) * (REPULSION[low + 1] - REPULSION[low])
                            strength /= max(d, 1e-6)
                            push_x -= strength * dx
                            push_y -= strength * dy
                        touching *= narrow
                        if d - touching < free * gap_s and found < NEIGHBOUR_LIMIT:
                            near_x[found] = dx
                            near_y[found] = dy
                            near_d[found] = d
                            near_l[found] = touching
                            found += 1
            hx, hy = ex + push_x, ey + push_y
            norm = math.sqrt(hx * hx + hy * hy)
            if norm < 1e-9:
                continue
            hx /= norm
            hy /= norm
            gap = 1e9
            for index in range(found):
                ahead = hx * near_x[index] + hy * near_y[index]
                if ahead >= 0.0 and abs(hx * near_y[index] - hy * near_x[index]) <= near_l[index]:
                    gap = min(gap, near_d[index] - near_l[index])
            speed = min(free, max(gap / gap_s, 0.0))
            if speed <= 0.0:
                continue
            mx, my = hx * speed * step_s, hy * speed * step_s
            if nearest > speed * step_s * 1.05:
                last_wall = first_wall  # no wall is near enough to be crossed
            for _ in range(2):
                struck = -1
                for index in range(first_wall, last_wall):
                    wall = wall_list[index]
                    if crosses(
                        px, py, px + mx * 1.02, py + my * 1.02,
                        walls[wall, 0], walls[wall, 1], walls[wall, 2], walls[wall, 3],
                    ):  # fmt: skip
                        struck = wall
                        break
                if struck < 0:
                    break
                # Along the wall instead of through it.
                vx, vy = walls[struck, 2] - walls[struck, 0], walls[struck, 3] - walls[struck, 1]
                length = max(math.sqrt(vx * vx + vy * vy), 1e-9)
                along = (mx * vx + my * vy) / length
                mx, my = along * vx / length, along * vy / length
            else:
                for index in range(first_wall, last_wall):
                    wall = wall_list[index]
                    if crosses(
                        px, py, px + mx * 1.02, py + my * 1.02,
                        walls[wall, 0], walls[wall, 1], walls[wall, 2], walls[wall, 3],
                    ):  # fmt: skip
                        mx, my = 0.0, 0.0
                        break
            new_x[person] = px + mx
            new_y[person] = py + my
            speed_mps[person] = speed
        for place in range(present):
            person = scratch_order[place]
            px, py = new_x[person], new_y[person]
            if period_m > 0.0:
                if px - left >= period_m:
                    px -= period_m
                elif px < left:
                    px += period_m
            if speed_mps[person] > 0.05:
                moved_s[person] = now_s
            x[person], y[person] = px, py
            column = min(max(int((px - left) / field_m), 0), columns - 1)
            row = min(max(int((py - bottom) / field_m), 0), rows - 1)
            gone = leaves[row, column]
            if gone >= 0 and state[person] == 1:
                state[person] = 2
                exit_of[person] = gone
                out_s[person] = now_s + step_s
