"""Protects: a cursor from outside is either one of ours or refused in plain words."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.store.paging import read_cursor, write_cursor


@given(
    key=st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9),
    id=st.text(st.characters(exclude_characters="\0"), max_size=100),
)
def test_a_cursor_says_exactly_where_the_page_ended(key: float, id: str) -> None:
    assert read_cursor("harm", write_cursor("harm", key, id)) == (key, id)


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        read_cursor("harm", text)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        ["harm"],
        ["time", 1, "x"],
        ["harm", True, "x"],
        ["harm", "1", "x"],
        ["harm", 1e308, "x"],
        ["harm", float("nan"), "x"],
        ["harm", 1, 2],
        ["harm", 10**400, "x"],
        ["harm", 1, "\0"],
        {"harm": 1},
        "harm",
        ["harm", 1, "x", "y"],
    ],
)
def test_forged_cursors_are_refused(parts: object) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
    with pytest.raises(InvalidInput):
        read_cursor("harm", cursor)
