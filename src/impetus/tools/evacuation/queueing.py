"""Model C: everybody walks to an exit at free speed and queues there. Under a millisecond for thousands of people.

Each exit is a queue that serves at its door's flow; dense ground on the way is not seen. For searching many plans; what
it finds is run in models A and J before anybody relies on it.
"""

from __future__ import annotations

import math

import numpy as np

from impetus.tools.evacuation.arrays import Booleans, Floats, Integers, Singles
from impetus.tools.evacuation.compiled import compiled
from impetus.tools.evacuation.fields import FAR, along_the_way
from impetus.tools.evacuation.outcome import DENSE_PM2, Outcome
from impetus.tools.evacuation.people import Crowd
from impetus.tools.evacuation.plans import Plan, choose, complying
from impetus.tools.evacuation.populate import populate
from impetus.tools.evacuation.simulation import Setting
from impetus.tools.evacuation.threat import RASTER_M

NARROW_FLOW_PMS, WIDE_FLOW_PMS = 1.38, 1.66
"""Door flow of model A in 1/(m s) at 1 m and from 2 m on; see the card."""
QUEUE_PM2 = 3.5
"""Density in which people wait before a door."""
HORIZON_S = 90.0


def service_rates(widths_m: Floats) -> Floats:
    """People a second through doors of these widths."""
    share = np.clip(widths_m - 1.0, 0.0, 1.0)
    rates: Floats = widths_m * (NARROW_FLOW_PMS + share * (WIDE_FLOW_PMS - NARROW_FLOW_PMS))
    return rates


class QueueModel:
    """One crowd, ready for many plans."""

    def __init__(self, setting: Setting, crowd: Crowd, seed: int = 1) -> None:
        self.setting, self.crowd, self.seed = setting, crowd, seed
        ways = setting.ways
        self.distance = ways.distances_at(crowd.x, crowd.y)
        self.wary = setting.wary.distances_at(crowd.x, crowd.y) if setting.wary is not None else self.distance
        self.rates = service_rates(ways.widths_m)
        self.exposure, self.waiting = self._dangers()

    def _dangers(self) -> tuple[Floats, Floats]:
        """(people, exits): seconds in danger on the way at 1 m/s; (exits,): share of time in danger at each door."""
        ways, danger = self.setting.ways, self.setting.danger
        count, exits = self.distance.shape
        if danger is None:
            return np.zeros((count, exits)), np.zeros(exits)
        rate = _on_grid(danger.mean_raster(HORIZON_S), ways.walkable.shape, ways.cell_m)
        fields = self.setting.wary or ways
        row, column = ways.cell(self.crowd.x, self.crowd.y)
        exposure = np.empty((count, exits))
        waiting = np.empty(exits)
        for number in range(exits):
            order = np.argsort(fields.distance[number], axis=None)
            field = along_the_way(
                fields.distance[number], fields.cost, rate, order, fields.east[number], fields.north[number],
                ways.cell_m,
            )  # fmt: skip
            exposure[:, number] = field[row, column]
            close = fields.distance[number] < 5.0
            waiting[number] = float(rate[close].mean()) if close.any() else 0.0
        return exposure, waiting

    def times(self, chosen: Integers) -> Floats:
        """When each one is out; infinite for those without a way."""
        return queue_times(chosen, self.distance, self.crowd.free_mps, self.crowd.start_s, self.rates)

    def run(self, plan: Plan) -> Outcome:
        """One plan."""
        ways, crowd = self.setting.ways, self.crowd
        comply = complying(crowd, plan, ways)
        distance = self.wary if plan.directs else self.distance
        chosen = choose(crowd, distance, ways, self.setting.scenario, plan, comply)
        out_s = self.times(chosen)
        exposure = self.person_seconds(chosen, out_s)
        counts = np.bincount(chosen[chosen >= 0], minlength=len(ways.exits))
        late = out_s > self.setting.scenario.duration_s
        out_s = np.where(late, np.inf, out_s)
        return Outcome(
            model="queue",
            seed=self.seed,
            people=len(crowd),
            out_s=out_s,
            exits={
                door: int(counts[number] - (late & (chosen == number)).sum()) for number, door in enumerate(ways.exits)
            },
            max_density_pm2=self._density(chosen, out_s),
            exposure_person_s=exposure,
            dense_person_s=0.0,
            stuck=int((~np.isfinite(out_s)).sum()),
            notes=("densities are estimated from queues",),
        )

    def person_seconds(self, chosen: Integers, out_s: Floats) -> float:
        """Exposure of all together: on the way, and waiting at the door."""
        if self.setting.danger is None:
            return 0.0
        who = np.flatnonzero((chosen >= 0) & np.isfinite(out_s))
        door = chosen[who]
        walking = self.exposure[who, door] / self.crowd.free_mps[who]
        arrival = self.crowd.start_s[who] + self.distance[who, door] / self.crowd.free_mps[who]
        wait = np.maximum(out_s[who] - arrival, 0.0) * self.waiting[door]
        return float(walking.sum() + wait.sum())

    def _density(self, chosen: Integers, out_s: Floats) -> float:
        """What stands where it is densest at first, or waits at a door."""
        x, y = self.crowd.x, self.crowd.y
        cells = np.unique(np.floor(x / 2).astype(int) * 100_003 + np.floor(y / 2).astype(int), return_counts=True)[1]
        first = float(cells.max(initial=0)) / 4
        known = (chosen >= 0) & np.isfinite(out_s)
        arrival = (
            self.crowd.start_s + self.distance[np.arange(len(chosen)), np.maximum(chosen, 0)] / self.crowd.free_mps
        )
        queues = known & (out_s - arrival > 3.0)
        return min(max(first, QUEUE_PM2 if queues.any() else 0.0), DENSE_PM2 + 2)


