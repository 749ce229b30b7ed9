"""`impetus demo`: a live city of invented sensors, with everything real behind it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from impetus import app
from impetus.bus import Bus
from impetus.connectors.mqtt import EmbeddedListener
from impetus.connectors.mqtt.credentials import listener_credentials
from impetus.exercise import intrusion, posts
from impetus.exercise.base_map import FILE as BASE_MAP
from impetus.exercise.base_map import OPEN_SPACE
from impetus.exercise.camera_scene import camera_settings
from impetus.exercise.city import sensors
from impetus.exercise.clock import ExerciseClock, clock_of
from impetus.exercise.desk import Desk, Phase
from impetus.exercise.director import Director, Player, Stage
from impetus.exercise.events import GroundTruth, Schedule
from impetus.exercise.generator import GeneratorSettings, Progress, run_generator
from impetus.exercise.geography import ORIGIN_LATITUDE, ORIGIN_LONGITUDE
from impetus.exercise.replay import Comparison, changed, compare, recorded, replay
from impetus.exercise.reviewing import Reviewed, reviewed
from impetus.exercise.runs import FOLDER as EXERCISES
from impetus.exercise.runs import exclusively, new_run_folder, run_folder
from impetus.exercise.scenario import Scenario, folder_of, load_scenario, missing_tools
from impetus.exercise.seed import CITY, DemoAccess, seed_demo
from impetus.exercise.shift import SETTINGS as WORKLOAD
from impetus.exercise.threat_feed import ITEMS as FEED_ITEMS
from impetus.exercise.threat_feed import ThreatFeed, demo_settings
from impetus.exercise.variants import variant as made_variant
from impetus.model import Clock, ConfigurationError, NotFound, SystemClock, Unavailable
from impetus.sdk import load_tool, load_tools
from impetus.sdk.worker import consumers as tool_consumers
from impetus.settings import HOME_VARIABLE, Settings, default_home, read_settings
from impetus.store import open_store
from impetus.supervisor import Part
from impetus.ui.review_page import review_html
from impetus.ui.review_pdf import comparison, review_pdf

DEFAULT_HOME = "~/.impetus-demo"
LINGER_S = 3.0
STARTS_AFTER_S = 60.0
"""A demo's scenario begins by itself so long after the tools are ready."""
READY_S = 60.0
"""The server must answer within this time."""
LOAD_VARIABLE = "IMPETUS_DEMO_READINGS_PER_SECOND"
WORKLOAD_VARIABLE = "IMPETUS_TOOLS__WORKLOAD"
FEED_VARIABLE = "IMPETUS_DEMO_FEED_PORT"
CTI_VARIABLE = "IMPETUS_TOOLS__CTI"
CYBER_VARIABLE = "IMPETUS_TOOLS__CYBER"
FIREARM_VARIABLE = "IMPETUS_TOOLS__FIREARM"
AIR_VARIABLE = "IMPETUS_TOOLS__AIR"
SOCIAL_VARIABLE = "IMPETUS_TOOLS__SOCIAL"
POSTS = posts.FILE
"""Below the home: the file of public posts that the tool `social` reads."""
EVE = "demo/eve.json"
"""Below the home: the file into which the demo's intrusion detection system writes."""


async def run_demo(
    *, port: int | None, as_json: bool, readings_per_second: float | None = None, scenario: str | None = None
) -> None:
    """Start the demo city, print how to get in, and run until Ctrl-C; with a scenario, one that can be played."""
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    if scenario is not None:
        stage(scenario)
    settings = _prepare(port, readings_per_second)
    await play(settings, console, as_json=as_json, readings_per_second=readings_per_second)


