"""Plays a scenario: each inject at its time through the way by which the real thing would come.

The director obeys the controller's orders, keeps the journal, and holds the clock when the tools fall behind, so that
at any speed they read everything in its time. What it plays it hands to the stage: the sensors' schedule, the file of
the intrusion detection system, the threat feed. It knows of no tool and shows nothing on any screen.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from impetus.exercise.city import Sensor
from impetus.exercise.clock import ExerciseClock
from impetus.exercise.desk import Desk, Entry, EntryKind, Order, OrderKind, Phase, State
from impetus.exercise.events import GroundTruth, Schedule
from impetus.exercise.intrusion import append as append_lines
from impetus.exercise.scenario import (
    FeedInject,
    Inject,
    LinkInject,
    MessageInject,
    PartInject,
    PostsInject,
    ReadingsInject,
    ScanInject,
    Scenario,
    SecurityInject,
    VideoInject,
    read_lines,
)
from impetus.exercise.threat_feed import ThreatFeed
from impetus.model import ConfigurationError, new_id

LOOK_S: Final = 0.05
SAY_S: Final = 0.5
ASK_S: Final = 0.5
"""How often it is asked what waits, where time does not hurry: to ask costs more than all else that is done here."""
QUIET_LOOKS: Final = 10
"""The tools are ready when nothing waited, or next to nothing, for so many looks."""
WAITING_LIMIT: Final = 4
"""Messages; when more wait for a tool, time stands still until it has caught up."""
WAITING_WHEN_CALM: Final = 20
LATE_LIMIT_S: Final = 8.0
"""The same when the sensors themselves are so late, by the clock of the exercise: a gateway's message holds two seconds
of readings, and is on its way for a while."""
AHEAD_S: Final = 0.5
"""Real seconds that exercise time goes on by itself: when this process is kept waiting for longer, time waits too. Not
further than sensors may be late, however fast it goes."""
LEAD_S: Final = 60.0
"""Between the start of an unattended run and its scenario, so that the tools have seen the city as it is."""

Waiting = Callable[[Collection[str]], Awaitable[int | None]]
"""How many messages wait for the slowest tool, those left out that are down for now, as the supervisor names them; None
while some tool is not there yet."""

log = structlog.get_logger("director")
_INJECT: TypeAdapter[Inject] = TypeAdapter(Inject)


@dataclass(slots=True)
class Stage:
    """Where injects enter the city."""

    schedule: Schedule
    truth: GroundTruth
    eve: Path
    feed: ThreatFeed | None
    posts: Path | None
    """The file that the tool `social` reads as it grows."""
    scan: Path | None
    """The report of a scanner that the tool `cyber` reads when it is written."""
    show: Callable[[str, str], None] | None
    """Lets something come into a camera's picture: which camera, and what."""
    waiting: Waiting
    behind_s: Callable[[], float | None] = lambda: 0.0
    """How late the sensors send, by the clock of the exercise; None while they do not yet."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Injects that nobody would hear, and why."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """Sensors that are cut off for a while."""

    since: datetime
    until: datetime
    sites: frozenset[str]
    properties: frozenset[str]

    def holds(self, sensor: Sensor, moment: datetime) -> bool:
        if not self.since <= moment < self.until:
            return False
        return (not self.sites or sensor.site in self.sites) and (
            not self.properties or sensor.property.id in self.properties
        )


class Director:
    """One scenario in one installation; it may be played several times, each time a run of its own."""

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        desk: Desk,
        clock: ExerciseClock,
        stage: Stage,
        *,
        unattended: bool = False,
        speed: float = 1.0,
        variant: int = 0,
        starts_after_s: float | None = None,
    ) -> None:
        """`folder` is the scenario's. `unattended`: it starts by itself and ends the exercise when it is over.
        `starts_after_s`: nobody needs to start it the first time, it begins so long after it is ready."""
        self.scenario = scenario
        self._folder = folder
        self._desk = desk
        self._clock = clock
        self._stage = stage
        self._unattended = unattended
        self._speed = speed
        self._variant = variant
        self._starts_after_s = starts_after_s
        self._ready_s = 0.0
        self._paused = unattended
        self._held_back = False
        self._phase = Phase.PREPARING
        self._run = new_id()
        self._started: datetime | None = None
        self._due: list[tuple[datetime, Inject]] = []
        self._later: list[tuple[datetime, Path, dict[str, object]]] = []
        """Security alerts and posts, with their times and the files into which they are written."""
        self._cuts: list[_Cut] = []
        self._holds: dict[str, datetime] = {}
        self._pictures_until: datetime | None = None
        """So long a camera's picture is played, which cannot be sped up."""
        self._quiet = 0
        self._position = 0
        self._said_s = 0.0
        self._asked_s = 0.0
        self._waiting = 0

    def silenced(self, sensor: Sensor, moment: datetime) -> bool:
        """Whether the sensor's readings of that moment get lost on the way."""
        return any(cut.holds(sensor, moment) for cut in self._cuts)

    async def run(self, stop: asyncio.Event) -> None:
        """Play until `stop` is set, or until an unattended run is over."""
        _, self._position = self._desk.orders()
        self._desk.hold(())
        try:
            while not stop.is_set() and not (self._unattended and self._phase is Phase.ENDED):
                await self._turn()
                await asyncio.sleep(LOOK_S)
        finally:
            if self._phase is Phase.RUNNING:
                self._end("broken off")
            self._desk.hold(())
            self._say()

    async def _turn(self) -> None:
        orders, self._position = self._desk.orders(self._position)
        for order in orders:
            await self._obey(order)
        await self._keep_pace()
        if self._phase is Phase.PREPARING and self._quiet >= QUIET_LOOKS:
            self._phase = Phase.READY
            self._ready_s = self._clock.monotonic_s()
            if self._unattended:
                self._paused = False
                self._start(self._clock.now() + timedelta(seconds=LEAD_S))
        waited_s = self._clock.monotonic_s() - self._ready_s
        if self._phase is Phase.READY and self._starts_after_s is not None and waited_s >= self._starts_after_s:
            self._start(self._clock.now())
        if self._phase is Phase.RUNNING:
            await self._play_due()
        self._clock_follows()
        now_s = asyncio.get_running_loop().time()
        if now_s - self._said_s >= SAY_S or orders:
            self._said_s = now_s
            self._say()

    async def _keep_pace(self) -> None:
        """Look at what waits for the tools; at more than a little, let them catch up first."""
        now_s = asyncio.get_running_loop().time()
        if self._phase is not Phase.PREPARING and self._speed <= 1 and now_s - self._asked_s < ASK_S:
            return
        self._asked_s = now_s
        waiting, behind_s = await self._stage.waiting(self._holds), self._stage.behind_s()
        # While time stands still nothing new comes; a city that lives always has a few messages on their way.
        calm = waiting is not None and waiting <= (0 if self._paused else WAITING_WHEN_CALM)
        self._quiet = self._quiet + 1 if calm and behind_s is not None else 0
        self._waiting = waiting or 0
        # What is down on purpose is not waited for, or time would stand still for as long.
        cut_off = any(part.startswith("connector-") for part in self._holds)
        late_s = 0.0 if cut_off or behind_s is None else behind_s
        if self._held_back:
            self._held_back = self._waiting > 1 or late_s > LATE_LIMIT_S / 2
        elif self._speed > 1:
            self._held_back = self._waiting > WAITING_LIMIT or late_s > LATE_LIMIT_S

    def _clock_follows(self) -> None:
        wanted = 0.0 if self._paused or self._held_back else self._speed
        if self._pictures_until is not None and self._clock.now() < self._pictures_until:
            wanted = min(wanted, 1.0)
        if self._clock.speed != wanted:
            self._clock.set_speed(wanted)
        self._clock.allow(min(AHEAD_S * max(1.0, wanted), LATE_LIMIT_S))

    async def _obey(self, order: Order) -> None:
        text = ""
        try:
            text = await self._do(order)
            kind = EntryKind.ORDER
        except (ConfigurationError, ValidationError) as error:
            text = " ".join(str(error).split())[:500]
            kind = EntryKind.REFUSED
        self._note(kind, order.kind.value, text=text, by=order.by)

    async def _do(self, order: Order) -> str:
        if order.kind is OrderKind.START:
            if self._phase is Phase.RUNNING:
                raise ConfigurationError("the scenario is being played already")
            self._run = new_id()
            self._start(self._clock.now())
        elif order.kind is OrderKind.PAUSE:
            self._paused = True
        elif order.kind is OrderKind.RESUME:
            self._paused = False
        elif order.kind is OrderKind.SPEED:
            self._speed = order.speed or 1.0
            return f"{self._speed:g}x"
        elif order.kind is OrderKind.INJECT:
            now = self._clock.now()
            given = {"id": f"added-{order.id[-8:]}", **(order.inject or {}), "at": max(self._elapsed_s(now), 0.0)}
            inject = _INJECT.validate_python(given)
            if isinstance(inject, SecurityInject | PostsInject | ScanInject):
                raise ConfigurationError("files cannot be added while an exercise runs")
            await self._play(inject, now)
            return inject.title
        elif order.kind is OrderKind.HOLD and order.part:
            self._hold(order.part, self._clock.now() + timedelta(minutes=order.minutes))
            return f"{order.part} for {order.minutes:g} min"
        elif order.kind is OrderKind.RELEASE and order.part:
            self._holds.pop(_part_name(order.part), None)
            self._desk.hold(tuple(self._holds))
            return order.part
        elif order.kind is OrderKind.CUT and order.site:
            now = self._clock.now()
            until = now + timedelta(minutes=order.minutes)
            self._cuts.append(_Cut(now, until, frozenset({order.site}), frozenset()))
            return f"{order.site} for {order.minutes:g} min"
        elif order.kind is OrderKind.HINT:
            return self._hint()
        elif order.kind is OrderKind.END:
            if self._phase is Phase.RUNNING:
                self._end(f"ended by {order.by}")
        else:
            raise ConfigurationError(f"the order {order.kind.value!r} lacks what it is about")
        return ""

    def _hint(self) -> str:
        """The hint of what was played last and has one."""
        played = [entry for entry in self._desk.journal(self._run) if entry.kind is EntryKind.INJECT and entry.hint]
        return played[-1].hint if played else "Nothing has happened yet that asks for help."

    def _start(self, moment: datetime) -> None:
        self._phase, self._started = Phase.RUNNING, moment
        self._due = [(moment + timedelta(seconds=inject.at), inject) for inject in self.scenario.injects]
        self._later, self._cuts = [], []
        skipped = self._stage.skipped
        for at, inject in self._due:
            # The sensors must know beforehand what begins when: they are read at their own times.
            if isinstance(inject, LinkInject) and inject.id not in skipped:
                self._cuts.append(_cut(inject, at))
            if isinstance(inject, ReadingsInject) and inject.id not in skipped:
                self._stage.schedule.happening(
                    f"{self._run}:{inject.id}",
                    inject.event,
                    inject.site,
                    at,
                    at + timedelta(minutes=inject.minutes),
                    inject.strength,
                )
        self._note(EntryKind.STARTED, self.scenario.title, time=moment)

    async def _play_due(self) -> None:
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            at, inject = self._due.pop(0)
            await self._play(inject, at)
        ready = [(path, line) for at, path, line in self._later if at <= now]
        if ready:
            self._later = [one for one in self._later if one[0] > now]
            for file in {path for path, _ in ready}:
                await asyncio.to_thread(append_lines, file, iter([line for path, line in ready if path == file]))
        for part in [part for part, until in self._holds.items() if until <= now]:
            del self._holds[part]
            self._desk.hold(tuple(self._holds))
            self._note(EntryKind.OVER, f"{part} works again")
        if self._started is not None and now >= self._started + self.scenario.length:
            self._end("the scenario is over")

    async def _play(self, inject: Inject, at: datetime) -> None:
        reason = self._stage.skipped.get(inject.id, "")
        sources: Sequence[str] = ()
        if not reason:
            try:
                sources = await self._enter(inject, at)
            except ConfigurationError as error:
                reason = str(error)
        log.info("exercise.inject", inject=inject.id, kind=inject.kind, skipped=reason)
        self._note(
            EntryKind.SKIPPED if reason else EntryKind.INJECT,
            inject.title,
            inject=inject,
            text=reason or (f"{inject.sender}: {inject.text}" if isinstance(inject, MessageInject) else ""),
            sources=tuple(sources)[:100],
            role=inject.role.value if isinstance(inject, MessageInject) else "",
            time=at,
        )

    async def _enter(self, inject: Inject, at: datetime) -> Sequence[str]:
        """Play an inject; returns on what it can be noticed."""
        stage = self._stage
        if isinstance(inject, ReadingsInject):
            return self._readings(inject, at)
        if isinstance(inject, LinkInject):
            if (cut := _cut(inject, at)) not in self._cuts:
                self._cuts.append(cut)
            return [*inject.sites, *inject.properties]
        if isinstance(inject, PartInject):
            self._hold(inject.part, at + timedelta(minutes=inject.minutes))
            return [inject.part]
        if isinstance(inject, SecurityInject):
            return self._security(inject, at)
        if isinstance(inject, PostsInject):
            return self._posts(inject, at)
        if isinstance(inject, FeedInject):
            if stage.feed is None:
                raise ConfigurationError("there is no threat feed of the exercise here")
            stage.feed.add(inject.title, inject.text)
            return []
        if isinstance(inject, ScanInject):
            if stage.scan is None:
                raise ConfigurationError("nothing here reads the reports of scanners")
            await asyncio.to_thread(_put, self._folder / inject.file, stage.scan)
            return []
        if isinstance(inject, VideoInject):
            if stage.show is None:
                raise ConfigurationError("no camera of the exercise is watched here")
            stage.show(inject.camera, inject.scene)
            self._pictures_until = self._clock.now() + timedelta(minutes=inject.minutes)
            return [inject.camera]
        return []  # a call: it is read from the journal

    def _readings(self, inject: ReadingsInject, at: datetime) -> Sequence[str]:
        id = f"{self._run}:{inject.id}"
        event = next((one for one in self._stage.schedule.events if one.id == id), None)
        if event is None:
            event = self._stage.schedule.happening(
                id, inject.event, inject.site, at, at + timedelta(minutes=inject.minutes), inject.strength
            )
        if event is None:
            raise ConfigurationError(f"no sensor at {inject.site} would read it")
        self._stage.truth.add([event])
        return event.datastreams

    def _security(self, inject: SecurityInject, at: datetime) -> Sequence[str]:
        hosts: set[str] = set()
        for line in read_lines(self._folder / inject.file):
            if not isinstance(line, dict):
                continue
            moment = at + timedelta(seconds=float(line["after_s"]))
            event = {name: value for name, value in line.items() if name != "after_s"}
            self._later.append((moment, self._stage.eve, {"timestamp": moment.isoformat(), **event}))
            hosts |= {str(event[name]) for name in ("src_ip", "dest_ip") if name in event}
        self._later.sort(key=lambda one: one[0])
        return sorted(hosts)

    def _posts(self, inject: PostsInject, at: datetime) -> Sequence[str]:
        if self._stage.posts is None:
            raise ConfigurationError("nothing here reads public posts")
        for number, line in enumerate(read_lines(self._folder / inject.file)):
            if isinstance(line, dict):
                moment = at + timedelta(seconds=float(line["after_s"]))
                post = {
                    "id": f"{self._run}-{inject.id}-{number}",
                    "author": f"@{line.get('author', 'somebody')}@chatter.example",
                    "time": moment.isoformat(),
                    "lang": line.get("language", ""),
                    "text": line.get("text", ""),
                }
                self._later.append((moment, self._stage.posts, post))
        self._later.sort(key=lambda one: one[0])
        return []

    def _hold(self, part: str, until: datetime) -> None:
        self._holds[_part_name(part)] = until
        self._desk.hold(tuple(self._holds))

    def _end(self, why: str) -> None:
        self._phase = Phase.ENDED
        self._due, self._later, self._cuts, self._pictures_until = [], [], [], None
        now = self._clock.now()
        # What has not happened yet does not happen any more.
        self._stage.schedule.events[:] = [
            event for event in self._stage.schedule.events if not (event.id.startswith(self._run) and event.end > now)
        ]
        self._holds.clear()
        self._desk.hold(())
        self._note(EntryKind.ENDED, why)
        self._say()

    def _elapsed_s(self, now: datetime) -> float:
        return 0.0 if self._started is None else (now - self._started).total_seconds()

    def _note(
        self,
        kind: EntryKind,
        title: str,
        *,
        text: str = "",
        by: str = "",
        inject: Inject | None = None,
        sources: tuple[str, ...] = (),
        role: str = "",
        time: datetime | None = None,
    ) -> None:
        moment = time or self._clock.now()
        self._desk.note(
            Entry(
                run=self._run,
                kind=kind,
                time=moment,
                elapsed_s=round(self._elapsed_s(moment), 3),
                inject=inject.id if inject is not None else None,
                inject_kind=inject.kind if inject is not None else "",
                title=title,
                text=text,
                sources=sources,
                role=role,
                by=by,
                hint=inject.hint if inject is not None else "",
            )
        )

    def _say(self) -> None:
        now = self._clock.now()
        following = self._due[0] if self._due else None
        self._desk.say(
            State(
                run=self._run,
                scenario=self.scenario.id,
                variant=self._variant,
                title=self.scenario.title,
                phase=self._phase,
                time=now,
                started=self._started,
                elapsed_s=round(self._elapsed_s(now), 2),
                length_s=self.scenario.minutes * 60,
                speed=self._speed,
                paused=self._paused,
                waiting=self._waiting,
                held_back=self._held_back,
                next_inject=following[1].title if following else None,
                next_s=following[1].at if following else None,
                held=tuple(sorted(self._holds)),
                skipped=dict(self._stage.skipped),
            )
        )


def _cut(inject: LinkInject, at: datetime) -> _Cut:
    until = at + timedelta(minutes=inject.minutes)
    return _Cut(at, until, frozenset(inject.sites), frozenset(inject.properties))


def _put(source: Path, target: Path) -> None:
    """A whole file at once: nobody reads half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}")
    shutil.copyfile(source, draft)
    draft.replace(target)


def _part_name(part: str) -> str:
    """As the supervisor names it: `tool:air` is `worker-air`."""
    kind, _, name = part.partition(":")
    return f"worker-{name}" if kind == "tool" else f"connector-{name}"
