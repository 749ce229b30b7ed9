"""Cursor-on-Target 2.0 events: read from XML with bounds, and written."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Annotated, Final
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from pydantic import Field, FiniteFloat, StringConstraints, ValidationError

from impetus.connectors.cap.writing import writable
from impetus.model import InvalidInput, UtcTime, Value

EVENT_LIMIT_BYTES: Final = 64 * 1024
ELEMENT_LIMIT: Final = 500
UNKNOWN: Final = 9_999_999.0
"""What stands for a height or an accuracy that nobody knows."""

Uid = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f<>&]+$")]
EventType = Annotated[str, StringConstraints(max_length=100, pattern=r"^[A-Za-z](-[A-Za-z0-9._]+)*$")]


class CotEvent(Value):
    """What is where, and until when that holds."""

    uid: Uid
    type: EventType
    time: UtcTime
    start: UtcTime
    stale: UtcTime
    how: Annotated[str, StringConstraints(max_length=50)] = "m-g"
    latitude: Annotated[FiniteFloat, Field(ge=-90, le=90)]
    longitude: Annotated[FiniteFloat, Field(ge=-180, le=180)]
    height_m: FiniteFloat = UNKNOWN
    accuracy_m: FiniteFloat = UNKNOWN
    opex: Annotated[str, StringConstraints(max_length=100)] = ""
    """`o` for operations, `e` for an exercise, `s` for a simulation; a name may follow."""
    qos: Annotated[str, StringConstraints(max_length=20)] = ""
    callsign: Annotated[str, StringConstraints(max_length=300)] = ""
    remarks: Annotated[str, StringConstraints(max_length=10_000)] = ""
    link: Uid | None = None
    """The event that this one takes back."""


def write_event(event: CotEvent) -> bytes:
    """The event as one XML element, without anything after it."""
    root = Element("event", version="2.0", uid=event.uid, type=event.type, how=event.how)
    for name, time in (("time", event.time), ("start", event.start), ("stale", event.stale)):
        root.set(name, time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z")
    if event.opex:
        root.set("opex", event.opex)
    if event.qos:
        root.set("qos", event.qos)
    SubElement(
        root,
        "point",
        lat=repr(event.latitude),
        lon=repr(event.longitude),
        hae=repr(event.height_m),
        ce=repr(event.accuracy_m),
        le=repr(UNKNOWN),
    )
    detail = SubElement(root, "detail")
    if event.callsign:
        SubElement(detail, "contact", callsign=writable(event.callsign))
    if event.remarks:
        SubElement(detail, "remarks").text = writable(event.remarks)
    if event.link is not None:
        SubElement(detail, "link", uid=event.link, relation="p-p", type="none")
        SubElement(detail, "__forcedelete")
    content: bytes = tostring(root, encoding="utf-8")
    return content


def read_event(content: bytes) -> CotEvent:
    """The event. Raises `InvalidInput` for anything that is not one CoT 2.0 event, naming what is wrong."""
    hint = "Send Cursor-on-Target 2.0 as XML."
    if len(content) > EVENT_LIMIT_BYTES:
        raise InvalidInput(f"the event has {len(content)} bytes", hint=f"At most {EVENT_LIMIT_BYTES} are read.")
    try:
        root: Element = ElementTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise InvalidInput("the event carries a document type or entities, which are never read", hint=hint) from None
    except (ParseError, ValueError, LookupError) as error:
        raise InvalidInput(f"the event is not well-formed XML: {error}", hint=hint) from None
    if sum(1 for _ in root.iter()) > ELEMENT_LIMIT:
        raise InvalidInput("the event has too many elements", hint=hint)
    point = root.find("point")
    if root.tag != "event" or point is None:
        raise InvalidInput("this is no event with a point", hint=hint)
    if not root.get("version", "2.0").startswith("2"):
        raise InvalidInput(f"the event has version {root.get('version', '')[:20]!r}", hint=hint)
    contact, remarks, link = root.find("detail/contact"), root.find("detail/remarks"), root.find("detail/link")
    fields = {
        "uid": root.get("uid"),
        "type": root.get("type"),
        "how": root.get("how", "m-g"),
        "latitude": point.get("lat"),
        "longitude": point.get("lon"),
        "height_m": point.get("hae", UNKNOWN),
        "accuracy_m": point.get("ce", UNKNOWN),
        "opex": root.get("opex", ""),
        "qos": root.get("qos", ""),
        "callsign": "" if contact is None else contact.get("callsign", ""),
        "remarks": "" if remarks is None else remarks.text or "",
        "link": None if link is None or root.get("type") != "t-x-d-d" else link.get("uid"),
        **{name: _time(root, name) for name in ("time", "start", "stale")},
    }
    try:
        return CotEvent.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}", hint=hint) from None


def _time(root: Element, name: str) -> datetime:
    text = root.get(name, "")
    with contextlib.suppress(ValueError):
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time
    raise InvalidInput(f"{name}: {text[:50]!r} is no time", hint="Write it like 2026-11-21T08:00:00Z.")
