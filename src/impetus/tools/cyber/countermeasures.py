"""What can be done, what it costs, and which of it buys the most under a budget.

Every choice is judged in worlds that were drawn once: a measure takes away the steps that it stops, in all of them.
Small networks are solved as a mixed-integer programme (HiGHS); large ones by removing measures from the full set,
adding to the empty one, and exchanging, whichever ends best. What the plan is worth is told on fresh worlds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from impetus.model import InvalidInput
from impetus.tools.cyber.graph import TRUE, AttackGraph, Words, certain, fixpoint
from impetus.tools.cyber.network import Network
from impetus.tools.cyber.tables import Floats, Integers
from impetus.tools.cyber.worlds import draw

EXACT_CELLS = 40_000
"""So many steps times worlds are still solved exactly."""
EXACT_WORLDS, CHOICE_WORLDS, FRESH_WORLDS = 64, 256, 1_024
EXACT_LIMIT_S = 20.0
EXCHANGES = 60


class MeasureKind(StrEnum):
    """Kinds of countermeasures."""

    PATCH = "patch"
    BLOCK = "block-flow"
    ISOLATE = "isolate"
    ROTATE = "rotate-credential"
    CONFIGURE = "change-default"


DEFENCES: Mapping[MeasureKind, tuple[str, str]] = {
    MeasureKind.PATCH: ("D3-SU", "M1051"),
    MeasureKind.BLOCK: ("D3-NTF", "M1037"),
    MeasureKind.ISOLATE: ("D3-NI", "M1030"),
    MeasureKind.ROTATE: ("D3-CRO", "M1027"),
    MeasureKind.CONFIGURE: ("D3-SPP", "M1027"),
}
"""MITRE D3FEND technique and ATT&CK mitigation of each kind."""


class Costs(BaseModel):
    """Cost of a measure in the city's own points, where the model names none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    patch: Annotated[float, Field(gt=0)] = 1.0
    """To close one vulnerability on one host."""
    block: Annotated[float, Field(gt=0)] = 2.0
    """To block one flow between zones."""
    isolate: Annotated[float, Field(gt=0)] = 5.0
    """To take one host off the network."""
    rotate: Annotated[float, Field(gt=0)] = 1.0
    """To change one credential."""
    configure: Annotated[float, Field(gt=0)] = 0.5
    """To put one misconfiguration right."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that can be done."""

    id: str
    kind: MeasureKind
    title: str
    cost: float
    steps: Integers
    """Steps of the graph that it takes away."""
    asset: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Measures within a budget, and what they are worth on fresh worlds."""

    measures: tuple[Measure, ...]
    cost: float
    before: float
    """Expected loss without them."""
    after: float
    method: str
    bound: float | None = None
    """No choice at this budget does better on the worlds of the choice, where that was proved."""
    chosen_loss: float = 0.0
    """Expected loss on the worlds of the choice."""

    @property
    def reduction(self) -> float:
        """Share of the expected loss that is gone."""
        return 0.0 if self.before <= 0 else 1.0 - self.after / self.before


def candidates(
    network: Network, graph: AttackGraph, costs: Costs | None = None, *, given: Sequence[int] = ()
) -> list[Measure]:
    """All measures that stop a step that can be reached at all, also from what an intruder has (`given`, facts). What
    must be kept is never among them."""
    costs = costs or Costs()
    everything = certain(graph)
    held = dict.fromkeys(given, np.full(everything.shape[1], ~np.uint64(0), dtype=np.uint64))
    reached = fixpoint(graph, everything, given=held)[:, 0] != 0
    taken: dict[tuple[MeasureKind, int, int], list[int]] = defaultdict(list)
    keeps = [flow.keep for flow in network.flows]
    kept_ends = {end for flow in network.flows if flow.keep for end in (flow.source, flow.target)}
    for step in np.flatnonzero(reached[graph.premises].all(axis=1)).tolist():
        rule = graph.rules[int(graph.rule[step])]
        label = int(graph.label[step])
        table = graph.tables.by_name[rule.table]
        row = table.rows[int(graph.row[step])]
        if rule.table in ("flows", "openings"):
            if label >= 0 and not keeps[label]:
                taken[MeasureKind.BLOCK, label, 0].append(step)
        elif rule.table.startswith(("stored", "login")):
            taken[MeasureKind.ROTATE, label, 0].append(step)
        elif rule.table.startswith("open_"):
            taken[MeasureKind.CONFIGURE, int(row[0]), label].append(step)
        elif label >= 0:
            taken[MeasureKind.PATCH, int(row[0]), label].append(step)
        if rule.id == "send":
            host = network.assets[int(row[0])]
            # Isolating one end of a flow cuts it, whether the flow names the asset or its zone.
            if host.id not in kept_ends and host.zone not in kept_ends:
                taken[MeasureKind.ISOLATE, int(row[0]), 0].append(step)
    found = []
    for (kind, first, second), steps in taken.items():
        asset = (
            network.assets[first] if kind in (MeasureKind.PATCH, MeasureKind.ISOLATE, MeasureKind.CONFIGURE) else None
        )
        weakness = graph.tables.weaknesses[second] if kind in (MeasureKind.PATCH, MeasureKind.CONFIGURE) else ""
        if asset is None and kind is MeasureKind.BLOCK:
            flow = network.flows[first]
            id, title = f"block:{flow.name}", f"Block {flow.name}"
            cost = costs.block if flow.cost is None else flow.cost
        elif asset is None:
            credential = network.credentials[first]
            id, title = f"rotate:{credential.id}", f"Change the secret of {credential.title or credential.id}"
            cost = costs.rotate if credential.cost is None else credential.cost
        elif kind is MeasureKind.ISOLATE:
            id, title, cost = f"isolate:{asset.id}", f"Isolate {asset.id}: it sends nothing to others", costs.isolate
        elif kind is MeasureKind.PATCH:
            id, title, cost = f"patch:{asset.id}:{weakness}", f"Patch {weakness} on {asset.id}", costs.patch
        else:
            id, title, cost = f"set:{asset.id}:{weakness}", f"{asset.id}: set {weakness}", costs.configure
        found.append(Measure(id, kind, title, cost, np.asarray(steps, dtype=np.int64), asset.id if asset else None))
    return sorted(found, key=lambda measure: measure.id)


def targets_of(network: Network, graph: AttackGraph) -> tuple[Integers, Floats]:
    """Facts that hurt, and by how much: a user's rights on each critical asset."""
    places = [place for place, asset in enumerate(network.assets) if asset.value > 0]
    return (
        np.asarray([graph.fact("user", place) for place in places], dtype=np.int64),
        np.asarray([network.assets[place].value for place in places], dtype=np.float64),
    )


