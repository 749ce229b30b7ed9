"""A real Mosquitto as the city's broker: TLS and password, reconnecting, and nothing lost that was not acknowledged."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from pydantic import ValidationError

from impetus.connectors.mqtt import external
from impetus.connectors.mqtt.external import BrokerSource
from impetus.connectors.mqtt.settings import ExternalBroker, ProtocolVersion
from impetus.connectors.mqtt.tests.conftest import eventually, running
from impetus.connectors.mqtt.tests.doubles import RecordingSink
from impetus.model import ConfigurationError
from tests.servers import Mosquitto

TOPIC = "v1.1/Datastreams(sound-1)/Observations"
VERSIONS = [ProtocolVersion.V311, ProtocolVersion.V5]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "FIRST_WAIT_S", 0.05)


def source(sink: RecordingSink, broker: Mosquitto, **settings: Any) -> BrokerSource:
    connection = ExternalBroker.model_validate({"url": broker.url, "reconnect_max_s": 0.5, **settings})
    return BrokerSource(connection, sink, connection=0, subscriptions=["v1.1/#"])


async def send(broker: Mosquitto, *payloads: object, context: ssl.SSLContext | None = None) -> None:
    async with aiomqtt.Client(
        "localhost",
        broker.port,
        username=broker.username or None,
        password=broker.password or None,
        tls_context=context,
    ) as client:
        for payload in payloads:
            await client.publish(TOPIC, json.dumps(payload), qos=1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_was_not_acknowledged_comes_again_after_reconnecting(
    mosquitto_server: Mosquitto, version: ProtocolVersion
) -> None:
    sink = RecordingSink()
    first = source(sink, mosquitto_server, protocol=version)
    await first.start()
    await asyncio.wait_for(first.connected.wait(), 20)
    assert first.trouble is None
    await send(mosquitto_server, 1, 2, 3)
    await eventually(lambda: len(sink.arrivals) == 3)
    for arrival in sink.arrivals[:2]:
        assert arrival.acknowledge is not None
        arrival.acknowledge()
    await first.close()
    again = RecordingSink()
    second = source(again, mosquitto_server, protocol=version)
    await second.start()
    await eventually(lambda: len(again.arrivals) == 1)
    assert again.arrivals[0].payload == b"3"
    await second.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_more_messages_than_the_broker_has_on_the_way_at_once_come_in_order(
    mosquitto_server: Mosquitto, version: ProtocolVersion
) -> None:
    sink = RecordingSink()
    connection = source(sink, mosquitto_server, protocol=version)
    await connection.start()
    await asyncio.wait_for(connection.connected.wait(), 20)
    await send(mosquitto_server, *range(100))
    taken = 0

    def acknowledge_all() -> bool:
        nonlocal taken
        for arrival in sink.arrivals[taken:]:
            assert arrival.acknowledge is not None
            arrival.acknowledge()
            taken += 1
        return taken == 100

    await eventually(acknowledge_all)
    assert [int(arrival.payload) for arrival in sink.arrivals] == list(range(100))
    await connection.close()


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_full_connector_goes_away_and_comes_back(mosquitto_server: Mosquitto, qos: int) -> None:
    sink = RecordingSink()
    connection = source(sink, mosquitto_server, qos=qos)
    await connection.start()
    await asyncio.wait_for(connection.connected.wait(), 20)
    connection.pause()
    sink.is_overfull = True
    await send(mosquitto_server, 1)
    await eventually(lambda: not connection.connected.is_set())
    assert connection.trouble is not None
    assert "no room" in connection.trouble
    sink.is_overfull = False
    connection.resume()
    await asyncio.wait_for(connection.connected.wait(), 20)
    await send(mosquitto_server, 2)
    await eventually(lambda: sink.arrivals != [] and sink.arrivals[-1].payload == b"2")
    # The broker keeps what was sent with QoS 1; QoS 0 it forgets, and that is counted.
    assert [arrival.payload for arrival in sink.arrivals] == ([b"1", b"2"] if qos else [b"2"])
    assert connection.lost == (0 if qos else 1)
    await connection.close()


async def test_a_broker_that_is_away_comes_back(home: Path, mosquitto_server: Mosquitto) -> None:
    broker = ExternalBroker(url=mosquitto_server.url, reconnect_max_s=0.5)
    async with running(home, broker) as connector:
        (connection,) = connector.sources
        assert isinstance(connection, BrokerSource)
        await asyncio.wait_for(connection.connected.wait(), 20)
        await send(mosquitto_server, {"result": 1})
        await eventually(lambda: _values(connector, [1]))
        mosquitto_server.stop()
        await eventually(lambda: connection.trouble is not None)
        mosquitto_server.start()
        await asyncio.wait_for(connection.connected.wait(), 20)
        assert connection.trouble is None
        await send(mosquitto_server, {"result": 2}, {"result": "broken"})
        await eventually(lambda: _values(connector, [1, 2]))
        await eventually(lambda: _reasons(connector))


async def test_tls_with_a_certificate_authority_of_ones_own_and_a_password(
    home: Path, secure_mosquitto_server: Mosquitto
) -> None:
    server = secure_mosquitto_server
    password_file = home / "password"
    password_file.write_text(server.password + "\n")
    broker = ExternalBroker(
        url=server.url, name=server.username, password_file=password_file, ca_file=server.certificate_authority
    )
    async with running(home, broker) as connector:
        await eventually(lambda: connector.sources[0].trouble is None)
        await send(server, {"result": 1}, context=ssl.create_default_context(cafile=server.certificate_authority))
        await eventually(lambda: _values(connector, [1]))


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"ca_file": None}, {"url": "mqtts://localhost:1"}])
async def test_why_there_is_no_connection_is_said(secure_mosquitto_server: Mosquitto, wrong: dict[str, Any]) -> None:
    server = secure_mosquitto_server
    right = {"name": server.username, "password": server.password, "ca_file": server.certificate_authority}
    connection = source(RecordingSink(), server, **(right | wrong))
    await connection.start()
    await eventually(lambda: connection.trouble is not None and "trying again" in connection.trouble)
    assert not connection.connected.is_set()
    await connection.close()


@pytest.mark.parametrize("wrong", [{"ca_file": "/does/not/exist.pem"}, {"password_file": "/does/not/exist"}])
async def test_missing_files_are_said_at_once(wrong: dict[str, Any]) -> None:
    settings = ExternalBroker.model_validate({"url": "mqtts://localhost", **wrong})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await BrokerSource(settings, RecordingSink(), connection=0, subscriptions=["a"]).start()


async def test_a_connection_that_would_read_nothing_is_refused() -> None:
    settings = ExternalBroker(url="mqtt://localhost", sensorthings=False)
    with pytest.raises(ConfigurationError, match="nothing would be read"):
        await BrokerSource(settings, RecordingSink(), connection=0, subscriptions=[]).start()


@pytest.mark.parametrize(
    "url", ["localhost:1883", "http://localhost", "mqtt://", "mqtt://user:secret@localhost", "mqtt://localhost:"]
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        ExternalBroker(url=url)


async def _values(connector: Any, expected: list[float]) -> bool:
    """Each at least once, which is what QoS 1 promises: one whose acknowledgement a stop overtook comes again."""
    return list(dict.fromkeys(observation.value for observation in await connector.observations())) == expected


async def _reasons(connector: Any) -> bool:
    return bool(await connector.reasons())
