"""Between CoT events and what the house works with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from impetus.connectors.cot.event import UNKNOWN, CotEvent
from impetus.connectors.cot.settings import CotSettings
from impetus.model import (
    Alert,
    AlertState,
    Category,
    Certainty,
    Datastream,
    Incident,
    ModelReference,
    Observation,
    Place,
    Point,
    Severity,
    Status,
    Urgency,
    UtcTime,
    derived_id,
)

TOOL: Final = "cot"
ALARM: Final = "b-l"
"""The type of an alert: an alarm (`b-l`, "Alarm" in the published list of types)."""
INCIDENT: Final = "a-u-X-i-o"
"""The type of an incident ("Other incident" there)."""
REMOVAL: Final = "t-x-d-d"

_PRIORITY: Final = {
    Severity.EXTREME: 9,
    Severity.SEVERE: 7,
    Severity.MODERATE: 5,
    Severity.MINOR: 3,
    Severity.UNKNOWN: 1,
}
_OPEX: Final = {Status.ACTUAL: "o", Status.EXERCISE: "e", Status.TEST: "s"}


class ShownAlert(BaseModel):
    """What is read of an alert's view message; the rest of it never leaves the house this way."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    headline: Annotated[str, Field(max_length=300)]
    severity: Severity
    status: Status
    onset: UtcTime
    updated: UtcTime
    state: AlertState
    place: Place | None = None


def alert_event(alert: ShownAlert, settings: CotSettings) -> CotEvent | None:
    """What field units are told of an alert; None if it is not for them."""
    if alert.status not in _OPEX:
        return None
    uid = f"{settings.uid}.alert.{alert.id}"
    if alert.state not in settings.alert_states:
        # Whoever sees it still must not go on believing it.
        return _removal(uid, alert.updated, alert.place) if alert.state is AlertState.DISMISSED else None
    return _mark(uid, ALARM, alert.headline, alert.severity, alert.status, alert.place, alert.updated, settings)


def incident_event(incident: Incident, settings: CotSettings, status: Status) -> CotEvent | None:
    """What field units are told of an incident; None if it is not for them."""
    if status not in _OPEX:
        return None
    uid = f"{settings.uid}.incident.{incident.id}"
    if incident.state not in settings.incident_states:
        return _removal(uid, incident.updated, incident.place) if incident.version > 1 else None
    return _mark(uid, INCIDENT, incident.title, incident.severity, status, incident.place, incident.updated, settings)


def _mark(
    uid: str,
    type: str,
    text: str,
    severity: Severity,
    status: Status,
    place: Place | None,
    time: datetime,
    settings: CotSettings,
) -> CotEvent | None:
    if place is None or _PRIORITY[severity] < _PRIORITY[settings.lowest_severity]:
        return None
    longitude, latitude = place.centre
    prefix = "EXERCISE " if status is Status.EXERCISE else "TEST " if status is Status.TEST else ""
    return CotEvent(
        uid=uid,
        type=type,
        time=time,
        start=time,
        stale=time + timedelta(seconds=settings.shown_s),
        latitude=latitude,
        longitude=longitude,
        opex=_OPEX[status],
        qos=f"{_PRIORITY[severity]}-r-g",
        callsign=f"{prefix}{severity.value}: {text}"[:300],
        remarks=place.name or "",
    )


def _removal(uid: str, time: datetime, place: Place | None) -> CotEvent:
    longitude, latitude = place.centre if place is not None else (0.0, 0.0)
    return CotEvent(
        uid=f"{uid}.removed"[:200],
        type=REMOVAL,
        time=time,
        start=time,
        stale=time + timedelta(minutes=5),
        latitude=latitude,
        longitude=longitude,
        link=uid,
    )


def unit_datastreams(units: Mapping[str, str]) -> list[Datastream]:
    """The streams that the positions of named units become."""
    return [
        Datastream(
            id=f"cot:{name}:{axis}",
            name=f"{axis.title()} of {name}",
            thing=name,
            observed_property=axis,
            unit="deg",
            lowest=-bound,
            highest=bound,
        )
        for name in units.values()
        for axis, bound in (("latitude", 90.0), ("longitude", 180.0))
    ]


def unit_position(event: CotEvent, name: str) -> list[Observation]:
    """The position of a named unit as readings."""
    return [
        Observation(datastream=f"cot:{name}:latitude", time=event.time, value=event.latitude),
        Observation(datastream=f"cot:{name}:longitude", time=event.time, value=event.longitude),
    ]


def is_report(event: CotEvent) -> bool:
    """Whether a person should look at it: an emergency or a mark that somebody set."""
    return event.type.startswith(("b-a-", "b-m-p", "b-r-"))


def report_alert(event: CotEvent, tenant: str, revision: int, pseudonym: str) -> Alert:
    """An emergency or a mark from the field as an alert, so that it stands in the queue with everything else.

    `pseudonym` stands for the device that sent it: its `uid` is a phone's or a radio's, and so a person's.
    """
    emergency = event.type.startswith("b-a-")
    over = event.type == "b-a-o-can"
    name = event.callsign.strip() or pseudonym
    exercise = event.opex.startswith("e")
    fields: dict[str, Any] = {
        "detector": "emergency" if emergency else "mark",
        "headline": f"{'Emergency' if emergency else 'Report'} from the field: {name}"[:300],
        "category": Category.RESCUE if emergency else Category.OTHER,
        "urgency": Urgency.PAST if over else Urgency.IMMEDIATE if emergency else Urgency.UNKNOWN,
        "severity": Severity.SEVERE if emergency else Severity.MINOR,
    }
    accuracy = "" if event.accuracy_m >= UNKNOWN else f"\nAccuracy {event.accuracy_m:.0f} m"
    return Alert(
        **fields,
        id=derived_id("cot", tenant, pseudonym),
        revision=revision,
        tool=TOOL,
        source=f"cot:{pseudonym}",
        description=f"{event.remarks}\nType {event.type}{accuracy}"[:10_000].strip(),
        certainty=Certainty.OBSERVED,
        confidence=0.8,
        status=Status.EXERCISE if exercise else Status.TEST if event.opex.startswith("s") else Status.ACTUAL,
        onset=min(event.start, event.time),
        sent=event.time,
        ended=event.time if over else None,
        place=Place(geometry=Point(coordinates=(event.longitude, event.latitude))),
        model=ModelReference(name="Cursor-on-Target", version="2.0"),
    )
