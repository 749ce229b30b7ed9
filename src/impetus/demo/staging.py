"""Makes an installation one of an exercise."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from impetus.demo.installation import DEFAULT_HOME
from impetus.exercise.clock import ExerciseClock
from impetus.exercise.desk import Desk
from impetus.exercise.scenario import Scenario, folder_of, load_scenario, missing_tools
from impetus.exercise.variants import variant as made_variant
from impetus.model import SystemClock
from impetus.sdk import load_tools
from impetus.settings import HOME_VARIABLE


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
    folder = folder_of(scenario, home)
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
