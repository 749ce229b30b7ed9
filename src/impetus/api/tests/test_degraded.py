"""Protects: whatever is away, the status says so, and says it soon; what still works goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from impetus.api import degraded
from impetus.api.degraded import Lack, limitations
from impetus.api.tests.conftest import Api
from impetus.bus import ConsumerState
from impetus.model import ClockWatch, Health, HealthState, Unavailable
from impetus.situation.tests.house import an_alert

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def part(name: str, state: HealthState, text: str = "") -> Health:
    return Health(part=name, state=state, text=text, time=NOW)


def lacks(home: Path, *parts: Health, channels: Sequence[Health] = (), step_s: float = 0.0) -> list[tuple[str, str]]:
    found = limitations(consumers=(), parts=parts, channels=channels, home=home, clock_step_s=step_s)
    return [(one.lack.value, one.part) for one in found]


def test_all_is_well_without_words(tmp_path: Path) -> None:
    assert lacks(tmp_path, part("hub", HealthState.RUNNING), part("worker-air", HealthState.STARTING)) == []


def test_each_lack_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lacks(
        tmp_path,
        part("worker-air", HealthState.DEGRADED, "it hangs"),
        part("connector-mqtt", HealthState.STOPPED),
        channels=[part("channel-fire", HealthState.DEGRADED)],
        step_s=-90.0,
    )
    assert found == [
        ("clock-stepped", ""),
        ("tool-down", "air"),
        ("part-down", "connector-mqtt"),
        ("line-cut", "channel-fire"),
    ]
    monkeypatch.setattr(degraded, "LOW_BYTES", 2**62)
    assert lacks(tmp_path) == [("disk-low", "")]
    monkeypatch.setattr(degraded, "FULL_BYTES", 2**62)
    assert lacks(tmp_path) == [("disk-full", "")]
    assert lacks(tmp_path / "absent") == []


def test_a_consumer_far_behind_is_named(tmp_path: Path) -> None:
    consumers = [ConsumerState("tool-air", 30_000), ConsumerState("tool-cti", 3)]
    found = list(limitations(consumers=consumers, parts=(), channels=(), home=tmp_path))
    assert [(one.lack, one.part, one.value) for one in found] == [(Lack.LOG_BEHIND, "tool-air", 30_000)]


def test_a_clock_that_is_set_is_noticed_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ClockWatch()
    assert watch.step_s() == 0.0
    real, monotonic = time.time, time.monotonic
    monkeypatch.setattr(time, "time", lambda: real() - 3_600)
    assert watch.step_s() == pytest.approx(-3_600, abs=2)
    assert watch.step_s() == pytest.approx(-3_600, abs=2)
    assert watch.behind_s() == pytest.approx(3_600, abs=2)
    monkeypatch.setattr(time, "time", lambda: real() - 600)
    assert watch.step_s() == pytest.approx(3_000, abs=4)
    assert watch.behind_s() == pytest.approx(600, abs=4)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 3_601)
    assert watch.step_s() == 0.0
    assert watch.behind_s() == 0.0


async def test_without_the_log_the_status_is_there_and_decisions_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = an_alert()
    await api.house.situation.alerts.ingest("municipality", [alert])
    olivia = await api.person("olivia")

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the NATS servers do not answer")

    async def silent(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(degraded, "LOG_PATIENCE_S", 0.2)
    for consumers in (away, silent):
        monkeypatch.setattr(api.house.bus, "consumers", consumers)
        monkeypatch.setattr(api.house.bus, "publish", away)
        status = await olivia.get("/status")
        assert status.status_code == 200
        assert status.json()["limitations"][0]["lack"] == "log-away"
    decided = await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "acknowledge", "version": 1})
    assert decided.status_code == 201, decided.text
