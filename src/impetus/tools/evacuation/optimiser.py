"""The best plans, found from quick to slow: queue model, agent model, then JuPedSim on seeds that nobody has seen.

Differential evolution on model C gives candidates; successive halving on model A with common random numbers drops the
worse half time and again (K. Jamieson, A. Talwalkar, AISTATS 2016); the best are polished on A; what is left of the
time goes to those that are hardest to tell apart (optimal computing budget allocation: C.-H. Chen et al., Discrete
Event Dynamic Systems 10, 2000); the finalists are verified by JuPedSim. Plans that differ by less than the noise are
ties.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.evacuation.arrays import Floats
from impetus.tools.evacuation.bound import egress_bound
from impetus.tools.evacuation.outcome import Outcome
from impetus.tools.evacuation.plans import Plan
from impetus.tools.evacuation.populate import populate
from impetus.tools.evacuation.search import LONGEST_OFFSET_S, WEIGHTS, QuickSearch, evolve
from impetus.tools.evacuation.simulation import Setting, simulate

SEARCH_SEEDS = (101, 102)
AGENT_SEEDS = tuple(range(201, 241))
VERIFY_SEEDS = tuple(range(901, 931))
"""Never used for choosing."""
STEWARDS = 4
CANDIDATES = 12
HURRIED_S = 45.0
"""With less time, fewer candidates are looked at, and the best is verified while the search goes on."""
FIRST_S = 1.2
"""In a hurry the first proposal is looked for so long."""
CHECKED_FROM = 0.2
"""In a hurry the best plan after this share of the time goes to JuPedSim, whose run takes as long as what is left."""
TIE = 0.02
"""A plan that is verified stays the recommended one; another is verified, and takes its place, if it scores better by
more than this."""
Settings = Callable[[Mapping[str, bool]], Setting]


class Waiting(Protocol):
    """A run under way elsewhere."""

    def result(self) -> Outcome:
        """Wait for it."""
        ...


class Verifier(Protocol):
    """Runs JuPedSim in processes of its own."""

    def start(self) -> None:
        """Get ready: the first run is wanted soon."""
        ...

    def run(self, setting: Setting, plan: Plan, seed: int) -> Waiting:
        """Start one run."""
        ...


NEVER_S = 7_200.0
"""What counts in comparisons where a tenth never got out; it is told as never."""


@dataclass
class Judged:
    """A plan with all its runs."""

    plan: Plan
    runs: dict[int, Outcome] = field(default_factory=dict)
    """Of model A, by seed."""
    verified: dict[int, Outcome] = field(default_factory=dict)
    """Of JuPedSim, by seed."""
    estimate_t90_s: float = math.inf
    estimate_exposure: float = 0.0
    gates: Mapping[str, bool] = field(default_factory=dict)

    def values(self, name: str, *, verified: bool = False) -> Floats:
        """One figure of each run: `t90_s`, `exposure_person_s` or `dense_person_s`."""
        runs = (self.verified if verified else self.runs).values()
        if name == "t90_s":
            return np.array([math.inf if run.time_s(0.9) is None else run.time_s(0.9) or 0.0 for run in runs])
        return np.array([float(getattr(run, name)) for run in runs])

    def mean(self, name: str, *, verified: bool = False) -> float:
        """Average over the runs; the queue model's estimate where there is none."""
        values = self.values(name, verified=verified)
        if len(values):
            return float(values.mean())
        return {"t90_s": self.estimate_t90_s, "exposure_person_s": self.estimate_exposure}.get(name, 0.0)

    def tail(self, name: str) -> float:
        """Mean of the worst tenth of the runs (CVaR90)."""
        values = np.sort(self.values(name))
        if not len(values):
            return self.mean(name)
        return float(values[-max(1, math.ceil(len(values) / 10)) :].mean())


