"""Readings from a broker that the city runs already: reconnects for ever, keeps its session, acknowledges last."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import ssl
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from impetus.connectors.mqtt.arrival import Arrival, Sink
from impetus.connectors.mqtt.settings import ExternalBroker, ProtocolVersion
from impetus.model import ConfigurationError

RECEIVE_MAXIMUM = 4_000
"""Messages that a broker may have on the way to us without acknowledgement (MQTT 5)."""
FIRST_WAIT_S = 0.5
STEADY_S = 10.0
"""A connection that held this long starts the waiting times anew when it breaks."""

log = structlog.get_logger(__name__)
_quiet = logging.getLogger("impetus.connectors.mqtt.paho")
_quiet.setLevel(logging.ERROR)


class _Client(aiomqtt.Client):
    """aiomqtt acknowledges QoS 1 as soon as a message is read; here it is done when the message is dealt with.

    paho, which aiomqtt is built on, has manual acknowledgement but aiomqtt does not hand it on, and its message queue
    costs a task for each message: both are replaced by this class. A test holds the redelivery that this is about.
    """

    def __init__(self, sink: Sink, connection: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._sink = sink
        self._connection = connection
        self._client.manual_ack_set(True)
        self.lost = 0

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(no UTF-8)"
        acknowledge = functools.partial(self._acknowledge, message.mid, message.qos) if message.qos else None
        payload = bytes(message.payload)
        if self._sink.is_overfull:
            # Of QoS 1 nothing is lost by going away: the broker keeps what is not acknowledged. QoS 0 it forgets.
            self.lost += 1 if acknowledge is None else 0
            if not self._disconnected.done():
                self._disconnected.set_exception(aiomqtt.MqttError("no room for more messages at the moment"))
            return
        self._sink.accept(Arrival(self._connection, topic, payload, len(payload), acknowledge))

    def _acknowledge(self, message_id: int, qos: int) -> None:
        # A connection that broke meanwhile makes this fail; the broker then sends the message again.
        self._client.ack(message_id, qos)

    async def broken(self) -> None:
        """Wait until the connection ends. Raises aiomqtt.MqttError."""
        await asyncio.wait((self._disconnected,))
        reason = self._disconnected.exception()
        raise aiomqtt.MqttError(str(reason or "the broker closed the connection"))


CLOSE_S, CLOSE_ATTEMPTS = 3.0, 5


class BrokerSource:
    """A subscription at a broker."""

    def __init__(self, settings: ExternalBroker, sink: Sink, *, connection: int, subscriptions: list[str]) -> None:
        self._settings = settings
        self._sink = sink
        self._connection = connection
        self._topics = list(settings.topics) or subscriptions
        self._task: asyncio.Task[None] | None = None
        self._lost = 0
        self._room = asyncio.Event()
        self._room.set()
        self._trouble: str | None = f"{settings.url}: not connected yet"
        self.connected = asyncio.Event()
        """Set while the connection stands and everything is subscribed."""

    @property
    def lost(self) -> int:
        """Messages of QoS 0 that came while there was no room."""
        return self._lost

    @property
    def trouble(self) -> str | None:
        """Why there is no connection; None while there is one."""
        return self._trouble

    async def start(self) -> None:
        """Begin to connect. Raises ConfigurationError where files are missing or nothing would be read."""
        if not self._topics:
            raise ConfigurationError(
                f"nothing would be read from {self._settings.url}", hint="turn sensorthings on, or add a mapping"
            )
        password = self._password()
        context = self._tls()
        self._task = asyncio.create_task(self._stay_connected(password, context), name="mqtt-broker")

    def pause(self) -> None:
        """The broker holds messages back while they are not acknowledged; a broken connection is not made anew."""
        self._room.clear()

    def resume(self) -> None:
        """The broker goes on by itself as messages are acknowledged."""
        self._room.set()

    async def close(self) -> None:
        """Disconnect; the broker keeps the session."""
        task, self._task = self._task, None
        if task is None:
            return
        # The client may swallow a cancellation that comes while it connects or disconnects: then it is told again.
        for _ in range(CLOSE_ATTEMPTS):
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=CLOSE_S)
            if done:
                return
        log.warning("mqtt.broker.left", url=self._settings.url)

    async def _stay_connected(self, password: str | None, context: ssl.SSLContext | None) -> None:
        wait_s = FIRST_WAIT_S
        loop = asyncio.get_running_loop()
        while True:
            await self._room.wait()
            began_s = loop.time()
            client = self._new_client(password, context)
            try:
                async with client:
                    for topic in self._topics:
                        granted = await client.subscribe(topic, qos=self._settings.qos)
                        if any((code if isinstance(code, int) else code.value) >= 0x80 for code in granted):
                            raise aiomqtt.MqttError(f"the broker does not let us subscribe to {topic}")
                    self._trouble = None
                    self.connected.set()
                    log.info("mqtt.broker.connected", url=self._settings.url)
                    await client.broken()
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._trouble = f"{self._settings.url}: {error}; trying again"
                log.warning("mqtt.broker.disconnected", url=self._settings.url, reason=str(error))
            finally:
                self.connected.clear()
                self._lost += client.lost
            if loop.time() - began_s > STEADY_S:
                wait_s = FIRST_WAIT_S
            # Jitter keeps many connectors from coming back in the same moment after a broker's restart.
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 (no secret)
            wait_s = min(wait_s * 2, self._settings.reconnect_max_s)

    def _new_client(self, password: str | None, context: ssl.SSLContext | None) -> _Client:
        settings = self._settings
        arguments: dict[str, Any] = {}
        if settings.protocol is ProtocolVersion.V5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
            properties.SessionExpiryInterval = settings.session_expiry_s if settings.qos else 0
            arguments |= {
                "protocol": aiomqtt.ProtocolVersion.V5,
                "properties": properties,
                "clean_start": not settings.qos,
            }
        else:
            arguments |= {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": not settings.qos}
        return _Client(
            self._sink,
            self._connection,
            hostname=settings.host,
            port=settings.port,
            username=settings.name,
            password=password,
            identifier=settings.client_id,
            tls_context=context,
            keepalive=settings.keep_alive_s,
            logger=_quiet,
            **arguments,
        )

    def _password(self) -> str | None:
        if self._settings.password is not None:
            return self._settings.password.get_secret_value()
        if self._settings.password_file is None:
            return None
        try:
            with contextlib.closing(self._settings.password_file.open(encoding="utf-8")) as stream:
                return stream.readline().rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the password file {self._settings.password_file} cannot be read: {error}"
            ) from error

    def _tls(self) -> ssl.SSLContext | None:
        if not self._settings.is_tls:
            return None
        try:
            return ssl.create_default_context(cafile=self._settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the authority's certificate {self._settings.ca_file} cannot be read: {error}",
                hint="ca_file is a PEM file with the certificate that signed the broker's",
            ) from error
