"""Cases of governance: something a person asked for or did, that another person has to answer for by a time."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from impetus.model.base import Identifier, Line, Slug, UtcTime, Value
from impetus.model.content import bounded_json

DETAIL_LIMIT_BYTES = 64 * 1024
EVENTS_LIMIT = 200


class CaseKind(StrEnum):
    """What a case is about."""

    LEGAL_HOLD = "legal-hold"
    """Data that must not be removed, until a time."""
    SUBJECT_REQUEST = "subject-request"
    """A person asks what is known of them, or that it is erased (GDPR articles 12 to 22)."""
    BREAK_GLASS = "break-glass"
    """Access in an emergency, reviewed afterwards."""
    APPEAL = "appeal"
    """Somebody is against a decision."""
    RE_IDENTIFICATION = "re-identification"
    """A pseudonym is compared with known identifiers; a second person must agree."""
    CHECKLIST = "checklist"
    """A checklist of the guides, filled in and signed."""


class CaseState(StrEnum):
    """How far a case is."""

    OPEN = "open"
    AGREED = "agreed"
    """A second person agreed."""
    CLOSED = "closed"
    REFUSED = "refused"


class CaseAction(StrEnum):
    """What a person does in a case."""

    OPEN = "open"
    NOTE = "note"
    ASSIGN = "assign"
    AGREE = "agree"
    REFUSE = "refuse"
    CLOSE = "close"


class CaseEvent(Value):
    """One step of a case."""

    time: UtcTime
    person: Identifier
    person_name: Line
    action: CaseAction
    text: Annotated[str, Field(max_length=4_000)] = ""


class Case(Value):
    """One case of an organisation."""

    id: Identifier
    tenant: Slug
    kind: CaseKind
    state: CaseState
    version: Annotated[int, Field(ge=1)]
    title: Line
    subject: Annotated[str, Field(max_length=300)] = ""
    """What it is about: `tool:ID`, `alert:ID`, `evidence:SHA256`, `checklist:ID`, or in words."""
    opened: UtcTime
    opened_by: Identifier
    assignee: Identifier | None = None
    due: UtcTime | None = None
    """Until when it has to be answered; of a hold and of an agreed access, when it ends."""
    detail: Annotated[dict[str, JsonValue], bounded_json(DETAIL_LIMIT_BYTES)] = Field(default_factory=dict)
    events: Annotated[tuple[CaseEvent, ...], Field(max_length=EVENTS_LIMIT)] = ()
