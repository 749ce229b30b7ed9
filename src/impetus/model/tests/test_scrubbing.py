"""Protects: identifiers of persons do not survive in free text, however they are written, and the rest does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model.scrubbing import scrub, scrub_json, scrub_word

RAW = (
    "Mario Rossi", "ROSSI, Mario", "GIULIA FERRARI", "Ola Nordmann", "Herr Zyx", "a man named Wvut Qrst",
    "Sig.ra Tuvwx",
    "m.rossi@example.it", "ola (at) mail (dot) no", "@m_rossi77", "+39 347 123 4567", "0047 912 34 567", "412 34 567",
    "91 23 45 67", "91234567", "347 1234567", "06 12345678", "AB 123 CD", "EF12345", "AB-123-CD", "M-AB 1234",
    "15058012345", "RSSMRA80A01H501U", "IT60 X054 2811 1010 0000 0123 456", "AA:BB:CC:DD:EE:FF", "490154203237518",
)  # fmt: skip
"""What must not leave, as people and machines write it."""
KEPT = (
    "Crowd at Piazza Duomo: 12345678 readings in 24.5 s",
    "PM10 at 12.5 ug/m3, CO2 1200 ppm, wind 3.4 m/s from 270 degrees",
    "2026-11-21 07:30:00 to 2026-11-21 08:00:00",
    "45.4642, 9.1900; radius 250 m; score 0.998",
    "Traffic flow on mast 7 is 1200 1/h instead of 300 1/h",
    "The plume passes the station at 12:40",
)


@pytest.mark.parametrize("raw", RAW)
def test_an_identifier_is_taken_out(raw: str) -> None:
    for text in (f"Seen: {raw}.", f"{raw} ran away", f"x\n{raw}\ny", f"({raw})"):
        assert raw not in scrub(text), scrub(text)


@given(st.sampled_from(RAW), st.data())
def test_nothing_invisible_hides_an_identifier(raw: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(raw) - 1))
    hidden = raw[:place] + data.draw(st.sampled_from("\u200b\u200d\u2060\ufeff\u202e\u00ad")) + raw[place:]
    assert raw not in scrub(f"about {hidden} here")
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter.isdigit() else letter for letter in raw)
    assert raw not in scrub(f"about {wide} here")


@pytest.mark.parametrize("text", KEPT)
def test_what_is_about_the_city_stays(text: str) -> None:
    assert scrub(text) == text


@given(st.text(max_size=300))
def test_any_text_is_taken_and_done_twice_changes_nothing(text: str) -> None:
    once = scrub(text)
    assert scrub(once) == once or "[" in once


def test_json_keeps_identifiers_and_names_of_members() -> None:
    value = {"id": "m.rossi@example.it", "headline": "Mario Rossi fled", "n": 3, "more": ["call 91234567 now", None]}
    assert scrub_json(value) == {
        "id": "m.rossi@example.it", "headline": "[name] fled", "n": 3, "more": ["call [phone] now", None]
    }  # fmt: skip
    assert scrub_word("0193f0aa-1b2c-7def-8abc-0123456789ab") == "0193f0aa-1b2c-7def-8abc-0123456789ab"
    assert scrub_word("+4791234567") == "[phone]"
