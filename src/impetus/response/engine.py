"""Carries a procedure out, on SpiffWorkflow: which tasks are ready, what follows an answer, what a clock brings about.

Only the state of the process is SpiffWorkflow's business here. What a step asks of a person comes from
`impetus.response.definition`; conditions are our own comparisons, timers ask our clock, and scripts do not exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.parser.util import full_tag
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.serializer.config import DEFAULT_CONFIG
from SpiffWorkflow.bpmn.serializer.default.event_definition import TimerConditionalEventDefinitionConverter
from SpiffWorkflow.bpmn.serializer.default.task_spec import BpmnTaskSpecConverter
from SpiffWorkflow.bpmn.specs.defaults import ManualTask
from SpiffWorkflow.bpmn.specs.event_definitions.timer import DurationTimerEventDefinition
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.exceptions import SpiffWorkflowException
from SpiffWorkflow.util.task import TaskState as EngineState

from impetus.model import Answers, Clock, Conflict, InvalidInput
from impetus.response.conditions import parse_condition
from impetus.response.definition import Procedure, Step, StepKind, parse_duration
from impetus.response.reading import STEPS, parse_tree, read_procedure
from impetus.response.soundness import check

VISITS_LIMIT: Final = 25
"""How often one step may come up within one run: a loop ends there."""


class _AutomaticTask(ManualTask):  # type: ignore[misc]
    """Stops the engine, so that what the step does is done here, from a list of what is allowed."""


class _ClockTimer(DurationTimerEventDefinition):  # type: ignore[misc]
    """A timer that asks our clock instead of the machine's."""

    def has_fired(self, my_task: Any) -> bool:
        """Whether the time is up; the first question starts it."""
        now: datetime = my_task.workflow.top_workflow.script_engine.clock.now()
        until = my_task.internal_data.get("event_value")
        if until is None:
            until = (now + parse_duration(self.expression)).isoformat()
            my_task.internal_data["event_value"] = until
        if datetime.fromisoformat(until) <= now:
            my_task.internal_data["event_fired"] = True
        return bool(my_task.internal_data.get("event_fired", False))


class _Parser(BpmnParser):  # type: ignore[misc]
    """Knows no element that `impetus.response.reading` does not let through."""

    PARSER_CLASSES = {
        tag: (parser, _AutomaticTask if tag == full_tag("serviceTask") else spec)
        for tag, (parser, spec) in BpmnParser.PARSER_CLASSES.items()
        if tag in {full_tag(name) for name in STEPS}
    } | {full_tag("serviceTask"): (BpmnParser.PARSER_CLASSES[full_tag("userTask")][0], _AutomaticTask)}


class _Conditions(PythonScriptEngine):  # type: ignore[misc]
    """Stands where SpiffWorkflow would run Python: compares answers, and refuses everything else."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def evaluate(self, task: Any, expression: str, external_context: object = None) -> bool:
        """Whether a condition holds for the answers so far."""
        return parse_condition(expression).holds(task.data)

    def execute(self, task: Any, script: str, external_context: object = None) -> None:
        """Never. Raises `InvalidInput`."""
        raise InvalidInput("a procedure runs no script", hint="Use a task or an automatic step.")

    def call_service(self, task: Any, **_: object) -> None:
        """Never. Raises `InvalidInput`."""
        raise InvalidInput("a procedure calls no service", hint="Use an automatic step.")


_SERIALIZER: Final = BpmnWorkflowSerializer(
    BpmnWorkflowSerializer.configure(
        {
            **DEFAULT_CONFIG,
            _AutomaticTask: BpmnTaskSpecConverter,
            _ClockTimer: TimerConditionalEventDefinitionConverter,
        }
    )
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A task that waits for a person."""

    key: str
    """Tells this visit of the step from any other."""
    step: Step


def load(content: bytes) -> Procedure:
    """Read a procedure and check that it can be carried out. Raises `InvalidInput` with what is wrong and where."""
    procedure = read_procedure(content)
    check(procedure)
    try:
        _workflow_spec(procedure)
    except SpiffWorkflowException as error:
        raise InvalidInput(f"the procedure cannot be used: {error}"[:500], hint="Mend it in a BPMN editor.") from error
    return procedure


def _workflow_spec(procedure: Procedure) -> Any:
    parser = _Parser()
    parser.add_bpmn_xml(parse_tree(procedure.content))
    spec = parser.get_spec(procedure.id)
    for task_spec in spec.task_specs.values():
        timer = getattr(task_spec, "event_definition", None)
        if isinstance(timer, DurationTimerEventDefinition):
            task_spec.event_definition = _ClockTimer(timer.name, timer.expression, description=timer.description)
    return spec


