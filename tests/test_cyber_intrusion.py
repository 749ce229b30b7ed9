"""Protects the live side: an intrusion is one alert that names the camera it ends at; approvals make work orders."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from impetus.exercise import intrusion
from impetus.model import InvalidInput, ToolRequest
from impetus.sdk import LocalContext, read_manifest
from impetus.sdk.testing import START
from impetus.tools.cyber import worker
from impetus.tools.cyber.sensors import parse_line
from impetus.tools.cyber.settings import CyberSettings
from impetus.tools.cyber.worker import CyberTool


def asked(task: str, content: dict[str, object], origin: str = "person") -> ToolRequest:
    return ToolRequest.model_validate(
        {
            "id": f"r-{task}",
            "tool": "cyber",
            "task": task,
            "reason": "a test",
            "origin": origin,
            "content": content,
            "incident": "incident-1",
            "asked": START,
        }
    )


def test_an_intrusion_ends_at_a_camera_and_is_one_alert() -> None:
    """From the noise of three days: one intrusion, phase by phase, with the camera that other tools know."""

    async def run() -> LocalContext:
        context = LocalContext(read_manifest(Path(worker.__file__).parent), start=START + timedelta(days=3))
        tool = CyberTool(context, CyberSettings(model_file=intrusion.MODEL))
        await tool.start()
        skipped: Counter[str] = Counter()
        for one in intrusion.noise(START, START + timedelta(days=3), seed=1):
            alert = parse_line(json.dumps(one), skipped)
            assert alert is not None
            tool.take(alert)
        await tool.tick()
        assert not [alert for alert in context.alerts if alert.severity.value != "Minor"]
        begun = context.clock.now()
        for after_s, one in intrusion.attack(begun):
            context.clock.advance(max(0.0, after_s - (context.clock.now() - begun).total_seconds()))
            alert = parse_line(json.dumps(one), skipped)
            assert alert is not None
            tool.take(alert)
            await tool.tick()
        assert not skipped
        return context

    context = asyncio.run(run())
    newest = {alert.id: alert for alert in context.alerts}
    found = [alert for alert in newest.values() if alert.severity.value == "Severe"]
    assert len(found) == 1
    assert {"camera-1", "video-recorder"} <= set(found[0].entities)
    assert "reconnaissance" in found[0].description
    graph = [one for one in context.results if one.kind == "attack-graph"][-1]
    assert "camera-1" in json.dumps(graph.content["compromised"])


def test_a_proposal_becomes_a_work_order_only_when_it_is_approved() -> None:
    """Nothing is exported before, by nobody but a person; an unknown measure is refused; what-if changes nothing."""

    async def run() -> None:
        context = LocalContext(read_manifest(Path(worker.__file__).parent))
        tool = CyberTool(context, CyberSettings(model_file=intrusion.MODEL))
        await tool.start()
        await tool.handle(asked("plan", {"budget": 3}))
        plan = [one for one in context.results if one.kind == "plan"][-1]
        assert not [one for one in context.results if one.kind == "work-order"]
        measure = plan.content["measures"][0]["id"]  # type: ignore[index, call-overload]
        assert "nothing was changed" in await tool.handle(asked("what-if", {"id": measure}))
        with pytest.raises(InvalidInput):
            await tool.handle(asked("approve", {"id": "patch:nothing"}))
        for origin in ("rule", "procedure", "tool"):
            with pytest.raises(InvalidInput, match="by a person"):
                await tool.handle(asked("approve", {"id": measure}, origin))
        assert not [one for one in context.results if one.kind == "work-order"]
        await tool.handle(asked("approve", {"id": measure}))
        (order,) = [one for one in context.results if one.kind == "work-order"]
        assert order.incident == "incident-1"

    asyncio.run(run())
