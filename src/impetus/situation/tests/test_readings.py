"""Protects that readings are kept once, that impossible ones are set aside with their reason, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import (
    Datastream,
    Envelope,
    ExpectationBatch,
    InvalidInput,
    Observation,
    ObservationBatch,
    SystemClock,
    to_microseconds,
)
from impetus.situation.admission import Window, admit
from impetus.situation.latest import LatestReadings
from impetus.situation.rate import Rate
from impetus.situation.readings import join_observations
from impetus.situation.runtime import running
from impetus.situation.tests.house import House, a_datastream, eventually

NOW = SystemClock().now().replace(microsecond=0)


def batch_of(*readings: tuple[str, float, float]) -> ObservationBatch:
    """Readings as (datastream, seconds before now, value)."""
    return ObservationBatch.of(
        Observation(datastream=name, time=NOW - timedelta(seconds=ago_s), value=value)
        for name, ago_s, value in readings
    )


def message(batch: ObservationBatch | ExpectationBatch, kind: str = "observation") -> Envelope:
    return Envelope.wrap(batch, kind=kind, tenant="municipality", origin="mqtt", time=NOW)


async def register(house: House, *datastreams: Datastream) -> None:
    async with house.store.transaction() as transaction:
        await transaction.datastreams.put("municipality", datastreams)


async def test_readings_and_expectations_reach_the_store_once(house: House) -> None:
    await register(house, a_datastream())
    batch = batch_of(("traffic-1", 2, 10.0), ("traffic-1", 1, 11.0), ("other", 1, 5.0))
    expected = ExpectationBatch(
        datastreams=("traffic-1",),
        index=(0,),
        time_us=(to_microseconds(NOW),),
        low=(8.0,),
        middle=(10.0,),
        high=(12.0,),
        score=(0.1,),
    )
    async with running(house.situation):
        await house.bus.publish([message(batch), message(batch), message(expected, "expectation")])

        async def kept() -> bool:
            found = await house.store.expectations.range(
                "municipality", "traffic-1", since=NOW - timedelta(hours=1), until=NOW + timedelta(hours=1)
            )
            return len(found.time_us) == 1

        await eventually(kept)
        columns = await house.store.readings.range(
            "municipality", "traffic-1", since=NOW - timedelta(hours=1), until=NOW + timedelta(hours=1)
        )
        assert columns.value == (10.0, 11.0)
        assert house.situation.readings.latest.of("municipality")["traffic-1"][1] == 11.0


async def test_impossible_readings_are_set_aside_and_the_others_kept(house: House) -> None:
    await register(house, a_datastream(highest=100.0))
    batch = batch_of(
        ("traffic-1", 3, 10.0), ("traffic-1", 2, 1e9), ("traffic-1", -86_400, 12.0), ("traffic-1", 1, 13.0)
    )
    async with running(house.situation):
        await house.bus.publish([message(batch)])

        async def kept() -> bool:
            return len(await house.bus.dead_letters("municipality")) == 2

        await eventually(kept)
        columns = await house.store.readings.range(
            "municipality", "traffic-1", since=NOW - timedelta(hours=1), until=NOW + timedelta(days=2)
        )
    assert columns.value == (10.0, 13.0)
    reasons = " ".join(letter.reason for letter in await house.bus.dead_letters("municipality"))
    assert "higher than this datastream can read" in reasons
    assert "in the future" in reasons


async def test_what_is_sent_over_http_must_name_known_datastreams_and_real_values(house: House) -> None:
    await register(house, a_datastream())
    readings = house.situation.readings
    await readings.check("municipality", batch_of(("traffic-1", 1, 5.0)))
    with pytest.raises(InvalidInput, match="not known"):
        await readings.check("municipality", batch_of(("nobody", 1, 5.0)))
    with pytest.raises(InvalidInput, match="not known"):
        await readings.check("police", batch_of(("traffic-1", 1, 5.0)))
    with pytest.raises(InvalidInput, match="lower"):
        await readings.check("municipality", batch_of(("traffic-1", 1, -5.0)))


READINGS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-2_000, 2_000), st.floats(-10, 10)), min_size=1, max_size=30
)


@given(READINGS)
def test_every_reading_is_either_admitted_in_order_or_refused(readings: list[tuple[str, float, float]]) -> None:
    batch = batch_of(*readings)
    registered = {"a": a_datastream(id="a", lowest=-5.0, highest=5.0), "b": a_datastream(id="b", highest=None)}
    window = Window(NOW - timedelta(seconds=1_000), NOW + timedelta(seconds=1_000))

    def possible(reading: tuple[str, float, float]) -> bool:
        name, ago_s, value = reading
        low, high = {"a": (-5.0, 5.0), "b": (0.0, 99.0)}.get(name, (-99.0, 99.0))
        return -1_000 <= ago_s <= 1_000 and low <= value <= high

    admitted, refused = admit(batch, registered, window)
    good = [reading for reading in readings if possible(reading)]
    kept = admitted.observations() if admitted is not None else []
    assert [(one.datastream, one.value) for one in kept] == [(name, value) for name, _, value in good]
    assert sum(one.readings for one in refused) == len(readings) - len(good)


@given(st.lists(READINGS, min_size=1, max_size=5))
def test_joining_batches_keeps_every_reading_in_order(groups: list[list[tuple[str, float, float]]]) -> None:
    batches = [batch_of(*group) for group in groups]
    joined = ObservationBatch.model_validate(join_observations(batches).model_dump())
    assert joined.observations() == [one for batch in batches for one in batch.observations()]


def test_the_latest_reading_is_the_newest_and_changes_are_told_once() -> None:
    latest = LatestReadings()
    latest.add("municipality", batch_of(("a", 1, 1.0), ("a", 5, 2.0)))
    latest.add("police", batch_of(("a", 1, 9.0)))
    changes = latest.take_changes()
    assert changes["municipality"]["a"][1] == 1.0
    assert changes["police"]["a"][1] == 9.0
    assert latest.take_changes() == {}


def test_the_rate_is_the_mean_over_the_last_full_seconds() -> None:
    rate = Rate(seconds=10)
    for second in range(30):
        for part in range(4):
            rate.add(5, second + part / 4)
    assert rate.value(30.0) == 20.0
    assert rate.value(35.0) == 10.0
    assert rate.value(99.0) == 0.0
