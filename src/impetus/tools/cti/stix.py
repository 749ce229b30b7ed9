"""STIX 2.1 (OASIS Standard, 2021): what was found in a report as a bundle, with TLP 2.0 markings.

Objects are plain JSON with identifiers derived from what they are, so that the same report gives the same bundle.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from impetus.model import derived_id
from impetus.tools.cti.entities import Entity, EntityKind
from impetus.tools.cti.indicators import Indicator, IndicatorType
from impetus.tools.cti.techniques import Technique, technique_names
from impetus.tools.cti.warning_lists import warnings

Object = dict[str, Any]

OBSERVABLE_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""For identifiers of cyber-observable objects (STIX 2.1, section 2.9)."""
TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 (FIRST): who may be told."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"


MARKINGS: Mapping[Tlp, str] = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
_TLP_1 = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
"""The markings of TLP 1.0 that older feeds carry."""

_PLACES = {
    name: {"country": code}
    for code, names in {
        "NO": "Norway Norge Oslo Bergen Trondheim Stavanger",
        "IT": "Italy Italia Rome Roma Milan Milano Turin Torino Naples Napoli Florence Firenze Genoa Genova Bologna "
        "Padova",
        "DE": "Germany Berlin", "FR": "France Paris", "ES": "Spain Madrid", "SE": "Sweden Stockholm",
        "DK": "Denmark Copenhagen", "FI": "Finland Helsinki", "NL": "Netherlands Amsterdam", "BE": "Belgium Brussels",
        "PL": "Poland Warsaw", "UA": "Ukraine Kyiv", "RU": "Russia Moscow", "BY": "Belarus", "CN": "China Beijing",
        "IR": "Iran Tehran", "KP": "North_Korea", "KR": "South_Korea", "JP": "Japan", "TW": "Taiwan", "IN": "India",
        "IL": "Israel", "TR": "Turkey", "US": "United_States", "GB": "United_Kingdom London", "CA": "Canada",
        "BR": "Brazil", "AU": "Australia", "VN": "Vietnam",
    }.items()
    for name in names.replace("_", " ").split()
}  # fmt: skip
_PLACES |= {
    "North Korea": {"country": "KP"},
    "South Korea": {"country": "KR"},
    "United States": {"country": "US"},
    "United Kingdom": {"country": "GB"},
    "Europe": {"region": "europe"},
    "European Union": {"region": "europe"},
    "Middle East": {"region": "western-asia"},
}


def timestamp(time: datetime) -> str:
    """A moment as STIX writes it, with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def marking(tlp: Tlp) -> Object:
    """The marking definition of a TLP label, as FIRST and OASIS publish it."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKINGS[tlp],
        "created": "2022-10-01T00:00:00.000Z",
        "name": f"TLP:{tlp.value.upper()}",
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp.value}},
    }


def tlp_of(stix_object: Mapping[str, Any]) -> Tlp | None:
    """The strictest TLP label that an object carries, of TLP 2.0 or 1.0; None without one."""
    known = {id: tlp for tlp, id in MARKINGS.items()} | _TLP_1
    references = stix_object.get("object_marking_refs")
    carried = [known[one] for one in references if one in known] if isinstance(references, list) else []
    return max(carried, key=list(Tlp).index, default=None)


def bundle(objects: Iterable[Object]) -> Object:
    """A bundle of these objects, each once."""
    distinct = {stix_object["id"]: stix_object for stix_object in objects}
    id = derived_id("stix-bundle", *sorted(f"{id}{one.get('modified', '')}" for id, one in distinct.items()))
    return {"type": "bundle", "id": f"bundle--{id}", "objects": list(distinct.values())}


