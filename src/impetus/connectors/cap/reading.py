"""CAP messages from outside: bounded, checked, refused field by field; what is unknown is kept as text, not lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from pydantic import ValidationError

from impetus.connectors.cap.message import NAMESPACE, CapMessage, grouped
from impetus.model import InvalidInput

if TYPE_CHECKING:
    import xmlschema

SIZE_LIMIT_BYTES: Final = 1024 * 1024
ELEMENT_LIMIT: Final = 20_000
DEPTH_LIMIT: Final = 20
SHOWN_PROBLEMS: Final = 5
UNKNOWN_LIMIT: Final = 2_000
"""Characters kept of parts that the standard does not know."""

_CHILDREN: Final[dict[str, frozenset[str]]] = {
    "alert": frozenset(
        {"identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "code"}
        | {"note", "references", "incidents", "info"}
    ),
    "info": frozenset(
        {"language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience", "eventCode"}
        | {"effective", "onset", "expires", "senderName", "headline", "description", "instruction", "web", "contact"}
        | {"parameter", "resource", "area"}
    ),
    "resource": frozenset({"resourceDesc", "mimeType", "size", "uri", "digest"}),
    "area": frozenset({"areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"}),
    "parameter": frozenset({"valueName", "value"}),
    "eventCode": frozenset({"valueName", "value"}),
    "geocode": frozenset({"valueName", "value"}),
}
"""What CAP 1.2 knows within each element."""


@cache
def schema() -> xmlschema.XMLSchema10:
    """The form of a CAP 1.2 message, as `cap-1.2.xsd` beside this file restates it."""
    # Loaded with the first message that comes: many installations get none, and every hub starts sooner.
    import xmlschema

    return xmlschema.XMLSchema10(Path(__file__).with_name("cap-1.2.xsd"), defuse="always", allow="local")


def problems_of(root: Element) -> Sequence[str]:
    """What does not fit the schema, each with the field it is about; at most `SHOWN_PROBLEMS`."""
    found = []
    for error in schema().iter_errors(root):
        path = (error.path or "").replace(f"{{{NAMESPACE}}}", "").replace("cap:", "").lstrip("/")
        reason = (error.reason or "does not fit").replace(f"{{{NAMESPACE}}}", "").replace("cap:", "")
        found.append(f"{path}: {reason[:200]}")
        if len(found) == SHOWN_PROBLEMS:
            break
    return found


def read_cap(content: bytes) -> tuple[CapMessage, Sequence[str]]:
    """The message, and what stood in it that CAP 1.2 does not know (short texts for people).

    Raises `InvalidInput` for anything that is not one CAP 1.2 message: too large, not XML, XML with a document type or
    entities, another version, and for each field that does not fit, naming it.
    """
    root = _parse(content)
    if root.tag != f"{{{NAMESPACE}}}alert":
        raise InvalidInput(
            f"this is not a CAP 1.2 message: its outermost element is {str(root.tag)[:100]!r}",
            hint=f"Send one `alert` element of the namespace {NAMESPACE}.",
        )
    unknown: list[str] = []
    _take_out_unknown(root, "alert", unknown)
    problems = problems_of(root)
    if problems:
        raise InvalidInput(
            f"the CAP message does not keep to the standard: {'; '.join(problems)}",
            hint="Mend the fields that are named; the standard's data dictionary says what they hold.",
        )
    try:
        return CapMessage.model_validate(_message(root)), tuple(unknown)
    except ValidationError as error:
        raise InvalidInput(
            "the CAP message does not keep to the standard: "
            + "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'alert'}: {one['msg']}"
                for one in error.errors(include_url=False, include_input=False)[:SHOWN_PROBLEMS]
            ),
            hint="Mend the fields that are named.",
        ) from None


def _parse(content: bytes) -> Element:
    if len(content) > SIZE_LIMIT_BYTES:
        raise InvalidInput(
            f"the CAP message has {len(content)} bytes", hint=f"At most {SIZE_LIMIT_BYTES} bytes are read."
        )
    try:
        root: Element = ElementTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise InvalidInput(
            "the message carries a document type or entities, which are never read", hint="Send plain XML."
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise InvalidInput(f"the message is not well-formed XML: {error}", hint="Send one CAP 1.2 message.") from None
    waiting = [(root, 1)]
    elements = 0
    while waiting:
        element, depth = waiting.pop()
        elements += 1
        if elements > ELEMENT_LIMIT or depth > DEPTH_LIMIT:
            raise InvalidInput("the message has too many elements or too deep ones", hint="Split it.")
        waiting += [(child, depth + 1) for child in element]
    return root


def _take_out_unknown(element: Element, kind: str, unknown: list[str]) -> None:
    for child in list(element):
        space, _, name = str(child.tag).rpartition("}")
        if space.lstrip("{") == NAMESPACE and name in _CHILDREN.get(kind, ()):
            if name in _CHILDREN:
                _take_out_unknown(child, name, unknown)
            continue
        element.remove(child)
        text = " ".join(" ".join(child.itertext()).split())
        if name == "Signature":
            text = "a digital signature, which was not checked"
        elif name == "derefUri":
            text = f"a file within the message ({len(text)} characters), which was not kept"
        room = UNKNOWN_LIMIT - sum(map(len, unknown))
        if room > 0:
            unknown.append(f"{kind}/{name[:100]}: {text}"[:room])


def _message(root: Element) -> dict[str, Any]:
    return {
        **_texts(
            root, identifier="identifier", sender="sender", status="status", type="msgType", source="source",
            scope="scope", restriction="restriction", note="note",
        ),
        "sent": _moment(root, "sent"),
        "addresses": grouped(_text(root, "addresses")),
        "codes": [_plain(one) for one in root.iterfind(_path("code"))],
        "references": [_reference(one) for one in _text(root, "references").split()],
        "incidents": grouped(_text(root, "incidents")),
        "infos": [_info(one) for one in root.iterfind(_path("info"))],
    }  # fmt: skip


def _info(at: Element) -> dict[str, Any]:
    return {
        **_texts(
            at, event="event", urgency="urgency", severity="severity", certainty="certainty", audience="audience",
            sender_name="senderName", headline="headline", description="description", instruction="instruction",
            web="web", contact="contact",
        ),
        "language": _text(at, "language") or "en-US",
        "categories": [_plain(one) for one in at.iterfind(_path("category"))],
        "response_types": [_plain(one) for one in at.iterfind(_path("responseType"))],
        "effective": _moment(at, "effective"),
        "onset": _moment(at, "onset"),
        "expires": _moment(at, "expires"),
        "event_codes": _named(at, "eventCode"),
        "parameters": _named(at, "parameter"),
        "resources": [_resource(one) for one in at.iterfind(_path("resource"))],
        "areas": [_area(one) for one in at.iterfind(_path("area"))],
    }  # fmt: skip


def _resource(at: Element) -> dict[str, Any]:
    size = _text(at, "size")
    return {
        **_texts(at, description="resourceDesc", media_type="mimeType", uri="uri", digest="digest"),
        "size_bytes": size or None,
    }


def _area(at: Element) -> dict[str, Any]:
    return {
        "description": _text(at, "areaDesc"),
        "polygons": [[_pair(pair) for pair in _plain(one).split()] for one in at.iterfind(_path("polygon"))],
        "circles": [_circle(_plain(one)) for one in at.iterfind(_path("circle"))],
        "geocodes": _named(at, "geocode"),
        "altitude_ft": _text(at, "altitude") or None,
        "ceiling_ft": _text(at, "ceiling") or None,
    }


def _circle(text: str) -> dict[str, Any]:
    centre, _, radius = text.strip().rpartition(" ")
    return {"centre": _pair(centre.strip()), "radius_km": radius}


def _pair(text: str) -> list[str]:
    """Latitude first in CAP, longitude first with us. What is no pair fails the model, which names the field."""
    latitude, _, longitude = text.partition(",")
    return [longitude, latitude]


def _reference(text: str) -> dict[str, str]:
    parts = text.split(",")
    if len(parts) != 3:
        raise InvalidInput(f"references: {text[:100]!r} is not sender,identifier,sent", hint="Separate them by commas.")
    return {"sender": parts[0], "identifier": parts[1], "sent": parts[2]}


def _named(at: Element, name: str) -> list[dict[str, str]]:
    return [{"name": _text(one, "valueName"), "value": _text(one, "value")} for one in at.iterfind(_path(name))]


def _moment(at: Element, name: str) -> datetime | None:
    text = _text(at, name).strip()
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput(f"{name}: {text!r} is not a time", hint="Write it like 2026-11-21T08:00:00-00:00.") from None


def _texts(at: Element, **names: str) -> dict[str, str]:
    return {field: _text(at, name) for field, name in names.items()}


def _text(at: Element, name: str) -> str:
    found = at.find(_path(name))
    return "" if found is None else _plain(found)


def _plain(element: Element) -> str:
    return element.text or ""


def _path(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