def held_by_intruder(network: Network, graph: AttackGraph, assets: Collection[str]) -> tuple[int, ...]:
    """The facts that an intruder has who stands on these assets: a user's rights on each."""
    return tuple(graph.fact("user", place) for place, asset in enumerate(network.assets) if asset.id in assets)


def plan(
    network: Network,
    graph: AttackGraph,
    budget: float,
    *,
    measures: Sequence[Measure] | None = None,
    seed: int = 1,
    exact: bool | None = None,
    given: Sequence[int] = (),
) -> Plan:
    """The measures to take. `exact`: by the programme or not; None: as the size allows. `given`: facts an intruder has.

    Raises InvalidInput for a budget below 0 and a network without critical assets.
    """
    if not budget >= 0:
        raise InvalidInput("the budget is below 0", hint="give the cost in the city's own points")
    targets, values = targets_of(network, graph)
    if not len(targets):
        raise InvalidInput("no asset has a value above 0", hint="give `value` to the assets that must not be lost")
    options = [one for one in (measures if measures is not None else candidates(network, graph)) if one.cost <= budget]
    small = _Trial(graph, options, targets, values, EXACT_WORLDS, seed, given)
    if exact or (exact is None and small.cells <= EXACT_CELLS):
        chosen, bound = _programme(small, budget)
        if chosen is not None:
            return _told(graph, options, chosen, targets, values, seed, given, "exact", bound, small.loss(chosen))
    trial = (
        small
        if exact is False and small.cells <= EXACT_CELLS
        else _Trial(graph, options, targets, values, CHOICE_WORLDS, seed, given)
    )
    chosen = search(trial, budget)
    return _told(graph, options, chosen, targets, values, seed, given, "search", None, trial.loss(chosen))


