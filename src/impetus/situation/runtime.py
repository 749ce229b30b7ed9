"""What runs in the background of the hub: consumers, outbox, status board, retention."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from pydantic import ValidationError

from impetus.bus import Bus
from impetus.model import SYSTEM_TENANT, Clock, Envelope, Health, HealthState, ImpetusError
from impetus.situation import alerts, correlating, readings
from impetus.situation.alerts import AlertService
from impetus.situation.consumer import Progress, consume
from impetus.situation.correlating import CorrelationService
from impetus.situation.desk import Priors
from impetus.situation.figures import FigureService
from impetus.situation.handover import HandoverService
from impetus.situation.health import HealthBoard
from impetus.situation.incidents import IncidentService
from impetus.situation.messages import validation_reason
from impetus.situation.readings import ReadingService
from impetus.situation.retention import forget_old
from impetus.situation.ruling import RulesService
from impetus.situation.settings import SituationSettings
from impetus.situation.shift import ShiftService
from impetus.store import OutboxRelay, Store

log = structlog.get_logger(__name__)

HUB = "hub"
HEALTH_SUBJECTS = (f"{SYSTEM_TENANT}.health.>",)
HEALTH_INTERVAL_S = 3.0
WATCH_INTERVAL_S = 1.0
RESTART_WAIT_S = 1.0
CORRELATION_LINGER_S = 0.15
"""Alerts that come close together change an incident once and not each anew."""
READINGS_LINGER_S = 0.25
"""Readings reach the screens once a second: a transaction for each few of them would be work for nothing."""
SETTLED_S = 30.0
"""A task that has run for so long since it failed counts as well again."""


@dataclass(slots=True)
class Situation:
    """The services of the situation, and how their background tasks are doing."""

    bus: Bus
    store: Store
    clock: Clock
    settings: SituationSettings
    alerts: AlertService
    incidents: IncidentService
    readings: ReadingService
    health: HealthBoard
    figures: FigureService
    shift: ShiftService
    handovers: HandoverService
    correlation: CorrelationService
    rules: RulesService
    progress: list[Progress] = field(default_factory=list)

    @classmethod
    def create(
        cls, bus: Bus, store: Store, clock: Clock, settings: SituationSettings, priors: Priors | None = None
    ) -> Situation:
        """The services on a bus and a store; nothing runs yet. `priors`: what the tools' cards say of detectors."""
        correlation = CorrelationService(store, clock, priors)
        readings = ReadingService(store, bus, clock, settings)
        health = HealthBoard(clock, settings.silent_s)
        return cls(
            bus=bus,
            store=store,
            clock=clock,
            settings=settings,
            alerts=AlertService(store, clock, settings, correlation),
            incidents=IncidentService(store, clock),
            readings=readings,
            health=health,
            figures=FigureService(store, clock, readings),
            shift=ShiftService(store, clock, settings),
            handovers=HandoverService(store, bus, clock, health),
            correlation=correlation,
            rules=RulesService(store, clock, correlation),
        )

    def hub_health(self) -> Health:
        """How this process is doing."""
        trouble = "; ".join(one.trouble for one in self.progress if one.trouble)
        return Health(
            part=HUB,
            state=HealthState.DEGRADED if trouble else HealthState.RUNNING,
            text=trouble[:2_000],
            time=self.clock.now(),
            handled=sum(one.handled for one in self.progress),
            dead_letters=sum(one.refused for one in self.progress),
        )


