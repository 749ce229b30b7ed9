"""The connector: confirmed alerts and incidents to field units, their reports and positions back."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from impetus.bus import Bus, Delivery
from impetus.bus.protocol import Start
from impetus.connectors.cot.client import TakClient
from impetus.connectors.cot.event import CotEvent
from impetus.connectors.cot.mapping import (
    TOOL,
    ShownAlert,
    alert_event,
    incident_event,
    is_report,
    report_alert,
    unit_datastreams,
    unit_position,
)
from impetus.connectors.cot.settings import CotSettings
from impetus.model import (
    SYSTEM_TENANT,
    Clock,
    Envelope,
    Health,
    HealthState,
    ImpetusError,
    Incident,
    ObservationBatch,
    Status,
    joint_status,
    to_microseconds,
)
from impetus.sdk.pseudonyms import Pseudonyms
from impetus.store import Store

PART: Final = "connector-cot"
PSEUDONYMS_FOR: Final = "cot"
"""The purpose for which devices in the field have pseudonyms."""
HEALTH_INTERVAL_S: Final = 3.0
WAITING_LIMIT: Final = 1_000
KNOWN_LIMIT: Final = 10_000
RETRY_S: Final = 2.0

log = structlog.get_logger(__name__)


StatusOf = Callable[[Incident], Awaitable[Status]]
"""Whether an incident is real or an exercise."""


class CotConnector:
    """Between one TAK server and the bus."""

    def __init__(
        self, settings: CotSettings, bus: Bus, clock: Clock, status_of: StatusOf, pseudonyms: Pseudonyms
    ) -> None:
        self._settings = settings
        self._pseudonyms = pseudonyms
        self._status_of = status_of
        self._bus = bus
        self._clock = clock
        self.client = TakClient(settings, clock, self.receive, self.refuse)
        self._waiting: deque[Envelope | tuple[bytes, str]] = deque()
        self._arrived = asyncio.Event()
        self._known: OrderedDict[str, str] = OrderedDict()
        self._recent: deque[float] = deque()
        self.handled = 0
        self.refused = 0
        self.unnamed = 0
        """Positions of units that the settings do not name; they are not kept."""
        self.lost = 0

    def receive(self, event: CotEvent) -> None:
        """Take an event from the server; never raises and never waits."""
        if event.uid.startswith(f"{self._settings.uid}.") or event.type.startswith("t-"):
            return
        now_s = self._clock.monotonic_s()
        while self._recent and now_s - self._recent[0] > 60:
            self._recent.popleft()
        if len(self._recent) >= self._settings.events_per_minute:
            self.refuse(event.model_dump_json().encode(), "more events within a minute than the settings let in")
            return
        self._recent.append(now_s)
        tenant = self._settings.tenant
        if is_report(event):
            try:
                # Of an emergency's end the uid is the beginning's, and so is the pseudonym until its key is rotated.
                pseudonym = self._pseudonyms.of(event.uid)
            except ImpetusError as error:
                # Without a key nothing of a device goes on, not even to the dead letters.
                self.refuse(b"", f"a report was not taken: {error.message}")
                return
            content = f"{event.type}|{event.latitude:.4f}|{event.longitude:.4f}|{event.callsign}|{event.remarks}"
            if self._known.get(pseudonym) == content:
                return  # servers repeat a mark every minute
            self._known[pseudonym] = content
            self._known.move_to_end(pseudonym)
            if len(self._known) > KNOWN_LIMIT:
                self._known.popitem(last=False)
            revision = max(0, to_microseconds(event.time) // 1_000_000)
            alert = report_alert(event, tenant, revision, pseudonym)
            self._put(
                Envelope.wrap(alert, kind="alert", tenant=tenant, origin=TOOL, time=event.time, partition=alert.source)
            )
        elif event.type.startswith("a-"):
            name = self._settings.units.get(event.uid)
            if name is None:
                self.unnamed += 1
                return
            batch = ObservationBatch.of(unit_position(event, name))
            self._put(
                Envelope.wrap(batch, kind="observation", tenant=tenant, origin=TOOL, time=event.time, partition=name)
            )

    def refuse(self, piece: bytes, reason: str) -> None:
        """Set aside what cannot be used, where a person sees it."""
        self.refused += 1
        self._put((piece, reason))

    def _put(self, one: Envelope | tuple[bytes, str]) -> None:
        if len(self._waiting) >= WAITING_LIMIT:
            # The bus takes nothing: newer reports are worth more, and the health says how many were lost.
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(one)
        self._arrived.set()

    async def publish(self) -> None:
        """Bring what came in onto the bus until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                one = self._waiting[0]
                try:
                    if isinstance(one, Envelope):
                        await self._bus.publish([one])
                    else:
                        await self._bus.set_aside(self._settings.tenant, PART, "cot", one[0], one[1])
                except ImpetusError as error:
                    log.warning("the bus takes nothing", error=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                if self._waiting and self._waiting[0] is one:
                    self._waiting.popleft()
                self.handled += 1

    async def show(self) -> None:
        """Tell the server of alerts and incidents as they change, until cancelled; what it missed follows later."""
        tenant = self._settings.tenant
        subscription = await self._bus.subscribe(
            f"{PART}-{tenant}", (f"{tenant}.alert-view.>", f"{tenant}.incident.>"), start=Start.LATEST, lease_s=60.0
        )
        try:
            while True:
                for delivery in await subscription.fetch(1):
                    event = await self._event_of(delivery)
                    if event is not None and event.stale > self._clock.now():
                        # Longer without a server than the lease: the message comes again, and a mark is only redrawn.
                        await self.client.send(event)
                    with contextlib.suppress(ImpetusError):
                        await subscription.acknowledge([delivery])
                    self.handled += 1
        finally:
            await subscription.close()

    async def _event_of(self, delivery: Delivery) -> CotEvent | None:
        envelope = delivery.envelope
        try:
            if envelope.kind == "incident":
                incident = envelope.open(Incident)
                return incident_event(incident, self._settings, await self._status_of(incident))
            return alert_event(envelope.open(ShownAlert), self._settings)
        except ValidationError as error:
            log.warning("not shown to field units", id=envelope.id, error=error.error_count())
            return None

    def health(self) -> Health:
        """How the connector is doing."""
        notes = [self.client.trouble] if self.client.trouble else []
        if self.lost:
            notes.append(f"{self.lost} reports were lost while the log took nothing")
        text = "; ".join(notes)
        if self.unnamed and not notes:
            text = f"{self.unnamed} positions of units that have no name here were not kept"
        return Health(
            part=PART,
            state=HealthState.DEGRADED if notes else HealthState.RUNNING,
            text=text,
            time=self._clock.now(),
            handled=self.handled,
            dead_letters=self.refused,
        )

    async def report(self) -> None:
        """Say how it is going until cancelled."""
        while True:
            health = self.health()
            with contextlib.suppress(ImpetusError):
                await self._bus.publish(
                    [
                        Envelope.wrap(
                            health, kind="health", tenant=SYSTEM_TENANT, origin=PART, time=health.time, partition=PART
                        )
                    ]
                )
            await asyncio.sleep(HEALTH_INTERVAL_S)


async def run_connector(
    settings: CotSettings, *, home: Path, bus: Bus, store: Store, clock: Clock, stop: asyncio.Event | None = None
) -> None:
    """Run the TAK connector until `stop` is set, or until SIGTERM or SIGINT where no event is given.

    Raises `ConfigurationError` for certificates that cannot be read.
    """
    if stop is None:
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)

    async def status_of(incident: Incident) -> Status:
        async with store.view() as view:
            found = await view.alerts.many(incident.tenant, incident.alerts)
        return joint_status(record.alert.status for record in found.values())

    connector = CotConnector(settings, bus, clock, status_of, Pseudonyms(home, settings.tenant, PSEUDONYMS_FOR, clock))
    if settings.units:
        async with store.transaction() as transaction:
            await transaction.datastreams.put(settings.tenant, unit_datastreams(settings.units))
    works = (connector.client.run, connector.publish, connector.show, connector.report)
    tasks = [asyncio.create_task(work(), name=f"cot-{work.__name__}") for work in works]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()  # one of them failed: the supervisor starts the process again
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
