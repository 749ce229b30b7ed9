"""What can be set on traces."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class TracesSettings(BaseModel):
    """Where the hub sends the way of each alert, for whoever looks for slow parts; needs the extra `traces`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Annotated[
        str,
        Field(
            title="Collector",
            description="Address of an OpenTelemetry collector, e.g. `http://127.0.0.1:4318/v1/traces`; "
            "empty: no traces are made.",
            max_length=300,
            pattern=r"^$|^https?://",
        ),
    ] = ""
