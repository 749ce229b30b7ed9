"""The whole connector on a real bus and store: readings in, dead letters with reasons, nothing acknowledged early."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import pytest

from impetus.bus import open_bus
from impetus.connectors.mqtt.connector import Connector
from impetus.connectors.mqtt.grouping import Grouping
from impetus.connectors.mqtt.listener import Listener
from impetus.connectors.mqtt.mapping import JsonMapping
from impetus.connectors.mqtt.payload import Readings
from impetus.connectors.mqtt.registry import Registry
from impetus.connectors.mqtt.settings import EmbeddedListener, MqttSettings
from impetus.connectors.mqtt.tests.conftest import LONG_AGO, eventually, running
from impetus.connectors.mqtt.tests.doubles import RecordingBus, datastream, registered
from impetus.model import ClockWatch, Health, HealthState, ManualClock, Observation, ObservationBatch, SystemClock


def moment(**shift: float) -> str:
    return (datetime.now(UTC) + timedelta(**shift)).isoformat()


async def test_single_and_batched_readings_come_to_the_bus_in_order(home: Path) -> None:
    start = datetime.now(UTC).replace(microsecond=0)
    async with running(home) as connector, aiomqtt.Client("127.0.0.1", connector.port) as client:
        rows: list[tuple[str, int]] = [
            ((start + timedelta(seconds=second)).isoformat(), second) for second in range(3_000)
        ]
        batch = [
            {"Datastream": {"@iot.id": id}, "components": ["phenomenonTime", "result"], "dataArray": rows[:250]}
            for id in ("sound-1", "sound-2")
        ]
        await client.publish("v1.1/CreateObservations", json.dumps(batch), qos=1)
        for when, value in rows[250:300]:
            payload = json.dumps({"phenomenonTime": when, "result": value})
            await client.publish("v1.1/Datastreams(sound-1)/Observations", payload, qos=0)
        last = json.dumps({"phenomenonTime": rows[300][0], "result": 300})
        await client.publish("v1.1/Datastreams(sound-1)/Observations", last, qos=1)
        # What is acknowledged is on the bus already: no waiting here.
        found = await connector.observations()
        first = [observation for observation in found if observation.datastream == "sound-1"]
        assert [observation.value for observation in first] == list(range(301))
        assert first[7] == Observation(datastream="sound-1", time=start + timedelta(seconds=7), value=7)
        assert len(found) == 551
        assert await connector.reasons() == []


async def test_each_kind_of_bad_input_becomes_a_dead_letter_and_the_rest_goes_on(home: Path) -> None:
    mapping = JsonMapping(topic="city/{datastream}", unit="unit")
    settings = EmbeddedListener(port=0, anonymous=True, mappings=(mapping,))
    async with running(home, settings) as connector, aiomqtt.Client("127.0.0.1", connector.port) as client:
        good = "v1.1/Datastreams(sound-1)/Observations"
        bad: list[tuple[str, str | bytes, str]] = [
            (good, "{broken", "no JSON"),
            (good, '{"result": NaN}', "no JSON"),
            (good, '{"result": "61"}', "text, not a number"),
            (good, json.dumps({"result": 1, "phenomenonTime": moment(hours=1)}), "check the sensor's clock"),
            (good, json.dumps({"result": 1, "phenomenonTime": "1999-01-01T00:00:00Z"}), "check the sensor's clock"),
            (good, b"x" * 10_000_000, "10,000,000 bytes"),
            ("v1.1/Datastreams(nobody)/Observations", '{"result": 1}', "unknown datastream 'nobody'"),
            ("city/sound-1", json.dumps({"value": 1, "time": moment(), "unit": "Pa"}), "'Pa'"),
            ("elsewhere", "{}", "no mapping fits"),
        ]
        for topic, payload, _ in bad:
            await client.publish(topic, payload, qos=1)
        await client.publish(good, json.dumps({"result": 61, "phenomenonTime": moment()}), qos=1)
        reasons = list(reversed(await connector.reasons()))
        assert len(reasons) == len(bad)
        for reason, (_, _, expected) in zip(reasons, bad, strict=True):
            assert expected in reason
        assert [observation.value for observation in await connector.observations()] == [61]
        letters = await connector.bus.dead_letters("municipality")
        large = next(letter for letter in letters if "10,000,000" in letter.reason)
        assert (large.origin, large.subject, len(large.body)) == ("connector-mqtt", good, 16 * 1024)


async def test_where_this_machines_clock_was_set_back_sensors_are_not_from_the_future(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was set back by an hour: all sensors are an hour ahead of it, and none is to blame."""
    monkeypatch.setattr(ClockWatch, "behind_s", lambda watch: 3_600.0)
    async with running(home) as connector, aiomqtt.Client("127.0.0.1", connector.port) as client:
        topic = "v1.1/Datastreams(sound-1)/Observations"
        for hours, value in ((1.0, 61), (1.5, 62)):
            payload = json.dumps({"result": value, "phenomenonTime": moment(hours=hours)})
            await client.publish(topic, payload, qos=1)
        assert [observation.value for observation in await connector.observations()] == [61]
        [reason] = await connector.reasons()
        assert "check the sensor's clock" in reason


