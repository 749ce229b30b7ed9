"""A CAP message as XML."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from impetus.connectors.cap.message import NAMESPACE, Area, CapMessage, Info, NamedValue, Resource, ungrouped
from impetus.model import Position

register_namespace("", NAMESPACE)

MEDIA_TYPE: Final = "application/cap+xml"

# What XML 1.0 cannot carry, and what its readers would change.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_cap(message: CapMessage) -> bytes:
    """The message as UTF-8 XML. Characters that XML cannot carry become U+FFFD."""
    root = Element(_tag("alert"))
    _put(root, "identifier", message.identifier)
    _put(root, "sender", message.sender)
    _put(root, "sent", moment(message.sent))
    _put(root, "status", message.status.value)
    _put(root, "msgType", message.type.value)
    _put(root, "source", message.source, optional=True)
    _put(root, "scope", message.scope.value)
    _put(root, "restriction", message.restriction, optional=True)
    _put(root, "addresses", ungrouped(message.addresses), optional=True)
    for code in message.codes:
        _put(root, "code", code)
    _put(root, "note", message.note, optional=True)
    references = " ".join(f"{one.sender},{one.identifier},{moment(one.sent)}" for one in message.references)
    _put(root, "references", references, optional=True)
    _put(root, "incidents", ungrouped(message.incidents), optional=True)
    for info in message.infos:
        _put_info(SubElement(root, _tag("info")), info)
    indent(root)
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def moment(time: datetime) -> str:
    """A UTC time as CAP writes it: whole seconds, and -00:00 instead of Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%S-00:00").rjust(25, "0")


def writable(text: str) -> str:
    """The text as it arrives at the other end of any XML."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))


def _put_info(at: Element, info: Info) -> None:
    _put(at, "language", info.language)
    for category in info.categories:
        _put(at, "category", category.value)
    _put(at, "event", info.event)
    for response in info.response_types:
        _put(at, "responseType", response.value)
    _put(at, "urgency", info.urgency.value)
    _put(at, "severity", info.severity.value)
    _put(at, "certainty", info.certainty.value)
    _put(at, "audience", info.audience, optional=True)
    _put_named(at, "eventCode", info.event_codes)
    for name, time in (("effective", info.effective), ("onset", info.onset), ("expires", info.expires)):
        if time is not None:
            _put(at, name, moment(time))
    _put(at, "senderName", info.sender_name, optional=True)
    _put(at, "headline", info.headline, optional=True)
    _put(at, "description", info.description, optional=True)
    _put(at, "instruction", info.instruction, optional=True)
    _put(at, "web", info.web, optional=True)
    _put(at, "contact", info.contact, optional=True)
    _put_named(at, "parameter", info.parameters)
    for resource in info.resources:
        _put_resource(SubElement(at, _tag("resource")), resource)
    for area in info.areas:
        _put_area(SubElement(at, _tag("area")), area)


def _put_resource(at: Element, resource: Resource) -> None:
    _put(at, "resourceDesc", resource.description)
    _put(at, "mimeType", resource.media_type)
    if resource.size_bytes is not None:
        _put(at, "size", str(resource.size_bytes))
    _put(at, "uri", resource.uri, optional=True)
    _put(at, "digest", resource.digest, optional=True)


def _put_area(at: Element, area: Area) -> None:
    _put(at, "areaDesc", area.description)
    for ring in area.polygons:
        _put(at, "polygon", " ".join(_pair(position) for position in ring))
    for circle in area.circles:
        _put(at, "circle", f"{_pair(circle.centre)} {_number(circle.radius_km)}")
    _put_named(at, "geocode", area.geocodes)
    if area.altitude_ft is not None:
        _put(at, "altitude", _number(area.altitude_ft))
    if area.ceiling_ft is not None:
        _put(at, "ceiling", _number(area.ceiling_ft))


def _put_named(at: Element, name: str, values: tuple[NamedValue, ...]) -> None:
    for value in values:
        group = SubElement(at, _tag(name))
        _put(group, "valueName", value.name)
        _put(group, "value", value.value)


def _put(at: Element, name: str, text: str, *, optional: bool = False) -> None:
    if text or not optional:
        SubElement(at, _tag(name)).text = writable(text)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _pair(position: Position) -> str:
    return f"{_number(position[1])},{_number(position[0])}"


def _number(value: float) -> str:
    # The shortest decimal that is read back as the same number, never with an exponent.
    return format(Decimal(repr(value)), "f")
