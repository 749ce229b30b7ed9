"""Protects: a procedure goes on exactly once a step, by whom it may, whatever stops, is edited or is late meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from impetus.governance import installation_principal
from impetus.governance.audit import verify
from impetus.model import Conflict, InvalidInput, NotAllowed, NotFound, Role, RunState, TaskState, new_id
from impetus.response.engine import VISITS_LIMIT
from impetus.response.requests import Cancellation, Completion, NewRun, TaskScope, TaskStep
from impetus.response.runtime import Procedures
from impetus.response.tests.building import LIMITED, LOOP, SIMPLE, TWO_AT_ONCE
from impetus.response.tests.conftest import Room


async def test_a_procedure_is_started_done_and_told(room: Room) -> None:
    await room.publish(SIMPLE)
    run = await room.start()
    (task,) = await room.tasks(run)
    assert task.roles == (Role.OPERATOR,)
    assert (task.due - room.clock.now()).total_seconds() == 300
    await room.complete("olivia", task, answer="yes")
    view = await room.procedures.service.run("municipality", run.id)
    assert (view.run.state, view.run.outcome) == (RunState.COMPLETED, "End")
    assert view.tasks[0].answers == {"answer": "yes"}
    assert [event.action.value for event in view.events] == ["start", "complete"]
    assert [event.person_name for event in view.events] == ["Olivia Example"] * 2
    kinds = await room.messages()
    assert kinds.count("task") == 2
    assert kinds.count("procedure") == 2
    assert (await verify(room.store)).findings == ()


async def test_starting_twice_is_starting_once(room: Room) -> None:
    await room.publish(SIMPLE)
    incident = await room.incident()
    new = NewRun(procedure="a-test")
    olivia = room.person("olivia")
    first = await room.procedures.service.start(olivia, incident, new)
    assert await room.procedures.service.start(olivia, incident, new) == first
    with pytest.raises(Conflict, match="under way"):
        await room.procedures.service.start(olivia, incident, NewRun(procedure="a-test"))
    with pytest.raises(Conflict, match="this id"):
        await room.procedures.service.start(olivia, await room.incident(), new)
    with pytest.raises(NotFound):
        await room.procedures.service.start(olivia, "unknown", NewRun(procedure="a-test"))
    with pytest.raises(NotFound):
        await room.procedures.service.start(olivia, incident, NewRun(procedure="unknown"))
    with pytest.raises(NotAllowed):
        await room.procedures.service.start(installation_principal(), incident, NewRun(procedure="a-test"))


async def test_one_procedure_may_be_under_way_for_several_things_of_an_incident(room: Room) -> None:
    await room.publish(SIMPLE)
    incident = await room.incident()
    olivia = room.person("olivia")
    start = room.procedures.service.start
    for measure in ("Patch the recorder", "Isolate the old gate"):
        run = await start(olivia, incident, NewRun(procedure="a-test", about=measure))
        (task,) = await room.tasks(run)
        assert run.title.endswith(f": {measure}")
        assert task.procedure_title == run.title
    with pytest.raises(Conflict, match="Isolate the old gate"):
        await start(olivia, incident, NewRun(procedure="a-test", about="Isolate the old gate"))


async def test_completing_twice_is_completing_once(room: Room) -> None:
    await room.publish(LOOP)
    run = await room.start()
    (task,) = await room.tasks(run)
    completion = Completion(version=1, answers={"answer": "no"})
    olivia = room.person("olivia")
    first = await room.procedures.tasks.complete(olivia, task.id, completion)
    assert await room.procedures.tasks.complete(olivia, task.id, completion) == first
    assert len(await room.tasks(run)) == 1
    with pytest.raises(Conflict, match="id"):
        await room.procedures.tasks.complete(room.person("omar"), task.id, completion)


async def test_two_people_complete_one_task_at_once(room: Room) -> None:
    await room.publish(LOOP)
    run = await room.start()
    (task,) = await room.tasks(run)
    results = await asyncio.gather(
        *(room.complete(name, task, answer="no") for name in ("olivia", "omar")), return_exceptions=True
    )
    (refused,) = [one for one in results if isinstance(one, BaseException)]
    assert isinstance(refused, Conflict)
    assert "Example" in refused.message
    assert len(await room.tasks(run)) == 1
    view = await room.procedures.service.run("municipality", run.id)
    assert [task.state for task in view.tasks].count(TaskState.DONE) == 1


async def test_two_tasks_of_one_procedure_are_completed_at_once(room: Room) -> None:
    await room.publish(TWO_AT_ONCE)
    run = await room.start()
    by_role = {task.roles[0]: task for task in await room.tasks(run)}
    await asyncio.gather(
        room.complete("olivia", by_role[Role.OPERATOR]), room.complete("sofia", by_role[Role.SUPERVISOR])
    )
    assert (await room.procedures.service.run("municipality", run.id)).run.state is RunState.COMPLETED


async def test_a_task_is_taken_by_one_and_given_back(room: Room) -> None:
    await room.publish(SIMPLE)
    run = await room.start()
    (task,) = await room.tasks(run)
    tasks = room.procedures.tasks
    step = TaskStep(version=1)
    taken = await tasks.claim(room.person("olivia"), task.id, step)
    assert (taken.state, taken.claimed_by_name, taken.version) == (TaskState.CLAIMED, "Olivia Example", 2)
    assert (await tasks.claim(room.person("olivia"), task.id, step)).version == 2
    with pytest.raises(Conflict, match="Olivia Example"):
        await tasks.claim(room.person("omar"), task.id, TaskStep(version=1))
    with pytest.raises(Conflict, match="Olivia Example has"):
        await tasks.claim(room.person("omar"), task.id, TaskStep(version=2))
    with pytest.raises(Conflict, match="Olivia Example has"):
        await room.complete("omar", taken, answer="yes")
    with pytest.raises(Conflict, match="not taken"):
        await tasks.release(room.person("omar"), task.id, TaskStep(version=2))
    free = await tasks.release(room.person("olivia"), task.id, TaskStep(version=2))
    assert (free.state, free.claimed_by) == (TaskState.OPEN, None)
    with pytest.raises(NotAllowed):
        await tasks.claim(room.person("sofia"), task.id, TaskStep(version=3))
    with pytest.raises(NotFound):
        await tasks.claim(room.person("pia"), task.id, TaskStep(version=3))


@pytest.mark.parametrize(
    "answers", [{}, {"answer": "maybe"}, {"answer": " "}, {"answer": 1.0}, {"answer": "yes", "other": "x"}]
)
async def test_wrong_answers_are_refused_and_nothing_is_done(room: Room, answers: dict[str, str | float]) -> None:
    await room.publish(SIMPLE)
    run = await room.start()
    (task,) = await room.tasks(run)
    with pytest.raises(InvalidInput):
        await room.procedures.tasks.complete(room.person("olivia"), task.id, Completion(version=1, answers=answers))
    assert [one.version for one in await room.tasks(run)] == [1]


async def test_it_goes_on_after_a_restart(room: Room) -> None:
    await room.publish(LOOP)
    run = await room.start()
    (task,) = await room.tasks(run)
    await room.complete("olivia", task, answer="no")
    # Everything that was in memory is gone; what was not yet completed is there.
    room.procedures = Procedures.create(room.store, room.clock)
    (task,) = await room.tasks(run)
    await room.complete("omar", task, answer="yes")
    assert (await room.procedures.service.run("municipality", run.id)).run.state is RunState.COMPLETED


async def test_a_procedure_that_is_edited_while_it_runs_goes_on_as_it_was(room: Room) -> None:
    first = await room.publish(LOOP)
    run = await room.start()
    second = await room.publish(LIMITED)
    room.procedures = Procedures.create(room.store, room.clock)
    assert first != second
    assert run.definition == first
    (task,) = await room.tasks(run)
    await room.complete("olivia", task, answer="no")
    (task,) = await room.tasks(run)
    assert task.fields
    await room.complete("olivia", task, answer="yes")
    done = (await room.procedures.service.run("municipality", run.id)).run
    assert (done.state, done.definition) == (RunState.COMPLETED, first)
    assert (await room.start()).definition == second
    # Published again, the first text is the one that is started.
    assert await room.publish(LOOP) == first
    assert (await room.start()).definition == first


async def test_a_loop_ends_after_so_many_rounds(room: Room) -> None:
    await room.publish(LOOP)
    run = await room.start()
    for _ in range(VISITS_LIMIT - 1):
        (task,) = await room.tasks(run)
        await room.complete("olivia", task, answer="no")
    (task,) = await room.tasks(run)
    with pytest.raises(Conflict, match="came up"):
        await room.complete("olivia", task, answer="no")
    assert [one.id for one in await room.tasks(run)] == [task.id]
    await room.complete("olivia", task, answer="yes")
    assert (await room.procedures.service.run("municipality", run.id)).run.state is RunState.COMPLETED


async def test_a_late_task_climbs_to_the_next_role(room: Room) -> None:
    await room.publish(SIMPLE)
    run = await room.start()
    (task,) = await room.tasks(run)
    taken = await room.procedures.tasks.claim(room.person("olivia"), task.id, TaskStep(version=1))
    assert await room.procedures.watch_once() == 0
    room.clock.advance(301)
    assert await room.procedures.watch_once() == 1
    (late,) = await room.tasks(run)
    assert late.roles == (Role.OPERATOR, Role.SUPERVISOR)
    assert late.overdue == room.clock.now()
    assert late.claimed_by == taken.claimed_by
    assert (late.due - room.clock.now()).total_seconds() == 300
    assert await room.procedures.watch_once() == 0
    found = await room.procedures.tasks.list(
        room.person("sofia"), TaskScope.ROLE, states=(), incident=None, limit=10, after=None
    )
    assert [one.id for one in found.items] == [task.id]
    # Nobody is left after the supervisor: it is told once that it is late, and stays.
    room.clock.advance(10_000)
    assert await room.procedures.watch_once() == 0
    mine = await room.procedures.tasks.claim(room.person("sofia"), task.id, TaskStep(version=late.version))
    assert mine.claimed_by_name == "Sofia Example"
    await room.complete("sofia", mine, answer="yes")
    view = await room.procedures.service.run("municipality", run.id)
    assert [event.action.value for event in view.events] == ["start", "claim", "escalate", "claim", "complete"]
    assert view.events[2].person is None
    assert (await verify(room.store)).findings == ()


async def test_a_limit_ends_its_task_and_a_timer_waits_by_our_clock(room: Room) -> None:
    await room.publish(LIMITED)
    run = await room.start()
    (task,) = await room.tasks(run)
    room.clock.advance(599)
    await room.procedures.watch_once()
    assert [one.id for one in await room.tasks(run)] == [task.id]
    room.clock.advance(2)
    # The clock that counts is the one after a restart, too.
    room.procedures = Procedures.create(room.store, room.clock)
    await room.procedures.watch_once()
    view = await room.procedures.service.run("municipality", run.id)
    assert view.tasks[0].state is TaskState.CANCELLED
    assert view.run.current == ("pause",)
    with pytest.raises(Conflict):
        await room.complete("olivia", task)
    room.clock.advance(3_601)
    await room.procedures.watch_once()
    done = (await room.procedures.service.run("municipality", run.id)).run
    assert (done.state, done.outcome) == (RunState.COMPLETED, "Late")
    assert await room.procedures.watch_once() == 0


async def test_a_cancelled_procedure_cancels_its_tasks(room: Room) -> None:
    await room.publish(TWO_AT_ONCE)
    run = await room.start()
    tasks = await room.tasks(run)
    cancellation = Cancellation(reason="It was an exercise.", version=run.version)
    service = room.procedures.service
    cancelled = await service.cancel(room.person("sofia"), run.id, cancellation)
    assert cancelled.state is RunState.CANCELLED
    assert await service.cancel(room.person("sofia"), run.id, cancellation) == cancelled
    assert await room.tasks(run) == []
    with pytest.raises(Conflict):
        await room.complete("olivia", tasks[0])
    with pytest.raises(Conflict):
        await service.cancel(
            room.person("sofia"), run.id, Cancellation(id=new_id(), reason="x", version=cancelled.version)
        )
    room.clock.advance(100_000)
    assert await room.procedures.watch_once() == 0


async def test_organisations_have_procedures_of_their_own(room: Room) -> None:
    await room.publish(SIMPLE)
    run = await room.start()
    service = room.procedures.service
    assert "a-test" not in await service.list("police")
    with pytest.raises(NotFound):
        await service.run("police", run.id)
    with pytest.raises(NotFound):
        await service.of_incident("police", run.incident)
    with pytest.raises(NotFound):
        await service.get("police", "a-test", run.definition)


async def test_a_shipped_procedure_drafts_and_asks_and_touches_nobody(room: Room) -> None:
    run = await room.start("gunman")
    (task,) = await room.tasks(run)
    await room.complete("olivia", task, sighting="weapon")
    view = await room.procedures.service.run("municipality", run.id)
    assert {task.step for task in view.tasks if task.state is TaskState.OPEN} == {"call_police", "approve_public"}
    assert "the place of the incident" in view.run.drafts[0].text
    kinds = await room.messages()
    assert kinds.count("simulation-request") == 1
    assert set(kinds) == {"task", "procedure", "simulation-request"}
