"""The worker brings observations to a tool in order, loses nothing it emitted, and outlives whatever the tool does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from impetus.bus import Bus
from impetus.model import ConfigurationError, Datastream, Envelope, HealthState, InvalidInput, NotFound, Unavailable
from impetus.sdk import calls, hosting, observing, worker
from impetus.sdk.outgoing import Outgoing
from impetus.sdk.tests import sample
from impetus.sdk.tests.rig import Rig, open_rig, until
from impetus.sdk.tool import Tool
from impetus.sdk.worker import run_worker

FLOW = Datastream(id="mast-1:flow", name="Flow", thing="mast 1", observed_property="traffic-flow", unit="1/h")
SOUND = Datastream(id="mast-1:sound", name="Sound", thing="mast 1", observed_property="sound-level", unit="dB")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


@pytest.fixture(autouse=True)
def _fresh_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample.RecordingTool, "instances", {})
    monkeypatch.setattr(sample.FailingTool, "failures", 0)
    monkeypatch.setattr(sample.UnavailableTool, "attempts", 0)
    monkeypatch.setattr(sample.NeverStartingTool, "broken", True)


def instance(tenant: str = "municipality") -> sample.RecordingTool:
    return sample.RecordingTool.instances[tenant]


async def degraded(rig: Rig, words: str) -> None:
    """Wait until the worker says that it is degraded, in these words."""
    async with asyncio.timeout(30):
        while True:
            if await rig.messages("health"):
                health = await rig.health()
                if health.state is HealthState.DEGRADED and words in health.text:
                    return
            await asyncio.sleep(0.1)


async def test_observations_reach_the_tool_in_order_and_its_alerts_the_bus(rig: Rig) -> None:
    for value in range(300):
        await rig.observe(float(value))
    async with rig.worker(sample.installed(sample.RecordingTool), {"limit": 297.5}):
        await rig.settled()
        assert instance().seen == [float(value) for value in range(300)]
        alerts = await rig.alerts()
    assert [alert.headline for alert in alerts] == ["298", "299"]
    envelope = (await rig.messages("alert"))[0]
    assert (envelope.subject, envelope.partition) == ("municipality.alert.sample", "mast-1:flow")
    assert rig.beats > 0


async def test_messages_that_waited_together_reach_the_tool_in_one_call(rig: Rig) -> None:
    """A call costs a tool far more than a reading does; at thousands of readings a second this decides."""
    values = [float(value) for value in range(90)]
    for value in values:
        await rig.observe(value, datastream=f"mast-{value % 3:g}:flow")
    await rig.observe(7.0, tenant="police")
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.settled()
        assert (instance().calls, instance("police").calls) == (1, 1)
        assert instance().seen == values
        assert instance("police").seen == [7.0]
    assert (await rig.health()).handled == 91


async def test_messages_go_together_up_to_a_size(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "TOGETHER_BYTES", 300)
    for value in range(6):
        await rig.observe(float(value))
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.settled()
        assert 1 < instance().calls < 6
        assert instance().seen == [float(value) for value in range(6)]


async def test_what_cannot_be_read_does_not_take_its_neighbours_along(rig: Rig) -> None:
    batch = rig.batch([1.0])
    envelope = Envelope.wrap(batch, kind="observation", tenant="municipality", origin="mqtt", time=rig.clock.now())
    await rig.observe(0.0)
    await rig.bus.publish([envelope.model_copy(update={"data": b"{"})])
    await rig.observe(2.0)
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.settled()
        assert (instance().seen, instance().calls) == ([0.0, 2.0], 1)
    assert len(await rig.dead_letters()) == 1


async def test_of_messages_that_went_together_the_one_to_blame_is_set_aside(rig: Rig) -> None:
    for datastream, value in (("mast-1:flow", 1.0), ("mast-2:flow", 200.0), ("mast-3:flow", 3.0)):
        await rig.observe(value, datastream=datastream)
    async with rig.worker(sample.installed(sample.UndeclaredTool)):
        await rig.settled()
    (letter,) = await rig.dead_letters()
    assert b"mast-2:flow" in letter.body
    assert "detector 'undeclared' is not declared" in letter.reason


async def test_the_worker_says_how_it_is(rig: Rig) -> None:
    await rig.observe(1.0)
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.settled()
    health = await rig.health()
    assert (health.part, health.state, health.handled, health.text) == ("worker-sample", HealthState.STOPPED, 1, "")


async def test_each_organisation_has_an_instance_of_its_own(rig: Rig) -> None:
    await rig.register("fire-service", FLOW)
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.observe(200.0, tenant="municipality")
        await rig.observe(3.0, tenant="police")
        await rig.settled()
        assert instance("municipality").seen == [200.0]
        assert instance("police").seen == [3.0]
        assert instance("fire-service").seen == []  # known by its datastream alone
        assert await instance("fire-service").context.datastreams() == (FLOW,)
        assert await instance("police").context.datastreams() == ()
    assert [envelope.tenant for envelope in await rig.messages("alert")] == ["municipality"]
    assert all(tool.stopped for tool in sample.RecordingTool.instances.values())


async def test_a_tool_gets_only_what_its_manifest_asks_for(rig: Rig) -> None:
    await rig.register("municipality", FLOW, SOUND)
    async with rig.worker(sample.installed(sample.RecordingTool, properties=("sound-level",))):
        for datastream in (FLOW.id, SOUND.id, "unknown"):
            await rig.observe(1.0 if datastream == SOUND.id else -1.0, datastream=datastream)
        await rig.settled()
        assert instance().seen == [1.0]
        assert await instance().context.datastreams() == (SOUND,)


async def test_a_datastream_registered_meanwhile_is_noticed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "REFRESH_UNKNOWN_S", 0.0)
    async with rig.worker(sample.installed(sample.RecordingTool, properties=("sound-level",))):
        await rig.observe(1.0, datastream=SOUND.id)
        await rig.settled()
        await rig.register("municipality", SOUND)
        await rig.observe(2.0, datastream=SOUND.id)
        await rig.settled()
        assert instance().seen == [2.0]


async def test_history_comes_from_the_store_and_overlaps_with_the_bus(rig: Rig) -> None:
    await rig.register("municipality", FLOW)
    batch = rig.batch([1.0, 2.0, 3.0])
    await rig.store.readings.append("municipality", batch)
    await rig.store.readings.append("municipality", rig.batch([9.0], SOUND.id))
    await rig.publish("municipality", batch)
    async with rig.worker(sample.installed(sample.HistoryTool, properties=("traffic-flow",))):
        await rig.observe(4.0)
        await rig.settled()
        assert instance().seen == [1.0, 2.0, 3.0, 4.0]


async def test_a_failing_message_is_tried_once_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample.FailingTool, "fail_times", 1)
    async with rig.worker(sample.installed(sample.FailingTool)):
        await rig.observe(13.0)
        await rig.settled()
        assert instance().seen == [13.0]
    assert await rig.dead_letters() == []


async def test_a_message_that_fails_twice_is_set_aside_and_the_rest_goes_on(rig: Rig) -> None:
    async with rig.worker(sample.installed(sample.FailingTool)):
        for value in (1.0, 13.0, 2.0):
            await rig.observe(value)
        await rig.settled()
        assert instance().seen == [1.0, 2.0]
        await degraded(rig, "13 is unlucky")
    # Together with its neighbours, then twice alone.
    assert sample.FailingTool.failures == 3
    (letter,) = await rig.dead_letters()
    assert letter.reason.startswith("ValueError: 13 is unlucky (sample.py:")
    assert (letter.origin, letter.subject) == ("tool-sample", "municipality.observation.mqtt")
    assert (await rig.health()).dead_letters == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "Invalid JSON"),
        (b"[]", "not an observation batch"),
        (b'{"datastreams": ["a"], "index": [0], "time_us": [0], "value": []}', "columns differ in length"),
        (b'{"datastreams": ["a"], "index": [0], "time_us": [0], "value": [NaN]}', "not an observation batch"),
        (b'{"datastreams": ["a"], "index": [7], "time_us": [0], "value": [1]}', "points past"),
        (b"\xff\xff", "not an observation batch"),
    ],
)
async def test_what_is_no_observation_is_set_aside(rig: Rig, data: bytes, reason: str) -> None:
    batch = rig.batch([1.0])
    envelope = Envelope.wrap(batch, kind="observation", tenant="municipality", origin="mqtt", time=rig.clock.now())
    await rig.bus.publish([envelope.model_copy(update={"data": data})])
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.observe(2.0)
        await rig.settled()
        assert instance().seen == [2.0]
    (letter,) = await rig.dead_letters()
    assert reason in letter.reason


async def test_an_alert_that_is_not_declared_is_refused(rig: Rig) -> None:
    async with rig.worker(sample.installed(sample.UndeclaredTool)):
        await rig.observe(200.0)
        await rig.settled()
    (letter,) = await rig.dead_letters()
    assert "detector 'undeclared' is not declared" in letter.reason
    assert await rig.alerts() == []


async def test_a_message_waits_while_what_the_tool_needs_is_away(rig: Rig) -> None:
    async with rig.worker(sample.installed(sample.UnavailableTool)):
        await rig.observe(1.0)
        await rig.settled()
        assert instance().seen == [1.0]
    assert sample.UnavailableTool.attempts == 4
    assert await rig.dead_letters() == []


async def test_a_call_that_takes_too_long_is_cancelled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "OBSERVE_LIMIT_S", 0.2)
    async with rig.worker(sample.installed(sample.SlowTool)):
        for value in (13.0, 1.0):
            await rig.observe(value)
        await rig.settled()
        assert instance().seen == [1.0]
    (letter,) = await rig.dead_letters()
    assert letter.reason == "took too long"


async def test_the_heart_stops_when_the_tool_does_not_let_go(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor sees it and kills the process."""
    monkeypatch.setattr(calls, "OBSERVE_LIMIT_S", 0.1)
    monkeypatch.setattr(worker, "HEARTBEAT_INTERVAL_S", 0.02)
    async with rig.worker(sample.installed(sample.StubbornTool)):
        await until(lambda: rig.beats > 3)
        await rig.observe(13.0)
        async with asyncio.timeout(30):
            before = -1
            while before != rig.beats:
                before = rig.beats
                await asyncio.sleep(0.5)
        instance().stopped = True


