"""The one place where the parts are put together from the settings: connectors, workers, all of them at once; the hub
is in `impetus.hub`. A part is to be back within seconds after it died, so each imports what it uses and no more."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Collection, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from impetus.bus import Bus, open_bus
from impetus.exercise.clock import clock_of
from impetus.launching import ForkLauncher
from impetus.model import (
    SYSTEM_TENANT,
    Clock,
    ConfigurationError,
    Envelope,
    Health,
    HealthState,
    NotFound,
    Unavailable,
)
from impetus.model.scrubbing import scrub_json
from impetus.sdk import load_tool, load_tools
from impetus.sdk.worker import consumers as tool_consumers
from impetus.sdk.worker import run_worker
from impetus.settings import Settings, read_settings
from impetus.store import Store, open_evidence, open_store
from impetus.supervisor import Heartbeat, Part, Supervisor

CONNECTORS = ("mqtt", "cot")
HELD_LOOK_S = 0.3
STORE_LOOK_S = 1.0
"""So often a part looks for a database server that was away when it started."""

log = structlog.get_logger("app")


def settings_for(*, host: str | None = None, port: int | None = None) -> Settings:
    """The settings, with what the command line says; child processes see the same."""
    if host is not None:
        os.environ["IMPETUS_HTTP__HOST"] = host
    if port is not None:
        os.environ["IMPETUS_HTTP__PORT"] = str(port)
    return read_settings()


def configure_logging() -> None:
    """One JSON object a line on standard error, without personal data; libraries' warnings included."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_traceback_of_outages,
            structlog.processors.format_exc_info,
            _scrubbed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _without_traceback_of_outages(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """That a server is away is no fault of the program's, and is written several times a second while it lasts."""
    given = event.get("exc_info")
    error = given if isinstance(given, BaseException) else sys.exception() if given else None
    if isinstance(error, Unavailable):
        del event["exc_info"]
        event.setdefault("error", str(error))
    return event


def _scrubbed(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A log file is read by whoever looks after the machine: nothing in it names a person."""
    return {name: value if name in ("timestamp", "level") else _scrubbed_value(value) for name, value in event.items()}


def _scrubbed_value(value: object) -> object:
    return scrub_json(value if isinstance(value, str | int | float | bool | None) else str(value))


def started() -> None:
    """A part has imported what it needs: from now on garbage is looked for again, though not among that."""
    gc.freeze()
    gc.enable()


@asynccontextmanager
async def opened_bus(settings: Settings, clock: Clock) -> AsyncIterator[Bus]:
    """The bus, closed at the end."""
    settings.home.mkdir(parents=True, exist_ok=True)
    bus = open_bus(settings.bus_url, clock, jetstream=settings.nats)
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def opened_store(settings: Settings, clock: Clock, heartbeat: Heartbeat | None = None) -> AsyncIterator[Store]:
    """The store, brought up to date, closed at the end. With a heartbeat it waits for a database server that is away:
    a part that ended instead would start again later and later, and be missing when the server is back."""
    settings.home.mkdir(parents=True, exist_ok=True)
    store = await _open_store(settings, clock, heartbeat)
    try:
        yield store
    finally:
        await store.close()


async def _open_store(settings: Settings, clock: Clock, heartbeat: Heartbeat | None) -> Store:
    while True:
        try:
            return await open_store(settings.store_url, clock)
        except Unavailable as error:
            if heartbeat is None or settings.store_url.startswith("sqlite"):
                raise
            log.warning("waiting for the database", error=str(error))
            heartbeat.beat()
            await asyncio.sleep(STORE_LOOK_S)


@asynccontextmanager
async def beating(heartbeat: Heartbeat | None = None) -> AsyncIterator[Heartbeat]:
    """Tell the supervisor, if there is one, that this process is well."""
    heartbeat = heartbeat or Heartbeat.from_environment()
    task = asyncio.create_task(heartbeat.keep_beating(), name="heartbeat")
    try:
        yield heartbeat
    finally:
        task.cancel()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_connector(settings: Settings, name: str) -> None:
    """Run one connector until SIGTERM or SIGINT."""
    if name not in CONNECTORS:
        raise NotFound(f"there is no connector {name!r}", hint=f"known: {', '.join(CONNECTORS)}")
    configure_logging()
    clock = clock_of(settings.exercise.clock)
    heartbeat = Heartbeat.from_environment()
    async with (
        opened_bus(settings, clock) as bus,
        opened_store(settings, clock, heartbeat) as store,
        beating(heartbeat),
    ):
        # Each connector's libraries are its own.
        if name == "cot":
            from impetus.connectors.cot.connector import run_connector as run_cot

            started()
            await run_cot(settings.cot, home=settings.home, bus=bus, store=store, clock=clock)
        else:
            from impetus.connectors.mqtt.connector import run_connector as run_mqtt

            started()
            await run_mqtt(settings.mqtt, home=settings.home, bus=bus, store=store, clock=clock)


async def run_tool(settings: Settings, tool: str) -> None:
    """Run one tool until SIGTERM or SIGINT."""
    configure_logging()
    clock = clock_of(settings.exercise.clock, paced=True)
    heartbeat = Heartbeat.from_environment()
    installed = load_tool(tool).imported()
    started()
    async with opened_bus(settings, clock) as bus, opened_store(settings, clock, heartbeat) as store:
        own = settings.tools.get(tool, {})
        evidence = open_evidence(settings.evidence, settings.home / "evidence")
        await run_worker(installed, bus, store, clock, settings.home, own, heartbeat=heartbeat.beat, evidence=evidence)


def parts_of(settings: Settings) -> Sequence[Part]:
    """The processes of an installation on one machine."""
    tools = load_tools()
    for name in (*settings.disabled_tools, *settings.tools):
        if name not in tools:
            raise ConfigurationError(
                f"the settings name a tool {name!r} that is not installed", hint=f"installed: {', '.join(tools)}"
            )
    return [
        Part("hub", ("hub",)),
        *(Part(f"connector-{name}", ("connector", name)) for name in settings.connectors),
        *(Part(f"worker-{name}", ("worker", name)) for name in tools if name not in settings.disabled_tools),
    ]


async def serve(
    settings: Settings,
    *,
    more_parts: Sequence[Part] = (),
    held: Callable[[], Collection[str]] | None = None,
    over: Callable[[], bool] | None = None,
) -> None:
    """Run all parts, and `more_parts`, as supervised processes until SIGTERM or SIGINT.

    In an exercise `held` says which parts are down for now, and `over` when it is time to end.
    """
    configure_logging()
    clock = clock_of(settings.exercise.clock)
    parts = [*parts_of(settings), *more_parts]
    async with opened_store(settings, clock):
        pass  # brought up to date once, before several processes open it
    async with opened_bus(settings, clock) as bus:

        async def report(name: str, text: str, restarts: int) -> None:
            health = Health(part=name, state=HealthState.DEGRADED, text=text, time=clock.now(), restarts=restarts)
            await bus.publish(
                [
                    Envelope.wrap(
                        health,
                        kind="health",
                        tenant=SYSTEM_TENANT,
                        origin=name,
                        time=health.time,
                        partition=name,
                    )
                ]
            )

        # A tool that is not run any more must not hold up the log for the others.
        running_tools = {part.name.removeprefix("worker-") for part in parts if part.name.startswith("worker-")}
        readers = {
            durable
            for name, tool in load_tools().items()
            if name in running_tools and tool.manifest is not None
            for durable in tool_consumers(tool.manifest)
        }
        for consumer in await bus.consumers():
            if consumer.durable.startswith("tool-") and consumer.durable not in readers:
                await bus.remove_consumer(consumer.durable)

        supervisor = Supervisor(
            parts,
            launcher=ForkLauncher(),
            environment=dict(os.environ),
            logs=settings.home / "logs",
            report=report,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, supervisor.stop)
        watching = asyncio.create_task(_watch(supervisor, held, over))
        try:
            await supervisor.run()
        finally:
            watching.cancel()


async def _watch(
    supervisor: Supervisor, held: Callable[[], Collection[str]] | None, over: Callable[[], bool] | None
) -> None:
    """Do with the parts what the controller of an exercise wants."""
    while held is not None or over is not None:
        if held is not None:
            supervisor.hold(held())
        if over is not None and over():
            supervisor.stop()
        await asyncio.sleep(HELD_LOOK_S)
