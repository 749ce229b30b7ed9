"""What people ask the tool for: apart from the worker, because pages read it and need none of the libraries."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class PlanWanted(BaseModel):
    """A plan to make."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: Annotated[float, Field(title="Budget in points", ge=0, le=1e9)] = 10.0


class MeasureNamed(BaseModel):
    """A measure of the newest plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(title="Measure", max_length=300)]
