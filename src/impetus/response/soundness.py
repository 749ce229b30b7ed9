"""Whether a procedure can be carried out: every step reachable, an end from everywhere, no round without a person.

The method is that of workflow nets (van der Aalst, The Application of Petri Nets to Workflow Management, 1998): all
states that the flows can be in are walked, so that a join that waits for ever or a way without end is found before it
happens to somebody. Pure.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

from impetus.model import FieldKind, InvalidInput, TaskField
from impetus.response.definition import Flow, Procedure, Step, StepKind

STATE_LIMIT = 20_000
"""States that are walked at most; a procedure with more has too much going on at once for people as well."""

State = frozenset[str]
"""The flows that something is under way on."""

States = Mapping[State, Sequence[tuple[str, State]]]
"""What can happen in each state: the step that is done, and the state afterwards."""


def check(procedure: Procedure) -> None:
    """Raises `InvalidInput` that names the step at which the procedure is not sound."""
    _check_form(procedure)
    _check_reachable(procedure)
    _check_rounds(procedure)
    _check_decisions(procedure, _states(procedure))


def _check_form(procedure: Procedure) -> None:
    starts = [step for step in procedure.steps.values() if step.kind is StepKind.START]
    if len(starts) != 1:
        raise InvalidInput(f"the procedure has {len(starts)} starts", hint="It needs exactly one.")
    for step in procedure.steps.values():
        incoming, outgoing = len(step.incoming), len(step.outgoing)
        several = step.kind in (StepKind.DECISION, StepKind.PARALLEL)
        if step.kind is StepKind.END:
            if outgoing:
                raise InvalidInput(f"something follows the end {step.name!r}", hint="Nothing may.")
        elif not outgoing:
            raise InvalidInput(f"nothing follows {step.name!r}", hint="Lead every step on, at last to an end.")
        elif outgoing > 1 and not several:
            raise InvalidInput(f"{outgoing} flows leave {step.name!r}", hint="Put a gateway behind it.")
        if step.kind in (StepKind.START, StepKind.LIMIT) and incoming:
            raise InvalidInput(f"a flow leads into {step.name!r}", hint="Lead it to a task.")
        if step.kind is StepKind.LIMIT:
            task = procedure.steps.get(step.attached_to or "")
            if task is None or task.kind is not StepKind.TASK:
                raise InvalidInput(f"the limit {step.name!r} hangs on no task", hint="Attach it to a task.")
        for flow in step.outgoing:
            conditional = step.kind is StepKind.DECISION and outgoing > 1 and flow.id != step.default
            if conditional is (flow.condition is None):
                raise InvalidInput(
                    f"the flow {flow.id} after {step.name!r} "
                    + ("has no condition" if conditional else "has a condition"),
                    hint="Conditions stand on the flows after a decision, on all but the default one.",
                )


def _followers(procedure: Procedure) -> Mapping[str, list[str]]:
    followers: dict[str, list[str]] = {step: [] for step in procedure.steps}
    for flow in procedure.flows.values():
        followers[flow.source].append(flow.target)
    for step in procedure.steps.values():
        if step.attached_to is not None:
            followers[step.attached_to].append(step.id)
    return followers


NodeType = TypeVar("NodeType", bound=Hashable)


def _reached(followers: Mapping[NodeType, Collection[NodeType]], start: NodeType) -> set[NodeType]:
    found = {start}
    waiting = [start]
    while waiting:
        for node in followers[waiting.pop()]:
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found


def _start(procedure: Procedure) -> Step:
    return next(step for step in procedure.steps.values() if step.kind is StepKind.START)


def _check_reachable(procedure: Procedure) -> None:
    followers = _followers(procedure)
    reached = _reached(followers, _start(procedure).id)
    for step in procedure.steps.values():
        if step.id not in reached:
            raise InvalidInput(f"{step.name!r} can never be reached", hint="Lead a flow to it, or remove it.")


def _check_rounds(procedure: Procedure) -> None:
    """A round that no person takes part in would go on by itself for ever."""
    followers = dict(_followers(procedure))
    for step in procedure.tasks():
        # What follows once a person has done the task is a person's doing; a limit passes by itself.
        followers[step.id] = [one for one in followers[step.id] if procedure.steps[one].attached_to == step.id]
    for id, step in procedure.steps.items():
        if any(id in _reached(followers, follower) for follower in followers[id]):
            raise InvalidInput(
                f"{step.name!r} goes round for ever without a person", hint="Put a task into the loop, with a way out."
            )


def _fires(states: States, wanted: str, *, without: Collection[str]) -> bool:
    """Whether a step can come while none of `without` was done. A task that its limit ends was not done."""
    first = next(iter(states))
    found = {first}
    waiting = [first]
    while waiting:
        for step, following in states[waiting.pop()]:
            if step == wanted:
                return True
            if step not in without and following not in found:
                found.add(following)
                waiting.append(following)
    return False


def _check_decisions(procedure: Procedure, states: States) -> None:
    fields: dict[str, dict[str, TaskField]] = defaultdict(dict)
    for step in procedure.tasks():
        assert step.work is not None  # noqa: S101 - a task has work
        for field in step.work.fields:
            fields[field.id][step.id] = field
    for step in procedure.steps.values():
        conditions = [flow.condition for flow in step.outgoing if flow.condition is not None]
        if not conditions:
            continue
        if len({condition.field for condition in conditions}) > 1:
            raise InvalidInput(f"the decision {step.name!r} looks at several answers", hint="Ask one question.")
        name = conditions[0].field
        asked = {task: field for task, field in fields[name].items() if field.kind is FieldKind.CHOICE}
        sure = {task for task, field in asked.items() if field.required}
        if _fires(states, step.id, without=sure):
            raise InvalidInput(
                f"the decision {step.name!r} may come before {name!r} was answered",
                hint="Ask for it, as a required choice, in a task on every way that leads there.",
            )
        possible = {choice.value for field in asked.values() for choice in field.choices}
        used = [value for condition in conditions for value in condition.values]
        unknown = set(used) - possible
        if unknown:
            raise InvalidInput(
                f"the decision {step.name!r} asks for {name} = {min(unknown)!r}, which nobody can answer",
                hint=f"Possible: {', '.join(sorted(possible))}.",
            )
        if len(set(used)) != len(used):
            raise InvalidInput(f"two ways after {step.name!r} have the same condition", hint="Keep one.")
        if step.default is None and set(used) != possible:
            missing = min(possible - set(used))
            raise InvalidInput(
                f"the decision {step.name!r} has no way for {name} = {missing!r}", hint="Add one, or a default flow."
            )


def _moves(procedure: Procedure, state: State) -> Iterator[tuple[Step, State, Collection[Flow]]]:
    """What can happen next: the step, the flows that it uses up, and the flows that it begins."""
    targets = {procedure.flows[flow].target for flow in state}
    for id in sorted(targets):
        step = procedure.steps[id]
        here = [flow.id for flow in step.incoming if flow.id in state]
        if step.kind is StepKind.PARALLEL:
            if len(here) == len(step.incoming):
                yield step, frozenset(here), step.outgoing
            continue
        for flow in here:
            if step.kind is StepKind.DECISION:
                for way in step.outgoing:
                    yield step, frozenset({flow}), (way,)
            else:
                yield step, frozenset({flow}), step.outgoing
            for limit in procedure.steps.values():
                if limit.attached_to == id:
                    yield limit, frozenset({flow}), limit.outgoing


def _states(procedure: Procedure) -> States:
    """All states, the first one first, and what leads from each to which. Raises as `check` does."""
    first: State = frozenset(flow.id for flow in _start(procedure).outgoing)
    found: dict[State, list[tuple[str, State]]] = {first: []}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        for step, used, begun in _moves(procedure, state):
            rest = state - used
            added = {flow.id for flow in begun}
            twice = rest & added
            if twice:
                name = procedure.steps[procedure.flows[min(twice)].target].name
                raise InvalidInput(
                    f"{name!r} can be under way twice at once, after {step.name!r}",
                    hint="Let ways that go on at the same time meet in a parallel gateway.",
                )
            following = rest | added
            if following not in found:
                found[following] = []
                waiting.append(following)
                if len(found) > STATE_LIMIT:
                    raise InvalidInput("too much goes on at the same time", hint="Use fewer parallel ways.")
            found[state].append((step.id, following))
        if state and not found[state]:
            name = procedure.steps[procedure.flows[min(state)].target].name
            raise InvalidInput(
                f"{name!r} waits for something that may never come",
                hint="A parallel gateway waits for all its ways; let a decision's ways meet without one.",
            )
    _check_ends(procedure, found)
    return found


def _check_ends(procedure: Procedure, states: States) -> None:
    before: dict[State, set[State]] = {state: set() for state in states}
    for state, moves in states.items():
        for _, following in moves:
            before[following].add(state)
    done: State = frozenset()
    ending = _reached(before, done) if done in before else set()
    for state in states:
        if state not in ending:
            name = procedure.steps[procedure.flows[min(state)].target].name
            raise InvalidInput(f"no end can be reached from {name!r}", hint="Give every loop a way out.")
