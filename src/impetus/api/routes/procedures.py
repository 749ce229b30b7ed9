"""Procedures: which there are and how they are drawn, those of an incident, and the tasks that people do in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, Paging, PathId, PathSlug, items_response, one
from impetus.api.resource import Resource
from impetus.model import Permission, ProcedureEvent, ProcedureRun, Role, RunState, Task, TaskField, TaskState, UtcTime
from impetus.response.definition import Flow, Procedure, Step, StepKind
from impetus.response.requests import Cancellation, Completion, NewRun, NewText, RunView, Sending, TaskScope, TaskStep
from impetus.store.procedures import ProcedureText

resource = Resource("/procedures", "procedures")
runs = Resource("/runs", "procedures")
of_incident = Resource("/incidents", "procedures")
tasks = Resource("/tasks", "tasks")

Digest = Annotated[
    str | None,
    Query(pattern=r"^[0-9a-f]{64}$", description="One text of it, as `definition` of a run says; else the newest."),
]


StepId = Annotated[str, Path(max_length=128, description="Id of the step that drafted it.")]


class ProcedureSummary(BaseModel):
    """A procedure as it would be started now."""

    id: str
    title: str
    summary: str
    hash: str
    """SHA-256 of its text."""
    tasks: int
    roles: list[Role]
    """Who has something to do in it."""
    published: UtcTime | None
    """When the organisation published its own text; null: it is the one that comes with impetus."""
    published_by: str | None


class DrawnStep(BaseModel):
    """One step of a procedure and where it is drawn."""

    id: str
    kind: StepKind
    name: str
    x: float
    y: float
    width: float
    height: float
    attached_to: str | None = None
    wait_s: float | None = None
    role: Role | None = None
    organisation: str | None = None
    deadline_s: float | None = None
    escalation: list[Role] = []
    instruction: str = ""
    assess: str = ""
    fields: list[TaskField] = []
    operation: str | None = None
    """Of an automatic step."""
    text: str = ""
    """What an automatic step drafts, or why it asks for a simulation."""


class DrawnFlow(BaseModel):
    """The way from one step to another, as points of a line."""

    id: str
    source: str
    target: str
    name: str
    points: list[tuple[float, float]]


class ProcedureDetail(ProcedureSummary):
    """A procedure with all its steps and its drawing. Coordinates are those of its BPMN diagram."""

    steps: list[DrawnStep]
    flows: list[DrawnFlow]


class RunRoom(BaseModel):
    """A procedure under way with its tasks and all that happened to it, in order."""

    run: ProcedureRun
    tasks: list[Task]
    events: list[ProcedureEvent]


class RunQuery(Paging):
    """Which procedures under way to list."""

    state: Annotated[list[RunState], Field(max_length=10, description="May be given several times.")] = []


class TaskQuery(Paging):
    """Which tasks to list."""

    model_config = ConfigDict(extra="forbid")

    scope: Annotated[TaskScope, Field(description="`mine`, `role` (those I have or may take), or `all`.")] = (
        TaskScope.ROLE
    )
    state: Annotated[list[TaskState], Field(max_length=10, description="Several; default: open and claimed.")] = [
        TaskState.OPEN,
        TaskState.CLAIMED,
    ]
    incident: Annotated[str | None, Field(max_length=128, description="Only those of this incident.")] = None


@resource.get("", Permission.PROCEDURES_READ, Items[ProcedureSummary])
async def list_procedures(caller: Caller, hub: Hub) -> Response:
    """All procedures that can be started, by title."""
    found = await hub.procedures.service.list(caller.tenant)
    by_title = sorted(found.values(), key=lambda one: one[0].title)
    return items_response([ProcedureSummary.model_validate(_summary(*procedure)) for procedure in by_title])


@resource.get("/{id}/file", Permission.PROCEDURES_READ, media_type="application/xml")
async def read_procedure_file(caller: Caller, hub: Hub, id: PathSlug, definition: Digest = None) -> Response:
    """The procedure as BPMN 2.0, for any BPMN editor."""
    procedure = await hub.procedures.service.get(caller.tenant, id, definition)
    return Response(
        procedure.content,
        media_type="application/xml",
        headers={"Content-Disposition": f'attachment; filename="{procedure.id}.bpmn"'},
    )


@resource.get("/{id}", Permission.PROCEDURES_READ, ProcedureDetail)
async def read_procedure(caller: Caller, hub: Hub, id: PathSlug, definition: Digest = None) -> Response:
    """One procedure with its steps and its drawing."""
    if definition is None:
        found = await hub.procedures.service.list(caller.tenant)
        if id in found:
            return one(_detail(*found[id]))
    return one(_detail(await hub.procedures.service.get(caller.tenant, id, definition), None))


@resource.post("", Permission.PROCEDURES_PUBLISH, ProcedureDetail, body=NewText)
async def publish_procedure(caller: Caller, hub: Hub, new: Annotated[NewText, Depends(json_body(NewText))]) -> Response:
    """Check a procedure and make it the one that is started from now on. What is under way goes on with its own."""
    return one(_detail(await hub.procedures.service.publish(caller, new), None), status=201)


@of_incident.get("/{id}/procedures", Permission.PROCEDURES_READ, Items[RunRoom])
async def list_procedures_of_incident(caller: Caller, hub: Hub, id: PathId) -> Response:
    """The procedures of an incident with their tasks and what happened, started first first."""
    return items_response([_room(view) for view in await hub.procedures.service.of_incident(caller.tenant, id)])


@of_incident.post("/{id}/procedures", Permission.PROCEDURES_START, ProcedureRun, body=NewRun)
async def start_procedure(
    caller: Caller, hub: Hub, id: PathId, new: Annotated[NewRun, Depends(json_body(NewRun))]
) -> Response:
    """Start a procedure for an incident. Asking again with the same id is harmless."""
    return one(await hub.procedures.service.start(caller, id, new), status=201)


@runs.get("", Permission.PROCEDURES_READ, Items[ProcedureRun])
async def list_runs(caller: Caller, hub: Hub, query: Annotated[RunQuery, Query()]) -> Response:
    """Procedures under way or over, started last first."""
    page = await hub.procedures.service.runs(caller.tenant, query.state, limit=query.limit, after=query.after)
    return items_response(page.items, page.next)


@runs.get("/{id}", Permission.PROCEDURES_READ, RunRoom)
async def read_run(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One procedure under way with its tasks and what happened."""
    return one(_room(await hub.procedures.service.run(caller.tenant, id)))


