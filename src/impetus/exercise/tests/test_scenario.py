"""Protects scenarios: the shipped ones are whole, and a broken one is refused with the place and the reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from impetus.exercise.scenario import folder_of, load_scenario, missing_tools, shipped
from impetus.exercise.variants import variant
from impetus.model import ImpetusError, InvalidInput, NotFound

TOOLS = ("air", "anomaly", "cti", "cyber", "evacuation", "firearm", "social", "workload")


def camera(document: dict[str, Any]) -> dict[str, Any]:
    """Its inject into a camera's picture."""
    found: dict[str, Any] = next(one for one in document["injects"] if one["kind"] == "video")
    return found


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], object]], Path]:
    """A copy of the scenario `protest` in which something was changed."""

    def change(how: Callable[[dict[str, Any]], object]) -> Path:
        folder = tmp_path / "mine"
        shutil.copytree(folder_of("protest"), folder)
        document = yaml.safe_load((folder / "scenario.yaml").read_text())
        how(document)
        (folder / "scenario.yaml").write_text(yaml.safe_dump(document))
        return folder

    return change


def test_the_shipped_scenarios_are_valid_and_every_truth_has_a_tool() -> None:
    assert set(shipped()) == {"protest", "false-alarms", "blackout"}
    for name in shipped():
        assert missing_tools(load_scenario(folder_of(name)), TOOLS) == {}


def test_what_nobody_would_hear_is_named_with_its_reason() -> None:
    skipped = missing_tools(load_scenario(folder_of("protest")), ("air", "anomaly", "cti", "cyber"))
    assert skipped == {
        "chatter": "the tool 'social' does not run here",
        "camera-picture": "the tool 'firearm' does not run here",
    }


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda document: document["injects"][3].update(at="99:99"), ("jam › at", "no time in the exercise")),
        (lambda document: document["injects"][3].update(at="00:01"), ("'jam' is out of order",)),
        (lambda document: document["injects"][-1].update(at="45:00"), ("'journalist' comes after the end",)),
        (lambda document: document["injects"][3].update(site="Atlantis"), ("'jam'", "no site 'Atlantis'")),
        (lambda document: document["injects"][0].update(file="none.jsonl"), ("none.jsonl does not exist",)),
        (lambda document: document["injects"][0].update(file="a/../../posts.jsonl"), ("outside of the scenario",)),
        (lambda document: document["injects"][3].update(kind="dragon"), ("jam",)),
        (lambda document: document["injects"][4].update(file="none.xml"), ("none.xml does not exist",)),
        (lambda document: camera(document).update(camera="camera-9"), ("'camera-9'", "known: camera-2")),
        (lambda document: camera(document).update(scene="dragon"), ("no scene 'dragon' is rendered",)),
        (lambda document: document["truths"][0].update(inject="nothing"), ("'nothing', which does not exist",)),
        (lambda document: document["truths"].append(document["truths"][0]), ("'weapons-call' stands twice",)),
        (lambda document: document["objectives"][0].update(truth=None), ("'take-leak' needs the name of a truth",)),
        (lambda document: document["players"][0].update(organisation="navy"), ("'navy', which does not take part",)),
        (lambda document: document.pop("injects") and document.update(minuets=3), ("minuets",)),
    ],
)
def test_a_wrong_scenario_is_refused_with_place_and_reason(
    changed: Callable[[Callable[[dict[str, Any]], object]], Path],
    how: Callable[[dict[str, Any]], object],
    words: tuple[str, ...],
) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_scenario(changed(how))
    for word in words:
        assert word in str(refused.value)


def test_an_unknown_tool_and_a_missing_scenario_are_told(
    changed: Callable[[Callable[[dict[str, Any]], object]], Path],
) -> None:
    folder = changed(lambda document: document["truths"][0].update(tool="telepathy"))
    with pytest.raises(InvalidInput, match="truth 'weapons-call' names the tool 'telepathy'"):
        missing_tools(load_scenario(folder), TOOLS)
    with pytest.raises(NotFound, match="no scenario 'revolution'"):
        folder_of("revolution")


def test_lines_out_of_order_in_a_data_file_are_told(
    changed: Callable[[Callable[[dict[str, Any]], object]], Path],
) -> None:
    folder = changed(lambda document: document)
    lines = (folder / "posts.jsonl").read_text().splitlines()
    (folder / "posts.jsonl").write_text("\n".join([lines[1], lines[0]]))
    with pytest.raises(InvalidInput, match=r"line 2 of posts\.jsonl is out of order"):
        load_scenario(folder)


@given(st.binary(max_size=400))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "scenario.yaml").write_bytes(content)
    with pytest.raises(ImpetusError):
        load_scenario(folder)


@given(st.integers(0, 10_000))
def test_a_variant_keeps_order_and_length_and_is_the_same_for_the_same_seed(seed: int) -> None:
    written = load_scenario(folder_of("protest"))
    made = variant(written, seed)
    assert made == variant(written, seed)
    times = [inject.at for inject in made.injects]
    assert times == sorted(times)
    assert max(times) <= written.minutes * 60
    kept = {inject.id for inject in made.injects}
    assert {inject.id for inject in written.injects if not inject.optional} <= kept
    assert {truth.inject for truth in made.truths} <= kept
    # It can be written down and read again: whatever fits together still does.
    assert type(made).model_validate_json(made.model_dump_json()) == made
