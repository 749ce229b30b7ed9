"""Names in a report: malware, actors, tools, vulnerabilities, products, organisations, places.

A gazetteer of well-known names, and the patterns in which reports introduce new ones ("ransomware called X").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class EntityKind(StrEnum):
    """What a name names."""

    MALWARE = "malware"
    ACTOR = "actor"
    TOOL = "tool"
    VULNERABILITY = "vulnerability"
    PRODUCT = "product"
    ORGANISATION = "organisation"
    PLACE = "place"


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """One name at one place of the text."""

    start: int
    end: int
    kind: EntityKind
    name: str


_NAME = r"(?P<name>[A-Z][A-Za-z0-9]+(?:[- ][A-Z0-9][A-Za-z0-9]*){0,2})"
_INTRODUCED = (
    (
        EntityKind.MALWARE,
        re.compile(
            rf"\b(?:malware|ransomware|trojan|backdoor|botnet|spyware|stealer"
            rf"|worm|wiper|loader|rootkit)(?: family)?,? "
            rf"(?:called|named|dubbed|known as|tracked as|detected as|chiamat[oa]|kalt) [\"“']?{_NAME}"
        ),
    ),
    (
        EntityKind.MALWARE,
        re.compile(
            rf"\b{_NAME} (?:ransomware|malware|trojan|backdoor|botnet|spyware|infostealer|stealer|wiper|rootkit)\b"
        ),
    ),
    (
        EntityKind.ACTOR,
        re.compile(
            rf"\b(?:threat actor|group|gang|hackers|hacktivists|gruppo|gruppen)"
            rf"(?: (?:called|named|dubbed|known as|tracked as))? [\"“']?{_NAME}"
        ),
    ),
    (EntityKind.ACTOR, re.compile(r"\b(?P<name>(?:APT|FIN|TA|UNC|UAC|TEMP|DEV|Storm)-?\d{1,5})\b")),
    (EntityKind.VULNERABILITY, re.compile(r"\b(?P<name>CVE-(?:19|20)\d\d-\d{4,7})\b", re.IGNORECASE)),
    (
        EntityKind.VULNERABILITY,
        re.compile(
            r"\b(?P<name>Heartbleed|Shellshock|EternalBlue|BlueKeep|Zerologon|PrintNightmare|"
            r"ProxyLogon|ProxyShell|Log4Shell|Spring4Shell|Follina|Citrix Bleed|Dirty COW|Regresshion|MS17-010)\b"
        ),
    ),
)
_NO_NAME = frozenset(
    [
        "The",
        "This",
        "That",
        "These",
        "New",
        "Android",
        "Windows",
        "Linux",
        "Mac",
        "Mobile",
        "Banking",
        "Remote",
        "Malicious",
        "Such",
        "Some",
        "Many",
        "Most",
        "Our",
        "Their",
        "Its",
        "Once",
        "In",
        "On",
        "An",
        "Recent",
        "Known",
        "Unknown",
        "Other",
        "Another",
        "Advanced",
        "And",
        "Or",
        "Of",
        "As",
        "When",
        "While",
        "After",
        "Before",
        "Security",
        "Threat",
        "Ransomware",
        "Malware",
        "Trojan",
        "Backdoor",
        "Russian",
        "Chinese",
        "Iranian",
        "Korean",
        "Custom",
        "Same",
        "First",
        "Second",
    ]
)


@cache
def _gazetteer() -> tuple[Mapping[str, EntityKind], re.Pattern[str]]:
    content = tomllib.loads(files("impetus.tools.cti").joinpath("data/entities.toml").read_text(encoding="utf-8"))
    kinds = {name: EntityKind(kind) for kind, table in content.items() for name in table["names"]}
    longest_first = sorted(kinds, key=len, reverse=True)
    return kinds, re.compile(r"(?<![\w@./-])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w@]|[.-]\w)")


def find_entities(text: str) -> list[Entity]:
    """All names of a text in the order in which they stand, none inside another.

    >>> [(one.kind.value, one.name) for one in find_entities("APT29 used Cobalt Strike and a backdoor called Grimly.")]
    [('actor', 'APT29'), ('tool', 'Cobalt Strike'), ('malware', 'Grimly')]
    """
    kinds, pattern = _gazetteer()
    found: list[Entity] = []
    covered = bytearray(len(text))

    def take(start: int, end: int, kind: EntityKind, name: str) -> None:
        if not any(covered[start:end]):
            covered[start:end] = b"\1" * (end - start)
            found.append(Entity(start, end, kind, name))

    for match in pattern.finditer(text):
        take(match.start(), match.end(), kinds[match.group()], match.group())
    for kind, introduced in _INTRODUCED:
        for match in introduced.finditer(text):
            name = match.group("name")
            words = name.split()
            if words[0] in _NO_NAME or len(name) < 3:
                continue
            take(
                match.start("name"), match.end("name"), kind, name.upper() if name.lower().startswith("cve-") else name
            )
    return sorted(found)
