"""The chain of custody of a piece of evidence: who opened it, when, why, and whether it was still the same."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from impetus.model.base import Identifier, Line, Slug, UtcTime, Value, new_id


class CustodyKind(StrEnum):
    """What happened to a piece of evidence."""

    OPENED = "opened"
    """Somebody asked for it, and its content was what its name says."""
    ALTERED = "altered"
    """Somebody asked for it, and its content was no longer what was stored: it was not handed out."""
    MISSING = "missing"
    """Somebody asked for it, and it was not there (any more)."""


class Custody(Value):
    """One entry of the chain; kept for ever, never changed."""

    id: Identifier = Field(default_factory=new_id)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Of the content, which is the evidence's name too."""
    kind: CustodyKind
    time: UtcTime
    organisation: Slug | None = None
    """The other organisation whose person opened it, where it was shared; None: one of our own."""
    person: Identifier | None
    """None: a person of the other organisation, who is known there."""
    person_name: Line | None
    """None: the agreement with the other organisation lets no names cross."""
    reason: Annotated[str, StringConstraints(min_length=3, max_length=2_000, strip_whitespace=True)]
    """Why it was opened, in the person's own words."""
    incident: Identifier | None = None
    """The incident in whose room it was opened."""
    unmasked: bool = False
    """The people in it were shown."""
