"""MISP events: what a feed or server gives, read; a STIX bundle, written as an event (MISP core format)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from impetus.model import InvalidInput, derived_id
from impetus.tools.cti.items import Item, parse_time
from impetus.tools.cti.stix import Tlp, tlp_of

ATTRIBUTES_LIMIT = 5_000


def event_of(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """A MISP event of a STIX bundle. What was not promoted is not for detection (`to_ids` is false)."""
    objects = list(bundle.get("objects", ()))
    report = next((one for one in objects if one["type"] == "report"), None)
    title = report["name"] if report else "Threat intelligence"
    moment = parse_time(report["created"] if report else None) or datetime.now(UTC)
    promoted = " ".join(one["pattern"] for one in objects if one["type"] == "indicator")
    attributes: list[dict[str, Any]] = []
    tags = []
    for one in objects:
        for type, category, value in _attributes(one):
            attributes.append(
                {
                    "uuid": derived_id("misp-attribute", str(bundle["id"]), type, value),
                    "type": type,
                    "category": category,
                    "value": value,
                    "to_ids": f"'{value}'" in promoted,
                    "timestamp": str(int(moment.timestamp())),
                }
            )
        if one["type"] == "attack-pattern":
            number = one["external_references"][0]["external_id"]
            tags.append({"name": f'misp-galaxy:mitre-attack-pattern="{one["name"]} - {number}"'})
        elif one["type"] in ("malware", "threat-actor", "tool"):
            tags.append({"name": f'misp-galaxy:{one["type"]}="{one["name"]}"'})
    label = max((tlp_of(one) or Tlp.CLEAR for one in objects), key=list(Tlp).index, default=Tlp.AMBER)
    return {
        "Event": {
            "uuid": derived_id("misp-event", str(bundle["id"])),
            "info": title,
            "date": moment.date().isoformat(),
            "timestamp": str(int(moment.timestamp())),
            "analysis": "2" if promoted else "0",
            "threat_level_id": "4",
            "distribution": "0",
            "published": False,
            "Attribute": attributes[:ATTRIBUTES_LIMIT],
            "Tag": [{"name": f"tlp:{label.value}"}, *tags],
        }
    }


def _attributes(one: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    network, payload = "Network activity", "Payload delivery"
    match one["type"]:
        case "domain-name":
            return [("domain", network, one["value"])]
        case "url":
            return [("url", network, one["value"])]
        case "ipv4-addr" | "ipv6-addr":
            return [("ip-dst", network, one["value"])]
        case "email-addr":
            return [("email", payload, one["value"])]
        case "vulnerability":
            return [("vulnerability", "External analysis", one["name"])] if one["name"].startswith("CVE-") else []
        case "windows-registry-key":
            return [("regkey", "Artifacts dropped", one["key"])]
        case "autonomous-system":
            return [("AS", network, f"AS{one['number']}")]
        case "user-account" if one.get("account_type") == "bitcoin":
            return [("btc", "Financial fraud", one["account_login"])]
        case "file":
            names = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
            found = [(names[name], payload, value) for name, value in one.get("hashes", {}).items() if name in names]
            return found + ([("filename", payload, one["name"])] if "name" in one else [])
        case _:
            return []


def _tables(value: object) -> list[Mapping[str, Any]]:
    """The tables of a list; what is none is passed over."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def item_of_event(content: object, name: str) -> tuple[Item, Tlp | None]:
    """A MISP event as an item, its attributes as lines of text, with its TLP label. Raises `InvalidInput`."""
    event = content.get("Event", content) if isinstance(content, Mapping) else None
    if not isinstance(event, Mapping) or not event.get("uuid"):
        raise InvalidInput(f"{name} is no MISP event", hint="give the address of a MISP feed or server")
    attributes = [one for each in (event, *_tables(event.get("Object"))) for one in _tables(each.get("Attribute"))]
    lines = [
        f"{attribute.get('type', '')}: {attribute['value']} {attribute.get('comment') or ''}".strip()
        for attribute in attributes[:ATTRIBUTES_LIMIT]
        if isinstance(attribute.get("value"), str)
    ]
    tags = [str(tag.get("name", "")).lower() for tag in _tables(event.get("Tag"))]
    tlp = next((label for label in reversed(Tlp) if f"tlp:{label.value}" in tags), None)
    if tlp is None and "tlp:white" in tags:
        tlp = Tlp.CLEAR
    title = str(event.get("info") or "MISP event")
    stamp = event.get("publish_timestamp") or event.get("timestamp")
    moment = (
        parse_time(int(str(stamp))) if str(stamp or "").isdigit() and int(str(stamp)) else parse_time(event.get("date"))
    )
    return Item(id=str(event["uuid"])[:500], title=title[:300], text="\n".join(lines), published=moment), tlp
