"""Protects the desk of an exercise and the folders of runs: nothing is lost, and two runs never overlap."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from impetus.exercise.desk import Answers, Desk, Entry, EntryKind, Order, OrderKind
from impetus.exercise.questionnaires import IMPACT, check_answers, summary
from impetus.exercise.runs import exclusively, new_run_folder, run_folder
from impetus.model import Conflict, InvalidInput, NotFound

NOW = datetime(2026, 9, 12, 14, 30, tzinfo=UTC)


def entry(run: str, title: str) -> Entry:
    return Entry(run=run, kind=EntryKind.INJECT, time=NOW, elapsed_s=0, title=title)


def test_orders_are_read_once_and_a_line_cut_off_by_a_crash_disturbs_nobody(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.order(Order(kind=OrderKind.START, by="Mira"))
    found, position = desk.orders()
    assert [one.kind for one in found] == [OrderKind.START]
    assert desk.orders(position) == ([], position)
    with (desk.folder / "orders.jsonl").open("ab") as file:
        file.write(b'{"kind": "pau')
    assert desk.orders(position)[0] == []
    with (desk.folder / "orders.jsonl").open("ab") as file:
        file.write(b"\n")
    desk.order(Order(kind=OrderKind.END))
    assert [one.kind for one in desk.orders(position)[0]] == [OrderKind.END]


def test_the_journal_is_of_one_run_or_of_all(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for run, title in (("one", "a"), ("two", "b"), ("one", "c")):
        desk.note(entry(run, title))
    assert [one.title for one in desk.journal("one")] == ["a", "c"]
    assert len(desk.journal()) == 3


def test_held_parts_and_state_survive_nonsense_in_their_files(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.held() == frozenset()
    assert desk.state() is None
    desk.hold(("worker-air",))
    assert desk.held() == {"worker-air"}
    (desk.folder / "held.json").write_text('{"a": 1}')
    (desk.folder / "state.json").write_text("nothing")
    assert desk.held() == frozenset()
    assert desk.state() is None


def test_an_order_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="too long"):
        Desk(tmp_path).order(Order(kind=OrderKind.INJECT, inject={"text": "x" * 200_000}))


def test_a_second_run_is_refused_while_the_first_is_under_way(tmp_path: Path) -> None:
    with (
        exclusively(tmp_path),
        pytest.raises(Conflict, match=f"under way in process {os.getpid()}"),
        exclusively(tmp_path),
    ):
        pass
    with exclusively(tmp_path):
        pass


def test_runs_are_found_by_path_name_or_as_the_newest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no exercise was run yet"):
        run_folder(tmp_path, None)
    first = new_run_folder(tmp_path, "protest", NOW)
    second = new_run_folder(tmp_path, "protest", NOW)
    assert first != second
    Desk(second).note(entry("two", "b"))
    assert run_folder(tmp_path, None) == second
    assert run_folder(tmp_path, second.name) == second
    assert run_folder(tmp_path, str(second)) == second
    with pytest.raises(NotFound, match="no exercise 'other'"):
        run_folder(tmp_path, "other")


def test_the_last_answers_of_each_player_count(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for value in (1, 5):
        desk.answer(Answers(run="one", kind="impact", person="p", role="operator", answers=(value,) * len(IMPACT)))
    desk.answer(Answers(run="one", kind="usability", person="p", role="operator", answers=(5, 1) * 5, remark="good"))
    desk.answer(Answers(run="two", kind="usability", person="q", role="operator", answers=(1, 5) * 5))
    told = summary(desk.answers("one"))
    assert told.usability == 100
    assert told.impact == (5.0,) * len(IMPACT)
    assert told.remarks == ("good",)
    with pytest.raises(InvalidInput, match="7 statements, not 2"):
        check_answers(Answers(run="one", kind="impact", person="p", role="operator", answers=(1, 2)))
