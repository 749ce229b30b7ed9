"""Protects people from a plan that sends them out of a square into a plume."""

from __future__ import annotations

import json
from typing import Any

import pytest
import shapely
from shapely.geometry import Point as Spot
from shapely.geometry import box

from impetus.model import FeatureKind, InvalidInput, Place, Point, ToolResult
from impetus.tools.evacuation.downwind import exits_in_plume
from impetus.tools.evacuation.features import read_features
from impetus.tools.evacuation.running import shipped
from impetus.tools.evacuation.tests.test_worker import started
from impetus.tools.evacuation.threat import plume_of

VENUE = read_features(shipped()["city-hall-square"])
EXITS = {one.id: one.geometry.centroid for one in VENUE.shapes if one.kind is FeatureKind.EXIT}
EASTERN = box(12.89755, 44.8955, 12.90, 44.8990)


def content_of(*areas: Any) -> Any:
    return {
        "zones": [
            {
                "lead_s": 300.0 * place,
                "level": "level-1",
                "probability": 0.5,
                "geometry": json.loads(shapely.to_geojson(area)),
            }
            for place, area in enumerate(areas)
        ]
    }


def test_exits_in_the_likely_zone_are_down_wind_at_any_lead_time() -> None:
    inside = {id for id, spot in EXITS.items() if EASTERN.contains(spot)}
    assert inside
    assert inside < set(EXITS)
    assert set(exits_in_plume(VENUE, plume_of(content_of(EASTERN)))) == inside
    away = Spot(12.89, 44.89).buffer(1e-4)
    assert set(exits_in_plume(VENUE, plume_of(content_of(away, EASTERN)))) == inside
    assert exits_in_plume(VENUE, plume_of(content_of(away))) == []


def test_a_plume_over_all_exits_closes_none() -> None:
    everywhere = box(12.88, 44.88, 12.91, 44.91)
    assert exits_in_plume(VENUE, plume_of(content_of(everywhere))) == []
    assert exits_in_plume(VENUE, {"kind": "gunman", "at": [12.89, 44.89]}) == []
    assert exits_in_plume(VENUE, None) == []


@pytest.mark.parametrize("geometry", [{"type": "Polygon", "coordinates": [[[1, 2]]]}, {"type": "Nothing"}, {"a": 1}])
def test_a_zone_that_is_no_geometry_is_refused(geometry: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="no geometry"):
        exits_in_plume(VENUE, {"kind": "plume", "zones": [{"geometry": geometry}]})


async def test_a_release_closes_the_exits_down_wind_in_every_plan() -> None:
    tool, made = await started()
    zone = ToolResult(
        id="zone-1",
        tool="air",
        kind="hazard-zone",
        title="Bacteria",
        time=made.clock.now(),
        place=Place(geometry=Point(coordinates=(12.8974, 44.8969))),
        content=content_of(EASTERN),
    )
    await tool.result(zone)
    for task in list(tool._background):
        await task
    plan: Any = [one for one in made.results if one.kind == "plan"][-1].content
    closed = {id for id, open_ in plan["scenario"]["opened"].items() if not open_}
    assert closed == {id for id, spot in EXITS.items() if EASTERN.contains(spot)}
    names = {one.id: one.name for one in VENUE.shapes}
    for one in [plan["baseline"], *plan["plans"]]:
        assert all(not one["exits"].get(id) for id in closed), "nobody leaves into the plume"
        said = next(line for line in one["advice"] if line.startswith("Close"))
        assert all(names[id] in said for id in closed)
