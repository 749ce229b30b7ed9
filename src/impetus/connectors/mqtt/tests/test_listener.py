"""The embedded listener with real clients: who gets in, when messages are acknowledged, what nobody can do to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import trustme
from pydantic import ValidationError

from impetus.connectors.mqtt import listener as module
from impetus.connectors.mqtt.credentials import Credentials, listener_credentials
from impetus.connectors.mqtt.listener import Listener
from impetus.connectors.mqtt.settings import EmbeddedListener
from impetus.connectors.mqtt.tests.conftest import eventually
from impetus.connectors.mqtt.tests.doubles import RecordingSink
from impetus.model import ConfigurationError, SystemClock

VERSIONS = [aiomqtt.ProtocolVersion.V31, aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5]
SECRET = Credentials("sensors", "correct horse")


@asynccontextmanager
async def listening(
    sink: RecordingSink, credentials: Credentials | None = None, max_payload_bytes: int = 1024 * 1024, **settings: Any
) -> AsyncIterator[Listener]:
    listener = Listener(
        EmbeddedListener(port=0, anonymous=credentials is None, **settings),
        sink,
        SystemClock(),
        connection=0,
        credentials=credentials,
        max_payload_bytes=max_payload_bytes,
    )
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_message_is_acknowledged_when_it_is_dealt_with_and_not_before(version: aiomqtt.ProtocolVersion) -> None:
    sink = RecordingSink()
    async with listening(sink) as listener, aiomqtt.Client("127.0.0.1", listener.port, protocol=version) as client:
        await client.publish("a/b", b"zero", qos=0)
        for qos in (1, 2):
            sending = asyncio.create_task(client.publish("a/b", str(qos), qos=qos))
            await eventually(lambda qos=qos: len(sink.arrivals) == qos + 1)
            await asyncio.sleep(0.05)
            assert not sending.done()
            acknowledge = sink.arrivals[qos].acknowledge
            assert acknowledge is not None
            acknowledge()
            await sending
        assert [(arrival.topic, arrival.payload) for arrival in sink.arrivals] == [
            ("a/b", b"zero"),
            ("a/b", b"1"),
            ("a/b", b"2"),
        ]
        assert sink.arrivals[0].acknowledge is None


@pytest.mark.parametrize("version", VERSIONS)
async def test_subscriptions_are_refused_since_nothing_is_handed_out(version: aiomqtt.ProtocolVersion) -> None:
    async with (
        listening(RecordingSink()) as listener,
        aiomqtt.Client("127.0.0.1", listener.port, protocol=version) as client,
    ):
        granted = await client.subscribe("#", qos=1)
        assert all((code if isinstance(code, int) else code.value) >= 0x80 for code in granted)
        await client.unsubscribe("#")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "password"), [(None, None), ("sensors", "wrong"), ("x", "correct horse")])
async def test_a_wrong_log_in_is_refused(
    version: aiomqtt.ProtocolVersion, name: str | None, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSAL_DELAY_S", 0.01)
    sink = RecordingSink()
    async with listening(sink, SECRET) as listener:
        with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori[sz]ed|refused"):
            async with aiomqtt.Client(
                "127.0.0.1", listener.port, username=name, password=password, protocol=version
            ) as client:
                await client.publish("a", b"x", qos=1)
        assert listener.refused_logins == 1
        async with aiomqtt.Client("127.0.0.1", listener.port, username=SECRET.name, password=SECRET.password) as client:
            await client.publish("a", b"x")
        await eventually(lambda: len(sink.arrivals) == 1)


async def test_messages_sent_along_with_a_wrong_password_are_not_taken() -> None:
    sink = RecordingSink()
    async with listening(sink, SECRET) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(bytes.fromhex("100d00044d5154540402003c000161") + b"\x30\x04\x00\x01ax")
        assert await reader.read() == b""
        writer.close()
    assert sink.arrivals == []


async def test_a_payload_that_is_too_large_is_cut_and_told_with_its_size() -> None:
    sink = RecordingSink()
    async with listening(sink) as listener, aiomqtt.Client("127.0.0.1", listener.port) as client:
        sending = asyncio.create_task(client.publish("a", b"x" * 10_000_000, qos=1))
        await eventually(lambda: len(sink.arrivals) == 1)
        assert (sink.arrivals[0].size_bytes, len(sink.arrivals[0].payload)) == (10_000_000, 16 * 1024)
        assert sink.arrivals[0].acknowledge is not None
        sink.arrivals[0].acknowledge()
        await sending


async def test_a_pause_makes_senders_wait_and_then_everything_comes_in_order() -> None:
    sink = RecordingSink()
    async with listening(sink) as listener, aiomqtt.Client("127.0.0.1", listener.port) as client:
        listener.pause()
        for number in range(500):
            await client.publish("a", str(number))
        await asyncio.sleep(0.05)
        assert sink.arrivals == []
        listener.resume()
        await eventually(lambda: len(sink.arrivals) == 500)
        assert [int(arrival.payload) for arrival in sink.arrivals] == list(range(500))


async def test_who_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_LIMIT_S", 0.05)
    monkeypatch.setattr(module, "SWEEP_S", 0.02)
    async with listening(RecordingSink()) as listener:
        silent, first = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await silent.read() == b""
        # Keep-alive of one second: sent away after one and a half.
        sleepy, second = await asyncio.open_connection("127.0.0.1", listener.port)
        second.write(bytes.fromhex("100d00044d51545404020001000161"))
        assert await sleepy.readexactly(4) == b"\x20\x02\x00\x00"
        assert await sleepy.read() == b""
        for writer in (first, second):
            writer.close()
        assert listener.connections == 0


async def test_there_are_no_more_connections_than_allowed() -> None:
    async with listening(RecordingSink(), max_connections=1) as listener:
        async with aiomqtt.Client("127.0.0.1", listener.port):
            with pytest.raises(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", listener.port, timeout=5):
                    pass
        await eventually(lambda: listener.connections == 0)


async def test_a_broken_stream_closes_only_its_own_connection() -> None:
    sink = RecordingSink()
    async with listening(sink) as listener, aiomqtt.Client("127.0.0.1", listener.port) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await client.publish("a", b"x")
        await eventually(lambda: len(sink.arrivals) == 1)


async def test_tls_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for part in certificate.cert_chain_pems:
        part.write_to_path(str(chain), append=True)
    certificate.private_key_pem.write_to_path(str(key))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    sink = RecordingSink()
    async with (
        listening(sink, SECRET, certificate_file=chain, key_file=key) as listener,
        aiomqtt.Client(
            "localhost", listener.port, username=SECRET.name, password=SECRET.password, tls_context=context
        ) as client,
    ):
        await client.publish("a", b"x")
        await eventually(lambda: len(sink.arrivals) == 1)


async def test_a_port_in_use_and_a_broken_certificate_are_said_plainly(tmp_path: Path) -> None:
    async with listening(RecordingSink()) as listener:
        second = Listener(
            EmbeddedListener(port=listener.port, anonymous=True),
            RecordingSink(),
            SystemClock(),
            connection=0,
            credentials=None,
            max_payload_bytes=1_000,
        )
        with pytest.raises(ConfigurationError, match=r"cannot listen on 127\.0\.0\.1"):
            await second.start()
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(ConfigurationError, match=r"broken\.pem cannot be read"):
        async with listening(RecordingSink(), certificate_file=broken, key_file=broken):
            pass


def test_a_password_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    settings = EmbeddedListener()
    first, second = listener_credentials(tmp_path, settings), listener_credentials(tmp_path, settings)
    assert first == second
    assert first is not None
    assert len(first.password) >= 20
    assert first.password not in repr(first)
    file = tmp_path / "secrets" / "mqtt.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert listener_credentials(tmp_path, EmbeddedListener(anonymous=True)) is None
    given = EmbeddedListener.model_validate({"name": "n", "password": "p"})
    assert listener_credentials(tmp_path, given) == Credentials("n", "p")
    file.write_text("{")
    with pytest.raises(ConfigurationError, match=r"mqtt\.json cannot be read"):
        listener_credentials(tmp_path, settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "0.0.0.0", "anonymous": True},
        {"name": "only a name"},
        {"certificate_file": "chain.pem"},
        {"port": 70_000},
    ],
)
def test_a_listener_that_would_be_open_or_half_set_up_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EmbeddedListener.model_validate(wrong)
