"""Variants of a scenario, made from a seed."""

from __future__ import annotations

import random

from impetus.exercise.scenario import Inject, Scenario


def variant(scenario: Scenario, seed: int) -> Scenario:
    """The scenario with other times, so that it is not learnt by heart; the same seed gives the same variant.

    Injects move by up to a minute either way and keep their order; some that are optional are left out, with what is
    true only through them. Seed 0 is the scenario as it is written.
    """
    if seed == 0:
        return scenario
    chance = random.Random(f"{scenario.id} {seed}")  # noqa: S311 (a reproducible exercise, no secret)
    injects: list[Inject] = []
    last = 0.0
    for inject in scenario.injects:
        if inject.optional and chance.random() < 0.5:
            continue
        last = min(max(last, inject.at + chance.uniform(-60, 60)), scenario.minutes * 60)
        injects.append(inject.model_copy(update={"at": round(last, 1)}))
    kept = {inject.id for inject in injects}
    truths = tuple(truth for truth in scenario.truths if truth.inject in kept)
    true = {truth.id for truth in truths}
    objectives = tuple(one for one in scenario.objectives if one.truth is None or one.truth in true)
    return scenario.model_copy(
        update={"injects": tuple(injects), "truths": truths, "objectives": objectives, "seed": scenario.seed + seed}
    )
