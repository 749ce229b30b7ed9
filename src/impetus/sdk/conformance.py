"""What every tool must do, as checks that any test suite can run; needs hypothesis.

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check: Check) -> None:
        check(local_tool(MyTool))

A check raises `AssertionError`, or what the tool raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from impetus.model import (
    AlertState,
    InvalidInput,
    NotFound,
    ObservationBatch,
    Place,
    Point,
    ReasonClass,
    RequestOrigin,
    ToolRequest,
    ToolResult,
    Unavailable,
    Verdict,
)
from impetus.sdk.asking import check_content
from impetus.sdk.card import check_card
from impetus.sdk.conformance_inputs import Step, datastreams_for, hostile_json, hostile_steps, ordinary_batches
from impetus.sdk.manifest import InputKind, TaskKind, ToolInput
from impetus.sdk.panel import load_panels
from impetus.sdk.registry import InstalledTool
from impetus.sdk.testing import START, LocalContext
from impetus.sdk.tool import Tool

Check = Callable[[InstalledTool], None]

EXAMPLES = 25
"""Sequences of hostile batches that `check_survives_malformed_observations` tries, and hostile requests and results."""
REFUSALS = (InvalidInput, NotFound, Unavailable)
"""How a tool may refuse what it is asked or told."""
UNITS = frozenset(
    {
        "s",
        "ms",
        "us",
        "hours",
        "days",
        "day",
        "m",
        "km",
        "db",
        "share",
        "ratio",
        "count",
        "bytes",
        "mps",
        "readings",
        "intervals",
    }
)
"""Last words of a setting's name that say what its number counts."""
UNIT_IN_TEXT = re.compile(
    r"\b(units?|number of|how many|so many|intervals|readings|share|factor|multiples?|times|deviations|probability"
    r"|0 to 1|power|in [a-z]+)\b",
    re.IGNORECASE,
)
"""Words of a description that say it."""


def check_manifest(installed: InstalledTool) -> None:
    """The plug-in loads; its manifest is valid and has the id of the folder and of the entry point."""
    require(not installed.broken, installed.error)
    _, manifest = installed.usable()
    require(manifest.id == installed.id, f"the manifest's id is {manifest.id!r}, the entry point's {installed.id!r}")


def check_card_is_complete(installed: InstalledTool) -> None:
    """The card has all its sections."""
    if installed.folder is None:
        raise AssertionError(installed.error)
    lacking = check_card(installed.folder)
    require(not lacking, "\n".join(lacking))


def check_settings_are_documented(installed: InstalledTool) -> None:
    """Each setting has a title, a description, a default, and a unit where it is a number."""
    tool_type, _ = installed.usable()
    for name, field in tool_type.settings_type.model_fields.items():
        require(field.title, f"setting {name} has no title")
        require(field.description, f"setting {name} has no description")
        require(not field.is_required(), f"setting {name} has no default")
        require(_has_unit(name, field), f"setting {name} is a number; name its unit in its name or description")
    tool_type.settings_type()


def check_tasks_and_panels_are_declared(installed: InstalledTool) -> None:
    """Models are given for declared tasks only, there is a `handle` if there are tasks, and the panels are sound."""
    tool_type, manifest = installed.usable()
    undeclared = set(tool_type.task_models).difference(task.id for task in manifest.tasks)
    require(not undeclared, f"task_models names tasks that the manifest does not: {', '.join(sorted(undeclared))}")
    require(not manifest.tasks or tool_type.handle is not Tool.handle, "the manifest has tasks, the tool no handle()")
    reads = any(given.kind is InputKind.RESULT for given in manifest.inputs)
    require(not reads or tool_type.result is not Tool.result, "the manifest has results as input, the tool no result()")
    require(
        not manifest.reads_verdicts or tool_type.verdict is not Tool.verdict,
        "the manifest has verdicts as input, the tool no verdict()",
    )
    load_panels(installed)


def check_starts_and_stops(installed: InstalledTool) -> None:
    """Start, a tick and stop work with no data at all, with data, and again from the checkpoint."""

    async def run() -> None:
        _, manifest = installed.usable()
        await _live(installed, LocalContext(manifest), [])
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        await _live(installed, context, ordinary_batches(context))
        await _live(installed, context, [])

    asyncio.run(run())