@dataclass(frozen=True)
class Proposal:
    """What is known at some moment: plans, best first, and nearest exits for comparison."""

    stage: str
    """`queue`, `agents` or `jupedsim`: the slowest model that has judged the best plan."""
    baseline: Judged
    plans: Sequence[Judged]
    elapsed_s: float
    bound_t90_s: float | None = None

    @property
    def best(self) -> Judged:
        """The plan that is recommended."""
        return self.plans[0]


def score(judged: Judged, baseline: Judged) -> float:
    """Less is better. With a threat exposure counts, and being out later than by nearest exits is not accepted."""
    usual_s = max(min(baseline.mean("t90_s"), NEVER_S), 1e-9)
    t90 = min(judged.mean("t90_s"), NEVER_S) / usual_s
    dense = judged.mean("dense_person_s") / max(usual_s * 100.0, 1.0)
    exposed = baseline.mean("exposure_person_s")
    if exposed <= 0:
        return t90 + 0.02 * dense
    return (
        judged.mean("exposure_person_s") / exposed + 0.15 * t90 + 10.0 * max(0.0, t90 - 0.99) + 0.02 * dense
    )  # fmt: skip


def optimise(
    settings: Settings,
    *,
    budget_s: float,
    gates: Sequence[Mapping[str, bool]] = ({},),
    verify: Verifier | None = None,
    seed: int = 1,
    verify_seeds: int = 3,
) -> Iterator[Proposal]:
    """Better and better proposals until the time is up.

    Args:
        settings: makes the setting for a choice of open and closed gates.
        budget_s: seconds that the search may take.
        gates: choices of gates to look at, the present one first.
        verify: runs JuPedSim beside; None leaves verification out.
        seed: of the search's own random numbers.
        verify_seeds: unseen crowds for the verification.

    Raises:
        InvalidInput: see `populate`.
    """
    began = time.monotonic()
    made = {str(choice): settings(choice) for choice in gates[:1]}
    first = made[str(gates[0])]

    def spent() -> float:
        return time.monotonic() - began

    hurried = budget_s < HURRIED_S
    reserve = 0.35 * budget_s if verify is not None and not hurried else 0.0
    checks: list[tuple[Judged, int, Waiting]] = []

    def check(judged: Judged, used: int) -> Waiting:
        if verify is None:
            raise InvalidInput("nothing verifies plans here")
        return verify.run(made[str(judged.gates)], judged.plan, used)

    search = QuickSearch(first, SEARCH_SEEDS[: 1 if budget_s < 5 else 2])
    baseline = Judged(Plan(), gates=gates[0])
    found = search.judge(None)
    baseline.estimate_t90_s, baseline.estimate_exposure = found.t90_s, found.exposure_person_s
    weights = WEIGHTS if first.danger is not None else WEIGHTS[:1]
    quick_until = began + min(0.2 * budget_s, 3.0 if hurried else 8.0)
    candidates: list[Judged] = []
    if hurried:
        candidates = _candidates(search, weights[len(weights) // 2], gates[0], until=began + FIRST_S, seed=seed)
        yield Proposal("queue", baseline, _ranked(_distinct(candidates, first, baseline), baseline), spent())
        if verify is not None:
            verify.start()
    for number, weight in enumerate(weights):
        until = began + (quick_until - began) * (number + 1) / len(weights)
        candidates += _candidates(search, weight, gates[0], until=until, seed=seed)
    for choice in gates[1:]:
        if spent() > 0.3 * budget_s:
            break
        made[str(choice)] = settings(choice)
        other = QuickSearch(made[str(choice)], SEARCH_SEEDS[:1])
        candidates += _candidates(other, 0.5, choice, until=time.monotonic() + 0.03 * budget_s, seed=seed)[:3]
    candidates += _responder_lanes(candidates[:1], first)
    pool = _distinct(candidates, first, baseline)[: CANDIDATES // 2 if hurried else CANDIDATES]
    yield Proposal("queue", baseline, _ranked(pool, baseline), spent())
    if verify is not None:
        verify.start()

    def play(judged: Judged, seeds: Sequence[int]) -> float:
        started = time.monotonic()
        for one in seeds:
            if one not in judged.runs:
                setting = made[str(judged.gates)]
                judged.runs[one] = simulate(setting, plan=judged.plan, seed=one)
        return time.monotonic() - started

    cost_s = play(baseline, AGENT_SEEDS[:1])
    agents_until = began + budget_s - reserve
    runs = 1
    while pool:
        kept: list[Judged] = []
        for judged in pool:
            if time.monotonic() + cost_s > agents_until and (kept or runs > 1):
                break
            play(judged, AGENT_SEEDS[:runs])
            kept.append(judged)
            if verify is not None and hurried and not checks and spent() > CHECKED_FROM * budget_s:
                early = _ranked(kept, baseline)[0]
                checks = [(one, VERIFY_SEEDS[0], check(one, VERIFY_SEEDS[0])) for one in (early, baseline)]
        play(baseline, AGENT_SEEDS[:runs])
        complete = [one for one in kept if len(one.runs) >= runs]
        rest = [one for one in pool if one not in complete]
        pool = _ranked(complete, baseline) or pool
        yield Proposal("agents", baseline, _offered([*pool, *rest], baseline), spent())
        if time.monotonic() + cost_s * len(pool) > agents_until or len(pool) <= 3:
            break
        pool = pool[: max(3, len(pool) // 2)]
        runs = min(runs * 2, 4)
    polish_until = time.monotonic() + 0.6 * max(0.0, agents_until - time.monotonic())
    pool = _polish(pool, baseline, play, runs, polish_until, cost_s, seed)
    yield Proposal("agents", baseline, _offered(_ranked(pool, baseline), baseline), spent())
    finalists = _ranked(pool, baseline)[:4]
    _allocate(finalists, baseline, play, agents_until, cost_s)
    bound = None
    crowd = populate(first.ways.ground, first.scenario, AGENT_SEEDS[0])
    if time.monotonic() < agents_until:
        bound = egress_bound(first.ways, crowd)
    ranked = _ranked(finalists, baseline)
    ranked = [*ranked, *[one for one in _ranked(pool, baseline) if one not in ranked]]
    ranked = _offered(ranked, baseline)
    yield Proposal("agents", baseline, ranked, spent(), bound)
    if verify is None or not ranked:
        return
    if not hurried:
        for number, one_seed in enumerate(VERIFY_SEEDS[:verify_seeds]):
            if number and spent() > budget_s * (1 - 0.35 / verify_seeds):
                break
            pair = [(one, one_seed, check(one, one_seed)) for one in (ranked[0], baseline)]
            for one, used, future in pair:
                one.verified[used] = future.result()
            yield Proposal("jupedsim", baseline, ranked, spent(), bound)
        return
    best = ranked[0]
    if not checks:
        checks = [(one, VERIFY_SEEDS[0], check(one, VERIFY_SEEDS[0])) for one in (best, baseline)]
    early = checks[0][0]
    if best is not baseline:
        ranked = [early, *(one for one in ranked if one is not early)]
        if score(best, baseline) < score(early, baseline) - TIE:
            checks.append((best, VERIFY_SEEDS[0], check(best, VERIFY_SEEDS[0])))
    for one, used, future in checks:
        one.verified[used] = future.result()
        if one is best:
            ranked = [best, *(other for other in ranked if other is not best)]
        yield Proposal("jupedsim" if ranked[0].verified else "agents", baseline, ranked, spent(), bound)


def _candidates(
    search: QuickSearch, weight: float, gates: Mapping[str, bool], *, until: float, seed: int
) -> list[Judged]:
    """A few plans that the queue model likes."""
    found = evolve(search, weight, until=until, rounds=60, seed=seed)
    best = found[0][1]
    stewards = search.stewards(best, STEWARDS)
    search.use(stewards)
    chosen = [offsets for _, offsets in found[:: max(1, len(found) // 5)]][:5]
    made = [_judged(search, offsets, gates, stewards) for offsets in chosen]
    search.use(())
    return made


def _judged(search: QuickSearch, offsets: Floats, gates: Mapping[str, bool], stewards: tuple[str, ...]) -> Judged:
    estimate = search.judge(offsets)
    exits = search.setting.ways.exits
    plan = Plan(
        name="offsets",
        offsets_s={
            door: math.inf if offsets[number] > 0.98 * LONGEST_OFFSET_S else float(round(offsets[number], 1))
            for number, door in enumerate(exits)
        },
        gates=dict(gates),
        stewards=stewards,
    )
    if all(not math.isfinite(value) for value in plan.offsets_s.values()):
        plan = replace(plan, offsets_s=dict.fromkeys(exits, 0.0))
    return Judged(plan, estimate_t90_s=estimate.t90_s, estimate_exposure=estimate.exposure_person_s, gates=gates)


def _responder_lanes(best: Sequence[Judged], setting: Setting) -> list[Judged]:
    """The best plan once more, with the exit beside a responder entry kept free of people."""
    ground, ways = setting.ways.ground, setting.ways
    made = []
    if len(ways.exits) < 3:
        return []
    for judged in best:
        for entry, point in list(ground.entries.items())[:2]:
            near = min(ground.open_exits, key=lambda one: one.line.distance(point))
            offsets = {**judged.plan.offsets_s, near.id: math.inf}
            if all(not math.isfinite(value) for value in offsets.values()):
                continue
            plan = replace(judged.plan, name=f"{near.name} kept free", offsets_s=offsets, responder_entry=entry)
            made.append(Judged(plan, estimate_t90_s=judged.estimate_t90_s * 1.02,
                               estimate_exposure=judged.estimate_exposure, gates=judged.gates))  # fmt: skip
    return made


def _distinct(candidates: Sequence[Judged], setting: Setting, baseline: Judged) -> list[Judged]:
    """Without those that are nearly the same."""
    kept: list[Judged] = []
    for one in _ranked(candidates, baseline):
        mine = _vector(one, setting)
        if all(
            str(one.gates) != str(other.gates) or np.abs(mine - _vector(other, setting)).max(initial=0.0) > 3.0
            for other in kept
        ):
            kept.append(one)
    return kept


def _vector(judged: Judged, setting: Setting) -> Floats:
    values = [judged.plan.offsets_s.get(door, 0.0) for door in setting.ways.exits]
    return np.array([min(value, LONGEST_OFFSET_S) for value in values])


def _ranked(plans: Sequence[Judged], baseline: Judged) -> list[Judged]:
    return sorted(plans, key=lambda one: score(one, baseline))


def _offered(plans: Sequence[Judged], baseline: Judged) -> list[Judged]:
    """The plans, with nearest exits first where no plan is better than they are."""
    ordered = list(plans)
    if not ordered or not baseline.runs or score(ordered[0], baseline) < score(baseline, baseline):
        return ordered
    return [baseline, *(one for one in ordered if one is not baseline)]


def _polish(
    pool: list[Judged],
    baseline: Judged,
    play: Callable[[Judged, Sequence[int]], float],
    runs: int,
    until: float,
    cost_s: float,
    seed: int,
) -> list[Judged]:
    """Small changes of the best offsets, kept when model A says that they are better on the same crowds."""
    random = np.random.default_rng([seed, 77])
    ranked = _ranked([one for one in pool if one.runs], baseline)
    if not ranked or not ranked[0].plan.offsets_s:
        return pool
    runs = max(runs, 2)
    seeds = AGENT_SEEDS[:runs]
    best = ranked[0]
    if time.monotonic() + cost_s * runs * 2 > until:
        return pool
    play(best, seeds)
    play(baseline, seeds)
    width_s, made = 12.0, list(pool)
    while time.monotonic() + cost_s * runs < until and width_s > 1.0:
        names = list(best.plan.offsets_s)
        changed = {
            name: value if not math.isfinite(value) else max(0.0, value + float(random.normal(0, width_s)))
            for name, value in best.plan.offsets_s.items()
        }
        flip = names[int(random.integers(len(names)))]
        if not math.isfinite(changed[flip]) and random.uniform() < 0.3 and best.plan.responder_entry is None:
            changed[flip] = 40.0
        least = min((value for value in changed.values() if math.isfinite(value)), default=0.0)
        changed = {name: round(value - least, 1) for name, value in changed.items()}
        trial = Judged(replace(best.plan, offsets_s=changed), gates=best.gates)
        play(trial, seeds[:1])
        if score(trial, _only(baseline, seeds[:1])) < score(_only(best, seeds[:1]), _only(baseline, seeds[:1])) + 0.01:
            play(trial, seeds)
            if score(trial, _only(baseline, seeds)) < score(_only(best, seeds), _only(baseline, seeds)):
                best = trial
                made.append(trial)
                continue
        width_s *= 0.93
    return made


def _only(judged: Judged, seeds: Sequence[int]) -> Judged:
    return replace(judged, runs={seed: judged.runs[seed] for seed in seeds if seed in judged.runs})


def _allocate(
    finalists: Sequence[Judged],
    baseline: Judged,
    play: Callable[[Judged, Sequence[int]], float],
    until: float,
    cost_s: float,
) -> None:
    """More runs for those that are hardest to tell from the best (OCBA)."""
    while time.monotonic() + cost_s < until:
        ready = [one for one in finalists if len(one.runs) >= 2]
        fresh = [one for one in [*finalists, baseline] if len(one.runs) < 2]
        if fresh:
            play(fresh[0], AGENT_SEEDS[: len(fresh[0].runs) + 1])
            continue
        if min(len(one.runs) for one in ready) >= len(AGENT_SEEDS):
            return
        best = _ranked(ready, baseline)[0]
        weights: list[tuple[float, Judged]] = []
        for one in ready:
            if one is best:
                continue
            gap = max(abs(one.mean("t90_s") - best.mean("t90_s")), 0.1)
            weights.append(((max(float(one.values("t90_s").std()), 0.05) / gap) ** 2 / len(one.runs), one))
        spread = math.sqrt(sum(weight**2 for weight, _ in weights)) if weights else 1.0
        weights += [(spread, best), (spread / 2, baseline)]
        for _, one in sorted(weights, key=lambda entry: -entry[0] / (1 + len(entry[1].runs))):
            if len(one.runs) < len(AGENT_SEEDS):
                play(one, AGENT_SEEDS[: len(one.runs) + 1])
                break


def pareto(plans: Sequence[Judged]) -> list[bool]:
    """Which plans no other one beats in exposure, t90 (mean and tail) and time at high density at once."""
    names = ("exposure_person_s", "dense_person_s")
    table = np.array([
        [*(one.mean(name) for name in names), one.mean("t90_s"), one.tail("t90_s")] for one in plans
    ])  # fmt: skip
    return [
        not any(
            (other <= row + 1e-9).all() and (other < row - 1e-9).any()
            for number, other in enumerate(table)
            if number != place
        )
        for place, row in enumerate(table)
    ]


def tied(one: Judged, best: Judged) -> bool:
    """Whether the difference of t90 to the best is within the noise (paired, two standard errors)."""
    seeds = sorted(set(one.runs) & set(best.runs))
    if one is best or len(seeds) < 2:
        return one is best or not seeds
    pairs = np.array([(one.runs[seed].time_s(0.9) or 1e6) - (best.runs[seed].time_s(0.9) or 1e6) for seed in seeds])
    return bool(abs(pairs.mean()) <= 2 * max(pairs.std(ddof=1), 0.1) / math.sqrt(len(seeds)))
