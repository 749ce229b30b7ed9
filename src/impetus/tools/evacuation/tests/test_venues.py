"""Protects: a venue that cannot be right is refused with a message that names the feature; a sound one is projected to
metres, repaired where that is safe, and keeps its exits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.evacuation.checking import check_venue
from impetus.tools.evacuation.features import parse_features
from impetus.tools.evacuation.ground import make_ground
from impetus.tools.evacuation.running import find_venue, shipped
from impetus.tools.evacuation.tests.sites import collection, degrees, feature, line, rectangle, two_doors, written


def swapped(content: Any) -> Any:
    """The same with latitude first."""
    if isinstance(content, dict):
        return {key: swapped(value) for key, value in content.items()}
    if isinstance(content, list) and len(content) == 2 and all(isinstance(value, float) for value in content):
        return content[::-1]
    return [swapped(one) for one in content] if isinstance(content, list) else content


def bow_tie() -> dict[str, Any]:
    """A polygon that crosses itself."""
    corners = [(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0), (0.0, 0.0)]
    return {"type": "Polygon", "coordinates": [[degrees(corner) for corner in corners]]}


EXIT = feature("door", "exit", line((20, 4), (20, 8)))
ROOM = feature("room", "walkable", rectangle(0, 0, 20, 12))
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "crosses itself": (collection(feature("tie", "walkable", bow_tie()), EXIT), "walkable 'tie' crosses itself"),
    "in two parts": (
        collection(ROOM, feature("far", "walkable", rectangle(40, 0, 60, 12)), EXIT),
        "walkable 'far' is cut off",
    ),
    "empty": (collection(), "it has no features"),
    "nothing to walk on": (collection(EXIT), "no walkable area"),
    "no exit": (collection(ROOM), "no exit"),
    "as large as a planet": (
        collection(
            feature("world", "walkable", {"type": "Polygon", "coordinates": [
                [[-170.0, -80.0], [170.0, -80.0], [170.0, 80.0], [-170.0, 80.0], [-170.0, -80.0]]]}), EXIT),
        "walkable 'world' is",
    ),
    "exit of zero width": (
        collection(ROOM, feature("slit", "exit", line((20, 4), (20, 8)), width_m=0)),
        "exit 'slit' has a width of 0 m",
    ),
    "exit without length": (collection(ROOM, feature("dot", "exit", line((20, 4), (20, 4)))), "exit 'dot'"),
    "exit far away": (collection(ROOM, feature("lost", "exit", line((80, 4), (80, 8)))), "exit 'lost' lies"),
    "all exits closed": (
        collection(ROOM, feature("door", "exit", line((20, 4), (20, 8)), open=False)),
        "all exits are closed",
    ),
    "not degrees": (
        collection(feature("metres", "walkable", {"type": "Polygon", "coordinates": [
            [[0.0, 0.0], [500.0, 0.0], [500.0, 400.0], [0.0, 0.0]]]}), EXIT),
        "walkable 'metres' has the position",
    ),
    "latitude first": (swapped(collection(ROOM, EXIT)), "latitude seems to come first"),
    "unknown kind": (collection(ROOM, EXIT, feature("x", "dragon", line((0, 0), (1, 1)))), "feature 'x'"),
    "buried": (collection(ROOM, EXIT, feature("slab", "obstacle", rectangle(-5, -5, 30, 30))), "nothing is left"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_by_name(name: str) -> None:
    content, said = WRONG[name]
    with pytest.raises(InvalidInput) as refused:
        make_ground(parse_features(content))
    assert said in str(refused.value)


def test_one_feature_with_latitude_first_is_named() -> None:
    content = collection(ROOM, swapped(EXIT))
    with pytest.raises(InvalidInput, match=r"exit 'door'.*swapped"):
        make_ground(parse_features(content))


@pytest.mark.parametrize("name", list(shipped()))
def test_the_shipped_venues_are_sound(name: str) -> None:
    found = check_venue(find_venue(name))
    assert found["valid"] is True
    assert len(found["exits"]) >= 5
    assert not any("cannot be reached" in remark for remark in found["remarks"])


def test_widths_in_metres_survive_the_projection() -> None:
    ground = make_ground(parse_features(two_doors()))
    assert ground.exit("west").width_m == pytest.approx(1.0, abs=0.01)
    assert ground.exit("east").width_m == pytest.approx(4.0, abs=0.01)
    assert ground.inner.area == pytest.approx(240.0, rel=0.001)


def test_a_narrower_width_narrows_the_line() -> None:
    assert make_ground(parse_features(two_doors(width_m=0.8))).exit("west").width_m == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(
    "door",
    [
        feature("door", "exit", {"type": "Point", "coordinates": degrees((20, 6))}, width=4),
        feature("door", "exit", rectangle(20, 4, 22, 8)),
        feature("door", "exit", rectangle(18, 4, 20, 8)),
        feature("door", "exit", line((20.5, 4), (20.5, 8))),
        feature("door", "exit", line((19.5, 4), (19.5, 8))),
    ],
    ids=["a point with a width", "a polygon outside", "a polygon inside", "a line outside", "a line inside"],
)
def test_an_exit_may_be_drawn_in_several_ways(door: dict[str, Any]) -> None:
    ground = make_ground(parse_features(collection(ROOM, door)))
    assert 3.5 <= ground.exit("door").width_m <= 8.5
    assert ground.area.is_valid


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "geometry", "kind"]), inner),
    max_leaves=8,
)
some_features = st.fixed_dictionaries(
    {
        "type": st.just("Feature"),
        "geometry": st.fixed_dictionaries(
            {
                "type": st.sampled_from(["Polygon", "LineString", "Point", "MultiPolygon", "Circle"]),
                "coordinates": st.lists(st.lists(st.floats(-190, 190), max_size=3), max_size=5) | json_values,
            }
        ),
        "properties": st.dictionaries(st.sampled_from(["kind", "width", "open", "capacity", "people"]), json_values),
    }
)


@given(st.lists(some_features | json_values, max_size=4))
@settings(max_examples=150, deadline=None)
def test_hostile_features_are_refused_and_never_crash(features: list[Any]) -> None:
    try:
        make_ground(parse_features({"type": "FeatureCollection", "features": features}))
    except InvalidInput:
        return


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    for content in ("", "{", "[]", json.dumps({"type": "Feature"}), "[" * 5_000):
        with pytest.raises(InvalidInput):
            find_venue(written(tmp_path, content))
    with pytest.raises(InvalidInput):
        find_venue(str(tmp_path / "none.geojson"))
