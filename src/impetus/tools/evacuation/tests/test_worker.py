"""Protects: a threat at a place brings proposals that get better; a person's decision becomes tasks; a drawn venue is
checked and kept; counters that fall together are noticed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from impetus.model import (
    Datastream,
    InvalidInput,
    Observation,
    ObservationBatch,
    Place,
    Point,
    RequestOrigin,
    ToolRequest,
    ToolResult,
)
from impetus.sdk import LocalContext, local_tool
from impetus.tools.evacuation.settings import EvacuationSettings
from impetus.tools.evacuation.tests.sites import two_doors
from impetus.tools.evacuation.worker import EvacuationTool

COUNTER = "people-count-market-square-fountain"
SPOT = (12.89475, 44.89815)
"""On the Market Square."""


async def started(**settings: Any) -> tuple[EvacuationTool, LocalContext]:
    _, manifest = local_tool(EvacuationTool).usable()
    stream = Datastream(
        id=COUNTER,
        name="Counter at the fountain",
        thing="Fountain",
        observed_property="people-count",
        unit="1",
        place=Place(geometry=Point(coordinates=SPOT), name="Market Square"),
    )
    made = LocalContext(manifest, datastreams=[stream])
    tool = EvacuationTool(made, EvacuationSettings(budget_s=3.0, verify=False, **settings))
    await tool.start()
    return tool, made


def request(made: LocalContext, task: str, content: dict[str, Any] | None = None, **more: Any) -> ToolRequest:
    return ToolRequest(
        id=f"request-{task}", tool="evacuation", task=task, reason="test", content=content or {},
        asked=made.clock.now(), **more,
    )  # fmt: skip


async def improved(tool: EvacuationTool) -> None:
    """Until what is looked for has been found."""
    while tool._background:
        await asyncio.wait(tool._background)


async def count(tool: EvacuationTool, made: LocalContext, *values: float) -> None:
    for value in values:
        made.clock.advance(60.0)
        reading = Observation(datastream=COUNTER, time=made.clock.now(), value=value)
        await tool.observe(ObservationBatch.of([reading]))


async def test_a_confirmed_firearm_brings_plans_for_the_people_who_are_counted() -> None:
    tool, made = await started()
    await count(tool, made, 150.0)
    place = Place(geometry=Point(coordinates=SPOT))
    text = await tool.handle(request(made, "plan", place=place, origin=RequestOrigin.RULE, alert="alert-1"))
    assert "Market Square" in text
    await improved(tool)
    plans = [result for result in made.results if result.kind == "plan"]
    assert len({plan.id for plan in plans}) == 1
    assert [plan.revision for plan in plans] == list(range(len(plans)))
    assert plans[0].content["stage"] == "queue"
    assert plans[-1].content["finished"] is True
    assert plans[-1].alert == "alert-1"
    best: Any = plans[-1].content["plans"]
    baseline: Any = plans[-1].content["baseline"]
    assert best[0]["advice"]
    # 150 were counted; a crowd of one run is drawn with a deviation of a fifth, and a slow machine makes few runs.
    assert 60 <= sum(baseline["exits"].values()) <= 240

    await tool.handle(request(made, "accept", {"id": plans[-1].id, "number": 0}))
    decision = made.results[-1]
    assert decision.kind == "decision"
    assert decision.content["accepted"] is True
    tasks: Any = decision.content["tasks"]
    assert [task["title"] for task in tasks] == best[0]["advice"]

    await tool.handle(request(made, "play", {"id": plans[-1].id, "number": 0}))
    assert made.results[-1].kind == "playback"
    assert made.results[-1].content["frames"]


async def test_a_plan_can_be_accepted_while_a_better_one_is_looked_for_and_a_newer_search_ends_an_older_one() -> None:
    tool, made = await started()
    await tool.handle(request(made, "plan", {"venue": "market-square", "people": 60, "threat": "none", "budget_s": 60}))
    plans = [result for result in made.results if result.kind == "plan"]
    assert plans[-1].content["finished"] is False
    assert "accepted" in await tool.handle(request(made, "accept", {"id": plans[-1].id, "number": 0}))
    newer = request(made, "plan", {"venue": "market-square", "people": 50, "threat": "none"})
    await tool.handle(newer.model_copy(update={"id": "request-newer"}))
    await improved(tool)
    ended = {one.id: one for one in made.results if one.kind == "plan" and one.content["finished"]}
    assert len(ended) == 2
    older: Any = ended[plans[-1].id].content
    assert older["elapsed_s"] < 60


async def test_a_place_without_a_venue_is_refused() -> None:
    tool, made = await started()
    with pytest.raises(InvalidInput, match="no venue is near"):
        await tool.handle(request(made, "plan", place=Place(geometry=Point(coordinates=(9.0, 45.0)))))
    with pytest.raises(InvalidInput, match="no place"):
        await tool.handle(request(made, "plan"))


async def test_a_hazard_zone_over_a_venue_sets_off_a_plan() -> None:
    tool, made = await started()
    ring = [[12.8940, 44.8975], [12.8952, 44.8975], [12.8952, 44.8980], [12.8940, 44.8980], [12.8940, 44.8975]]
    zone = {"type": "Polygon", "coordinates": [ring]}
    content: Any = {"zones": [{"lead_s": 0, "level": "aegl-1", "probability": 0.5, "geometry": zone}]}
    place = Place(geometry=Point(coordinates=SPOT))
    result = ToolResult(
        id="zone-1",
        tool="air",
        kind="hazard-zone",
        title="Chlorine",
        time=made.clock.now(),
        place=place,
        content=content,
    )
    await tool.result(result)
    await tool.result(result.model_copy(update={"revision": 1}))
    await improved(tool)
    plans = [one for one in made.results if one.kind == "plan"]
    assert len({one.id for one in plans}) == 1
    scenario: Any = plans[-1].content["scenario"]
    assert scenario["threat"]["kind"] == "plume"


async def test_a_drawn_venue_is_checked_and_kept() -> None:
    tool, made = await started()
    drawn = {**two_doors(), "id": "hall", "name": "Hall"}
    assert "Hall is valid" in await tool.handle(request(made, "save-venue", {"venue": drawn}))
    assert made.results[-1].kind == "venue"
    await tool.handle(request(made, "plan", {"venue": "hall", "people": 40, "threat": "none"}))
    await improved(tool)
    assert made.results[-1].title == "Evacuation of Hall"
    drawn["features"] = drawn["features"][:1]
    with pytest.raises(InvalidInput, match="no exit"):
        await tool.handle(request(made, "save-venue", {"venue": drawn}))


async def test_counters_that_fall_at_once_are_an_egress() -> None:
    tool, made = await started()
    await count(tool, made, *[300.0 + 5 * (minute % 3) for minute in range(20)])
    assert made.alerts == []
    await count(tool, made, 290, 180, 60, 20)
    assert [alert.detector for alert in made.alerts] == ["egress"]
    assert made.alerts[0].onset <= made.clock.now() + timedelta(seconds=1)


async def test_a_square_that_empties_in_the_evening_and_what_history_tells_are_no_egress() -> None:
    tool, made = await started()
    await count(tool, made, *[300.0 * 0.96**minute + 5 * (minute % 3) for minute in range(90)])
    assert made.alerts == []
    past = [
        Observation(datastream=COUNTER, time=made.clock.now() - timedelta(hours=3, minutes=-minute), value=value)
        for minute, value in enumerate([300.0] * 20 + [20.0] * 5)
    ]
    fresh, empty = await started()
    await fresh.observe(ObservationBatch.of(past))
    assert empty.alerts == []