class _Trial:
    """Worlds in which choices are compared, cut down to the steps that matter in them."""

    def __init__(
        self,
        graph: AttackGraph,
        options: Sequence[Measure],
        targets: Integers,
        values: Floats,
        worlds: int,
        seed: int,
        given: Sequence[int],
    ) -> None:
        possible = draw(graph, worlds, seed)
        words = possible.shape[1]
        ones = np.full(words, ~np.uint64(0), dtype=np.uint64)
        held = dict.fromkeys(given, ones)
        value = fixpoint(graph, possible, given=held)
        live = possible & value[graph.premises[:, 0]] & value[graph.premises[:, 1]]
        useful = np.zeros(graph.facts, dtype=bool)
        useful[targets] = True
        fires = live.any(axis=1)
        while True:
            matters = fires & useful[graph.gives]
            before = int(useful.sum())
            useful[graph.premises[matters]] = True
            if int(useful.sum()) == before:
                break
        kept = np.flatnonzero(matters)
        place = np.full(len(graph.gives), -1)
        place[kept] = np.arange(len(kept))
        names = np.unique(np.concatenate([[TRUE], graph.premises[kept].ravel(), graph.gives[kept], targets]))
        renumber = np.zeros(graph.facts, dtype=np.int64)
        renumber[names] = np.arange(len(names))
        self.graph = AttackGraph(
            graph.tables,
            graph.rules,
            graph.offsets,
            len(names),
            renumber[graph.premises[kept]],
            renumber[graph.gives[kept]],
            graph.rule[kept],
            graph.row[kept],
            graph.label[kept],
            graph.works[kept],
            graph.shared[kept],
        )
        self.possible = live[kept]
        self.given = {int(renumber[fact]): ones for fact in given if useful[fact]}
        self.targets, self.values = renumber[targets], values
        self.steps = [place[one.steps][place[one.steps] >= 0] for one in options]
        self.cost = np.asarray([one.cost for one in options], dtype=np.float64)
        self.useful = [number for number, steps in enumerate(self.steps) if len(steps)]
        self.worlds = 64 * words
        self._losses: dict[frozenset[int], float] = {}

    @property
    def cells(self) -> int:
        """Steps that matter, times worlds."""
        return int(np.bitwise_count(self.possible).sum())

    def loss(self, chosen: frozenset[int]) -> float:
        """Expected loss when these options are taken."""
        if chosen not in self._losses:
            possible = self.possible
            stopped = [self.steps[one] for one in chosen if len(self.steps[one])]
            if stopped:
                possible = possible.copy()
                possible[np.concatenate(stopped)] = 0
            value = fixpoint(self.graph, possible, given=self.given)
            hits = np.bitwise_count(value[self.targets]).sum(axis=1)
            self._losses[chosen] = float(hits @ self.values) / self.worlds
        return self._losses[chosen]


def search(trial: _Trial, budget: float) -> frozenset[int]:
    """A good choice: measures taken away from the full set, or added to none, then exchanged.

    Taking away sees that two measures are needed together, which adding one at a time does not.
    """
    best = min((_added(trial, budget), _reduced(trial, budget)), key=lambda chosen: (trial.loss(chosen), len(chosen)))
    return _exchanged(trial, best, budget)


def _added(trial: _Trial, budget: float, chosen: frozenset[int] = frozenset()) -> frozenset[int]:
    """Lazy greedy (Minoux 1978): gains of the round before are taken for upper bounds."""
    left = budget - sum(trial.cost[one] for one in chosen)
    loss = trial.loss(chosen)
    gains = {one: (loss - trial.loss(chosen | {one})) / trial.cost[one] for one in trial.useful if one not in chosen}
    while gains and loss > 0:
        order = sorted((one for one in gains if trial.cost[one] <= left + 1e-9), key=lambda one: -gains[one])
        taken = None
        for place, one in enumerate(order):
            gains[one] = (loss - trial.loss(chosen | {one})) / trial.cost[one]
            following = gains[order[place + 1]] if place + 1 < len(order) else 0.0
            if gains[one] > 0 and gains[one] >= following:
                taken = one
                break
            if gains[one] <= 0 and following <= 0:
                break
        if taken is None:
            ranked = [one for one in order if gains[one] > 0]
            if not ranked:
                break
            taken = max(ranked, key=lambda one: gains[one])
        chosen, left = chosen | {taken}, left - float(trial.cost[taken])
        loss = trial.loss(chosen)
        del gains[taken]
    return chosen


def _reduced(trial: _Trial, budget: float) -> frozenset[int]:
    """From everything down to the budget, always losing the least per point of cost that is freed."""
    chosen = frozenset(trial.useful)
    spent = float(sum(trial.cost[one] for one in chosen))
    # What each measure alone stops orders those whose loss is the same.
    weight = {one: len(trial.steps[one]) for one in chosen}
    pain = dict.fromkeys(chosen, 0.0)
    while spent > budget + 1e-9:
        loss = trial.loss(chosen)
        order = sorted(chosen, key=lambda one: (pain[one], weight[one] / trial.cost[one]))
        dropped = order[0]
        least = float("inf")
        for place, one in enumerate(order):
            pain[one] = (trial.loss(chosen - {one}) - loss) / float(trial.cost[one])
            if pain[one] < least:
                least, dropped = pain[one], one
            following = pain[order[place + 1]] if place + 1 < len(order) else float("inf")
            if least <= following or place >= 25:
                break
        chosen -= {dropped}
        spent -= float(trial.cost[dropped])
    return _added(trial, budget, chosen)


