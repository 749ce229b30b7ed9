"""Protects the door: no trick hides words, no markup survives, and nobody's handle gets through."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.tools.social.plain_text import TEXT_LIMIT, masked, plain, readable

HANDLES = re.compile(r"@(?!user\b|mail\b)\w")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("at\u200bta\u2060ck the \u202estation", "attack the station"),
        ("\U0001d41a\U0001d42d\U0001d42d\U0001d41a\U0001d41c\U0001d424", "attack"),
        ("k\u0456ll th\u0435m \u0430ll", "kill them all"),
        ("a\u0301\u0301\u0301\u0301\u0301\u0301ttack", None),
        ("<script>steal()</script><b>Fire</b> at <i>5</i>", "Fire at 5"),
        ("&lt;img src=x onerror=alert(1)&gt;fire", "fire"),
        ("noooooooo!!!!!!", "nooo!!!"),
    ],
)
def test_tricks_are_undone(raw: str, expected: str | None) -> None:
    found = plain(raw)
    if expected is None:
        assert len(found) < len(raw)
    else:
        assert found == expected


@pytest.mark.parametrize(
    "raw",
    [
        "hello @some_one",
        "hello @some.one@server.example!",
        "see https://t.me/some_one/12 and bsky.app/profile/some.one",
        "write to some.one@mail.example",
        "RT @Some_One: x",
        "https://server.example/@some_one/1",
        "did:plc:abcdefghijklmnop",
        "\uff20some_one",
        "@\u200bsome_one",
        "<a href='https://server.example/@some_one'>@<span>some_one</span></a>",
        "%40some_one https%3A//server.example/%40some_one",
    ],
)
def test_nobody_is_named(raw: str) -> None:
    found = readable(raw).lower()
    assert "some_one" not in found
    assert "some.one" not in found
    assert "abcdefghijklmnop" not in found
    assert not HANDLES.search(found)


def test_a_long_post_is_cut() -> None:
    assert len(readable("fire " * 300_000)) <= TEXT_LIMIT


@given(st.text(max_size=400))
def test_any_text_becomes_plain_text(raw: str) -> None:
    found = readable(raw)
    assert len(found) <= max(len(raw) * 20, 20)
    assert "\u200b" not in found
    assert masked(found) == masked(masked(found))


@given(st.text(alphabet="<>/abscript &;#x@.", max_size=300))
def test_markup_in_pieces_leaves_no_script(raw: str) -> None:
    assert "<script>" not in plain(raw).lower()