def _on_grid(raster: Singles, shape: tuple[int, int], cell_m: float) -> Singles:
    """A raster of 1 m on the finer grid of the ways."""
    rows = np.minimum(((np.arange(shape[0]) + 0.5) * cell_m / RASTER_M).astype(int), raster.shape[0] - 1)
    columns = np.minimum(((np.arange(shape[1]) + 0.5) * cell_m / RASTER_M).astype(int), raster.shape[1] - 1)
    return np.ascontiguousarray(raster[np.ix_(rows, columns)], dtype=np.float32)


@compiled
def queue_times(chosen: Integers, distance: Floats, free_mps: Floats, start_s: Floats, rates: Floats) -> Floats:
    """When each one is out: after those who came to the same door before."""
    count = chosen.shape[0]
    out_s = np.full(count, np.inf)
    arrival = np.empty(count)
    for person in range(count):
        door = chosen[person]
        if door >= 0 and distance[person, door] < FAR:
            arrival[person] = start_s[person] + distance[person, door] / free_mps[person]
        else:
            arrival[person] = np.inf
    order = np.argsort(arrival)
    served = np.full(rates.shape[0], -1e9)
    for place in range(count):
        person = order[place]
        if not math.isfinite(arrival[person]):
            break
        door = chosen[person]
        leaves = max(arrival[person], served[door] + 1.0 / rates[door])
        served[door] = leaves
        out_s[person] = leaves
    return out_s


@compiled
def assigned(told_s: Floats, offsets_s: Floats, own: Integers, follows: Booleans) -> Integers:
    """The exit that each one takes: of least time plus offset for those who follow, else their own."""
    count, exits = told_s.shape
    chosen = own.copy()
    for person in range(count):
        if not follows[person]:
            continue
        best, least = -1, FAR / 4.0
        for door in range(exits):
            value = told_s[person, door] + offsets_s[door]
            if value < least:
                best, least = door, value
        if best >= 0:
            chosen[person] = best
    return chosen


def simulate_queue(setting: Setting, *, plan: Plan | None = None, seed: int = 1) -> Outcome:
    """Model C once."""
    crowd = populate(setting.ways.ground, setting.scenario, seed)
    return QueueModel(setting, crowd, seed).run(plan or Plan())
