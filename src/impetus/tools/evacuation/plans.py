"""A plan: how much longer each exit's way counts, what is closed and opened, and where stewards stand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.evacuation.arrays import Booleans, Floats, Integers
from impetus.tools.evacuation.fields import FAR
from impetus.tools.evacuation.people import Crowd
from impetus.tools.evacuation.scenario import PlanGiven, Scenario
from impetus.tools.evacuation.ways import Ways

PACE_MPS = 1.34
STEWARD_REACH_M = 25.0
STEWARD_COMPLIANCE = 0.9
"""Share of those near a steward who do as told."""


@dataclass(frozen=True)
class Plan:
    """Who is sent where: each person takes the exit with the least way time plus offset."""

    name: str = "nearest exit"
    offsets_s: Mapping[str, float] = field(default_factory=dict)
    """By exit, in seconds; infinite for an exit that is closed."""
    gates: Mapping[str, bool] = field(default_factory=dict)
    """Gates that it opens or closes."""
    stewards: tuple[str, ...] = ()
    zones: Mapping[str, str] = field(default_factory=dict)
    responder_entry: str | None = None

    @property
    def directs(self) -> bool:
        """Whether it tells anybody where to go; nearest exits do not."""
        return bool(self.offsets_s or self.zones)

    def as_document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "name": self.name,
            "offsets_s": {
                door: round(value, 1) for door, value in self.offsets_s.items() if math.isfinite(value) and value
            },
            "closed": sorted(door for door, value in self.offsets_s.items() if not math.isfinite(value)),
            "gates": dict(self.gates),
            "stewards": list(self.stewards),
            "zones": dict(self.zones),
            "responder_entry": self.responder_entry,
        }


def given_plan(given: PlanGiven, ways: Ways) -> Plan:
    """A scenario's plan. Raises `InvalidInput` for exits, gates, zones and entries that there are not."""
    ground = ways.ground
    gates = {gate.id for gate in ground.gates}
    zones = {zone.id for zone in ground.zones}
    offsets = dict(given.offsets_s)
    for name in [*offsets, *given.zones.values()]:
        ground.exit(name)
    closed = []
    for name in given.closed:
        if name not in gates:
            ground.exit(name)
            offsets[name] = math.inf
            closed.append(name)
    for name in [*given.stewards, *given.zones]:
        if name not in zones | gates | {one.id for one in ground.exits}:
            raise InvalidInput(f"the plan names {name[:60]!r}, which is no zone, gate or exit of the venue")
    if given.responder_entry is not None and given.responder_entry not in ground.entries:
        raise InvalidInput(f"there is no responder entry {given.responder_entry[:60]!r}")
    if set(ways.exits) <= set(closed):
        raise InvalidInput("the plan closes all exits: nobody can get out", hint="leave at least one open")
    return Plan(
        name="plan of the scenario",
        offsets_s=offsets,
        gates={name: name in given.opened for name in (*given.opened, *given.closed) if name in gates},
        stewards=given.stewards,
        zones=dict(given.zones),
        responder_entry=given.responder_entry,
    )


def offsets_of(plan: Plan, ways: Ways) -> Floats:
    """(exits,): seconds, in the order of the ways' exits."""
    return np.array([plan.offsets_s.get(door, 0.0) for door in ways.exits])


def complying(crowd: Crowd, plan: Plan, ways: Ways) -> Booleans:
    """Who follows the plan; near stewards more people do."""
    comply = crowd.comply.copy()
    for name in plan.stewards:
        x, y = place_of(ways, name)
        near = np.hypot(crowd.x - x, crowd.y - y) < STEWARD_REACH_M
        comply |= near & (crowd.comply_draw < STEWARD_COMPLIANCE)
    return comply


def place_of(ways: Ways, name: str) -> tuple[float, float]:
    """Middle of a zone, a gate or an exit."""
    ground = ways.ground
    for zone in ground.zones:
        if zone.id == name:
            return zone.area.centroid.x, zone.area.centroid.y
    for gate in ground.gates:
        if gate.id == name:
            return gate.geometry.centroid.x, gate.geometry.centroid.y
    middle = ground.exit(name).line.centroid
    return middle.x, middle.y


def own_choice(crowd: Crowd, distance: Floats, ways: Ways, scenario: Scenario, shut: Booleans) -> Integers:
    """The exit that each one would take untold: the nearest that they know. -1 where no way leads out."""
    distance = np.where(shut[None, :], FAR, distance)
    chosen: Integers = np.argmin(distance, axis=1).astype(np.int64)
    if not crowd.familiar.all():
        mains = [number for number, door in enumerate(ways.exits) if door in scenario.people.main_exits]
        for name in scenario.people.main_exits:
            ways.ground.exit(name)
        mains = mains or [int(np.argmax(np.where(shut, 0.0, ways.widths_m)))]
        known = np.full_like(distance, FAR)
        known[:, mains] = distance[:, mains]
        reachable = known.min(axis=1) < FAR
        stranger = ~crowd.familiar & reachable
        chosen[stranger] = np.argmin(known, axis=1)[stranger]
    fixed = (crowd.preferred >= 0) & ~shut[np.maximum(crowd.preferred, 0)]
    chosen[fixed] = crowd.preferred[fixed]
    chosen[distance[np.arange(len(chosen)), chosen] >= FAR] = -1
    return chosen


def choose(crowd: Crowd, distance: Floats, ways: Ways, scenario: Scenario, plan: Plan, comply: Booleans) -> Integers:
    """The exit that each one takes under a plan (people,), -1 where no way leads out.

    `distance` (people, exits) is in metres of way.
    """
    offsets = offsets_of(plan, ways)
    shut = ~np.isfinite(offsets)
    chosen = own_choice(crowd, distance, ways, scenario, shut)
    if not plan.directs:
        return chosen
    told = np.where(shut[None, :], FAR, distance / PACE_MPS + np.where(shut, 0.0, offsets)[None, :])
    told[distance >= FAR] = FAR
    directed = np.argmin(told, axis=1).astype(np.int64)
    numbers = {door: number for number, door in enumerate(ways.exits)}
    for zone_number, zone in enumerate(ways.ground.zones):
        door = plan.zones.get(zone.id)
        if door in numbers:
            here = crowd.zone == zone_number
            directed[here & (told[:, numbers[door]] < FAR)] = numbers[door]
    moved = comply & (told[np.arange(len(directed)), directed] < FAR) & (crowd.preferred < 0)
    made: Integers = np.where(moved, directed, chosen)
    return made