def check_survives_a_broken_checkpoint(installed: InstalledTool) -> None:
    """A checkpoint that cannot be read does not keep the tool from starting."""

    async def run(checkpoint: bytes) -> None:
        _, manifest = installed.usable()
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        context.checkpoint = checkpoint
        await _live(installed, context, ordinary_batches(context))

    for checkpoint in (b"", b"\x00\xff", b"{", b"{}", b"[]", b"null", b'{"version": -1}'):
        asyncio.run(run(checkpoint))


def check_survives_malformed_observations(installed: InstalledTool) -> None:
    """Unknown datastreams, disorder, duplicates, extreme values, far times and a jumping clock raise nothing.

    And whatever the tool emits meanwhile is declared in its manifest: the context refuses anything else.
    """
    _, manifest = installed.usable()
    registered = datastreams_for(manifest)
    names = [*(datastream.id for datastream in registered), "unknown-1", "unknown:2/x"]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # the smallest failing example would take minutes to find with a slow tool
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(hostile_steps(names), max_size=12))
    def survive(steps: list[Step]) -> None:
        asyncio.run(run(steps))

    async def run(steps: Iterable[Step]) -> None:
        tool_type, _ = installed.usable()
        context = LocalContext(manifest, datastreams=registered)
        tool = tool_type(context, tool_type.settings_type())
        await tool.start()
        await _feed(tool, context, ordinary_batches(context, count=4))
        for step in steps:
            context.clock.advance(step.seconds)
            if step.batch is not None:
                await tool.observe(step.batch)
            else:
                await tool.tick()
        await tool.stop()
        await _live(installed, context, [])

    survive()


def check_survives_hostile_requests(installed: InstalledTool) -> None:
    """Whatever a request says, it is done or refused; asked twice, nothing else is published; as a rule asks, too."""
    tool_type, manifest = installed.usable()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.sampled_from(manifest.tasks), hostile_json(), st.booleans())
    def survive(task: TaskKind, content: dict[str, Any], as_rule: bool) -> None:
        request = ToolRequest(
            id="conformance-request",
            tool=manifest.id,
            task=task.id,
            reason="conformance",
            origin=RequestOrigin.RULE if as_rule else RequestOrigin.PERSON,
            content={} if as_rule else content,
            place=Place(geometry=Point(coordinates=(10.75, 59.91))) if as_rule else None,
            alert="no-such-alert",
            person="no-such-person" if task.person else None,
            asked=START,
        )
        try:
            check_content(tool_type.task_models.get(task.id), request)
        except InvalidInput:
            return  # it does not reach the tool
        asyncio.run(run(request))

    async def run(request: ToolRequest) -> None:
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        tool = tool_type(context, tool_type.settings_type())
        await tool.start()
        published: list[set[tuple[str, str]]] = []
        for _ in range(2):
            with contextlib.suppress(*REFUSALS):
                await tool.handle(request)
            published.append({(result.kind, result.id) for result in context.results})
        require(published[0] == published[1], "the same request twice published results with other identifiers")
        await tool.stop()

    if manifest.tasks:
        survive()


def check_survives_hostile_results(installed: InstalledTool) -> None:
    """Whatever another tool publishes, in any order of revisions, the tool takes it or refuses it."""
    tool_type, manifest = installed.usable()
    inputs = [given for given in manifest.inputs if given.kind is InputKind.RESULT]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(st.tuples(st.sampled_from(inputs), st.integers(0, 3), hostile_json()), max_size=4))
    def survive(steps: list[tuple[ToolInput, int, dict[str, Any]]]) -> None:
        asyncio.run(
            run(
                ToolResult(
                    id="conformance-result",
                    revision=revision,
                    tool=given.tool or "",
                    kind=given.result or "",
                    title="Conformance",
                    time=START,
                    content=content,
                )
                for given, revision, content in steps
            )
        )

    async def run(results: Iterable[ToolResult]) -> None:
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        tool = tool_type(context, tool_type.settings_type())
        await tool.start()
        for result in results:
            context.others.append(result)
            try:
                await tool.result(result)
            except REFUSALS:
                continue
        await tool.tick()
        await tool.stop()

    if inputs:
        survive()


