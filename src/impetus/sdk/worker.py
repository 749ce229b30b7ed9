"""The loop of `impetus worker TOOL`: observations from the bus through one tool, one instance an organisation."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError

from impetus.bus import Bus, Delivery, Start, Subscription
from impetus.model import (
    SYSTEM_TENANT,
    Clock,
    ConfigurationError,
    Conflict,
    Envelope,
    Health,
    HealthState,
    ObservationBatch,
    Unavailable,
)
from impetus.sdk.checkpoint import CheckpointFile
from impetus.sdk.hosting import HostedTool, WorkerContext, describe
from impetus.sdk.manifest import Manifest
from impetus.sdk.outgoing import Outgoing
from impetus.sdk.records import Records
from impetus.sdk.registry import InstalledTool, load_tool
from impetus.sdk.selection import joined
from impetus.sdk.suspect import DEATHS_LIMIT, Suspect
from impetus.sdk.tool import Tool, ToolSettings
from impetus.store import Store

OBSERVE_LIMIT_S = 30.0
"""`Tool.observe` and `Tool.tick` are cancelled after this time. One that does not let itself be cancelled within half
as long again is hung: the worker stops its heartbeat, and the supervisor kills it."""
STOP_LIMIT_S = 3.0
"""What is being handled when the worker is asked to stop may take so long, and `Tool.stop` as long again."""
HEALTH_INTERVAL_S = 2.0
HEARTBEAT_INTERVAL_S = 1.0
FAILURE_SHOWN_S = 60.0
"""A failure that is over, such as a message set aside, shows on the status board for this time."""
ROUND_LIMIT = 100
"""Messages fetched at once."""
TOGETHER_BYTES = 256 * 1024
"""Messages of one organisation that waited together go to its tool as one batch, up to this size of theirs."""
CAREFUL_MESSAGES = 2 * ROUND_LIMIT
"""After the process died, so many messages go to the tool one by one: the one that it died over is among them."""
ACKNOWLEDGE_AFTER_S = 1.0
"""A long round is acknowledged in parts, so that a shared consumer does not take it for dead."""
WAIT_S = 0.5
"""Longest wait for a message, so that ticks and a stop are not late."""
TENANTS_INTERVAL_S = 10.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

Result = TypeVar("Result")

log = structlog.get_logger("worker")


async def run_worker(
    tool: str | InstalledTool,
    bus: Bus,
    store: Store,
    clock: Clock,
    home: Path,
    settings: Mapping[str, object],
    *,
    heartbeat: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run one tool until SIGTERM or SIGINT, or until `stop` is set.

    `home` is the folder of all state; `settings` are the tool's own, not validated yet. `heartbeat` is called once a
    second from the event loop, as long as the tool is not hung. Of the store only datastreams
    and readings are read. Bus and store stay open.

    Raises:
        ConfigurationError: the tool is broken, its settings are wrong, or it runs on this `home` already.
        NotFound: there is no such tool.
    """
    installed = load_tool(tool) if isinstance(tool, str) else tool
    tool_type, manifest = installed.usable()
    validated = validate_settings(tool_type, manifest.id, settings)
    if stop is None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    folder = home / "state" / manifest.id
    with _only_one(folder):
        worker = Worker(tool_type, manifest, validated, bus=bus, records=Records(store), clock=clock, folder=folder)
        await worker.run(stop, heartbeat)


def validate_settings(tool_type: type[Tool[Any]], id: str, settings: Mapping[str, object]) -> ToolSettings:
    """The tool's settings as their type. Raises `ConfigurationError` that names each wrong field."""
    try:
        return tool_type.settings_type.model_validate(dict(settings))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(['tools', id, *map(str, problem['loc'])])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(wrong, hint="mend the settings of the tool and start it again") from error


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a message holds for one organisation's tool, and that tool."""

    tenant: str
    hosted: HostedTool
    batch: ObservationBatch


