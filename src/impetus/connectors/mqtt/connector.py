"""The connector: messages in, checked readings on the bus, acknowledgement last."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog

from impetus.bus.protocol import Bus
from impetus.connectors.mqtt.arrival import Arrival, Source
from impetus.connectors.mqtt.credentials import listener_credentials
from impetus.connectors.mqtt.external import BrokerSource
from impetus.connectors.mqtt.grouping import Grouping
from impetus.connectors.mqtt.listener import Listener
from impetus.connectors.mqtt.payload import PayloadRefused
from impetus.connectors.mqtt.refusals import Refusal, RefusalLimiter
from impetus.connectors.mqtt.registry import Registry
from impetus.connectors.mqtt.routing import Router
from impetus.connectors.mqtt.settings import EmbeddedListener, MqttSettings
from impetus.connectors.mqtt.validation import TimeWindow, validate
from impetus.model import (
    SYSTEM_TENANT,
    Clock,
    ClockWatch,
    Datastream,
    Envelope,
    Health,
    HealthState,
    ImpetusError,
    InvalidInput,
    to_microseconds,
)
from impetus.sdk.pseudonyms import Pseudonyms
from impetus.store import Store

PART = "connector-mqtt"
PSEUDONYMS_FOR = "mqtt"
"""The purpose for which identifiers in topics have pseudonyms."""
HEALTH_INTERVAL_S = 2.0
DRAIN_LIMIT_S = 5.0
"""How long a connector that is told to stop still tries to get rid of what it holds."""
RETRY_FIRST_S, RETRY_LONGEST_S = 0.1, 2.0
_HURRY_BYTES_PER_READING = 24
"""A data array's row is about this long: so many waiting bytes are worth sending before the grouping time is over."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """What the connector did since it started."""

    messages: int = 0
    readings: int = 0
    dead_letters: int = 0