@runs.post("/{id}/cancel", Permission.PROCEDURES_START, ProcedureRun, body=Cancellation, status=200)
async def cancel_run(
    caller: Caller, hub: Hub, id: PathId, cancellation: Annotated[Cancellation, Depends(json_body(Cancellation))]
) -> Response:
    """End a procedure where it is, with a reason. Asking again with the same id is harmless."""
    return one(await hub.procedures.service.cancel(caller, id, cancellation))


@runs.post("/{id}/drafts/{step}/send", Permission.INCIDENTS_DECIDE, ProcedureRun, body=Sending)
async def send_draft(
    caller: Caller, hub: Hub, id: PathId, step: StepId, sending: Annotated[Sending, Depends(json_body(Sending))]
) -> Response:
    """Approve a message that a procedure drafted, as it is or in other words, and let it go out through channels of
    notification. What belongs to an exercise goes only to channels that are marked for exercises. Asking again with the
    same id is harmless."""
    return one(await hub.procedures.drafts.send(caller, id, step, sending), status=201)


@tasks.get("", Permission.PROCEDURES_READ, Items[Task])
async def list_tasks(caller: Caller, hub: Hub, query: Annotated[TaskQuery, Query()]) -> Response:
    """Tasks, made last first."""
    page = await hub.procedures.tasks.list(
        caller, query.scope, states=query.state, incident=query.incident, limit=query.limit, after=query.after
    )
    return items_response(page.items, page.next)


