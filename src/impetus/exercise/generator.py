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
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import numpy as np
import orjson
import structlog

from impetus.exercise import signals
from impetus.exercise.city import Sensor, load_datastreams, sensors
from impetus.exercise.clock import ExerciseClock
from impetus.exercise.events import GroundTruth, Schedule, reading
from impetus.exercise.foreseen import Foreseen
from impetus.exercise.load import LoadSender
from impetus.model import Clock, ConfigurationError, PacedClock, Unavailable, sleep, to_microseconds

HISTORY_STEP = timedelta(minutes=5)
BATCH_READINGS = 2_000
UNACKNOWLEDGED_BATCHES = 8
RECONNECT_LONGEST_S = 5.0
GATEWAY_READINGS = 10
"""In an exercise more readings than this that are due at once go in one message; one that runs faster than the time
sends all so."""
GATEWAY_S = 2.0
"""There these messages are so far apart, by the clock: a message costs much more than a reading in it."""
HURRIED_LOOK_S = 0.02
ON_THEIR_WAY = 4
"""So many of these messages may be on their way at once: on a busy machine one takes long, and costs little."""
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
    oldest_due_s: float | None = None
    """When the oldest live reading that is not delivered yet was due or will be, by the clock; None at first."""

    def behind_s(self, clock: Clock) -> float | None:
        """How late live readings are delivered now; None before the first."""
        return None if self.oldest_due_s is None else max(clock.monotonic_s() - self.oldest_due_s, 0.0)