@dataclass(slots=True)
class _Work:
    """What one round found in the messages it looked at."""

    arrivals: list[Arrival] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class Connector:
    """Takes messages from sources and publishes their readings, in order per datastream.

    A message is acknowledged once its readings are on the bus or set aside as a dead letter. While the bus takes
    nothing, messages wait in memory up to the set limits; beyond them sources are paused, so that the senders wait.
    """

    def __init__(
        self, settings: MqttSettings, bus: Bus, registry: Registry, clock: Clock, home: Path | None = None
    ) -> None:
        """`home` is the folder of all state, where the keys of pseudonyms lie; mappings with identifiers need it."""
        self._settings = settings
        self._bus = bus
        self._registry = registry
        self._clock = clock
        self._clock_watch = ClockWatch()
        self._routers = [
            Router(
                connection,
                max_payload_bytes=settings.max_payload_bytes,
                pseudonym_of=Pseudonyms(home, connection.tenant, PSEUDONYMS_FOR, clock).of if home else None,
            )
            for connection in settings.connections
        ]
        self._tenants = [connection.tenant for connection in settings.connections]
        self._grouping = Grouping(settings.partitions)
        self._limiter = RefusalLimiter()
        self._waiting: deque[Arrival] = deque()
        self._waiting_bytes = 0
        self._oldest_s = 0.0
        self._arrived = asyncio.Event()
        self._hurry = asyncio.Event()
        self._sources: Sequence[Source] = ()
        self._are_paused = False
        self._stopping = False
        self._publish_trouble: str | None = None
        self._last_refusal: str | None = None
        self.counts = Counts()

    @property
    def is_full(self) -> bool:
        """Whether sources should pause."""
        return self._holds(1)

    @property
    def is_overfull(self) -> bool:
        """Whether a source that cannot be paused must hand on nothing more."""
        return self._holds(2)

    def _holds(self, times: int) -> bool:
        settings = self._settings
        return (
            len(self._waiting) >= times * settings.spool_messages or self._waiting_bytes >= times * settings.spool_bytes
        )

    def subscriptions(self, connection: int) -> list[str]:
        """Topic filters that bring everything that can be read on a connection."""
        return self._routers[connection].subscriptions()

    def feed_from(self, sources: Sequence[Source]) -> None:
        """The sources to pause when the connector is full."""
        self._sources = sources

    def accept(self, arrival: Arrival) -> None:
        """Take a message; never raises and never waits."""
        if not self._waiting:
            self._oldest_s = self._clock.monotonic_s()
            self._arrived.set()
        self._waiting.append(arrival)
        self._waiting_bytes += len(arrival.payload)
        settings = self._settings
        if (
            len(self._waiting) >= settings.flush_readings
            or self._waiting_bytes >= settings.flush_readings * _HURRY_BYTES_PER_READING
        ):
            self._hurry.set()
        if not self._are_paused and self.is_full:
            self._are_paused = True
            log.warning("mqtt.paused", messages=len(self._waiting), size_bytes=self._waiting_bytes)
            for source in self._sources:
                source.pause()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then get rid of what is held, for a few seconds at most."""
        pump = asyncio.create_task(self._pump(), name="mqtt-pump")
        health = asyncio.create_task(self._tell_health(), name="mqtt-health")
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait((pump, health, stopped), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            for source in self._sources:
                source.pause()
            self._stopping = True
            self._arrived.set()
            self._hurry.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_LIMIT_S):
                    await pump
            if self._waiting:
                log.warning("mqtt.stopped_with_messages", messages=len(self._waiting))
            await self._publish_health(HealthState.STOPPED)
        finally:
            for task in (pump, health, stopped):
                task.cancel()
            await asyncio.gather(pump, health, stopped, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            if not self._waiting:
                if self._stopping:
                    await self._keep_refusals(self._limiter.summaries(self._clock.monotonic_s(), everything=True))
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._wait_for_company()
            work = await self._read()
            envelopes = self._grouping.take(self._clock.now)
            if envelopes:
                await self._insist("the bus takes no readings", partial(self._publish, envelopes))
            await self._keep_refusals(work.refusals)
            for arrival in work.arrivals:
                if arrival.acknowledge is not None:
                    arrival.acknowledge()
            self._resume_if_half_empty()

    def _resume_if_half_empty(self) -> None:
        has_room = (
            len(self._waiting) * 2 <= self._settings.spool_messages
            and self._waiting_bytes * 2 <= self._settings.spool_bytes
        )
        if self._are_paused and has_room and not self._stopping:
            self._are_paused = False
            for source in self._sources:
                source.resume()

    async def _wait_for_company(self) -> None:
        """Until the grouping time of the oldest message is over, or enough messages are there."""
        settings = self._settings
        self._hurry.clear()
        if (
            self._stopping
            or len(self._waiting) >= settings.flush_readings
            or self._waiting_bytes >= settings.flush_readings * _HURRY_BYTES_PER_READING
        ):
            # Even in a hurry others get their turn: sockets are read, health is told.
            await asyncio.sleep(0)
            return
        remaining_s = settings.flush_ms / 1000 - (self._clock.monotonic_s() - self._oldest_s)
        if remaining_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining_s):
                    await self._hurry.wait()

    async def _read(self) -> _Work:
        """Take waiting messages until there are enough readings; their readings go into the grouping."""
        work = _Work()
        now = self._clock.now()
        arrival_us = to_microseconds(now)
        # Where this machine's clock was set back, it is no sensor's fault to be ahead of it.
        ahead_s = self._settings.max_ahead_s + self._clock_watch.behind_s()
        window = TimeWindow(
            earliest_us=to_microseconds(now - timedelta(days=self._settings.max_age_days)),
            latest_us=to_microseconds(now + timedelta(seconds=ahead_s)),
        )
        while self._waiting and self._grouping.count < self._settings.flush_readings:
            arrival = self._waiting.popleft()
            self._waiting_bytes -= len(arrival.payload)
            work.arrivals.append(arrival)
            if len(work.arrivals) >= 2 * self._settings.flush_readings:
                break
            await self._read_one(arrival, arrival_us, window, work.refusals)
        self._oldest_s = self._clock.monotonic_s()
        return work

    async def _read_one(self, arrival: Arrival, arrival_us: int, window: TimeWindow, refusals: list[Refusal]) -> None:
        tenant = self._tenants[arrival.connection]
        self.counts.messages += 1
        try:
            if arrival.size_bytes > self._settings.max_payload_bytes:
                limit = self._settings.max_payload_bytes
                raise PayloadRefused(f"the payload has {arrival.size_bytes:,} bytes; the limit is {limit:,}")
            parsed = self._routers[arrival.connection].parse(arrival.topic, arrival.payload, arrival_us=arrival_us)
        except PayloadRefused as error:
            topic, keep = self._routers[arrival.connection].shown(arrival.topic)
            refusals.append(Refusal(tenant, topic, arrival.payload if keep else b"", error.message))
            return
        topic, keep = (
            self._routers[arrival.connection].shown(arrival.topic) if parsed.refused else (arrival.topic, True)
        )
        registered = self._registry.of(tenant)
        for readings in parsed.readings:
            if readings.datastream not in registered and await self._registry.look_again(tenant):
                registered = self._registry.of(tenant)
            kept, refused = validate(readings, registered, window)
            if kept is not None:
                self._grouping.add(tenant, kept)
                self.counts.readings += len(kept.value)
            if refused:
                topic, keep = self._routers[arrival.connection].shown(arrival.topic)
            refusals.extend(Refusal(tenant, topic, part.body if keep else b"", part.reason) for part in refused)
        refusals.extend(Refusal(tenant, topic, part.body if keep else b"", part.reason) for part in parsed.refused)

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        try:
            await self._bus.publish(envelopes)
        except InvalidInput as error:
            # Never again acceptable: kept where a person sees it rather than tried for ever.
            for envelope in envelopes:
                await self._bus.set_aside(envelope.tenant, PART, envelope.subject, envelope.data, error.message)
                self.counts.dead_letters += 1

    async def _keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        now_s = self._clock.monotonic_s()
        letters = [refusal for refusal in refusals if self._limiter.admit(refusal, now_s)]
        self.counts.dead_letters += len(refusals)
        if refusals:
            self._last_refusal = f"{refusals[-1].reason} (topic {refusals[-1].topic[:100]!a})"
        for letter in letters + self._limiter.summaries(now_s):
            await self._insist("dead letters cannot be kept", partial(self._set_aside, letter))

    async def _set_aside(self, letter: Refusal) -> None:
        await self._bus.set_aside(letter.tenant, PART, letter.topic, letter.body, letter.reason)

    async def _insist(self, trouble: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try until it works: nothing that was taken is dropped because the bus is away for a while."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                await attempt()
            except Exception as error:  # of any kind: the bus may fail in ways that no contract foresees
                if not isinstance(error, ImpetusError):
                    log.exception("mqtt.bus_failed")
                self._publish_trouble = f"{trouble}: {error}"
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 (jitter, no secret)
                wait_s = min(wait_s * 2, RETRY_LONGEST_S)
            else:
                self._publish_trouble = None
                return

    async def _tell_health(self) -> None:
        while True:
            await self._publish_health(None)
            await asyncio.sleep(HEALTH_INTERVAL_S)

    async def _publish_health(self, state: HealthState | None) -> None:
        troubles = [source.trouble for source in self._sources]
        troubles += [self._publish_trouble, self._registry.trouble]
        if self._are_paused and not self._stopping:
            troubles.append(f"{len(self._waiting):,} messages wait; senders are made to wait too")
        found = [trouble for trouble in troubles if trouble]
        is_well = not found
        lost = sum(source.lost for source in self._sources)
        if lost:
            found.append(f"{lost:,} messages were lost: there was no room, and their broker does not keep them (QoS 0)")
        if self._last_refusal is not None:
            found.append(f"last dead letter: {self._last_refusal}")
        health = Health(
            part=PART,
            state=state or (HealthState.RUNNING if is_well else HealthState.DEGRADED),
            text="; ".join(found)[:2000],
            time=self._clock.now(),
            handled=self.counts.messages,
            dead_letters=self.counts.dead_letters,
        )
        envelope = Envelope.wrap(health, kind="health", tenant=SYSTEM_TENANT, origin=PART, time=health.time)
        try:
            async with asyncio.timeout(HEALTH_INTERVAL_S):
                await self._bus.publish([envelope])
        except (ImpetusError, TimeoutError) as error:
            log.warning("mqtt.health_not_told", reason=str(error))


async def run_connector(
    settings: MqttSettings,
    *,
    home: Path,
    bus: Bus,
    store: Store,
    clock: Clock,
    stop: asyncio.Event | None = None,
    started: Callable[[Sequence[Source]], None] | None = None,
) -> None:
    """Run the MQTT connector until `stop` is set, or until SIGTERM or SIGINT where no event is given.

    `started` is called once the sources work. Raises ConfigurationError for what can never work: a port in use, a
    certificate that cannot be read.
    """
    if stop is None:
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)

    async def load(tenant: str) -> Mapping[str, Datastream]:
        async with store.view() as transaction:
            return await transaction.datastreams.all(tenant)

    tenants = list(dict.fromkeys(connection.tenant for connection in settings.connections))
    registry = Registry(load, tenants, clock, refresh_s=settings.registry_refresh_s)
    connector = Connector(settings, bus, registry, clock, home)
    sources: list[Source] = [
        Listener(
            connection,
            connector,
            clock,
            connection=number,
            credentials=listener_credentials(home, connection),
            max_payload_bytes=settings.max_payload_bytes,
        )
        if isinstance(connection, EmbeddedListener)
        else BrokerSource(connection, connector, connection=number, subscriptions=connector.subscriptions(number))
        for number, connection in enumerate(settings.connections)
    ]
    connector.feed_from(sources)
    freshener: asyncio.Task[None] | None = None
    try:
        # Before the registry is known every sensor would be a stranger: nobody is let in until then.
        while not await registry.load() and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stop.wait()
        for source in sources:
            await source.start()
        freshener = asyncio.create_task(registry.keep_fresh(), name="mqtt-registry")
        if started is not None:
            started(sources)
        await connector.run(stop)
    finally:
        if freshener is not None:
            freshener.cancel()
            await asyncio.gather(freshener, return_exceptions=True)
        for source in sources:
            await source.close()