def check_survives_verdicts(installed: InstalledTool) -> None:
    """Verdicts on alerts that it knows and that it does not, given, taken back and given twice, raise nothing."""

    async def run() -> None:
        tool_type, manifest = installed.usable()
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        tool = tool_type(context, tool_type.settings_type())
        await tool.start()
        await _feed(tool, context, ordinary_batches(context))
        known = [(alert.id, alert.detector, alert.source) for alert in context.alerts[:3]]
        unknown = [("no-such-alert", detector.id, "no:such/source") for detector in manifest.detectors]
        for alert, detector, source in [*known, *unknown]:
            for state in AlertState:
                for reason in (None, *ReasonClass):
                    await tool.verdict(
                        Verdict(
                            alert=alert,
                            tool=manifest.id,
                            detector=detector,
                            source=source,
                            state=state,
                            reason=reason,
                            decided=context.clock.now(),
                        )
                    )
        await tool.tick()
        await tool.stop()
        await _live(installed, context, [])

    _, manifest = installed.usable()
    if manifest.reads_verdicts:
        asyncio.run(run())


def check_same_readings_give_the_same_alerts(installed: InstalledTool) -> None:
    """Alerts and results derived from readings have derived identifiers, so that a message that is delivered twice
    raises one."""

    async def emitted() -> list[tuple[str, int]]:
        _, manifest = installed.usable()
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        await _live(installed, context, ordinary_batches(context))
        alerts = [(alert.id, alert.revision) for alert in context.alerts]
        return alerts + [(result.id, result.revision) for result in context.results]

    first, second = asyncio.run(emitted()), asyncio.run(emitted())
    require(first == second, "two runs over the same readings gave alerts or results with different identifiers")


def check_ignores_what_it_has_seen(installed: InstalledTool) -> None:
    """Readings that are delivered again, to the same instance or to the next one, raise nothing new."""

    async def run() -> None:
        tool_type, manifest = installed.usable()
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        batches = ordinary_batches(context)
        tool = tool_type(context, tool_type.settings_type())
        await tool.start()
        await _feed(tool, context, batches)
        raised = {(alert.id, alert.revision) for alert in context.alerts}
        for batch in batches:
            await tool.observe(batch)
        await tool.stop()
        after_same = {(alert.id, alert.revision) for alert in context.alerts}
        require(after_same == raised, "readings that it had seen already raised an alert")
        await _live(installed, context, batches, tick=False)
        after_next = {(alert.id, alert.revision) for alert in context.alerts}
        require(after_next == raised, "readings older than the checkpoint raised an alert")

    asyncio.run(run())


CHECKS: Sequence[Check] = (
    check_manifest,
    check_card_is_complete,
    check_settings_are_documented,
    check_tasks_and_panels_are_declared,
    check_starts_and_stops,
    check_survives_a_broken_checkpoint,
    check_survives_malformed_observations,
    check_survives_hostile_requests,
    check_survives_hostile_results,
    check_survives_verdicts,
    check_same_readings_give_the_same_alerts,
    check_ignores_what_it_has_seen,
)
"""All of the above."""


def require(condition: object, message: str) -> None:
    """Raise `AssertionError` with the message unless the condition holds; works under `python -O` too."""
    if not condition:
        raise AssertionError(message)


async def _live(
    installed: InstalledTool, context: LocalContext, batches: Iterable[ObservationBatch], *, tick: bool = True
) -> None:
    """One life of a tool: start, observe with the clock at the newest reading, tick, stop."""
    tool_type, _ = installed.usable()
    tool: Tool[Any] = tool_type(context, tool_type.settings_type())
    await tool.start()
    await _feed(tool, context, batches)
    if tick:
        await tool.tick()
    await tool.stop()


async def _feed(tool: Tool[Any], context: LocalContext, batches: Iterable[ObservationBatch]) -> None:
    """Observe, with the clock at the newest reading of each batch, and never set back."""
    for batch in batches:
        newest = datetime.fromtimestamp(max(batch.time_us) / 1e6, UTC)
        context.clock.advance(max(0.0, (newest - context.clock.now()).total_seconds()))
        await tool.observe(batch)


def _has_unit(name: str, field: FieldInfo) -> bool:
    """Whether a setting says what it counts; only numbers have to."""
    if field.annotation not in (int, float):
        return True
    return name.rsplit("_", 1)[-1] in UNITS or UNIT_IN_TEXT.search(field.description or "") is not None
