"""No plan can be faster than this: people as a flow over time to the exits, without crowding on the way.

Minimum-cost flow (OR-Tools) on a time-expanded network: R. Hamacher, S. Tjandra, "Mathematical modelling of evacuation
problems", 2001. Exits serve at the highest flow that is measured at doors, everybody walks at free speed.
"""

from __future__ import annotations

import math

import numpy as np

from impetus.tools.evacuation.fields import FAR
from impetus.tools.evacuation.people import Crowd
from impetus.tools.evacuation.ways import Ways

SLOT_S = 2.0
HIGHEST_FLOW_PMS = 1.9
CLUSTER_M = 5.0
LONGEST_S = 3_600.0


def egress_bound(ways: Ways, crowd: Crowd, share: float = 0.9) -> float:
    """Seconds until that share can be out at the earliest; infinite where no way leads out or after an hour."""
    from ortools.graph.python import max_flow

    distance = ways.distances_at(crowd.x, crowd.y)
    arrival = np.where(distance >= FAR, math.inf, crowd.start_s[:, None] + distance / crowd.free_mps[:, None])
    # Grid weights near walls lengthen ways; a bound must not.
    arrival = crowd.start_s[:, None] + (arrival - crowd.start_s[:, None]) * 0.85
    bins = np.where(np.isfinite(arrival), np.floor(arrival / SLOT_S), -1).astype(np.int64)
    groups, counts = np.unique(bins, axis=0, return_counts=True)
    if len(groups) > 1_500:  # coarser: always towards earlier arrival
        groups, counts = np.unique(np.where(bins >= 0, bins // 3 * 3, -1), axis=0, return_counts=True)
    needed = math.ceil(share * len(crowd))
    capacity = [max(1, math.ceil(HIGHEST_FLOW_PMS * width * SLOT_S)) for width in ways.widths_m]

    def enough(slots: int) -> bool:
        exits, first_exit = len(capacity), 1 + len(groups)
        sink = first_exit + exits * slots
        flow = max_flow.SimpleMaxFlow()
        for number, (group, count) in enumerate(zip(groups, counts, strict=True)):
            flow.add_arc_with_capacity(0, 1 + number, int(count))
            for door, slot in enumerate(group):
                if 0 <= slot < slots:
                    flow.add_arc_with_capacity(1 + number, first_exit + door * slots + int(slot), int(count))
        for door in range(exits):
            for slot in range(slots):
                node = first_exit + door * slots + slot
                flow.add_arc_with_capacity(node, sink, capacity[door])
                if slot + 1 < slots:
                    flow.add_arc_with_capacity(node, node + 1, len(crowd))
        return bool(flow.solve(0, sink) == flow.OPTIMAL and flow.optimal_flow() >= needed)

    low, high = 0, 8
    while not enough(high):
        low, high = high, high * 2
        if high * SLOT_S > LONGEST_S:
            return math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return low * SLOT_S
