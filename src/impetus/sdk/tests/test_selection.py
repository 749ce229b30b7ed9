"""A tool gets the readings that its manifest asks for: all of them, in order, and no others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import ConfigurationError, Datastream, ModelReference, ObservationBatch, Severity
from impetus.sdk.selection import InputSelection
from impetus.sdk.testing import START, LocalContext, readings
from impetus.sdk.tests import sample

NAMES = ("a", "b", "c", "d")


def datastream(name: str, observed_property: str) -> Datastream:
    return Datastream(id=name, name=name, thing=name, observed_property=observed_property, unit="1")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**15), st.floats(-1e9, 1e9)), max_size=40),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["sound-level", "traffic-flow"])),
)
def test_the_selection_keeps_what_is_allowed_in_order(
    rows: list[tuple[int, int, float]], registered: dict[str, str]
) -> None:
    batch = ObservationBatch(
        datastreams=NAMES,
        index=tuple(row[0] for row in rows),
        time_us=tuple(row[1] for row in rows),
        value=tuple(row[2] for row in rows),
    )
    streams = [datastream(name, observed) for name, observed in registered.items()]
    selection = InputSelection(sample.manifest("sample", properties=("sound-level",)), streams)
    selected = selection.select(batch)
    expected = [reading for reading in batch.observations() if registered.get(reading.datastream) == "sound-level"]
    assert (list(selected.observations()) if selected is not None else []) == expected
    assert [stream.observed_property for stream in selection.datastreams] == ["sound-level"] * len(
        selection.datastreams
    )
    everything = InputSelection(sample.manifest("sample"), streams)
    assert everything.select(batch) is batch


async def test_the_local_context_keeps_the_rules_of_the_real_one() -> None:
    sound = datastream("sound", "sound-level")
    history = [
        readings("sound", [1, 2, 3], start=START, interval_s=60),
        readings("flow", [9], start=START, interval_s=1),
    ]
    context = LocalContext(
        sample.manifest("sample", properties=("sound-level",)),
        datastreams=[sound, datastream("flow", "traffic-flow")],
        history=history,
    )
    assert await context.datastreams() == (sound,)
    since = START + timedelta(seconds=60)
    assert [batch.value async for batch in context.history(since)] == [(2.0, 3.0)]
    assert [batch.value async for batch in context.history(START, since)] == [(1.0,)]
    tool = sample.HighTool(context, sample.SampleSettings())
    alert = tool.alert("sound", 0, 200.0)
    await context.emit(alert)
    for wrong in (
        {"tool": "other"},
        {"detector": "other"},
        {"category": "Fire"},
        {"severity": Severity.EXTREME},
        {"data_classes": ("personal",)},
    ):
        with pytest.raises(ConfigurationError):
            await context.emit(alert.model_validate(alert.model_dump() | wrong))
    assert context.alerts == [alert]
    assert alert.model == ModelReference(name="limit", version="1")