def _exchanged(trial: _Trial, chosen: frozenset[int], budget: float) -> frozenset[int]:
    """Take one out and fill up again, as long as that helps."""
    for _ in range(EXCHANGES):
        loss = trial.loss(chosen)
        if loss <= 0:
            break
        ranked = sorted(chosen, key=lambda one: (trial.loss(chosen - {one}) - loss) / float(trial.cost[one]))
        for one in ranked[:4]:
            other = _added(trial, budget, chosen - {one})
            if trial.loss(other) < loss - 1e-12:
                chosen = other
                break
        else:
            break
    return chosen


def _programme(trial: _Trial, budget: float) -> tuple[frozenset[int] | None, float | None]:
    """The best choice by mixed-integer programming (HiGHS), and the proved bound; None where time ran out.

    Facts are continuous and at least what their steps force, so that the least solution is the least fixpoint.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array

    graph, options = trial.graph, trial.useful
    if not options or trial.loss(frozenset()) <= 0:
        return frozenset(), 0.0
    bits = np.unpackbits(trial.possible.view(np.uint8), axis=1, bitorder="little").astype(bool)
    column: dict[tuple[int, int], int] = {}
    rows: list[int] = []
    columns: list[int] = []
    data: list[float] = []
    low: list[float] = []
    stopping: dict[int, list[int]] = defaultdict(list)
    for number, option in enumerate(options):
        for step in trial.steps[option].tolist():
            stopping[step].append(number)

    def variable(fact: int, world: int) -> int:
        return column.setdefault((fact, world), len(options) + len(column))

    for step, world in np.argwhere(bits).tolist():
        row = len(low)
        needed = [fact for fact in set(graph.premises[step].tolist()) if fact != TRUE and fact not in trial.given]
        entries = [(variable(int(graph.gives[step]), world), 1.0)]
        entries += [(variable(fact, world), -1.0) for fact in needed]
        entries += [(number, 1.0) for number in stopping.get(step, ())]
        for place, weight in entries:
            rows.append(row)
            columns.append(place)
            data.append(weight)
        low.append(1.0 - len(needed))
    count = len(options) + len(column)
    aim = np.zeros(count)
    for target, value in zip(trial.targets.tolist(), trial.values.tolist(), strict=True):
        for world in range(trial.worlds):
            if (target, world) in column:
                aim[column[target, world]] += value / trial.worlds
    matrix = coo_array((data, (rows, columns)), shape=(len(low), count)).tocsr()
    spending = np.zeros((1, count))
    spending[0, : len(options)] = trial.cost[options]
    found = milp(
        aim,
        integrality=np.concatenate([np.ones(len(options)), np.zeros(count - len(options))]),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(matrix, low, np.inf), LinearConstraint(spending, -np.inf, budget)],
        options={"time_limit": EXACT_LIMIT_S, "mip_rel_gap": 1e-6},
    )
    if found.x is None or found.status != 0:
        return None, None
    chosen = frozenset(option for number, option in enumerate(options) if found.x[number] > 0.5)
    return chosen, float(found.fun)


def _told(
    graph: AttackGraph,
    options: Sequence[Measure],
    chosen: frozenset[int],
    targets: Integers,
    values: Floats,
    seed: int,
    given: Sequence[int],
    method: str,
    bound: float | None,
    loss: float,
) -> Plan:
    measures = tuple(sorted((options[one] for one in chosen), key=lambda one: (-len(one.steps) / one.cost, one.id)))
    before, after = evaluate(graph, targets, values, (), seed + 1_000, given), 0.0
    after = evaluate(graph, targets, values, measures, seed + 1_000, given)
    return Plan(measures, float(sum(one.cost for one in measures)), before, after, method, bound, loss)


def evaluate(
    graph: AttackGraph,
    targets: Integers,
    values: Floats,
    measures: Sequence[Measure],
    seed: int,
    given: Sequence[int] = (),
) -> float:
    """Expected loss with these measures, on worlds of this seed."""
    possible: Words = draw(graph, FRESH_WORLDS, seed)
    for measure in measures:
        possible[measure.steps] = 0
    ones = np.full(possible.shape[1], ~np.uint64(0), dtype=np.uint64)
    value = fixpoint(graph, possible, given=dict.fromkeys(given, ones))
    hits = np.bitwise_count(value[targets]).sum(axis=1)
    return float(hits @ values) / float(64 * possible.shape[1])
