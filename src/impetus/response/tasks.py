"""Tasks of procedures: taken, given back and completed by named people; late ones go to the next role too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Answers,
    Clock,
    Conflict,
    NotAllowed,
    ProcedureAction,
    RunState,
    Task,
    TaskState,
    User,
    derived_id,
)
from impetus.response.engine import Execution, check_answers
from impetus.response.library import Library
from impetus.response.procedures import ACTOR
from impetus.response.progress import Progress, event_of, task_envelope, task_id
from impetus.response.requests import Completion, TaskScope, TaskStep, acting_person, check_same
from impetus.store import Store, Transaction, VersionConflict
from impetus.store.procedures import UNDER_WAY, TaskFilter
from impetus.store.records import Page

ATTEMPTS = 5
PAGE = 200


class _MovedOn(Exception):
    """Another task of the same procedure was completed at this moment: read it again."""


class TaskService:
    """What may be done with tasks. Every method is about one organisation's tasks only."""

    def __init__(self, store: Store, clock: Clock, library: Library) -> None:
        self._store = store
        self._clock = clock
        self._library = library

    async def list(
        self,
        principal: Principal,
        scope: TaskScope,
        *,
        states: Sequence[TaskState],
        incident: str | None,
        limit: int,
        after: str | None,
    ) -> Page[Task]:
        """A page of tasks, made last first; `scope` says whose. Raises `InvalidInput`."""
        user = principal.user
        person = user.id if scope is TaskScope.MINE and user is not None else None
        wanted = TaskFilter(tuple(states), incident, person)
        found: list[Task] = []
        async with self._store.view() as view:
            if scope is not TaskScope.ROLE or user is None:
                return await view.tasks.list(principal.tenant, wanted, limit=limit, after=after)
            while True:
                page = await view.tasks.list(principal.tenant, wanted, limit=limit - len(found), after=after)
                found += [task for task in page.items if user.role in task.roles or task.claimed_by == user.id]
                after = page.next
                if after is None or len(found) >= limit:
                    return Page(tuple(found), after)

    async def get(self, tenant: str, id: str) -> Task:
        """One task. Raises `NotFound`."""
        async with self._store.view() as view:
            return await view.tasks.get(tenant, id)

    async def claim(self, principal: Principal, id: str, step: TaskStep) -> Task:
        """Take a task; on disk when this returns. The same again is harmless.

        A late task may be taken over by those whose it became by that. Raises `NotFound`, `NotAllowed` for another
        role, and `Conflict` when somebody has it or it is over.
        """
        return await self._step(principal, id, step, ProcedureAction.CLAIM)

    async def release(self, principal: Principal, id: str, step: TaskStep) -> Task:
        """Give a task back that the person took. Raises as `claim` does."""
        return await self._step(principal, id, step, ProcedureAction.RELEASE)

    async def complete(self, principal: Principal, id: str, completion: Completion) -> Task:
        """Say that a task is done, with its answers; the procedure goes on. On disk when this returns.

        The same again gives the same answer and changes nothing. Raises `NotFound`, `NotAllowed` for another role,
        `InvalidInput` for an answer that is missing or wrong, and `Conflict` when somebody else was first.
        """
        for _ in range(ATTEMPTS):
            try:
                return await self._complete(principal, id, completion)
            except _MovedOn:
                continue
        raise Conflict("The procedure moves on too quickly.", hint="Try again in a moment.")

    async def _step(self, principal: Principal, id: str, step: TaskStep, action: ProcedureAction) -> Task:
        person = acting_person(principal)
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            task = await transaction.tasks.get(principal.tenant, id)
            known = await transaction.procedures.find_event(principal.tenant, step.id)
            if known is not None:
                check_same(known, action, person, task=id, run=task.run)
                return task
            changed = task
            # With another version `change` below refuses it and says who was first.
            if task.version == step.version:
                changed = _claimed(task, person) if action is ProcedureAction.CLAIM else _released(task, person)
            changed = await transaction.tasks.change(
                changed.model_copy(update={"updated": now}),
                expected_version=step.version,
                handled_by=person.full_name,
            )
            await self._record(transaction, principal, changed, action, step.id, {})
            await transaction.outbox.add([task_envelope(changed)])
        return changed

    async def _complete(self, principal: Principal, id: str, completion: Completion) -> Task:
        person = acting_person(principal)
        tenant = principal.tenant
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            task = await transaction.tasks.get(tenant, id)
            known = await transaction.procedures.find_event(tenant, completion.id)
            if known is not None:
                check_same(known, ProcedureAction.COMPLETE, person, task=id, run=task.run)
                return task
            kept = await transaction.procedures.run(tenant, task.run)
            procedure = await self._library.text(transaction, tenant, task.procedure, kept.run.definition)
            answers = completion.answers
            if task.version == completion.version:
                _may_do(_claimable(task, person), person)
                answers = check_answers(procedure.steps[task.step], completion.answers)
            done = await transaction.tasks.change(
                task.model_copy(
                    update={
                        "state": TaskState.DONE,
                        "claimed_by": person.id,
                        "claimed_by_name": person.full_name,
                        "answers": answers,
                        "completed": now,
                        "completed_by": person.id,
                        "completed_by_name": person.full_name,
                        "updated": now,
                    }
                ),
                expected_version=completion.version,
                handled_by=person.full_name,
            )
            if kept.run.state is not RunState.RUNNING:
                raise Conflict(f"The procedure is {kept.run.state.value}.", hint="Look at the incident again.")
            execution = Execution.restore(procedure, kept.engine_state, self._clock)
            key = next((one.key for one in execution.ready() if task_id(kept.run, one.key) == id), None)
            if key is None:
                raise Conflict("This task is not to be done any more.", hint="The procedure went another way.")
            passed = execution.complete(key, answers)
            progress = Progress(transaction, kept, kept.run, execution, now, person.full_name)
            progress.envelopes.append(task_envelope(done))
            await self._record(transaction, principal, done, ProcedureAction.COMPLETE, completion.id, answers)
            try:
                await progress.record(passed)
            except VersionConflict as error:
                # The task itself was ours: what moved is the procedure, by another of its tasks or by its clock.
                raise _MovedOn from error
        return done

    async def escalate(self) -> int:
        """Give late tasks to the next role as well, in every organisation; how many."""
        now = self._clock.now()
        async with self._store.view() as view:
            late = await view.tasks.late_in_installation(now)
        escalated = 0
        for task in late:
            try:
                escalated += await self._escalate(task)
            except VersionConflict:
                # Somebody took or did it at this moment; it is looked at again in the next round.
                continue
        return escalated

    async def _escalate(self, task: Task) -> bool:
        now = self._clock.now()
        further = [role for role in task.escalation if role not in task.roles]
        async with self._store.transaction() as transaction:
            run = (await transaction.procedures.run(task.tenant, task.run)).run
            update: dict[str, object] = {
                "overdue": task.overdue or now,
                "escalation": tuple(further[1:]),
                "updated": now,
            }
            if further:
                update |= {"roles": (*task.roles, further[0]), "due": now + timedelta(seconds=task.deadline_s)}
            changed = await transaction.tasks.change(
                task.model_copy(update=update), expected_version=task.version, handled_by=None
            )
            reason = f"Late: {further[0].value} may take it too." if further else "Late; nobody else is left to tell."
            await transaction.procedures.add_event(
                event_of(
                    run,
                    ProcedureAction.ESCALATE,
                    now,
                    id=derived_id("escalate", task.tenant, task.id, str(task.version)),
                    title=task.title,
                    task=changed,
                    reason=reason,
                )
            )
            await append(
                transaction,
                tenant=task.tenant,
                time=now,
                actor=ACTOR,
                action="task.escalate",
                subject=f"task:{task.id}",
                detail={"roles": [role.value for role in changed.roles], "due": task.due.isoformat()},
            )
            await transaction.outbox.add([task_envelope(changed)])
        return True

    async def _record(
        self,
        transaction: Transaction,
        principal: Principal,
        task: Task,
        action: ProcedureAction,
        id: str,
        answers: Answers,
    ) -> None:
        run = (await transaction.procedures.run(task.tenant, task.run)).run
        await transaction.procedures.add_event(
            event_of(
                run,
                action,
                task.updated,
                id=id,
                title=task.title,
                person=principal.user,
                task=task,
                answers=answers,
            )
        )
        await append(
            transaction,
            tenant=task.tenant,
            time=task.updated,
            actor=principal.actor,
            action=f"task.{action.value}",
            subject=f"task:{task.id}",
            # What was answered stands in the history; the chain keeps that something was, and under which id.
            detail={"event": id, "run": task.run, "step": task.step, "version": task.version},
        )


