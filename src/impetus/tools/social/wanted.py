"""What people ask the tool for: apart from the worker, because pages read it and need none of the libraries."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class EventChosen(BaseModel):
    """Names an event or an investigation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(title="Event", min_length=1, max_length=128)]


class InvestigationWanted(BaseModel):
    """A draft; never about a private person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Annotated[str, Field(title="Title", min_length=3, max_length=200)]
    purpose: Annotated[str, Field(title="Purpose", min_length=10, max_length=300)]
    legal_basis: Annotated[str, Field(title="Legal basis", min_length=5, max_length=300)]
    days: Annotated[int, Field(title="Ends after days", ge=1, le=90)] = 14
    words: Annotated[str, Field(title="Words, with commas", max_length=5_000)] = ""
    places: Annotated[str, Field(title="Places, with commas", max_length=5_000)] = ""
    languages: Annotated[str, Field(title="Languages, with commas", max_length=100)] = "en, it, no"
    everything: Annotated[bool, Field(title="Also what names neither")] = False