class Generator:
    """The sensors of the city, all in one process."""

    def __init__(
        self,
        settings: GeneratorSettings,
        clock: Clock,
        state: Path,
        *,
        schedule: Schedule | None = None,
        silenced: Callable[[Sensor, datetime], bool] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`state` is the folder that keeps how far history was filled and the ground truth of the events.

        In an exercise the events are those of `schedule`, which somebody else fills, and `silenced` says of a reading
        whether it gets lost on the way.
        """
        self._schedule = schedule
        self._silenced = silenced
        self._settings = settings
        self._clock = clock
        self._state = state
        self._sensors = sensors()
        self.truth = GroundTruth(state / "events.jsonl")
        self.progress = progress or Progress()
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
                live = live or _Live(
                    self._settings,
                    self._clock,
                    self._sensors,
                    self.truth,
                    self.progress,
                    schedule=self._schedule,
                    silenced=self._silenced,
                )
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
                    async with asyncio.timeout(wait_s * random.uniform(0.5, 1.0)):  # noqa: S311 (jitter)
                        await stop.wait()
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


@dataclass(frozen=True, slots=True)
class _Message:
    """One that is on its way."""

    due_s: float
    """When the first of its readings was due."""
    payload: bytes
    task: asyncio.Task[None]

    @property
    def delivered(self) -> bool:
        """Whether it is known to have arrived."""
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None


class _Live:
    """Sends readings at their times. It outlives a broken connection, the city does not begin anew."""

    def __init__(
        self,
        settings: GeneratorSettings,
        clock: Clock,
        city: Mapping[str, Sensor],
        truth: GroundTruth,
        progress: Progress,
        *,
        schedule: Schedule | None,
        silenced: Callable[[Sensor, datetime], bool] | None,
    ) -> None:
        self._silenced = silenced
        self._given = schedule is not None
        self._settings = settings
        self._clock = clock
        self._city = city
        self._truth = truth
        self._progress = progress
        self._schedule = schedule or Schedule(city, seed=settings.seed, start=clock.now())
        self._paced = isinstance(clock, PacedClock)
        self._origin = clock.now() - timedelta(seconds=clock.monotonic_s())
        self._noted_s = clock.monotonic_s()
        self._due: list[tuple[float, str]] = []
        self._foreseen: dict[str, Foreseen] = {}
        self._flying: deque[_Message] = deque()
        """Messages that are not delivered yet, the oldest first."""
        now_s = clock.monotonic_s()
        chance = random.Random(settings.seed)  # noqa: S311 (a reproducible exercise, no secret)
        for id, sensor in city.items():
            # Real sensors do not tick together. In a seeded exercise they do at the same times whenever this begins.
            interval_s = sensor.datastream.interval_s or 5.0
            phase_s = round(chance.uniform(0, interval_s), 3)
            self._due.append((phase_s + math.ceil((now_s - phase_s) / interval_s) * interval_s, id))
            self._foreseen[id] = Foreseen(sensor, interval_s, self._exactly)
        heapq.heapify(self._due)

    async def play(self, client: aiomqtt.Client, stop: asyncio.Event, note: Callable[[datetime], None]) -> None:
        """Send until `stop` is set. Raises aiomqtt.MqttError when the connection breaks."""
        # What was on its way when the last connection broke is sent again: a reading is kept once.
        again, self._flying = self._flying, deque()
        for message in again:
            self._launch(client, message.due_s, message.payload)
        try:
            while not stop.is_set():
                await self._turn(client, stop, note)
        finally:
            for message in self._flying:
                message.task.cancel()
            await asyncio.gather(*(message.task for message in self._flying), return_exceptions=True)
            self._flying = deque(message for message in self._flying if not message.delivered)

    async def _turn(self, client: aiomqtt.Client, stop: asyncio.Event, note: Callable[[datetime], None]) -> None:
        await self._land()
        now_s = self._clock.monotonic_s()
        now = self._clock.now()
        self._tell_oldest()
        if self._due[0][0] > now_s:
            await self._rest_until(min(self._due[0][0], now_s + 0.25), stop)
            return
        self._plan(now)
        due = self._take_due(now, now_s)
        # What is faster than the time must be known to have arrived before time goes on for long.
        if self._paced and (len(due) > GATEWAY_READINGS or self._hurries()):
            await self._send_together(client, due)
            if self._hurries() and self._due[0][0] > now_s:
                await self._rest_until(now_s + GATEWAY_S, stop)
        else:
            for sensor, due_s in due:
                await self._send_one(client, sensor, due_s, now, now_s)
        if now_s - self._noted_s > 60:
            # History is five-minute steps: what was live is close enough to it not to be filled in after a restart.
            self._noted_s = now_s
            note(now)
        await asyncio.sleep(0)

    async def _rest_until(self, until_s: float, stop: asyncio.Event) -> None:
        """Wait for a time of the clock, or for the end. It is told as a time and not as a span, which would begin late:
        time might stand still for what became due meanwhile. The clock may wait for just what was lost on its way:
        raises aiomqtt.MqttError then."""
        seconds = until_s - self._clock.monotonic_s()
        if seconds <= 0:
            return
        passing = self._pass_hurried(until_s) if self._hurries() else sleep(self._clock, seconds)
        resting, ending = asyncio.create_task(passing), asyncio.create_task(stop.wait())
        try:
            while not resting.done() and not ending.done():
                awaited: set[asyncio.Task[Any]] = {one.task for one in self._flying if not one.task.done()}
                awaited |= {resting, ending}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                await self._land()
        finally:
            resting.cancel()
            ending.cancel()

    async def _pass_hurried(self, until_s: float) -> None:
        while self._clock.monotonic_s() < until_s:  # noqa: ASYNC110 - what is waited for is a clock
            # Where a minute takes a second nobody may look up late, when time goes on after it stood still.
            await asyncio.sleep(HURRIED_LOOK_S)

    def _launch(self, client: aiomqtt.Client, due_s: float, payload: bytes) -> None:
        # Tasks start in the order in which they are made, and are sent in that order.
        task = asyncio.create_task(self._deliver(client, payload))
        self._flying.append(_Message(due_s, payload, task))
        self._tell_oldest()

    async def _land(self, most: int = ON_THEIR_WAY) -> None:
        """Wait until at most so many messages are on their way. Raises aiomqtt.MqttError for one that was lost."""
        while self._flying and (self._flying[0].task.done() or len(self._flying) > most):
            await self._flying[0].task
            self._flying.popleft()

    def _tell_oldest(self) -> None:
        """What is due and not sent yet counts as much as what is on its way."""
        this = asyncio.current_task()
        waiting = [one.due_s for one in self._flying if one.task is not this and not one.delivered]
        self._progress.oldest_due_s = min([self._due[0][0], *waiting])

    def _hurries(self) -> bool:
        """Also while time is held back, as happens only where it hurries."""
        return isinstance(self._clock, ExerciseClock) and not 0 < self._clock.speed <= 1

    def _take_due(self, now: datetime, now_s: float) -> list[tuple[Sensor, float]]:
        """The sensors that are due, each with its time; they are due again one interval later."""
        found: list[tuple[Sensor, float]] = []
        while len(found) < 500 and self._due[0][0] <= now_s:
            due_s, id = self._due[0]
            sensor = self._city[id]
            interval_s = sensor.datastream.interval_s or 5.0
            # After a pause sensors go on from now; they do not make up for what they missed.
            # In an exercise that runs faster they do: its readings are the same at any speed.
            keeps_up = self._paced or now_s - due_s < 2 * interval_s
            heapq.heapreplace(self._due, (due_s + interval_s if keeps_up else now_s + interval_s, id))
            found.append((sensor, due_s))
        return found

    async def _send_one(
        self, client: aiomqtt.Client, sensor: Sensor, due_s: float, now: datetime, now_s: float
    ) -> None:
        if self._paced:
            moment, value = self._due_value(sensor, due_s)
        else:
            moment, value = now - timedelta(seconds=min(now_s - due_s, 1.0)), None
            if not signals.is_lost(sensor, moment) and not self._is_silenced(sensor, moment):
                value = reading(sensor, moment, self._schedule.active(moment))
        if value is not None:
            await self._send(client, sensor.datastream.id, moment, value)

    async def _send_together(self, client: aiomqtt.Client, due: Sequence[tuple[Sensor, float]]) -> None:
        """As a gateway sends what its sensors told it: one message, delivered when it is on the bus. Faster than the
        time the next may follow before that."""
        rows: dict[str, list[list[object]]] = {}
        for sensor, due_s in due:
            moment, value = self._due_value(sensor, due_s)
            if value is not None:
                rows.setdefault(sensor.datastream.id, []).append([moment.isoformat(timespec="milliseconds"), value])
        payload = [
            {"Datastream": {"@iot.id": id}, "components": ["phenomenonTime", "result"], "dataArray": values}
            for id, values in rows.items()
        ]
        if payload:
            self._launch(client, due[0][1], orjson.dumps(payload))
            self._progress.live += sum(len(values) for values in rows.values())
            await self._land(ON_THEIR_WAY if self._hurries() else 0)

    async def _deliver(self, client: aiomqtt.Client, payload: bytes) -> None:
        await client.publish(f"{self._settings.prefix}/CreateObservations", payload, qos=1)
        self._tell_oldest()

    def _exactly(self, due_s: float) -> datetime:
        """The sensor's own time, to the millisecond, so that the same exercise gives the same readings."""
        return self._origin + timedelta(milliseconds=round(due_s * 1_000))

    def _plan(self, now: datetime) -> None:
        if self._settings.events and not self._given:
            for event in self._schedule.plan(now):
                self._truth.add([event])
                log.info("exercise.event", kind=event.kind.value, title=event.title, until=event.end.isoformat())

    def _due_value(self, sensor: Sensor, due_s: float) -> tuple[datetime, float | None]:
        """The sensor's own time of what is due, and what it sends, or None if nothing comes."""
        moment = self._exactly(due_s)
        usual = self._foreseen[sensor.datastream.id].at(due_s)
        if usual is None or self._is_silenced(sensor, moment):
            return moment, None
        return moment, reading(sensor, moment, self._schedule.active(moment), usual)

    def _is_silenced(self, sensor: Sensor, moment: datetime) -> bool:
        return self._silenced is not None and self._silenced(sensor, moment)

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
    settings: GeneratorSettings,
    *,
    clock: Clock,
    state: Path,
    stop: asyncio.Event | None = None,
    schedule: Schedule | None = None,
    silenced: Callable[[Sensor, datetime], bool] | None = None,
    progress: Progress | None = None,
) -> None:
    """Play the city until `stop` is set or the task is cancelled. Raises ConfigurationError for wrong settings."""
    if settings.qos not in (0, 1):
        raise ConfigurationError(f"quality of service {settings.qos} is not offered", hint="choose 0 or 1")
    generator = Generator(settings, clock, state, schedule=schedule, silenced=silenced, progress=progress)
    await generator.run(stop or asyncio.Event())


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
