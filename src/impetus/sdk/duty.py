"""The console's own traffic, as a tool may know it: what waits, and what those hold and decided who consented.

It comes from decisions that are on record anyway: which alert, what, when. No key, no mouse, no screen is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Annotated

from pydantic import Field

from impetus.model import AlertAction, Assessment, ConfigurationError, Identifier, UtcTime, Value
from impetus.sdk.manifest import Manifest

CORRECTIONS = frozenset({AlertAction.REOPEN.value})
"""Decisions that take an earlier one back."""


class Duty(Value):
    """What one person holds, and did within the last minutes."""

    person: Identifier
    held: Annotated[int, Field(ge=0)]
    cap: Annotated[int, Field(ge=0)] | None = None
    """How many a supervisor lets them hold for now; None: what the house lets everybody of their role."""
    decisions: Annotated[int, Field(ge=0)] = 0
    switches: Annotated[int, Field(ge=0)] = 0
    """How often a decision was about something else than the one before."""
    corrections: Annotated[int, Field(ge=0)] = 0
    """Decisions that were taken back."""
    pause_s: float | None = None
    """Median of the time between two decisions."""
    longest_held: UtcTime | None = None


class DutyBoard(Value):
    """The whole, and those who consented."""

    waiting: Annotated[int, Field(ge=0)] = 0
    """Alerts that nobody has acknowledged."""
    oldest_waiting: UtcTime | None = None
    operators: Annotated[int, Field(ge=0)] = 0
    """People who can work on alerts."""
    held: Annotated[int, Field(ge=0)] = 0
    """Alerts that somebody holds, of everybody."""
    people: tuple[Duty, ...] = ()

    def of(self, person: str) -> Duty | None:
        """What is known of one person."""
        return next((duty for duty in self.people if duty.person == person), None)


def duty_of(
    person: str, held: int, cap: int | None, longest_held: datetime | None, decisions: Sequence[Assessment]
) -> Duty:
    """What one person did; `decisions` in any order, other people's among them."""
    own = sorted((one for one in decisions if one.person == person), key=lambda one: one.decided)
    pauses = [(after.decided - before.decided).total_seconds() for before, after in pairwise(own)]
    return Duty(
        person=person,
        held=held,
        cap=cap,
        decisions=len(own),
        switches=sum(before.subject != after.subject for before, after in pairwise(own)),
        corrections=sum(one.action in CORRECTIONS for one in own),
        pause_s=median(pauses) if pauses else None,
        longest_held=longest_held,
    )


def check_duties(manifest: Manifest) -> None:
    """Raises `ConfigurationError` if the manifest does not declare the input."""
    if not manifest.reads_duties:
        raise ConfigurationError(
            f"{manifest.id} asks what people hold, but does not declare it", hint='add an input of kind "duty"'
        )


def only(board: DutyBoard, persons: Collection[str]) -> DutyBoard:
    """The same board with these people only."""
    return board.model_copy(update={"people": tuple(duty for duty in board.people if duty.person in persons)})
