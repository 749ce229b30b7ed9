"""Procedures of an organisation: their texts, those under way, their tasks, and what happened to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import NotFound, ProcedureEvent, ProcedureRun, RunState, Task, TaskState, to_microseconds
from impetus.store.database import changed_rows, insert_if_absent
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import Page, VersionConflict
from impetus.store.tables import Moment
from impetus.store.tables import procedure_event as event_table
from impetus.store.tables import procedure_run as run_table
from impetus.store.tables import procedure_version as version_table
from impetus.store.tables import task as task_table

HINT = "It may belong to another organisation."
UNDER_WAY = (TaskState.OPEN, TaskState.CLAIMED)


@dataclass(frozen=True, slots=True)
class ProcedureText:
    """One text of a procedure."""

    procedure: str
    hash: str
    """SHA-256 of `content`."""
    content: bytes
    published: datetime | None
    """None: it came with impetus and was only kept because it was started."""
    published_by: str | None


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A procedure under way, with what the engine needs to go on."""

    run: ProcedureRun
    engine_state: str
    wake: datetime | None

    @property
    def tenant(self) -> str:
        """The organisation that started it."""
        return self.run.tenant


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to list; an empty field does not restrict."""

    states: tuple[TaskState, ...] = ()
    incident: str | None = None
    claimed_by: str | None = None


class ProcedureRepository:
    """Texts of procedures, procedures under way, and what happened to them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, tenant: str, text: ProcedureText, *, now: datetime) -> None:
        """Keep a text; one that is kept already becomes the published one if it is published again."""
        row = {
            "tenant": tenant,
            "procedure": text.procedure,
            "hash": text.hash,
            "kept": now,
            "published": text.published,
            "published_by": text.published_by,
            "content": text.content,
        }
        added = await changed_rows(self._connection, insert_if_absent(self._connection, version_table).values(row))
        if not added and text.published is not None:
            await self._connection.execute(
                update(version_table)
                .where(
                    version_table.c.tenant == tenant,
                    version_table.c.procedure == text.procedure,
                    version_table.c.hash == text.hash,
                )
                .values(published=text.published, published_by=text.published_by)
            )

    async def text(self, tenant: str, procedure: str, digest: str) -> ProcedureText:
        """One text. Raises `NotFound`."""
        query = select(version_table).where(
            version_table.c.tenant == tenant, version_table.c.procedure == procedure, version_table.c.hash == digest
        )
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"there is no such text of the procedure {procedure}", hint=HINT)
        return _text(row)

    async def published(self, tenant: str) -> Sequence[ProcedureText]:
        """The newest text of each procedure that the organisation published itself."""
        query = (
            select(version_table)
            .where(version_table.c.tenant == tenant, version_table.c.published.is_not(None))
            .order_by(version_table.c.published, version_table.c.hash)
        )
        newest = {row.procedure: _text(row) for row in await self._connection.execute(query)}
        return list(newest.values())

    async def add_run(self, kept: KeptRun) -> bool:
        """Keep a new run; false if its id is there already, which is then left alone."""
        row = _run_row(kept) | {"handled_by": kept.run.started_by_name}
        return await changed_rows(self._connection, insert_if_absent(self._connection, run_table).values(row)) == 1

    async def find_run(self, tenant: str, id: str) -> KeptRun | None:
        """The run, if this organisation has it."""
        query = select(run_table.c.content, run_table.c.engine_state, run_table.c.wake).where(
            run_table.c.tenant == tenant, run_table.c.id == id
        )
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else KeptRun(ProcedureRun.model_validate_json(row.content), *row[1:])

    async def run(self, tenant: str, id: str) -> KeptRun:
        """The run. Raises `NotFound`, also when another organisation has it."""
        kept = await self.find_run(tenant, id)
        if kept is None:
            raise NotFound(f"there is no procedure {id} under way", hint=HINT)
        return kept

    async def change_run(self, kept: KeptRun, *, expected_version: int, handled_by: str | None) -> ProcedureRun:
        """Replace a run that has `expected_version`; afterwards it has the next one.

        Raises `VersionConflict` when something else happened to it first.
        """
        run = kept.run.model_copy(update={"version": expected_version + 1})
        statement = (
            update(run_table)
            .where(run_table.c.tenant == run.tenant, run_table.c.id == run.id, run_table.c.version == expected_version)
            .values(_run_row(KeptRun(run, kept.engine_state, kept.wake)) | {"handled_by": handled_by})
        )
        if not await changed_rows(self._connection, statement):
            now = (await self.run(run.tenant, run.id)).run
            query = select(run_table.c.handled_by).where(run_table.c.tenant == run.tenant, run_table.c.id == run.id)
            person = (await self._connection.execute(query)).scalar_one()
            raise VersionConflict(
                f"{person or 'the clock'} moved this procedure on first: it is {now.state.value} now",
                state=now.state.value,
                version=now.version,
                handled_by=person,
            )
        return run

    async def runs(self, tenant: str, *, incident: str) -> Sequence[ProcedureRun]:
        """The procedures of an incident, started first first."""
        query = (
            select(run_table.c.content)
            .where(run_table.c.tenant == tenant, run_table.c.incident == incident)
            .order_by(run_table.c.started, run_table.c.id)
        )
        return [ProcedureRun.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def list_runs(
        self, tenant: str, *, states: Sequence[RunState] = (), limit: int = 100, after: str | None = None
    ) -> Page[ProcedureRun]:
        """A page of procedures, started last first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(run_table.c.content).where(run_table.c.tenant == tenant)
        if states:
            query = query.where(run_table.c.state.in_([state.value for state in states]))
        if after is not None:
            value, id = read_cursor("started", after)
            query = query.where(tuple_(run_table.c.started, run_table.c.id) < tuple_(_moment(value), id))
        query = query.order_by(run_table.c.started.desc(), run_table.c.id.desc()).limit(limit + 1)
        found = [ProcedureRun.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            last = found[limit - 1]
            following = write_cursor("started", to_microseconds(last.started), last.id)
        return Page(tuple(found[:limit]), following)

    async def waking_in_installation(self, until: datetime, limit: int = 100) -> Sequence[tuple[str, str]]:
        """Tenant and id of runs whose timer has run out."""
        query = (
            select(run_table.c.tenant, run_table.c.id)
            .where(run_table.c.wake <= until)
            .order_by(run_table.c.wake, run_table.c.id)
            .limit(limit)
        )
        return [(tenant, id) for tenant, id in await self._connection.execute(query)]

    async def add_event(self, event: ProcedureEvent) -> bool:
        """Keep what happened; false if this id is there already, which is then left alone."""
        statement = insert_if_absent(self._connection, event_table).values(
            tenant=event.tenant, id=event.id, run=event.run, time=event.time, content=event.model_dump_json()
        )
        return await changed_rows(self._connection, statement) == 1

    async def find_event(self, tenant: str, id: str) -> ProcedureEvent | None:
        """What happened under this id: then it was asked for again."""
        query = select(event_table.c.content).where(event_table.c.tenant == tenant, event_table.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else ProcedureEvent.model_validate_json(content)

    async def events(self, tenant: str, run: str) -> Sequence[ProcedureEvent]:
        """All that happened to a run, in order."""
        query = (
            select(event_table.c.content)
            .where(event_table.c.tenant == tenant, event_table.c.run == run)
            .order_by(event_table.c.time, event_table.c.id)
        )
        return [ProcedureEvent.model_validate_json(row.content) for row in await self._connection.execute(query)]


class TaskRepository:
    """Tasks of procedures."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, task: Task) -> bool:
        """Keep a new task; false if its id is there already, which is then left alone."""
        statement = insert_if_absent(self._connection, task_table).values(_task_row(task) | {"handled_by": None})
        return await changed_rows(self._connection, statement) == 1

    async def get(self, tenant: str, id: str) -> Task:
        """The task. Raises `NotFound`, also when another organisation has it."""
        query = select(task_table.c.content).where(task_table.c.tenant == tenant, task_table.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        if content is None:
            raise NotFound(f"there is no task {id}", hint=HINT)
        return Task.model_validate_json(content)

    async def change(self, task: Task, *, expected_version: int, handled_by: str | None) -> Task:
        """Replace a task that has `expected_version`; afterwards it has the next one.

        Raises `NotFound`, and `VersionConflict` when somebody else changed it first.
        """
        changed = task.model_copy(update={"version": expected_version + 1})
        statement = (
            update(task_table)
            .where(
                task_table.c.tenant == task.tenant,
                task_table.c.id == task.id,
                task_table.c.version == expected_version,
            )
            .values(_task_row(changed) | {"handled_by": handled_by})
        )
        if not await changed_rows(self._connection, statement):
            now = await self.get(task.tenant, task.id)
            query = select(task_table.c.handled_by).where(
                task_table.c.tenant == task.tenant, task_table.c.id == task.id
            )
            person = (await self._connection.execute(query)).scalar_one()
            raise VersionConflict(
                f"{person or 'the clock'} changed this task first: it is {now.state.value} now",
                state=now.state.value,
                version=now.version,
                handled_by=person,
            )
        return changed

    async def of_run(self, tenant: str, run: str) -> Sequence[Task]:
        """All tasks of a run, made first first."""
        query = (
            select(task_table.c.content)
            .where(task_table.c.tenant == tenant, task_table.c.run == run)
            .order_by(task_table.c.created, task_table.c.id)
        )
        return [Task.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def list(self, tenant: str, wanted: TaskFilter, *, limit: int = 100, after: str | None = None) -> Page[Task]:
        """A page of tasks, made last first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(task_table.c.content).where(task_table.c.tenant == tenant)
        if wanted.states:
            query = query.where(task_table.c.state.in_([state.value for state in wanted.states]))
        if wanted.incident is not None:
            query = query.where(task_table.c.incident == wanted.incident)
        if wanted.claimed_by is not None:
            query = query.where(task_table.c.claimed_by == wanted.claimed_by)
        if after is not None:
            value, id = read_cursor("created", after)
            query = query.where(tuple_(task_table.c.created, task_table.c.id) < tuple_(_moment(value), id))
        query = query.order_by(task_table.c.created.desc(), task_table.c.id.desc()).limit(limit + 1)
        found = [Task.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            last = found[limit - 1]
            following = write_cursor("created", to_microseconds(last.created), last.id)
        return Page(tuple(found[:limit]), following)

    async def late_in_installation(self, until: datetime, limit: int = 100) -> Sequence[Task]:
        """Tasks under way whose deadline has passed and was not dealt with."""
        query = (
            select(task_table.c.content)
            .where(task_table.c.watch <= until)
            .order_by(task_table.c.watch, task_table.c.id)
            .limit(limit)
        )
        return [Task.model_validate_json(row.content) for row in await self._connection.execute(query)]


def _moment(microseconds: float) -> Any:
    return bindparam("key", int(microseconds), Moment.impl)


def _text(row: Any) -> ProcedureText:
    return ProcedureText(row.procedure, row.hash, row.content, row.published, row.published_by)


def _run_row(kept: KeptRun) -> dict[str, object]:
    run = kept.run
    return {
        "tenant": run.tenant,
        "id": run.id,
        "incident": run.incident,
        "procedure": run.procedure,
        "state": run.state.value,
        "version": run.version,
        "started": run.started,
        "wake": kept.wake,
        "content": run.model_dump_json(),
        "engine_state": kept.engine_state,
    }


def _task_row(task: Task) -> dict[str, object]:
    # Who had all the roles that there are cannot be told again: the task stays late, and nothing more happens.
    waits = task.state in UNDER_WAY and (task.overdue is None or task.escalation)
    return {
        "tenant": task.tenant,
        "id": task.id,
        "run": task.run,
        "incident": task.incident,
        "state": task.state.value,
        "claimed_by": task.claimed_by,
        "version": task.version,
        "created": task.created,
        "watch": task.due if waits else None,
        "content": task.model_dump_json(),
    }
