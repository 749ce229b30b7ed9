"""The panels are declared so that the platform can draw them, one's own first, and speak the reader's language."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from impetus.model import Role
from impetus.sdk import load_tool
from impetus.sdk.panel import load_panels
from impetus.tools import workload
from impetus.tools.workload.monitor import PersonMonitor
from impetus.tools.workload.tests.test_monitor import BEGAN_S, REST_S, Belt, wear

STATIC = Path(workload.__file__).parent / "static"


def test_the_own_view_comes_first_and_the_team_is_for_supervisors() -> None:
    panels = load_panels(load_tool("workload"))
    assert [panel.id for panel in panels] == ["own", "team", "course"]
    seen = {role: [one.id for one in panels if one.visible(role, ())] for role in (Role.OPERATOR, Role.SUPERVISOR)}
    assert seen == {Role.OPERATOR: ["own"], Role.SUPERVISOR: ["own", "team", "course"]}


def known_texts() -> set[str]:
    return set(
        re.findall(r'^  "((?:[^"\\]|\\.)*)": \[', (STATIC / "words.js").read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_every_text_of_the_modules_is_translated() -> None:
    for name in ("own.js", "team.js", "drawing.js"):
        said = set(re.findall(r'\bt\("((?:[^"\\]|\\.)*)"', (STATIC / name).read_text(encoding="utf-8")))
        assert said <= known_texts()


def test_why_nothing_is_said_is_translated_whatever_the_numbers() -> None:
    belt, made = Belt(), PersonMonitor(rest_s=REST_S)
    said = [made.step(BEGAN_S).abstained, wear(made, belt, 0, 12)]
    assert wear(made, belt, 12, 60) is None
    said.append(made.step(BEGAN_S + 70).abstained)
    for number in range(70, 85):
        made.take(belt.second(number, np.zeros(250)), BEGAN_S + number + 1)
    said += [made.step(BEGAN_S + 74).abstained, made.step(BEGAN_S + 85).abstained]
    assert len({text for text in said if text}) == 5
    for text in filter(None, said):
        words = re.split(r"\d+(?:\.\d+)?", text)
        pattern = words[0] + "".join(f"{{{place}}}{part}" for place, part in enumerate(words[1:], start=1))
        assert pattern in known_texts()
