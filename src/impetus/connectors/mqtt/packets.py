"""MQTT packets as a server that only takes readings in has to read and write them; pure bytes, no I/O.

Sources: OASIS MQTT 3.1.1 and OASIS MQTT 5.0. The numbers in comments are sections of MQTT 5.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

CONTROL_LIMIT_BYTES = 256 * 1024
"""A packet other than PUBLISH may have this size; CONNECT with the largest will message fits."""
KEPT_HEAD_BYTES = 16 * 1024
"""So much of a payload that is too large is kept to be shown."""
_HEADER_ALLOWANCE_BYTES = 2 + 65_535 + 2 + 1024
"""What may stand before the payload in a PUBLISH."""


class ProtocolError(Exception):
    """The peer does not speak MQTT as the standard has it: the connection is closed."""


class ReasonCode(IntEnum):
    """Reason codes of MQTT 5 (2.4), and what a 3.1.1 CONNACK says instead."""

    SUCCESS = 0x00
    UNSPECIFIED = 0x80
    PROTOCOL_ERROR = 0x82
    NOT_AUTHORISED = 0x87
    SERVER_SHUTTING_DOWN = 0x8B
    KEEP_ALIVE_TIMEOUT = 0x8D
    SERVER_BUSY = 0x89


_CONNACK_311 = {
    ReasonCode.SUCCESS: 0,
    ReasonCode.NOT_AUTHORISED: 5,
    ReasonCode.SERVER_BUSY: 3,
}


@dataclass(frozen=True, slots=True)
class Connect:
    """A client asks to come in."""

    version: int
    client_id: str
    keep_alive_s: int
    name: str | None
    password: bytes | None


@dataclass(frozen=True, slots=True)
class Publish:
    """A message. If it is too large, `payload` is only its head and `size_bytes` says how much there was."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """PUBREL: the sender has seen that a QoS 2 message arrived."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE or UNSUBSCRIBE with how many filters."""

    packet_id: int
    filters: int
    is_undo: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """PINGREQ."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client leaves."""


Packet = Connect | Publish | Release | Subscribe | Ping | Disconnect


