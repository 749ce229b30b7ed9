"""What people make of alerts: states, decisions, incidents."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, FiniteFloat

from impetus.model.alert import Severity
from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value, new_id
from impetus.model.place import Place


class AlertState(StrEnum):
    """Where an alert is on its way: new, acknowledged, then confirmed, dismissed or escalated."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    ESCALATED = "escalated"


class AlertAction(StrEnum):
    """What a person does with an alert."""

    ACKNOWLEDGE = "acknowledge"
    CONFIRM = "confirm"
    DISMISS = "dismiss"
    ESCALATE = "escalate"
    REOPEN = "reopen"
    RELEASE = "release"
    """Give it back to the queue."""
    ASSIGN = "assign"
    """Give it to a person: by the one who holds it, or by a supervisor."""


class ReasonClass(StrEnum):
    """Why an alert is dismissed, in a class that tools can learn from."""

    FALSE_ALARM = "false-alarm"
    """Nothing was there."""
    HARMLESS = "harmless"
    """It was there, and harmless."""
    KNOWN = "known"
    """Expected: an event, works, a test."""
    FAULT = "fault"
    """The sensor or the network was at fault."""
    DUPLICATE = "duplicate"
    """Another alert says the same."""
    OTHER = "other"


class IncidentState(StrEnum):
    """Where an incident is on its way."""

    CANDIDATE = "candidate"
    OPEN = "open"
    CONTAINED = "contained"
    CLOSED = "closed"
    REVIEWED = "reviewed"


class IncidentAction(StrEnum):
    """What a person does with an incident."""

    OPEN = "open"
    CONTAIN = "contain"
    CLOSE = "close"
    REOPEN = "reopen"
    REVIEW = "review"
    JOIN = "join"
    """Put an alert into the incident."""
    SEPARATE = "separate"
    """Take an alert out of the incident."""
    NOTE = "note"
    CLASSIFY = "classify"
    """Set threat class, severity or confidence."""
    MERGE = "merge"
    """Make it a part of another incident; separating undoes that."""


class ThreatClass(StrEnum):
    """The mission's words: a threat against a known target, one that is still developing, or not yet told apart."""

    SPECIFIC = "specific"
    EVOLVING = "evolving"
    UNDETERMINED = "undetermined"


class IncidentOrigin(StrEnum):
    """Who put the alerts of an incident together first."""

    PERSON = "person"
    CORRELATION = "correlation"


class SubjectKind(StrEnum):
    """What an assessment is about."""

    ALERT = "alert"
    INCIDENT = "incident"


class Classification(Value):
    """What a person says of an incident; what is None is left as it was."""

    threat_class: ThreatClass | None = None
    severity: Severity | None = None
    confidence: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    """How sure the person is that it is real."""


class Assessment(Value):
    """One decision of one named person; kept for ever, never changed. The same id again is the same decision."""

    id: Identifier = Field(default_factory=new_id)
    tenant: Slug
    subject_kind: SubjectKind
    subject: Identifier
    action: Slug
    """One of `AlertAction` or `IncidentAction`."""
    reason: Text = ""
    reason_class: ReasonClass | None = None
    """Of a dismissal, where the person chose one."""
    state_before: Slug
    state_after: Slug
    version: Annotated[int, Field(ge=1)]
    """Version of the subject after this decision."""
    person: Identifier
    person_name: Line
    decided: UtcTime
    alert: Identifier | None = None
    """The alert that was joined to or separated from an incident."""
    alerts: Annotated[tuple[Identifier, ...], Field(max_length=1_000)] = ()
    """The alerts that moved with a merged incident."""
    incident: Identifier | None = None
    """The other incident of a merger, or of its undoing."""
    given_to: Identifier | None = None
    """The person whom an alert was given to."""
    given_to_name: Line | None = None
    classification: Classification | None = None
    """What a person said of an incident."""


class Incident(Value):
    """One happening that several alerts and people are about."""

    id: Identifier = Field(default_factory=new_id)
    tenant: Slug
    title: Line
    summary: Text = ""
    state: IncidentState = IncidentState.CANDIDATE
    severity: Severity = Severity.UNKNOWN
    threat_class: ThreatClass = ThreatClass.UNDETERMINED
    confidence: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    """How sure a person is that it is real; None until somebody said so."""
    merged_into: Identifier | None = None
    """The incident that this one was merged into: its alerts are there."""
    place: Place | None = None
    probability: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    """How likely it is a true incident, by all its alerts together; None if nobody reckoned."""
    reasons: Annotated[tuple[Line, ...], Field(max_length=20)] = ()
    """Why its alerts were put together, weightiest first."""
    origin: IncidentOrigin = IncidentOrigin.PERSON
    alerts: tuple[Identifier, ...] = ()
    opened: UtcTime
    updated: UtcTime
    version: Annotated[int, Field(ge=1)] = 1
