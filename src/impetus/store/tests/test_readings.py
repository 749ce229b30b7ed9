"""Protects: each reading is kept once, ranges tell the extremes, history is in order, old readings can be removed."""

from __future__ import annotations

import itertools
import math
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.model import ExpectationBatch, InvalidInput, ObservationBatch, from_microseconds, to_microseconds
from impetus.store import Store
from impetus.store.tests.conftest import NOW
from impetus.store.tests.samples import later, readings

NOW_US = to_microseconds(NOW)
HOUR_US = 3_600_000_000
NUMBERS = itertools.count()


async def gathered(store: Store, tenant: str, since: datetime, until: datetime) -> list[tuple[str, int, float]]:
    rows = []
    async for batch in store.readings.history(tenant, since, until):
        # What comes out must be what a message could have been.
        again = ObservationBatch.model_validate(batch.model_dump())
        rows += [
            (again.datastreams[number], time_us, value)
            for number, time_us, value in zip(again.index, again.time_us, again.value, strict=True)
        ]
    return rows


async def test_a_reading_is_kept_once(store: Store) -> None:
    batch = readings("loop-1", NOW_US, [1.0, 2.0, 3.0])
    assert await store.readings.append("police", batch) == 3
    assert await store.readings.append("police", batch) == 0
    assert await store.readings.append("police", readings("loop-1", NOW_US, [9.0, 9.0, 9.0, 4.0])) == 1
    kept = await store.readings.range("police", "loop-1", since=NOW, until=later(60))
    assert kept.value == (1.0, 2.0, 3.0, 4.0)
    assert kept.time_us == tuple(NOW_US + second * 1_000_000 for second in range(4))
    assert kept.count == (1, 1, 1, 1)


async def test_the_same_reading_twice_in_one_batch_is_kept_once(store: Store) -> None:
    batch = ObservationBatch(datastreams=("a", "b"), index=(0, 0, 1), time_us=(5, 5, 5), value=(1.0, 2.0, 3.0))
    assert await store.readings.append("police", batch) == 2


async def test_an_empty_batch_is_nothing(store: Store) -> None:
    empty = ObservationBatch(datastreams=("a",), index=(), time_us=(), value=())
    assert await store.readings.append("police", empty) == 0
    assert await store.readings.latest("police") == {}


async def test_the_latest_reading_is_the_newest_not_the_last_to_come(store: Store) -> None:
    await store.readings.append("police", readings("loop-1", NOW_US, [1.0, 2.0]))
    await store.readings.append("police", readings("loop-1", NOW_US - 10_000_000, [7.0]))
    await store.readings.append("police", readings("loop-2", NOW_US, [5.0]))
    await store.readings.append("fire", readings("loop-1", NOW_US, [8.0]))
    latest = await store.readings.latest("police")
    assert {name: (reading.time, reading.value) for name, reading in latest.items()} == {
        "loop-1": (later(1), 2.0),
        "loop-2": (NOW, 5.0),
    }
    assert set(await store.readings.latest("police", ["loop-2", "unknown"])) == {"loop-2"}
    assert set(await store.readings.latest("police", [f"loop-{number}" for number in range(1_000)])) == {
        "loop-1",
        "loop-2",
    }
    assert await store.readings.latest("municipality") == {}


async def test_no_peak_is_lost_by_down_sampling(store: Store) -> None:
    values = [float(number % 10) for number in range(5_000)]
    values[2_345], values[4_321] = 1_000.0, -1_000.0
    await store.readings.append("police", readings("loop-1", NOW_US, values))
    kept = await store.readings.range("police", "loop-1", since=NOW, until=later(5_000), points=100)
    assert len(kept.time_us) == 100
    assert sum(kept.count) == 5_000
    assert (max(kept.high), min(kept.low)) == (1_000.0, -1_000.0)
    assert kept.high[46] == 1_000.0
    assert list(kept.time_us) == sorted(kept.time_us)
    mean = sum(value * count for value, count in zip(kept.value, kept.count, strict=True)) / 5_000
    assert mean == pytest.approx(sum(values) / 5_000)
    inside = await store.readings.range("police", "loop-1", since=later(10), until=later(13))
    assert inside.value == (0.0, 1.0, 2.0)


@pytest.mark.parametrize("points", [0, -1, 1_000_000])
async def test_senseless_numbers_of_points_are_refused(store: Store, points: int) -> None:
    with pytest.raises(InvalidInput):
        await store.readings.range("police", "loop-1", since=NOW, until=later(1), points=points)


async def test_a_span_that_ends_before_it_begins_is_empty(store: Store) -> None:
    await store.readings.append("police", readings("loop-1", NOW_US, [1.0] * 10))
    assert (await store.readings.range("police", "loop-1", since=later(5), until=NOW)).time_us == ()
    assert (await store.readings.range("police", "never-seen", since=NOW, until=later(5))).time_us == ()
    assert await gathered(store, "police", later(5), NOW) == []