def stage(
    scenario: str | Path,
    *,
    variant: int = 0,
    speed: float = 1.0,
    unattended: bool = False,
    start: datetime | None = None,
) -> Scenario:
    """Make the installation of this environment one of an exercise, which begins at `start`, or now.

    The scenario is copied into its home, so that a report made later knows what was played. Raises `InvalidInput` and
    `NotFound` for a scenario that cannot be played.
    """
    home = Path(os.environ.setdefault(HOME_VARIABLE, str(Path(DEFAULT_HOME).expanduser()))).expanduser()
    folder = folder_of(scenario)
    played = made_variant(load_scenario(folder), variant)
    missing_tools(played, list(load_tools()))
    desk = Desk(home)
    if desk.scenario.exists():
        shutil.rmtree(desk.scenario)
    shutil.copytree(folder, desk.scenario, ignore=shutil.ignore_patterns("__pycache__"))
    begin = start or SystemClock().now()
    known = desk.state()
    if start is None and known is not None and known.time > begin:
        begin = known.time  # it was played faster than the time; it does not go back
    # Nothing moves before the director says that all is ready; a city to look at does.
    ExerciseClock.create(desk.clock, begin, 0.0 if unattended else 1.0)
    for name, value in (
        ("TITLE", played.title),
        ("SCENARIO", str(desk.scenario)),
        ("CLOCK", str(desk.clock)),
        ("VARIANT", str(variant)),
        ("SPEED", str(speed)),
        ("UNATTENDED", "true" if unattended else "false"),
    ):
        os.environ[f"IMPETUS_EXERCISE__{name}"] = value
    return played


@dataclass(frozen=True, slots=True)
class Played:
    """What became of an unattended exercise."""

    folder: Path
    scenario: Scenario
    prepared_s: float
    """Real seconds until the tools had read the city's history."""
    took_s: float
    """Real seconds from the start of the scenario to its end."""
    played_s: float
    """Seconds of the scenario that were played."""

    @property
    def whole(self) -> bool:
        """Whether it was played to its end."""
        return self.played_s >= 60 * self.scenario.minutes


async def run_exercise(
    name: str | Path,
    *,
    folder: Path | None = None,
    variant: int = 0,
    speed: float = 20.0,
    tools: Collection[str] | None = None,
    console: Console,
) -> Played:
    """Play a scenario to its end without players, in an installation of its own; its folder keeps everything.

    Raises:
        Conflict: another exercise is under way in this home.
        InvalidInput: the scenario is not valid.
        NotFound: there is no such scenario.
    """
    real = default_home()
    with exclusively(real / EXERCISES):
        scenario = load_scenario(folder_of(name))
        own = folder or new_run_folder(real / EXERCISES, scenario.id, SystemClock().now())
        if own.resolve() == real.resolve():
            raise ConfigurationError(
                f"{own} is the home of the real operation", hint="give an exercise a folder of its own"
            )
        for variable in [variable for variable in os.environ if variable.startswith("IMPETUS_")]:
            del os.environ[variable]  # nothing of the real operation's settings reaches an exercise
        os.environ[HOME_VARIABLE] = str(own)
        os.environ["IMPETUS_HTTP__PORT"] = str(_free_port())
        installed = list(load_tools())
        unknown = sorted(set(tools or ()) - set(installed))
        if unknown:
            raise NotFound(f"there is no tool {unknown[0]!r}", hint=f"installed: {', '.join(installed)}")
        if tools is not None:
            os.environ["IMPETUS_DISABLED_TOOLS"] = json.dumps(sorted(set(installed) - set(tools)))
        played = stage(name, variant=variant, speed=speed, unattended=True, start=scenario.start)
        settings = _prepare(None, None)
        began_s = time.monotonic()
        watch = asyncio.create_task(_stopwatch(Desk(own)))
        try:
            await play(settings, console, quiet=True)
        finally:
            watch.cancel()
        state = Desk(own).state()
        started_s, ended_s = watch.result() if watch.done() and not watch.cancelled() else (None, None)
        if state is None or started_s is None or ended_s is None:
            raise Unavailable(
                "the exercise ended before it was played to its end", hint=f"see the logs in {own / 'logs'}"
            )
        return Played(
            own, played, round(started_s - began_s, 1), round(ended_s - started_s, 1), max(state.elapsed_s, 0.0)
        )