@tasks.get("/{id}", Permission.PROCEDURES_READ, Task)
async def read_task(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One task."""
    return one(await hub.procedures.tasks.get(caller.tenant, id))


@tasks.post("/{id}/claim", Permission.TASKS_DECIDE, Task, body=TaskStep, status=200)
async def claim_task(
    caller: Caller, hub: Hub, id: PathId, step: Annotated[TaskStep, Depends(json_body(TaskStep))]
) -> Response:
    """Take a task of the own role, or one that became the own role's because it is late."""
    return one(await hub.procedures.tasks.claim(caller, id, step))


@tasks.post("/{id}/release", Permission.TASKS_DECIDE, Task, body=TaskStep, status=200)
async def release_task(
    caller: Caller, hub: Hub, id: PathId, step: Annotated[TaskStep, Depends(json_body(TaskStep))]
) -> Response:
    """Give a task back that one has taken."""
    return one(await hub.procedures.tasks.release(caller, id, step))


@tasks.post("/{id}/complete", Permission.TASKS_DECIDE, Task, body=Completion, status=200)
async def complete_task(
    caller: Caller, hub: Hub, id: PathId, completion: Annotated[Completion, Depends(json_body(Completion))]
) -> Response:
    """Say that a task is done, with the answers that it asks for; the procedure goes on."""
    return one(await hub.procedures.tasks.complete(caller, id, completion))


def _summary(procedure: Procedure, text: ProcedureText | None) -> dict[str, object]:
    work = [step.work for step in procedure.tasks() if step.work is not None]
    return {
        "id": procedure.id,
        "title": procedure.title,
        "summary": procedure.summary,
        "hash": procedure.hash,
        "tasks": len(work),
        "roles": list(dict.fromkeys(one.role for one in work)),
        "published": None if text is None else text.published,
        "published_by": None if text is None else text.published_by,
    }


def _detail(procedure: Procedure, text: ProcedureText | None) -> ProcedureDetail:
    shapes = {shape.step: shape for shape in procedure.drawing.shapes}
    points = {edge.flow: edge.points for edge in procedure.drawing.edges}

    def drawn(step: Step) -> DrawnStep:
        shape = shapes[step.id]
        work, automatic = step.work, step.automatic
        parameters = {} if automatic is None else automatic.parameters
        return DrawnStep(
            id=step.id,
            kind=step.kind,
            name="" if step.name == step.id else step.name,
            x=shape.x,
            y=shape.y,
            width=shape.width,
            height=shape.height,
            attached_to=step.attached_to,
            wait_s=None if step.wait is None else step.wait.total_seconds(),
            role=None if work is None else work.role,
            organisation=None if work is None else work.organisation,
            deadline_s=None if work is None else work.deadline.total_seconds(),
            escalation=[] if work is None else list(work.escalation),
            instruction="" if work is None else work.instruction,
            assess="" if work is None else work.assess,
            fields=[] if work is None else list(work.fields),
            operation=None if automatic is None else automatic.operation.value,
            text=parameters.get("text", parameters.get("reason", "")),
        )

    def way(flow: Flow) -> DrawnFlow:
        return DrawnFlow(
            id=flow.id, source=flow.source, target=flow.target, name=flow.name, points=list(points[flow.id])
        )

    return ProcedureDetail.model_validate(
        {
            **_summary(procedure, text),
            "steps": [drawn(step) for step in procedure.steps.values()],
            "flows": [way(flow) for flow in procedure.flows.values()],
        }
    )


def _room(view: RunView) -> RunRoom:
    return RunRoom(run=view.run, tasks=list(view.tasks), events=list(view.events))