async def test_a_tool_that_does_not_start_for_one_organisation_runs_for_the_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig.worker(sample.installed(sample.NeverStartingTool)):
        await rig.observe(1.0, tenant="police")
        await rig.observe(2.0, tenant="municipality")
        await rig.settled()
        assert instance("municipality").seen == [2.0]
        (letter,) = await rig.dead_letters("police")
        assert "the tool did not start for police: RuntimeError: no model file" in letter.reason
        await degraded(rig, "police: did not start")

    monkeypatch.setattr(sample.NeverStartingTool, "broken", False)
    async with rig.worker(sample.installed(sample.NeverStartingTool)):
        await rig.observe(3.0, tenant="police")
        await rig.settled()
        assert instance("police").seen == [3.0]


async def test_ticks_come_and_a_failing_tick_harms_nothing(rig: Rig) -> None:
    await rig.register("municipality", FLOW)
    async with rig.worker(sample.installed(sample.TickFailsTool)):
        await until(lambda: "municipality" in sample.RecordingTool.instances and instance().ticks > 2)
        await rig.observe(1.0)
        await rig.settled()
        assert instance().seen == [1.0]
        await degraded(rig, "tick failed: ValueError: tock")


async def test_a_tool_says_that_it_is_degraded_and_well_again(rig: Rig) -> None:
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.observe(1.0)
        await rig.settled()
        await instance().context.degraded("no weather data")
        await degraded(rig, "municipality: no weather data")
        await instance().context.degraded(None)
    assert (await rig.health()).text == ""


