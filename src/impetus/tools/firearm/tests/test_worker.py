"""Protects the live side: no camera before an approval, one alert an event, masked frames, evidence, health."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from impetus.model import (
    AlertState,
    DataClass,
    InvalidInput,
    RequestOrigin,
    Status,
    ToolRequest,
    Verdict,
)
from impetus.sdk.manifest import read_manifest
from impetus.sdk.testing import START, LocalContext
from impetus.tools.firearm import worker
from impetus.tools.firearm.model import SHIPPED
from impetus.tools.firearm.notices import Standing
from impetus.tools.firearm.settings import FirearmSettings
from impetus.tools.firearm.tests.finder import always, sha256

LIMIT_S = 60.0
FOLDER = SHIPPED.parent.parent


def tool(context: LocalContext, model: Path, **settings: object) -> worker.FirearmTool:
    """The tool with a model."""
    return worker.FirearmTool(context, FirearmSettings.model_validate({"model_file": model, **settings}))


CAMERA = {
    "id": "square",
    "title": "Market Square",
    "address": "scene:31?a_minute=30&width=320",
    "longitude": 12.9,
    "latitude": 44.9,
}


def approved(model: Path) -> dict[str, object]:
    """Settings with which the model may be used."""
    return {"approvals": [{"sha256": sha256(model), "person": "supervisor", "reason": "a test"}]}


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds a gun in whatever it looks at."""
    return always(tmp_path_factory.mktemp("model"))


def request(task: str, **content: object) -> ToolRequest:
    """What a person asks."""
    return ToolRequest(
        id=f"r-{task}",
        tool="firearm",
        task=task,
        reason="a test",
        origin=RequestOrigin.PERSON,
        content=content,  # type: ignore[arg-type]
        person="jonas",
        asked=START,
    )


def standing(tool: worker.FirearmTool, camera: str) -> Standing:
    """How a camera is."""
    assert tool.groups is not None
    return tool.groups.standings[camera]


async def until(tool: worker.FirearmTool, holds: Callable[[], bool]) -> None:
    """Tick until something holds."""
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        await tool.tick()
        await asyncio.sleep(0.05)


async def test_nothing_is_watched_without_an_approval(finder: Path) -> None:
    """No thread, no picture; the board says why; an approval needs a recorded evaluation."""
    context = LocalContext(read_manifest(FOLDER))
    firearm = tool(context, finder, cameras=[CAMERA])
    await firearm.start()
    assert firearm.groups is None
    assert "approved" in (context.degraded_text or "")
    with pytest.raises(InvalidInput, match="evaluation"):
        await firearm.handle(request("approve-model", sha256=sha256(finder), reason="because"))
    await firearm.stop()


async def test_a_gun_is_one_alert_with_masked_frames(finder: Path) -> None:
    """One alert at once, brought up to date with a clip; what everybody may see is apart from the evidence."""
    context = LocalContext(read_manifest(FOLDER))
    firearm = tool(context, finder, cameras=[CAMERA], clip_after_s=1.0, **approved(finder))
    await firearm.start()
    await until(firearm, lambda: any(len(alert.evidence) == 2 for alert in context.alerts))
    await firearm.stop()
    alerts = [alert for alert in context.alerts if alert.detector == "firearm"]
    assert len({alert.id for alert in alerts}) == 1
    first = alerts[0]
    assert first.status is Status.EXERCISE
    assert first.place is not None
    assert sha256(finder) in first.model.version
    assert first.evidence[0].data_class is DataClass.PERSONAL
    assert {reference.media_type for reference in alerts[-1].evidence} == {"image/jpeg", "video/webm"}
    shown = [result for result in context.results if result.kind == "event"]
    assert shown[-1].alert == first.id
    assert str(shown[-1].content["close_up"]).startswith("data:image/jpeg;base64,")


async def test_a_camera_that_is_away_does_not_stop_the_others(finder: Path) -> None:
    """The dead one is named on the board and raises an alert of its own; the other goes on."""
    context = LocalContext(read_manifest(FOLDER))
    dead = {"id": "dead", "title": "Dead", "address": "http://127.0.0.1:9/none"}
    firearm = tool(context, finder, cameras=[dead, CAMERA], camera_alerts_after_s=1, **approved(finder))
    await firearm.start()
    await until(firearm, lambda: "Dead" in (context.degraded_text or ""))
    await firearm.tick()
    context.clock.advance(5)
    await until(firearm, lambda: any(alert.detector == "camera" for alert in context.alerts))
    await until(firearm, lambda: standing(firearm, "square").figures.analysed > 3)
    await firearm.stop()


async def test_zones_and_calibration_are_kept(finder: Path) -> None:
    """What people set survives a restart; four points give a place; nonsense is refused."""
    context = LocalContext(read_manifest(FOLDER))
    firearm = tool(context, finder, cameras=[CAMERA])
    await firearm.start()
    area = [[0.0, 0.5], [1.0, 0.5], [1.0, 1.0]]
    await firearm.handle(request("zones", id="square", zones={"watched": [area]}))
    corners = [[0.1, 0.9], [0.9, 0.9], [0.7, 0.5], [0.3, 0.5]]
    places = [[12.9, 44.9], [12.9001, 44.9], [12.9001, 44.9002], [12.9, 44.9002]]
    await firearm.handle(request("calibrate", id="square", picture=corners, map=places))
    with pytest.raises(InvalidInput):
        await firearm.handle(request("calibrate", id="square", picture=[[0, 0]] * 4, map=places))
    again = tool(context, finder, cameras=[CAMERA])
    await again.start()
    kept = again.memory.camera("square")
    assert kept.zones.counts(0.9, 0.7)
    assert not kept.zones.counts(0.5, 0.1)
    place = again.memory.place(again.settings.cameras[0], (0.5, 0.7))
    assert place is not None
    assert 12.9 <= place.centre[0] <= 12.9001
    await firearm.stop()
    await again.stop()


async def test_verdicts_move_the_probability(finder: Path) -> None:
    """Dismissed alerts make the next ones less sure; a verdict that is taken back counts no more."""
    context = LocalContext(read_manifest(FOLDER))
    firearm = tool(context, finder)
    firearm.memory.kept = firearm.memory.kept.model_copy(update={"told": [(f"a{number}", 0.9) for number in range(6)]})
    for number in range(6):
        await firearm.verdict(
            Verdict(
                alert=f"a{number}",
                tool="firearm",
                detector="firearm",
                source="square",
                state=AlertState.DISMISSED,
                decided=START,
            )
        )
    assert firearm.memory.learned(0.9) < 0.7
