"""The sensors of the demo city stand where they would stand and are described as real ones would be."""

from __future__ import annotations

from collections import Counter

from shapely import Point, unary_union
from shapely.geometry import shape

from impetus.exercise.base_map import base_map
from impetus.exercise.city import PROPERTIES, datastreams, load_datastreams, sensors, sites


def test_there_are_about_130_with_names_of_their_own() -> None:
    found = datastreams()
    assert 110 <= len(found) <= 150
    assert len({datastream.id for datastream in found}) == len(found)
    assert len({datastream.name for datastream in found}) == len(found)
    counts = Counter(datastream.observed_property for datastream in found)
    assert set(counts) == set(PROPERTIES)
    assert counts["traffic-flow"] >= 20


def test_each_says_what_real_values_are_and_how_often_they_come() -> None:
    for datastream in datastreams():
        assert datastream.unit == PROPERTIES[datastream.observed_property].unit
        assert datastream.interval_s is not None
        assert 2 <= datastream.interval_s <= 5
        assert datastream.lowest is not None
        assert datastream.highest is not None
        assert datastream.lowest < datastream.highest
        assert datastream.place is not None


def test_only_gauges_and_what_stands_on_moles_and_bridges_is_in_the_water() -> None:
    water = unary_union(
        [shape(each["geometry"]) for each in base_map()["features"] if each["properties"]["kind"] == "water"]
    )
    for sensor in sensors().values():
        assert sensor.datastream.place is not None
        if water.contains(Point(sensor.datastream.place.centre)):
            assert sensor.property.id == "water-level" or "Bridge" in sensor.site, sensor.datastream.id


def test_a_square_has_several_sensors_for_an_event_to_strike() -> None:
    kinds = {sensor.property.id for sensor in sites()["Market Square"]}
    assert {"people-count", "sound-level"} <= kinds


def test_load_test_datastreams_are_always_the_same() -> None:
    assert load_datastreams(500) == load_datastreams(1_000)[:500]
    assert len({datastream.id for datastream in load_datastreams(2_000)}) == 2_000
