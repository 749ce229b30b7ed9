"""Protects bursts of topics, what becomes of them, and that no small group can be told apart in how they spread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from impetus.tools.social.events import ANONYMOUS, Tracker
from impetus.tools.social.gazetteer import Gazetteer, NamedPlace
from impetus.tools.social.posts import Post
from impetus.tools.social.spread import Spread, network
from impetus.tools.social.topic_map import TopicMap
from impetus.tools.social.topics import TopicWatch, topic_bursts

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 3
WORDS = [f"word{chr(97 + one // 26)}{chr(97 + one % 26)}" for one in range(400)]


def post(number: int, minutes: float, text: str, author: str = "", **more: Any) -> Post:
    time = BEGIN + timedelta(minutes=minutes)
    return Post(f"p{number}", more.get("source", "s"), author or f"a{number}", time, text, more.get("language", "en"))


def ordinary(posts: int = 3_000) -> list[Post]:
    """Three days of posts of six words, each word as frequent as Zipf has it."""
    random = np.random.default_rng(0)
    shares = 1.0 / np.arange(1, len(WORDS) + 1)
    chosen = random.choice(len(WORDS), (posts, 6), p=shares / shares.sum())
    moments = np.sort(random.uniform(0, DAYS * 1_440, posts))
    return [
        post(number, float(minutes), " ".join(WORDS[one] for one in row))
        for number, (minutes, row) in enumerate(zip(moments, chosen, strict=True))
    ]


def blast(voices: int, author: str = "") -> list[Post]:
    return [
        post(10_000 + number, 2_880 + 2 * number, f"explosion heard near the harbour {WORDS[number]}", author)
        for number in range(voices)
    ]


def test_a_topic_bursts_that_the_sum_of_posts_does_not_show_and_ordinary_days_are_quiet() -> None:
    assert not list(topic_bursts(ordinary()))
    found = list(topic_bursts(sorted([*ordinary(), *blast(12)], key=lambda one: one.time)))
    assert len(found) == 1
    assert "explosion" in found[0].words
    assert found[0].burst.found - blast(1)[0].time.timestamp() <= 1_800


def test_one_voice_is_no_burst() -> None:
    assert not list(topic_bursts(sorted([*ordinary(), *blast(12, "one")], key=lambda one: one.time)))


def test_nothing_bursts_before_a_day_is_known() -> None:
    assert not list(topic_bursts([post(number, number, "the same words again") for number in range(200)]))


def test_a_deleted_post_counts_no_more() -> None:
    watch = TopicWatch()
    for one in ordinary():
        if one.time < BEGIN + timedelta(minutes=2_879):
            watch.add(one)
    posts = blast(12)
    found = []
    for one in posts:
        found.append(watch.add(one))
        watch.forget(one.id)
    assert not any(found)
    assert not {one.id for one in watch.recent(0.0)} & {one.id for one in posts}


def test_a_burst_becomes_one_event_that_goes_on_and_loses_deleted_posts() -> None:
    tracker = Tracker("i", Gazetteer([NamedPlace("Harbour", 10.0, 43.0)]))
    watch = TopicWatch()
    posts = sorted([*ordinary(), *blast(12)], key=lambda one: one.time)
    events = []
    for one in posts:
        burst = watch.add(one)
        if burst is not None:
            events.append(tracker.burst(burst.burst, burst.words, burst.posts))
    (event,) = events
    assert event.place is not None
    assert event.place.name == "Harbour"
    assert "explosion" in event.title
    assert 0.0 < event.confidence < 0.5
    texts = len(event.texts)
    assert tracker.forget(event.texts[0][3]) is event
    assert len(event.texts) == texts - 1


def test_groups_of_fewer_than_five_voices_are_not_in_the_network() -> None:
    spread = Spread()
    for number in range(ANONYMOUS):
        spread.add("event", post(number, number, "x", source="first"))
        spread.add("event", post(100 + number, 60 + number, "x", source="second", language="it"))
    for number in range(ANONYMOUS - 1):
        spread.add("event", post(200 + number, 30 + number, "x", source="small"))
        spread.add("event", post(300 + number, 30 + number, "x", "one", source="loud"))
    drawn: Any = network([spread], {"event": "Something"})
    names = [node["name"] for node in drawn["nodes"]]
    assert names == ["Something", "first · en (5)", "second · it (5)"]
    assert [(edge["source"], edge["target"]) for edge in drawn["edges"]] == [
        ("event", "group first · en"),
        ("group first · en", "group second · it"),
    ]
    spread.keep(())
    assert network([spread], {"event": "Something"}) == {"nodes": [], "edges": []}


def test_the_map_is_the_same_for_the_same_examples_and_puts_like_beside_like() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 16)).astype(np.float32)
    vectors[:30, 0] += 9.0
    topic_map = TopicMap.of(vectors)
    first, second, other = (topic_map.place(vectors[one]) for one in (0, 1, 59))
    assert topic_map.place(vectors[0]) == TopicMap.of(vectors).place(vectors[0]) == first
    assert abs(first[0] - second[0]) < abs(first[0] - other[0])