def report_objects(
    *,
    title: str,
    text: str,
    time: datetime,
    published: datetime | None = None,
    indicators: Sequence[Indicator] = (),
    entities: Sequence[Entity] = (),
    techniques: Sequence[Technique] = (),
    tlp: Tlp = Tlp.AMBER,
    references: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> list[Object]:
    """A report and all that was found in it: observables awaiting review, none of them an indicator yet."""
    mark = MARKINGS[tlp]
    moment = timestamp(time)
    found: dict[str, Object] = {}
    for indicator in indicators:
        for stix_object in _of_indicator(indicator, moment):
            found.setdefault(stix_object["id"], stix_object)
    for entity in entities:
        named = _of_entity(entity, moment)
        if named is not None:
            found.setdefault(named["id"], named)
    best: dict[str, Technique] = {}
    for technique in techniques:
        known = best.get(technique.technique)
        if known is None or technique.score > known.score:
            best[technique.technique] = technique
    for technique in best.values():
        stix_object = _of_technique(technique, moment)
        found.setdefault(stix_object["id"], stix_object)
    if not found:
        # A report refers to something (section 4.16): if nothing was found, to who looked.
        reader = _reader(moment)
        found[reader["id"]] = reader
    for stix_object in found.values():
        stix_object["object_marking_refs"] = [mark]
    name = (title.strip() or "Report")[:250]
    report: Object = {
        "type": "report",
        "spec_version": "2.1",
        "id": f"report--{derived_id('stix-report', name, text[:10_000])}",
        "created": moment,
        "modified": moment,
        "name": name,
        "description": "What was extracted by machine awaits review.",
        "report_types": ["threat-report"],
        "published": timestamp(published or time),
        "object_refs": sorted(found),
        "object_marking_refs": [mark],
    }
    if labels:
        report["labels"] = list(labels)
    if references:
        report["external_references"] = [{"source_name": "source", "url": url} for url in references]
    return [marking(tlp), report, *found.values()]


def indicator_objects(
    indicators: Iterable[Indicator], *, time: datetime, tlp: Tlp, item: str, title: str, confidence: int
) -> list[Object]:
    """Indicators that a person promoted, each with its observable and their relation."""
    moment = timestamp(time)
    objects: list[Object] = []
    for one in indicators:
        pattern = _pattern(one)
        if pattern is None:
            continue
        observables = _of_indicator(one, moment)[:1]
        id = f"indicator--{derived_id('stix-indicator', item, one.type.value, one.value)}"
        objects.append(
            {
                "type": "indicator",
                "spec_version": "2.1",
                "id": id,
                "created": moment,
                "modified": moment,
                "name": one.value[:250],
                "description": f"From: {title}"[:1_000],
                "indicator_types": ["malicious-activity"],
                "pattern": pattern,
                "pattern_type": "stix",
                "valid_from": moment,
                "confidence": confidence,
                "object_marking_refs": [MARKINGS[tlp]],
            }
        )
        for observable in observables:
            observable["object_marking_refs"] = [MARKINGS[tlp]]
            objects.append(observable)
            objects.append(
                {
                    "type": "relationship",
                    "spec_version": "2.1",
                    "id": f"relationship--{derived_id('stix-based-on', id, observable['id'])}",
                    "created": moment,
                    "modified": moment,
                    "relationship_type": "based-on",
                    "source_ref": id,
                    "target_ref": observable["id"],
                    "object_marking_refs": [MARKINGS[tlp]],
                }
            )
    return objects


def _reader(moment: str) -> Object:
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{derived_id('stix', 'identity', 'impetus cti')}",
        "created": moment,
        "modified": moment,
        "name": "impetus cti",
        "description": "A program. It found nothing in this report.",
        "identity_class": "system",
    }


_HASH_NAMES = {
    IndicatorType.MD5: "MD5",
    IndicatorType.SHA1: "SHA-1",
    IndicatorType.SHA256: "SHA-256",
    IndicatorType.SHA512: "SHA-512",
}


def _of_indicator(one: Indicator, moment: str) -> list[Object]:
    kind, value = one.type, one.value
    found: Object | None = None
    if kind is IndicatorType.URL:
        found = _observable("url", {"value": _address(value)})
    elif kind is IndicatorType.DOMAIN:
        found = _observable("domain-name", {"value": value})
    elif kind in (IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR):
        found = _observable("ipv6-addr" if ":" in value else "ipv4-addr", {"value": value})
    elif kind is IndicatorType.EMAIL:
        found = _observable("email-addr", {"value": value})
    elif kind in _HASH_NAMES:
        found = _observable("file", {"hashes": {_HASH_NAMES[kind]: value}})
    elif kind is IndicatorType.FILE_NAME:
        found = _observable("file", {"name": value})
    elif kind is IndicatorType.REGISTRY_KEY:
        found = _observable("windows-registry-key", {"key": _long_key(value)})
    elif kind is IndicatorType.ASN:
        found = _observable("autonomous-system", {"number": int(value[2:])})
    elif kind in (IndicatorType.BITCOIN, IndicatorType.ETHEREUM):
        found = _observable("user-account", {"account_type": kind.value, "account_login": value})
    elif kind is IndicatorType.PACKAGE:
        found = _observable("software", {"name": value})
    elif kind is IndicatorType.CVE:
        return [_vulnerability(value, moment)]
    if found is None:
        return []
    remarks = warnings(one)
    if remarks:
        note = {
            "type": "note",
            "spec_version": "2.1",
            "id": f"note--{derived_id('stix-note', found['id'], *remarks)}",
            "created": moment,
            "modified": moment,
            "abstract": "Warning list",
            "content": "; ".join(remarks),
            "object_refs": [found["id"]],
        }
        return [found, note]
    return [found]


