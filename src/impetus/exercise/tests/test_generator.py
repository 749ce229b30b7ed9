"""The demo city's readings travel the real way: history once, then live, and after a restart only the gap."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.connectors.mqtt.settings import EmbeddedListener
from impetus.connectors.mqtt.tests.conftest import Running, eventually, running
from impetus.exercise import signals
from impetus.exercise.city import datastreams, load_datastreams, sensors
from impetus.exercise.clock import ExerciseClock
from impetus.exercise.events import GroundTruth, Schedule
from impetus.exercise.foreseen import Foreseen
from impetus.exercise.generator import GATEWAY_S, Generator, GeneratorSettings, Progress, _Live, run_generator
from impetus.model import ConfigurationError, SystemClock
from tests.servers import free_port


async def registered(connector: Running, load: int = 0) -> None:
    async with connector.store.transaction() as transaction:
        await transaction.datastreams.put("municipality", [*datastreams(), *load_datastreams(load)])
    await asyncio.sleep(0.6)


def play(connector: Running, home: Path, **settings: Any) -> tuple[Generator, asyncio.Event, asyncio.Task[None]]:
    generator = Generator(GeneratorSettings(port=connector.port, **settings), SystemClock(), home / "exercise")
    stop = asyncio.Event()
    return generator, stop, asyncio.create_task(generator.run(stop))


LISTENER = EmbeddedListener(port=0, anonymous=True)


async def test_history_comes_first_then_live_readings_and_nothing_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, LISTENER, registry_refresh_s=0.5) as connector:
        await registered(connector)
        generator, stop, task = play(connector, tmp_path, history_days=0.25)
        await eventually(lambda: generator.progress.live >= 100)
        stop.set()
        await task
        sent = generator.progress.history + generator.progress.live

        async def arrived() -> bool:
            return len(await connector.observations()) == sent

        await eventually(arrived)
        found = await connector.observations()
        # Six hours of five-minute steps.
        assert generator.progress.history == 72 * len(sensors())
        assert await connector.reasons() == []
        newest: dict[str, datetime] = {}
        for observation in found:
            assert newest.get(observation.datastream, observation.time) <= observation.time
            newest[observation.datastream] = observation.time
        counts = Counter(observation.datastream for observation in found)
        assert min(counts.values()) >= 72


async def test_after_a_restart_only_the_gap_is_filled(tmp_path: Path) -> None:
    async with running(tmp_path, LISTENER, registry_refresh_s=0.5) as connector:
        await registered(connector)
        for expected in (72 * len(sensors()), 0):
            generator, stop, task = play(connector, tmp_path, history_days=0.25)
            await asyncio.wait_for(generator.history_done.wait(), 30)
            stop.set()
            await task
            # A five-minute mark may pass between the two.
            assert generator.progress.history - expected in (0, len(sensors()))


async def test_a_load_test_sends_the_readings_that_are_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path, LISTENER, registry_refresh_s=0.5) as connector:
        await registered(connector, load=300)
        generator, stop, task = play(connector, tmp_path, history_days=0.01, readings_per_second=300)
        await eventually(lambda: generator._load is not None and generator._load.sent >= 300)
        stop.set()
        await task
        assert generator._load is not None
        sent = generator._load.sent

        async def arrived() -> bool:
            found = await connector.observations()
            return sum(observation.datastream.startswith("load-") for observation in found) == sent

        await eventually(arrived)
        assert await connector.reasons() == []


async def test_a_listener_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    settings = GeneratorSettings(port=port, history_days=0.01)
    generator, stop = Generator(settings, SystemClock(), tmp_path / "exercise"), asyncio.Event()
    task = asyncio.create_task(generator.run(stop))
    await asyncio.sleep(0.5)
    assert not generator.history_done.is_set()
    async with running(tmp_path, EmbeddedListener(port=port, anonymous=True)):
        await asyncio.wait_for(generator.history_done.wait(), 30)
        stop.set()
        await task


async def test_events_are_written_down_when_they_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impetus.exercise.events.FIRST_EARLIEST_S", 0.1)
    monkeypatch.setattr("impetus.exercise.events.FIRST_LATEST_S", 0.2)
    async with running(tmp_path, LISTENER, registry_refresh_s=0.5) as connector:
        await registered(connector)
        generator, stop, task = play(connector, tmp_path, history_days=0.01)
        await eventually(lambda: len(list(generator.truth)) == 1)
        stop.set()
        await task
        (planted,) = generator.truth
        assert abs(planted.start - SystemClock().now()) < timedelta(minutes=1)


class Way:
    """A client whose messages arrive, or get lost when it is told so."""

    def __init__(self, *, broken: bool) -> None:
        self.sent: list[bytes] = []
        self.lost = asyncio.Event()
        self._broken = broken

    async def publish(self, topic: str, payload: bytes, qos: int) -> None:
        self.sent.append(payload)
        if self._broken:
            await self.lost.wait()
            raise aiomqtt.MqttError("the connection broke")


async def test_what_gets_lost_while_time_waits_for_it_is_sent_again(tmp_path: Path) -> None:
    """Time stands still until it has arrived: who waits by that clock would wait for ever."""
    clock = ExerciseClock.create(tmp_path / "clock", datetime(2026, 9, 12, 14, 30, tzinfo=UTC), 20)
    progress, stop, truth = Progress(), asyncio.Event(), GroundTruth(tmp_path / "events.jsonl")
    schedule = Schedule(sensors(), seed=1, start=clock.now())
    live = _Live(GeneratorSettings(), clock, sensors(), truth, progress, schedule=schedule, silenced=None)
    broken, mended = Way(broken=True), Way(broken=False)
    playing = asyncio.create_task(live.play(cast("aiomqtt.Client", broken), stop, lambda moment: None))
    await eventually(lambda: bool(broken.sent))
    clock.set_speed(0)
    assert progress.oldest_due_s is not None
    broken.lost.set()
    async with asyncio.timeout(60):
        with pytest.raises(aiomqtt.MqttError):
            await playing
    assert progress.oldest_due_s is not None
    playing = asyncio.create_task(live.play(cast("aiomqtt.Client", mended), stop, lambda moment: None))
    await eventually(lambda: mended.sent[: len(broken.sent)] == broken.sent)
    await eventually(lambda: progress.behind_s(clock) == 0.0)
    stop.set()
    async with asyncio.timeout(60):
        await playing


async def test_what_is_due_and_not_sent_yet_counts_as_late_and_is_sent_though_time_stands_still(tmp_path: Path) -> None:
    """Time is held back until the sensors have caught up: they must say that they are late, and not wait for it."""
    clock = ExerciseClock.create(tmp_path / "clock", datetime(2026, 9, 12, 14, 30, tzinfo=UTC), 60)
    progress, stop, truth = Progress(), asyncio.Event(), GroundTruth(tmp_path / "events.jsonl")
    schedule = Schedule(sensors(), seed=1, start=clock.now())
    live = _Live(GeneratorSettings(), clock, sensors(), truth, progress, schedule=schedule, silenced=None)
    assert progress.behind_s(clock) is None
    stuck, free = Way(broken=True), Way(broken=False)
    playing = asyncio.create_task(live.play(cast("aiomqtt.Client", stuck), stop, lambda moment: None))
    await eventually(lambda: (progress.behind_s(clock) or 0.0) > 60)
    clock.set_speed(0)
    stuck.lost.set()
    async with asyncio.timeout(60):
        with pytest.raises(aiomqtt.MqttError):
            await playing
    playing = asyncio.create_task(live.play(cast("aiomqtt.Client", free), stop, lambda moment: None))
    await eventually(lambda: progress.behind_s(clock) == 0.0)
    stop.set()
    async with asyncio.timeout(60):
        await playing
    newest = max(json.loads(payload)[-1]["dataArray"][-1][0] for payload in free.sent if payload.startswith(b"["))
    assert datetime.fromisoformat(newest) > clock.now() - timedelta(seconds=5)


class SlowWay(Way):
    """Each message is a while on its way."""

    async def publish(self, topic: str, payload: bytes, qos: int) -> None:
        await asyncio.sleep(0.2)
        self.sent.append(payload)


async def test_whenever_time_is_held_back_the_sensors_catch_up(tmp_path: Path) -> None:
    """Time goes on only when they have: one that rests meanwhile would wait for it for ever."""
    clock = ExerciseClock.create(tmp_path / "clock", datetime(2026, 9, 12, 14, 30, tzinfo=UTC), 60)
    progress, stop, truth = Progress(), asyncio.Event(), GroundTruth(tmp_path / "events.jsonl")
    schedule = Schedule(sensors(), seed=1, start=clock.now())
    live = _Live(GeneratorSettings(), clock, sensors(), truth, progress, schedule=schedule, silenced=None)
    way = SlowWay(broken=False)
    playing = asyncio.create_task(live.play(cast("aiomqtt.Client", way), stop, lambda moment: None))
    for number in range(12):
        await asyncio.sleep(0.1 + 0.037 * number)
        clock.set_speed(0)
        await eventually(lambda: (progress.behind_s(clock) or 0.0) <= GATEWAY_S)
        clock.set_speed(60)
    stop.set()
    async with asyncio.timeout(60):
        await playing


def test_sensors_read_at_the_same_times_whenever_their_play_begins(tmp_path: Path) -> None:
    """Two runs of a seeded exercise give the same readings, however long each took to get ready."""
    start = datetime(2026, 9, 12, 14, 30, tzinfo=UTC)
    clock = ExerciseClock.create(tmp_path / "clock", start, 0)
    truth, schedule = GroundTruth(tmp_path / "events.jsonl"), Schedule(sensors(), seed=1, start=start)

    def due() -> dict[str, float]:
        live = _Live(GeneratorSettings(), clock, sensors(), truth, Progress(), schedule=schedule, silenced=None)
        return {id: due_s for due_s, id in live._due}

    first = due()
    clock.set_speed(60)
    while clock.monotonic_s() < 7.3:
        pass
    for id, due_s in due().items():
        interval_s = sensors()[id].datastream.interval_s or 5.0
        intervals = (due_s - first[id]) / interval_s
        assert due_s > 7.3
        assert intervals == pytest.approx(round(intervals), abs=1e-6)


@given(st.sampled_from(sorted(sensors())), st.integers(0, 10**6))
def test_what_is_foreseen_is_what_is_read(id: str, due_ms: int) -> None:
    """Worked out together or one by one, a reading is the same."""
    sensor, start = sensors()[id], datetime(2026, 9, 12, 14, 30, tzinfo=UTC)
    foreseen = Foreseen(sensor, 3.0, lambda due_s: start + timedelta(milliseconds=round(due_s * 1_000)))
    for number in range(3):
        due_s = due_ms / 1_000 + 3.0 * number
        moment = start + timedelta(milliseconds=round(due_s * 1_000))
        assert foreseen.at(due_s) == (None if signals.is_lost(sensor, moment) else signals.value(sensor, moment))


async def test_a_quality_of_service_that_is_not_offered_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="quality of service 2"):
        await run_generator(GeneratorSettings(qos=2), clock=SystemClock(), state=tmp_path)
