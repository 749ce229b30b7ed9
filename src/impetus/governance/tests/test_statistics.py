"""Protects: figures about people leave with noise, within the budget, above the floor, and the same ones only once."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy
import pytest
from pydantic import ValidationError

from impetus.governance.noise import with_noise
from impetus.governance.settings import StatisticsSettings
from impetus.governance.statistics import Statistics
from impetus.model import Conflict, InvalidInput, ManualClock, NotAllowed, NotFound, Observation, ObservationBatch
from impetus.model.statistics import CellWidth, StatisticsRequest
from impetus.situation.tests.house import House, a_datastream, opened_house

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
HOURS = 48
LATER = BEGIN + timedelta(days=10)


class Mechanism:
    """Draws no noise, and notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], float, int]] = []

    async def __call__(self, figures: Sequence[int], epsilon: float, sensitivity: int) -> Sequence[int]:
        self.calls.append((list(figures), epsilon, sensitivity))
        return list(figures)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened_house(tmp_path) as house:
        async with house.store.transaction() as transaction:
            await transaction.datastreams.put(
                "municipality",
                [
                    a_datastream(id="square", observed_property="people-count", unit="1"),
                    a_datastream(id="noise", observed_property="sound-level", unit="dB"),
                ],
            )
        readings = [
            Observation(datastream="square", time=BEGIN + timedelta(minutes=20 * n), value=float(n // 3 * 100))
            for n in range(3 * (HOURS - 1))
        ]
        await house.store.readings.append("municipality", ObservationBatch.of(readings))
        yield house


def wanted(**changes: object) -> StatisticsRequest:
    return StatisticsRequest.model_validate(
        {
            "title": "Cathedral square",
            "recipient": "the public",
            "datastreams": ["square"],
            "since": BEGIN,
            "until": BEGIN + timedelta(hours=HOURS),
            "epsilon": 0.5,
            **changes,
        }
    )


async def test_figures_are_means_of_an_hour_with_their_floor_and_are_booked_once(house: House) -> None:
    mechanism, clock = Mechanism(), ManualClock(LATER)
    statistics = Statistics(house.store, clock, StatisticsSettings(), mechanism=mechanism)
    planner = house.person("sofia")
    made = await statistics.release(planner, wanted())
    ((figures, epsilon, sensitivity),) = mechanism.calls
    assert figures == [100 * hour for hour in range(HOURS - 1)] + [0]
    assert (epsilon, sensitivity) == (0.5, 4)
    assert made.noise_scale == 8.0
    assert made.floor == 10 + 56  # 8 ln 1000, rounded up
    assert made.figures[0][:3] == (None, 100, 200)
    assert made.figures[0][-1] is None, "nothing was measured"
    again = await statistics.release(planner, wanted(title="Another title", recipient="somebody else"))
    assert again == made, "no fresh noise for the same figures"
    assert len(mechanism.calls) == 1
    assert (await statistics.ledger(house.person("dora"))).spent == pytest.approx(0.5)


async def test_the_budget_holds_whoever_asks_at_once_and_when_the_clock_is_set_back(house: House) -> None:
    clock = ManualClock(LATER)
    statistics = Statistics(house.store, clock, StatisticsSettings(budget=1.0), mechanism=Mechanism())
    by = house.person("sofia")
    asked = [statistics.release(by, wanted(until=BEGIN + timedelta(hours=n), epsilon=0.4)) for n in range(1, 6)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in answers) == 2
    assert all(isinstance(one, Conflict) for one in answers if isinstance(one, BaseException))
    earlier = Statistics(
        house.store, ManualClock(LATER - timedelta(days=5)), StatisticsSettings(budget=1.0), mechanism=Mechanism()
    )
    assert (await earlier.ledger(by)).spent == pytest.approx(0.8), "what lies in the future counts"
    later = Statistics(
        house.store, ManualClock(LATER + timedelta(days=31)), StatisticsSettings(budget=1.0), mechanism=Mechanism()
    )
    assert (await later.ledger(by)).spent == 0


async def test_what_is_refused(house: House) -> None:
    statistics = Statistics(house.store, ManualClock(LATER), StatisticsSettings(), mechanism=Mechanism())
    with pytest.raises(NotAllowed):
        await statistics.release(house.person("olivia"), wanted())
    with pytest.raises(InvalidInput, match="does not count people"):
        await statistics.release(house.person("sofia"), wanted(datastreams=["noise"]))
    with pytest.raises(NotFound):
        await statistics.release(house.person("sofia"), wanted(datastreams=["elsewhere"]))
    with pytest.raises(InvalidInput, match="not over yet"):
        await statistics.release(house.person("sofia"), wanted(until=LATER + timedelta(hours=5)))
    with pytest.raises(InvalidInput, match="no time"):
        await statistics.release(house.person("sofia"), wanted(until=BEGIN))
    wrong: Sequence[dict[str, object]] = (
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"passes": 0},
        {"since": BEGIN + timedelta(minutes=30)},
        {"until": BEGIN - timedelta(hours=1)},
        {"datastreams": []},
        {"datastreams": ["square", "square"]},
        {"until": BEGIN + timedelta(days=500)},
    )
    for changes in wrong:
        with pytest.raises(ValidationError):
            wanted(**changes)
    assert wanted(cell=CellWidth.DAY).cells == 2


async def test_nothing_is_booked_or_kept_when_the_noise_fails(house: House) -> None:
    async def broken(figures: Sequence[int], epsilon: float, sensitivity: int) -> Sequence[int]:
        raise Conflict("no noise")

    statistics = Statistics(house.store, ManualClock(LATER), StatisticsSettings(), mechanism=broken)
    with pytest.raises(Conflict, match="no noise"):
        await statistics.release(house.person("sofia"), wanted())
    assert (await statistics.ledger(house.person("sofia"))).spent == 0
    assert not await statistics.releases(house.person("sofia"))


@pytest.mark.skipif(importlib.util.find_spec("opendp") is None, reason="OpenDP is not installed (impetus[privacy])")
async def test_opendp_draws_discrete_laplace_noise_of_the_scale_that_was_booked() -> None:
    drawn = numpy.array(await with_noise([1_000] * 4_000, 0.5, 4)) - 1_000
    scale = 8.0
    variance = 2 * numpy.exp(1 / scale) / (numpy.exp(1 / scale) - 1) ** 2
    # Five standard errors: of the mean, and of the variance (kurtosis of the Laplace distribution is 6).
    assert abs(drawn.mean()) < 5 * numpy.sqrt(variance / drawn.size)
    assert abs(drawn.var() - variance) < 5 * variance * numpy.sqrt(5 / drawn.size)
