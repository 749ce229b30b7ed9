"""What the conformance suite gives to tools: ordinary readings, and whatever hostile the model lets through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from impetus.model import Datastream, ObservationBatch, Place, Point, to_microseconds
from impetus.sdk.manifest import Manifest
from impetus.sdk.testing import START, LocalContext

INTERVAL_S = 60


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


def hostile_json() -> st.SearchStrategy[dict[str, Any]]:
    """Any JSON object, with the texts, numbers and depths that break what does not expect them."""
    texts = st.sampled_from(
        ["", "\0", "<script>alert(1)</script>", "../../etc/passwd", "\u202e", "'; DROP TABLE x;--", "9"]
    )
    numbers = st.sampled_from([0, -1, 2**63, 10**400, 1.7e308, -0.0, 5e-324]) | st.integers()
    leaves = st.none() | st.booleans() | numbers | texts | st.text(max_size=20)
    values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
    names = st.sampled_from(["id", "text", "items", "content", "place", "time", "value", "nodes", "edges"]) | texts
    return st.dictionaries(names, values, max_size=6)


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
