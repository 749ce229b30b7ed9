"""Response procedures under way: what is to be done, by whom, until when, and what was done."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value
from impetus.model.organisation import Role

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""Name of a question that a task asks; conditions of a procedure use it."""

Answer = Annotated[float, Field(allow_inf_nan=False)] | Text
"""What a person answered: a number, or text, or the value of a choice."""

Answers = dict[FieldName, Answer]


class FieldKind(StrEnum):
    """What kind of answer a question takes."""

    CHOICE = "choice"
    TEXT = "text"
    NUMBER = "number"


class Choice(Value):
    """One possible answer."""

    value: FieldName
    label: Line


class TaskField(Value):
    """A question that is answered when a task is completed."""

    id: FieldName
    label: Line
    kind: FieldKind
    required: bool = True
    choices: tuple[Choice, ...] = ()
    """For a choice: at least two."""


class TaskState(StrEnum):
    """Where a task is on its way. That it is late is told by `Task.overdue`: a task in hand can be late as well."""

    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    CANCELLED = "cancelled"


class Task(Value):
    """One thing that a person has to do within a procedure."""

    id: Identifier
    tenant: Slug
    run: Identifier
    """The procedure under way that it belongs to."""
    incident: Identifier
    procedure: Slug
    procedure_title: Line
    step: Identifier
    """Id of the step in the procedure's drawing."""
    title: Line
    instruction: Text
    """What to do."""
    assess: Text = ""
    """What to look at and judge."""
    organisation: Line
    """Kind of organisation that acts, e.g. `police`; the role below sees to it and records it."""
    roles: tuple[Role, ...]
    """Who may take it: at first one role, one more with each escalation."""
    escalation: tuple[Role, ...] = ()
    """Roles that get it too, one after the other, each time the deadline passes."""
    deadline_s: Annotated[int, Field(ge=1)]
    state: TaskState = TaskState.OPEN
    due: UtcTime
    overdue: UtcTime | None = None
    """When the first deadline passed."""
    claimed_by: Identifier | None = None
    claimed_by_name: Line | None = None
    fields: tuple[TaskField, ...] = ()
    answers: Answers = Field(default_factory=dict)
    completed: UtcTime | None = None
    completed_by: Identifier | None = None
    completed_by_name: Line | None = None
    created: UtcTime
    updated: UtcTime
    version: Annotated[int, Field(ge=1)] = 1


class RunState(StrEnum):
    """Where a procedure is on its way."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class DraftSending(Value):
    """A draft as a person approved it and let it go out."""

    id: Identifier
    channels: tuple[Slug, ...]
    title: Line
    text: Text
    """In the words that the person approved; an exercise's is marked as one when it goes out."""
    sent: UtcTime
    person: Identifier
    person_name: Line


class Draft(Value):
    """A message that a procedure drafted. It is text only: a person reads, changes and sends it."""

    step: Identifier
    title: Line
    audience: Line
    text: Text
    created: UtcTime
    sendings: tuple[DraftSending, ...] = ()


class ProcedureRun(Value):
    """A procedure under way for an incident."""

    id: Identifier
    tenant: Slug
    incident: Identifier
    procedure: Slug
    definition: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the procedure's text: it goes on with the text that it was started with, whatever is published."""
    title: Line
    state: RunState = RunState.RUNNING
    outcome: Line | None = None
    """Name of the end that was reached."""
    done: tuple[Identifier, ...] = ()
    """Steps that were passed, in the order in which they first were."""
    current: tuple[Identifier, ...] = ()
    """Steps that wait for a person or for a time."""
    drafts: tuple[Draft, ...] = ()
    started: UtcTime
    started_by_name: Line
    ended: UtcTime | None = None
    updated: UtcTime
    version: Annotated[int, Field(ge=1)] = 1


class ProcedureAction(StrEnum):
    """What can happen to a procedure under way and its tasks."""

    START = "start"
    CANCEL = "cancel"
    CLAIM = "claim"
    RELEASE = "release"
    COMPLETE = "complete"
    ESCALATE = "escalate"
    DRAFT = "draft"
    SEND = "send"
    """A person approved a draft and let it go out."""
    REQUEST = "request"


class ProcedureEvent(Value):
    """Something that happened to a procedure or a task; kept for ever, never changed."""

    id: Identifier
    tenant: Slug
    run: Identifier
    action: ProcedureAction
    time: UtcTime
    step: Identifier | None = None
    task: Identifier | None = None
    title: Line
    """Title of the step, or of the procedure."""
    person: Identifier | None = None
    """None: the procedure itself."""
    person_name: Line | None = None
    reason: Text = ""
    answers: Answers = Field(default_factory=dict)


class SimulationKind(StrEnum):
    """What is to be simulated."""

    EVACUATION = "evacuation"
    DISPERSION = "dispersion"


class SimulationRequest(Value):
    """Asks whichever tool can for a simulation about an incident; touches nobody."""

    id: Identifier
    tenant: Slug
    kind: SimulationKind
    incident: Identifier
    run: Identifier | None = None
    """The procedure that asks."""
    reason: Line
    asked: UtcTime
