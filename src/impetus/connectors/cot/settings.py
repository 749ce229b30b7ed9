"""What can be set about the connection to a TAK server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from impetus.model import AlertState, IncidentState, Severity, Slug


class CotSettings(BaseModel):
    """Settings of the connection to a TAK server, through which field units see alerts and report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[
        Slug, Field(title="Organisation", description="Whose alerts go to the server and who gets its reports.")
    ] = "municipality"
    host: Annotated[str, Field(title="Server", description="Name or address of the TAK server.", max_length=253)] = (
        "127.0.0.1"
    )
    port: Annotated[int, Field(title="Port", description="TCP port for XML events.", ge=1, le=65_535)] = 8087
    tls: Annotated[bool, Field(title="TLS", description="Encrypt, and check the server's certificate.")] = False
    ca_file: Annotated[
        Path | None, Field(title="Authority", description="Certificates that the server's is checked against (PEM).")
    ] = None
    certificate_file: Annotated[
        Path | None, Field(title="Own certificate", description="Shown to the server (PEM).")
    ] = None
    key_file: Annotated[Path | None, Field(title="Own key", description="Key of the own certificate (PEM).")] = None
    uid: Annotated[
        str,
        Field(
            title="Own name",
            description="Begins the `uid` of every event that is sent.",
            max_length=60,
            pattern=r"^[A-Za-z0-9.-]+$",
        ),
    ] = "impetus"
    lowest_severity: Annotated[
        Severity, Field(title="From severity", description="Lower ones are not sent; Unknown sends all.")
    ] = Severity.MODERATE
    alert_states: Annotated[
        tuple[AlertState, ...], Field(title="Alerts", description="Alerts in these states are shown to field units.")
    ] = (AlertState.CONFIRMED, AlertState.ESCALATED)
    incident_states: Annotated[
        tuple[IncidentState, ...],
        Field(title="Incidents", description="Incidents in these states are shown to field units."),
    ] = (IncidentState.OPEN, IncidentState.CONTAINED)
    shown_s: Annotated[
        float,
        Field(
            title="Shown for",
            json_schema_extra={"unit": "s"},
            description="After so long without news a mark vanishes from the units' maps.",
            ge=60,
            le=604_800,
        ),
    ] = 14_400.0
    units: Annotated[
        Mapping[str, Slug],
        Field(
            title="Units",
            description="Units whose position is kept as readings, name by `uid`. Nobody else is followed.",
            max_length=1_000,
        ),
    ] = Field(default_factory=dict)
    events_per_minute: Annotated[
        int,
        Field(
            title="Events a minute",
            json_schema_extra={"unit": "1/min"},
            description="Reports beyond this are set aside.",
            ge=1,
            le=100_000,
        ),
    ] = 600
    retry_first_s: Annotated[
        float,
        Field(title="First retry", json_schema_extra={"unit": "s"}, description="Wait before connecting again.", gt=0),
    ] = 1.0
    retry_longest_s: Annotated[
        float,
        Field(title="Longest retry", json_schema_extra={"unit": "s"}, description="Waits grow up to this.", gt=0),
    ] = 60.0