async def test_a_restarted_worker_goes_on_where_it_was(rig: Rig) -> None:
    tool = sample.installed(sample.RecordingTool)
    first, second = rig.batch([1.0, 200.0]), rig.batch([2.0, 300.0])
    async with rig.worker(tool):
        await rig.publish("municipality", first)
        await rig.settled()
        assert instance().seen == [1.0, 200.0]
    await rig.publish("municipality", second, first)
    async with rig.worker(tool):
        await rig.settled()
        assert instance().seen == [2.0, 300.0]
    assert [alert.headline for alert in await rig.alerts()] == ["200", "300"]


async def test_an_alert_that_is_derived_again_is_on_the_bus_once(rig: Rig) -> None:
    batch = rig.batch([200.0])
    async with rig.worker(sample.installed(sample.RecordingTool)):
        await rig.publish("municipality", batch)
        await rig.settled()
        instance().newest.clear()
        await rig.publish("municipality", batch)
        await rig.settled()
        assert instance().seen == [200.0, 200.0]
    assert len(await rig.alerts()) == 1


async def test_two_workers_of_one_tool_do_not_share_a_folder(rig: Rig) -> None:
    tool = sample.installed(sample.RecordingTool)
    async with rig.worker(tool):
        await rig.observe(1.0)
        await rig.settled()
        with pytest.raises(ConfigurationError, match="in use by another worker"):
            await run_worker(tool, rig.bus, rig.store, rig.clock, rig.home, {}, stop=asyncio.Event())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"limit": "high"}, "tools.sample.limit: "),
        ({"limit": float("nan")}, "tools.sample.limit: "),
        ({"limt": 3}, "tools.sample.limt: Extra inputs"),
    ],
)
async def test_wrong_settings_are_refused_by_name(rig: Rig, settings: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await run_worker(sample.installed(sample.RecordingTool), rig.bus, rig.store, rig.clock, rig.home, settings)
    assert named in caught.value.message


async def test_an_unknown_tool_is_not_found(rig: Rig) -> None:
    with pytest.raises(NotFound):
        await run_worker("no-such-tool", rig.bus, rig.store, rig.clock, rig.home, {})


class NarrowBus:
    """A bus that has no room the first few times, and refuses one message for good."""

    def __init__(self, bus: Bus, *, failures: int, refuses: str = "") -> None:
        self._bus = bus
        self._failures = failures
        self._refuses = refuses
        self.set_aside = bus.set_aside

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self._failures:
            self._failures -= 1
            raise Unavailable("the disk is full")
        if any(envelope.id == self._refuses for envelope in envelopes):
            raise InvalidInput("too large")
        await self._bus.publish(envelopes)


async def test_what_was_emitted_is_kept_while_the_bus_has_no_room(rig: Rig) -> None:
    texts: list[str | None] = []
    narrow: Any = NarrowBus(rig.bus, failures=2)
    outgoing = Outgoing(narrow, texts.append)
    batch = rig.batch([1.0])
    envelopes = [
        Envelope.wrap(batch, kind="observation", tenant="municipality", origin="x", time=rig.clock.now())
        for _ in range(3)
    ]
    await outgoing.add(envelopes)
    await outgoing.flush()
    assert [envelope.id for envelope in await rig.messages("observation")] == [envelope.id for envelope in envelopes]
    assert texts[-1] is None
    assert "the disk is full" in str(texts[0])


async def test_a_message_that_the_bus_refuses_does_not_hold_up_the_others(rig: Rig) -> None:
    batch = rig.batch([1.0])
    envelopes = [
        Envelope.wrap(batch, kind="observation", tenant="municipality", origin="x", time=rig.clock.now())
        for _ in range(3)
    ]
    narrow: Any = NarrowBus(rig.bus, failures=0, refuses=envelopes[1].id)
    outgoing = Outgoing(narrow, lambda text: None)
    await outgoing.add(envelopes)
    await outgoing.flush()
    assert len(await rig.messages("observation")) == 2
    (letter,) = await rig.dead_letters()
    assert letter.reason == "too large"


def test_every_sample_is_a_tool() -> None:
    assert all(issubclass(tool, Tool) for tool in sample.TOOLS.values())
