"""Many small sensors for load tests: the cheapest sender there can be, so that the test measures the receiver.

A general MQTT client spends more on sending a message than the whole connector spends on taking it in. Here PUBLISH
packets (MQTT 3.1.1, QoS 0) are written in one go for all sensors that are due.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from datetime import datetime

from impetus.model import Clock, Datastream, Unavailable

TICK_S = 0.02
CONNECT_LIMIT_S = 10.0


class LoadSender:
    """Sends one reading a second for each datastream, evenly spread over the second."""

    def __init__(self, datastreams: Sequence[Datastream], clock: Clock, *, prefix: str, seed: int) -> None:
        self._topics = [f"{prefix}/Datastreams({datastream.id})/Observations".encode() for datastream in datastreams]
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311 (a reproducible exercise, no secret)
        self.sent = 0

    async def run(self, host: str, port: int, name: str | None, password: str | None, stop: asyncio.Event) -> None:
        """Send until `stop` is set. Raises OSError when the connection breaks and Unavailable when it is refused."""
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(connect_packet("exercise-load", name, password))
            async with asyncio.timeout(CONNECT_LIMIT_S):
                answer = await reader.readexactly(4)
            if answer[3] != 0:
                raise Unavailable(f"the MQTT listener refused the load test's log-in (code {answer[3]})")
            began_s = self._clock.monotonic_s()
            sent_here = 0
            while not stop.is_set():
                due = int((self._clock.monotonic_s() - began_s) * len(self._topics)) - sent_here
                if due > 0:
                    if writer.is_closing():
                        raise ConnectionResetError("the MQTT listener closed the connection")
                    writer.write(self._packets(self.sent, due, self._clock.now()))
                    # Waits when the receiver does not keep up: what is late is still sent.
                    await writer.drain()
                    self.sent += due
                    sent_here += due
                await asyncio.sleep(TICK_S)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise ConnectionError(f"the MQTT listener closed the connection: {error}") from error
        finally:
            writer.close()

    def _packets(self, first: int, count: int, now: datetime) -> bytes:
        day = math.sin((now.timestamp() % 86_400 / 3_600 - 8) / 24 * 2 * math.pi)
        moment = now.isoformat(timespec="milliseconds").encode()
        packets = bytearray()
        for number in range(first, first + count):
            position = number % len(self._topics)
            level = 58.0 + 8.0 * day + position % 7 + self._chance.gauss(0.0, 0.8)
            payload = b'{"phenomenonTime":"%s","result":%.1f}' % (moment, level)
            packets += publish_packet(self._topics[position], payload)
        return bytes(packets)


def connect_packet(client_id: str, name: str | None, password: str | None) -> bytes:
    """CONNECT of MQTT 3.1.1 with a clean session and no keep-alive."""
    flags = 0x02 | (0x80 if name is not None else 0) | (0x40 if password is not None else 0)
    body = b"\x00\x04MQTT\x04" + bytes((flags, 0, 0)) + _text(client_id)
    body += _text(name) if name is not None else b""
    body += _text(password) if password is not None else b""
    return b"\x10" + _length(len(body)) + body


def publish_packet(topic: bytes, payload: bytes, packet_id: int | None = None) -> bytes:
    """PUBLISH of MQTT 3.1.1, with QoS 1 where a packet identifier is given, else with QoS 0."""
    identifier = b"" if packet_id is None else packet_id.to_bytes(2, "big")
    body = len(topic).to_bytes(2, "big") + topic + identifier + payload
    return (b"\x30" if packet_id is None else b"\x32") + _length(len(body)) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, byte = divmod(value, 128)
        encoded.append(byte | 0x80 if value else byte)
        if not value:
            return bytes(encoded)