@asynccontextmanager
async def running(situation: Situation) -> AsyncIterator[Situation]:
    """Run the background tasks of the hub while the body runs. A task that fails is shown, and started again."""
    await situation.readings.start()
    settings = situation.settings
    bus = situation.bus
    relay = OutboxRelay(situation.store, bus.publish, bus.set_aside)
    works: dict[str, Callable[[Progress], Awaitable[None]]] = {
        "alerts": lambda progress: consume(
            bus,
            alerts.DURABLE,
            alerts.SUBJECTS,
            situation.alerts.handle,
            limit=settings.alert_batch,
            progress=progress,
        ),
        "correlation": lambda progress: consume(
            bus,
            correlating.DURABLE,
            correlating.SUBJECTS,
            situation.correlation.handle,
            limit=settings.alert_batch,
            progress=progress,
            linger_s=CORRELATION_LINGER_S,
        ),
        "readings": lambda progress: consume(
            bus,
            readings.DURABLE,
            readings.SUBJECTS,
            situation.readings.handle,
            limit=settings.reading_batch,
            progress=progress,
            linger_s=READINGS_LINGER_S,
        ),
        "outbox": lambda _: relay.run(),
        "health": lambda _: _listen_to_health(situation),
        "report": lambda _: _report_health(situation),
        "watch": lambda _: _watch_for_silence(situation),
        "retention": lambda _: _retain(situation),
        "holders": lambda _: _return_orphans(situation),
    }
    tasks = []
    for name, work in works.items():
        progress = Progress(name)
        situation.progress.append(progress)
        tasks.append(asyncio.create_task(keep_running(work, progress), name=f"situation-{name}"))
    try:
        yield situation
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        situation.progress.clear()


async def keep_running(work: Callable[[Progress], Awaitable[None]], progress: Progress) -> None:
    """Run a background task until cancelled; should it ever fail, say so and start it again."""
    settle: asyncio.TimerHandle | None = None

    def settled() -> None:
        progress.trouble = ""

    while True:
        try:
            await work(progress)
        except Exception as error:
            if settle is not None:
                settle.cancel()
            # The last line of defence: one failing task must not take the others with it, nor stay down unseen.
            progress.trouble = f"{progress.name} failed and was started again: {error}"
            log.exception("background task failed", task=progress.name)
            settle = asyncio.get_running_loop().call_later(SETTLED_S, settled)
        await asyncio.sleep(RESTART_WAIT_S)


async def publish_health(bus: Bus, health: Health) -> None:
    """Tell everyone how a part is doing."""
    await bus.publish(
        [
            Envelope.wrap(
                health, kind="health", tenant=SYSTEM_TENANT, origin=health.part, time=health.time, partition=health.part
            )
        ]
    )


async def _listen_to_health(situation: Situation) -> None:
    # The newest messages of the log tell how the parts were before this process started.
    after = await situation.bus.position()
    since = situation.clock.now() - timedelta(seconds=2 * situation.settings.silent_s)
    async for delivery in situation.bus.replay(HEALTH_SUBJECTS, since=since):
        if delivery.sequence <= after:
            await _take_report(situation, delivery.envelope)
    async for delivery in situation.bus.tail(HEALTH_SUBJECTS, after=after):
        await _take_report(situation, delivery.envelope)


async def _take_report(situation: Situation, envelope: Envelope) -> None:
    try:
        situation.health.report(envelope.open(Health))
    except ValidationError as error:
        await situation.bus.set_aside(
            SYSTEM_TENANT, "situation.health", envelope.subject, envelope.data, validation_reason(error)
        )


async def _report_health(situation: Situation) -> None:
    while True:
        try:
            await publish_health(situation.bus, situation.hub_health())
        except ImpetusError as error:
            # The board and the log show it; a full disk is told by everything else too.
            log.warning("health of the hub not published", error=str(error))
        await asyncio.sleep(HEALTH_INTERVAL_S)


async def _watch_for_silence(situation: Situation) -> None:
    """Tell the screens of parts that fell silent, once each."""
    while True:
        await asyncio.sleep(WATCH_INTERVAL_S)
        for silent in situation.health.fallen_silent():
            told = silent.model_copy(update={"time": situation.clock.now()})
            situation.health.report(told)
            try:
                await publish_health(situation.bus, told)
            except ImpetusError as error:
                log.warning("silence of a part not published", part=silent.part, error=str(error))


async def _return_orphans(situation: Situation) -> None:
    while True:
        await situation.shift.return_orphans()
        await asyncio.sleep(situation.settings.holders_interval_s)


async def _retain(situation: Situation) -> None:
    while True:
        await forget_old(situation.bus, situation.store, situation.clock.now(), situation.settings)
        await asyncio.sleep(situation.settings.retention_interval_s)
