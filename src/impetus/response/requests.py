"""What a person asks for: starting, cancelling, taking and completing. Each carries an id, so that asking twice is
harmless, and the version that the person saw, so that nobody overwrites anybody in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from impetus.governance.principal import Principal
from impetus.model import (
    Answers,
    Conflict,
    Identifier,
    Line,
    NotAllowed,
    ProcedureAction,
    ProcedureEvent,
    ProcedureRun,
    Slug,
    Task,
    Text,
    User,
    Value,
    new_id,
)
from impetus.response.reading import SIZE_LIMIT_BYTES

ORIGIN = "response"


class NewRun(Value):
    """A procedure to start."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: asking again is harmless."""
    procedure: Slug
    about: Annotated[Line, Field(max_length=200)] | None = None
    """The one thing that it is carried out for where an incident has several, such as a measure; part of its title."""


class NewText(Value):
    """A procedure to publish."""

    content: Annotated[str, Field(min_length=1, max_length=SIZE_LIMIT_BYTES)]
    """BPMN 2.0 XML with its diagram."""


class Cancellation(Value):
    """A procedure to end where it is."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: asking again is harmless."""
    reason: Annotated[Text, Field(min_length=1)]
    version: Annotated[int, Field(ge=1)]
    """The version of the run that the person saw."""


class Sending(Value):
    """A draft that a person has read, perhaps changed, and lets go out."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: asking again is harmless."""
    channels: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=10)]
    """Each channel gets a draft once."""
    title: Annotated[Line, Field(min_length=1, max_length=200)]
    text: Annotated[Text, Field(min_length=1, max_length=8_000)]


class TaskStep(Value):
    """A task to take or to give back."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: asking again is harmless."""
    version: Annotated[int, Field(ge=1)]
    """The version of the task that the person saw."""


class Completion(TaskStep):
    """A task that is done."""

    answers: Answers = Field(default_factory=dict, max_length=100)
    """By the id of each question that the task asks."""


class TaskScope(StrEnum):
    """Whose tasks to list."""

    MINE = "mine"
    """Those that the person has taken."""
    ROLE = "role"
    """Those that the person took or may take."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class RunView:
    """A procedure under way with its tasks and all that happened to it, in order."""

    run: ProcedureRun
    tasks: Sequence[Task]
    events: Sequence[ProcedureEvent]


def acting_person(principal: Principal) -> User:
    """The person who acts. Raises `NotAllowed` for a machine: procedures are carried out by people."""
    if principal.user is None:
        raise NotAllowed(
            "Only a person acts on procedures, and this token belongs to a machine.",
            hint="Log in, or use a token that belongs to you.",
        )
    return principal.user


def check_same(known: ProcedureEvent, action: ProcedureAction, person: User, *, task: str | None, run: str) -> None:
    """Raises `Conflict` if something happened under this id, but was not this."""
    if (known.action, known.person, known.task, known.run) != (action, person.id, task, run):
        raise Conflict("Something else was done under this id before.", hint="Give everything you do an id of its own.")
