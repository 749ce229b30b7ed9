"""Runs the city's installation, and tells how to get in."""

from __future__ import annotations

import asyncio
import http.client
import sys
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from impetus import app
from impetus.demo.installation import prepare
from impetus.demo.staging import stage
from impetus.exercise.clock import clock_of
from impetus.exercise.desk import Desk, Phase
from impetus.exercise.seed import DemoAccess, seed_demo
from impetus.settings import Settings
from impetus.supervisor import Part

LINGER_S = 3.0
READY_S = 60.0
"""The server must answer within this time."""


async def run_demo(
    *, port: int | None, as_json: bool, readings_per_second: float | None = None, scenario: str | None = None
) -> None:
    """Start the demo city, print how to get in, and run until Ctrl-C; with a scenario, one that can be played."""
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    settings = prepare(port, readings_per_second, stage(scenario) if scenario is not None else None)
    await play(settings, console, as_json=as_json, readings_per_second=readings_per_second)


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
