"""Walks a procedure along every way: what the tests of the engine and of the shipped procedures share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from impetus.model import Answers, FieldKind, ManualClock
from impetus.response.definition import Procedure, Step
from impetus.response.engine import Execution

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def possible_answers(step: Step) -> Iterator[Answers]:
    """One set of answers for each choice that the step offers."""
    assert step.work is not None
    base: Answers = {}
    for asked in step.work.fields:
        match asked.kind:
            case FieldKind.CHOICE:
                base[asked.id] = asked.choices[0].value
            case FieldKind.NUMBER:
                base[asked.id] = 3.0
            case FieldKind.TEXT:
                base[asked.id] = "something"
    choices = [asked for asked in step.work.fields if asked.kind is FieldKind.CHOICE]
    if not choices:
        yield base
    for asked in choices:
        for choice in asked.choices:
            yield base | {asked.id: choice.value}


@dataclass
class Walk:
    """What became of walking a procedure."""

    situations: int = 0
    steps: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    stuck: list[tuple[str, ...]] = field(default_factory=list)


def walk(procedure: Procedure) -> Walk:
    """Every situation that people's answers and the clock can lead to, each once, with all that can happen in it."""
    walked = Walk()
    clock = ManualClock(START)
    first, _ = Execution.start(procedure, clock)
    waiting = deque([(first.state(), START)])
    known = set()
    leads: dict[object, set[object]] = {}

    def situation(execution: Execution) -> object:
        return (
            frozenset(one.step.id for one in execution.ready()),
            frozenset(step.id for step in execution.waiting()),
            execution.outcome,
        )

    known.add(situation(first))
    while waiting:
        state, now = waiting.popleft()
        clock = ManualClock(now)
        execution = Execution.restore(procedure, state, clock)
        here = situation(execution)
        leads[here] = set()
        walked.situations += 1
        walked.steps |= {step.id for step in execution.done()}
        if execution.finished:
            assert execution.outcome is not None
            walked.ends.add(execution.outcome)
            continue
        after = []
        for ready in execution.ready():
            for answers in possible_answers(ready.step):
                other = Execution.restore(procedure, state, ManualClock(now))
                other.complete(ready.key, answers)
                after.append((other, now))
        wake = execution.wake()
        if wake is not None:
            other = Execution.restore(procedure, state, ManualClock(wake))
            other.tick()
            after.append((other, wake))
        if not after:
            walked.stuck.append(tuple(step.id for step in execution.waiting()))
        for other, then in after:
            there = situation(other)
            leads[here].add(there)
            walked.steps |= {step.id for step in other.done()}
            if there not in known:
                known.add(there)
                waiting.append((other.state(), then))
    # From everywhere an end must be reached.
    good = {there for there, after in leads.items() if not after}
    while more := {here for here, after in leads.items() if here not in good and after & good}:
        good |= more
    walked.stuck += [(str(here),) for here in leads if here not in good]
    return walked
