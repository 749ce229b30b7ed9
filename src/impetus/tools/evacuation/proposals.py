"""Proposals as JSON: for the command line, the page and the tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from impetus.tools.evacuation.optimiser import Judged, Proposal, pareto, tied
from impetus.tools.evacuation.plans import Plan
from impetus.tools.evacuation.simulation import Setting

SHOWN = 8


def proposal_document(proposal: Proposal, setting: Setting, *, most: int = SHOWN) -> dict[str, object]:
    """What `impetus evacuation optimise --json` prints."""
    plans = list(proposal.plans)[:most]
    front = pareto([proposal.baseline, *plans])
    best = proposal.best if proposal.plans else proposal.baseline
    return {
        "stage": proposal.stage,
        "elapsed_s": round(proposal.elapsed_s, 1),
        "bound_t90_s": _number(proposal.bound_t90_s),
        "baseline": judged_document(proposal.baseline, proposal.baseline, setting, on_front=front[0], tie=False),
        "plans": [
            judged_document(one, proposal.baseline, setting, on_front=on_front, tie=one is not best and tied(one, best))
            for one, on_front in zip(plans, front[1:], strict=True)
        ],
        "recommended": 0 if plans else None,
    }


def judged_document(
    judged: Judged, baseline: Judged, setting: Setting, *, on_front: bool, tie: bool
) -> dict[str, object]:
    """One plan with its figures."""
    runs = list(judged.runs.values())
    made: dict[str, object] = {
        **judged.plan.as_document(),
        "advice": list(advice(judged, setting)),
        "t90_s": _number(judged.mean("t90_s")),
        "t90_cvar90_s": _number(judged.tail("t90_s")),
        "exposure_person_s": _number(judged.mean("exposure_person_s")),
        "dense_person_s": _number(judged.mean("dense_person_s")),
        "max_density_pm2": round(max(run.max_density_pm2 for run in runs), 2) if runs else None,
        "stuck": max(run.stuck for run in runs) if runs else None,
        "exits": expected_at_exits([run.exits for run in runs]),
        "runs": len(runs),
        "gain_t90": _gain(judged.mean("t90_s"), baseline.mean("t90_s")),
        "gain_exposure": _gain(judged.mean("exposure_person_s"), baseline.mean("exposure_person_s")),
        "on_front": on_front,
        "tie": tie,
    }
    if judged.verified:
        compared = {
            name: _gain(judged.mean(name, verified=True), baseline.mean(name, verified=True))
            for name in ("t90_s", "exposure_person_s")
            if baseline.verified
        }
        made["verified"] = {
            "model": "jupedsim",
            "runs": len(judged.verified),
            "t90_s": _number(judged.mean("t90_s", verified=True)),
            "exposure_person_s": _number(judged.mean("exposure_person_s", verified=True)),
            "stuck": max(run.stuck for run in judged.verified.values()),
            "gain_t90": compared.get("t90_s"),
            "gain_exposure": compared.get("exposure_person_s"),
            "notes": sorted({note for run in judged.verified.values() for note in run.notes})[:5],
        }
    return made


def expected_at_exits(runs: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """How many leave at each exit, on the average of the runs, as the times are: a single crowd of an uncertain count
    may be half as large as is expected.

    >>> expected_at_exits([{"north": 40, "south": 60}, {"north": 20, "south": 30, "gate": 10}])
    {'north': 30, 'south': 45, 'gate': 5}
    """
    doors = dict.fromkeys(door for run in runs for door in run)
    return {door: round(sum(run.get(door, 0) for run in runs) / len(runs)) for door in doors}


def advice(judged: Judged, setting: Setting) -> Sequence[str]:
    """What the plan asks people on the ground to do, in plain words."""
    plan, ground = judged.plan, setting.ways.ground
    names = {one.id: one.name for one in ground.exits}
    lines = []
    used = sorted(
        (value, door) for door, value in plan.offsets_s.items() if math.isfinite(value) and door in setting.ways.exits
    )
    if plan.directs and used:
        first = [names[door] for value, door in used if value < used[0][0] + 15.0]
        later = [names[door] for value, door in used if value >= used[0][0] + 15.0]
        lines.append(f"Send people first to {_listed(first)}.")
        if later:
            lines.append(f"Use {_listed(later)} only for those who stand close to it.")
    shut = [name for door, name in names.items() if setting.scenario.opened.get(door) is False]
    shut += [names.get(door, door) for door, value in plan.offsets_s.items() if not math.isfinite(value)]
    if shut:
        lines.append(f"Close {_listed(shut)} to the crowd.")
    titles = {zone.id: zone.name for zone in ground.zones} | {gate.id: gate.name for gate in ground.gates}
    present = {gate.id: gate.open for gate in ground.gates}
    for gate, open_ in plan.gates.items():
        if present.get(gate) != open_:
            lines.append(f"{'Open' if open_ else 'Close'} {titles.get(gate, gate)}.")
    if plan.stewards:
        lines.append(f"Stewards to {_listed([titles.get(name, name) for name in plan.stewards])}.")
    if plan.responder_entry is not None:
        lines.append(f"Responders enter at {plan.responder_entry}.")
    if not plan.directs:
        lines.append("Everybody takes the nearest exit.")
    return lines


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 1)


def _gain(value: float, before: float) -> float | None:
    if not (math.isfinite(value) and math.isfinite(before)) or before <= 0:
        return None
    return round(1.0 - value / before, 4)


def plan_of(document: Mapping[str, Any]) -> Plan:
    """A plan from its document."""
    offsets = {str(door): float(value) for door, value in dict(document.get("offsets_s", {})).items()}
    for door in document.get("closed", []):
        offsets[str(door)] = float("inf")
    if not offsets:
        offsets = dict.fromkeys(map(str, document.get("exits", {})), 0.0)
    return Plan(
        name=str(document.get("name", "")),
        offsets_s=offsets,
        gates={str(gate): bool(value) for gate, value in dict(document.get("gates", {})).items()},
        stewards=tuple(str(name) for name in document.get("stewards", [])),
        zones={str(zone): str(door) for zone, door in dict(document.get("zones", {})).items()},
        responder_entry=document.get("responder_entry"),
    )
