"""From files to results: a venue, a scenario and the name of a model in, an outcome out."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from impetus.model import InvalidInput
from impetus.tools.evacuation.features import VenueFile
from impetus.tools.evacuation.ground import make_ground
from impetus.tools.evacuation.importing import read_venue
from impetus.tools.evacuation.jupedsim_model import simulate_jupedsim
from impetus.tools.evacuation.outcome import Outcome
from impetus.tools.evacuation.plans import Plan, given_plan
from impetus.tools.evacuation.queueing import simulate_queue
from impetus.tools.evacuation.scenario import Scenario
from impetus.tools.evacuation.simulation import Setting, prepare, simulate
from impetus.tools.evacuation.ways import Ways, make_ways

ModelName = Literal["fast", "jupedsim", "queue"]
VENUES = Path(__file__).parent / "venues"
KEPT_WAYS = 4


def find_venue(name: str) -> VenueFile:
    """A venue's file, or one of the shipped ones by its name. Raises `InvalidInput`."""
    if not Path(name).exists() and (VENUES / f"{name}.geojson").is_file():
        return read_venue(VENUES / f"{name}.geojson")
    return read_venue(name)


def shipped() -> Mapping[str, Path]:
    """The venues that come with the tool, by id."""
    return {path.stem: path for path in sorted(VENUES.glob("*.geojson"))}


class WaysKept:
    """Ways that were worked out, by what they were worked out from: a few of the newest."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Ways] = OrderedDict()

    def get(self, venue: VenueFile, opened: Mapping[str, bool], widths_m: Mapping[str, float]) -> Ways:
        """The ways of a venue with some exits and gates opened or closed."""
        shapes = [
            (
                one.id,
                one.name,
                one.kind.value,
                one.geometry.wkb_hex,
                one.open,
                one.width_m,
                one.capacity,
                one.people,
                one.speed_factor,
            )
            for one in venue.shapes
        ]
        text = json.dumps([venue.id, shapes, sorted(opened.items()), sorted(widths_m.items())])
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self._kept:
            self._kept[key] = make_ways(make_ground(venue, opened=opened, widths_m=widths_m))
            while len(self._kept) > KEPT_WAYS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


KEPT = WaysKept()


def make_setting(venue: VenueFile, scenario: Scenario) -> tuple[Setting, Plan]:
    """Everything for a run, and the plan that the scenario gives (nearest exits without one). Raises `InvalidInput`."""
    opened = dict(scenario.opened)
    if scenario.plan is not None:
        gates = {one.id for one in venue.shapes if one.kind.value == "gate"}
        opened |= dict.fromkeys(scenario.plan.opened, True)
        opened |= {name: False for name in scenario.plan.closed if name in gates}
    ways = KEPT.get(venue, opened, scenario.widths_m)
    plan = given_plan(scenario.plan, ways) if scenario.plan is not None else Plan()
    return prepare(ways, scenario), plan


def run(setting: Setting, plan: Plan, model: str, seed: int, *, record: bool = False) -> Outcome:
    """One run. Raises `InvalidInput` for an unknown model, and what the model raises."""
    if model == "fast":
        return simulate(setting, plan=plan, seed=seed, record=record)
    if model == "jupedsim":
        return simulate_jupedsim(setting, plan=plan, seed=seed, record=record)
    if model == "queue":
        return simulate_queue(setting, plan=plan, seed=seed)
    raise InvalidInput(f"there is no model {model[:40]!r}", hint="known are fast, jupedsim and queue")
