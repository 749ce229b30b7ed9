"""The panels are declared so that the platform can draw them, one's own first, and speak the reader's language."""

from __future__ import annotations

import re
from pathlib import Path

from impetus.model import Role
from impetus.sdk import load_tool
from impetus.sdk.panel import load_panels
from impetus.tools import workload

STATIC = Path(workload.__file__).parent / "static"


def test_the_own_view_comes_first_and_the_team_is_for_supervisors() -> None:
    panels = load_panels(load_tool("workload"))
    assert [panel.id for panel in panels] == ["own", "team", "course"]
    seen = {role: [one.id for one in panels if one.visible(role, ())] for role in (Role.OPERATOR, Role.SUPERVISOR)}
    assert seen == {Role.OPERATOR: ["own"], Role.SUPERVISOR: ["own", "team", "course"]}


def test_every_text_of_the_modules_is_translated() -> None:
    known = set(
        re.findall(r'^  "((?:[^"\\]|\\.)*)": \[', (STATIC / "words.js").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for name in ("own.js", "team.js", "drawing.js"):
        said = set(re.findall(r'\bt\("((?:[^"\\]|\\.)*)"', (STATIC / name).read_text(encoding="utf-8")))
        assert said <= known