async def test_history_is_in_order_over_gaps_and_bursts(store: Store) -> None:
    expected = []
    # A burst, a gap of four months, a second stream that overlaps, another tenant's that must not show.
    for name, begin, count, step in (
        ("loop-1", NOW_US, 30_000, 1_000),
        ("loop-1", NOW_US + 2_900 * HOUR_US, 50, HOUR_US),
        ("loop-2", NOW_US + 15_000_500, 500, 30_000_000),
    ):
        values = [float(number) for number in range(count)]
        await store.readings.append("police", readings(name, begin, values, step_us=step))
        expected += [(name, begin + number * step, float(number)) for number in range(count)]
    await store.readings.append("fire", readings("loop-1", NOW_US, [0.0] * 10))
    rows = await gathered(store, "police", NOW, later(86_400 * 365))
    assert [row[1] for row in rows] == sorted(row[1] for row in expected)
    assert sorted(rows) == sorted(expected)
    only = [
        batch.datastreams
        async for batch in store.readings.history("police", NOW, later(86_400), datastreams=["loop-2"])
    ]
    assert set(only) == {("loop-2",)}
    part = await gathered(store, "police", later(1), later(2))
    assert [row[1] for row in part] == [NOW_US + 1_000_000 + number * 1_000 for number in range(1_000)]


async def test_old_readings_are_removed_in_slices(store: Store) -> None:
    for tenant in ("police", "fire"):
        for name in ("loop-1", "loop-2"):
            await store.readings.append(tenant, readings(name, NOW_US, [1.0] * 3_000))
    assert await store.readings.forget("police", later(2_500), rows=1_000) == 1_000
    removed = 1_000
    while step := await store.readings.forget("police", later(2_500)):
        removed += step
    assert removed == 5_000
    assert len(await gathered(store, "police", NOW, later(5_000))) == 1_000
    assert len(await gathered(store, "fire", NOW, later(5_000))) == 6_000
    assert (await store.readings.latest("police"))["loop-1"].time == later(2_999)
    assert await store.readings.forget("municipality", later(0)) == 0


async def test_expectations_are_kept_once_and_down_sampled(store: Store) -> None:
    batch = ExpectationBatch(
        datastreams=("loop-1",),
        index=(0,) * 400,
        time_us=tuple(NOW_US + number * 1_000_000 for number in range(400)),
        low=tuple(float(number) for number in range(400)),
        middle=tuple(float(number + 1) for number in range(400)),
        high=tuple(float(number + 2) for number in range(400)),
        score=(0.0,) * 399 + (1.0,),
    )
    assert await store.expectations.append("police", batch) == 400
    assert await store.expectations.append("police", batch) == 0
    all_of_it = await store.expectations.range("police", "loop-1", since=NOW, until=later(400), points=1_000)
    assert (all_of_it.low, all_of_it.middle, all_of_it.high) == (batch.low, batch.middle, batch.high)
    few = await store.expectations.range("police", "loop-1", since=NOW, until=later(400), points=4)
    assert (few.low, few.high) == ((0.0, 100.0, 200.0, 300.0), (101.0, 201.0, 301.0, 401.0))
    assert few.score == (0.0, 0.0, 0.0, 1.0)
    assert (await store.expectations.range("fire", "loop-1", since=NOW, until=later(400))).low == ()
    assert await store.expectations.forget("police", later(100)) == 100


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.integers(-(10**15), 10**16),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=60,
    ),
    points=st.integers(1, 10),
)
async def test_any_readings_come_back(store: Store, rows: list[tuple[str, int, float]], points: int) -> None:
    """Whatever the times and values: history gives all of them, and buckets hold all of them."""
    # The store is the same for all examples.
    tenant = f"tenant-{next(NUMBERS)}"
    expected: dict[tuple[str, int], float] = {}
    for name, time_us, value in rows:
        expected.setdefault((name, time_us), value)
    if rows:
        names = tuple(dict.fromkeys(name for name, _, _ in rows))
        batch = ObservationBatch(
            datastreams=names,
            index=tuple(names.index(name) for name, _, _ in rows),
            time_us=tuple(time_us for _, time_us, _ in rows),
            value=tuple(value for _, _, value in rows),
        )
        assert await store.readings.append(tenant, batch) == len(expected)
    since, until = from_microseconds(-(10**15)), from_microseconds(10**16) + timedelta(seconds=1)
    kept = await gathered(store, tenant, since, until)
    assert {(name, time_us): value for name, time_us, value in kept} == expected
    assert [time_us for _, time_us, _ in kept] == sorted(time_us for _, time_us in expected)
    for name in {name for name, _ in expected}:
        mine = [value for (other, _), value in expected.items() if other == name]
        columns = await store.readings.range(tenant, name, since=since, until=until, points=points)
        assert len(columns.count) <= max(points, 1)
        assert sum(columns.count) == len(mine)
        assert (min(columns.low), max(columns.high)) == (min(mine), max(mine))
        assert all(math.isfinite(value) for value in columns.value)