class Worker:
    """Runs one tool: fetches, hands over, publishes what the tool emitted, and only then acknowledges."""

    def __init__(
        self,
        tool_type: type[Tool[Any]],
        manifest: Manifest,
        settings: ToolSettings,
        *,
        bus: Bus,
        records: Records,
        clock: Clock,
        folder: Path,
    ) -> None:
        self._tool_type = tool_type
        self._manifest = manifest
        self._settings = settings
        self._bus = bus
        self._records = records
        self._clock = clock
        self._folder = folder
        self._part = f"worker-{manifest.id}"
        self._outgoing = Outgoing(bus, lambda text: self._note("bus", text))
        self._hosted: dict[str, HostedTool] = {}
        self._problems: dict[str, str] = {}
        self._failed_s: float | None = None
        self._failure = ""
        self._state = HealthState.STARTING
        self._stopping = False
        self._spoilt: set[str] = set()
        """Organisations whose tool was interrupted: what it knows must not be kept."""
        self._suspect = Suspect(folder.with_suffix(".suspect"))
        self._careful = CAREFUL_MESSAGES if self._suspect.has_died else 0
        self._call_began_s: float | None = None
        self._next_tick_s = 0.0
        self._next_tenants_s = 0.0
        self._handled = 0
        self._dead_letters = 0
        self._lag_s: float | None = None

    async def run(self, stop: asyncio.Event, heartbeat: Callable[[], None] | None = None) -> None:
        """Work until `stop` is set; then let the tool save its state and leave."""
        helpers = [asyncio.create_task(self._outgoing.run()), asyncio.create_task(self._report_health())]
        if heartbeat is not None:
            helpers.append(asyncio.create_task(self._beat(heartbeat)))
        work = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        try:
            ended, _ = await asyncio.wait({work, stopping, *helpers}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended - {stopping}:
                task.result()  # only an error ends one of them by itself
            self._stopping = True
            await asyncio.wait({work}, timeout=STOP_LIMIT_S)
            await _cancel(work)
            await asyncio.gather(*(self._stop_tool(tenant, hosted) for tenant, hosted in self._hosted.items()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await self._outgoing.flush()
        finally:
            await _cancel(work, stopping, *helpers)
            self._suspect.close()
        await self._publish_health(HealthState.STOPPED)

    async def _work(self) -> None:
        await self._with_patience("store", self._find_tenants)
        subscription = await self._bus.subscribe(f"tool-{self._manifest.id}", ["*.observation.>"], start=Start.EARLIEST)
        self._state = HealthState.RUNNING
        try:
            pause_s = FIRST_PAUSE_S
            while not self._stopping:
                try:
                    deliveries = await subscription.fetch(ROUND_LIMIT, timeout_s=self._wait_s())
                    await self._round(subscription, deliveries)
                    await self._tick_if_due()
                    await self._find_tenants_if_due()
                    pause_s = FIRST_PAUSE_S
                    self._note("loop", None)
                except Unavailable as error:
                    self._note("loop", str(error))
                    log.warning("waiting", error=str(error))
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            await subscription.close()

    async def _round(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        """Handle messages in order and acknowledge them, once all that came of them is on disk."""
        done: list[Delivery] = []
        began_s = self._clock.monotonic_s()
        for portion in _portions(deliveries):
            if self._stopping:
                break
            if self._outgoing.crowded:
                await self._outgoing.flush()  # here and not in the tool, whose time is limited
            for delivery, reason in zip(portion, await self._handle_portion(portion), strict=True):
                if reason is None:
                    done.append(delivery)
                else:
                    # An acknowledgement may stand for all before it, so those come first.
                    await self._acknowledge(subscription, done)
                    done = []
                    await self._set_aside(subscription, delivery, reason)
            self._handled += len(portion)
            self._lag_s = max((self._clock.now() - portion[-1].envelope.time).total_seconds(), 0.0)
            if self._clock.monotonic_s() - began_s > ACKNOWLEDGE_AFTER_S:
                await self._acknowledge(subscription, done)
                done = []
                await self._tick_if_due()
                began_s = self._clock.monotonic_s()
            await asyncio.sleep(0)  # heartbeat, health and outgoing messages get their turn
        await self._acknowledge(subscription, done)

    async def _acknowledge(self, subscription: Subscription, done: Sequence[Delivery]) -> None:
        await self._outgoing.flush()
        if done:
            try:
                await self._with_patience("bus", lambda: subscription.acknowledge(done))
            except Conflict as error:
                # The lease ran out meanwhile, and another worker of this tool gets them again: at least once.
                log.warning("not acknowledged", tool=self._manifest.id, error=str(error))

    async def _set_aside(self, subscription: Subscription, delivery: Delivery, reason: str) -> None:
        try:
            await self._with_patience("bus", lambda: subscription.reject(delivery, reason))
        except Conflict as error:
            log.warning("not set aside", tool=self._manifest.id, error=str(error))
            return
        self._dead_letters += 1
        self._show_failure(f"a message was set aside: {reason}")
        log.error("message set aside", tool=self._manifest.id, subject=delivery.envelope.subject, reason=reason)

    async def _handle_portion(self, portion: Sequence[Delivery]) -> Sequence[str | None]:
        """For each message None when it is dealt with, or why nobody could."""
        if len(portion) == 1 or self._careful > 0:
            self._careful = max(0, self._careful - len(portion))
            return [await self._handle_carefully(delivery.envelope) for delivery in portion]
        self._suspect.take_several()
        try:
            return await self._handle_together([delivery.envelope for delivery in portion])
        finally:
            self._suspect.release()

    async def _handle_carefully(self, envelope: Envelope) -> str | None:
        """One message; one that the process died over again and again is not tried any more."""
        deaths = self._suspect.deaths(envelope.id)
        if deaths >= DEATHS_LIMIT:
            self._suspect.forget()
            return f"the tool died or hung {deaths} times while it handled this message"
        self._suspect.take(envelope.id)
        try:
            opened = await self._open(envelope)
            reason = await self._observe(opened) if isinstance(opened, _Opened) else opened
        finally:
            self._suspect.release()
        if deaths:
            self._suspect.forget()
        return reason

    async def _handle_together(self, envelopes: Sequence[Envelope]) -> Sequence[str | None]:
        """Messages that waited together: a tool is called once for those of its organisation."""
        reasons: list[str | None] = []
        by_tenant: dict[str, dict[int, _Opened]] = {}
        for number, envelope in enumerate(envelopes):
            opened = await self._open(envelope)
            if isinstance(opened, _Opened):
                by_tenant.setdefault(opened.tenant, {})[number] = opened
                reasons.append(None)
            else:
                reasons.append(opened)
        for group in by_tenant.values():
            for number, reason in zip(group, await self._observe_together(list(group.values())), strict=True):
                reasons[number] = reason
        return reasons

    async def _open(self, envelope: Envelope) -> _Opened | str | None:
        """What of one message is for its organisation's tool; None if nothing is, or why nobody can use it."""
        try:
            batch = envelope.open(ObservationBatch)
        except ValidationError as error:
            return f"not an observation batch: {_first_problem(error)}"
        if envelope.tenant == SYSTEM_TENANT:
            return f"{SYSTEM_TENANT!r} is not an organisation and has no observations"
        hosted = await self._with_patience("store", lambda: self._tool_of(envelope.tenant))
        if not hosted.running:
            return f"the tool did not start for {envelope.tenant}: {hosted.failure}"
        selected = await self._with_patience("store", lambda: hosted.context.select(batch))
        if selected is None or not len(selected):
            return None
        return _Opened(envelope.tenant, hosted, selected)

    async def _observe_together(self, opened: Sequence[_Opened]) -> Sequence[str | None]:
        """One call for several messages of one organisation; one by one where that fails, to find the one to blame."""
        first = opened[0]
        if len(opened) == 1:
            return [await self._observe(first)]
        context = first.hosted.context
        context.refused.clear()
        batch = joined([message.batch for message in opened])
        failed = False
        try:
            await self._with_patience(
                first.tenant, lambda: self._limited(first.tenant, first.hosted.tool.observe(batch))
            )
        except Exception as error:  # whatever a tool does, the worker goes on
            failed = True
            log.warning(
                "observe failed", tool=self._manifest.id, tenant=first.tenant, together=len(opened), exc_info=error
            )
        reasons: list[str | None] = [None] * len(opened)
        for source, refusal in context.refused.items():
            # The message that the alert came from: the last one with that datastream.
            number = max(
                (n for n, each in enumerate(opened) if source in each.batch.datastreams), default=len(opened) - 1
            )
            reasons[number] = refusal
        if failed:
            for number, message in enumerate(opened):
                reasons[number] = reasons[number] or await self._observe(message)
        return reasons

    async def _observe(self, opened: _Opened) -> str | None:
        """Give one message to its organisation's tool; None when it is dealt with, or why the tool could not."""
        reason = ""
        tenant, hosted, batch = opened.tenant, opened.hosted, opened.batch
        hosted.context.refused.clear()
        for attempt in (1, 2):
            try:
                await self._with_patience(tenant, lambda: self._limited(tenant, hosted.tool.observe(batch)))
            except Exception as error:  # whatever a tool does, the worker goes on
                reason = describe(error)
                self._show_failure(f"{tenant}: an observation failed: {reason}")
                log.warning("observe failed", tool=self._manifest.id, tenant=tenant, attempt=attempt, exc_info=error)
            else:
                reason = ""
            if hosted.context.refused:
                # Trying again would not raise the alert, and the tool may take the readings for seen.
                return "; ".join(hosted.context.refused.values())
            if not reason:
                return None
        return reason

    async def _with_patience(self, what: str, call: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat a call for as long as something that it needs is away."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                result = await call()
            except Unavailable as error:
                self._suspect.release()  # who ends the process while it waits does not end it over this message
                self._note(f"waiting {what}", f"{what}: {error}")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self._note(f"waiting {what}", None)
                return result

    async def _limited(self, tenant: str, call: Awaitable[None]) -> None:
        """Await a call of the tool, at most `OBSERVE_LIMIT_S`."""
        self._call_began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(OBSERVE_LIMIT_S):
                await call
        except asyncio.CancelledError:
            self._spoilt.add(tenant)
            raise
        finally:
            self._call_began_s = None

    async def _tool_of(self, tenant: str) -> HostedTool:
        """The tool of an organisation, started if it was not yet."""
        hosted = self._hosted.get(tenant)
        if hosted is None:
            context = WorkerContext(
                self._manifest,
                tenant,
                clock=self._clock,
                records=self._records,
                outgoing=self._outgoing,
                checkpoint=CheckpointFile(self._folder / tenant / "checkpoint"),
                on_degraded=lambda text: self._note(f"tool {tenant}", text and f"{tenant}: {text}"),
            )
            hosted = HostedTool(self._tool_type, self._settings, context, clock=self._clock)
            self._hosted[tenant] = hosted
        if not hosted.running:
            await hosted.start()
            failure = hosted.failure and f"{tenant}: did not start, will be tried again: {hosted.failure}"
            self._note(f"start {tenant}", failure or None)
        return hosted

    async def _find_tenants(self) -> None:
        for tenant in await self._records.tenants():
            await self._tool_of(tenant)
        self._next_tenants_s = self._clock.monotonic_s() + TENANTS_INTERVAL_S

    async def _find_tenants_if_due(self) -> None:
        if self._clock.monotonic_s() < self._next_tenants_s:
            return
        try:
            await self._find_tenants()
        except Unavailable as error:
            # Observations go on meanwhile.
            self._next_tenants_s = self._clock.monotonic_s() + TENANTS_INTERVAL_S
            self._note("tenants", str(error))
        else:
            self._note("tenants", None)

    def _wait_s(self) -> float:
        return max(0.0, min(WAIT_S, self._next_tick_s - self._clock.monotonic_s()))

    async def _tick_if_due(self) -> None:
        if self._clock.monotonic_s() < self._next_tick_s:
            return
        self._next_tick_s = self._clock.monotonic_s() + self._manifest.tick_s
        for tenant, hosted in self._hosted.items():
            if hosted.running:
                try:
                    await self._limited(tenant, hosted.tool.tick())
                except Exception as error:  # whatever a tool does, the worker goes on
                    text = f"{tenant}: tick failed: {describe(error)}"
                    if self._problems.get(f"tick {tenant}") != text:  # once, not at every tick
                        log.warning("tick failed", tool=self._manifest.id, tenant=tenant, exc_info=error)
                    self._note(f"tick {tenant}", text)
                else:
                    self._note(f"tick {tenant}", None)
        await self._outgoing.flush()

    async def _stop_tool(self, tenant: str, hosted: HostedTool) -> None:
        if not hosted.running or tenant in self._spoilt:
            return
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await hosted.tool.stop()
        except Exception as error:  # the other organisations' tools still have to stop
            log.error("tool did not stop cleanly", tool=self._manifest.id, tenant=tenant, exc_info=error)

    def _note(self, key: str, text: str | None) -> None:
        """Remember a problem, or that it is over (None)."""
        if text:
            self._problems[key] = text
        else:
            self._problems.pop(key, None)

    def _show_failure(self, text: str) -> None:
        """Show something that is over already on the status board for a while."""
        self._failure = text
        self._failed_s = self._clock.monotonic_s()

    async def _beat(self, heartbeat: Callable[[], None]) -> None:
        while True:
            began_s = self._call_began_s
            if began_s is None or asyncio.get_running_loop().time() - began_s < 1.5 * OBSERVE_LIMIT_S:
                heartbeat()
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)

    async def _report_health(self) -> None:
        while True:
            await self._publish_health(self._state)
            await asyncio.sleep(HEALTH_INTERVAL_S)

    async def _publish_health(self, state: HealthState) -> None:
        problems = list(self._problems.values())
        if self._failed_s is not None and self._clock.monotonic_s() - self._failed_s < FAILURE_SHOWN_S:
            problems.append(self._failure)
        if problems and state is HealthState.RUNNING:
            state = HealthState.DEGRADED
        now = self._clock.now()
        health = Health(
            part=self._part,
            state=state,
            text="; ".join(problems)[:2_000],
            time=now,
            handled=self._handled,
            dead_letters=self._dead_letters,
            lag_s=self._lag_s,
        )
        envelope = Envelope.wrap(health, kind="health", tenant=SYSTEM_TENANT, origin=self._part, time=now)
        try:
            await self._bus.publish([envelope])
        except Unavailable as error:
            log.warning("health not published", error=str(error))


def _portions(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """Deliveries in order, as many at a time as may go to the tools together."""
    portion: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        if portion and size + len(delivery.envelope.data) > TOGETHER_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(delivery)
        size += len(delivery.envelope.data)
    if portion:
        yield portion


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    return f"{field}: {problem['msg']}" if field else problem["msg"]


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("task failed while the worker stopped", exc_info=outcome)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the tool's folder: two workers would overwrite each other's checkpoints."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with folder.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"{folder} is in use by another worker", hint="stop that one first, or set another IMPETUS_HOME"
            ) from error
        yield
