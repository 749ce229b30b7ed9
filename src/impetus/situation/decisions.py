"""What a person asks for when deciding, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from impetus.governance.principal import Principal
from impetus.model import (
    AlertAction,
    Assessment,
    Classification,
    Conflict,
    Identifier,
    Incident,
    IncidentAction,
    Line,
    NotAllowed,
    ReasonClass,
    Severity,
    SubjectKind,
    Text,
    ThreatClass,
    Value,
    new_id,
)
from impetus.store.records import AlertRecord


class AlertDecision(Value):
    """A decision on an alert, as it is asked for."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: sending the same decision again is harmless."""
    action: AlertAction
    reason: Text = ""
    reason_class: ReasonClass | None = None
    """Only with `dismiss`: tools learn from it."""
    version: Annotated[int, Field(ge=1)]
    """The version of the alert that the person saw."""
    person: Identifier | None = None
    """Whom to give it to; only with `assign`."""
    override: bool = False
    """A supervisor lets the person hold more than the cap; needs a reason."""


class IncidentDecision(Value):
    """A decision on an incident, as it is asked for."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: sending the same decision again is harmless."""
    action: IncidentAction
    reason: Text = ""
    version: Annotated[int, Field(ge=1)]
    """The version of the incident that the person saw."""
    alert: Identifier | None = None
    """The alert to join or separate. Without it, `separate` undoes a merger."""
    incident: Identifier | None = None
    """The incident to merge this one into."""
    classification: Classification | None = None
    """What to set; only with `classify`."""


class NewIncident(Value):
    """An incident, as it is asked for."""

    id: Identifier = Field(default_factory=new_id)
    """Chosen by the client: asking again is harmless."""
    title: Line
    summary: Text = ""
    severity: Severity | None = None
    """None: the greatest of its alerts."""
    threat_class: ThreatClass = ThreatClass.UNDETERMINED
    alerts: Annotated[tuple[Identifier, ...], Field(max_length=500)] = ()


@dataclass(frozen=True, slots=True)
class AlertDecided:
    """A decision that was taken, and the alert as it stands now."""

    decision: Assessment
    alert: AlertRecord


@dataclass(frozen=True, slots=True)
class IncidentDecided:
    """A decision that was taken, and the incident as it stands now."""

    decision: Assessment
    incident: Incident


def deciding_person(principal: Principal) -> tuple[str, str]:
    """Identifier and full name of the person who decides. Raises `NotAllowed` for a machine: only people decide."""
    if principal.user is None:
        raise NotAllowed(
            "Only a person decides, and this token belongs to a machine.",
            hint="Log in, or use a token that belongs to you.",
        )
    return principal.user.id, principal.user.full_name


def check_replay(
    known: Assessment,
    *,
    kind: SubjectKind,
    subject: str,
    action: str,
    person: str,
    alert: str | None = None,
    given_to: str | None = None,
    incident: str | None = None,
    classification: Classification | None = None,
) -> None:
    """Raises `Conflict` if a decision with this id was taken, but was not this one. Without `incident`, any will do."""
    asked = (kind, subject, action, person, alert, given_to, classification)
    taken = (
        known.subject_kind,
        known.subject,
        known.action,
        known.person,
        known.alert,
        known.given_to,
        known.classification,
    )
    if asked != taken or incident not in (None, known.incident):
        raise Conflict("Another decision with this id was taken before.", hint="Give every decision an id of its own.")