class Decoder:
    """Cuts a byte stream into packets; memory is bounded whatever arrives."""

    def __init__(self, *, max_payload_bytes: int) -> None:
        self.version = 4
        """Protocol level of the client; known after its CONNECT."""
        self.error: ProtocolError | None = None
        """Set when the stream broke the protocol; what was read before it still counts."""
        self._max_payload = max_payload_bytes
        self._rest = b""
        self._is_connected = False
        self._skip = 0
        self._oversized: Publish | None = None

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that `data` completes, in order. Sets `error`, and then reads no more."""
        packets: list[Packet] = []
        if self.error is not None:
            return packets
        if self._skip:
            if len(data) < self._skip:
                self._skip -= len(data)
                return packets
            data = data[self._skip :]
            self._finish_oversized(packets)
        buffer = self._rest + data if self._rest else data
        position = 0
        try:
            while len(buffer) - position >= 2:
                length, start = _variable_integer(buffer, position + 1)
                if start < 0:
                    break
                first = buffer[position]
                self._check(first, length)
                end = start + length
                if end > len(buffer):
                    is_too_large = first >> 4 == 3 and length > self._max_payload + _HEADER_ALLOWANCE_BYTES
                    if is_too_large and len(buffer) - start >= _HEADER_ALLOWANCE_BYTES + KEPT_HEAD_BYTES:
                        self._begin_oversized(first, buffer, start, end)
                        position = len(buffer)
                    break
                packets.append(self._decode(first, buffer, start, end))
                position = end
        except ProtocolError as error:
            self.error = error
            position = len(buffer)
        except (IndexError, UnicodeDecodeError) as error:
            self.error = ProtocolError(f"a packet is malformed: {error}")
            position = len(buffer)
        self._rest = buffer[position:]
        return packets

    def _check(self, first: int, length: int) -> None:
        kind = first >> 4
        if not self._is_connected and kind != 1:
            raise ProtocolError("the first packet is not CONNECT")
        if kind != 3 and length > CONTROL_LIMIT_BYTES:
            raise ProtocolError(f"a packet of type {kind} has {length:,} bytes; the limit is {CONTROL_LIMIT_BYTES:,}")

    def _decode(self, first: int, buffer: bytes, start: int, end: int) -> Packet:
        kind = first >> 4
        if kind == 3:
            return self._publish(first, buffer, start, end, end - start)
        if kind == 1:
            if self._is_connected:
                raise ProtocolError("CONNECT came twice")
            connect = _connect(buffer[start:end])
            self.version = connect.version
            self._is_connected = True
            return connect
        if kind == 12:
            return Ping()
        if kind == 14:
            return Disconnect()
        if kind in (6, 8, 10):
            if first & 0x0F != 2:
                raise ProtocolError(f"a packet of type {kind} has wrong flags")
            packet_id = _short(buffer, start, end)
            if kind == 6:
                return Release(packet_id)
            return Subscribe(packet_id, self._count_filters(kind, buffer[start + 2 : end]), kind == 10)
        raise ProtocolError(f"a client does not send packets of type {kind} here")

    def _publish(self, first: int, buffer: bytes, start: int, end: int, length: int) -> Publish:
        qos = (first >> 1) & 3
        if qos == 3:
            raise ProtocolError("QoS 3 does not exist")
        position = start + 2 + ((buffer[start] << 8) | buffer[start + 1])
        if position > end:
            raise ProtocolError("a topic is longer than its packet")
        topic = buffer[start + 2 : position].decode()
        if not topic or "+" in topic or "#" in topic or "\0" in topic:
            raise ProtocolError("a message has no topic, or one with wildcards")
        packet_id = 0
        if qos:
            packet_id = _short(buffer, position, end)
            if packet_id == 0:
                raise ProtocolError("a message with QoS has packet identifier 0")
            position += 2
        if self.version == 5:
            properties, position = _variable_integer(buffer, position)
            if position < 0:
                raise ProtocolError("a message ends within its properties")
            position += properties
        if position > end:
            raise ProtocolError("a message ends within its header")
        return Publish(topic, bytes(buffer[position:end]), qos, packet_id, length - (position - start))

    def _begin_oversized(self, first: int, buffer: bytes, start: int, end: int) -> None:
        head = self._publish(first, buffer, start, len(buffer), end - start)
        self._oversized = Publish(head.topic, head.payload[:KEPT_HEAD_BYTES], head.qos, head.packet_id, head.size_bytes)
        self._skip = end - len(buffer)

    def _finish_oversized(self, packets: list[Packet]) -> None:
        self._skip = 0
        if self._oversized is not None:
            packets.append(self._oversized)
            self._oversized = None

    def _count_filters(self, kind: int, body: bytes) -> int:
        position = 0
        if self.version == 5:
            properties, position = _variable_integer(body, 0)
            if position < 0:
                raise ProtocolError("a subscription ends within its properties")
            position += properties
        filters = 0
        while position < len(body):
            position += 2 + _short(body, position, len(body)) + (1 if kind == 8 else 0)
            filters += 1
        if position != len(body) or not filters:
            raise ProtocolError("a subscription is malformed")
        return filters


def connack(version: int, reason: ReasonCode, *, assigned_client_id: str | None = None) -> bytes:
    """The answer to CONNECT (3.2)."""
    if version < 5:
        return bytes((0x20, 2, 0, _CONNACK_311.get(reason, 3)))
    properties = b""
    if assigned_client_id is not None:
        encoded = assigned_client_id.encode()
        properties = b"\x12" + len(encoded).to_bytes(2, "big") + encoded
    body = bytes((0, reason, len(properties))) + properties
    return bytes((0x20, len(body))) + body


def puback(packet_id: int) -> bytes:
    """A QoS 1 message is kept (3.4)."""
    return bytes((0x40, 2, packet_id >> 8, packet_id & 0xFF))


def pubrec(packet_id: int) -> bytes:
    """A QoS 2 message is kept (3.5)."""
    return bytes((0x50, 2, packet_id >> 8, packet_id & 0xFF))


def pubcomp(packet_id: int) -> bytes:
    """A QoS 2 message's identifier is free again (3.7)."""
    return bytes((0x70, 2, packet_id >> 8, packet_id & 0xFF))


