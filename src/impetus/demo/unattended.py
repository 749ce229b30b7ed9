"""Exercises without players: played to their end in an installation of their own."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from impetus.demo import playing
from impetus.demo.installation import free_port, prepare
from impetus.demo.staging import stage
from impetus.exercise.desk import Desk, Phase
from impetus.exercise.runs import FOLDER as EXERCISES
from impetus.exercise.runs import exclusively, new_run_folder
from impetus.exercise.scenario import Scenario, folder_of, load_scenario
from impetus.model import ConfigurationError, NotFound, SystemClock, Unavailable
from impetus.sdk import load_tools
from impetus.settings import HOME_VARIABLE, default_home


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
        place = folder_of(name, real)
        scenario = load_scenario(place)
        own = folder or new_run_folder(real / EXERCISES, scenario.id, SystemClock().now())
        if own.resolve() == real.resolve():
            raise ConfigurationError(
                f"{own} is the home of the real operation", hint="give an exercise a folder of its own"
            )
        for variable in [variable for variable in os.environ if variable.startswith("IMPETUS_")]:
            del os.environ[variable]  # nothing of the real operation's settings reaches an exercise
        os.environ[HOME_VARIABLE] = str(own)
        os.environ["IMPETUS_HTTP__PORT"] = str(free_port())
        installed = list(load_tools())
        unknown = sorted(set(tools or ()) - set(installed))
        if unknown:
            raise NotFound(f"there is no tool {unknown[0]!r}", hint=f"installed: {', '.join(installed)}")
        if tools is not None:
            os.environ["IMPETUS_DISABLED_TOOLS"] = json.dumps(sorted(set(installed) - set(tools)))
        played = stage(place, variant=variant, speed=speed, unattended=True, start=scenario.start)
        settings = prepare(scenario=played)
        began_s = time.monotonic()
        watch = asyncio.create_task(_stopwatch(Desk(own)))
        try:
            await playing.play(settings, console, quiet=True)
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
