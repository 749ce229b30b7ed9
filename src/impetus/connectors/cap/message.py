"""A message of the Common Alerting Protocol 1.2 (OASIS Standard, 1 July 2010) as a value."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from impetus.model import Category, Certainty, Position, Severity, Status, Urgency, UtcTime, Value

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
REFERENCE_LIMIT: Final = 100

Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\s,<&]+$")]
"""An identifier or a sender: no spaces, commas, `<` or `&`."""
Short = Annotated[str, Field(max_length=2_000)]
Long = Annotated[str, Field(max_length=50_000)]


class MessageType(StrEnum):
    """CAP 1.2 `msgType`."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Scope(StrEnum):
    """CAP 1.2 `scope`."""

    PUBLIC = "Public"
    RESTRICTED = "Restricted"
    PRIVATE = "Private"


class ResponseType(StrEnum):
    """CAP 1.2 `responseType`."""

    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


class Reference(Value):
    """Names an earlier message."""

    sender: Name
    identifier: Name
    sent: UtcTime


class NamedValue(Value):
    """A `parameter`, an `eventCode` or a `geocode`."""

    name: Short
    value: Long


class Circle(Value):
    """Everything within `radius_km` of a position."""

    centre: Position
    radius_km: Annotated[FiniteFloat, Field(ge=0, le=20_100)]


class Area(Value):
    """What an `info` is about on the ground. A polygon is one closed ring, longitude first as in GeoJSON."""

    description: Short
    polygons: Annotated[
        tuple[Annotated[tuple[Position, ...], Field(min_length=4, max_length=10_000)], ...], Field(max_length=100)
    ] = ()
    circles: Annotated[tuple[Circle, ...], Field(max_length=100)] = ()
    geocodes: Annotated[tuple[NamedValue, ...], Field(max_length=500)] = ()
    altitude_ft: FiniteFloat | None = None
    ceiling_ft: FiniteFloat | None = None

    @model_validator(mode="after")
    def _rings_are_closed(self) -> Self:
        if any(ring[0] != ring[-1] for ring in self.polygons):
            raise ValueError("a polygon is not closed: its last position must be its first")
        return self


class Resource(Value):
    """A file that goes with an `info`."""

    description: Short
    media_type: Short
    size_bytes: int | None = None
    uri: Short = ""
    digest: Short = ""


class Info(Value):
    """One `info`: what happens, in one language."""

    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")] = "en-US"
    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=12)]
    event: Short
    response_types: Annotated[tuple[ResponseType, ...], Field(max_length=20)] = ()
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    audience: Short = ""
    event_codes: Annotated[tuple[NamedValue, ...], Field(max_length=100)] = ()
    effective: UtcTime | None = None
    onset: UtcTime | None = None
    expires: UtcTime | None = None
    sender_name: Short = ""
    headline: Short = ""
    description: Long = ""
    instruction: Long = ""
    web: Short = ""
    contact: Short = ""
    parameters: Annotated[tuple[NamedValue, ...], Field(max_length=500)] = ()
    resources: Annotated[tuple[Resource, ...], Field(max_length=100)] = ()
    areas: Annotated[tuple[Area, ...], Field(max_length=100)] = ()

    def parameter(self, name: str) -> str | None:
        """The first parameter of this name."""
        return next((one.value for one in self.parameters if one.name == name), None)


class CapMessage(Value):
    """One `alert` element, whole."""

    identifier: Name
    sender: Name
    sent: UtcTime
    status: Status
    type: MessageType
    source: Short = ""
    scope: Scope
    restriction: Short = ""
    addresses: Annotated[tuple[Short, ...], Field(max_length=500)] = ()
    codes: Annotated[tuple[Short, ...], Field(max_length=100)] = ()
    note: Long = ""
    references: Annotated[tuple[Reference, ...], Field(max_length=REFERENCE_LIMIT)] = ()
    incidents: Annotated[tuple[Short, ...], Field(max_length=100)] = ()
    infos: Annotated[tuple[Info, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _keeps_the_standards_prose(self) -> Self:
        if self.scope is Scope.RESTRICTED and not self.restriction.strip():
            raise ValueError("scope is Restricted, so restriction must say who may have it")
        if self.scope is Scope.PRIVATE and not self.addresses:
            raise ValueError("scope is Private, so addresses must name who it is for")
        if self.type is not MessageType.ALERT and not self.references:
            raise ValueError(f"msgType is {self.type.value}, so references must name the earlier message")
        return self


def grouped(text: str) -> tuple[str, ...]:
    """Names in a space-separated list in which those with spaces stand in quotes (CAP `addresses`, `incidents`).

    >>> grouped('one "two and a half" three')
    ('one', 'two and a half', 'three')
    """
    return tuple(quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', text) if quoted or plain)


def ungrouped(names: tuple[str, ...]) -> str:
    """The reverse of `grouped`; a quote within a name becomes an apostrophe, because the form has no other way.

    >>> ungrouped(('one', 'two and a half'))
    'one "two and a half"'
    """
    plain = [name.replace('"', "'") for name in names]
    return " ".join(f'"{name}"' if re.search(r"\s", name) else name for name in plain)
