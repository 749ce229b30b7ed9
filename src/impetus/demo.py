"""`impetus demo`: a live city of invented sensors, with everything real behind it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from impetus import app
from impetus.connectors.mqtt import EmbeddedListener
from impetus.connectors.mqtt.credentials import listener_credentials
from impetus.exercise import intrusion
from impetus.exercise.base_map import FILE as BASE_MAP
from impetus.exercise.generator import GeneratorSettings, run_generator
from impetus.exercise.geography import ORIGIN_LATITUDE, ORIGIN_LONGITUDE
from impetus.exercise.seed import CITY, DemoAccess, seed_demo
from impetus.exercise.shift import SETTINGS as WORKLOAD
from impetus.exercise.threat_feed import ThreatFeed, demo_settings
from impetus.model import ConfigurationError, SystemClock, Unavailable
from impetus.settings import HOME_VARIABLE, Settings, read_settings
from impetus.supervisor import Part

DEFAULT_HOME = "~/.impetus-demo"
READY_S = 60.0
"""The server must answer within this time."""
LOAD_VARIABLE = "IMPETUS_DEMO_READINGS_PER_SECOND"
WORKLOAD_VARIABLE = "IMPETUS_TOOLS__WORKLOAD"
FEED_VARIABLE = "IMPETUS_DEMO_FEED_PORT"
CTI_VARIABLE = "IMPETUS_TOOLS__CTI"
CYBER_VARIABLE = "IMPETUS_TOOLS__CYBER"
EVE = "demo/eve.json"
"""Below the home: the file into which the demo's intrusion detection system writes."""


async def run_demo(*, port: int | None, as_json: bool, readings_per_second: float | None = None) -> None:
    """Start the demo city, print how to get in, and run until Ctrl-C."""
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    settings = _prepare(port, readings_per_second)
    url = f"http://{settings.http.host}:{settings.http.port}"
    console.print("Preparing the city of Aurelia ...")
    clock = SystemClock()
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
    announcement = asyncio.create_task(_announce(access, settings, console, as_json))
    try:
        await app.serve(settings, more_parts=[Part("demo-city", ("exercise", "city"))])
    finally:
        announcement.cancel()
    if announcement.done() and not announcement.cancelled():
        announcement.result()


async def run_city() -> None:
    """Play the city's sensors into the MQTT listener until SIGTERM."""
    app.configure_logging()
    settings = read_settings()
    listener = _listener(settings)
    credentials = listener_credentials(settings.home, listener)
    async with app.beating():
        stop = app.stop_on_signals()
        feed_port = os.environ.get(FEED_VARIABLE)
        feed = asyncio.create_task(ThreatFeed(SystemClock()).serve(int(feed_port), stop)) if feed_port else None
        intruder = asyncio.create_task(intrusion.play(settings.home / EVE, SystemClock(), stop))
        await run_generator(
            GeneratorSettings(
                host=listener.host,
                port=listener.port,
                name=credentials.name if credentials else None,
                password=credentials.password if credentials else None,
                prefix=listener.sensorthings_prefix,
                readings_per_second=float(os.environ[LOAD_VARIABLE]) if os.environ.get(LOAD_VARIABLE) else None,
            ),
            clock=SystemClock(),
            state=settings.home / "demo",
            stop=stop,
        )
        await intruder
        if feed is not None:
            await feed


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
        os.environ[CTI_VARIABLE] = json.dumps(demo_settings(feed_port))
    eve = Path(os.environ[HOME_VARIABLE]).expanduser() / EVE
    cyber = {"organisations": [CITY], "model_file": str(intrusion.MODEL), "eve_file": str(eve)}
    os.environ.setdefault(CYBER_VARIABLE, json.dumps(cyber))
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
    console.print(f"State is kept in {settings.home}. Two weeks of history are being filled in; Ctrl-C ends the demo.")
