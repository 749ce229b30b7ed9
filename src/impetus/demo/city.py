"""The city's own process: its sensors, its chatter, its everyday noise, and with a scenario the director of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from impetus import app
from impetus.bus import Bus
from impetus.connectors.mqtt.credentials import listener_credentials
from impetus.demo.installation import EVE, FEED_VARIABLE, LOAD_VARIABLE, POSTS, SCAN, listener_of
from impetus.exercise import intrusion, posts
from impetus.exercise.camera_scene import call
from impetus.exercise.city import sensors
from impetus.exercise.clock import ExerciseClock, clock_of
from impetus.exercise.desk import Desk
from impetus.exercise.director import Director, Stage
from impetus.exercise.events import GroundTruth, Schedule
from impetus.exercise.generator import GeneratorSettings, Progress, run_generator
from impetus.exercise.scenario import load_scenario, missing_tools
from impetus.exercise.threat_feed import ITEMS as FEED_ITEMS
from impetus.exercise.threat_feed import ThreatFeed
from impetus.exercise.variants import variant as made_variant
from impetus.model import Clock
from impetus.sdk import load_tools
from impetus.sdk.worker import consumers as tool_consumers
from impetus.settings import Settings, read_settings

STARTS_AFTER_S = 60.0
"""A demo's scenario begins by itself so long after the tools are ready."""


async def run_city() -> None:
    """Play the city's sensors into the MQTT listener until SIGTERM; with a scenario, that as well."""
    app.configure_logging()
    settings = read_settings()
    clock = clock_of(settings.exercise.clock, paced=True)
    stop = app.stop_on_signals()
    async with app.beating():
        if settings.exercise.scenario is None or not isinstance(clock, ExerciseClock):
            await _run_sensors(settings, clock, stop, _feed(settings, clock))
            return
        async with app.opened_bus(settings, clock) as bus:
            await _run_scenario(settings, settings.exercise.scenario, clock, bus, stop)


async def _run_scenario(settings: Settings, folder: Path, clock: ExerciseClock, bus: Bus, stop: asyncio.Event) -> None:
    scenario = made_variant(load_scenario(folder), settings.exercise.variant)
    feed = _feed(settings, clock, [item for item in FEED_ITEMS if item[0] == 0])
    schedule = Schedule(sensors(), seed=scenario.seed, start=clock.now())
    running = [name for name in load_tools() if name not in settings.disabled_tools]
    readers, progress = _readers(running), Progress()
    director = Director(
        scenario,
        folder,
        Desk(settings.home),
        clock,
        Stage(
            schedule=schedule,
            truth=GroundTruth(settings.home / "demo" / "events.jsonl"),
            eve=settings.home / EVE,
            feed=feed,
            posts=settings.home / POSTS if "social" in running else None,
            scan=settings.home / SCAN if "cyber" in running else None,
            show=partial(call, settings.home) if "firearm" in running else None,
            waiting=partial(_waiting, bus, readers),
            behind_s=lambda: progress.behind_s(clock),
            skipped=missing_tools(scenario, running),
        ),
        unattended=settings.exercise.unattended,
        speed=settings.exercise.speed,
        variant=settings.exercise.variant,
        starts_after_s=None if settings.exercise.unattended else STARTS_AFTER_S,
    )
    sensing = asyncio.create_task(
        _run_sensors(settings, clock, stop, feed, schedule=schedule, director=director, progress=progress)
    )
    directing = asyncio.create_task(director.run(stop))
    await asyncio.wait({sensing, directing}, return_when=asyncio.FIRST_EXCEPTION)
    stop.set()
    await asyncio.gather(sensing, directing)


async def _run_sensors(
    settings: Settings,
    clock: Clock,
    stop: asyncio.Event,
    feed: ThreatFeed | None,
    *,
    schedule: Schedule | None = None,
    director: Director | None = None,
    progress: Progress | None = None,
) -> None:
    listener = listener_of(settings)
    credentials = listener_credentials(settings.home, listener)
    serving = asyncio.create_task(feed.serve(int(os.environ[FEED_VARIABLE]), stop)) if feed is not None else None
    chatter = asyncio.create_task(
        posts.play(
            settings.home / POSTS,
            clock,
            stop,
            planted=director is None,
            every_s=posts.EVERY_S if director is None else posts.EXERCISE_EVERY_S,
        )
    )
    intruder = asyncio.create_task(intrusion.play(settings.home / EVE, clock, stop, attacks=director is None))
    await run_generator(
        GeneratorSettings(
            host=listener.host,
            port=listener.port,
            name=credentials.name if credentials else None,
            password=credentials.password if credentials else None,
            prefix=listener.sensorthings_prefix,
            readings_per_second=float(os.environ[LOAD_VARIABLE]) if os.environ.get(LOAD_VARIABLE) else None,
        ),
        clock=clock,
        state=settings.home / "demo",
        stop=stop,
        schedule=schedule,
        silenced=director.silenced if director is not None else None,
        progress=progress,
    )
    await intruder
    await chatter
    if serving is not None:
        await serving


def _feed(settings: Settings, clock: Clock, items: Sequence[tuple[float, str, str]] = FEED_ITEMS) -> ThreatFeed | None:
    return ThreatFeed(clock, items) if os.environ.get(FEED_VARIABLE) else None


def _readers(tools: Collection[str]) -> Mapping[str, Collection[str]]:
    """The names under which these tools read the bus, by the name of the tool's part."""
    return {
        f"worker-{name}": tool_consumers(tool.manifest)
        for name, tool in load_tools().items()
        if name in tools and tool.manifest is not None
    }


async def _waiting(bus: Bus, readers: Mapping[str, Collection[str]], held: Collection[str]) -> int | None:
    """How many messages wait for the slowest reader that is not held; None while one has not come to the bus yet."""
    wanted = {durable for part, durables in readers.items() if part not in held for durable in durables}
    found = {consumer.durable: consumer.pending for consumer in await bus.consumers()}
    if not found.keys() >= wanted:
        return None
    return max((found[durable] for durable in wanted), default=0)