def _may_do(task: Task, person: User) -> None:
    if task.claimed_by not in (None, person.id):
        raise Conflict(f"{task.claimed_by_name} has this task.", hint="Ask them to give it back.")


def _claimable(task: Task, person: User) -> Task:
    """The task as this person may have it. Raises `Conflict` and `NotAllowed`."""
    if task.state not in UNDER_WAY:
        by = f" by {task.completed_by_name}" if task.completed_by_name else ""
        raise Conflict(f"This task is {task.state.value}{by}.", hint="Look at the next tasks.")
    if person.role not in task.roles:
        raise NotAllowed(
            f"this task is for the role {' or '.join(role.value for role in task.roles)}",
            hint="Ask somebody with that role.",
        )
    # Whoever got it because it was late may take it over from the one who let it become late.
    if task.overdue is not None and person.role in task.roles[1:]:
        return task.model_copy(update={"claimed_by": None, "claimed_by_name": None})
    return task


def _claimed(task: Task, person: User) -> Task:
    free = _claimable(task, person)
    _may_do(free, person)
    return free.model_copy(
        update={"state": TaskState.CLAIMED, "claimed_by": person.id, "claimed_by_name": person.full_name}
    )


def _released(task: Task, person: User) -> Task:
    if task.state is not TaskState.CLAIMED or task.claimed_by != person.id:
        raise Conflict("You have not taken this task.", hint="Only who took it gives it back.")
    return task.model_copy(update={"state": TaskState.OPEN, "claimed_by": None, "claimed_by_name": None})
