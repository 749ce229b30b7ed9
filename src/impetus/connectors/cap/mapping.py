"""Between CAP messages and what the house works with: alerts and incidents."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from impetus.connectors.cap.message import (
    REFERENCE_LIMIT,
    Area,
    CapMessage,
    Circle,
    Info,
    MessageType,
    NamedValue,
    Reference,
    Scope,
)
from impetus.connectors.cap.writing import writable
from impetus.model import (
    Alert,
    Category,
    Certainty,
    Geometry,
    Incident,
    IncidentState,
    InvalidInput,
    LineString,
    ModelReference,
    Place,
    Point,
    Polygon,
    Position,
    Status,
    Urgency,
    UtcTime,
)
from impetus.model.scrubbing import scrub

TOOL: Final = "cap"
"""The `tool` of alerts that came as CAP messages."""
RESTRICTION: Final = "For the organisations that work with the sender; not for the public."
UNNAMED: Final = "Place without a name"
CONFIDENCE: Final = "impetus:confidence"
_CIRCLE_CORNERS: Final = 32
_KM_PER_DEGREE: Final = 111.195

_CONFIDENCE_OF: Final = {
    Certainty.OBSERVED: 0.95,
    Certainty.LIKELY: 0.7,
    Certainty.POSSIBLE: 0.4,
    Certainty.UNLIKELY: 0.1,
    Certainty.UNKNOWN: 0.5,
}
"""What a certainty counts as where the sender gives no number (CAP: Likely is more than 0.5)."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a message says of itself, whatever it is about."""

    identifier: str
    sender: str
    sender_name: str
    sent: UtcTime
    type: MessageType
    references: Sequence[Reference] = ()
    incidents: Sequence[str] = ()
    note: str = ""


def alert_to_cap(alert: Alert, heading: Heading) -> CapMessage:
    """A message about an alert. Its reasons and its evidence stay in the house."""
    info = Info(
        language="en",
        categories=(alert.category,),
        event=f"{alert.tool}: {alert.detector}",
        urgency=alert.urgency,
        severity=alert.severity,
        certainty=alert.certainty,
        effective=_whole(alert.sent),
        onset=_whole(alert.onset),
        sender_name=writable(heading.sender_name),
        headline=writable(scrub(alert.headline)),
        description=writable(scrub(alert.description)),
        instruction=writable(alert.instruction),
        parameters=(
            NamedValue(name=CONFIDENCE, value=repr(alert.confidence)),
            NamedValue(name="impetus:model", value=writable(f"{alert.model.name} {alert.model.version}")),
            *([NamedValue(name="impetus:ended", value=alert.ended.isoformat())] if alert.ended else []),
        ),
        areas=_areas(alert.place),
    )
    return _message(heading, alert.status, (info,))


def incident_to_cap(
    incident: Incident, heading: Heading, *, status: Status, categories: Sequence[Category]
) -> CapMessage:
    """A message about an incident; `status` and `categories` are those of its alerts."""
    over = incident.state in (IncidentState.CLOSED, IncidentState.REVIEWED)
    info = Info(
        language="en",
        categories=tuple(dict.fromkeys(categories)) or (Category.OTHER,),
        event=f"incident: {incident.threat_class.value}",
        urgency=Urgency.PAST if over else Urgency.IMMEDIATE,
        severity=incident.severity,
        certainty=Certainty.POSSIBLE if incident.state is IncidentState.CANDIDATE else Certainty.OBSERVED,
        effective=_whole(incident.updated),
        onset=_whole(incident.opened),
        sender_name=writable(heading.sender_name),
        headline=writable(scrub(incident.title)),
        description=writable(scrub(incident.summary)),
        parameters=(
            NamedValue(name="impetus:state", value=incident.state.value),
            NamedValue(name="impetus:threat-class", value=incident.threat_class.value),
        ),
        areas=_areas(incident.place),
    )
    return _message(heading, status, (info,))


def cap_to_alert(message: CapMessage, *, id: str, revision: int = 0, unknown: Sequence[str] = ()) -> Alert:
    """The alert that a message tells of; what an alert has no field for is kept in its description.

    Raises `InvalidInput` for a message that carries no `info`.
    """
    if not message.infos:
        raise InvalidInput("info: the message says nothing", hint="Send at least one info with an Alert or Update.")
    info = next((one for one in message.infos if one.language.lower().startswith("en")), message.infos[0])
    place, left_out = _place(info.areas)
    notes = [*_notes(message, info), *left_out, *unknown]
    cancelled = message.type is MessageType.CANCEL
    return Alert(
        id=id,
        revision=revision,
        tool=TOOL,
        detector="message",
        source=_source(message.sender),
        headline=_line(info.headline) or _line(info.event) or f"CAP message {message.identifier[:200]}",
        description=_with_notes(info.description, notes),
        instruction=_cut(info.instruction, 10_000),
        category=info.categories[0],
        urgency=Urgency.PAST if cancelled else info.urgency,
        severity=info.severity,
        certainty=info.certainty,
        confidence=_confidence(info),
        status=message.status,
        onset=info.onset or info.effective or message.sent,
        sent=message.sent,
        ended=max(message.sent, info.onset or message.sent) if cancelled else None,
        place=place,
        model=ModelReference(
            name=f"CAP 1.2 message of {_line(info.sender_name) or message.sender}"[:300], version="1.2"
        ),
    )


