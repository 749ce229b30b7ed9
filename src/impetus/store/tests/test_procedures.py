"""Protects: procedures, their tasks and their texts on each database: nobody else's, nothing overwritten in silence."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from impetus.model import (
    InvalidInput,
    NotFound,
    ProcedureAction,
    ProcedureEvent,
    ProcedureRun,
    Role,
    RunState,
    Task,
    TaskState,
)
from impetus.store import Store, VersionConflict
from impetus.store.procedures import KeptRun, ProcedureText, TaskFilter
from impetus.store.tests.conftest import NOW

DIGEST = "a" * 64


def run(**changes: Any) -> ProcedureRun:
    return ProcedureRun(
        **{
            "id": "run-1",
            "tenant": "police",
            "incident": "incident-1",
            "procedure": "gunman",
            "definition": DIGEST,
            "title": "Gunman",
            "started": NOW,
            "started_by_name": "Anna",
            "updated": NOW,
            **changes,
        }
    )


def task(**changes: Any) -> Task:
    return Task(
        **{
            "id": "task-1",
            "tenant": "police",
            "run": "run-1",
            "incident": "incident-1",
            "procedure": "gunman",
            "procedure_title": "Gunman",
            "step": "verify",
            "title": "Verify",
            "instruction": "Look.",
            "organisation": "police",
            "roles": (Role.OPERATOR,),
            "escalation": (Role.SUPERVISOR,),
            "deadline_s": 60,
            "due": NOW + timedelta(seconds=60),
            "created": NOW,
            "updated": NOW,
            **changes,
        }
    )


async def test_the_newest_published_text_counts_and_every_text_stays(store: Store) -> None:
    async with store.transaction() as transaction:
        for number, digest in enumerate("abc"):
            published = NOW + timedelta(seconds=number) if digest != "c" else None
            text = ProcedureText("gunman", digest * 64, digest.encode(), published, "Anna" if published else None)
            await transaction.procedures.keep("police", text, now=NOW)
    async with store.view() as view:
        (newest,) = await view.procedures.published("police")
        assert newest.content == b"b"
        assert (await view.procedures.text("police", "gunman", "c" * 64)).published is None
        assert await view.procedures.published("fire") == []
        with pytest.raises(NotFound):
            await view.procedures.text("fire", "gunman", "b" * 64)
    # Published again, an older text is the one that counts.
    async with store.transaction() as transaction:
        again = ProcedureText("gunman", "a" * 64, b"a", NOW + timedelta(hours=1), "Bo")
        await transaction.procedures.keep("police", again, now=NOW)
        (newest,) = await transaction.procedures.published("police")
        assert (newest.content, newest.published_by) == (b"a", "Bo")


async def test_two_who_move_a_run_or_a_task_at_once_do_not_overwrite_each_other(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.procedures.add_run(KeptRun(run(), "{}", None))
        assert not await transaction.procedures.add_run(KeptRun(run(title="Other"), "{}", None))
        assert await transaction.tasks.add(task())
        assert not await transaction.tasks.add(task(title="Other"))

    async def move(name: str) -> None:
        async with store.transaction() as transaction:
            claimed = task(state=TaskState.CLAIMED, claimed_by=name, claimed_by_name=name)
            await transaction.tasks.change(claimed, expected_version=1, handled_by=name)
            ended = run(state=RunState.COMPLETED, ended=NOW)
            await transaction.procedures.change_run(KeptRun(ended, name, None), expected_version=1, handled_by=name)

    answers = await asyncio.gather(*(move(name) for name in ("anna", "bo", "carl")), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, VersionConflict)]
    assert len(refused) == 2
    async with store.view() as view:
        kept = await view.procedures.run("police", "run-1")
        winner = kept.engine_state
        assert (kept.run.version, kept.run.state, kept.run.title) == (2, RunState.COMPLETED, "Gunman")
        changed = await view.tasks.get("police", "task-1")
        assert (changed.version, changed.claimed_by) == (2, winner)
    assert all(winner in str(error) for error in refused)


async def test_timers_and_deadlines_are_found_in_every_organisation_and_only_while_they_wait(store: Store) -> None:
    async with store.transaction() as transaction:
        for tenant in ("police", "fire"):
            await transaction.procedures.add_run(KeptRun(run(tenant=tenant), "{}", NOW + timedelta(minutes=1)))
            await transaction.tasks.add(task(tenant=tenant))
        await transaction.procedures.add_run(KeptRun(run(id="run-2"), "{}", None))
        await transaction.tasks.add(task(id="task-2", state=TaskState.DONE))
        # Late, and every role has it: there is nobody left to give it to.
        await transaction.tasks.add(task(id="task-3", overdue=NOW, escalation=()))
    async with store.view() as view:
        before, after = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)
        assert await view.procedures.waking_in_installation(before) == []
        assert await view.tasks.late_in_installation(before) == []
        waking = await view.procedures.waking_in_installation(after)
        assert sorted(waking) == [("fire", "run-1"), ("police", "run-1")]
        late = await view.tasks.late_in_installation(after)
        assert sorted((one.tenant, one.id) for one in late) == [("fire", "task-1"), ("police", "task-1")]
        assert len(await view.tasks.late_in_installation(after, limit=1)) == 1


async def test_lists_are_paged_without_gap_or_double_and_show_nobody_elses(store: Store) -> None:
    async with store.transaction() as transaction:
        for number in range(25):
            moment = NOW + timedelta(seconds=number // 3)
            state = RunState.RUNNING if number % 2 else RunState.CANCELLED
            await transaction.procedures.add_run(
                KeptRun(run(id=f"run-{number}", started=moment, state=state), "", None)
            )
            claimed = {"state": TaskState.CLAIMED, "claimed_by": "anna"} if number % 2 else {}
            await transaction.tasks.add(
                task(id=f"task-{number}", run=f"run-{number}", created=moment, incident=f"i{number % 5}", **claimed)
            )
        await transaction.procedures.add_run(KeptRun(run(tenant="fire"), "", None))
        await transaction.tasks.add(task(tenant="fire"))
    async with store.view() as view:
        for kind in ("runs", "tasks"):
            found, after = [], None
            while True:
                page: Any = (
                    await view.procedures.list_runs("police", limit=4, after=after)
                    if kind == "runs"
                    else await view.tasks.list("police", TaskFilter(), limit=4, after=after)
                )
                found += [one.id for one in page.items]
                after = page.next
                if after is None:
                    break
            assert len(found) == len(set(found)) == 25
            assert found[0].endswith("-24")
        assert len((await view.procedures.list_runs("police", states=[RunState.RUNNING])).items) == 12
        assert len((await view.tasks.list("police", TaskFilter(states=(TaskState.OPEN,)))).items) == 13
        assert len((await view.tasks.list("police", TaskFilter(claimed_by="anna", incident="i1"))).items) == 3
        assert [one.id for one in await view.tasks.of_run("police", "run-7")] == ["task-7"]
        assert await view.tasks.of_run("fire", "run-7") == []
        assert len(await view.procedures.runs("police", incident="incident-1")) == 25
        with pytest.raises(InvalidInput):
            await view.tasks.list("police", TaskFilter(), after="nonsense")
        with pytest.raises(NotFound):
            await view.tasks.get("fire", "task-7")
        with pytest.raises(NotFound):
            await view.procedures.run("fire", "run-7")


async def test_what_happened_is_kept_once_and_in_order(store: Store) -> None:
    def event(id: str, seconds: int) -> ProcedureEvent:
        time = NOW + timedelta(seconds=seconds)
        return ProcedureEvent(
            id=id, tenant="police", run="run-1", action=ProcedureAction.CLAIM, time=time, title=id, person="p"
        )

    async with store.transaction() as transaction:
        for id, seconds in (("late", 5), ("early", 1)):
            assert await transaction.procedures.add_event(event(id, seconds))
        assert not await transaction.procedures.add_event(event("late", 0))
    async with store.view() as view:
        assert [one.id for one in await view.procedures.events("police", "run-1")] == ["early", "late"]
        assert await view.procedures.events("fire", "run-1") == []
        assert await view.procedures.find_event("fire", "late") is None
