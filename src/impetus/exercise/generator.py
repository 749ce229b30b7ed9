"""Plays the demo city's sensors into an MQTT listener or broker: two weeks of history first, then live, as sensors do.

History goes as SensorThings data arrays with QoS 1: a batch counts as delivered only when the connector has put it on
the bus. Live readings go one by one, each at its sensor's interval; those that cannot be delivered are lost, as with
real sensors that keep no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import aiomqtt
import numpy as np
import orjson
import structlog

from impetus.exercise import signals
from impetus.exercise.city import Sensor, load_datastreams, sensors
from impetus.exercise.events import GroundTruth, PlantedEvent, Schedule, reading
from impetus.exercise.load import LoadSender
from impetus.model import Clock, ConfigurationError, Unavailable, to_microseconds

HISTORY_STEP = timedelta(minutes=5)
BATCH_READINGS = 2_000
UNACKNOWLEDGED_BATCHES = 8
RECONNECT_LONGEST_S = 5.0
NAME = "exercise-city"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GeneratorSettings:
    """Where the sensors send to, and how the city is played."""

    host: str = "127.0.0.1"
    port: int = 1883
    name: str | None = None
    password: str | None = None
    prefix: str = "v1.1"
    history_days: float = 14.0
    readings_per_second: float | None = None
    """Load test: so many readings a second in all; `load-...` datastreams of one reading a second are added."""
    events: bool = True
    seed: int = 1
    qos: int = 0
    """Of live readings."""


@dataclass(slots=True)
class Progress:
    """What was sent so far."""

    history: int = 0
    live: int = 0
    lost: int = 0
    """Live readings that could not be delivered."""


class Generator:
    """The sensors of the city, all in one process."""

    def __init__(self, settings: GeneratorSettings, clock: Clock, state: Path) -> None:
        """`state` is the folder that keeps how far history was filled and the ground truth of the events."""
        self._settings = settings
        self._clock = clock
        self._state = state
        self._sensors = sensors()
        self.truth = GroundTruth(state / "events.jsonl")
        self.progress = Progress()
        self.history_done = asyncio.Event()
        self._load: LoadSender | None = None
        if settings.readings_per_second:
            usual = sum(1 / (sensor.datastream.interval_s or 5.0) for sensor in self._sensors.values())
            extra = load_datastreams(max(1, round(settings.readings_per_second - usual)))
            self._load = LoadSender(extra, clock, prefix=settings.prefix, seed=settings.seed)

    async def run(self, stop: asyncio.Event) -> None:
        """History up to now, then live until `stop` is set; reconnects for as long as that takes."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._play_city(stop))
            if self._load is not None:
                tasks.create_task(self._play_load(self._load, stop))

    async def _play_city(self, stop: asyncio.Event) -> None:
        live: _Live | None = None

        async def attempt() -> None:
            nonlocal live
            async with self._connect() as client:
                await self._fill_history(client, stop)
                self.history_done.set()
                live = live or _Live(self._settings, self._clock, self._sensors, self.truth, self.progress)
                await live.play(client, stop, self._note_history)

        await self._insist(attempt, stop)

    async def _play_load(self, sender: LoadSender, stop: asyncio.Event) -> None:
        settings = self._settings
        await self.history_done.wait()
        await self._insist(
            lambda: sender.run(settings.host, settings.port, settings.name, settings.password, stop), stop
        )

    async def _insist(self, attempt: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        wait_s = 0.2
        while not stop.is_set():
            began_s = self._clock.monotonic_s()
            try:
                await attempt()
            except (aiomqtt.MqttError, OSError, Unavailable) as error:
                log.warning("exercise.disconnected", reason=str(error))
                if self._clock.monotonic_s() - began_s > RECONNECT_LONGEST_S:
                    wait_s = 0.2
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait_s * random.uniform(0.5, 1.0))  # noqa: S311 (jitter)
                wait_s = min(wait_s * 2, RECONNECT_LONGEST_S)

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[aiomqtt.Client]:
        async with aiomqtt.Client(
            self._settings.host,
            self._settings.port,
            username=self._settings.name,
            password=self._settings.password,
            identifier=NAME,
            keepalive=30,
            timeout=60,
        ) as client:
            client.pending_calls_threshold = 10_000
            yield client

    async def _fill_history(self, client: aiomqtt.Client, stop: asyncio.Event) -> None:
        """Send what is missing between `history_days` ago, or the last time that was sent, and now."""
        now = self._clock.now()
        start = now - timedelta(days=self._settings.history_days)
        times = signals.history_times(max(start, self._filled_until() or start), now, HISTORY_STEP)
        if not times:
            return
        began_s = self._clock.monotonic_s()
        step = max(1, BATCH_READINGS // len(self._sensors))
        # Outside the event loop: half a second of arithmetic must not hold up anything else here.
        columns = await asyncio.to_thread(_history, list(self._sensors.values()), times)
        room = asyncio.Semaphore(UNACKNOWLEDGED_BATCHES)

        async def deliver(payload: bytes) -> None:
            try:
                await client.publish(f"{self._settings.prefix}/CreateObservations", payload, qos=1)
            finally:
                room.release()

        deliveries: list[asyncio.Task[None]] = []
        for first in range(0, len(times), step):
            if stop.is_set():
                break
            await room.acquire()
            chunk = times[first : first + step]
            payload = _data_arrays(columns, [moment.isoformat() for moment in chunk], first)
            # Tasks start in the order in which they are made, and paho sends in that order: time order holds.
            deliveries.append(asyncio.create_task(deliver(payload)))
            self.progress.history += len(chunk) * len(columns)
        await asyncio.gather(*deliveries)
        self._note_history(times[-1])
        took_s = self._clock.monotonic_s() - began_s
        log.info("exercise.history", readings=self.progress.history, took_s=round(took_s, 1))

    def _filled_until(self) -> datetime | None:
        """Time after which history is missing."""
        try:
            document = json.loads((self._state / "history.json").read_text(encoding="utf-8"))
            return datetime.fromisoformat(document["until"]) + timedelta(microseconds=1)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note_history(self, until: datetime) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        draft = self._state / ".history.json"
        draft.write_text(json.dumps({"until": until.isoformat()}), encoding="utf-8")
        draft.replace(self._state / "history.json")


class _Live:
    """Sends readings at their times. It outlives a broken connection, the city does not begin anew."""

    def __init__(
        self,
        settings: GeneratorSettings,
        clock: Clock,
        city: Mapping[str, Sensor],
        truth: GroundTruth,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._city = city
        self._truth = truth
        self._progress = progress
        self._schedule = Schedule(city, seed=settings.seed, start=clock.now())
        self._noted_s = clock.monotonic_s()
        self._due: list[tuple[float, str]] = []
        now_s = clock.monotonic_s()
        chance = random.Random(settings.seed)  # noqa: S311 (a reproducible exercise, no secret)
        for id, sensor in city.items():
            # Real sensors do not tick together.
            self._due.append((now_s + chance.uniform(0, sensor.datastream.interval_s or 5.0), id))
        heapq.heapify(self._due)

    async def play(self, client: aiomqtt.Client, stop: asyncio.Event, note: Callable[[datetime], None]) -> None:
        """Send until `stop` is set. Raises aiomqtt.MqttError when the connection breaks."""
        while not stop.is_set():
            now_s = self._clock.monotonic_s()
            now = self._clock.now()
            if self._due[0][0] > now_s:
                await asyncio.sleep(min(self._due[0][0] - now_s, 0.25))
                continue
            self._plan(now)
            active = self._schedule.active(now)
            for _ in range(500):
                due_s, id = self._due[0]
                if due_s > now_s:
                    break
                sensor = self._city[id]
                interval_s = sensor.datastream.interval_s or 5.0
                # After a pause sensors go on from now; they do not make up for what they missed.
                next_s = due_s + interval_s if now_s - due_s < 2 * interval_s else now_s + interval_s
                heapq.heapreplace(self._due, (next_s, id))
                moment = now - timedelta(seconds=min(now_s - due_s, 1.0))
                value = self._value(sensor, moment, active)
                if value is not None:
                    await self._send(client, id, moment, value)
            if now_s - self._noted_s > 60:
                # History is five-minute steps: what was live is close enough to it not to be filled in after a restart.
                self._noted_s = now_s
                note(now)
            await asyncio.sleep(0)

    def _plan(self, now: datetime) -> None:
        if self._settings.events:
            for event in self._schedule.plan(now):
                self._truth.add([event])
                log.info("exercise.event", kind=event.kind.value, title=event.title, until=event.end.isoformat())

    def _value(self, sensor: Sensor, moment: datetime, active: Sequence[PlantedEvent]) -> float | None:
        if signals.is_lost(sensor, moment):
            return None
        return reading(sensor, moment, active)

    async def _send(self, client: aiomqtt.Client, id: str, moment: datetime, value: float) -> None:
        payload = b'{"phenomenonTime":"%s","result":%s}' % (
            moment.isoformat(timespec="milliseconds").encode(),
            orjson.dumps(value),
        )
        topic = f"{self._settings.prefix}/Datastreams({id})/Observations"
        try:
            await client.publish(topic, payload, qos=self._settings.qos)
            self._progress.live += 1
        except aiomqtt.MqttError:
            self._progress.lost += 1
            raise


async def run_generator(
    settings: GeneratorSettings, *, clock: Clock, state: Path, stop: asyncio.Event | None = None
) -> None:
    """Play the city until `stop` is set or the task is cancelled. Raises ConfigurationError for wrong settings."""
    if settings.qos not in (0, 1):
        raise ConfigurationError(f"quality of service {settings.qos} is not offered", hint="choose 0 or 1")
    await Generator(settings, clock, state).run(stop or asyncio.Event())


def _history(city: Sequence[Sensor], times: Sequence[datetime]) -> list[tuple[str, list[float]]]:
    """All values of all sensors at these times."""
    time_s = np.array([to_microseconds(moment) / 1e6 for moment in times])
    return [(sensor.datastream.id, signals.values(sensor, time_s).tolist()) for sensor in city]


def _data_arrays(columns: Sequence[tuple[str, list[float]]], times: Sequence[str], first: int) -> bytes:
    """A SensorThings data array payload with the values of all sensors from position `first` on."""
    return orjson.dumps(
        [
            {
                "Datastream": {"@iot.id": id},
                "components": ["phenomenonTime", "result"],
                "dataArray": [[moment, value] for moment, value in zip(times, column[first:], strict=False)],
            }
            for id, column in columns
        ]
    )
