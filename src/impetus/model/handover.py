"""What one shift leaves to the next: a summary of how things stand, what the leaving person adds, who took over."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from impetus.model.alert import Severity
from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value, new_id
from impetus.model.incident import AlertState, IncidentState, SubjectKind, ThreatClass

LIST_LIMIT = 200
"""Most entries of one kind in a summary; how many there are in all stands beside them."""


class HandoverState(StrEnum):
    """Where a hand-over is on its way."""

    WRITTEN = "written"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"


class HandoverAction(StrEnum):
    """What a person does with a hand-over."""

    ACCEPT = "accept"
    """Take over: the author's held alerts become this person's."""
    WITHDRAW = "withdraw"
    """The author takes it back before anybody accepted it."""


class HeldAlert(Value):
    """An alert that somebody holds, or that was escalated."""

    id: Identifier
    headline: Line
    severity: Severity
    state: AlertState
    place: Line | None = None
    incident: Identifier | None = None
    received: UtcTime
    held_since: UtcTime | None = None
    holder_name: Line | None = None
    repeats: Annotated[int, Field(ge=0)] = 0


class ShiftIncident(Value):
    """An incident that is not closed."""

    id: Identifier
    title: Line
    state: IncidentState
    severity: Severity
    threat_class: ThreatClass
    opened: UtcTime
    alerts: Annotated[int, Field(ge=0)] = 0


class ShiftDecision(Value):
    """A decision of the shift."""

    decided: UtcTime
    subject_kind: SubjectKind
    subject: Identifier
    action: Slug
    person_name: Line
    reason: Text = ""


class PartTrouble(Value):
    """A part of the system that is not well."""

    part: Slug
    state: Slug
    text: Text = ""


class ShiftEscalation(Value):
    """An escalation that nobody has acknowledged."""

    chain: Slug
    subject: Identifier
    """The alert or incident that it is about."""
    title: Line
    state: Slug
    """`climbing`, or `exhausted` when everybody was told."""
    started: UtcTime


class HandoverSummary(Value):
    """How things stand at one moment, from what is in the store. Lists hold the first `LIST_LIMIT` entries."""

    since: UtcTime
    """When the shift began: decisions and notes are those made since."""
    made: UtcTime
    held: tuple[HeldAlert, ...] = ()
    """What the leaving person holds, worst first."""
    held_count: int = 0
    waiting_count: int = 0
    """Alerts in the queue that nobody has acknowledged; repeats are counted once."""
    incidents: tuple[ShiftIncident, ...] = ()
    """Incidents that are not closed."""
    decisions: tuple[ShiftDecision, ...] = ()
    """All people's decisions of the shift, newest first."""
    decision_counts: dict[str, int] = Field(default_factory=dict)
    """How often each action was taken, among the decisions that were looked at."""
    decisions_complete: bool = True
    """False when there were more decisions than were looked at."""
    escalated: tuple[HeldAlert, ...] = ()
    escalated_count: int = 0
    escalations: tuple[ShiftEscalation, ...] = ()
    """Escalation chains among the newest 200 that nobody has acknowledged, begun last first."""
    notes: tuple[ShiftDecision, ...] = ()
    """Notes on incidents that were written in the shift."""
    dead_letters: int = 0
    """Messages that nobody could use and that wait for a person, up to the limit that is counted."""
    parts: tuple[PartTrouble, ...] = ()
    """Parts of the system that are not well."""


class Handover(Value):
    """One shift handed to the next. The summary is kept as it was when it was written."""

    id: Identifier = Field(default_factory=new_id)
    tenant: Slug
    state: HandoverState = HandoverState.WRITTEN
    version: Annotated[int, Field(ge=1)] = 1
    author: Identifier
    author_name: Line
    text: Text = ""
    """What the leaving person adds in own words."""
    summary: HandoverSummary
    written: UtcTime
    updated: UtcTime
    successor: Identifier | None = None
    """Who accepted it; before that, for whom it is meant, if it is meant for one person."""
    successor_name: Line | None = None
    accepted: UtcTime | None = None
    moved: tuple[Identifier, ...] = ()
    """The alerts that went from the author to the successor."""
    decision: Identifier | None = None
    """The decision that accepted or withdrew it: the same again is harmless."""
