"""Looking for plans with the queue model: differential evolution over one time offset an exit.

R. Storn, K. Price, "Differential evolution", Journal of Global Optimization 11, 1997 (rand-to-best/1/bin). One
number an exit is enough, and better than free splits of every zone: people divide along the lines where way times plus
offsets are equal, so nobody is sent past a nearer exit that has room.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.tools.evacuation.arrays import Floats
from impetus.tools.evacuation.fields import FAR
from impetus.tools.evacuation.plans import PACE_MPS, Plan, complying, own_choice
from impetus.tools.evacuation.populate import populate
from impetus.tools.evacuation.queueing import QueueModel, assigned
from impetus.tools.evacuation.simulation import Setting

LONGEST_OFFSET_S = 150.0
MEMBERS = 24
WEIGHTS = (1.0, 0.5, 0.0)
"""How much t90 counts beside exposure, each relative to nearest exits; one search for each."""


@dataclass(frozen=True)
class Estimate:
    """What the queue model says of a plan, on average over its seeds."""

    t90_s: float
    mean_s: float
    exposure_person_s: float


class QuickSearch:
    """One setting with a few crowds, ready to judge thousands of offsets."""

    def __init__(self, setting: Setting, seeds: Sequence[int], stewards: tuple[str, ...] = ()) -> None:
        self.setting = setting
        self.models = [
            QueueModel(setting, populate(setting.ways.ground, setting.scenario, seed), seed) for seed in seeds
        ]
        self.told = [np.where(model.wary >= FAR, FAR, model.wary / PACE_MPS) for model in self.models]
        shut = np.zeros(len(setting.ways.exits), dtype=bool)
        self.own = [own_choice(m.crowd, m.distance, setting.ways, setting.scenario, shut) for m in self.models]
        self.use(stewards)

    def use(self, stewards: tuple[str, ...]) -> None:
        """Place stewards: more people follow near them."""
        plan = Plan(stewards=stewards)
        self.follows = [
            complying(model.crowd, plan, self.setting.ways) & (model.crowd.preferred < 0) for model in self.models
        ]

    def judge(self, offsets_s: Floats | None) -> Estimate:
        """Offsets by exit (None: nearest exits)."""
        t90, mean, exposure = 0.0, 0.0, 0.0
        for model, told, own, follows in zip(self.models, self.told, self.own, self.follows, strict=True):
            chosen = own if offsets_s is None else assigned(told, offsets_s, own, follows)
            out_s = model.times(chosen)
            count = len(out_s)
            needed = max(int(np.ceil(0.9 * count)) - 1, 0)
            late = float(np.partition(out_s, needed)[needed])
            t90 += late if np.isfinite(late) else 1e6
            mean += float(out_s[np.isfinite(out_s)].mean()) if np.isfinite(out_s).any() else 1e6
            exposure += model.person_seconds(chosen, out_s)
        runs = len(self.models)
        return Estimate(t90 / runs, mean / runs, exposure / runs)

    def stewards(self, offsets_s: Floats, most: int) -> tuple[str, ...]:
        """Zones and gates at which most of those stand who should go elsewhere and might not."""
        ground = self.setting.ways.ground
        places = {zone.id: zone.area.centroid for zone in ground.zones} | {
            gate.id: gate.geometry.centroid for gate in ground.gates
        }
        score = dict.fromkeys(places, 0)
        for model, told, own in zip(self.models, self.told, self.own, strict=True):
            everybody = np.ones(len(own), dtype=bool)
            directed = assigned(told, offsets_s, own, everybody)
            unsure = (directed != own) & ~model.crowd.comply
            for name, at in places.items():
                near = np.hypot(model.crowd.x - at.x, model.crowd.y - at.y) < 25.0
                score[name] += int((near & unsure).sum())
        ranked = sorted((name for name in score if score[name] > 0), key=lambda name: (-score[name], name))
        return tuple(ranked[:most])


def balanced(search: QuickSearch, *, until: float, rounds: int = 40) -> Floats:
    """Offsets at which all exits that are used empty at about the same time: each exit's offset grows with its delay.

    A start for the search; where a threat counts, the search goes on from there.
    """
    exits = len(search.setting.ways.exits)
    offsets, best, least = np.zeros(exits), np.zeros(exits), np.inf
    for turn in range(rounds):
        late = np.zeros(exits)
        for model, told, own, follows in zip(search.models, search.told, search.own, search.follows, strict=True):
            chosen = assigned(told, offsets, own, follows)
            out_s = model.times(chosen)
            for door in range(exits):
                here = out_s[(chosen == door) & np.isfinite(out_s)]
                late[door] += float(np.quantile(here, 0.95)) / len(search.models) if len(here) else 0.0
        value = search.judge(offsets).t90_s
        if value < least:
            best, least = offsets.copy(), value
        offsets = offsets + (0.5 if turn < 10 else 0.2) * (late - late[late > 0].mean())
        offsets = np.clip(offsets - offsets.min(), 0.0, LONGEST_OFFSET_S * 0.95)
        if time.monotonic() > until:
            break
    return best


def evolve(
    search: QuickSearch, weight: float, *, until: float, rounds: int, seed: int = 1
) -> list[tuple[float, Floats]]:
    """Best offsets first, with their costs; ends after so many rounds or at that moment (`time.monotonic`)."""
    random = np.random.default_rng([seed, int(weight * 100)])
    exits = len(search.setting.ways.exits)
    base = search.judge(None)
    threatened = search.setting.danger is not None and base.exposure_person_s > 0

    def cost(offsets: Floats) -> float:
        found = search.judge(offsets)
        slow = found.t90_s / max(base.t90_s, 1e-9) + 0.1 * found.mean_s / max(base.mean_s, 1e-9)
        if not threatened:
            return slow
        exposed = found.exposure_person_s / base.exposure_person_s
        # Whoever is to be less exposed must not be out later: beyond the nearest exits' time it costs a lot.
        late = max(0.0, found.t90_s / max(base.t90_s, 1e-9) - 1.0)
        return weight * slow + (1.0 - weight) * exposed + 4.0 * late

    members = random.uniform(0.0, 1.0, (MEMBERS, exits)) ** 2 * LONGEST_OFFSET_S
    members[0] = 0.0
    for door in range(min(exits, MEMBERS // 3)):
        members[1 + door] = 0.0
        members[1 + door, door] = LONGEST_OFFSET_S
    start = balanced(search, until=time.monotonic() + max(0.3 * (until - time.monotonic()), 0.05))
    members[-1] = start
    for near in range(2, min(6, MEMBERS)):
        members[-near] = np.clip(start + random.normal(0, 8.0, exits), 0.0, LONGEST_OFFSET_S)
    costs = np.array([cost(member - member.min()) for member in members])
    for _ in range(rounds if exits > 1 else 0):
        if time.monotonic() > until:
            break
        best = members[int(np.argmin(costs))].copy()
        for place in range(MEMBERS):
            one, two = members[random.choice(MEMBERS, 2, replace=False)]
            pull, spread = random.uniform(0.3, 0.9, 2)
            trial = members[place] + pull * (best - members[place]) + spread * (one - two)
            keep = random.uniform(0, 1, exits) > 0.8
            keep[random.integers(exits)] = False
            trial = np.where(keep, members[place], np.clip(trial, 0.0, LONGEST_OFFSET_S))
            value = cost(trial - trial.min())
            if value < costs[place]:
                members[place], costs[place] = trial, value
        if costs.max() - costs.min() < 1e-4:
            break
    order = np.argsort(costs)
    return [(float(costs[place]), members[place] - members[place].min()) for place in order]