def _pattern(one: Indicator) -> str | None:
    value = one.value.replace("\\", "\\\\").replace("'", "\\'")
    if one.type in _HASH_NAMES:
        return f"[file:hashes.'{_HASH_NAMES[one.type]}' = '{value}']"
    if one.type is IndicatorType.URL:
        return f"[url:value = '{_address(one.value)}']"
    if one.type is IndicatorType.DOMAIN:
        return f"[domain-name:value = '{value}']"
    if one.type in (IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR):
        return f"[{'ipv6' if ':' in value else 'ipv4'}-addr:value = '{value}']"
    if one.type is IndicatorType.EMAIL:
        return f"[email-addr:value = '{value}']"
    return None


def _of_entity(entity: Entity, moment: str) -> Object | None:
    name = entity.name
    if entity.kind is EntityKind.VULNERABILITY:
        return _vulnerability(name, moment)
    if entity.kind is EntityKind.PRODUCT:
        return _observable("software", {"name": name})
    more: Object
    match entity.kind:
        case EntityKind.MALWARE:
            type, more = "malware", {"is_family": True}
        case EntityKind.ACTOR:
            type, more = "threat-actor", {}
        case EntityKind.TOOL:
            type, more = "tool", {}
        case EntityKind.ORGANISATION:
            type, more = "identity", {"identity_class": "organization"}
        case _:
            if name not in _PLACES:
                return None
            type, more = "location", dict(_PLACES[name])
    return {
        "type": type,
        "spec_version": "2.1",
        "id": f"{type}--{derived_id('stix', type, name.lower())}",
        "created": moment,
        "modified": moment,
        "name": name,
        **more,
    }


def _vulnerability(name: str, moment: str) -> Object:
    found: Object = {
        "type": "vulnerability",
        "spec_version": "2.1",
        "id": f"vulnerability--{derived_id('stix', 'vulnerability', name.lower())}",
        "created": moment,
        "modified": moment,
        "name": name,
    }
    if name.startswith("CVE-"):
        found["external_references"] = [{"source_name": "cve", "external_id": name}]
    return found


def _of_technique(technique: Technique, moment: str) -> Object:
    number = technique.technique
    address = f"https://attack.mitre.org/techniques/{number.replace('.', '/')}"
    found: Object = {
        "type": "attack-pattern",
        "spec_version": "2.1",
        "id": f"attack-pattern--{derived_id('stix', 'attack-pattern', number)}",
        "created": moment,
        "modified": moment,
        "name": technique_names().get(number, number),
        "confidence": round(100 * technique.score),
        "external_references": [{"source_name": "mitre-attack", "external_id": number, "url": address}],
    }
    if technique.suggested:
        found["labels"] = ["suggested"]
    return found


def _observable(type: str, properties: Object) -> Object:
    canonical = json.dumps(properties, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    id = uuid.uuid5(OBSERVABLE_NAMESPACE, canonical)
    return {"type": type, "spec_version": "2.1", "id": f"{type}--{id}", **properties}


def _address(value: str) -> str:
    """As RFC 3986 writes it; what stands without a scheme is taken for HTTP."""
    return quote(value if "://" in value else f"http://{value}", safe=":/?#[]@!$&()*+,;=%~-._")


_SHORT_KEYS = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
}


def _long_key(key: str) -> str:
    head, slash, rest = key.partition("\\")
    return f"{_SHORT_KEYS.get(head, head)}{slash}{rest}"
