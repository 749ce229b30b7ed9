"""Writes down where an execution stands: tasks that came up or fell away, drafts, requests, and what everyone is told.

Everything goes into the caller's transaction, so that the state of the process and its tasks can never contradict each
other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from impetus.model import (
    Answers,
    Draft,
    Envelope,
    Incident,
    ProcedureAction,
    ProcedureEvent,
    ProcedureRun,
    RunState,
    SimulationKind,
    SimulationRequest,
    Task,
    TaskState,
    User,
    derived_id,
)
from impetus.response.definition import Operation, Step
from impetus.response.engine import Execution
from impetus.response.requests import ORIGIN
from impetus.store import Transaction
from impetus.store.procedures import UNDER_WAY, KeptRun

_PLACEHOLDER = re.compile(r"\{(place|incident)\}")
DRAFT_LIMIT = 100
"""Drafts that a run keeps; a loop that drafts again replaces the one of its step."""


def task_id(run: ProcedureRun, key: str) -> str:
    """Id of the task of one visit of a step: the same every time it is asked for."""
    return derived_id("task", run.tenant, run.id, key)


def task_envelope(task: Task) -> Envelope:
    """The message that tells everyone how a task stands now."""
    return Envelope.wrap(
        task,
        kind="task",
        tenant=task.tenant,
        origin=ORIGIN,
        time=task.updated,
        partition=task.run,
        id=derived_id("task-message", task.tenant, task.id, str(task.version)),
    )


def run_envelope(run: ProcedureRun) -> Envelope:
    """The message that tells everyone how a procedure stands now."""
    return Envelope.wrap(
        run,
        kind="procedure",
        tenant=run.tenant,
        origin=ORIGIN,
        time=run.updated,
        partition=run.id,
        id=derived_id("procedure-message", run.tenant, run.id, str(run.version)),
    )


def event_of(
    run: ProcedureRun,
    action: ProcedureAction,
    now: datetime,
    *,
    id: str,
    title: str,
    person: User | None = None,
    task: Task | None = None,
    step: str | None = None,
    reason: str = "",
    answers: Answers | None = None,
) -> ProcedureEvent:
    """What happened, for the history."""
    return ProcedureEvent(
        id=id,
        tenant=run.tenant,
        run=run.id,
        action=action,
        time=now,
        step=task.step if task is not None else step,
        task=None if task is None else task.id,
        title=title,
        person=None if person is None else person.id,
        person_name=None if person is None else person.full_name,
        reason=reason,
        answers=answers or {},
    )


@dataclass(slots=True)
class Progress:
    """One step forward of one run within one transaction."""

    transaction: Transaction
    before: KeptRun | None
    """None: the run begins."""
    run: ProcedureRun
    execution: Execution
    now: datetime
    handled_by: str | None
    envelopes: list[Envelope] = field(default_factory=list)

    async def record(self, passed: Sequence[Step]) -> ProcedureRun:
        """Bring tasks, drafts and the run up to date; the run as it stands now.

        Raises `VersionConflict` when something else happened to the run since it was read.
        """
        incident = await self.transaction.incidents.get(self.run.tenant, self.run.incident)
        drafts = {draft.step: draft for draft in self.run.drafts}
        for number, step in enumerate(passed):
            draft = await self._carry_out(step, incident, number)
            if draft is not None:
                drafts[step.id] = draft
        await self._tasks()
        execution = self.execution
        finished = execution.finished
        changed = self.run.model_copy(
            update={
                "state": RunState.COMPLETED if finished else RunState.RUNNING,
                "outcome": execution.outcome,
                "done": tuple(step.id for step in execution.done()),
                "current": tuple(step.id for step in execution.waiting()),
                "drafts": tuple(drafts.values())[-DRAFT_LIMIT:],
                "ended": self.now if finished else None,
                "updated": self.now,
            }
        )
        kept = KeptRun(changed, execution.state(), None if finished else execution.wake())
        if self.before is None:
            await self.transaction.procedures.add_run(kept)
        else:
            changed = await self.transaction.procedures.change_run(
                kept, expected_version=self.before.run.version, handled_by=self.handled_by
            )
        self.envelopes.append(run_envelope(changed))
        await self.transaction.outbox.add(self.envelopes)
        return changed

    async def _tasks(self) -> None:
        run = self.run
        ready = {task_id(run, one.key): one.step for one in self.execution.ready()}
        known = {task.id: task for task in await self.transaction.tasks.of_run(run.tenant, run.id)}
        for task in known.values():
            if task.state in UNDER_WAY and task.id not in ready:
                gone = task.model_copy(update={"state": TaskState.CANCELLED, "updated": self.now})
                gone = await self.transaction.tasks.change(
                    gone, expected_version=task.version, handled_by=self.handled_by
                )
                self.envelopes.append(task_envelope(gone))
        for id, step in ready.items():
            if id not in known:
                task = self._new_task(id, step)
                await self.transaction.tasks.add(task)
                self.envelopes.append(task_envelope(task))

    def _new_task(self, id: str, step: Step) -> Task:
        work = step.work
        assert work is not None  # noqa: S101 - only tasks are ready
        run = self.run
        return Task(
            id=id,
            tenant=run.tenant,
            run=run.id,
            incident=run.incident,
            procedure=run.procedure,
            procedure_title=run.title,
            step=step.id,
            title=step.name,
            instruction=work.instruction,
            assess=work.assess,
            organisation=work.organisation,
            roles=(work.role,),
            escalation=work.escalation,
            deadline_s=max(1, round(work.deadline.total_seconds())),
            due=self.now + work.deadline,
            fields=work.fields,
            created=self.now,
            updated=self.now,
        )

    async def _carry_out(self, step: Step, incident: Incident, number: int) -> Draft | None:
        """Do what an automatic step says. Nothing here reaches a person by itself."""
        automatic = step.automatic
        assert automatic is not None  # noqa: S101 - only automatic steps are passed on
        run = self.run
        before = 0 if self.before is None else self.before.run.version
        id = derived_id("automatic", run.tenant, run.id, step.id, str(before), str(number))
        draft = None
        if automatic.operation is Operation.DRAFT_MESSAGE:
            action = ProcedureAction.DRAFT
            words = {
                "place": incident.place.name if incident.place and incident.place.name else "the place of the incident",
                "incident": incident.title,
            }
            draft = Draft(
                step=step.id,
                title=step.name,
                audience=_filled(automatic.parameters["audience"], words)[:300],
                text=_filled(automatic.parameters["text"], words)[:10_000],
                created=self.now,
            )
        else:
            action = ProcedureAction.REQUEST
            request = SimulationRequest(
                id=id,
                tenant=run.tenant,
                kind=SimulationKind(automatic.parameters["kind"]),
                incident=run.incident,
                run=run.id,
                reason=automatic.parameters["reason"][:300],
                asked=self.now,
            )
            self.envelopes.append(
                Envelope.wrap(
                    request,
                    kind="simulation-request",
                    tenant=run.tenant,
                    origin=ORIGIN,
                    time=self.now,
                    partition=run.incident,
                    id=id,
                )
            )
        await self.transaction.procedures.add_event(
            event_of(run, action, self.now, id=id, title=step.name, step=step.id)
        )
        return draft


def _filled(text: str, words: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: words[match[1]], text)