async def test_a_datastream_registered_a_moment_ago_is_known(home: Path) -> None:
    async with running(home, registry_refresh_s=3_600.0) as connector:
        async with connector.store.transaction() as transaction:
            await transaction.datastreams.put("municipality", [datastream("new-1")])
        await asyncio.sleep(1.1)
        async with aiomqtt.Client("127.0.0.1", connector.port) as client:
            await client.publish("v1.1/Datastreams(new-1)/Observations", '{"result": 5}', qos=1)
        assert [observation.datastream for observation in await connector.observations()] == ["new-1"]


async def test_a_flood_of_unknown_names_reads_the_store_once_a_second_at_most() -> None:
    calls = 0

    async def load(tenant: str) -> dict[str, object]:
        nonlocal calls
        calls += 1
        return {}

    clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
    registry = Registry(load, ["city"], clock, refresh_s=5)  # type: ignore[arg-type]
    assert await registry.load()
    for _ in range(1_000):
        await registry.look_again("city")
    assert calls == 1
    clock.advance(1.1)
    assert await registry.look_again("city")
    assert calls == 2


async def test_a_store_that_fails_leaves_known_datastreams_in_use() -> None:
    broken = False

    async def load(tenant: str) -> dict[str, object]:
        if broken:
            raise OSError("disk gone")
        return {"sound-1": datastream("sound-1")}

    registry = Registry(load, ["city"], SystemClock(), refresh_s=5)  # type: ignore[arg-type]
    assert await registry.load()
    broken = True
    assert not await registry.load()
    assert "sound-1" in registry.of("city")
    assert registry.trouble is not None
    assert "disk gone" in registry.trouble


class _Rig:
    """A connector with a listener on a bus that fails on command."""

    def __init__(self, **settings: float) -> None:
        self.bus = RecordingBus()
        connection = EmbeddedListener(port=0, anonymous=True)
        self.settings = MqttSettings.model_validate({"connections": (connection,), **settings})
        self.stop = asyncio.Event()

    async def __aenter__(self) -> _Rig:
        clock = SystemClock()

        async def load(tenant: str) -> dict[str, object]:
            return dict(registered(datastream("sound-1"), datastream("sound-2")))

        registry = Registry(load, ["municipality"], clock, refresh_s=5)  # type: ignore[arg-type]
        await registry.load()
        self.connector = Connector(self.settings, self.bus.as_bus(), registry, clock)
        connection = self.settings.connections[0]
        assert isinstance(connection, EmbeddedListener)
        self.listener = Listener(
            connection, self.connector, clock, connection=0, credentials=None, max_payload_bytes=1024 * 1024
        )
        await self.listener.start()
        self.connector.feed_from([self.listener])
        self.task = asyncio.create_task(self.connector.run(self.stop))
        return self

    async def __aexit__(self, *error: object) -> None:
        self.stop.set()
        await self.task
        await self.listener.close()

    def last_health(self) -> Health:
        return [each.open(Health) for each in self.bus.envelopes if each.kind == "health"][-1]


