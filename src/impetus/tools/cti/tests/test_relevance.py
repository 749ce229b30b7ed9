"""Protects the figures on the planted set, and that no exact mention is ever missed, whatever stands around it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from impetus.tools.cti.lookalikes import distance, looks_like
from impetus.tools.cti.relevance import Matcher, MatchWay
from impetus.tools.cti.tests.planted import EXACT, IRRELEVANT, RELEVANT, WATCH
from impetus.tools.cti.watch import watch_of

MATCHER = Matcher(WATCH)


def test_of_the_twenty_most_relevant_nine_in_ten_are() -> None:
    ranked = sorted(
        [
            (MATCHER.judge(text).score, name, wanted)
            for part, wanted in ((RELEVANT, True), (IRRELEVANT, False))
            for name, text in part
        ],
        key=lambda entry: -entry[0],
    )
    assert sum(wanted for _, _, wanted in ranked[:20]) >= 18, ranked[:24]


def test_no_exact_mention_is_missed() -> None:
    texts = dict(RELEVANT)
    missed = [
        name for name in EXACT if not any(one.way is MatchWay.EXACT for one in MATCHER.judge(texts[name]).matches)
    ]
    assert not missed


@given(st.text(max_size=200), st.text(max_size=200))
def test_an_exact_name_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    """Only letters, digits and what joins words may not touch it: then it is another word."""
    found = MATCHER.judge(f"{before} \n Northeye Systems \n {after}").matches
    assert any(one.item.name == "Northeye Systems" and one.way is MatchWay.EXACT for one in found)


@given(st.text(max_size=400))
def test_any_text_is_judged(text: str) -> None:
    relevance = MATCHER.judge(text)
    assert 0 <= relevance.score <= 1
    assert all(0 <= one.start <= one.end <= len(text) for one in relevance.matches)


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_the_distance_is_symmetric_and_bounded(one: str, other: str) -> None:
    assert distance(one, other, 9) == distance(other, one, 9)
    assert (distance(one, other, 2) <= 2) == (distance(one, other, 9) <= 2)


def test_names_that_look_alike_are_told_from_others() -> None:
    for fake in (
        "аurelia.example",
        "aure1ia.example",
        "aurella.example",
        "aureila.example",
        "login-aurelia.example",
        "aurelia.shop",
    ):
        assert looks_like(fake, "aurelia.example"), fake
    for other in ("aurelia.example", "www.aurelia.example", "aurora.example", "laurel.example", "example.org"):
        assert looks_like(other, "aurelia.example") is None, other


def test_a_watch_is_read_in_both_forms() -> None:
    lists = watch_of({"domains": ["a.example"], "ip_ranges": ["10.0.0.0/8"], "software": [{"name": "X", "version": 3}]})
    entries = watch_of({"watch": [{"kind": "domain", "name": "a.example"}, {"type": "brand", "value": "Brand"}]})
    assert [item.name for item in lists.items] == ["a.example", "10.0.0.0/8", "X 3"]
    assert [item.kind.value for item in entries.items] == ["domain", "brand"]