async def run_and_review(
    name: str, *, speed: float, variant: int, folder: Path | None, tools: Collection[str] | None
) -> None:
    """`impetus exercise run`."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    played = await run_exercise(name, folder=folder, variant=variant, speed=speed, tools=tools, console=console)
    console.print(
        f"{played.scenario.title}: {played.played_s / 60:.1f} of {played.scenario.minutes:g} minutes in "
        f"{played.took_s:g} s, after {played.prepared_s:g} s of preparation. Kept in {played.folder}"
    )
    if not played.whole:
        console.print("It was broken off: what follows is of the part that was played.", style="red")
    await report(str(played.folder), folder=played.folder / "report", console=console)


async def report(
    name: str | None, *, folder: Path | None = None, against: str | None = None, console: Console | None = None
) -> None:
    """`impetus exercise report`: the review of a run as JSON, HTML and PDF; `against` is a run to compare with.

    Raises `NotFound` for a run that does not exist.
    """
    console = console or Console(stderr=True, soft_wrap=True, highlight=False)
    exercises = default_home() / EXERCISES
    home = run_folder(exercises, name)
    told = await _reviewed(home)
    other = await _reviewed(run_folder(exercises, against)) if against is not None else None
    target = folder or home / "report"
    await asyncio.to_thread(_write_report, told, other, target)
    review = told.review
    table = Table("planted", "tool", "outcome", "after", box=None, padding=(0, 3, 0, 0))
    for truth in review.truths:
        delay = f"{truth.delay_s:.0f} s" if truth.delay_s is not None else "-"
        table.add_row(escape(truth.title), truth.tool, truth.outcome.value, delay)
    console.print(table)
    console.print(
        f"{review.alerts} alerts, {review.alerts_an_hour:g} an hour; {len(review.unexplained)} that nothing planted "
        f"explains; score {review.score.total:g} of 100"
    )
    for alert in review.unexplained:
        console.print(f"  {alert.elapsed_s:7.0f} s  {alert.tool:10} {escape(alert.headline)}")
    if other is not None:
        compared = Table("", "this run", "the other", box=None, padding=(0, 3, 0, 0))
        for line in comparison(review, other.review, str):
            compared.add_row(*(escape(one) for one in line))
        console.print(compared)
    console.print(f"Report: {target}")


async def replay_period(
    tool: str, *, since: datetime, until: datetime, changes: Sequence[str], organisation: str
) -> Sequence[Comparison]:
    """`impetus exercise replay`: what a tool told of a period, tells of it as it is set up now, and would tell with
    other settings; printed, and returned. It only reads.

    Raises `InvalidInput` for a change that is no `name=value`, and what `impetus.exercise.replay.replay` raises.
    """
    app.configure_logging()
    settings = read_settings()
    installed = load_tool(tool)
    own = settings.tools.get(tool, {})
    since, until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (since, until))
    async with app.opened_store(settings, SystemClock()) as store:
        then = await recorded(store, organisation, tool, since, until)
        now = await replay(installed, store, organisation, since, until, own)
        found = [compare(then, now.alerts, since, names=("recorded", "as set up now"))]
        if changes:
            other = await replay(installed, store, organisation, since, until, {**own, **changed(changes)})
            found.append(compare(now.alerts, other.alerts, since, names=("as set up now", ", ".join(changes))))
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{now.readings:,} readings in {now.took_s:.1f} s")
    for one in found:
        later = f"; the second {one.median_later_s:+g} s later" if one.median_later_s is not None else ""
        console.print(
            f"{escape(one.first)}: {one.first_alerts} alerts | {escape(one.second)}: {one.second_alerts} | "
            f"both: {one.both}{later}"
        )
        for name, only in ((one.first, one.only_first), (one.second, one.only_second)):
            for alert in only:
                console.print(f"  only {escape(name)}: {escape(alert.headline)}")
    return found


async def _reviewed(home: Path) -> Reviewed:
    store = await open_store(f"sqlite:///{home / 'store.sqlite'}", SystemClock())
    try:
        return await reviewed(home, store)
    finally:
        await store.close()


def _write_report(told: Reviewed, other: Reviewed | None, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "review.json").write_text(told.model_dump_json(indent=1), encoding="utf-8")
        (folder / "report.html").write_text(review_html(told, other), encoding="utf-8")
        (folder / "report.pdf").write_bytes(review_pdf(told, str, other))
    except OSError as error:
        raise Unavailable(f"the report cannot be written to {folder}: {error}", hint="name another folder") from error


async def _stopwatch(desk: Desk) -> tuple[float | None, float | None]:
    """When the scenario began and ended, by the machine's clock."""
    started_s: float | None = None
    while True:
        state = desk.state()
        if state is not None and state.phase is Phase.RUNNING and started_s is None:
            started_s = time.monotonic()
        if state is not None and state.phase is Phase.ENDED:
            return started_s, time.monotonic()
        await asyncio.sleep(0.1)


