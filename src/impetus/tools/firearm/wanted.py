"""What people ask the tool for: apart from the worker, because pages read it and need none of the libraries."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(_Content):
    """No particulars."""


class CameraNamed(_Content):
    """A camera."""

    id: Annotated[str, Field(title="Camera", max_length=64)]


Share = Annotated[float, Field(ge=0, le=1)]


class CalibrationWanted(CameraNamed):
    """Four points of the picture and their places."""

    picture: Annotated[tuple[tuple[Share, Share], ...], Field(min_length=4, max_length=4)]
    map: Annotated[
        tuple[tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]], ...],
        Field(min_length=4, max_length=4),
    ]


class ApprovalWanted(_Content):
    """A model that is approved, and why."""

    sha256: Annotated[str, Field(title="SHA-256 of the model", pattern=r"^[0-9a-f]{64}$")]
    reason: Annotated[str, Field(title="Reason", min_length=3, max_length=500)]
