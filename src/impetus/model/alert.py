"""What a tool noticed, in the words of the Common Alerting Protocol (OASIS CAP 1.2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field, FiniteFloat, StringConstraints

from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value, new_id
from impetus.model.place import Place


class Category(StrEnum):
    """CAP 1.2 `info.category`."""

    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


class Urgency(StrEnum):
    """CAP 1.2 `info.urgency`."""

    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    """CAP 1.2 `info.severity`."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Certainty(StrEnum):
    """CAP 1.2 `info.certainty`."""

    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


class Status(StrEnum):
    """CAP 1.2 `alert.status`: exercises can never be taken for real."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"


def joint_status(statuses: Iterable[Status]) -> Status:
    """The status of what is made of several alerts: real as soon as one of them is, and where there are none.

    >>> joint_status([Status.EXERCISE, Status.EXERCISE]).value
    'Exercise'
    """
    found = frozenset(statuses)
    return next((status for status in Status if status in found), Status.ACTUAL)


class DataClass(StrEnum):
    """How a piece of data touches people; retention and access follow from it."""

    PUBLIC = "public"
    OPERATIONAL = "operational"
    """About the city and its systems, not about persons."""
    PSEUDONYMOUS = "pseudonymous"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"
    """Special categories and criminal matters (GDPR art. 9 and 10)."""


class Factor(Value):
    """One reason among several for an alert."""

    name: Line
    weight: Annotated[float, Field(ge=-1, le=1)]
    """Share of this reason in the confidence; negative speaks against the alert."""
    observed: Annotated[str, Field(max_length=200)] = ""
    expected: Annotated[str, Field(max_length=200)] = ""
    text: Text = ""


class EvidenceReference(Value):
    """Points at a blob in the evidence store by what it contains."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    media_type: Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w.+-]+/[\w.+-]+$")]
    title: Line
    size_bytes: Annotated[int, Field(ge=0)]
    data_class: DataClass = DataClass.OPERATIONAL


class ModelReference(Value):
    """The model or method that raised an alert, exactly."""

    name: Line
    version: Line


class Alert(Value):
    """Something that a tool noticed and that a person should look at.

    The same `id` with a greater `revision` brings the alert up to date (CAP's Update); what people decided stays.
    """

    id: Identifier = Field(default_factory=new_id)
    revision: Annotated[int, Field(ge=0)] = 0
    tool: Slug
    detector: Slug
    """Which of the tool's detectors: calibration is learnt for each."""
    source: Identifier
    """What it was noticed on: a datastream, a camera, a host, a feed."""
    headline: Line
    description: Text = ""
    instruction: Text = ""
    """What the person may do next."""
    category: Category
    urgency: Urgency = Urgency.UNKNOWN
    severity: Severity = Severity.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    confidence: Annotated[FiniteFloat, Field(ge=0, le=1)]
    status: Status = Status.ACTUAL
    onset: UtcTime
    """When what was noticed began."""
    sent: UtcTime
    ended: UtcTime | None = None
    """When it was over, if it is."""
    place: Place | None = None
    explanation: Annotated[tuple[Factor, ...], Field(max_length=50)] = ()
    evidence: Annotated[tuple[EvidenceReference, ...], Field(max_length=50)] = ()
    entities: Annotated[tuple[Identifier, ...], Field(max_length=100)] = ()
    """What it is about beside its source: hosts, venues, vehicles; ties alerts of different tools together."""
    model: ModelReference
    data_classes: tuple[DataClass, ...] = (DataClass.OPERATIONAL,)
