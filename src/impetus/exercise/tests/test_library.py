"""Protects the scenarios of organisations: checked line by line, kept whole or not at all, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from impetus.exercise.checking import check
from impetus.exercise.library import MOST, Library, Origin
from impetus.exercise.scenario import FILE, SHIPPED, folder_of, load_scenario
from impetus.model import Conflict, InvalidInput, NotFound

TOOLS = ("air", "anomaly", "cti", "cyber", "evacuation", "firearm", "social", "workload")
BLACKOUT = (SHIPPED / "blackout" / FILE).read_text()


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if words in line)


@pytest.mark.parametrize(
    ("before", "after", "at", "words"),
    [
        ('    at: "08:00"', '    at: "eight"', 'at: "eight"', "no time in the exercise"),
        ("    event: crowd-surge", "    event: dragon", "event: dragon", "crowd › event"),
        ("    site: Harbour Square", "    site: Atlantis", "id: crowd", "no site 'Atlantis'"),
        ('    at: "08:00"', '    at: "00:01"', "id: crowd", "'crowd' is out of order"),
        ("minutes: 20", "minuets: 20", "minuets: 20", "minuets"),
        ("inject: crowd, tool: anomaly", "inject: none, tool: anomaly", "id: crowd-found", "'none', which does not"),
        ("inject: crowd, tool: anomaly", "inject: crowd, tool: telepathy", "id: crowd-found", "'telepathy'"),
        ("  - id: crowd", "  - id: [crowd", "site: Harbour Square", "this is no YAML"),
    ],
)
def test_a_problem_is_told_with_its_line(before: str, after: str, at: str, words: str) -> None:
    assert before in BLACKOUT
    text = BLACKOUT.replace(before, after, 1)
    problems = check(text, SHIPPED / "blackout", TOOLS).problems
    told = [problem for problem in problems if words in problem.text]
    assert told, problems
    if "YAML" not in words:
        assert told[0].line == line_of(text, at)
    else:
        assert told[0].line is not None


def test_a_missing_file_and_what_is_skipped_are_told() -> None:
    text = (SHIPPED / "protest" / FILE).read_text()
    missing = check(text.replace("file: posts.jsonl", "file: none.jsonl"), SHIPPED / "protest", TOOLS)
    assert "none.jsonl does not exist" in missing.problems[0].text
    assert missing.problems[0].line == line_of(text, "id: chatter")
    without = check(text, SHIPPED / "protest", [tool for tool in TOOLS if tool != "firearm"])
    assert without.valid
    assert without.skipped == {"camera-picture": "the tool 'firearm' does not run here"}
    assert [mark.id for mark in without.marks][:2] == ["chatter", "leak"]


@given(st.text(max_size=300))
@example("&a [*a]")
@example("? {a: 1}\n: b")
@example("injects: [{id: 1, at: {}}]\nformat: 1")
@example("- " * 500)
def test_any_text_is_checked(text: str) -> None:
    assert check(text, SHIPPED / "protest", TOOLS).problems


def test_a_new_scenario_has_the_files_of_its_base_and_can_be_played(tmp_path: Path) -> None:
    library = Library(tmp_path, TOOLS)
    text = library.get("police", "protest").text.replace("id: protest", "id: march", 1)
    kept = library.save("police", "protest", text, "")
    assert (kept.id, kept.origin, kept.checked.valid) == ("march", Origin.OWN, True)
    assert set(kept.files) == {"intrusion.jsonl", "posts.jsonl", "scan.xml"}
    assert load_scenario(folder_of("march", tmp_path)).id == "march"
    assert [one.id for one in library.list("police")] == ["march", "blackout", "false-alarms", "protest"]
    changed = library.save("police", "march", text.replace("minutes: 30", "minutes: 29", 1), kept.hash)
    assert changed.checked.minutes == 29
    library.remove("police", "march")
    with pytest.raises(NotFound):
        library.get("police", "march")


def test_nobody_finds_or_changes_another_organisations_scenario(tmp_path: Path) -> None:
    library = Library(tmp_path, TOOLS)
    library.save("police", "blackout", BLACKOUT.replace("id: blackout", "id: mine", 1), "")
    for attempt in (
        lambda: library.get("fire", "mine"),
        lambda: library.remove("fire", "mine"),
        lambda: library.check("fire", "mine", BLACKOUT),
        lambda: library.get("fire", "../police/mine"),
        lambda: library.get("..", "police"),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert [one.id for one in library.list("fire")] == ["blackout", "false-alarms", "protest"]
    library.save("fire", "blackout", BLACKOUT.replace("id: blackout", "id: mine", 1), "")
    with pytest.raises(InvalidInput, match="several organisations"):
        folder_of("mine", tmp_path)


def test_what_is_wrong_shipped_or_changed_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    library = Library(tmp_path, TOOLS)
    with pytest.raises(InvalidInput, match="no site 'Atlantis'"):
        library.save("police", "blackout", BLACKOUT.replace("site: Harbour Square", "site: Atlantis", 1), "")
    with pytest.raises(Conflict, match="is shipped"):
        library.save("police", "blackout", BLACKOUT, "")
    with pytest.raises(Conflict, match="is shipped"):
        library.remove("police", "blackout")
    mine = BLACKOUT.replace("id: blackout", "id: mine", 1)
    first = library.save("police", "blackout", mine, "")
    library.save("police", "mine", mine.replace("minutes: 20", "minutes: 25", 1), first.hash)
    with pytest.raises(Conflict, match="not the one that was opened"):
        library.save("police", "mine", mine, first.hash)
    with pytest.raises(Conflict, match="not the one that was opened"):
        library.save("police", "blackout", mine, "")
    assert library.get("police", "mine").checked.minutes == 25
    assert not list((tmp_path / "scenarios" / "police").glob(".*"))


def test_an_organisation_has_so_many_and_no_more(tmp_path: Path) -> None:
    library = Library(tmp_path, TOOLS)
    document = yaml.safe_load(BLACKOUT)
    small = {**document, "injects": [], "truths": [], "objectives": []}
    for number in range(MOST):
        folder = tmp_path / "scenarios" / "police" / f"s{number}"
        folder.mkdir(parents=True)
        (folder / FILE).write_text("broken")
    with pytest.raises(Conflict, match="there are 100"):
        library.save("police", "blackout", yaml.safe_dump({**small, "id": "more"}, default_flow_style=None), "")
    assert not library.list("police")[0].valid
