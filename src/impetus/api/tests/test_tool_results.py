"""Protects: what tools publish reaches those whom it is for, and tools are asked by those who may ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar

import httpx
import pytest
from pydantic import BaseModel, Field

from impetus.api.broadcast import Topic
from impetus.api.services import running
from impetus.api.tests.conftest import Api
from impetus.model import (
    AlertAction,
    Category,
    DataClass,
    Envelope,
    Permission,
    ReasonClass,
    RequestOutcome,
    RequestState,
    Role,
    Severity,
    SimulationKind,
    SimulationRequest,
    ToolRequest,
    ToolResult,
    Verdict,
)
from impetus.sdk import (
    AiActClass,
    Capability,
    Detector,
    InstalledTool,
    Manifest,
    ResultKind,
    TaskKind,
    Tool,
    ToolInput,
    ToolSettings,
)
from impetus.situation.decisions import AlertDecision
from impetus.situation.tests.house import an_alert, eventually


class PlanWanted(BaseModel):
    people: Annotated[int, Field(ge=1)] = 1


class AirTool(Tool[ToolSettings]):
    task_models: ClassVar = {"plan": PlanWanted}


MANIFEST = Manifest(
    id="air",
    title="Air",
    summary="For tests.",
    version="1.0.0",
    capability=Capability.DETECTING_EMERGENCIES,
    roles=(Role.OPERATOR, Role.SUPERVISOR),
    inputs=(ToolInput(),),
    detectors=(Detector(id="high", title="High", category=Category.CBRNE, max_severity=Severity.SEVERE),),
    results=(
        ResultKind(id="zone", title="Zones", data_class=DataClass.OPERATIONAL, keep=3),
        ResultKind(id="load", title="Load", data_class=DataClass.PERSONAL),
        ResultKind(id="duty", title="Duty", data_class=DataClass.OPERATIONAL, roles=(Role.SUPERVISOR,)),
    ),
    tasks=(
        TaskKind(id="plan", title="Plan", simulation=SimulationKind.DISPERSION),
        TaskKind(id="report", title="Report", person=True),
        TaskKind(id="reset", title="Reset", roles=(Role.SUPERVISOR,)),
    ),
    purposes=("testing",),
    personal_data=True,
    data_classes=(DataClass.OPERATIONAL, DataClass.PERSONAL),
    retention_days=30,
    ai_act_class=AiActClass.NO_AI,
)


@pytest.fixture(autouse=True)
def _with_a_tool(api: Api) -> None:
    tools: Any = api.services.tools
    tools["air"] = InstalledTool("air", None, MANIFEST, AirTool)


def result(api: Api, id: str = "zone-1", **changes: Any) -> ToolResult:
    given = {"id": id, "tool": "air", "kind": "zone", "title": "Zone", "time": api.house.clock.now(), **changes}
    return ToolResult(**given)


async def publish(api: Api, message: BaseModel, kind: str, origin: str = "air", tenant: str = "municipality") -> None:
    now = api.house.clock.now()
    await api.house.bus.publish([Envelope.wrap(message, kind=kind, tenant=tenant, origin=origin, time=now)])


async def messages(api: Api, kind: str) -> list[Envelope]:
    since = api.house.clock.now() - timedelta(hours=1)
    return [delivery.envelope async for delivery in api.house.bus.replay([f"*.{kind}.>"], since=since)]


async def ids(client: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/tools/air/results{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_result_goes_from_the_tool_to_those_whom_it_is_for(api: Api) -> None:
    olivia, sofia, pia = await api.person("olivia"), await api.person("sofia"), await api.person("pia")
    ada = await api.person("ada")
    hostile = {"text": "<script>alert(1)</script>\u202e\0", "curve": [{"x": 1}]}
    async with running(api.services):
        await publish(api, result(api, content=hostile, evidence=()), "result")
        await publish(api, result(api, "duty-1", kind="duty"), "result")

        async def arrived() -> bool:
            return len(await ids(sofia)) == 2 and len(await messages(api, "result-notice")) == 2

        assert await eventually(arrived)
    assert (await olivia.get("/tools/air/results/zone-1")).json()["content"] == hostile
    assert await ids(olivia) == await ids(olivia, "?kind=zone") == ["zone-1"]
    assert sorted(await ids(sofia)) == ["duty-1", "zone-1"]
    assert (await olivia.get("/tools/air/results?kind=duty")).status_code == 403
    assert (await olivia.get("/tools/air/results/duty-1")).status_code == 403
    assert await ids(ada) == []  # none of the kinds is for administrators
    assert (await ada.get("/tools/air/results/zone-1")).status_code == 403
    assert await ids(pia) == []
    assert (await pia.get("/tools/air/results/zone-1")).status_code == 404
    assert (await olivia.get("/tools/air/results?kind=nothing")).status_code == 404
    assert (await olivia.get("/tools/nothing/results")).status_code == 404
    notices = [envelope.data for envelope in await messages(api, "result-notice")]
    assert all(b"script" not in data and b"Zone" not in data for data in notices)


async def test_what_is_one_persons_own_only_that_person_reads(api: Api) -> None:
    olivia, omar = await api.person("olivia"), await api.person("omar")
    own = api.house.users["olivia"].id
    async with api.house.store.transaction() as transaction:
        for one in (result(api, "mine", kind="load", person=own), result(api, "ours", kind="load")):
            now = api.house.clock.now()
            await transaction.results.put("municipality", one, received=now, expires=now + timedelta(days=1))
    assert sorted(await ids(olivia)) == ["mine", "ours"]
    assert await ids(omar) == ["ours"]
    assert (await omar.get("/tools/air/results/mine")).status_code == 404
    async with await api.machine(Permission.RESULTS_READ) as machine:
        assert await ids(machine) == []  # machines read nothing about persons
        assert (await machine.get("/tools/air/results/ours")).status_code == 403


async def test_what_is_not_declared_or_not_in_its_own_name_is_set_aside(api: Api) -> None:
    olivia = await api.person("olivia")
    async with running(api.services):
        await publish(api, result(api, "undeclared", kind="secret"), "result")
        await publish(api, result(api, "foreign"), "result", origin="social")
        await publish(api, result(api, "unknown", tool="nobody"), "result", origin="nobody")
        await publish(api, result(api, "good"), "result")

        async def settled() -> bool:
            return len(await api.house.bus.dead_letters("municipality")) == 3 and await ids(olivia) == ["good"]

        assert await eventually(settled)


async def test_only_the_newest_of_a_kind_are_kept(api: Api) -> None:
    olivia = await api.person("olivia")
    now = api.house.clock.now()
    async with running(api.services):
        for number in range(6):
            await publish(api, result(api, f"zone-{number}", time=now + timedelta(seconds=number)), "result")

        async def trimmed() -> bool:
            return await ids(olivia) == ["zone-5", "zone-4", "zone-3"]

        assert await eventually(trimmed)


async def test_results_about_an_incident_are_found_in_its_room(api: Api) -> None:
    olivia, pia = await api.person("olivia"), await api.person("pia")
    incident = (await olivia.post("/incidents", json={"title": "A smell"})).json()["id"]
    async with api.house.store.transaction() as transaction:
        now = api.house.clock.now()
        for one in (result(api, incident=incident), result(api, "d", kind="duty", incident=incident)):
            await transaction.results.put("municipality", one, received=now, expires=now + timedelta(days=1))
    found = (await olivia.get(f"/incidents/{incident}/results")).json()["items"]
    assert [item["id"] for item in found] == ["zone-1"]
    assert (await pia.get(f"/incidents/{incident}/results")).status_code == 404
    assert await ids(olivia, f"?incident={incident}") == ["zone-1"]
    assert await ids(olivia, "?incident=another") == []


async def test_a_person_asks_and_is_told(api: Api) -> None:
    olivia, pia, sofia = await api.person("olivia"), await api.person("pia"), await api.person("sofia")
    asked = {"id": "mine", "task": "plan", "content": {"people": 20}}
    answer = await olivia.post("/tools/air/requests", json=asked)
    assert (answer.status_code, answer.json()["state"]) == (202, "asked")
    assert answer.json()["person"] is None
    again = await olivia.post("/tools/air/requests", json=asked)
    assert (again.status_code, again.json()) == (202, answer.json())
    other = await olivia.post("/tools/air/requests", json={**asked, "content": {"people": 30}})
    assert other.status_code == 409
    async with running(api.services):

        async def sent() -> bool:
            return len(await messages(api, "tool-request")) == 1

        assert await eventually(sent)
        (envelope,) = await messages(api, "tool-request")
        assert envelope.subject == "municipality.tool-request.air"
        assert envelope.open(ToolRequest).content == {"people": 20}
        outcome = RequestOutcome(
            id="mine", tool="air", task="plan", state=RequestState.DONE, text="3 plans", time=api.house.clock.now()
        )
        await publish(api, outcome.model_copy(update={"text": "forged"}), "request-outcome", origin="social")
        await publish(api, outcome, "request-outcome")

        async def done() -> bool:
            return bool((await olivia.get("/tools/air/requests/mine")).json()["state"] == "done")

        assert await eventually(done)
    assert (await sofia.get("/tools/air/requests/mine")).json()["text"] == "3 plans"
    assert (await pia.get("/tools/air/requests/mine")).status_code == 404
    assert (await pia.get("/tools/air/requests")).json()["items"] == []
    ada = await api.person("ada")
    assert (await ada.get("/tools/air/requests/mine")).status_code == 403
    records = (await ada.get("/audit")).json()["items"]
    (record,) = [record for record in records if record["action"] == "tool.ask"]
    assert record["actor"] == f"user:{api.house.users['olivia'].id}"
    assert "people" not in str(record)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"task": "nothing"}, 404, "has no task"),
        ({"task": "reset"}, 403, "your role"),
        ({"task": "plan", "content": {"people": 0}}, 422, "people"),
        ({"task": "plan", "content": {"people": "many"}}, 422, "people"),
        ({"task": "plan", "content": {"text": "x" * 70_000}}, 422, "65536"),
        ({"task": "plan", "content": [1]}, 422, "object"),
        ({"task": "plan", "alert": "no-such-alert"}, 404, "alert"),
        ({"task": "plan", "incident": "no-such-incident"}, 404, "incident"),
        ({"task": "plan", "person": "somebody"}, 422, "person"),
        ({"task": "plan", "origin": "rule"}, 422, "origin"),
        ({}, 422, "task"),
    ],
)
async def test_what_may_not_be_asked_is_refused(api: Api, body: dict[str, Any], status: int, words: str) -> None:
    olivia = await api.person("olivia")
    answer = await olivia.post("/tools/air/requests", json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert (await olivia.get("/tools/air/requests")).json()["items"] == []


async def test_a_machine_never_asks(api: Api) -> None:
    async with await api.machine(Permission.RESULTS_READ, Permission.TOOLS_READ) as machine:
        assert (await machine.post("/tools/air/requests", json={"task": "plan"})).status_code == 403
        assert (await machine.get("/tools/air/requests")).json()["items"] == []


async def test_a_request_about_own_data_is_seen_by_nobody_else(api: Api) -> None:
    olivia, omar = await api.person("olivia"), await api.person("omar")
    answer = await olivia.post("/tools/air/requests", json={"id": "mine", "task": "report", "content": {"load": 70}})
    assert answer.json()["person"] == api.house.users["olivia"].id
    assert [item["id"] for item in (await olivia.get("/tools/air/requests")).json()["items"]] == ["mine"]
    assert (await omar.get("/tools/air/requests")).json()["items"] == []
    assert (await omar.get("/tools/air/requests/mine")).status_code == 404


async def test_a_procedures_simulation_reaches_the_tool_that_answers_it(api: Api) -> None:
    olivia = await api.person("olivia")
    wanted = SimulationRequest(
        id="sim-1",
        tenant="municipality",
        kind=SimulationKind.DISPERSION,
        incident="incident-1",
        reason="Where does it go?",
        asked=api.house.clock.now(),
    )
    async with running(api.services):
        await publish(api, wanted, "simulation-request", origin="response")
        await publish(
            api, wanted.model_copy(update={"id": "sim-2", "kind": SimulationKind.EVACUATION}), "simulation-request"
        )

        async def passed_on() -> bool:
            letters = await api.house.bus.dead_letters("municipality")
            return len(await messages(api, "tool-request")) == 1 and len(letters) == 1

        assert await eventually(passed_on)
    (kept,) = (await olivia.get("/tools/air/requests")).json()["items"]
    assert (kept["task"], kept["origin"], kept["incident"]) == ("plan", "procedure", "incident-1")
    (letter,) = await api.house.bus.dead_letters("municipality")
    assert "no installed tool answers" in letter.reason


async def test_a_tool_is_told_of_verdicts_without_a_name(api: Api) -> None:
    alert = an_alert(tool="air", detector="high")
    await api.house.situation.alerts.ingest("municipality", [alert])
    async with running(api.services):
        decide = api.house.situation.alerts.decide
        dismissal = AlertDecision(
            action=AlertAction.DISMISS, reason="Olivia saw steam", reason_class=ReasonClass.HARMLESS, version=1
        )
        await decide(api.house.person("olivia"), alert.id, dismissal)
        await decide(
            api.house.person("sofia"), alert.id, AlertDecision(action=AlertAction.REOPEN, reason="Again", version=2)
        )

        async def told() -> bool:
            return len(await messages(api, "verdict")) == 2

        assert await eventually(told)
    first, second = await messages(api, "verdict")
    assert first.subject == "municipality.verdict.air"
    assert first.open(Verdict).correct is False
    assert first.open(Verdict).reason is ReasonClass.HARMLESS
    assert second.open(Verdict).correct is None
    assert b"livia" not in first.data


async def test_the_stream_tells_that_a_result_changed(api: Api) -> None:
    async with running(api.services):
        listener = api.services.broadcaster.attach("municipality", frozenset({Topic.RESULTS}), None)
        stranger = api.services.broadcaster.attach("police", frozenset({Topic.RESULTS}), None)
        await publish(api, result(api, content={"secret": 1}), "result")
        piece = b""

        async def heard() -> bool:
            nonlocal piece
            piece += await listener.take(0.1)
            return b"event: result\n" in piece

        assert await eventually(heard)
        assert b"secret" not in piece
        assert b'"kind":"zone"' in piece
        assert await stranger.take(0.1) == b""
