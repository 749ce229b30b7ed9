"""Protects replay: the live tool on recorded readings, nothing raised, ways compared alert by alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.exercise.read_ahead import read_ahead
from impetus.exercise.replay import batch_of, changed, compare, recorded, replay, steps
from impetus.model import (
    Alert,
    Category,
    ConfigurationError,
    Datastream,
    Incident,
    InvalidInput,
    ModelReference,
    Observation,
    ObservationBatch,
    SystemClock,
    Unavailable,
)
from impetus.sdk import load_tool
from impetus.store import Store, open_store

START = datetime(2026, 3, 2, tzinfo=UTC)


def alert(source: str, onset_s: float, sent_s: float) -> Alert:
    return Alert(
        tool="anomaly",
        detector="level",
        source=source,
        headline=f"Unusual: {source}",
        category=Category.OTHER,
        confidence=0.5,
        onset=START + timedelta(seconds=onset_s),
        sent=START + timedelta(seconds=sent_s),
        model=ModelReference(name="m", version="1"),
    )


async def filled(folder: Path) -> Store:
    """An hour of a level sensor that reads what cannot be for a minute in its second half."""
    store = await open_store(f"sqlite:///{folder / 'store.sqlite'}", SystemClock())
    stream = Datastream(
        id="level-1", name="Level", thing="Gauge", observed_property="water-level", unit="m", lowest=-3, highest=6,
        interval_s=10,
    )  # fmt: skip
    async with store.transaction() as transaction:
        await transaction.datastreams.put("municipality", [stream])
    readings = [
        Observation(
            datastream="level-1",
            time=START + timedelta(seconds=10 * number),
            value=99.0 if 250 <= number < 256 else 1.0 + 0.01 * (number % 7),
        )
        for number in range(360)
    ]
    await store.readings.append("municipality", ObservationBatch.of(readings))
    return store


async def test_a_recorded_hour_goes_through_the_live_tool_and_raises_nothing(tmp_path: Path) -> None:
    store = await filled(tmp_path)
    try:
        since, until = START + timedelta(minutes=35), START + timedelta(minutes=50)
        told = await replay(load_tool("anomaly"), store, "municipality", since, until, {})
        assert told.readings == 90
        impossible = [one for one in told.alerts if one.detector == "impossible"]
        assert [one.source for one in impossible] == ["level-1"]
        assert START + timedelta(seconds=2_500) <= impossible[0].onset <= START + timedelta(seconds=2_560)
        assert await recorded(store, "municipality", "anomaly", since, until) == []
        again = await replay(load_tool("anomaly"), store, "municipality", since, until, {})
        same = compare(told.alerts, again.alerts, since, names=("one", "two"))
        assert (same.both, same.only_first, same.only_second) == (len(told.alerts), (), ())
    finally:
        await store.close()


async def test_a_process_that_reads_ahead_gives_the_same_and_what_goes_wrong_there_is_told(tmp_path: Path) -> None:
    store = await filled(tmp_path)
    address, until = f"sqlite:///{tmp_path / 'store.sqlite'}", START + timedelta(hours=1)
    try:
        here = [one async for one in store.readings.arrays("municipality", START, until, rows=100)]
        there = [one async for one in read_ahead(address, "municipality", START, until, None, 100)]
        assert sum(len(one.value) for one in there) == 360
        assert [one.datastreams for one in there] == [one.datastreams for one in here]
        for one, other in zip(here, there, strict=True):
            assert np.array_equal(one.time_us, other.time_us)
            assert np.array_equal(one.value, other.value)
        told = await replay(load_tool("anomaly"), store, "municipality", START, until, {}, address=address)
        assert told.readings == 360
        with pytest.raises(Unavailable):
            async for _ in read_ahead(f"sqlite:///{tmp_path}", "municipality", START, until, None, 100):
                pass
    finally:
        await store.close()


async def test_a_tool_gets_plain_numbers(tmp_path: Path) -> None:
    """Not those of numpy, which write themselves otherwise: a tool need not know that it is a replay."""
    store = await filled(tmp_path)
    try:
        async for arrays in store.readings.arrays("municipality", START, START + timedelta(minutes=1)):
            batch = batch_of(arrays, slice(0, 2))
            assert len(batch) == 2
            assert batch.datastreams == ("level-1",)
            assert batch.observations()[1] == Observation(
                datastream="level-1", time=START + timedelta(seconds=10), value=1.01
            )
            assert [type(column[0]) for column in (batch.index, batch.time_us, batch.value)] == [int, int, float]
    finally:
        await store.close()


async def test_what_cannot_be_replayed_is_told(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", SystemClock())
    later = START + timedelta(hours=1)
    try:
        with pytest.raises(InvalidInput, match="empty or longer"):
            await replay(load_tool("anomaly"), store, "municipality", later, START, {})
        with pytest.raises(InvalidInput, match="reads no observations"):
            await replay(load_tool("cti"), store, "municipality", START, later, {})
        with pytest.raises(ConfigurationError, match="nonsense"):
            await replay(load_tool("anomaly"), store, "municipality", START, later, {"nonsense": 1})
    finally:
        await store.close()
    with pytest.raises(InvalidInput, match="no change of a setting"):
        changed(["nonsense"])


def test_two_ways_are_compared_alert_by_alert() -> None:
    first = [alert("a", 0, 10), alert("b", 0, 10), alert("c", 0, 10)]
    second = [alert("b", 20, 40), alert("c", 2_000, 2_010), alert("d", 0, 5)]
    found = compare(first, second, START, names=("then", "now"))
    assert (found.both, found.median_later_s) == (1, 30)
    assert [one.source for one in found.only_first] == ["a", "c"]
    assert [one.source for one in found.only_second] == ["c", "d"]
    assert found.only_second[1].second_s == 5


def test_it_is_told_what_would_have_become_of_incidents() -> None:
    first = [alert("a", 0, 10), alert("b", 100, 110), alert("c", 0, 20)]
    crowd, silence = (
        Incident(tenant="municipality", title=title, opened=START, updated=START) for title in ("Crowd", "Silence")
    )
    joined = {first[0].id: crowd, first[1].id: crowd, first[2].id: silence}
    second = [alert("b", 100, 150)]
    told = compare(first, second, START, names=("then", "now"), incidents=joined).incidents
    assert [(one.title, one.alerts, one.kept, one.first_s, one.second_s) for one in told] == [
        ("Crowd", 2, 1, 10, 150),
        ("Silence", 1, 0, 20, None),
    ]


@given(st.lists(st.integers(0, 100_000_000), min_size=1, max_size=30), st.integers(1, 20_000_000))
def test_the_parts_of_a_period_are_the_period_and_none_crosses_a_tick(times: list[int], step_us: int) -> None:
    time_us = np.array(sorted(times), dtype=np.int64)
    parts = list(steps(time_us, step_us))
    assert [moment for part in parts for moment in time_us[part].tolist()] == sorted(times)
    assert all(time_us[part][0] // step_us == time_us[part][-1] // step_us for part in parts)
    assert all(time_us[one][-1] // step_us < time_us[other][0] // step_us for one, other in pairwise(parts))
