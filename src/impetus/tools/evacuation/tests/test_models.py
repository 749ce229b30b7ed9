"""Protects: people get out through doors as fast as experiments say, by the exits that they should, and never through
walls; the models agree; what cannot get out is counted as stuck; exposure and density are what they are said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from impetus.model import InvalidInput
from impetus.tools.evacuation.cli import app
from impetus.tools.evacuation.features import parse_features
from impetus.tools.evacuation.optimiser import optimise
from impetus.tools.evacuation.planning import setting_for
from impetus.tools.evacuation.plans import Plan
from impetus.tools.evacuation.playback import GONE, encode
from impetus.tools.evacuation.running import find_venue, make_setting, run
from impetus.tools.evacuation.scenario import make_scenario
from impetus.tools.evacuation.simulation import simulate
from impetus.tools.evacuation.tests.sites import collection, degrees, feature, line, rectangle, two_doors, written
from impetus.tools.evacuation.verification import TESTS, door_flow, room_with_door, simulated, venue

runner = CliRunner()
KEYS = ["t50_s", "t90_s", "t95_s", "evacuated", "stuck", "exits", "max_density_pm2", "exposure_person_s"]


@pytest.mark.parametrize(
    "test", [test for test in TESTS if "4 m" not in test.id and "counterflow" not in test.id], ids=lambda test: test.id
)
def test_verification(test: Any) -> None:
    found, held = test.check("fast")
    assert held, f"{found}; asked {test.asked}"


def test_no_arch_of_people_holds_a_door_of_a_metre_for_ever() -> None:
    site = venue(
        ground=("walkable", rectangle(0, 0, 30, 20)),
        left=("exit", line((7.5, 0), (8.5, 0))),
        right=("exit", line((21.5, 0), (22.5, 0))),
    )
    outcome = simulated(site, "fast", seed=5, people=500)
    assert outcome.stuck == 0
    assert (outcome.time_s(0.9) or 0.0) < 220.0


def test_both_models_let_as_many_through_a_door() -> None:
    setting, plan = make_setting(room_with_door(1.2, 8.0), make_scenario({"people": 60}))
    ours, theirs = (door_flow(run(setting, plan, model, 1)) for model in ("fast", "jupedsim"))
    assert ours == pytest.approx(theirs, rel=0.15)


@pytest.mark.parametrize("model", ["fast", "queue"])
def test_the_output_has_its_exact_form(model: str, tmp_path: Path) -> None:
    venue = written(tmp_path, two_doors())
    scenario = written(tmp_path, "people: 60\n", "scenario.yaml")
    answer = runner.invoke(app, ["simulate", venue, scenario, "--model", model, "--seed", "3", "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert list(found) == KEYS
    assert found["evacuated"] == 60
    assert found["stuck"] == 0
    assert sum(found["exits"].values()) == 60
    assert set(found["exits"]) == {"west", "east"}
    assert found["t50_s"] <= found["t90_s"] <= found["t95_s"]


@pytest.mark.parametrize("arguments", [["validate"], ["simulate"], ["optimise"]])
def test_an_error_is_one_line_and_exits_with_two(arguments: list[str], tmp_path: Path) -> None:
    venue = written(tmp_path, collection(feature("room", "walkable", rectangle(0, 0, 5, 5))))
    more = [] if arguments == ["validate"] else [written(tmp_path, "people: 5\n", "scenario.yaml")]
    answer = runner.invoke(app, [*arguments, venue, *more])
    assert answer.exit_code == 2
    assert answer.stderr.startswith("Error: ")
    assert len(answer.stderr.strip().splitlines()) == 1


def test_who_has_no_way_out_is_stuck_and_not_evacuated() -> None:
    content = two_doors()
    # A wall with a hole that is too narrow for the grid to pass is still one area, but cuts the left half off.
    content["features"].append(feature("gate", "gate", line((10, -1), (10, 13)), open=True))
    venue = parse_features(content)
    setting, plan = make_setting(venue, make_scenario({"people": {"zones": {"left-half": 20}}, "duration_s": 3}))
    found = simulate(setting, plan=plan, seed=1)
    assert found.evacuated + found.stuck == 20
    assert found.stuck > 0
    assert found.time_s(1.0) is None


def test_a_gunman_sees_whom_no_wall_hides() -> None:
    content = collection(
        feature("room", "walkable", rectangle(0, 0, 40, 20)),
        feature("screen", "obstacle", rectangle(19.8, 0, 20.2, 16)),
        feature("door", "exit", line((40, 0), (40, 4))),
        feature("seen", "zone", rectangle(8, 2, 14, 8)),
        feature("hidden", "zone", rectangle(26, 2, 32, 8)),
    )
    threat = {"kind": "gunman", "at": degrees((2.0, 4.0)), "range_m": 60}
    exposures = {}
    for zone in ("seen", "hidden"):
        scenario = make_scenario({"people": {"zones": {zone: 10}, "premovement": 5}, "threat": threat})
        setting, plan = make_setting(parse_features(content), scenario)
        exposures[zone] = simulate(setting, plan=plan, seed=1).exposure_person_s
    assert exposures["hidden"] < 0.2 * exposures["seen"]
    assert exposures["seen"] >= 20


def test_a_plan_moves_only_those_who_comply() -> None:
    venue = parse_features(two_doors())
    plan = Plan("all east", {"west": 1_000.0, "east": 0.0})
    shares = []
    for compliance in (0.0, 0.5, 1.0):
        people = {"zones": {"left-half": 60}, "compliance": compliance}
        setting, _ = make_setting(venue, make_scenario({"people": people}))
        shares.append(simulate(setting, plan=plan, seed=1).exits["east"] / 60)
    assert shares[0] < shares[1] < shares[2] == 1.0


def test_the_exit_beside_a_responder_entry_is_kept_free() -> None:
    """A plan of the optimiser's that names the responders' entry sends nobody who follows it through the exit there."""
    scenario = make_scenario({"people": {"count": 200, "compliance": 1.0}})
    setting = setting_for(find_venue("market-square"), scenario, {})
    plans = [one.plan for last in optimise(lambda _: setting, budget_s=2.0) for one in last.plans]
    lanes = [plan for plan in plans if plan.responder_entry is not None]
    assert lanes
    ground = setting.ways.ground
    for plan in {plan.name: plan for plan in lanes}.values():
        entry = ground.entries[str(plan.responder_entry)]
        beside = min(ground.open_exits, key=lambda one: one.line.distance(entry)).id
        found = simulate(setting, plan=plan, seed=1)
        assert found.exits[beside] == 0
        assert found.evacuated == 200


def test_stairs_are_walked_slowly_and_gone_round_where_that_is_quicker() -> None:
    """Ground with a `speed_factor` costs time in walking and in choosing an exit; a wrong factor is named."""

    def site(**more: object) -> dict[str, Any]:
        drawn = two_doors()
        drawn["features"].append(feature("steps", "walkable", rectangle(0, 3, 3, 9), **more))
        return drawn

    people = {"zones": {"left-half": 40}}
    shares = {}
    for name, more in {"level": {}, "slow": {"speed_factor": 0.1}}.items():
        setting, plan = make_setting(parse_features(site(**more)), make_scenario({"people": people}))
        shares[name] = simulate(setting, plan=plan, seed=1).exits["west"]
    assert shares["slow"] < shares["level"]
    for wrong in ({"speed_factor": 0}, {"speed_factor": 2}, {"stairs": "sideways"}):
        with pytest.raises(InvalidInput, match="steps"):
            parse_features(site(**wrong))


def test_an_exit_takes_no_more_than_its_capacity_at_once() -> None:
    setting, plan = make_setting(
        parse_features(two_doors(capacity=5)), make_scenario({"people": {"zones": {"left-half": 40}}})
    )
    found = simulate(setting, plan=plan, seed=1)
    assert found.exits["west"] <= 8  # those already in the doorway go through
    assert found.evacuated == 40


def test_the_queue_model_is_near_the_agent_model() -> None:
    setting, plan = make_setting(room_with_door(1.2, 12.0), make_scenario({"people": 120}))
    ours, quick = run(setting, plan, "fast", 1).time_s(0.9), run(setting, plan, "queue", 1).time_s(0.9)
    assert quick == pytest.approx(ours, rel=0.25)


def test_the_optimiser_finds_the_wide_door() -> None:
    """Everybody stands near the narrow door; half of them are out much sooner by the wide one."""
    venue = parse_features(two_doors())
    scenario = make_scenario({"people": {"zones": {"left-half": 150}, "compliance": 1.0}})
    proposals = list(optimise(lambda gates: setting_for(venue, scenario, gates), budget_s=4.0))
    last = proposals[-1]
    assert proposals[0].stage == "queue"
    assert last.stage == "agents"
    assert last.best.mean("t90_s") < 0.8 * last.baseline.mean("t90_s")
    assert last.bound_t90_s is None or last.bound_t90_s <= last.best.mean("t90_s") + 1.0


def test_a_playback_says_where_everybody_was() -> None:
    import base64
    import zlib

    setting, plan = make_setting(parse_features(two_doors()), make_scenario({"people": 20}))
    outcome = simulate(setting, plan=plan, seed=1, record=True)
    head, parts = encode(outcome, setting.ways.ground)
    table = np.frombuffer(zlib.decompress(b"".join(base64.b64decode(part) for part in parts)), dtype="<i2")
    table = np.cumsum(table.reshape(int(str(head["frames"])), 2, 20), axis=0, dtype=np.int16)
    _, x, _ = outcome.frames[0]
    assert table[0, 0] * 0.1 == pytest.approx(x, abs=0.051)
    assert (table[-1] == GONE).sum() > 0
