"""The answer to 'which assets can be reached, how likely, and how': likelihoods from worlds, paths by max-product."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from impetus.tools.cyber.graph import PREDICATES, TRUE, AttackGraph, Words, build, certain, fixpoint
from impetus.tools.cyber.knowledge import Knowledge
from impetus.tools.cyber.likelihood import Assumptions
from impetus.tools.cyber.network import Network
from impetus.tools.cyber.tables import Floats, tabulate
from impetus.tools.cyber.worlds import Estimate, counts, estimate, run

WORLDS = 1_024
QUIET_RULES = frozenset({"send", "root-is-user", "beside", "start"})
"""Steps that go without saying, left out of a path's story."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of a path."""

    rule: str
    technique: str
    text: str
    probability: float
    host: str | None
    """Where it succeeds, if on a host."""


@dataclass(frozen=True, slots=True)
class Path:
    """One way in. `probability`: of its uncertain steps together, draws that they share counted once each time."""

    steps: tuple[PathStep, ...]
    probability: float


@dataclass(frozen=True, slots=True)
class AssetRisk:
    """What a network's worlds say of one asset."""

    asset: str
    zone: str | None
    value: float
    user: Estimate
    root: Estimate
    reachable: bool
    """Whether any chain of steps at all leads there."""
    likely: Path | None = None
    """The most likely path."""
    shortest: Path | None = None
    """The path of the fewest steps."""

    @property
    def risk(self) -> float:
        """Likelihood times value."""
        return self.user.likelihood * self.value


@dataclass(frozen=True, slots=True)
class Assessed:
    """A network, worked out."""

    graph: AttackGraph
    value: Words
    possible: Words
    worlds: int
    assets: Sequence[AssetRisk]

    @property
    def expected_loss(self) -> float:
        """The value of what is lost, over all worlds."""
        return sum(asset.risk for asset in self.assets)


def assess(
    network: Network,
    knowledge: Knowledge | None = None,
    assumptions: Assumptions | None = None,
    *,
    worlds: int = WORLDS,
    seed: int = 1,
    footholds: Mapping[str, float] | None = None,
    paths: bool = True,
) -> Assessed:
    """Work a network out. `footholds`: assets where an intruder is, each with its probability; they count as
    reached in so many worlds. Paths are worked out for critical assets."""
    graph = build(tabulate(network, knowledge or {}, assumptions or Assumptions()))
    number = {asset.id: place for place, asset in enumerate(network.assets)}
    given = {graph.fact("user", number[name]): chance for name, chance in (footholds or {}).items() if name in number}
    value, possible = run(graph, worlds, seed, footholds=given)
    worlds = 64 * value.shape[1]
    count = len(network.assets)
    users = counts(value, np.arange(graph.fact("user", 0), graph.fact("user", count)))
    roots = counts(value, np.arange(graph.fact("root", 0), graph.fact("root", count)))
    full = {fact: np.full(1, ~np.uint64(0), dtype=np.uint64) for fact in given}
    reachable = fixpoint(graph, certain(graph), given=full)[graph.fact("user", 0) : graph.fact("user", count), 0] != 0
    likely = Derivations(graph, graph.probability, given) if paths else None
    shortest = Derivations(graph, np.full(len(graph.gives), math.exp(-1.0)), given) if paths else None
    assets = []
    for place, asset in enumerate(network.assets):
        wanted = asset.value > 0 and bool(reachable[place])
        fact = graph.fact("user", place)
        assets.append(
            AssetRisk(
                asset.id,
                asset.zone,
                asset.value,
                estimate(int(users[place]), worlds),
                estimate(int(roots[place]), worlds),
                bool(reachable[place]),
                likely.path(fact) if wanted and likely else None,
                shortest.path(fact) if wanted and shortest else None,
            )
        )
    return Assessed(graph, value, possible, worlds, assets)


class Derivations:
    """The best derivation of each fact: the one whose steps' probabilities have the greatest product.

    Knuth, A generalization of Dijkstra's algorithm (Information Processing Letters 6, 1977): a step's cost is minus
    the logarithm of its probability plus its premises' costs.
    """

    def __init__(self, graph: AttackGraph, probability: Floats, given: Mapping[int, float] | None = None) -> None:
        self._graph = graph
        self.best: dict[int, int] = {}
        """Of each derived fact, the step that gives it (-1: it was given)."""
        self.cost: dict[int, float] = {}
        self._work_out(probability, given or {})

    def _work_out(self, probability: Floats, given: Mapping[int, float]) -> None:
        graph = self._graph
        with np.errstate(divide="ignore"):
            step_cost = (-np.log(np.asarray(probability))).tolist()
        gives = graph.gives.tolist()
        premises = graph.premises.tolist()
        waiting: dict[int, list[int]] = defaultdict(list)
        missing = [0] * len(gives)
        for step, (first, second) in enumerate(premises):
            for fact in {first, second}:
                waiting[fact].append(step)
                missing[step] += 1
        heap: list[tuple[float, int, int]] = [(0.0, TRUE, -1)]
        heap += [(-math.log(max(chance, 1e-12)), fact, -1) for fact, chance in given.items()]
        heapq.heapify(heap)
        while heap:
            cost, fact, step = heapq.heappop(heap)
            if fact in self.cost:
                continue
            self.cost[fact], self.best[fact] = cost, step
            for after in waiting.get(fact, ()):
                missing[after] -= 1
                if missing[after] or gives[after] in self.cost or not math.isfinite(step_cost[after]):
                    continue
                total = step_cost[after] + sum(self.cost[one] for one in set(premises[after]))
                heapq.heappush(heap, (total, gives[after], after))

    def path(self, fact: int) -> Path | None:
        """The steps to a fact, in an order in which they can be taken; None if there is no way."""
        if fact not in self.best:
            return None
        graph = self._graph
        order: list[int] = []
        seen: set[int] = set()
        stack: list[tuple[int, bool]] = [(fact, False)]
        while stack:
            one, done = stack.pop()
            step = self.best[one]
            if done:
                order.append(step)
            elif one not in seen:
                seen.add(one)
                if step >= 0:
                    stack.append((one, True))
                    stack.extend((int(premise), False) for premise in graph.premises[step])
        chance = graph.probability
        steps = [described(graph, step, float(chance[step])) for step in order]
        product = math.prod(step.probability for step in steps)
        return Path(tuple(step for step in steps if step.rule not in QUIET_RULES), product)


def described(graph: AttackGraph, step: int, probability: float) -> PathStep:
    """A step in words."""
    rule = graph.rules[int(graph.rule[step])]
    table = graph.tables.by_name[rule.table]
    words: dict[str, str] = {"weakness": ""}
    for column, number in zip(table.columns, table.rows[int(graph.row[step])].tolist(), strict=True):
        entity = {"opener": "class", "other": "credential", "controller": "host"}.get(column, column)
        words[column] = graph.tables.name(entity, number)
    label = int(graph.label[step])
    if "{weakness}" in rule.title and label >= 0:
        words["weakness"] = graph.tables.weaknesses[label]
    kind, name = graph.described(int(graph.gives[step]))
    return PathStep(
        rule.id,
        rule.technique,
        rule.title.format_map(words),
        probability,
        name if PREDICATES[kind] == "host" else None,
    )