async def play(
    settings: Settings,
    console: Console,
    *,
    as_json: bool = False,
    readings_per_second: float | None = None,
    quiet: bool = False,
) -> None:
    """Run the city's installation until Ctrl-C, or until an unattended exercise is over."""
    url = f"http://{settings.http.host}:{settings.http.port}"
    console.print("Preparing the city of Aurelia ...")
    clock = clock_of(settings.exercise.clock)
    async with app.opened_store(settings, clock) as store:
        access = await seed_demo(
            store,
            clock,
            home=settings.home,
            url=url,
            access=settings.access,
            load_readings_per_s=int(readings_per_second or 0),
        )
    console.print("Starting the hub, the MQTT listener, the tools and the city's sensors ...")
    announcement = asyncio.create_task(_announce(access, settings, console, as_json) if not quiet else asyncio.sleep(0))
    try:
        desk = Desk(settings.home) if settings.exercise.scenario is not None else None
        await app.serve(
            settings,
            more_parts=[Part("demo-city", ("exercise", "city"))],
            held=desk.held if desk is not None else None,
            over=_Ending(desk).over if desk is not None and settings.exercise.unattended else None,
        )
    finally:
        announcement.cancel()
    if announcement.done() and not announcement.cancelled():
        announcement.result()


class _Ending:
    """When an unattended exercise is over: a while after its end, so that everything on its way has arrived."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ended_s: float | None = None

    def over(self) -> bool:
        """Whether the installation may end."""
        state = self._desk.state()
        if state is None or state.phase is not Phase.ENDED:
            return False
        self._ended_s = self._ended_s or time.monotonic()
        return time.monotonic() - self._ended_s > LINGER_S


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
            waiting=lambda: _waiting(bus, readers),
            behind_s=lambda: progress.behind_s,
            players=_players(settings),
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
    listener = _listener(settings)
    credentials = listener_credentials(settings.home, listener)
    serving = asyncio.create_task(feed.serve(int(os.environ[FEED_VARIABLE]), stop)) if feed is not None else None
    chatter = asyncio.create_task(posts.play(settings.home / POSTS, clock, stop, planted=director is None))
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


def _players(settings: Settings) -> Mapping[str, Player]:
    """What plays injects for tools that need a stage of their own."""
    return {}


def _readers(tools: Collection[str]) -> frozenset[str]:
    """The names under which these tools read the bus."""
    return frozenset(
        durable
        for name, tool in load_tools().items()
        if name in tools and tool.manifest is not None
        for durable in tool_consumers(tool.manifest)
    )


async def _waiting(bus: Bus, readers: Collection[str]) -> int | None:
    """How many messages wait for the slowest reader; None while one has not come to the bus yet."""
    found = {consumer.durable: consumer.pending for consumer in await bus.consumers()}
    if not found.keys() >= set(readers):
        return None
    return max((found[durable] for durable in readers), default=0)


def _prepare(port: int | None, readings_per_second: float | None) -> Settings:
    """Settings of the demo, in the environment so that all its processes see the same."""
    os.environ.setdefault(HOME_VARIABLE, str(Path(DEFAULT_HOME).expanduser()))
    if port is not None:
        os.environ["IMPETUS_HTTP__PORT"] = str(port)
    if readings_per_second is not None:
        os.environ[LOAD_VARIABLE] = str(readings_per_second)
    connection = {"kind": "embedded", "tenant": CITY, "host": "127.0.0.1", "port": _free_port()}
    os.environ.setdefault("IMPETUS_MQTT__CONNECTIONS", json.dumps([connection]))
    if CTI_VARIABLE not in os.environ:
        feed_port = _free_port()
        os.environ[FEED_VARIABLE] = str(feed_port)
        speed = float(os.environ.get("IMPETUS_EXERCISE__SPEED", "1"))
        os.environ[CTI_VARIABLE] = json.dumps(demo_settings(feed_port, max(5.0, 10 / speed)))
    eve = Path(os.environ[HOME_VARIABLE]).expanduser() / EVE
    cyber = {"organisations": [CITY], "model_file": str(intrusion.MODEL), "eve_file": str(eve)}
    os.environ.setdefault(CYBER_VARIABLE, json.dumps(cyber))
    home = Path(os.environ[HOME_VARIABLE]).expanduser()
    os.environ.setdefault(SOCIAL_VARIABLE, json.dumps(posts.demo_settings(home, SystemClock(), CITY)))
    os.environ.setdefault(FIREARM_VARIABLE, json.dumps(camera_settings(CITY)))
    os.environ.setdefault(AIR_VARIABLE, json.dumps({"open_space_file": str(OPEN_SPACE)}))
    os.environ.setdefault(WORKLOAD_VARIABLE, json.dumps(dict(WORKLOAD)))
    os.environ.setdefault("IMPETUS_API__MAP__BASE", str(BASE_MAP))
    os.environ.setdefault("IMPETUS_API__MAP__LONGITUDE", str(ORIGIN_LONGITUDE))
    os.environ.setdefault("IMPETUS_API__MAP__LATITUDE", str(ORIGIN_LATITUDE))
    settings = read_settings()
    _listener(settings)
    _require_free(settings.http.host, settings.http.port)
    return settings


def _listener(settings: Settings) -> EmbeddedListener:
    for connection in settings.mqtt.connections:
        if isinstance(connection, EmbeddedListener):
            return connection
    raise ConfigurationError(
        "the demo's sensors need the embedded MQTT listener, and the settings name none",
        hint="unset IMPETUS_MQTT__CONNECTIONS",
    )


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"port {port} of {host} cannot be used: {error.strerror}",
                hint="stop what uses it, or choose another with --port",
            ) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/api/v1/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


async def _announce(access: DemoAccess, settings: Settings, console: Console, as_json: bool) -> None:
    """Wait until the server answers, then say how to get in."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + READY_S
    while not await asyncio.to_thread(_answers, settings.http.host, settings.http.port):
        if loop.time() > deadline_s:
            console.print(f"The server does not answer; see {settings.home / 'logs' / 'hub.log'}", style="red")
            deadline_s = loop.time() + READY_S
        await asyncio.sleep(0.1)
    if as_json:
        sys.stdout.write(access.model_dump_json() + "\n")
        sys.stdout.flush()
        return
    table = Table("log-in", "password", "role", "organisation", box=None, padding=(0, 3, 0, 0))
    for user in access.users:
        table.add_row(user.name, user.password, user.role.value, user.organisation)
    console.print()
    console.print(f"[bold]Open {access.url}[/bold] and log in, for example as operator:")
    console.print()
    console.print(table)
    console.print()
    if settings.exercise.title:
        console.print(
            f"The exercise [bold]{escape(settings.exercise.title)}[/bold] begins by itself a minute after the tools "
            f"are ready: see {access.url}/exercise"
        )
    console.print(f"State is kept in {settings.home}. Two weeks of history are being filled in; Ctrl-C ends the demo.")
