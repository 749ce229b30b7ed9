"""Protects: each of the shipped procedures can be carried to every one of its ends, and says who does what."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from impetus.model import Role
from impetus.response.definition import Procedure, StepKind
from impetus.response.engine import load
from impetus.response.reading import shipped
from impetus.response.tests.walking import walk

PROCEDURES = {procedure.id: procedure for procedure in map(load, shipped())}
SHIPPED = {
    "gunman",
    "vehicle-attack",
    "suspicious-object",
    "chemical-biological-release",
    "crowd-crush",
    "missing-sensor-network",
    "intrusion",
    "data-leak",
    "threat-in-social-media",
    "operator-overload",
    "tool-failure",
    "false-alarm-review",
    "evacuation",
    "countermeasure",
}
SCRIPT = Path(__file__).parents[4] / "scripts" / "build_procedures.py"


def test_they_are_there() -> None:
    assert set(PROCEDURES) == SHIPPED


@pytest.mark.parametrize("procedure", PROCEDURES.values(), ids=PROCEDURES)
def test_every_way_is_walked_to_its_end(procedure: Procedure) -> None:
    walked = walk(procedure)
    assert walked.stuck == []
    assert walked.ends == {step.name for step in procedure.steps.values() if step.kind is StepKind.END}
    assert walked.steps == set(procedure.steps)


@pytest.mark.parametrize("procedure", PROCEDURES.values(), ids=PROCEDURES)
def test_every_task_says_what_who_and_until_when(procedure: Procedure) -> None:
    assert procedure.summary
    roles = set()
    for step in procedure.tasks():
        assert step.work is not None
        roles.add(step.work.role)
        assert len(step.work.instruction) > 40, step.id
        assert step.work.escalation, step.id
        assert step.work.role not in step.work.escalation, step.id
        assert len(set(step.work.escalation)) == len(step.work.escalation), step.id
    assert len(roles) > 1
    assert roles <= set(Role)


@pytest.mark.parametrize("procedure", PROCEDURES.values(), ids=PROCEDURES)
def test_everything_is_drawn_and_nothing_lies_on_anything_else(procedure: Procedure) -> None:
    attached = {step.id for step in procedure.steps.values() if step.kind is StepKind.LIMIT}
    shapes = [shape for shape in procedure.drawing.shapes if shape.step not in attached]
    for number, one in enumerate(shapes):
        for other in shapes[number + 1 :]:
            apart = (
                one.x + one.width < other.x
                or other.x + other.width < one.x
                or one.y + one.height < other.y
                or other.y + other.height < one.y
            )
            assert apart, (one.step, other.step)
    for edge in procedure.drawing.edges:
        flow = procedure.flows[edge.flow]
        for shape in shapes:
            if shape.step not in (flow.source, flow.target, procedure.steps[flow.source].attached_to):
                for (x1, y1), (x2, y2) in zip(edge.points, edge.points[1:], strict=False):
                    through = (
                        max(x1, x2) > shape.x
                        and min(x1, x2) < shape.x + shape.width
                        and max(y1, y2) > shape.y
                        and min(y1, y2) < shape.y + shape.height
                    )
                    assert not through, (edge.flow, shape.step)


@pytest.mark.skipif(not SCRIPT.exists(), reason="the sources are in the repository only")
@pytest.mark.parametrize("id", sorted(SHIPPED))
def test_what_is_shipped_is_what_the_source_says(id: str) -> None:
    spec = importlib.util.spec_from_file_location("build_procedures", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_procedures"] = module
    spec.loader.exec_module(module)
    assert module.build(module.SOURCES / f"{id}.toml") == (module.TARGET / f"{id}.bpmn").read_bytes()
