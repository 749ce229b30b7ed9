"""The exercise that this installation plays; in the real operation there is none, and all of this answers 404."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub, Open
from impetus.api.body import json_body
from impetus.api.listing import Items, items_response, one
from impetus.api.resource import Resource
from impetus.api.services import Services
from impetus.exercise.desk import Answers, Desk, Entry, EntryKind, Order, OrderKind, Phase, Run, State
from impetus.exercise.questionnaires import check_answers
from impetus.exercise.reviewing import Reviewed, reviewed
from impetus.exercise.scenario import Objective, Scenario, TourStep, load_scenario
from impetus.exercise.variants import variant
from impetus.governance import Principal
from impetus.governance.audit import append
from impetus.model import Conflict, Line, NotAllowed, NotFound, Permission, Text, UtcTime

resource = Resource("/exercise", "exercise")
PLAYERS_MAY: Final = frozenset({OrderKind.START, OrderKind.PAUSE, OrderKind.RESUME, OrderKind.SPEED, OrderKind.HINT})
"""What somebody who plays alone may order; the rest is the controller's."""


WhichRun = Annotated[
    str | None, Query(max_length=128, description="Id of a run, as the list of runs has it; the last if left out.")
]


class Message(BaseModel):
    """A phone call or a report that came."""

    time: UtcTime
    elapsed_s: float
    title: Line
    text: Text


class Goal(BaseModel):
    """An objective as players see it."""

    title: Line
    points: int


class Play(BaseModel):
    """The exercise as a player sees it."""

    title: Line
    summary: Text
    time: UtcTime
    """By the clock of the exercise."""
    speed: float
    state: State | None
    messages: list[Message]
    hints: list[Line]
    goals: list[Goal]
    tour: list[TourStep]
    controller: bool
    """Whether the caller may see and change what is to come."""


class Plan(BaseModel):
    """The exercise as its controller sees it."""

    scenario: Scenario
    journal: list[Entry]


class NewOrder(BaseModel):
    """An order to the director."""

    model_config = ConfigDict(extra="forbid")

    kind: OrderKind
    speed: Annotated[float, Field(ge=1, le=60)] | None = None
    inject: Annotated[dict[str, object], Field(max_length=20)] | None = None
    part: Annotated[str, Field(pattern=r"^(tool|connector):[a-z0-9-]{1,60}$")] | None = None
    site: Line | None = None
    minutes: Annotated[float, Field(gt=0, le=600)] = 5.0


class NewAnswers(BaseModel):
    """What a player answers after a run."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["usability", "impact"]
    answers: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Field(min_length=1, max_length=30)]
    remark: Annotated[str, Field(max_length=2_000)] = ""


@resource.get("", Open.AUTHENTICATED, Play)
async def read_exercise(caller: Caller, hub: Hub) -> Response:
    """How the exercise stands, for its players."""
    scenario, desk = _exercise(hub)
    state = desk.state()
    journal = [] if state is None else desk.journal(state.run)
    messages = [
        Message(time=entry.time, elapsed_s=entry.elapsed_s, title=entry.title, text=entry.text)
        for entry in journal
        if entry.inject_kind == "message" and (entry.role == _role(caller) or _controls(caller))
    ]
    hints = [entry.text for entry in journal if entry.kind is EntryKind.ORDER and entry.title == OrderKind.HINT.value]
    stands = state is None or state.paused or state.held_back
    return one(
        Play(
            title=scenario.title,
            summary=scenario.summary,
            time=hub.clock.now(),
            speed=0.0 if stands and state is not None else state.speed if state is not None else 1.0,
            state=state if state is None or _controls(caller) else _hidden(state),
            messages=messages,
            hints=[text[:300] for text in hints if text],
            goals=[_goal(objective) for objective in scenario.objectives],
            tour=list(scenario.tour),
            controller=_controls(caller),
        )
    )


@resource.get("/plan", Permission.ALERTS_ASSIGN, Plan)
async def read_exercise_plan(caller: Caller, hub: Hub) -> Response:
    """All that is to come, and the journal: for the controller."""
    scenario, desk = _exercise(hub)
    state = desk.state()
    return one(Plan(scenario=scenario, journal=[] if state is None else list(desk.journal(state.run))))


@resource.post("/orders", Permission.ALERTS_DECIDE, Order, body=NewOrder)
async def order_exercise(caller: Caller, hub: Hub, new: Annotated[NewOrder, Depends(json_body(NewOrder))]) -> Response:
    """Start, pause or speed the exercise up, ask for a hint; as its controller add an inject, let a part fail, end
    it."""
    _, desk = _exercise(hub)
    if new.kind not in PLAYERS_MAY and not _controls(caller):
        raise NotAllowed("only the controller of the exercise may do that", hint="Ask a supervisor.")
    order = Order(**new.model_dump(), by=caller.name)
    desk.order(order)
    async with hub.store.transaction() as transaction:
        await append(
            transaction,
            tenant=caller.tenant,
            time=hub.clock.now(),
            actor=caller.actor,
            action=f"exercise.{new.kind.value}",
            subject="exercise",
            detail={"order": order.id},
        )
    return one(order, status=201)


@resource.get("/runs", Permission.ALERTS_DECIDE, Items[Run])
async def list_exercise_runs(caller: Caller, hub: Hub) -> Response:
    """Each time that the scenario was played in this installation, the newest first."""
    _, desk = _exercise(hub)
    return items_response(list(desk.runs()))


@resource.get("/review", Permission.ALERTS_DECIDE, Reviewed)
async def read_exercise_review(caller: Caller, hub: Hub, run: WhichRun = None) -> Response:
    """The after-action review of a run: for players once none is under way, for the controller at any time."""
    _, desk = _exercise(hub)
    state = desk.state()
    if state is not None and state.phase is Phase.RUNNING and not _controls(caller):
        raise Conflict("the exercise is under way: its review would tell what is to come", hint="Wait for its end.")
    return one(await reviewed(hub.home, hub.store, run))


@resource.post("/answers", Open.AUTHENTICATED, Answers, body=NewAnswers)
async def answer_exercise(
    caller: Caller, hub: Hub, new: Annotated[NewAnswers, Depends(json_body(NewAnswers))]
) -> Response:
    """Answer a questionnaire on the last run; answering again replaces the answer."""
    _, desk = _exercise(hub)
    state = desk.state()
    if state is None or caller.user is None:
        raise NotFound("there is no run to answer for")
    answers = Answers(run=state.run, person=caller.user.id, role=_role(caller), **new.model_dump())
    check_answers(answers)
    desk.answer(answers)
    return one(answers, status=201)


def _exercise(hub: Services) -> tuple[Scenario, Desk]:
    if not hub.exercise.title or hub.exercise.scenario is None:
        raise NotFound(
            "this is the real operation, no exercise", hint="Start one with `impetus exercise run` or `impetus demo`."
        )
    return variant(load_scenario(hub.exercise.scenario), hub.exercise.variant), Desk(hub.home)


def _controls(caller: Principal) -> bool:
    return Permission.ALERTS_ASSIGN in caller.permissions


def _role(caller: Principal) -> str:
    return caller.user.role.value if caller.user is not None else ""


def _hidden(state: State) -> State:
    """Without what is to come."""
    return state.model_copy(update={"next_inject": None, "next_s": None, "skipped": {}})


def _goal(objective: Objective) -> Goal:
    return Goal(title=objective.title, points=objective.points)
