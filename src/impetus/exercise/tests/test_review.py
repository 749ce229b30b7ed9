"""Protects the review: what it calls detected, late, missed, false, right and wrong follows from what is kept alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from impetus.exercise.desk import Entry, EntryKind
from impetus.exercise.kept import Kept
from impetus.exercise.outcomes import Outcome, Review
from impetus.exercise.review import review
from impetus.exercise.scenario import Scenario
from impetus.model import (
    AlertAction,
    AlertState,
    Assessment,
    Severity,
    Status,
    SubjectKind,
    ToolResult,
)
from impetus.situation.tests.house import an_alert
from impetus.store.records import AlertRecord

START = datetime(2026, 9, 12, 14, 30, tzinfo=UTC)


def scenario(**changes: object) -> Scenario:
    return Scenario.model_validate(
        {
            "format": 1,
            "id": "small",
            "title": "A small one",
            "summary": "For tests.",
            "minutes": 20,
            "start": START,
            "place": "Market Square",
            "organisations": [{"id": "municipality", "name": "City"}],
            "injects": [
                {"id": "posts", "at": 10, "kind": "posts", "title": "Posts", "file": "posts.jsonl"},
                {"id": "crowd", "at": 60, "kind": "readings", "title": "A crowd", "event": "crowd-surge",
                 "site": "Market Square", "minutes": 5, "hint": "Look at the square."},
                {"id": "film", "at": 120, "kind": "video", "title": "A gun", "camera": "camera-2",
                 "scene": "firearm", "minutes": 0.5},
            ],
            "truths": [
                {"id": "call", "title": "A call", "inject": "posts", "tool": "social", "results": ["event"],
                 "sources": ["knives"], "within": 120},
                {"id": "crowd-found", "title": "A crowd", "inject": "crowd", "tool": "anomaly", "within": 60},
                {"id": "gun-found", "title": "A gun", "inject": "film", "tool": "firearm", "within": 60,
                 "limit": "Its model finds a quarter."},
            ],
            "objectives": [
                {"id": "take", "title": "Take it on", "kind": "acknowledge", "truth": "crowd-found", "by": 120},
            ],
            **changes,
        }
    )  # fmt: skip


def at(elapsed_s: float) -> datetime:
    return START + timedelta(seconds=elapsed_s)


def entry(kind: EntryKind, title: str, elapsed_s: float, **more: object) -> Entry:
    return Entry.model_validate(
        {"run": "run", "kind": kind, "time": at(elapsed_s), "elapsed_s": elapsed_s, "title": title, **more}
    )


JOURNAL = (
    entry(EntryKind.STARTED, "A small one", 0),
    entry(EntryKind.INJECT, "Posts", 10, inject="posts", inject_kind="posts"),
    entry(
        EntryKind.INJECT, "A crowd", 60, inject="crowd", inject_kind="readings", sources=("people-market-square",),
        hint="Look at the square.",
    ),
    entry(EntryKind.INJECT, "A gun", 120, inject="film", inject_kind="video", sources=("camera-2",)),
    entry(EntryKind.ENDED, "the scenario is over", 1_200),
)  # fmt: skip


def record(id: str, elapsed_s: float, **changes: object) -> AlertRecord:
    alert = an_alert(**{"id": id, "source": "people-market-square", "severity": Severity.MODERATE, **changes})
    moment = at(elapsed_s)
    return AlertRecord(
        alert=alert, tenant="municipality", state=AlertState.NEW, version=1, received=moment, updated=moment, harm=1.0
    )


def decided(alert: str, elapsed_s: float, action: AlertAction, state: AlertState) -> Assessment:
    return Assessment(
        tenant="municipality",
        subject_kind=SubjectKind.ALERT,
        subject=alert,
        action=action,
        person="p",
        person_name="Olivia",
        decided=at(elapsed_s),
        state_before="new",
        state_after=state.value,
        version=2,
    )


def event(text: str, elapsed_s: float) -> tuple[datetime, ToolResult]:
    content: dict[str, JsonValue] = {"examples": [{"text": text}]}
    return at(elapsed_s), ToolResult(
        id=f"e-{elapsed_s}", tool="social", kind="event", title="Call", time=START, content=content
    )


def told(
    alerts: Sequence[AlertRecord] = (),
    decisions: Sequence[Assessment] = (),
    results: Sequence[tuple[datetime, ToolResult]] = (),
    journal: Sequence[Entry] = JOURNAL,
) -> Review:
    return review(scenario(), journal, Kept(alerts, decisions, (), (), (), results))


def outcomes(one: Review) -> dict[str, Outcome]:
    return {truth.id: truth.outcome for truth in one.truths}


def test_nothing_kept_is_all_missed_and_says_what_is_known_of_it() -> None:
    one = told()
    assert set(outcomes(one).values()) == {Outcome.MISSED}
    assert {truth.id: truth.reason for truth in one.truths}["gun-found"] == "Its model finds a quarter."
    assert one.score.total == 0  # who does nothing gets nothing


@pytest.mark.parametrize(("elapsed_s", "outcome"), [(90, Outcome.FOUND), (150, Outcome.LATE), (190, Outcome.MISSED)])
def test_an_alert_about_the_place_counts_in_its_time(elapsed_s: float, outcome: Outcome) -> None:
    assert outcomes(told([record("a", elapsed_s)]))["crowd-found"] is outcome


def test_an_alert_about_something_else_is_no_detection_but_a_false_one() -> None:
    elsewhere = record("a", 90, source="traffic-9", headline="Slow", place=None)
    one = told([elsewhere])
    assert outcomes(one)["crowd-found"] is Outcome.MISSED
    assert [alert.id for alert in one.unexplained] == ["a"]


def test_a_part_that_is_down_hides_no_other_explanation_and_explains_no_noise() -> None:
    down = {"id": "down", "at": 30, "kind": "part", "title": "Down", "part": "connector:mqtt", "minutes": 5}
    before = scenario()
    played = Scenario.model_validate(
        {**before.model_dump(), "injects": [before.injects[0].model_dump(), down, *before.model_dump()["injects"][1:]]}
    )
    journal = [*JOURNAL[:2], entry(EntryKind.INJECT, "Down", 30, inject="down", inject_kind="part"), *JOURNAL[2:]]
    elsewhere = {"source": "traffic-9", "headline": "Slow", "place": None}
    alerts = [
        record("crowd", 200),
        record("silent", 90, detector="silence", **elsewhere),
        record("noise", 90, **elsewhere),
    ]
    one = review(played, journal, Kept(alerts, (), (), (), ()))
    assert [alert.id for alert in one.unexplained] == ["noise"]


def test_many_silent_sensors_are_noticed_by_one_alert_on_the_network() -> None:
    cut = {"id": "cut", "at": 60, "kind": "link", "title": "Cut", "sites": ["Market Square"], "minutes": 5}
    silent = {"id": "silent", "title": "Silent", "inject": "cut", "tool": "anomaly", "detectors": ["silence"]}
    played = scenario(injects=[cut], truths=[{**silent, "within": 120}], objectives=[])
    journal = [
        JOURNAL[0],
        entry(EntryKind.INJECT, "Cut", 60, inject="cut", inject_kind="link", sources=("Market Square",)),
        JOURNAL[-1],
    ]
    alert = record("a", 100, detector="silence", source="network", headline="18 sensors report nothing", place=None)
    one = review(played, journal, Kept([alert], (), (), (), ()))
    assert outcomes(one)["silent"] is Outcome.FOUND
    other = record("b", 100, detector="level", source="network", headline="High", place=None)
    assert outcomes(review(played, journal, Kept([other], (), (), (), ())))["silent"] is Outcome.MISSED


def test_what_a_tool_asks_a_person_counts_only_where_it_is_about_what_was_planted() -> None:
    assert outcomes(told(results=[event("Lunch at the harbour", 40)]))["call"] is Outcome.MISSED
    one = told(results=[event("Lunch", 20), event("Bring knives", 60)])
    assert {truth.id: truth.delay_s for truth in one.truths}["call"] == 50
    assert outcomes(told(results=[event("Bring knives", 200)]))["call"] is Outcome.LATE
    assert outcomes(told(results=[event("Bring knives", 5)]))["call"] is Outcome.MISSED  # before it was planted


def test_decisions_are_timed_and_judged_against_the_truth() -> None:
    alerts = [record("crowd", 80), record("false", 100, source="traffic-9", headline="Slow", place=None)]
    decisions = [
        decided("crowd", 110, AlertAction.ACKNOWLEDGE, AlertState.ACKNOWLEDGED),
        decided("crowd", 140, AlertAction.CONFIRM, AlertState.CONFIRMED),
        decided("false", 150, AlertAction.CONFIRM, AlertState.CONFIRMED),
    ]
    one = told(alerts, decisions)
    [crowd] = [truth for truth in one.truths if truth.id == "crowd-found"]
    assert (crowd.delay_s, crowd.acknowledged_s, crowd.decided_s, crowd.decision) == (20, 30, 60, "confirmed")
    assert one.wrong_decisions == 1
    assert one.score.correctness == 50
    assert [(goal.reached, goal.elapsed_s) for goal in one.objectives] == [(True, 110)]
    assert max(point.waiting for point in one.load) == 2


def test_a_player_who_leaves_in_the_middle_changes_nothing_that_was_done() -> None:
    alerts = [record("crowd", 80)]
    stayed = [decided("crowd", 110, AlertAction.ACKNOWLEDGE, AlertState.ACKNOWLEDGED)]
    one = told(alerts, stayed, journal=JOURNAL[:-1])
    assert one.why_ended == "it is under way"
    [crowd] = [truth for truth in one.truths if truth.id == "crowd-found"]
    assert crowd.acknowledged_s == 30
    assert crowd.decided_s is None  # nobody took it further: that is said, and counts


def test_an_exercise_that_ends_early_skips_what_was_to_come() -> None:
    one = told(journal=[*JOURNAL[:2], entry(EntryKind.ENDED, "ended by Jonas", 30)])
    assert outcomes(one)["gun-found"] is Outcome.SKIPPED
    assert {truth.id: truth.reason for truth in one.truths}["gun-found"] == "the exercise ended before it"
    assert one.why_ended == "ended by Jonas"
    with pytest.raises(ValueError, match="never started"):
        told(journal=[])


def test_alerts_that_are_marked_as_exercise_count() -> None:
    assert outcomes(told([record("a", 90, status=Status.EXERCISE)]))["crowd-found"] is Outcome.FOUND
