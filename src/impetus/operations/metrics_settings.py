"""What can be set on metrics."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class MetricsSettings(BaseModel):
    """Where the hub says how it is, for Prometheus and for whoever restarts it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: Annotated[
        int | None,
        Field(
            title="Port",
            description="TCP port of `/metrics`, `/live` and `/ready`; none: they are not served.",
            ge=1,
            le=65_535,
        ),
    ] = None
    host: Annotated[
        str,
        Field(title="Address", description="Address to listen on; keep it inside the house.", max_length=253),
    ] = "127.0.0.1"
