"""Procedures of an organisation: which there are, which are under way, what the clock moves on in them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import (
    Clock,
    Conflict,
    IncidentState,
    ProcedureAction,
    ProcedureEvent,
    ProcedureRun,
    RunState,
    TaskState,
    derived_id,
)
from impetus.response.definition import Procedure
from impetus.response.engine import Execution, load
from impetus.response.library import Library
from impetus.response.progress import Progress, event_of, run_envelope, task_envelope
from impetus.response.requests import Cancellation, NewRun, NewText, RunView, acting_person, check_same
from impetus.store import Store, Transaction, VersionConflict
from impetus.store.procedures import UNDER_WAY, KeptRun, ProcedureText
from impetus.store.records import Page

log = structlog.get_logger(__name__)

RUN_LIMIT = 50
"""Procedures that one incident may have."""
ACTOR = "system:procedures"


class ProcedureService:
    """What may be done with procedures. Every method is about one organisation's procedures only."""

    def __init__(self, store: Store, clock: Clock, library: Library) -> None:
        self._store = store
        self._clock = clock
        self._library = library
        self._failed: set[tuple[str, str]] = set()

    async def list(self, tenant: str) -> Mapping[str, tuple[Procedure, ProcedureText | None]]:
        """By id: each procedure as it would be started now, and the organisation's own text if it has one."""
        return await self._library.current(tenant)

    async def get(self, tenant: str, id: str, digest: str | None = None) -> Procedure:
        """One procedure, or one text of it that was published or started. Raises `NotFound`."""
        return await self._library.get(tenant, id, digest)

    async def publish(self, principal: Principal, new: NewText) -> Procedure:
        """Check a text and make it the one that is started from now on; what is under way goes on with its own.

        Raises `InvalidInput` with what is wrong and where.
        """
        person = acting_person(principal)
        # Reading, checking and walking all states is work for a moment: not on the loop that serves everyone.
        procedure = await asyncio.to_thread(load, new.content.encode())
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            before = [
                text.published
                for text in await transaction.procedures.published(principal.tenant)
                if text.procedure == procedure.id and text.published is not None
            ]
            # A clock may stand still or jump back: the text that was published last is the one that counts.
            published = max(now, *(moment + timedelta(microseconds=1) for moment in before)) if before else now
            await self._library.keep(
                transaction, principal.tenant, procedure, published=published, published_by=person.full_name
            )
            await append(
                transaction,
                tenant=principal.tenant,
                time=now,
                actor=principal.actor,
                action="procedure.publish",
                subject=f"procedure:{procedure.id}",
                detail={"hash": procedure.hash},
            )
        return procedure

    async def start(self, principal: Principal, incident: str, new: NewRun) -> ProcedureRun:
        """Start a procedure for an incident; on disk when this returns. Asking again with the same id is harmless.

        Raises `NotFound` for an unknown incident or procedure, and `Conflict` when the same procedure is under way for
        it already (about the same thing, where it says about what), or the incident is over.
        """
        person = acting_person(principal)
        tenant = principal.tenant
        procedure = await self._library.get(tenant, new.procedure)
        title = f"{procedure.title}: {new.about}"[:300] if new.about else procedure.title
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            known = await transaction.procedures.find_run(tenant, new.id)
            if known is not None:
                if (known.run.incident, known.run.procedure) != (incident, new.procedure):
                    raise Conflict("Another procedure has this id.", hint="Give every start an id of its own.")
                return known.run
            about = await transaction.incidents.get(tenant, incident)
            if about.state in (IncidentState.CLOSED, IncidentState.REVIEWED):
                raise Conflict(f"The incident is {about.state.value}.", hint="Reopen it first.")
            runs = await transaction.procedures.runs(tenant, incident=incident)
            same = (procedure.id, title)
            if any((run.procedure, run.title) == same and run.state is RunState.RUNNING for run in runs):
                raise Conflict(
                    f"'{title}' is under way for this incident already.", hint="Go on with it, or cancel it."
                )
            if len(runs) >= RUN_LIMIT:
                raise Conflict(f"The incident has {RUN_LIMIT} procedures, which is the most.", hint="Open another one.")
            await self._library.keep(transaction, tenant, procedure)
            run = ProcedureRun(
                id=new.id,
                tenant=tenant,
                incident=incident,
                procedure=procedure.id,
                definition=procedure.hash,
                title=title,
                started=now,
                started_by_name=person.full_name,
                updated=now,
            )
            execution, passed = Execution.start(procedure, self._clock)
            progress = Progress(transaction, None, run, execution, now, person.full_name)
            await transaction.procedures.add_event(
                event_of(run, ProcedureAction.START, now, id=run.id, title=run.title, person=person)
            )
            run = await progress.record(passed)
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=principal.actor,
                action="procedure.start",
                subject=f"procedure-run:{run.id}",
                detail={"procedure": procedure.id, "hash": procedure.hash, "incident": incident},
            )
        return run

    async def cancel(self, principal: Principal, id: str, cancellation: Cancellation) -> ProcedureRun:
        """End a procedure where it is, with a reason; its open tasks are cancelled.

        The same again gives the same answer. Raises `NotFound`, and `Conflict` when it is over or moved on since.
        """
        person = acting_person(principal)
        tenant = principal.tenant
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            known = await transaction.procedures.find_event(tenant, cancellation.id)
            kept = await transaction.procedures.run(tenant, id)
            if known is not None:
                check_same(known, ProcedureAction.CANCEL, person, task=None, run=id)
                return kept.run
            if kept.run.version == cancellation.version and kept.run.state is not RunState.RUNNING:
                raise Conflict(f"The procedure is {kept.run.state.value}.", hint="There is nothing to cancel.")
            ended = kept.run.model_copy(
                update={"state": RunState.CANCELLED, "current": (), "ended": now, "updated": now}
            )
            run = await transaction.procedures.change_run(
                KeptRun(ended, kept.engine_state, None),
                expected_version=cancellation.version,
                handled_by=person.full_name,
            )
            envelopes = [run_envelope(run)]
            for task in await transaction.tasks.of_run(tenant, id):
                if task.state in UNDER_WAY:
                    gone = await transaction.tasks.change(
                        task.model_copy(update={"state": TaskState.CANCELLED, "updated": now}),
                        expected_version=task.version,
                        handled_by=person.full_name,
                    )
                    envelopes.append(task_envelope(gone))
            await transaction.procedures.add_event(
                event_of(
                    run,
                    ProcedureAction.CANCEL,
                    now,
                    id=cancellation.id,
                    title=run.title,
                    person=person,
                    reason=cancellation.reason,
                )
            )
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=principal.actor,
                action="procedure.cancel",
                subject=f"procedure-run:{id}",
                detail={"reason": cancellation.reason},
            )
            await transaction.outbox.add(envelopes)
        return run

    async def of_incident(self, tenant: str, incident: str) -> Sequence[RunView]:
        """The procedures of an incident with their tasks and history. Raises `NotFound`."""
        async with self._store.view() as view:
            await view.incidents.get(tenant, incident)
            return [await self._view(view, run) for run in await view.procedures.runs(tenant, incident=incident)]

    async def run(self, tenant: str, id: str) -> RunView:
        """One procedure under way with its tasks and history. Raises `NotFound`."""
        async with self._store.view() as view:
            return await self._view(view, (await view.procedures.run(tenant, id)).run)

    async def runs(
        self, tenant: str, states: Sequence[RunState], *, limit: int, after: str | None
    ) -> Page[ProcedureRun]:
        """A page of procedures under way or over, started last first. Raises `InvalidInput`."""
        async with self._store.view() as view:
            return await view.procedures.list_runs(tenant, states=states, limit=limit, after=after)

    async def _view(self, view: Transaction, run: ProcedureRun) -> RunView:
        tasks = await view.tasks.of_run(run.tenant, run.id)
        events: Sequence[ProcedureEvent] = await view.procedures.events(run.tenant, run.id)
        return RunView(run, tasks, events)

    async def move_on(self) -> int:
        """Let timers and limits that ran out take effect, in every organisation; how many procedures moved on."""
        async with self._store.view() as view:
            waking = await view.procedures.waking_in_installation(self._clock.now())
        moved = 0
        for tenant, id in waking:
            if (tenant, id) in self._failed:
                continue
            try:
                moved += await self._tick(tenant, id)
            except VersionConflict:
                # A person moved it on at this moment; it is looked at again in the next round.
                continue
            except Exception:
                # One procedure that cannot go on must not stop the clocks of all others.
                self._failed.add((tenant, id))
                log.exception("a procedure's timer failed", tenant=tenant, run=id)
        return moved

    async def _tick(self, tenant: str, id: str) -> bool:
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            kept = await transaction.procedures.run(tenant, id)
            if kept.wake is None or kept.wake > now or kept.run.state is not RunState.RUNNING:
                return False
            procedure = await self._library.text(transaction, tenant, kept.run.procedure, kept.run.definition)
            execution = Execution.restore(procedure, kept.engine_state, self._clock)
            waited = {step.id for step in execution.waiting()}
            passed = execution.tick()
            run = await Progress(transaction, kept, kept.run, execution, now, None).record(passed)
            over = sorted(waited - set(run.current))
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=ACTOR,
                action="procedure.time",
                subject=f"procedure-run:{id}",
                detail={"waited": over},
            )
            for step in over:
                await transaction.procedures.add_event(
                    event_of(
                        run,
                        ProcedureAction.ESCALATE,
                        now,
                        id=derived_id("time", tenant, id, step, str(run.version)),
                        title=procedure.steps[step].name,
                        step=step,
                        reason="The time was up.",
                    )
                )
        return True
