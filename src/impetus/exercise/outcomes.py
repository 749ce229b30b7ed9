"""What an after-action review says, as values: of each planted event, tool, objective, and of the whole."""

from __future__ import annotations

from enum import StrEnum

from impetus.model import Identifier, Line, Text, UtcTime, Value


class Lane(StrEnum):
    """The four lines of the timeline."""

    TRUTH = "truth"
    DETECTED = "detected"
    DECIDED = "decided"
    DONE = "done"


class Moment(Value):
    """One point of the timeline."""

    elapsed_s: float
    lane: Lane
    title: Line
    text: Text = ""
    tool: str = ""
    who: str = ""


class Outcome(StrEnum):
    """What became of a truth."""

    FOUND = "found"
    LATE = "late"
    MISSED = "missed"
    SKIPPED = "skipped"


class TruthOutcome(Value):
    """What became of one planted event."""

    id: Identifier
    title: Line
    tool: str
    outcome: Outcome
    reason: Text = ""
    """Why it was not played, if it was not; where it was missed, what is known to keep the tool from noticing it."""
    inject_s: float
    within_s: float
    delay_s: float | None = None
    """From the inject to the first alert about it."""
    alert: Identifier | None = None
    headline: str = ""
    acknowledged_s: float | None = None
    """From the first alert until somebody took it on."""
    decided_s: float | None = None
    """From the first alert until somebody confirmed or dismissed it."""
    decision: str = ""


class FalseAlert(Value):
    """An alert that nothing planted explains."""

    id: Identifier
    tool: str
    source: str
    headline: Line
    elapsed_s: float
    severity: str
    state: str


class ToolOutcome(Value):
    """How one tool did."""

    tool: str
    truths: int
    found: int
    median_delay_s: float | None
    alerts: int
    explained: int
    unexplained: int


class LoadPoint(Value):
    """What waited for people at one moment."""

    elapsed_s: float
    waiting: int
    """Nobody had taken it on."""
    held: int
    """Somebody worked on it."""


class Shared(Value):
    """What was opened to another organisation."""

    elapsed_s: float
    incident: Line
    receiver: str


class ObjectiveOutcome(Value):
    """Whether an objective was reached."""

    id: Identifier
    title: Line
    points: int
    reached: bool
    elapsed_s: float | None = None
    """When, where it was."""
    allowed_s: float
    why: str = ""


class Score(Value):
    """Of 100 points each; the whole is their mean, weighted."""

    objectives: float
    timeliness: float
    correctness: float
    load: float
    coordination: float
    hints: int
    """How often a player asked for help; each costs two points of the whole."""
    total: float


class Review(Value):
    """All of it."""

    run: Identifier
    scenario: str
    title: Line
    started: UtcTime
    ended: UtcTime
    why_ended: str
    length_s: float
    organisations: tuple[str, ...]
    truths: tuple[TruthOutcome, ...]
    unexplained: tuple[FalseAlert, ...]
    alerts: int
    """That an operator of all organisations had to look at: repeats count once."""
    alerts_an_hour: float
    most_alerts_an_hour: float | None = None
    tools: tuple[ToolOutcome, ...]
    timeline: tuple[Moment, ...]
    load: tuple[LoadPoint, ...]
    decisions: int
    median_acknowledged_s: float | None
    median_decided_s: float | None
    wrong_decisions: int
    shared: tuple[Shared, ...]
    objectives: tuple[ObjectiveOutcome, ...]
    score: Score
    good: Text = ""
    hints: dict[str, str] = {}
    """What a player could have asked for, by the title of the inject."""
