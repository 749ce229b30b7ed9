"""Protects: a tool is asked and told what its manifest says, loses nothing it published, and outlives what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from impetus.model import (
    AlertState,
    Category,
    ConfigurationError,
    DataClass,
    Envelope,
    HealthState,
    InvalidInput,
    NotFound,
    RequestOrigin,
    RequestOutcome,
    RequestState,
    Severity,
    Tenant,
    ToolRequest,
    ToolResult,
    Unavailable,
    Verdict,
)
from impetus.sdk import (
    Detector,
    EvidenceUse,
    InputKind,
    Manifest,
    ResultKind,
    TaskKind,
    ToolAsked,
    ToolInput,
    condition,
)
from impetus.sdk import calls as calls_module
from impetus.sdk import hosts as hosts_module
from impetus.sdk.registry import InstalledTool
from impetus.sdk.tests import sample
from impetus.sdk.tests.rig import Rig, open_rig, until
from impetus.sdk.tests.test_worker import degraded
from impetus.sdk.tool import Tool, ToolSettings
from impetus.sdk.worker import consumers

NOW = datetime(2026, 3, 2, tzinfo=UTC)

MANIFEST = Manifest(
    **{
        **sample.manifest("planner").model_dump(),
        "inputs": (
            ToolInput(kind=InputKind.RESULT, tool="air", result="zone"),
            ToolInput(kind=InputKind.VERDICT),
        ),
        "detectors": (Detector(id="high", title="High", category=Category.INFRA, max_severity=Severity.MODERATE),),
        "results": (ResultKind(id="plan", title="Plans", data_class=DataClass.OPERATIONAL),),
        "tasks": (TaskKind(id="plan", title="Plan", limit_s=0.5), TaskKind(id="free", title="Free")),
        "requests": (ToolAsked(tool="air", task="look"),),
        "evidence": EvidenceUse(media_types=("image/png",), limit_mb=0.001, daily_mb=0.002),
    }
)


class PlanWanted(BaseModel):
    people: int = Field(1, ge=1)


class PlannerTool(Tool[ToolSettings]):
    """Does what the content of a request says."""

    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {"plan": PlanWanted}
    instances: ClassVar[dict[str, PlannerTool]] = {}
    during: ClassVar[set[str]] = set()
    failures: ClassVar[int] = 0

    async def start(self) -> None:
        self.instances[self.context.tenant] = self
        self.results: list[ToolResult] = []
        self.verdicts: list[Verdict] = []
        self.handled: list[str] = []
        self.ticks = 0

    async def tick(self) -> None:
        self.ticks += 1

    async def result(self, result: ToolResult) -> None:
        self.results.append(result)

    async def verdict(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)

    async def handle(self, request: ToolRequest) -> str | None:
        self.handled.append(request.id)
        match request.content.get("do"):
            case "refuse":
                raise InvalidInput("there is no such venue")
            case "fail":
                type(self).failures += 1
                raise ValueError("no way out")
            case "fail once":
                type(self).failures += 1
                if self.failures == 1:
                    raise ValueError("no way out")
            case "wait":
                await asyncio.sleep(3_600)
            case "undeclared":
                await self.publish(request, kind="secret")
            case "ask":
                await self.context.request(self.question(request, "look"))
            case "ask undeclared":
                await self.context.request(self.question(request, "leap"))
        await self.publish(request)
        return "1 plan"

    async def publish(self, request: ToolRequest, kind: str = "plan") -> None:
        await self.context.publish(
            ToolResult(id=request.id, tool="planner", kind=kind, title="Plan", time=NOW, content={"people": 3})
        )

    def question(self, request: ToolRequest, task: str) -> ToolRequest:
        return ToolRequest(
            id=f"{request.id}/air", tool="air", task=task, reason="Where?", origin=RequestOrigin.TOOL, asked=NOW
        )


PLANNER = InstalledTool("planner", None, MANIFEST, PlannerTool)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        async with rig.store.transaction() as transaction:
            await transaction.organisations.add(Tenant(id="municipality", name="Municipality", created=NOW))
        yield rig


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlannerTool, "instances", {})
    monkeypatch.setattr(PlannerTool, "failures", 0)


async def send(rig: Rig, message: BaseModel, subject: str, tenant: str = "municipality", id: str | None = None) -> None:
    kind, _, origin = subject.partition(".")
    envelope = Envelope.wrap(message, kind=kind, tenant=tenant, origin=origin, time=rig.clock.now(), id=id)
    await rig.bus.publish([envelope])


async def ask(
    rig: Rig,
    id: str = "one",
    task: str = "plan",
    tenant: str = "municipality",
    origin: RequestOrigin = RequestOrigin.PERSON,
    **content: Any,
) -> None:
    request = ToolRequest(id=id, tool="planner", task=task, reason="a test", origin=origin, content=content, asked=NOW)
    await send(rig, request, "tool-request.planner", tenant)


async def outcome(rig: Rig, id: str = "one") -> RequestOutcome:
    """What came of a request, once the worker said so."""
    async with asyncio.timeout(30):
        while True:
            for envelope in await rig.messages("request-outcome"):
                found = envelope.open(RequestOutcome)
                if found.id == id:
                    return found
            await asyncio.sleep(0.05)


async def set_aside(rig: Rig, count: int) -> None:
    """Wait for so many dead letters."""
    async with asyncio.timeout(30):
        while len(await rig.dead_letters()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def planner(tenant: str = "municipality") -> PlannerTool:
    return PlannerTool.instances[tenant]


async def test_a_request_is_done_and_what_came_of_it_is_told(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        await ask(rig, people=20)
        told = await outcome(rig)
    assert (told.state, told.text, told.tool, told.task) == (RequestState.DONE, "1 plan", "planner", "plan")
    (envelope,) = await rig.messages("result")
    assert envelope.subject == "municipality.result.planner"
    assert envelope.open(ToolResult).content == {"people": 3}
    assert await rig.dead_letters() == []


async def test_a_request_that_comes_twice_publishes_once(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        for _ in range(2):
            await ask(rig)
        await ask(rig, "two")
        await outcome(rig, "two")
    assert planner().handled == ["one", "one", "two"]
    assert len(await rig.messages("result")) == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"do": "fail"}, "ValueError: no way out"),
        ({"do": "wait"}, "took too long"),
        ({"do": "undeclared"}, "result 'secret' is not declared"),
        ({"do": "ask undeclared"}, "the request for 'leap' of 'air' is not declared"),
        ({"task": "steal"}, "planner has no task 'steal'"),
        ({"tenant": "police"}, "the tool does not work for police"),
    ],
)
async def test_a_request_that_fails_is_told_and_set_aside(rig: Rig, asked: dict[str, Any], words: str) -> None:
    async with rig.worker(PLANNER, {"organisations": ["municipality"]}):
        await ask(rig, **asked)
        told = await outcome(rig)
        assert told.state is RequestState.FAILED
        assert words in told.text
        await ask(rig, "after")
        assert (await outcome(rig, "after")).state is RequestState.DONE
    (letter,) = await rig.dead_letters(asked.get("tenant", "municipality"))
    assert words in letter.reason


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"do": "refuse"}, "there is no such venue"),
        ({"people": 0}, "people: Input should be greater than or equal to 1"),
        ({"people": "<script>"}, "people: Input should be a valid integer"),
    ],
)
async def test_a_person_is_told_of_a_refusal_and_of_others_it_is_set_aside(
    rig: Rig, asked: dict[str, Any], words: str
) -> None:
    async with rig.worker(PLANNER):
        await ask(rig, **asked)
        told = await outcome(rig)
        assert told.state is RequestState.FAILED
        assert words in told.text
        assert await rig.dead_letters() == []
        await ask(rig, "ruled", origin=RequestOrigin.RULE, **asked)
        assert words in (await outcome(rig, "ruled")).text
        await set_aside(rig, 1)


async def test_a_request_is_tried_once_more(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        await ask(rig, do="fail once")
        assert (await outcome(rig)).state is RequestState.DONE
    assert planner().handled == ["one", "one"]


async def test_what_is_no_request_is_set_aside(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        await send(rig, PlanWanted(people=3), "tool-request.planner")
        await send(rig, PlanWanted(people=3), "verdict.planner")
        await send(rig, PlanWanted(people=3), "result.air")
        await ask(rig)
        await outcome(rig)
        await set_aside(rig, 3)
    assert {letter.reason.partition(":")[0] for letter in await rig.dead_letters()} == {
        "not a request",
        "not a verdict",
        "not a result",
    }


async def test_a_long_request_holds_up_nothing(rig: Rig) -> None:
    long = MANIFEST.model_copy(update={"tasks": (TaskKind(id="free", title="Free", limit_s=60),)})
    async with rig.worker(InstalledTool("planner", None, long, PlannerTool)):
        await ask(rig, task="free", do="wait")
        await until(lambda: PlannerTool.instances and planner().handled == ["one"])
        ticks = planner().ticks
        await until(lambda: planner().ticks > ticks + 2)
        await send(rig, verdict(), "verdict.planner")
        await until(lambda: planner().verdicts)


async def test_a_tool_asks_another(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        await ask(rig, do="ask", task="free")
        await outcome(rig)
    asked = [envelope for envelope in await rig.messages("tool-request") if envelope.subject.endswith(".air")]
    assert [envelope.open(ToolRequest).task for envelope in asked] == ["look"]
    assert asked[0].source == "/planner"


def zone(id: str = "zone-1", **changes: Any) -> ToolResult:
    return ToolResult(**{"id": id, "tool": "air", "kind": "zone", "title": "Zone", "time": NOW, **changes})


def verdict(**changes: Any) -> Verdict:
    found = Verdict(alert="a", tool="planner", detector="high", source="s", state=AlertState.DISMISSED, decided=NOW)
    return found.model_copy(update=changes)


async def test_only_declared_results_of_others_reach_the_tool(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        await send(rig, zone("other-kind", kind="load"), "result.air")
        await send(rig, zone("ones-own", person="anna"), "result.air")
        await send(rig, zone("other-tool", tool="social"), "result.social")
        await send(rig, zone(), "result.air")
        await until(lambda: PlannerTool.instances and planner().results)
        assert [result.id for result in planner().results] == ["zone-1"]


async def test_verdicts_on_its_own_alerts_reach_the_tool(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        await send(rig, verdict(tool="air"), "verdict.air")
        await send(rig, verdict(), "verdict.planner")
        await send(rig, verdict(state=AlertState.ACKNOWLEDGED), "verdict.planner")
        await until(lambda: PlannerTool.instances and len(planner().verdicts) == 2)
    assert [found.correct for found in planner().verdicts] == [False, None]


async def test_published_results_are_read_back_from_the_store(rig: Rig) -> None:
    async with rig.store.transaction() as transaction:
        for tenant, found in (
            ("municipality", zone()),
            ("municipality", zone("ones-own", person="anna")),
            ("police", zone("theirs")),
        ):
            await transaction.results.put(tenant, found, received=NOW, expires=NOW + timedelta(days=1))
    async with rig.worker(PLANNER):
        await until(lambda: PlannerTool.instances)
        context = planner().context
        assert [found.id for found in await context.published("zone", tool="air")] == ["zone-1"]
        assert await context.published("plan") == ()
        for kind, tool in (("load", "air"), ("zone", None), ("plan", "social")):
            with pytest.raises(ConfigurationError):
                await context.published(kind, tool=tool)


async def test_evidence_is_kept_within_its_bounds_and_read_back_by_its_tool_only(rig: Rig) -> None:
    async with rig.worker(PLANNER):
        await until(lambda: PlannerTool.instances)
        context = planner().context
        kept = await context.keep_evidence(b"x" * 900, media_type="image/png", title="Frame")
        assert await context.keep_evidence(b"x" * 900, media_type="image/png", title="Again") == kept.model_copy(
            update={"title": "Again"}
        )
        assert await context.read_evidence(kept.sha256) == b"x" * 900
        with pytest.raises(InvalidInput):
            await context.keep_evidence(b"x" * 1_001, media_type="image/png", title="Too large")
        with pytest.raises(ConfigurationError):
            await context.keep_evidence(b"x", media_type="text/html", title="Undeclared")
        with pytest.raises(ConfigurationError):
            await context.keep_evidence(b"x", media_type="image/png", title="x", data_class=DataClass.SENSITIVE)
        await context.keep_evidence(b"y" * 900, media_type="image/png", title="Second")
        with pytest.raises(Unavailable, match="for today"):
            await context.keep_evidence(b"z" * 900, media_type="image/png", title="Third")
    async with rig.worker(PLANNER):
        PlannerTool.instances.clear()
        await until(lambda: PlannerTool.instances)
        assert await planner().context.read_evidence(kept.sha256) == b"x" * 900
        for sha256 in ("0" * 64, "../../secret", ""):
            with pytest.raises(NotFound):
                await planner().context.read_evidence(sha256)


class FeedTool(sample.HighTool):
    """Emits from a source of its own, which fails now and then."""

    runs: ClassVar[int] = 0
    ended: ClassVar[bool] = False

    async def run(self) -> None:
        type(self).runs += 1
        await self.context.emit(self.alert("feed", self.runs, float(self.runs)))
        if self.runs < 3:
            raise OSError("the feed does not answer")
        try:
            await asyncio.sleep(3_600)
        finally:
            type(self).ended = True


async def test_a_source_of_its_own_is_kept_going_and_ended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "FIRST_RUN_PAUSE_S", 0.3)
    monkeypatch.setattr(hosts_module, "RAN_WELL_S", 1.0)
    monkeypatch.setattr(condition, "HEALTH_INTERVAL_S", 0.05)
    monkeypatch.setattr(FeedTool, "runs", 0)
    manifest = sample.manifest("sample").model_copy(update={"inputs": ()})
    async with rig.worker(InstalledTool("sample", None, manifest, FeedTool)):
        await degraded(rig, "its own source failed, tried again in 0.3 s: OSError: the feed does not answer")
        await until(lambda: FeedTool.runs == 3)
        async with asyncio.timeout(30):
            while (await rig.health()).state is not HealthState.RUNNING:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    assert FeedTool.ended
    assert [alert.headline for alert in await rig.alerts()] == ["1", "2", "3"]


async def test_a_tool_works_for_the_organisations_of_its_settings(rig: Rig) -> None:
    async with rig.store.transaction() as transaction:
        await transaction.organisations.add(Tenant(id="police", name="Police", created=NOW))
        await transaction.organisations.add(Tenant(id="closed", name="Closed", active=False, created=NOW))
    async with rig.worker(PLANNER):
        await until(lambda: set(PlannerTool.instances) == {"municipality", "police"})
    PlannerTool.instances.clear()
    async with rig.worker(PLANNER, {"organisations": ["police"]}):
        await until(lambda: set(PlannerTool.instances) == {"police"})
        await send(rig, verdict(), "verdict.planner")
        await send(rig, verdict(), "verdict.planner", tenant="police")
        await until(lambda: planner("police").verdicts)
    assert set(PlannerTool.instances) == {"police"}


async def test_a_verdict_that_the_tool_hangs_over_is_set_aside(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "OBSERVE_LIMIT_S", 0.2)

    async def hang(self: PlannerTool, verdict: Verdict) -> None:
        await asyncio.sleep(3_600)

    monkeypatch.setattr(PlannerTool, "verdict", hang)
    async with rig.worker(PLANNER):
        await send(rig, verdict(), "verdict.planner")
        await set_aside(rig, 1)
    (letter,) = await rig.dead_letters()
    assert letter.reason == "took too long"


def test_a_tool_has_the_consumers_that_its_manifest_gives_it() -> None:
    assert consumers(MANIFEST) == {
        "tool-request-planner": ("*.tool-request.planner",),
        "tool-news-planner": ("*.result.air", "*.verdict.planner"),
    }
    assert consumers(sample.manifest("sample")) == {"tool-sample": ("*.observation.>",)}
