"""What the outside sees of an alert: its own fields and, beside them, what people made of it."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field

from impetus.model import Alert, AlertState, Envelope, Identifier, Incident, Line, Slug, UtcTime, derived_id
from impetus.store.records import AlertRecord

ALERT_VIEW = "alert-view"
"""Kind of the message that tells the screens how an alert stands now; its subject is `TENANT.alert-view.TOOL`."""

ORIGIN = "situation"


class AlertView(Alert):
    """An alert with its state, as the HTTP API and the live stream show it."""

    tenant: Slug
    state: AlertState
    version: Annotated[int, Field(ge=1)]
    """Grows with every decision; a decision names the version that it was made on."""
    received: UtcTime
    updated: UtcTime
    incident: Identifier | None = None
    handled_by: Line | None = None
    harm: Annotated[float, Field(ge=0, le=1)]
    """Expected harm: the queue is ordered by it."""
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """Calibrated: how likely the alert is true."""
    holder: Identifier | None = None
    """The person who works on it."""
    holder_name: Line | None = None
    held_since: UtcTime | None = None
    repeat_of: Identifier | None = None
    """The alert that this one repeats: that one stands for both in the queue."""
    repeats: Annotated[int, Field(ge=0)] = 0
    """How many alerts repeat this one."""


def alert_json(record: AlertRecord) -> bytes:
    """The record as an `AlertView` in JSON. Put together from its two parts, since this is done for every alert."""
    more = orjson.dumps(
        {
            "tenant": record.tenant,
            "state": record.state.value,
            "version": record.version,
            "received": record.received,
            "updated": record.updated,
            "incident": record.incident,
            "handled_by": record.handled_by,
            "harm": record.harm,
            "probability": record.probability,
            "holder": record.holder,
            "holder_name": record.holder_name,
            "held_since": record.held_since,
            "repeat_of": record.repeat_of,
            "repeats": record.repeats,
        },
        option=orjson.OPT_UTC_Z,
    )
    return record.alert.model_dump_json().encode()[:-1] + b"," + more[1:]


def alert_envelope(record: AlertRecord) -> Envelope:
    """The message that tells the screens how an alert stands now; the same state gives the same message id."""
    return Envelope(
        id=derived_id(
            ALERT_VIEW,
            record.tenant,
            record.alert.id,
            str(record.version),
            str(record.alert.revision),
            str(record.repeats),
            record.incident or "",
        ),
        source=f"/{ORIGIN}",
        type=f"impetus.{ALERT_VIEW}.v1",
        subject=f"{record.tenant}.{ALERT_VIEW}.{record.alert.tool}",
        time=record.updated,
        tenant=record.tenant,
        partition=record.alert.id,
        data=alert_json(record),
    )


def incident_envelope(incident: Incident) -> Envelope:
    """The message that tells everyone how an incident stands now."""
    return Envelope.wrap(
        incident,
        kind="incident",
        tenant=incident.tenant,
        origin=ORIGIN,
        time=incident.updated,
        partition=incident.id,
        # What the system adds to it leaves the version alone.
        id=derived_id("incident", incident.tenant, incident.id, str(incident.version), incident.updated.isoformat()),
    )
