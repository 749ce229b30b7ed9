"""What makes an installation one of an exercise, and never the real operation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ExerciseSettings(BaseModel):
    """Set by `impetus exercise run` and `impetus demo` for the installation that they start; nobody else needs it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[
        str,
        Field(
            title="Title of the exercise",
            description="With a title the installation is one of an exercise: every page, report and message says so, "
            "and nothing leaves but by channels for exercises. Empty: the real operation.",
            max_length=300,
        ),
    ] = ""
    scenario: Annotated[Path | None, Field(title="Scenario", description="Folder of the scenario that is played.")] = (
        None
    )
    variant: Annotated[
        int, Field(title="Variant", description="Seed of a variant of the scenario; 0: as it is written.", ge=0)
    ] = 0
    clock: Annotated[
        Path | None, Field(title="Clock", description="File of the exercise's clock; none: the machine's own.")
    ] = None
    speed: Annotated[
        float,
        Field(
            title="Speed",
            description="Seconds of the exercise a second, at the start.",
            ge=1,
            le=60,
        ),
    ] = 1.0
    unattended: Annotated[
        bool, Field(title="Unattended", description="The scenario starts by itself, and the installation ends with it.")
    ] = False
