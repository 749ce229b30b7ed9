"""The optimiser on a venue's file and a scenario: settings by gates, JuPedSim in processes, gain against compliance."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from impetus.model import FeatureKind, InvalidInput
from impetus.tools.evacuation.distributions import Distribution
from impetus.tools.evacuation.features import VenueFile
from impetus.tools.evacuation.jupedsim_model import QUICK_STEP_S, Pool, Run, Task
from impetus.tools.evacuation.optimiser import HURRIED_S, Proposal, optimise
from impetus.tools.evacuation.plans import Plan
from impetus.tools.evacuation.proposals import proposal_document
from impetus.tools.evacuation.running import KEPT
from impetus.tools.evacuation.scenario import Scenario
from impetus.tools.evacuation.simulation import REFERENCE_STEP_S, Setting, prepare, simulate

GATE_CHOICES = 4
ENOUGH = 0.92
"""A verification ends when this share of people is out."""
LEAST_VERIFIED_S = 15.0
COMPLIANCES = (0.3, 0.5, 0.7, 0.9, 1.0)
COMPLIANCE_SEEDS = (301, 302)


def gate_choices(venue: VenueFile, scenario: Scenario) -> Sequence[Mapping[str, bool]]:
    """Present gates first, then others: all that differ in one or two gates, a few at most."""
    gates = {
        one.id: scenario.opened.get(one.id, one.open) for one in venue.shapes if one.kind is FeatureKind.GATE
    }  # fmt: skip
    choices: list[Mapping[str, bool]] = [{}]
    for size in (1, 2):
        choices += [{name: not gates[name] for name in names} for names in itertools.combinations(gates, size)]
    return choices[: 1 + GATE_CHOICES]


def setting_for(venue: VenueFile, scenario: Scenario, gates: Mapping[str, bool]) -> Setting:
    """The setting with some gates opened or closed."""
    return prepare(KEPT.get(venue, {**scenario.opened, **gates}, scenario.widths_m), scenario)


class Settings:
    """The settings of one venue and scenario by open and closed gates, each worked out once."""

    def __init__(self, venue: VenueFile, scenario: Scenario) -> None:
        self._venue, self._scenario = venue, scenario
        self._made: dict[tuple[tuple[str, bool], ...], Setting] = {}

    def __call__(self, gates: Mapping[str, bool]) -> Setting:
        key = tuple(sorted(gates.items()))
        if key not in self._made:
            self._made[key] = setting_for(self._venue, self._scenario, gates)
        return self._made[key]


class JupedsimVerifier:
    """Runs JuPedSim in so many processes; ends a run when 92 % are out, since only t90 is asked."""

    def __init__(self, processes: int, step_s: float = REFERENCE_STEP_S) -> None:
        self._processes, self._step_s = processes, step_s
        self._pool: Pool | None = None

    def start(self) -> None:
        """Start the processes."""
        if self._pool is None:
            self._pool = Pool(self._processes)

    def run(self, setting: Setting, plan: Plan, seed: int) -> Run:
        """Start one run."""
        self.start()
        if self._pool is None:
            raise InvalidInput("the processes for JuPedSim did not start")
        return self._pool.submit(Task(setting.ways, setting.scenario, plan, seed, ENOUGH, self._step_s))

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def verifier_for(budget_s: float, processes: int) -> JupedsimVerifier | None:
    """What verifies plans within so many seconds; None where they do not suffice.

    In a hurry JuPedSim takes longer steps, and a core is left to the search.
    """
    if budget_s < LEAST_VERIFIED_S:
        return None
    if budget_s >= HURRIED_S:
        return JupedsimVerifier(processes)
    return JupedsimVerifier(max(1, min(processes, (os.cpu_count() or 1) - 1)), QUICK_STEP_S)


def optimise_files(
    venue: VenueFile,
    scenario: Scenario,
    *,
    budget_s: float,
    verify: bool = True,
    jobs: int = 2,
    seed: int = 1,
    compliance: bool = False,
) -> dict[str, Any]:
    """The last proposal as a document. Raises `InvalidInput`."""
    scenario = scenario.model_copy(update={"plan": None})
    last: Proposal | None = None
    settings = Settings(venue, scenario)
    verifier = verifier_for(budget_s, jobs) if verify else None
    try:
        for proposal in optimise(
            settings, budget_s=budget_s, gates=gate_choices(venue, scenario), verify=verifier, seed=seed
        ):
            last = proposal
    finally:
        if verifier is not None:
            verifier.close()
    if last is None:
        raise InvalidInput("the time was too short for any plan", hint="give a larger budget")
    document: dict[str, Any] = proposal_document(last, settings({}))
    if compliance and last.plans:
        document["compliance"] = compliance_curve(venue, scenario, last.best.plan)
    return document


def compliance_curve(venue: VenueFile, scenario: Scenario, plan: Plan) -> list[dict[str, float]]:
    """t90 and exposure of a plan relative to nearest exits, for shares of people who follow it."""
    rows = []
    for level in COMPLIANCES:
        people = scenario.people.model_copy(update={"compliance": Distribution(kind="constant", middle=level)})
        setting = setting_for(venue, scenario.model_copy(update={"people": people}), plan.gates)
        before = setting_for(venue, scenario.model_copy(update={"people": people}), {})
        with_plan = [simulate(setting, plan=replace(plan, stewards=()), seed=seed) for seed in COMPLIANCE_SEEDS]
        without = [simulate(before, seed=seed) for seed in COMPLIANCE_SEEDS]
        t90 = float(np.mean([run.time_s(0.9) or np.inf for run in with_plan]))
        base = float(np.mean([run.time_s(0.9) or np.inf for run in without]))
        exposed = sum(run.exposure_person_s for run in with_plan)
        exposed_base = sum(run.exposure_person_s for run in without)
        rows.append(
            {
                "compliance": level,
                "t90_s": round(t90, 1),
                "gain_t90": round(1 - t90 / base, 4),
                "gain_exposure": round(1 - exposed / exposed_base, 4) if exposed_base > 0 else 0.0,
            }
        )
    return rows