def refuse_subscription(version: int, packet: Subscribe) -> bytes:
    """SUBACK that grants nothing (3.9), or UNSUBACK (3.11)."""
    code = b"" if packet.is_undo and version < 5 else bytes((0x87 if version == 5 else 0x80,)) * packet.filters
    if packet.is_undo and version == 5:
        code = bytes((0x11,)) * packet.filters
    body = packet.packet_id.to_bytes(2, "big") + (b"\0" if version == 5 else b"") + code
    return bytes((0xB0 if packet.is_undo else 0x90,)) + _encode_variable_integer(len(body)) + body


PINGRESP = b"\xd0\x00"


def disconnect(reason: ReasonCode) -> bytes:
    """The server ends the connection (3.14); only MQTT 5 has this packet."""
    return bytes((0xE0, 1, reason))


def _connect(body: bytes) -> Connect:
    protocol, position = _text(body, 0)
    version = body[position]
    if (protocol, version) not in (("MQTT", 4), ("MQTT", 5), ("MQIsdp", 3)):
        raise ProtocolError("only MQTT 3.1, 3.1.1 and 5 are spoken here")
    flags = body[position + 1]
    if flags & 1:
        raise ProtocolError("CONNECT has its reserved flag set")
    keep_alive_s = _short(body, position + 2, len(body))
    position += 4
    if version == 5:
        position = _skip_properties(body, position)
    client_id, position = _text(body, position)
    if flags & 0x04:
        if version == 5:
            position = _skip_properties(body, position)
        position = _skip_binary(body, _skip_binary(body, position))
    name: str | None = None
    password: bytes | None = None
    if flags & 0x80:
        name, position = _text(body, position)
    if flags & 0x40:
        end = _skip_binary(body, position)
        password = bytes(body[position + 2 : end])
        position = end
    if position != len(body):
        raise ProtocolError("CONNECT has bytes left over")
    return Connect(version, client_id, keep_alive_s, name, password)


def _short(buffer: bytes, position: int, end: int) -> int:
    if position + 2 > end:
        raise ProtocolError("a packet is too short")
    return (buffer[position] << 8) | buffer[position + 1]


def _skip_binary(buffer: bytes, position: int) -> int:
    end = position + 2 + _short(buffer, position, len(buffer))
    if end > len(buffer):
        raise ProtocolError("a field is longer than its packet")
    return end


def _text(buffer: bytes, position: int) -> tuple[str, int]:
    end = _skip_binary(buffer, position)
    return bytes(buffer[position + 2 : end]).decode(), end


def _skip_properties(buffer: bytes, position: int) -> int:
    length, position = _variable_integer(buffer, position)
    if position < 0 or position + length > len(buffer):
        raise ProtocolError("a packet ends within its properties")
    return position + length


def _variable_integer(buffer: bytes, position: int) -> tuple[int, int]:
    """Value and the position after it; position -1 if the buffer ends first (1.5.5)."""
    value = 0
    for shift in (0, 7, 14, 21):
        if position >= len(buffer):
            return 0, -1
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ProtocolError("a length has more than four bytes")


def _encode_variable_integer(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, byte = divmod(value, 128)
        encoded.append(byte | 0x80 if value else byte)
        if not value:
            return bytes(encoded)