class Execution:
    """One procedure under way, in memory. Every change leaves it waiting for a person, for a time, or at its end."""

    def __init__(self, procedure: Procedure, workflow: Any) -> None:
        self.procedure = procedure
        self._workflow = workflow

    @classmethod
    def start(cls, procedure: Procedure, clock: Clock) -> tuple[Execution, Sequence[Step]]:
        """Begin at the start; with the automatic steps that stand there."""
        execution = cls(procedure, BpmnWorkflow(_workflow_spec(procedure), script_engine=_Conditions(clock)))
        return execution, execution._advance()

    @classmethod
    def restore(cls, procedure: Procedure, state: str, clock: Clock) -> Execution:
        """Go on from `state`; `procedure` must be the text that the run was started with."""
        workflow = _SERIALIZER.deserialize_json(state)
        workflow.script_engine = _Conditions(clock)
        return cls(procedure, workflow)

    def state(self) -> str:
        """All that is needed to go on later, as JSON. It holds the process itself as it was at the start."""
        return str(_SERIALIZER.serialize_json(self._workflow))

    @property
    def finished(self) -> bool:
        """Whether an end was reached and nothing is under way any more."""
        return bool(self._workflow.completed)

    @property
    def outcome(self) -> str | None:
        """Name of the end that was reached."""
        ends = [step.name for step in self.done() if step.kind is StepKind.END]
        return ends[-1] if self.finished and ends else None

    def ready(self) -> Sequence[Ready]:
        """The tasks that wait for a person."""
        found = self._workflow.get_tasks(state=EngineState.READY, manual=True)
        return [Ready(str(task.id), self.procedure.steps[task.task_spec.name]) for task in found]

    def waiting(self) -> Sequence[Step]:
        """The steps that wait, for a person or for a time."""
        names = {
            task.task_spec.name for task in self._workflow.get_tasks(state=EngineState.READY | EngineState.WAITING)
        }
        return [
            step
            for step in self.procedure.steps.values()
            if step.id in names and step.kind in (StepKind.TASK, StepKind.TIMER)
        ]

    def done(self) -> Sequence[Step]:
        """The steps that were passed, in the order in which they first were."""
        finished = self._workflow.get_tasks(state=EngineState.COMPLETED)
        names = [task.task_spec.name for task in sorted(finished, key=lambda task: task.last_state_change)]
        return [self.procedure.steps[name] for name in dict.fromkeys(names) if name in self.procedure.steps]

    def wake(self) -> datetime | None:
        """When the next timer or limit runs out."""
        moments = [
            datetime.fromisoformat(event.value) for event in self._workflow.waiting_events() if event.value is not None
        ]
        return min(moments, default=None)

    def complete(self, key: str, answers: Answers) -> Sequence[Step]:
        """A person did the task `key`; the automatic steps that followed, which are now to be carried out.

        Raises `InvalidInput` for answers that are missing or wrong, and `Conflict` for a task that is not ready.
        """
        task = next((ready for ready in self.ready() if ready.key == key), None)
        if task is None:
            raise Conflict("this task is not to be done any more", hint="The procedure went another way meanwhile.")
        given = check_answers(task.step, answers)
        engine_task = next(one for one in self._workflow.get_tasks(state=EngineState.READY) if str(one.id) == key)
        engine_task.data.update(given)
        engine_task.run()
        return self._advance()

    def tick(self) -> Sequence[Step]:
        """Let timers and limits that ran out take effect; the automatic steps that followed."""
        return self._advance()

    def cancel(self) -> None:
        """End it where it is."""
        self._workflow.cancel()

    def _advance(self) -> Sequence[Step]:
        passed: list[Step] = []
        self._workflow.refresh_timers()
        while True:
            self._workflow.do_engine_steps()
            automatic = [
                task
                for task in self._workflow.get_tasks(state=EngineState.READY, manual=True)
                if isinstance(task.task_spec, _AutomaticTask)
            ]
            if not automatic:
                break
            for task in automatic:
                passed.append(self.procedure.steps[task.task_spec.name])
                task.run()
        visits = Counter(
            task.task_spec.name
            for task in self._workflow.get_tasks(
                state=EngineState.READY | EngineState.COMPLETED | EngineState.CANCELLED
            )
        )
        for name, count in visits.items():
            if count > VISITS_LIMIT and name in self.procedure.steps:
                raise Conflict(
                    f"'{self.procedure.steps[name].name}' came up {VISITS_LIMIT} times in this run",
                    hint="Take another way out of the loop, or cancel the procedure and start it again.",
                )
        return passed


def check_answers(step: Step, answers: Mapping[str, object]) -> Answers:
    """The answers to what the step asks, in their types. Raises `InvalidInput` that names the question."""
    work = step.work
    if work is None:
        raise Conflict(f"{step.name!r} is not done by a person", hint="Look at the procedure again.")
    unknown = set(answers) - {field.id for field in work.fields}
    if unknown:
        raise InvalidInput(
            f"the task does not ask for {min(unknown)[:60]!r}",
            hint=f"It asks for: {', '.join(field.id for field in work.fields) or 'nothing'}.",
        )
    given: Answers = {}
    for field in work.fields:
        answer = answers.get(field.id)
        if answer is None or (isinstance(answer, str) and not answer.strip()):
            if field.required:
                raise InvalidInput(f"'{field.label}' needs an answer", hint=f"Answer '{field.id}'.")
            continue
        if field.kind == "number":
            if isinstance(answer, bool) or not isinstance(answer, int | float):
                raise InvalidInput(f"'{field.label}' needs a number", hint="Write digits only.")
            given[field.id] = float(answer)
            continue
        if not isinstance(answer, str):
            raise InvalidInput(f"'{field.label}' needs text", hint="Write it as text.")
        values = [choice.value for choice in field.choices]
        if field.kind == "choice" and answer not in values:
            raise InvalidInput(
                f"'{field.label}' cannot be answered with {answer[:60]!r}", hint=f"Possible: {', '.join(values)}."
            )
        given[field.id] = answer
    return given
