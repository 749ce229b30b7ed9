"""The packet decoder reads what clients send, in any pieces, and survives everything else within bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.connectors.mqtt import packets
from impetus.connectors.mqtt.packets import Connect, Decoder, Disconnect, Packet, Ping, Publish, Release, Subscribe

LIMIT = 1024 * 1024
CONNECT_311 = bytes.fromhex("101000044d5154540402003c000474657374")
CONNECT_5 = bytes.fromhex("101100044d5154540502003c00000474657374")


def packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + packets._encode_variable_integer(len(body)) + body


def publish(topic: str, payload: bytes, qos: int = 0, packet_id: int = 7, properties: bytes | None = None) -> bytes:
    encoded = topic.encode()
    body = len(encoded).to_bytes(2, "big") + encoded
    body += packet_id.to_bytes(2, "big") if qos else b""
    body += bytes((len(properties),)) + properties if properties is not None else b""
    return packet(0x30 | qos << 1, body + payload)


def read(stream: bytes, limit: int = LIMIT) -> tuple[list[Packet], Decoder]:
    decoder = Decoder(max_payload_bytes=limit)
    return decoder.feed(stream), decoder


def test_a_session_of_mqtt_311() -> None:
    found, decoder = read(
        CONNECT_311
        + publish("a/b", b"one")
        + publish("a/b", b"two", qos=1, packet_id=300)
        + publish("a/b", b"three", qos=2, packet_id=5)
        + b"\x62\x02\x00\x05"
        + b"\x82\x08\x00\x09\x00\x01a\x00"[:2]
        + b"\x00\x09\x00\x03a/#\x00"
        + b"\xc0\x00\xe0\x00"
    )
    assert decoder.error is None
    assert found == [
        Connect(4, "test", 60, None, None),
        Publish("a/b", b"one", 0, 0, 3),
        Publish("a/b", b"two", 1, 300, 3),
        Publish("a/b", b"three", 2, 5, 5),
        Release(5),
        Subscribe(9, 1, False),
        Ping(),
        Disconnect(),
    ]


def test_a_session_of_mqtt_5_with_properties() -> None:
    found, decoder = read(CONNECT_5 + publish("a", b"x", qos=1, properties=b"\x01\x01"))
    assert decoder.error is None
    assert found == [Connect(5, "test", 60, None, None), Publish("a", b"x", 1, 7, 1)]


def test_name_password_and_will_are_read() -> None:
    body = (
        b"\x00\x04MQTT\x04\xee\x00\x00"
        + b"\x00\x01c"
        + b"\x00\x01w"
        + b"\x00\x02no"
        + b"\x00\x02me"
        + b"\x00\x03pw\xff"
    )
    found, decoder = read(packet(0x10, body))
    assert decoder.error is None
    assert found == [Connect(4, "c", 0, "me", b"pw\xff")]


@pytest.mark.parametrize(
    "stream",
    [
        publish("a", b"x"),
        CONNECT_311 + CONNECT_311,
        CONNECT_311 + publish("a/#", b"x"),
        CONNECT_311 + publish("", b"x"),
        CONNECT_311 + publish("a", b"x", qos=3),
        CONNECT_311 + publish("a", b"x", qos=1, packet_id=0),
        CONNECT_311 + b"\x30\xff\xff\xff\xff\x01",
        CONNECT_311 + b"\x30\x02\x00\x09",
        CONNECT_311 + b"\x30\x03\x00\x01\xff",
        CONNECT_311 + b"\xc0" + b"\xff\xff\xff\x7f",
        CONNECT_311 + b"\x40\x02\x00\x01",
        CONNECT_311 + b"\x60\x02\x00\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        packet(0x10, b"\x00\x04MQTT\x09\x02\x00\x3c\x00\x00"),
    ],
)
def test_what_breaks_the_protocol_is_noticed(stream: bytes) -> None:
    found, decoder = read(stream)
    assert decoder.error is not None
    assert len(found) <= 1
    assert decoder.feed(CONNECT_311) == []


@pytest.mark.parametrize("piece", [1_000, 65_536, 20_000_000])
def test_a_payload_that_is_too_large_is_skipped_and_only_its_head_is_kept(piece: int) -> None:
    stream = CONNECT_311 + publish("a", b"x" * 10_000_000, qos=1) + publish("a", b"after")
    decoder = Decoder(max_payload_bytes=LIMIT)
    found: list[Packet] = []
    for start in range(0, len(stream), piece):
        found += decoder.feed(stream[start : start + piece])
        if piece < 1_000_000:
            assert len(decoder._rest) < LIMIT + 200_000
    assert decoder.error is None
    large = found[1]
    assert isinstance(large, Publish)
    assert (large.topic, large.packet_id, large.size_bytes) == ("a", 7, 10_000_000)
    assert found[2] == Publish("a", b"after", 0, 0, 5)


STREAMS = st.lists(
    st.sampled_from([b"\xc0\x00", b"\x62\x02\x00\x05", CONNECT_311, b"\xe0\x00"])
    | st.builds(publish, st.text("ab/é", min_size=1, max_size=9), st.binary(max_size=300), st.integers(0, 2))
    | st.binary(max_size=20),
    max_size=8,
).map(lambda parts: CONNECT_311 + b"".join(parts))


@settings(max_examples=300)
@given(STREAMS, st.lists(st.integers(1, 50), min_size=1))
def test_pieces_make_no_difference(stream: bytes, pieces: list[int]) -> None:
    whole, first = read(stream)
    second = Decoder(max_payload_bytes=LIMIT)
    found: list[Packet] = []
    position = 0
    while position < len(stream):
        for size in pieces:
            found += second.feed(stream[position : position + size])
            position += size
    assert found == whole
    assert (first.error is None) == (second.error is None)


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([b"", CONNECT_311, CONNECT_5]))
def test_any_bytes_are_read_or_refused(noise: bytes, start: bytes) -> None:
    decoder = Decoder(max_payload_bytes=1_024)
    for position in range(0, len(noise), 7):
        decoder.feed((start if position == 0 else b"") + noise[position : position + 7])
    assert len(decoder._rest) < 300_000


def test_answers_are_what_the_standards_say() -> None:
    assert packets.connack(4, packets.ReasonCode.SUCCESS) == b"\x20\x02\x00\x00"
    assert packets.connack(4, packets.ReasonCode.NOT_AUTHORISED) == b"\x20\x02\x00\x05"
    assert packets.connack(5, packets.ReasonCode.NOT_AUTHORISED) == b"\x20\x03\x00\x87\x00"
    assert packets.puback(300) == b"\x40\x02\x01\x2c"
    assert packets.refuse_subscription(4, Subscribe(9, 2, False)) == b"\x90\x04\x00\x09\x80\x80"
    assert packets.refuse_subscription(4, Subscribe(9, 2, True)) == b"\xb0\x02\x00\x09"
    assert packets.refuse_subscription(5, Subscribe(9, 1, False)) == b"\x90\x04\x00\x09\x00\x87"
