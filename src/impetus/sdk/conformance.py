"""What every tool must do, as checks that any test suite can run; needs hypothesis.

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_conformance(check: Check) -> None:
        check(local_tool(MyTool))

A check raises `AssertionError`, or what the tool raised.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from impetus.model import Datastream, ObservationBatch, Place, Point, to_microseconds
from impetus.sdk.card import check_card
from impetus.sdk.manifest import Manifest
from impetus.sdk.registry import InstalledTool
from impetus.sdk.testing import START, LocalContext
from impetus.sdk.tool import Tool

Check = Callable[[InstalledTool], None]

INTERVAL_S = 60
EXAMPLES = 25
"""Sequences of hostile batches that `check_survives_malformed_observations` tries."""
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


def check_same_readings_give_the_same_alerts(installed: InstalledTool) -> None:
    """Alerts derived from readings have derived identifiers, so that a message delivered twice raises one alert."""

    async def alerts() -> list[tuple[str, int]]:
        _, manifest = installed.usable()
        context = LocalContext(manifest, datastreams=datastreams_for(manifest))
        await _live(installed, context, ordinary_batches(context))
        return [(alert.id, alert.revision) for alert in context.alerts]

    first, second = asyncio.run(alerts()), asyncio.run(alerts())
    require(first == second, "two runs over the same readings raised alerts with different identifiers")


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
    check_starts_and_stops,
    check_survives_a_broken_checkpoint,
    check_survives_malformed_observations,
    check_same_readings_give_the_same_alerts,
    check_ignores_what_it_has_seen,
)
"""All of the above."""


def require(condition: object, message: str) -> None:
    """Raise `AssertionError` with the message unless the condition holds; works under `python -O` too."""
    if not condition:
        raise AssertionError(message)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a tool next: the clock moves, then a batch arrives or it is ticked."""

    seconds: float
    batch: ObservationBatch | None


def hostile_steps(names: Sequence[str]) -> st.SearchStrategy[Step]:
    """Steps with any batch that the model lets through, of these datastreams, with duplicates and disorder."""
    start_us = to_microseconds(START)
    times = st.one_of(
        st.integers(0, 600).map(lambda minute: start_us + minute * INTERVAL_S * 1_000_000),
        st.integers(start_us - 10**12, start_us + 10**12),
        st.sampled_from([-62_135_596_800_000_000, -1, 0, 253_402_300_799_999_999]),
    )
    values = st.one_of(
        st.sampled_from([0.0, -0.0, 1.0, 50.0, 1.7e308, -1.7e308, 5e-324, 1e16]),
        st.floats(allow_nan=False, allow_infinity=False),
    )
    rows = st.lists(st.tuples(st.integers(0, len(names) - 1), times, values), max_size=30)
    batches = rows.map(
        lambda rows: ObservationBatch(
            datastreams=tuple(names),
            index=tuple(row[0] for row in rows),
            time_us=tuple(row[1] for row in rows),
            value=tuple(row[2] for row in rows),
        )
    )
    seconds = st.sampled_from([0.0, 1.0, 60.0, 3_600.0, 30 * 86_400.0, -1.0, -86_400.0])
    return st.builds(Step, seconds, st.none() | batches)


def datastreams_for(manifest: Manifest) -> Sequence[Datastream]:
    """Two registered datastreams for each observed property that the tool reads."""
    properties = manifest.observed_properties()
    return [
        Datastream(
            id=f"{name}:{number}",
            name=f"{name} {number}",
            thing=f"mast {number}",
            observed_property=name,
            unit="1",
            place=Place(geometry=Point(coordinates=(10.75 + number / 1_000, 59.91)), name=f"mast {number}"),
            interval_s=INTERVAL_S,
        )
        for name in sorted({"traffic-flow", "sound-level"} if properties is None else properties)
        for number in (1, 2)
    ]


def ordinary_batches(context: LocalContext, *, count: int = 30, rows: int = 20) -> Sequence[ObservationBatch]:
    """`count` batches of `rows` readings of each datastream, a minute apart, with a spike and a shift near the end."""
    names = tuple(datastream.id for datastream in context.registered)
    batches = []
    if not names:
        return []
    for number in range(count):
        index, time_us, value = [], [], []
        for row in range(number * rows, (number + 1) * rows):
            for stream in range(len(names)):
                index.append(stream)
                time_us.append(to_microseconds(START) + row * INTERVAL_S * 1_000_000)
                wave = 50.0 + (row * 7919 + stream * 104_729) % 1_000 / 200
                value.append(1_000.0 if number == count - 4 else wave + (200.0 if number >= count - 2 else 0.0))
        batches.append(
            ObservationBatch(datastreams=names, index=tuple(index), time_us=tuple(time_us), value=tuple(value))
        )
    return batches


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
