"""Live: a district is one alert, a sensor that stands apart a fault, verdicts move thresholds, the page is told."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from impetus.model import (
    AlertState,
    Category,
    Datastream,
    InvalidInput,
    Place,
    Point,
    ReasonClass,
    RequestOrigin,
    Severity,
    ToolRequest,
    Verdict,
)
from impetus.sdk import LocalContext
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.settings import AnomalySettings
from impetus.tools.anomaly.tests.streams import DAY_READINGS, INTERVAL_S, batch, context, datastream
from impetus.tools.anomaly.worker import AnomalyTool

COUNT = 6
WARM = 8 * DAY_READINGS
READINGS = 28


def street() -> list[Datastream]:
    """Six loops, 300 m apart."""
    return [
        datastream(
            f"loop-{number}",
            observed_property="traffic-speed",
            unit="km/h",
            place=Place(geometry=Point(coordinates=(10.4, 63.4 + 0.0027 * number)), name=f"Street {number}"),
        )
        for number in range(COUNT)
    ]


def speeds(readings: int) -> Floats:
    """Streams that rise and fall together; shape (streams, readings)."""
    random = np.random.default_rng(7)
    common = random.normal(0.0, 3.0, readings)
    return 60.0 + common + random.normal(0.0, 1.0, (COUNT, readings))


async def run(change: Floats) -> tuple[AnomalyTool, LocalContext]:
    """Learn a week, then `READINGS` live ones with `change`, of shape (streams, READINGS), added."""
    values = speeds(WARM + READINGS)
    streams = street()
    names = [stream.id for stream in streams]
    history = batch({name: values[number, :WARM] for number, name in enumerate(names)})
    made = context(*streams, history=history, readings=WARM)
    tool = AnomalyTool(made, AnomalySettings())
    await tool.start()
    live = values[:, WARM:] + change
    for step in range(READINGS):
        now = {name: live[number, step : step + 1] for number, name in enumerate(names)}
        await tool.observe(batch(now, first=WARM + step))
        made.clock.advance(INTERVAL_S)
        await tool.tick()
    return tool, made


def request(task: str, **content: object) -> ToolRequest:
    return ToolRequest.model_validate(
        {
            "id": f"request-{task}",
            "tool": "anomaly",
            "task": task,
            "reason": "a test",
            "origin": RequestOrigin.PERSON,
            "content": content,
            "asked": "2026-03-10T00:00:00Z",
        }
    )


async def test_a_slow_down_of_a_street_is_one_alert_that_names_the_others() -> None:
    change = np.zeros((COUNT, READINGS))
    change[:, 4:10] = -35.0
    _, made = await run(change)
    alerts = [alert for alert in made.alerts if alert.detector == "level"]
    assert len({alert.id for alert in alerts}) == 1
    assert max(len(alert.entities) for alert in alerts) == COUNT - 1
    assert "neighbouring streams too" in alerts[-1].headline
    assert alerts[-1].category is Category.TRANSPORT
    assert alerts[-1].severity is not Severity.MINOR
    assert alerts[-1].ended is not None


async def test_a_sensor_that_leaves_its_neighbours_is_a_maintenance_notice() -> None:
    change = np.zeros((COUNT, READINGS))
    change[2, 4:] = -35.0
    _, made = await run(change)
    alerts = [alert for alert in made.alerts if alert.detector == "level"]
    last = [alert for alert in alerts if alert.id == alerts[0].id][-1]
    assert last.source == "loop-2"
    assert (last.category, last.severity) == (Category.INFRA, Severity.MINOR)
    assert "broken sensor?" in last.headline
    overviews = [result.content for result in made.results if result.kind == "overview"]
    assert any([row["id"] for row in one["maintenance"]] == ["loop-2"] for one in overviews)  # type: ignore[index,union-attr,call-overload]


async def test_an_alert_tells_neighbours_and_days_like_this() -> None:
    change = np.zeros((COUNT, READINGS))
    change[2, 14:] = 40.0
    _, made = await run(change)
    told = [alert for alert in made.alerts if alert.detector == "level" and alert.ended is None]
    factors = {factor.name: factor for factor in told[-1].explanation}
    assert "neighbours" in factors["Neighbours"].observed
    assert "apart on average" in factors["Days like this"].observed


async def test_a_dismissal_raises_the_bar_of_that_stream_until_it_is_taken_back_or_forgotten() -> None:
    tool, made = await run(np.zeros((COUNT, READINGS)))

    async def judge(state: AlertState, reason: ReasonClass | None = None) -> float:
        decided = made.clock.now() + timedelta(seconds=1)
        verdict = Verdict(
            alert="alert-1",
            tool="anomaly",
            detector="level",
            source="loop-2",
            state=state,
            reason=reason,
            decided=decided,
        )
        await tool.verdict(verdict)
        made.clock.advance(60.0)
        await tool.tick()
        found = [result for result in made.results if result.kind == "overview"][-1].content["verdicts"]
        return found[0]["shift"] if found else 0.0  # type: ignore[index,call-overload,return-value]

    assert await judge(AlertState.DISMISSED) == pytest.approx(0.3)
    assert await judge(AlertState.CONFIRMED) == pytest.approx(-0.3)
    assert await judge(AlertState.DISMISSED, ReasonClass.DUPLICATE) == 0.0
    assert await judge(AlertState.DISMISSED) == pytest.approx(0.3)
    again = AnomalyTool(made, AnomalySettings())
    await tool.stop()
    await again.start()
    assert "1 verdicts forgotten" in await again.handle(request("forget", id="loop-2"))
    assert [result for result in made.results if result.kind == "overview"][-1].content["verdicts"] == []


async def test_a_person_sets_the_rate_of_false_alerts_and_takes_it_back() -> None:
    tool, made = await run(np.zeros((COUNT, READINGS)))
    overview = [result for result in made.results if result.kind == "overview"][-1].content
    before = overview["threshold"]
    alerts = overview["past"]["alerts"]  # type: ignore[index,call-overload]
    assert alerts == sorted(alerts, reverse=True)  # type: ignore[arg-type]
    await tool.handle(request("threshold", false_alerts_a_day=0.01))
    raised = [result for result in made.results if result.kind == "overview"][-1].content["threshold"]
    assert raised["rarity"] > before["rarity"]  # type: ignore[index,call-overload,operator]
    await tool.handle(request("threshold"))
    assert [result for result in made.results if result.kind == "overview"][-1].content["threshold"] == before


async def test_a_stream_is_looked_into_and_an_unknown_one_is_refused() -> None:
    tool, made = await run(np.zeros((COUNT, READINGS)))
    await tool.handle(request("inspect", id="loop-3"))
    found = [result for result in made.results if result.kind == "stream"][-1].content
    assert found["id"] == "loop-3"
    assert len(found["like"]) == 3  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no stream"):
        await tool.handle(request("inspect", id="nowhere"))
