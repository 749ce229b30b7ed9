"""The conformance suite fails the tools that it should fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from impetus.model import (
    ConfigurationError,
    DataClass,
    ObservationBatch,
    RequestOrigin,
    ToolRequest,
    ToolResult,
    Verdict,
    new_id,
)
from impetus.sdk import InputKind, LocalContext, ResultKind, TaskKind, ToolAsked, ToolInput, conformance
from impetus.sdk.registry import InstalledTool
from impetus.sdk.testing import START
from impetus.sdk.tests import sample
from impetus.sdk.tool import Tool, ToolSettings


class FragileTool(sample.GoodTool):
    """Does not expect a negative value."""

    tool_id: ClassVar[str] = "sample"

    async def observe(self, batch: ObservationBatch) -> None:
        if batch.value and min(batch.value) < 0:
            raise ValueError("negative")


class ForgetfulTool(sample.HighTool):
    """Does not notice what it has seen."""

    async def observe(self, batch: ObservationBatch) -> None:
        for time_us, value in zip(batch.time_us, batch.value, strict=True):
            if value > 900:
                alert = self.alert("x", time_us, value)
                await self.context.emit(alert.model_copy(update={"id": new_id()}))


class TrustingTool(sample.HighTool):
    """Believes every checkpoint."""

    async def start(self) -> None:
        saved = await self.context.load_checkpoint()
        if saved is not None:
            saved.decode("utf-8")
            assert saved.startswith(b"{")


class UntitledSettings(ToolSettings):
    limit: float = 1.0
    """In decibels."""


class UnitlessSettings(ToolSettings):
    limit: Annotated[float, Field(title="Limit")] = 1.0
    """The limit."""


class RequiredSettings(ToolSettings):
    limit: Annotated[float, Field(title="Limit")]
    """The limit, in decibels."""


def with_settings(settings: type[ToolSettings]) -> InstalledTool:
    return sample.installed(type("SomeTool", (Tool,), {"settings_type": settings}))


@pytest.mark.parametrize(
    ("check", "installed", "words"),
    [
        (conformance.check_manifest, InstalledTool("sample", None, None, None, "no such module"), "no such module"),
        (conformance.check_settings_are_documented, with_settings(UntitledSettings), "limit has no title"),
        (conformance.check_settings_are_documented, with_settings(UnitlessSettings), "name its unit"),
        (conformance.check_settings_are_documented, with_settings(RequiredSettings), "limit has no default"),
        (
            conformance.check_same_readings_give_the_same_alerts,
            sample.installed(ForgetfulTool),
            "different identifiers",
        ),
        (conformance.check_ignores_what_it_has_seen, sample.installed(ForgetfulTool), "raised an alert"),
    ],
)
def test_a_bad_tool_fails(check: conformance.Check, installed: InstalledTool, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check(installed)


def test_a_fragile_tool_fails() -> None:
    with pytest.raises(ValueError, match="negative"):
        conformance.check_survives_malformed_observations(sample.installed(FragileTool))


class CarelessTool(Tool[ToolSettings]):
    """Does not expect a request, a result or a verdict to say anything else than it likes."""

    async def handle(self, request: ToolRequest) -> str | None:
        await self.context.publish(result(new_id()))
        return "done"

    async def result(self, result: ToolResult) -> None:
        result.content["items"]

    async def verdict(self, verdict: Verdict) -> None:
        {"known": 1}[verdict.alert]


class UnreadyTool(Tool[ToolSettings]):
    """Has nothing of what its manifest says."""

    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {"leap": ToolSettings}


def result(id: str) -> ToolResult:
    return ToolResult(id=id, tool="sample", kind="plan", title="Plan", time=START)


def asked(tool_type: type[Tool[Any]], *, tasks: tuple[TaskKind, ...], inputs: tuple[ToolInput, ...]) -> InstalledTool:
    manifest = sample.manifest("sample").model_copy(
        update={
            "inputs": inputs,
            "tasks": tasks,
            "results": (ResultKind(id="plan", title="Plans", data_class=DataClass.OPERATIONAL),),
        }
    )
    return InstalledTool("sample", None, manifest, tool_type)


PLAN = TaskKind(id="plan", title="Plan")
ZONES = ToolInput(kind=InputKind.RESULT, tool="air", result="zone")
VERDICTS = ToolInput(kind=InputKind.VERDICT)


@pytest.mark.parametrize(
    ("check", "tasks", "inputs", "error"),
    [
        (conformance.check_survives_hostile_requests, (PLAN,), (), AssertionError),
        (conformance.check_survives_hostile_results, (), (ZONES,), KeyError),
        (conformance.check_survives_verdicts, (), (VERDICTS,), KeyError),
    ],
)
def test_a_careless_tool_fails(
    check: conformance.Check, tasks: tuple[TaskKind, ...], inputs: tuple[ToolInput, ...], error: type[Exception]
) -> None:
    check(asked(CarelessTool, tasks=(), inputs=()))  # what it does not declare, nobody gives it
    with pytest.raises(error):
        check(asked(CarelessTool, tasks=tasks, inputs=inputs))


@pytest.mark.parametrize(
    ("tasks", "inputs", "words"),
    [
        ((PLAN,), (), "task_models names"),
        ((PLAN, TaskKind(id="leap", title="Leap")), (), "no handle"),
        ((TaskKind(id="leap", title="Leap"),), (ZONES,), "no handle"),
    ],
)
def test_a_tool_that_lacks_what_it_declares_fails(
    tasks: tuple[TaskKind, ...], inputs: tuple[ToolInput, ...], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        conformance.check_tasks_and_panels_are_declared(asked(UnreadyTool, tasks=tasks, inputs=inputs))


async def test_what_is_not_declared_is_refused_in_tests_too() -> None:
    _, manifest = asked(CarelessTool, tasks=(), inputs=()).usable()
    context = LocalContext(manifest)
    await context.publish(result("a"))
    assert [one.id for one in await context.published("plan")] == ["a"]
    request = ToolRequest(id="a", tool="air", task="look", reason="why", origin=RequestOrigin.TOOL, asked=START)
    for refused in (
        context.publish(result("a").model_copy(update={"kind": "secret"})),
        context.publish(result("a").model_copy(update={"tool": "air"})),
        context.published("secret"),
        context.published("zone", tool="air"),
        context.request(request),
        context.keep_evidence(b"x", media_type="image/png", title="x"),
    ):
        with pytest.raises(ConfigurationError):
            await refused
    allowed = LocalContext(manifest.model_copy(update={"requests": (ToolAsked(tool="air", task="look"),)}))
    await allowed.request(request)
    for forged in ({"origin": RequestOrigin.PERSON}, {"person": "anna"}):
        with pytest.raises(ConfigurationError, match="somebody else"):
            await allowed.request(request.model_copy(update=forged))


def test_a_trusting_tool_fails() -> None:
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        conformance.check_survives_a_broken_checkpoint(sample.installed(TrustingTool))


def test_a_tool_that_emits_what_it_does_not_declare_fails() -> None:
    class Undeclared(sample.HighTool):
        detector: ClassVar[str] = "undeclared"

    with pytest.raises(ConfigurationError, match="not declared"):
        conformance.check_starts_and_stops(sample.installed(Undeclared))


def test_an_incomplete_card_fails(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Nothing")
    installed = InstalledTool("sample", tmp_path, sample.manifest("sample"), sample.HighTool)
    with pytest.raises(AssertionError, match="no section '## What it does'"):
        conformance.check_card_is_complete(installed)
