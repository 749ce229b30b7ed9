"""What was acknowledged survives faults of machines, once, and the operator is told: on NATS JetStream and PostgreSQL,
each on a machine of its own (`benchmarks/chaos.py`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults import KINDS, plan

ROOT = Path(__file__).parent.parent
HERE = ("kill -9:broker", "pause:worker", "partition:database", "kill -9:worker")
"""What every machine permits, without name spaces."""
SHORT = ("kill -9:broker", "partition:database", "disk full:city", "clock jump:city")


def test_a_plan_is_that_of_its_seed_and_leaves_no_kind_out() -> None:
    """A fault that was found comes again with its seed."""
    assert list(map(str, plan(100, 5))) == list(map(str, plan(100, 5)))
    assert list(map(str, plan(100, 5))) != list(map(str, plan(100, 6)))
    pairs = {(fault.kind, fault.victim) for fault in plan(sum(len(kind.victims) for kind in KINDS), 7)}
    assert pairs == {(kind.kind, victim) for kind in KINDS for victim in kind.victims}
    assert [(fault.kind, fault.victim) for fault in plan(2, 1, SHORT)] == [
        ("kill -9", "broker"),
        ("partition", "database"),
    ]
    possible = plan(100, 1, without=("clock jump:broker",))
    assert len(possible) == 100  # what a machine does not permit is made up for
    assert ("clock jump", "broker") not in {(fault.kind, fault.victim) for fault in possible}
    assert plan(3, 1, SHORT, without=SHORT) == []


@pytest.mark.parametrize(
    ("faults", "only", "more"),
    [
        pytest.param(
            len(HERE),
            HERE,
            ("--here", "--readings-per-second", "20"),
            marks=[pytest.mark.slow, pytest.mark.timeout(1_200)],
            id="here",
        ),
        pytest.param(len(SHORT), SHORT, (), marks=pytest.mark.timeout(1_200), id="short"),
        pytest.param(40, (), (), marks=[pytest.mark.slow, pytest.mark.timeout(3_600)], id="long"),
    ],
)
def test_nothing_is_lost_or_doubled_and_the_operator_is_told(
    faults: int, only: tuple[str, ...], more: tuple[str, ...]
) -> None:
    """It runs in name spaces of its own, where that is permitted: nothing of it reaches another process."""
    words = [sys.executable, "-m", "benchmarks.chaos", "--faults", str(faults), "--seed", "1", *more]
    words += [word for name in only for word in ("--only", name)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    assert "acknowledged and lost" in done.stdout