async def test_while_the_bus_is_away_senders_wait_and_nothing_is_lost_or_acknowledged() -> None:
    async with _Rig(spool_messages=100) as rig, aiomqtt.Client("127.0.0.1", rig.listener.port) as client:
        rig.bus.is_down = True
        sending = asyncio.create_task(client.publish("v1.1/Datastreams(sound-1)/Observations", '{"result": 0}', qos=1))
        await eventually(lambda: rig.connector.counts.messages == 1)
        for number in range(1, 2_000):
            await client.publish("v1.1/Datastreams(sound-1)/Observations", f'{{"result": {number}}}')
        await eventually(lambda: rig.connector._are_paused)
        assert not sending.done()
        rig.bus.is_down = False
        await sending
        await eventually(lambda: len(rig.bus.observations) == 2_000)
        assert [observation.value for observation in rig.bus.observations] == list(range(2_000))


async def test_health_says_what_is_wrong_and_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impetus.connectors.mqtt.connector.HEALTH_INTERVAL_S", 0.05)
    async with _Rig() as rig, aiomqtt.Client("127.0.0.1", rig.listener.port) as client:
        await client.publish("v1.1/Datastreams(sound-1)/Observations", '{"result": 0}', qos=1)
        await client.publish("v1.1/Datastreams(sound-1)/Observations", "broken", qos=1)
        await eventually(lambda: rig.last_health().dead_letters == 1)
        assert rig.last_health().state is HealthState.RUNNING
        assert rig.last_health().handled == 2
        assert "last dead letter: the payload is no JSON" in rig.last_health().text
    assert rig.last_health().state is HealthState.STOPPED


async def test_a_connector_that_is_stopped_first_gets_rid_of_what_it_holds() -> None:
    async with _Rig(flush_ms=5_000) as rig, aiomqtt.Client("127.0.0.1", rig.listener.port) as client:
        for number in range(100):
            await client.publish("v1.1/Datastreams(sound-2)/Observations", f'{{"result": {number}}}')
        await eventually(lambda: len(rig.connector._waiting) == 100)
    assert len(rig.bus.observations) == 100


def test_readings_of_one_datastream_always_share_a_partition() -> None:
    def partitions() -> dict[str, str]:
        grouping = Grouping(8)
        for number in range(200):
            grouping.add("city", Readings(f"sensor-{number}", [number], [1.0]))
        assert grouping.count == 200
        return {
            datastream: envelope.partition
            for envelope in grouping.take(lambda: datetime(2026, 11, 21, tzinfo=UTC))
            for datastream in envelope.open(ObservationBatch).datastreams
        }

    assert partitions() == partitions()
    assert len(set(partitions().values())) == 8


PROGRAM = """
import asyncio, sys
from pathlib import Path
from impetus.bus import open_bus
from impetus.connectors.mqtt.connector import run_connector
from impetus.connectors.mqtt.settings import EmbeddedListener, MqttSettings
from impetus.model import SystemClock
from impetus.store import open_store

async def main():
    home, clock = Path(sys.argv[1]), SystemClock()
    store = await open_store(f"sqlite:///{home / 'store.sqlite'}", clock)
    bus = open_bus(home / "bus.sqlite", clock)
    await run_connector(
        MqttSettings(connections=(EmbeddedListener(port=0, anonymous=True),)), home=home, bus=bus, store=store,
        clock=clock, started=lambda sources: print(sources[0].port, flush=True),
    )
    await bus.close()
    await store.close()

asyncio.run(main())
"""


async def _process(home: Path) -> tuple[asyncio.subprocess.Process, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(home), stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    return process, int(await asyncio.wait_for(process.stdout.readline(), 60))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_what_was_acknowledged_survives_the_end_of_the_process(home: Path, how: signal.Signals) -> None:
    async with running(home):
        pass
    process, port = await _process(home)
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for number in range(20):
            await client.publish("v1.1/Datastreams(sound-1)/Observations", f'{{"result": {number}}}', qos=1)
        process.send_signal(how)
        assert await asyncio.wait_for(process.wait(), 30) == (0 if how is signal.SIGTERM else -signal.SIGKILL)
    bus = open_bus(home / "bus.sqlite", SystemClock())
    values: list[float] = []
    async for delivery in bus.replay(["municipality.observation.*"], since=LONG_AGO):
        values += delivery.envelope.open(ObservationBatch).value
    await bus.close()
    assert values == list(range(20))
