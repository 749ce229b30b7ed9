"""Protects: nothing harmful and nothing that cannot be carried out becomes a procedure; each refusal says why."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import ImpetusError, InvalidInput
from impetus.response.conditions import parse_condition
from impetus.response.definition import parse_duration
from impetus.response.engine import load
from impetus.response.reading import SIZE_LIMIT_BYTES
from impetus.response.tests.building import (
    BOTH,
    CHOICE,
    DECIDE,
    END,
    LIMITED,
    LOOP,
    SIMPLE,
    START,
    TWO_AT_ONCE,
    procedure,
    task,
    timer,
)

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
    b'<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>'
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>'
TASK = ("userTask", task())


def refused(content: bytes, match: str) -> InvalidInput:
    with pytest.raises(InvalidInput, match=match) as caught:
        load(content)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("content", [SIMPLE, LOOP, TWO_AT_ONCE, LIMITED])
def test_what_is_sound_is_read(content: bytes) -> None:
    assert load(content).title == "A test"


def test_an_entity_bomb_is_refused() -> None:
    refused(BOMB, "entities")
    refused(OUTSIDE, "entities")


def test_a_huge_file_is_refused() -> None:
    refused(SIMPLE + b" " * SIZE_LIMIT_BYTES, "bytes long")
    refused(SIMPLE.replace(b"</bpmn:process>", b"<bpmn:textAnnotation/>" * 9_000 + b"</bpmn:process>"), "too many")
    deep = b"<bpmn:extensionElements>" + b"<a>" * 60 + b"</a>" * 60 + b"</bpmn:extensionElements>"
    refused(SIMPLE.replace(b"</bpmn:process>", deep + b"</bpmn:process>"), "too deep")


@pytest.mark.parametrize("content", [b"", b"<", b"\xff\xfe", b"<a/>", b"<a>" * 100_000, SIMPLE[:700]])
def test_what_is_no_bpmn_is_refused(content: bytes) -> None:
    refused(content, "is not")


def test_a_script_is_refused_with_the_reason() -> None:
    script = ("scriptTask", "<bpmn:script>import os; os.system('true')</bpmn:script>")
    content = procedure({"start": START, "x": script, "end": END}, [("start", "x"), ("x", "end")])
    error = refused(content, "scriptTask")
    assert "Scripts are refused" in error.hint


@pytest.mark.parametrize(
    "condition",
    ["__import__('os').system('true') == 'x'", "answer", "True", "answer == 1", "answer == 'yes' and other == 'no'"],
)
def test_a_condition_that_is_a_program_is_refused(condition: str) -> None:
    content = procedure(
        {"start": START, "one": TASK, "which": DECIDE, "end": END, "other": END},
        [("start", "one"), ("one", "which"), ("which", "end", condition), ("which", "other", "answer == 'no'")],
    )
    refused(content, "condition")


@pytest.mark.parametrize("element", ["callActivity", "sendTask", "inclusiveGateway", "manualTask", "subProcess"])
def test_elements_that_are_not_understood_are_refused(element: str) -> None:
    inside = "<bpmn:startEvent id='s'/>" if element == "subProcess" else ""
    content = procedure({"start": START, "x": (element, inside), "end": END}, [("start", "x"), ("x", "end")])
    assert element in str(refused(content, "may not have"))


def test_a_multi_instance_loop_is_refused() -> None:
    inside = task() + (
        '<bpmn:standardLoopCharacteristics loopMaximum="1000000"><bpmn:loopCondition>True</bpmn:loopCondition>'
        "</bpmn:standardLoopCharacteristics>"
    )
    content = procedure({"start": START, "x": ("userTask", inside), "end": END}, [("start", "x"), ("x", "end")])
    refused(content, "cannot be used here")


def test_a_round_without_a_person_is_refused() -> None:
    content = procedure(
        {
            "start": START,
            "one": TASK,
            "merge": DECIDE,
            "wait": ("intermediateCatchEvent", timer("PT1S")),
            "which": DECIDE,
            "end": END,
        },
        [
            ("start", "one"),
            ("one", "merge"),
            ("merge", "wait"),
            ("wait", "which"),
            ("which", "merge", "answer == 'no'"),
            ("which", "end", "answer == 'yes'"),
        ],
    )
    refused(content, "without a person")


def test_a_limit_that_leads_back_to_its_own_task_is_refused() -> None:
    content = procedure(
        {
            "start": START,
            "one": TASK,
            "limit": ("boundaryEvent", timer("PT1S"), 'attachedToRef="one"'),
            "end": END,
        },
        [("start", "one"), ("one", "end"), ("limit", "one")],
    )
    refused(content, "without a person")


def test_a_loop_without_a_way_out_is_refused() -> None:
    content = procedure(
        {"start": START, "one": TASK, "two": ("userTask", task("")), "end": END, "which": DECIDE},
        [
            ("start", "one"),
            ("one", "which"),
            ("which", "end", "answer == 'yes'"),
            ("which", "two", "answer == 'no'"),
            ("two", "two"),
        ],
    )
    refused(content, "no end can be reached")


def test_a_step_that_cannot_be_reached_is_refused() -> None:
    content = procedure(
        {"start": START, "one": TASK, "lost": ("userTask", task("")), "end": END},
        [("start", "one"), ("one", "end"), ("lost", "end")],
    )
    refused(content, "'Lost' can never be reached")


def test_a_meeting_that_waits_for_ever_is_refused() -> None:
    content = procedure(
        {"start": START, "one": TASK, "which": DECIDE, "a": ("userTask", task("")), "meet": BOTH, "end": END},
        [
            ("start", "one"),
            ("one", "which"),
            ("which", "a", "answer == 'yes'"),
            ("which", "meet", "answer == 'no'"),
            ("a", "meet"),
            ("meet", "end"),
        ],
    )
    refused(content, "waits for something that may never come")


def test_ways_that_run_into_each_other_are_refused() -> None:
    content = procedure(
        {
            "start": START,
            "split": BOTH,
            "a": ("userTask", task("")),
            "b": ("userTask", task("")),
            "c": ("userTask", task("")),
            "end": END,
        },
        [("start", "split"), ("split", "a"), ("split", "b"), ("a", "c"), ("b", "c"), ("c", "end")],
    )
    # One after the other is fine for an engine, but the same task twice is not what anybody meant.
    refused(content, "twice at once")


@pytest.mark.parametrize(
    ("flows", "match"),
    [
        ([("which", "end", "answer == 'yes'")], "nothing follows|may not|no way|has a condition"),
        ([("which", "end", "answer == 'yes'"), ("which", "other", "answer == 'maybe'")], "nobody can answer"),
        ([("which", "end", "answer == 'yes'"), ("which", "other", "answer == 'yes'")], "same condition"),
        ([("which", "end", "answer == 'yes'"), ("which", "other", "unknown == 'no'")], "several answers"),
        ([("which", "end", "unknown == 'yes'"), ("which", "other", "unknown == 'no'")], "before 'unknown'"),
        ([("which", "end", "answer == 'yes'"), ("which", "other")], "has no condition"),
    ],
)
def test_decisions_must_cover_what_can_be_answered(flows: list[tuple[str, str]], match: str) -> None:
    content = procedure(
        {"start": START, "one": TASK, "which": DECIDE, "end": END, "other": END},
        [("start", "one"), ("one", "which"), *flows],
    )
    refused(content, match)


@pytest.mark.parametrize(
    ("inside", "match"),
    [
        ("", "who does it"),
        (task(role="mayor"), "names the role"),
        (task(deadline="soon"), "duration"),
        (task(deadline="PT0S"), "duration"),
        (task(then="nobody"), "names the role"),
        (task(CHOICE + CHOICE), "twice"),
        (task('<impetus:ask id="a b" label="x" kind="text"/>'), "not right"),
        (task('<impetus:ask id="a" label="x" kind="choice"/>'), "two or more"),
    ],
)
def test_a_task_says_who_what_and_until_when(inside: str, match: str) -> None:
    content = procedure({"start": START, "x": ("userTask", inside), "end": END}, [("start", "x"), ("x", "end")])
    refused(content, match)


def test_an_automatic_step_does_only_what_is_on_the_list() -> None:
    inside = (
        '<bpmn:extensionElements><impetus:automatic operation="lock-doors"/></bpmn:extensionElements>'
    )  # fmt: skip
    content = procedure({"start": START, "x": ("serviceTask", inside), "end": END}, [("start", "x"), ("x", "end")])
    assert "draft-message" in refused(content, "nothing that is allowed").hint


def test_what_is_not_drawn_is_refused() -> None:
    refused(SIMPLE.replace(b'"one_s" bpmnElement="one"', b'"one_s" bpmnElement="end"'), "not drawn")


@given(st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    with pytest.raises(ImpetusError):
        load(content)


@given(st.integers(0, len(SIMPLE) - 1), st.binary(min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_damaged_procedure_is_read_or_refused(place: int, damage: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        load(SIMPLE[:place] + damage + SIMPLE[place + len(damage) :])


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_conditions_and_durations_never_do_more_than_be_refused(text: str) -> None:
    for parse in (parse_condition, parse_duration):
        with contextlib.suppress(InvalidInput):
            parse(text)
