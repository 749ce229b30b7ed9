"""Protects that what is extracted becomes STIX that others read, and that the checks see what is broken."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from impetus.tools.cti.cli import app
from impetus.tools.cti.extraction import extract
from impetus.tools.cti.stix import Tlp, bundle, indicator_objects, report_objects
from impetus.tools.cti.tests.planted import IRRELEVANT, RELEVANT
from impetus.tools.cti.tests.stix_rules import broken_rules

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
EVERYTHING = (
    f"APT28 and LockBit used Mimikatz and Zlorp ransomware from Russia against Equinor in Oslo, North Korea, Europe. "
    f"C2 hxxp://evil[.]com/a b?x='y'\\z, hxxps://[2001:db8::1]:8443/ü, evil(dot)example{{.}}org, 198.51.100[.]7:80, "
    f"2001:db8::2, 10.0.0.0/8, 2001:db8::/32, admin[at]evil[.]com, {SHA256}, {'ab' * 16}, {'cd' * 20}, {'ef' * 64}, "
    f"CVE-2024-1234, AS64500, 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2, 0x52908400098527886E0F7030069857D2E4169EE7, "
    f"HKLM\\Software\\Run\\x, dropper's.exe, npm package left-pad, bit.ly/x, 8.8.8.8, T1486 and T1059.001. "
    f"It creates a scheduled task with schtasks and dumps lsass; FortiOS and Apache Log4j are exploited."
)
TEXTS = [EVERYTHING, "", "nothing at all", *(text for _, text in (*RELEVANT, *IRRELEVANT))]


def bundle_of(text: str, tlp: Tlp = Tlp.GREEN, *, promoted: bool = False) -> dict[str, Any]:
    found = extract(text)
    objects = report_objects(
        title=text[:40], text=text, time=NOW, indicators=found.indicators, entities=found.entities,
        techniques=found.techniques, tlp=tlp, references=["https://feed.example/1"], labels=["leak"],
    )  # fmt: skip
    if promoted:
        objects += indicator_objects(found.indicators, time=NOW, tlp=tlp, item="i", title=text[:40], confidence=80)
    return bundle(objects)


@pytest.mark.parametrize("promoted", [False, True])
def test_every_bundle_keeps_the_rules(promoted: bool) -> None:
    for number, text in enumerate(TEXTS):
        made = bundle_of(text, list(Tlp)[number % len(Tlp)], promoted=promoted)
        assert broken_rules(made) == [], text[:100]


def test_the_text_with_everything_gives_every_type() -> None:
    types = {one["type"] for one in bundle_of(EVERYTHING, promoted=True)["objects"]}
    assert types >= {
        "report", "indicator", "relationship", "note", "malware", "threat-actor", "tool", "location", "vulnerability",
        "attack-pattern", "url", "domain-name", "ipv4-addr", "ipv6-addr", "email-addr", "file", "autonomous-system",
        "user-account", "windows-registry-key", "software", "marking-definition",
    }  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("hxtp:/[].()@'\\ \n-0123456789abcdefCVE-") | st.characters(), max_size=300))
def test_no_text_breaks_the_rules(text: str) -> None:
    assert broken_rules(bundle_of(text, promoted=True)) == []


def test_what_the_command_writes_keeps_the_rules(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(EVERYTHING, encoding="utf-8")
    result = CliRunner().invoke(app, ["extract", str(tmp_path / "report.txt")])
    assert result.exit_code == 0, result.output
    assert broken_rules(json.loads(result.stdout)) == []


def test_the_checks_see_what_is_broken() -> None:
    sound = bundle_of(EVERYTHING, promoted=True)

    def spoilt(type: str, **changes: Any) -> list[str]:
        made = copy.deepcopy(sound)
        next(one for one in made["objects"] if one["type"] == type).update(changes)
        return broken_rules(made)

    assert broken_rules(sound) == []
    assert spoilt("indicator", pattern="[url:value = ]")
    assert spoilt("report", object_refs=["malware--00000000-0000-4000-8000-000000000000"])
    assert spoilt("url", value="http://another.example/")
    assert spoilt("malware", unheard_of=1)
    assert spoilt("relationship", relationship_type="based-on", target_ref=sound["objects"][1]["id"])
    assert spoilt("vulnerability", modified="2020-01-01T00:00:00.000Z")
    assert spoilt("note", object_marking_refs=[])
