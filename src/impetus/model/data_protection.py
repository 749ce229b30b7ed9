"""What a tool may do with data at one organisation, and who said so: the entry of the data-protection register."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from impetus.model.alert import DataClass
from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""Clocks of several machines may differ by this."""
LONGEST_APPROVAL: Final = timedelta(days=3 * 366)

ABOUT_PERSONS: Final = frozenset({DataClass.PSEUDONYMOUS, DataClass.PERSONAL, DataClass.SENSITIVE})
"""Classes of data about persons."""


class LegalBasis(StrEnum):
    """What allows the processing."""

    NO_PERSONAL_DATA = "no-personal-data"
    """Nothing about persons is processed (GDPR recital 26)."""
    CONSENT = "gdpr-6-1-a"
    LEGAL_OBLIGATION = "gdpr-6-1-c"
    VITAL_INTERESTS = "gdpr-6-1-d"
    PUBLIC_TASK = "gdpr-6-1-e"
    LAW_ENFORCEMENT = "led-8"
    """Directive (EU) 2016/680, article 8: a competent authority's task, by law."""


class Risk(Value):
    """One risk to the people concerned, and what is done about it."""

    title: Line
    likelihood: Annotated[int, Field(ge=1, le=4)]
    """1 negligible, 2 limited, 3 significant, 4 maximum (the scale of the CNIL's DPIA method)."""
    severity: Annotated[int, Field(ge=1, le=4)]
    measure: Annotated[str, Field(max_length=2_000)] = ""
    """What is done about it."""
    remaining: Annotated[int, Field(ge=1, le=4)] = 1
    """The risk that remains with the measure."""


class Worksheet(Value):
    """What is processed, why, how long, and what that means for people: GDPR articles 30 and 35, in one sheet."""

    purposes: Annotated[tuple[Line, ...], Field(min_length=1, max_length=20)]
    legal_basis: LegalBasis | None = None
    legal_reference: Annotated[str, Field(max_length=1_000)] = ""
    """The law, decree or decision that gives the task."""
    data_classes: Annotated[tuple[DataClass, ...], Field(min_length=1)]
    persons: Annotated[str, Field(max_length=2_000)] = ""
    """Whose data it is."""
    sources: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    recipients: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    retention_days: Annotated[int, Field(ge=0, le=3_650)]
    necessity: Text = ""
    """Why less would not do."""
    proportionality: Text = ""
    """Why what is gained outweighs what it costs the people concerned."""
    risks: Annotated[tuple[Risk, ...], Field(max_length=50)] = ()
    responsible: Annotated[str, Field(max_length=300)] = ""
    """Who answers for it, by office."""
    contact: Annotated[str, Field(max_length=300)] = ""
    """Where people turn to with questions and complaints."""

    @property
    def about_persons(self) -> bool:
        """Whether anything of it is about persons."""
        return bool(ABOUT_PERSONS & set(self.data_classes))

    def lacking(self) -> Sequence[str]:
        """What has to be filled in before anybody can approve it; names of fields."""
        missing = [name for name in ("responsible", "contact", "necessity") if not getattr(self, name).strip()]
        if self.legal_basis is None:
            missing.append("legal_basis")
        if self.about_persons:
            if self.legal_basis is LegalBasis.NO_PERSONAL_DATA:
                missing.append("legal_basis")
            missing += [name for name in ("legal_reference", "persons", "proportionality") if not getattr(self, name)]
            if not self.sources:
                missing.append("sources")
            if not self.risks or any(not risk.measure.strip() for risk in self.risks):
                missing.append("risks")
        return list(dict.fromkeys(missing))


class Outcome(StrEnum):
    """What a data-protection officer decided."""

    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Decision(Value):
    """The word of a data-protection officer."""

    outcome: Outcome
    person: Identifier
    person_name: Line
    time: UtcTime
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]
    until: UtcTime | None = None
    """When an approval lapses."""


class RecordState(StrEnum):
    """How an entry of the register stands."""

    DRAFT = "draft"
    APPROVED = "approved"
    LAPSED = "lapsed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class DataProtectionRecord(Value):
    """The entry of one tool at one organisation."""

    tenant: Slug
    tool: Slug
    version: Annotated[int, Field(ge=1)]
    """Grows with every change."""
    draft: Worksheet
    """As it is being worked on."""
    approved: Worksheet | None = None
    """As it was approved last."""
    decision: Decision | None = None
    fingerprint: str = ""
    """Of what the tool's manifest said of data when it was approved (`impetus.sdk.approval.fingerprint`)."""
    tool_version: str = ""
    """The tool's version when it was approved."""
    updated: UtcTime
    updated_by: Line

    def state(self, now: datetime) -> RecordState:
        """How it stands at that time."""
        if self.decision is None:
            return RecordState.DRAFT
        if self.decision.outcome is Outcome.REFUSED:
            return RecordState.REFUSED
        if self.decision.outcome is Outcome.WITHDRAWN:
            return RecordState.WITHDRAWN
        return RecordState.APPROVED if self.decision.until and now < self.decision.until else RecordState.LAPSED
