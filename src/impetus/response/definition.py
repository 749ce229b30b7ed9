"""What a procedure is, read from its BPMN: steps, the flows between them, and how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from impetus.model import InvalidInput, Role, TaskField
from impetus.response.conditions import Condition


class StepKind(StrEnum):
    """Elements of BPMN that a procedure may use; every other one is refused."""

    START = "start"
    END = "end"
    TASK = "task"
    """A person does it (`userTask`)."""
    AUTOMATIC = "automatic"
    """Done at once, and touches no person (`serviceTask`)."""
    DECISION = "decision"
    """One of several ways, by an answer (`exclusiveGateway`)."""
    PARALLEL = "parallel"
    """Several ways at once, or their meeting (`parallelGateway`)."""
    TIMER = "timer"
    """Waits (`intermediateCatchEvent` with a duration)."""
    LIMIT = "limit"
    """Ends a task that is not done in time and goes another way (`boundaryEvent` with a duration)."""


class Operation(StrEnum):
    """What an automatic step may do. There are no others, and none of them touches a person."""

    DRAFT_MESSAGE = "draft-message"
    REQUEST_SIMULATION = "request-simulation"


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of a person."""

    role: Role
    organisation: str
    deadline: timedelta
    escalation: tuple[Role, ...]
    instruction: str
    assess: str
    fields: tuple[TaskField, ...]


@dataclass(frozen=True, slots=True)
class Automatic:
    """What an automatic step does."""

    operation: Operation
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Flow:
    """The way from one step to another."""

    id: str
    source: str
    target: str
    name: str = ""
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One element of a procedure."""

    id: str
    kind: StepKind
    name: str
    incoming: tuple[Flow, ...] = ()
    outgoing: tuple[Flow, ...] = ()
    work: Work | None = None
    automatic: Automatic | None = None
    wait: timedelta | None = None
    """Of a timer or a limit."""
    attached_to: str | None = None
    """Of a limit: the task that it ends."""
    default: str | None = None
    """Of a decision: the flow that is taken when no condition holds."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a step is drawn, in the drawing's own units."""

    step: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """How a flow is drawn."""

    flow: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The diagram of a procedure."""

    shapes: tuple[Shape, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Procedure:
    """A procedure that was read and found sound."""

    id: str
    title: str
    summary: str
    hash: str
    """SHA-256 of `content`."""
    content: bytes
    steps: Mapping[str, Step]
    flows: Mapping[str, Flow]
    drawing: Drawing

    def tasks(self) -> Sequence[Step]:
        """The steps that a person does, in the order of the file."""
        return [step for step in self.steps.values() if step.kind is StepKind.TASK]


_DURATION = re.compile(r"P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,5})S)?)?")
LONGEST_WAIT = timedelta(days=90)


def parse_duration(text: str) -> timedelta:
    """An ISO 8601 duration of days, hours, minutes and seconds, e.g. `PT15M`. Raises `InvalidInput`.

    >>> parse_duration("PT1H30M")
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.fullmatch(text.strip())
    numbers = [int(number or 0) for number in match.groups()] if match else []
    span = timedelta(**dict(zip(("days", "hours", "minutes", "seconds"), numbers, strict=False)))
    if not timedelta(0) < span <= LONGEST_WAIT:
        raise InvalidInput(
            f"the duration {text.strip()[:40]!r} cannot be used",
            hint=f"Write it as PT15M, PT2H or P1D; at most {LONGEST_WAIT.days} days.",
        )
    return span
