"""The embedded MQTT listener: sensors connect to impetus itself, without a broker.

It takes messages in and hands nothing out: subscriptions are refused, wills and retained messages are of no use here.
QoS 1 and 2 are acknowledged only after the readings are on the bus; a full connector stops reading from the sockets,
so that TCP makes the senders wait. Why this is no general broker: docs/adr/0004-an-own-mqtt-listener.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hmac
import ssl
import uuid
from typing import cast

import structlog

from impetus.connectors.mqtt import packets
from impetus.connectors.mqtt.arrival import Arrival, Sink
from impetus.connectors.mqtt.credentials import Credentials
from impetus.connectors.mqtt.settings import EmbeddedListener
from impetus.model import Clock, ConfigurationError

CONNECT_LIMIT_S = 10.0
"""A peer that has not logged in by then is sent away."""
REFUSAL_DELAY_S = 1.0
"""A wrong password is answered after this long, so that trying many takes long."""
SWEEP_S = 2.0

log = structlog.get_logger(__name__)


class Listener:
    """Listens on a TCP port, with TLS if a certificate is set."""

    def __init__(
        self,
        settings: EmbeddedListener,
        sink: Sink,
        clock: Clock,
        *,
        connection: int,
        credentials: Credentials | None,
        max_payload_bytes: int,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._credentials = credentials
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._is_paused = False
        self._peers: set[_Peer] = set()
        self.sink = sink
        self.connection = connection
        self.max_payload_bytes = max_payload_bytes
        self.refused_logins = 0

    @property
    def port(self) -> int:
        """The port that is listened on; differs from the setting where that is 0."""
        if self._server is None:
            return self._settings.port
        return cast("int", self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """Peers that are connected now."""
        return len(self._peers)

    @property
    def lost(self) -> int:
        """None: a sender that is not read from waits."""
        return 0

    @property
    def trouble(self) -> str | None:
        """Nothing can be wrong with a listener that has started."""
        return None

    async def start(self) -> None:
        """Listen. Raises ConfigurationError if the port or the certificate cannot be used."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Peer(self), self._settings.host, self._settings.port, ssl=self._tls(), backlog=512
            )
        except OSError as error:
            raise ConfigurationError(
                f"the MQTT listener cannot listen on {self._settings.host}:{self._settings.port}: {error}",
                hint="choose another port, or stop what uses this one",
            ) from error
        self._sweeper = asyncio.create_task(self._sweep(), name="mqtt-listener-sweep")

    def pause(self) -> None:
        """Read no more from any socket."""
        self._is_paused = True
        for peer in self._peers:
            peer.pause()

    def resume(self) -> None:
        """Read again."""
        self._is_paused = False
        for peer in self._peers:
            peer.resume()

    async def close(self) -> None:
        """Send all peers away and stop listening."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        if self._server is not None:
            self._server.close()
            for peer in list(self._peers):
                peer.leave(packets.ReasonCode.SERVER_SHUTTING_DOWN)
            await self._server.wait_closed()
            self._server = None

    def admits(self, connect: packets.Connect) -> bool:
        """Whether name and password are right."""
        if self._settings.anonymous:
            return True
        if self._credentials is None or connect.name is None or connect.password is None:
            return False
        # Both are compared always and in constant time, so that the answer's timing tells nothing.
        name_fits = hmac.compare_digest(connect.name.encode(), self._credentials.name.encode())
        password_fits = hmac.compare_digest(connect.password, self._credentials.password.encode())
        return name_fits and password_fits

    def join(self, peer: _Peer) -> bool:
        """Note a peer; False if there are too many."""
        if len(self._peers) >= self._settings.max_connections:
            log.warning("mqtt.listener.full", limit=self._settings.max_connections)
            return False
        self._peers.add(peer)
        if self._is_paused:
            peer.pause()
        return True

    def part(self, peer: _Peer) -> None:
        """Forget a peer."""
        self._peers.discard(peer)

    def monotonic_s(self) -> float:
        """Time for keep-alives."""
        return self._clock.monotonic_s()

    def _tls(self) -> ssl.SSLContext | None:
        if self._settings.certificate_file is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self._settings.certificate_file, self._settings.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the MQTT listener's certificate {self._settings.certificate_file} cannot be read: {error}",
                hint="certificate_file and key_file are PEM files that belong together",
            ) from error
        return context

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = self.monotonic_s()
            for peer in [peer for peer in self._peers if now_s > peer.deadline_s]:
                peer.leave(packets.ReasonCode.KEEP_ALIVE_TIMEOUT)


class _Peer(asyncio.Protocol):
    """One connection. All methods run in the event loop and none waits."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._decoder = packets.Decoder(max_payload_bytes=listener.max_payload_bytes)
        self._transport: asyncio.Transport | None = None
        self._is_admitted = False
        self._keep_alive_s = 0.0
        # QoS 2: identifiers of messages that were taken and not yet released; a repeat of one is not taken again.
        self._unreleased: set[int] = set()
        self.deadline_s = listener.monotonic_s() + CONNECT_LIMIT_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._listener.join(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._listener.part(self)

    def data_received(self, data: bytes) -> None:
        for packet in self._decoder.feed(data):
            if isinstance(packet, packets.Publish):
                self._take(packet)
            else:
                self._answer(packet)
            if self._transport is None:
                return
        if self._keep_alive_s:
            self.deadline_s = self._listener.monotonic_s() + self._keep_alive_s
        if self._decoder.error is not None:
            log.info("mqtt.listener.protocol_error", reason=str(self._decoder.error))
            self.leave(packets.ReasonCode.PROTOCOL_ERROR)

    def pause(self) -> None:
        """Read no more."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again; a peer that was made to wait cannot have been heard meanwhile."""
        if self._transport is not None and not self._transport.is_reading() and not self._transport.is_closing():
            self.deadline_s = self._listener.monotonic_s() + (self._keep_alive_s or CONNECT_LIMIT_S)
            if self._is_admitted and not self._keep_alive_s:
                self.deadline_s = float("inf")
            self._transport.resume_reading()

    def leave(self, reason: packets.ReasonCode) -> None:
        """Close the connection, with a word to those who understand one."""
        if self._transport is not None:
            if self._decoder.version == 5 and self._is_admitted and reason is not packets.ReasonCode.SUCCESS:
                self._transport.write(packets.disconnect(reason))
            self._transport.close()
            self._transport = None

    def _take(self, packet: packets.Publish) -> None:
        if not self._is_admitted:
            self.leave(packets.ReasonCode.NOT_AUTHORISED)
            return
        acknowledge = None
        if packet.qos == 1:
            acknowledge = functools.partial(self._send, packets.puback(packet.packet_id))
        elif packet.qos == 2:
            if packet.packet_id in self._unreleased:
                self._send(packets.pubrec(packet.packet_id))
                return
            acknowledge = functools.partial(self._keep, packet.packet_id)
        self._listener.sink.accept(
            Arrival(self._listener.connection, packet.topic, packet.payload, packet.size_bytes, acknowledge)
        )

    def _keep(self, packet_id: int) -> None:
        self._unreleased.add(packet_id)
        self._send(packets.pubrec(packet_id))

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _answer(self, packet: packets.Packet) -> None:
        if isinstance(packet, packets.Connect):
            self._admit(packet)
        elif not self._is_admitted:
            self.leave(packets.ReasonCode.NOT_AUTHORISED)
        elif isinstance(packet, packets.Ping):
            self._send(packets.PINGRESP)
        elif isinstance(packet, packets.Release):
            self._unreleased.discard(packet.packet_id)
            self._send(packets.pubcomp(packet.packet_id))
        elif isinstance(packet, packets.Subscribe):
            self._send(packets.refuse_subscription(self._decoder.version, packet))
        elif isinstance(packet, packets.Disconnect):
            self.leave(packets.ReasonCode.SUCCESS)

    def _admit(self, connect: packets.Connect) -> None:
        if not self._listener.admits(connect):
            self._listener.refused_logins += 1
            log.warning("mqtt.listener.login_refused", client=ascii(connect.client_id[:64]))
            asyncio.get_running_loop().call_later(REFUSAL_DELAY_S, self._turn_away)
            self.pause()
            return
        self._is_admitted = True
        # 3.1.2.10: one and a half times the keep-alive; zero means that the client need never speak.
        self._keep_alive_s = connect.keep_alive_s * 1.5
        self.deadline_s = self._listener.monotonic_s() + self._keep_alive_s if self._keep_alive_s else float("inf")
        assigned = None if connect.client_id else f"impetus-{uuid.uuid4().hex}"
        self._send(packets.connack(connect.version, packets.ReasonCode.SUCCESS, assigned_client_id=assigned))

    def _turn_away(self) -> None:
        self._send(packets.connack(self._decoder.version, packets.ReasonCode.NOT_AUTHORISED))
        if self._transport is not None:
            self._transport.close()
            self._transport = None
