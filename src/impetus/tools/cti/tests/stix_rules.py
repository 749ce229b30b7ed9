"""What STIX 2.1 asks of a bundle, checked without the validator of OASIS, whose package comes without its schemas.

Three checks together: the `stix2` library of OASIS reads each object strictly (properties, types, vocabularies that are
closed, patterns by their grammar); the identifiers of cyber-observables are worked out anew as section 2.9 has it; and
what spans objects (references, markings, times, relationships) is looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest

stix2 = pytest.importorskip("stix2", reason="the library stix2 is not installed")

_ID = re.compile(r"^[a-z][a-z0-9-]*[a-z0-9]--[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
_TIMES = ("created", "modified", "published", "valid_from")
OBSERVABLES = frozenset(
    ("autonomous-system", "domain-name", "email-addr", "file", "ipv4-addr", "ipv6-addr", "software", "url",
     "user-account", "windows-registry-key")
)  # fmt: skip
RELATIONSHIPS = {"based-on": ("indicator", OBSERVABLES)}
"""Those that this tool writes, with the types that section 4.7 allows at their ends."""
HASH_LENGTHS = {"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128}


def broken_rules(bundle: Mapping[str, Any]) -> list[str]:
    """What is wrong with a bundle; nothing, if nothing is."""
    found: list[str] = []
    objects: Sequence[Mapping[str, Any]] = bundle["objects"]
    ids = [one["id"] for one in objects]
    if not _ID.match(bundle["id"]) or bundle["type"] != "bundle":
        found.append(f"the bundle's identifier {bundle['id']!r}")
    found += [f"{id} is there twice" for id in set(ids) if ids.count(id) > 1]
    try:
        stix2.parse(dict(bundle), allow_custom=False)
    except Exception as error:  # the library raises many kinds
        found.append(f"stix2: {type(error).__name__}: {error}"[:300])
    for one in objects:
        found += [f"{one['id']}: {problem}" for problem in _of_object(one, frozenset(ids))]
    return found


def _of_object(one: Mapping[str, Any], ids: frozenset[str]) -> list[str]:
    found = []
    if not _ID.match(one["id"]) or not one["id"].startswith(f"{one['type']}--"):
        found.append("its identifier")
    if one.get("spec_version") != "2.1":
        found.append("its version")
    found += [f"{name} {one[name]!r}" for name in _TIMES if name in one and not _TIME.match(one[name])]
    if "modified" in one and _moment(one["modified"]) < _moment(one["created"]):
        found.append("modified before it was created")
    references = [*one.get("object_refs", ()), *one.get("object_marking_refs", ())]
    references += [one[name] for name in ("source_ref", "target_ref") if name in one]
    found += [f"it refers to {id}, which is not there" for id in references if id not in ids]
    if one["type"] != "marking-definition" and not one.get("object_marking_refs"):
        found.append("it carries no marking")
    if one["type"] == "relationship":
        source, targets = RELATIONSHIPS[one["relationship_type"]]
        if not one["source_ref"].startswith(f"{source}--") or one["target_ref"].partition("--")[0] not in targets:
            found.append("its ends")
    if one["type"] in OBSERVABLES:
        if "created" in one or "modified" in one:
            found.append("an observable has no times")
        bare = {name: value for name, value in one.items() if name not in ("id", "object_marking_refs")}
        if stix2.parse(bare).id != one["id"]:
            found.append("its identifier is not the one of section 2.9")
        for name, value in one.get("hashes", {}).items():
            if not re.fullmatch(rf"[0-9a-fA-F]{{{HASH_LENGTHS[name]}}}", value):
                found.append(f"{name} {value!r}")
    if not 0 <= one.get("confidence", 0) <= 100:
        found.append("its confidence")
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
