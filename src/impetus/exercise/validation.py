"""What is to be said of a scenario before it is played: `impetus exercise validate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from impetus.exercise.scenario import folder_of, load_scenario, missing_tools
from impetus.sdk import load_tools


def validate_scenario(name: str, home: Path | None = None) -> Sequence[str]:
    """Lines that tell of a valid scenario, also of one saved at `home`. Raises `InvalidInput` and `NotFound`."""
    scenario = load_scenario(folder_of(name, home))
    skipped = missing_tools(scenario, list(load_tools()))
    lines = [
        f"{scenario.id}: {scenario.title}",
        f"valid: {scenario.minutes:g} minutes, {len(scenario.injects)} injects, {len(scenario.truths)} truths, "
        f"{len(scenario.objectives)} objectives",
    ]
    return [*lines, *(f"skipped here: {inject}, since {why}" for inject, why in skipped.items())]