def _message(heading: Heading, status: Status, infos: tuple[Info, ...]) -> CapMessage:
    return CapMessage(
        identifier=heading.identifier,
        sender=heading.sender,
        sent=_whole(heading.sent),
        status=status,
        type=heading.type,
        scope=Scope.RESTRICTED,
        restriction=RESTRICTION,
        note=heading.note,
        references=tuple(heading.references)[-REFERENCE_LIMIT:],
        incidents=tuple(heading.incidents),
        infos=infos,
    )


def _whole(time: UtcTime) -> UtcTime:
    """CAP knows whole seconds only."""
    return time.replace(microsecond=0)


def _areas(place: Place | None) -> tuple[Area, ...]:
    if place is None:
        return ()
    name = writable(place.name) if place.name else UNNAMED
    geometry = place.geometry
    if isinstance(geometry, Point):
        return (Area(description=name, circles=(Circle(centre=geometry.coordinates, radius_km=0),)),)
    if isinstance(geometry, LineString):
        # CAP has no lines: there and back again is a ring without an inside.
        there = geometry.coordinates
        ring = (*there, *reversed(there[:-1]))
        return (Area(description=name, polygons=(ring if len(ring) > 3 else (there[0], *ring),)),)
    # CAP has no holes either: the whole outer ring is on the safe side.
    return (Area(description=name, polygons=(geometry.coordinates[0],)),)


def _place(areas: Sequence[Area]) -> tuple[Place | None, Sequence[str]]:
    """The first geometry, and in words what further ones there are."""
    found: Place | None = None
    left_out: list[str] = []
    for area in areas:
        geometries: list[Geometry] = [Polygon(coordinates=(ring,)) for ring in area.polygons]
        geometries += [_round(circle) for circle in area.circles]
        name = _line(area.description)
        if found is None and geometries:
            found = Place(geometry=geometries.pop(0), name=None if name in (None, UNNAMED) else name)
            if geometries:
                left_out.append(f"Area {name}: {len(geometries)} more polygons or circles, which are not on the map")
        elif name:
            left_out.append(f"Area: {name}" + (" (not on the map)" if geometries else ""))
        left_out += [f"Area code {code.name[:100]}: {code.value[:100]}" for code in area.geocodes]
    return found, left_out


def _round(circle: Circle) -> Geometry:
    """A point, or a polygon on the circle, cut off at the poles and the date line."""
    longitude, latitude = circle.centre
    if circle.radius_km == 0:
        return Point(coordinates=circle.centre)
    high = circle.radius_km / _KM_PER_DEGREE
    wide = min(180.0, high / max(math.cos(math.radians(latitude)), 1e-6))
    ring: list[Position] = []
    for corner in range(_CIRCLE_CORNERS):
        angle = 2 * math.pi * corner / _CIRCLE_CORNERS
        ring.append(
            (
                min(180.0, max(-180.0, longitude + wide * math.cos(angle))),
                min(90.0, max(-90.0, latitude + high * math.sin(angle))),
            )
        )
    return Polygon(coordinates=((*ring, ring[0]),))


def _notes(message: CapMessage, info: Info) -> list[str]:
    pairs = [
        ("Source", message.source),
        ("Restriction", message.restriction),
        ("Note", message.note),
        ("Incidents", ", ".join(message.incidents)),
        ("Codes", ", ".join(message.codes)),
        ("Audience", info.audience),
        ("Response", ", ".join(response.value for response in info.response_types)),
        ("Further categories", ", ".join(category.value for category in info.categories[1:])),
        ("Expires", info.expires.isoformat() if info.expires else ""),
        ("Web", info.web),
        ("Contact", info.contact),
        *((f"Code {code.name[:100]}", code.value) for code in info.event_codes),
        *((one.name[:100], one.value) for one in info.parameters if one.name != CONFIDENCE),
        *(("File", f"{one.description} ({one.media_type}) {one.uri}") for one in info.resources),
        *(("Also in", one.language) for one in message.infos if one is not info),
    ]
    return [f"{name}: {text[:1_000]}" for name, text in pairs if text]


def _with_notes(description: str, notes: Sequence[str]) -> str:
    if not notes:
        return _cut(description, 10_000)
    kept = _cut("Further in the message:\n" + "\n".join(notes), 4_000)
    return "\n\n".join(part for part in (_cut(description, 9_990 - len(kept)), kept) if part)


def _confidence(info: Info) -> float:
    try:
        value = float(info.parameter(CONFIDENCE) or "")
    except ValueError:
        return _CONFIDENCE_OF[info.certainty]
    return value if 0 <= value <= 1 else _CONFIDENCE_OF[info.certainty]


def _source(sender: str) -> str:
    """The sender as an identifier of ours."""
    name = re.sub(r"[^A-Za-z0-9_:/@~-]+", "-", sender).strip("-")
    return f"cap:{name or 'unknown'}"[:128]


def _line(text: str) -> str | None:
    line = " ".join(text.split())[:300].strip()
    return line or None


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
