"""Protects the reading of files: what is broken is named, and the rest is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.social.files import parse_time, read_lines, read_posts, read_telegram
from impetus.tools.social.sources import Progress, post_of_jetstream


def test_broken_lines_are_named_and_the_others_read() -> None:
    given_lines = read_lines(['{"text": "a b", "id": 1}', "no json", '{"id": 2}', "[]", "", '{"text": "c"}'], "f")
    assert [post.text for post in given_lines.posts] == ["a b", "c"]
    assert len(given_lines.problems) == 3
    assert "line 2" in given_lines.problems[0]


def test_csv_and_telegram(tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text("Text,Author,Time\nhello there,someone,2026-03-02T10:00:00Z\n", "utf-8")
    assert read_posts(table).posts[0].time == parse_time("2026-03-02T10:00:00+00:00")
    export = tmp_path / "result.json"
    messages = [
        {"id": 1, "type": "message", "date_unixtime": "1772445600", "from_id": "channel1", "text": ["see ",
            {"type": "mention", "text": "@someone"}, " there"]},
        {"id": 2, "type": "service", "text": "joined"},
    ]  # fmt: skip
    export.write_text(json.dumps({"name": "c", "messages": messages}), "utf-8")
    (post,) = read_posts(export).posts
    assert post.text == "see  @user  there"
    with pytest.raises(InvalidInput):
        read_telegram({"chats": []}, "x")
    with pytest.raises(InvalidInput):
        read_posts(tmp_path / "missing.jsonl")


def test_nothing_of_a_post_is_in_its_repr() -> None:
    (post,) = read_lines(['{"text": "secret words", "author": "someone", "id": "77"}'], "f").posts
    assert "someone" not in repr(post)
    assert "secret" not in repr(post)
    assert "77" not in repr(post)


@pytest.mark.parametrize("value", ["9" * 400, "-" + "9" * 400, 10**400, float("inf"), float("nan")])
def test_a_time_without_end_is_none(value: object) -> None:
    """It must not keep the reader busy for ever."""
    assert parse_time(value) is None


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.integers())))
def test_any_time_is_read_or_none(value: object) -> None:
    found = parse_time(value)
    assert found is None or found.tzinfo is not None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["kind", "commit", "did", "time_us", "record", "text", "rkey", "operation",
                                         "collection", "langs"]), inner, max_size=6), max_leaves=12))  # fmt: skip
def test_any_frame_is_read_or_set_aside(frame: object) -> None:
    progress = Progress()
    post_of_jetstream(json.dumps(frame), progress)
    assert len(progress.problems) <= 1
