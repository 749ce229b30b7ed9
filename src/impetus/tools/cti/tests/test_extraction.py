"""Protects what is read out of reports: defanged, wrapped and in tables; nothing hostile brings it down."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.cti.documents import read_document
from impetus.tools.cti.entities import find_entities
from impetus.tools.cti.extraction import extract
from impetus.tools.cti.html_text import html_to_text
from impetus.tools.cti.indicators import find_indicators
from impetus.tools.cti.items import read_feed, read_posts
from impetus.tools.cti.masking import masked
from impetus.tools.cti.misp import event_of, item_of_event
from impetus.tools.cti.refanging import refang
from impetus.tools.cti.sentences import sentences
from impetus.tools.cti.stix import MARKINGS, Tlp, bundle, report_objects, tlp_of
from impetus.tools.cti.techniques import load_classifier

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
HOSTILE = st.text(st.sampled_from("hxtp:/[].()@ \n\\-0123456789abcfCVE") | st.characters(), max_size=300)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hxxps://evil[.]example[.]com/a?b=1.", [("url", "https://evil.example.com/a?b=1")]),
        ("hxxp : //apple-icloud [ . ] qwe-japan [ . ] com", [("url", "http://apple-icloud.qwe-japan.com")]),
        ("evil(dot)example{.}org, 198[.]51[.]100[.]7:80", [("domain", "evil.example.org"), ("ipv4", "198.51.100.7")]),
        ("admin[at]evil[.]com", [("email", "admin@evil.com")]),
        (f"| {SHA256} | x |", [("sha256", SHA256)]),
        (f"{SHA256[:36]}\n{SHA256[36:]}", [("sha256", SHA256)]),
        ("2001:db8::1 at 12:30:45", [("ipv6", "2001:db8::1")]),
        ("range 10.0.0.0/8", [("cidr", "10.0.0.0/8")]),
        ("CVE\u20112021\u201144228", [("cve", "CVE-2021-44228")]),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", [("bitcoin", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")]),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", []),
        ("(http://evil.com/a_(b))", [("url", "http://evil.com/a_(b)")]),
        ("com.example.mobile.app, ASP.NET, v1.2.3.4, libfoo.so, e.g. this, Trojan.Win32.Agent.ao", []),
        ("the end.The next", []),
    ],
)  # fmt: skip
def test_indicators(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.type.value, one.value) for one in find_indicators(text)] == expected


@given(HOSTILE)
def test_spans_lie_in_the_text_and_apart(text: str) -> None:
    found = find_indicators(text, named=True)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@given(HOSTILE)
def test_what_was_not_defanged_keeps_its_place(text: str) -> None:
    refanged = refang(text)
    for found in re.finditer(r"\w+", refanged.text):
        start, end = refanged.span(found.start(), found.end())
        if not refanged.changed(found.start(), found.end()):
            assert text[start:end] == found.group()


@given(HOSTILE)
def test_sentences_cover_all_words(text: str) -> None:
    kept = "".join(text[start:end] for start, end in sentences(text))
    assert re.sub(r"\W", "", kept) == re.sub(r"\W", "", text)


@given(st.binary(max_size=400) | st.text(st.sampled_from("<>/='\"!-[]abitem &;"), max_size=300).map(str.encode))
def test_no_feed_or_page_breaks_a_parser(data: bytes) -> None:
    for read in (read_feed, read_posts):
        with contextlib.suppress(InvalidInput):
            read(data, "fuzz")
    html_to_text(data.decode("utf-8", "replace"))


def test_a_feed_with_entities_is_refused() -> None:
    bomb = b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>"
    bomb += b"<rss><channel><item><title>&b;</title></item></channel></rss>"
    with pytest.raises(InvalidInput):
        read_feed(bomb, "bomb")


def test_archives_programs_and_broken_pdf_are_refused() -> None:
    for data in (b"PK\x03\x04aaaa", b"\x1f\x8b\x08", b"MZ\x90", b"%PDF-1.7 broken", b"\x00\x01\x02\x03"):
        with pytest.raises(InvalidInput):
            read_document(data, name="hostile")


def test_a_page_is_read_without_its_scripts() -> None:
    page = b"<html><title>T</title><script>var a='hidden.example.com'</script><p>C2: evil[.]com</p></html>"
    document = read_document(page, name="page")
    assert (document.title, document.text) == ("T", "C2: evil[.]com")


def test_sentences_of_lines_and_of_wrapped_text() -> None:
    lines = "dumps lsass\nuses cmd.exe to run\nand a third that is quite a bit longer than these"
    assert len(list(sentences(lines))) == 3
    wrapped = "The malware creates a scheduled task that runs every hour and then\n"
    wrapped += "connects to its server over HTTP to fetch the next stage which is\nwritten to disk."
    assert len(list(sentences(wrapped))) == 1


def test_techniques_are_found_with_their_sentence() -> None:
    text = "The malware creates a scheduled task with schtasks. It uses T1486 too."
    found = load_classifier().find(text)
    assert [one.technique for one in found] == ["T1053.005", "T1486"]
    assert text[found[0].start : found[0].end] == "The malware creates a scheduled task with schtasks."


def test_new_names_are_found_where_they_are_introduced() -> None:
    found = {
        (one.kind.value, one.name) for one in find_entities("APT28 spread Zlorp ransomware; CVE-2024-1234 in FortiOS.")
    }
    assert found >= {
        ("actor", "APT28"),
        ("malware", "Zlorp"),
        ("vulnerability", "CVE-2024-1234"),
        ("product", "FortiOS"),
    }


def test_a_report_becomes_the_same_bundle_again_and_a_misp_event_that_pymisp_reads() -> None:
    text = f"APT28 used Mimikatz. C2 hxxp://evil[.]com/a, 198.51.100[.]7, {SHA256}. CVE-2024-1234. bit.ly/x"
    found = extract(text)
    objects = report_objects(
        title="R", text=text, time=datetime(2026, 3, 2, tzinfo=UTC),
        indicators=found.indicators, entities=found.entities, techniques=found.techniques, tlp=Tlp.GREEN,
    )  # fmt: skip
    written = bundle(objects)
    assert written == bundle(objects)
    assert not any(one["type"] == "indicator" for one in objects), "nothing is an indicator without a person"
    report = next(one for one in objects if one["type"] == "report")
    assert set(report["object_refs"]) <= {one["id"] for one in objects}
    assert all(tlp_of(one) is Tlp.GREEN for one in objects if one["id"] not in MARKINGS.values())

    event = event_of(written)
    pymisp = pytest.importorskip("pymisp")
    read = pymisp.MISPEvent()
    read.load(json.dumps(event))
    assert read.info == "R"
    again, tlp = item_of_event(json.loads(read.to_json()), "event")
    assert tlp is Tlp.GREEN
    values = {one.value for one in find_indicators(again.text)}
    assert {"http://evil.com/a", "198.51.100.7", SHA256, "CVE-2024-1234"} <= values


def test_secrets_and_people_are_masked() -> None:
    text = masked("rosa.verdi@city.example:Winter26! token=abcdef +47 912 34 567")
    assert "Winter26" not in text
    assert "rosa" not in text
    assert "abcdef" not in text
    assert "912" not in text
