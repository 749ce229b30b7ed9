"""Protects: scenarios are read as planners and other programs naturally write them; what is wrong is named; a crowd is
the same for the same seed and fits onto the ground."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.evacuation.features import parse_features
from impetus.tools.evacuation.populate import populate
from impetus.tools.evacuation.running import make_setting
from impetus.tools.evacuation.scenario import Scenario, make_scenario, parse_scenario
from impetus.tools.evacuation.tests.sites import degrees, rectangle, two_doors


def crowd_of(text: str, seed: int = 1):  # type: ignore[no-untyped-def]
    setting, _ = make_setting(parse_features(two_doors()), parse_scenario(text))
    return populate(setting.ways.ground, setting.scenario, seed)


@pytest.mark.parametrize(
    "text",
    [
        "people: 50",
        "people: {count: 50}",
        "agents: 50",
        "n_agents: 50",
        "population: {number: 50}",
        "crowd: {zones: {left-half: 50}}",
        "people: {left-half: 50}",
        "people: [{zone: left-half, count: 50}]",
        "people: {groups: [{zone: left-half, count: 20}, {count: 30}]}",
        "people: {count: 50, groups: [{share: 0.3, speed: 0.8}, {share: 0.7}]}",
        "zones: [{id: left-half, people: 50}]",
        '{"people": {"count": 50}, "seed": 3}',
    ],
)
def test_fifty_people_in_many_words(text: str) -> None:
    assert len(crowd_of(text)) == 50


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("people: {count: 200, speed: 1.2}", 1.2, 1.2),
        ("people: {count: 200, speed_mps: [0.8, 1.0]}", 0.8, 1.0),
        ("people: {count: 200, desired_speed: {mean: 1.3, std: 0.1, min: 1.0, max: 1.6}}", 1.0, 1.6),
        ("people: {count: 200, walking_speed: {distribution: uniform, min: 1, max: 1.5}}", 1.0, 1.5),
        ("people: 200\nv0: 1.1", 1.1, 1.1),
    ],
)
def test_speeds_in_many_words(text: str, low: float, high: float) -> None:
    crowd = crowd_of(text)
    assert low - 1e-9 <= crowd.free_mps.min()
    assert crowd.free_mps.max() <= high + 1e-9


def test_premovement_is_drawn_from_a_lognormal() -> None:
    crowd = crowd_of("people: {count: 400, premovement_s: {distribution: lognormal, median: 20, sigma: 0.5}}")
    assert np.median(crowd.start_s) == pytest.approx(20.0, rel=0.15)


def test_positions_are_taken_as_given() -> None:
    crowd = crowd_of(f"agents: [{{position: {degrees((3.0, 4.0))}, speed: 1.0}}]")
    setting, _ = make_setting(parse_features(two_doors()), make_scenario({"people": 1}))
    assert (crowd.x[0], crowd.y[0]) == pytest.approx(setting.ways.ground.to_metres(*degrees((3.0, 4.0))), abs=0.01)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people: {count: 50000}", "do not fit into the venue: it holds 1,4"),
        ("people: {zones: {cellar: 5}}", "no zone 'cellar'"),
        ("people: {count: -5}", "people.count"),
        ("people: {count: 50, speed: quick}", "speed_mps"),
        ("peeple: 50", "peeple"),
        ("{}", "no people"),
        ("people: 5\nclosed_exits: [west, east]", "all exits are closed"),
        ("people: 5\nclosed_exits: [north]", "no exit or gate 'north'"),
        ("people: 5\nthreat: {kind: gunman}", "no place"),
        ("people: 5\nthreat: {kind: gunman, at: [13.5, 44.9]}", "outside of the venue"),
        ("people: 5\nthreat: {kind: gunman, at: [44.9, 12.9]}", "swapped"),
        ("people: 5\nthreat: {kind: dragon, at: [12.9, 44.9]}", "threat.kind"),
        ("people: {groups: [{count: 3, exit: west}]}\nclosed_exits: [west]", "exit 'west', which is closed"),
        ("- 1\n- 2", "no mapping"),
        ("a: &a [1]\nb: *a", "references"),
        ("people: 5\nplan: {closed: [west, east]}", "closes all exits"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        crowd_of(text)
    assert said in str(refused.value)


def test_a_crowd_in_a_closed_exit_is_named() -> None:
    content = two_doors()
    content["features"].append(
        {"type": "Feature", "id": "doorway", "geometry": rectangle(20.2, 4, 21, 8), "properties": {"kind": "zone"}}
    )
    setting, _ = make_setting(parse_features(content), make_scenario({"people": {"zones": {"doorway": 2}}}))
    with pytest.raises(InvalidInput):
        populate(setting.ways.ground, setting.scenario, 1)
    wanted = make_scenario({"people": {"zones": {"doorway": 2}}, "closed_exits": ["east"]})
    with pytest.raises(InvalidInput, match=r"doorway"):
        make_setting(parse_features(content), wanted)


def test_a_scenario_is_the_same_when_it_is_read_again() -> None:
    first = parse_scenario("people: {count: 5, premovement: [1, 9]}\nthreat: {type: shooter, at: [12.9, 44.9]}")
    assert Scenario.model_validate(first.model_dump(mode="json", exclude_defaults=True)) == first


def test_counts_with_uncertainty_differ_from_seed_to_seed() -> None:
    counts = {len(crowd_of("people: {count: 100, uncertainty: 0.2}", seed)) for seed in range(1, 6)}
    assert len(counts) > 2


words = st.sampled_from(
    ["people", "threat", "exits", "plan", "zones", "groups", "count", "at", "kind", "speed", "seed", "avoid", "age"]
)
values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(words, values, max_size=4))
@settings(max_examples=200, deadline=None)
def test_hostile_scenarios_are_refused_and_never_crash(content: dict[str, Any]) -> None:
    try:
        make_scenario(content)
    except InvalidInput:
        return
