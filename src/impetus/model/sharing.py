"""What organisations agree to show each other, and what the other side then sees of an incident."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from impetus.model.alert import (
    Category,
    Certainty,
    EvidenceReference,
    Factor,
    ModelReference,
    Severity,
    Status,
    Urgency,
)
from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value, new_id
from impetus.model.incident import AlertState, IncidentState, ThreatClass
from impetus.model.place import Place, Polygon


class FieldGroup(StrEnum):
    """Fields that may cross together. What is not in a group that is agreed on stays at home.

    Always crossing, as without it there is nothing to share: that there is an incident, its category, severity, state
    and times, and the same of its alerts.
    """

    HEADLINE = "headline"
    """The title of the incident and the headlines of its alerts."""
    DESCRIPTION = "description"
    """Summary, descriptions and instructions."""
    EXPLANATION = "explanation"
    """Why an alert was raised: factors, confidence, model."""
    SOURCES = "sources"
    """What it was noticed on and by which detector: sensors, cameras, hosts, entities."""
    EVIDENCE = "evidence"
    """Evidence that is not about persons, to look at and to open."""
    PERSONAL_EVIDENCE = "personal-evidence"
    """Evidence of the data classes pseudonymous, personal and sensitive too."""
    DECISIONS = "decisions"
    """What was decided when, with the reasons that were given."""
    PEOPLE = "people"
    """The names of those who decided and wrote."""
    CONVERSATION = "conversation"
    """The chat, and notes that are marked as shared; both ways."""
    INTELLIGENCE = "intelligence"
    """Threat intelligence that people promoted, over TAXII, as far as its markings go; about no incident."""


class PlaceDetail(StrEnum):
    """How exactly places cross."""

    NONE = "none"
    COARSE = "coarse"
    """One position, rounded to a hundredth of a degree (about a kilometre), without a name."""
    EXACT = "exact"


class Side(StrEnum):
    """Whose agreement it is."""

    GIVER = "giver"
    RECEIVER = "receiver"


class AgreementState(StrEnum):
    """Where an agreement is on its way."""

    PROPOSED = "proposed"
    """One side has approved it; nothing crosses."""
    ACTIVE = "active"
    EXPIRED = "expired"
    ENDED = "ended"


class SharingTerms(Value):
    """What may cross."""

    purpose: Line
    """Why it is shared, and on what legal ground."""
    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=len(Category))]
    """Kinds of alerts. An incident on no alert counts as `Other`."""
    area: Polygon | None = None
    """Where; None is everywhere. What has no known place does not cross where an area is agreed on."""
    from_severity: Severity = Severity.UNKNOWN
    """The least severity; `Unknown` is every severity."""
    alerts: bool = False
    """An alert that a person confirms crosses too, before anybody has opened an incident on it."""
    groups: Annotated[tuple[FieldGroup, ...], Field(max_length=len(FieldGroup))] = ()
    """Which fields cross; none but these."""
    place: PlaceDetail = PlaceDetail.NONE
    until: UtcTime
    """Nothing crosses from this moment on."""

    @model_validator(mode="after")
    def _named_once(self) -> SharingTerms:
        for name, values in (("categories", self.categories), ("groups", self.groups)):
            if len(set(values)) != len(values):
                raise ValueError(f"{name} names something twice")
        return self


class Signature(Value):
    """Who stood for one side, and when."""

    person: Identifier
    name: Line
    time: UtcTime


class Ending(Value):
    """Who ended an agreement, when and why."""

    side: Side
    person: Identifier | None = None
    """None: the organisation was shut out of the installation."""
    name: Line
    time: UtcTime
    reason: Text = ""


class Agreement(Value):
    """What one organisation may see of another's incidents. Both sides approve the same terms; either side ends it."""

    id: Identifier = Field(default_factory=new_id)
    giver: Slug
    receiver: Slug
    terms: SharingTerms
    proposed_by: Side
    approved_by_giver: Signature | None = None
    approved_by_receiver: Signature | None = None
    ending: Ending | None = None
    created: UtcTime
    updated: UtcTime
    version: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _two_organisations(self) -> Agreement:
        if self.giver == self.receiver:
            raise ValueError("an organisation makes no agreement with itself")
        return self

    def state(self, now: datetime) -> AgreementState:
        """Where it stands at a moment."""
        if self.ending is not None:
            return AgreementState.ENDED
        if now >= self.terms.until:
            return AgreementState.EXPIRED
        if self.approved_by_giver is None or self.approved_by_receiver is None:
            return AgreementState.PROPOSED
        return AgreementState.ACTIVE

    def side_of(self, tenant: str) -> Side | None:
        """Which side an organisation is on; None for all others."""
        return {self.giver: Side.GIVER, self.receiver: Side.RECEIVER}.get(tenant)


