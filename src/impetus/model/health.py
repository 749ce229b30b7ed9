"""How the parts of the system say that they are well."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from impetus.model.base import Slug, Text, UtcTime, Value


class HealthState(StrEnum):
    """State of one process or source, as the status board shows it."""

    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    STOPPED = "stopped"


class Health(Value):
    """What a part (`hub`, `worker-anomaly`, `connector-mqtt`) says of itself, every few seconds and when it changes."""

    part: Slug
    state: HealthState
    text: Text = ""
    """What is wrong and what is being done about it; empty when all is well."""
    time: UtcTime
    handled: Annotated[int, Field(ge=0)] = 0
    """Messages handled since the part started."""
    dead_letters: Annotated[int, Field(ge=0)] = 0
    """Messages set aside since the part started."""
    lag_s: Annotated[float, Field(ge=0)] | None = None
    """Age of the newest message handled, if that means something for the part."""
    restarts: Annotated[int, Field(ge=0)] = 0
