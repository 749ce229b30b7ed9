"""The committed base map is what the command draws, and it is a map: bounded, named, in order of painting."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shapely.geometry import Point, shape

from impetus.exercise.base_map import FILE, OPEN_SPACE, base_map, write_base_map
from impetus.exercise.events import RELEASE_SITES
from impetus.exercise.geography import to_degrees

KINDS = {
    "water": 1,
    "park": 8,
    "block": 300,
    "road-minor": 10,
    "building": 10,
    "square": 5,
    "rail": 2,
    "road-major": 15,
    "district": 12,
}
"""Kinds of features in the order of painting, and how many there are at least."""


def positions(coordinates: Any) -> Iterator[tuple[float, float]]:
    if isinstance(coordinates[0], int | float):
        yield coordinates[0], coordinates[1]
    else:
        for part in coordinates:
            yield from positions(part)


def test_the_command_draws_the_committed_map_again(tmp_path: Path) -> None:
    file = tmp_path / "again.geojson"
    write_base_map(file)
    assert file.read_text() == FILE.read_text(), "run `impetus exercise base-map` and commit the file"
    assert (tmp_path / OPEN_SPACE.name).read_text() == OPEN_SPACE.read_text(), "commit this one, too"


def test_releases_happen_where_somebody_can_stand() -> None:
    (outside,) = json.loads(OPEN_SPACE.read_text())["features"]
    space = shape(outside["geometry"])
    assert space.is_valid
    assert all(space.contains(Point(*to_degrees(position))) for _, position in RELEASE_SITES)
    assert not any(
        space.contains(shape(feature["geometry"]).representative_point())
        for feature in base_map()["features"]
        if feature["properties"]["kind"] in ("building", "water")
    )


def test_it_has_everything_that_a_city_map_has_and_is_small() -> None:
    features = base_map()["features"]
    kinds = [feature["properties"]["kind"] for feature in features]
    assert list(dict.fromkeys(kinds)) == list(KINDS)
    counts = Counter(kinds)
    assert all(counts[kind] >= least for kind, least in KINDS.items())
    assert 300 <= len(features) <= 900
    assert FILE.stat().st_size < 600_000
    named = {
        feature["properties"]["name"]
        for feature in features
        if feature["properties"]["kind"] != "block" and "name" in feature["properties"]
    }
    assert {"Market Square", "City Hall Square", "Outer Ring", "Old Town", "Castle Hill"} <= named


def test_it_lies_where_no_real_city_is_and_its_shapes_are_valid() -> None:
    for feature in base_map()["features"]:
        geometry = shape(feature["geometry"])
        assert not geometry.is_empty
        if feature["properties"]["kind"] in ("block", "square", "park"):
            assert geometry.is_valid
        for longitude, latitude in positions(feature["geometry"]["coordinates"]):
            assert 12.8 < longitude < 13.0
            assert 44.84 < latitude < 44.96
            assert round(longitude, 6) == longitude