class PartState(StrEnum):
    """What the receiver does about an incident that is shared with it."""

    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    ENGAGED = "engaged"
    STOOD_DOWN = "stood-down"


class PartAction(StrEnum):
    """What a person of the receiver decides about it."""

    ACKNOWLEDGE = "acknowledge"
    ENGAGE = "engage"
    STAND_DOWN = "stand-down"


class Visibility(StrEnum):
    """Who reads a note."""

    OURS = "ours"
    """The own organisation only."""
    SHARED = "shared"
    """All who share the incident, if the agreement lets words cross."""


class ShareEnding(StrEnum):
    """Why an incident is no longer shared."""

    AGREEMENT_ENDED = "agreement-ended"
    AGREEMENT_EXPIRED = "agreement-expired"
    ORGANISATION_SHUT_OUT = "shut-out"
    NOT_COVERED = "not-covered"
    """The incident is no longer what the agreement covers: its severity, its place or its alerts changed."""


class SharedAlert(Value):
    """What the receiver sees of an alert. A field that did not cross is null."""

    id: Identifier
    """A name for this view; the giver's own identifier stays at home."""
    category: Category
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    status: Status
    state: AlertState
    onset: UtcTime
    received: UtcTime
    ended: UtcTime | None = None
    headline: Line | None = None
    description: Text | None = None
    instruction: Text | None = None
    place: Place | None = None
    confidence: FiniteFloat | None = None
    explanation: tuple[Factor, ...] | None = None
    model: ModelReference | None = None
    tool: Slug | None = None
    detector: Slug | None = None
    source: Identifier | None = None
    entities: tuple[Identifier, ...] | None = None
    evidence: tuple[EvidenceReference, ...] | None = None
    handled_by: Line | None = None


class SharedEntryKind(StrEnum):
    """What an entry of the joint timeline is."""

    ONSET = "onset"
    ALERT = "alert"
    DECISION = "decision"
    NOTE = "note"


class SharedEntry(Value):
    """One thing that happened, on either side."""

    time: UtcTime
    kind: SharedEntryKind
    organisation: Slug
    alert: Identifier | None = None
    headline: Line | None = None
    severity: Severity | None = None
    action: Slug | None = None
    state_after: Slug | None = None
    text: Text | None = None
    """Reason of a decision, or the note."""
    person_name: Line | None = None
    visibility: Visibility | None = None
    """Of a note."""


class SharedIncident(Value):
    """What the receiver sees of an incident. A field that did not cross is null."""

    shared: Literal[True] = True
    id: Identifier
    """Of this view; the giver's own identifier stays at home."""
    giver: Slug
    giver_name: Line
    agreement: Identifier
    part: PartState
    """What the own organisation does about it."""
    version: Annotated[int, Field(ge=1)]
    """Grows with everything that changes in this view; a decision names the version that it was made on."""
    since: UtcTime
    """When it was shared."""
    updated: UtcTime
    ended: UtcTime | None = None
    """Shared no more since then; all below is null again."""
    ending: ShareEnding | None = None
    state: IncidentState | None = None
    severity: Severity | None = None
    threat_class: ThreatClass | None = None
    categories: tuple[Category, ...] | None = None
    opened: UtcTime | None = None
    title: Line | None = None
    summary: Text | None = None
    place: Place | None = None
    conversation: bool = False
    """Whether chat and shared notes cross."""


class SharedRoom(Value):
    """All that the receiver sees of an incident."""

    incident: SharedIncident
    alerts: tuple[SharedAlert, ...] = ()
    timeline: tuple[SharedEntry, ...] = ()


class IncidentShare(Value):
    """What the giver sees of the sharing of one of its incidents."""

    id: Identifier
    incident: Identifier
    receiver: Slug
    receiver_name: Line
    agreement: Identifier
    part: PartState
    version: Annotated[int, Field(ge=1)]
    since: UtcTime
    updated: UtcTime
    ended: UtcTime | None = None
    ending: ShareEnding | None = None
    groups: tuple[FieldGroup, ...] = ()
    """Which fields cross."""
    place: PlaceDetail = PlaceDetail.NONE


class IncidentMessage(Value):
    """Words that one person wrote to the others in an incident, or a note; kept for ever, never changed."""

    id: Identifier = Field(default_factory=new_id)
    author: Slug
    """The organisation of the person who wrote."""
    person: Identifier | None
    """None: the name did not cross."""
    person_name: Line | None
    sent: UtcTime
    text: Annotated[Text, Field(min_length=1)]
    kind: Literal["chat", "note"] = "chat"
    visibility: Visibility = Visibility.SHARED
    incident: Identifier
    """As the organisation knows it that this is shown to: its own incident, or the shared one."""
    author_name: Line | None = None
    """Name of the organisation."""
