"""Signals are functions of time: the same at any sampling, with the rhythms that a city has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.exercise import signals
from impetus.exercise.city import sensors
from impetus.model import to_microseconds

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
DAY = timedelta(days=1)


def series(id: str, start: datetime, end: datetime, step_s: float) -> signals.Values:
    time_s = np.arange(start.timestamp(), end.timestamp(), step_s)
    return signals.values(sensors()[id], time_s)


@given(st.sampled_from(sorted(sensors())), st.integers(1_577_836_800, 2_051_222_400))
def test_a_value_is_one_that_the_sensor_can_read(id: str, second: int) -> None:
    sensor = sensors()[id]
    value = signals.value(sensor, datetime.fromtimestamp(second, UTC))
    assert sensor.property.lowest <= value <= sensor.highest()
    assert not sensor.property.is_count or value == round(value)


@pytest.mark.parametrize("id", sorted(sensors())[::9])
def test_history_and_live_readings_are_samples_of_the_same_signal(id: str) -> None:
    coarse = series(id, MONDAY, MONDAY + DAY, 300.0)
    fine = series(id, MONDAY, MONDAY + DAY, 60.0)
    assert np.array_equal(fine[::5], coarse)
    one = signals.value(sensors()[id], MONDAY + timedelta(seconds=300 * 17))
    assert one == coarse[17]


@given(st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_noise_has_unit_variance_between_the_lattice_points_too(seed: int, stream: int) -> None:
    for phase in (0.0, 0.25, 0.5):
        sample = signals.noise(seed, stream, np.arange(4_000, dtype=np.float64) * 100.0 + phase * 100.0, 100.0)
        assert abs(float(np.mean(sample))) < 0.15
        assert 0.85 < float(np.std(sample)) < 1.15


def test_neighbouring_moments_are_alike_and_distant_ones_are_not() -> None:
    time_s = np.arange(0, 2_000_000, 100.0)
    here = signals.noise(3, 1, time_s, 1_000.0)
    assert np.corrcoef(here[:-1], here[1:])[0, 1] > 0.9
    assert abs(np.corrcoef(here[:-50], here[50:])[0, 1]) < 0.1


def test_traffic_has_two_rush_hours_on_working_days_and_a_calmer_weekend() -> None:
    id = "traffic-flow-outer-ring-2"
    monday = series(id, MONDAY, MONDAY + DAY, 300.0).reshape(24, 12).mean(axis=1)
    sunday = series(id, MONDAY + 6 * DAY, MONDAY + 7 * DAY, 300.0).reshape(24, 12).mean(axis=1)
    assert monday[7] > 1.3 * monday[10]
    assert monday[16] > 1.1 * monday[13]
    assert monday[2] < 0.2 * monday[7]
    assert sunday[7] < 0.6 * monday[7]


def test_every_week_is_alike_but_not_the_same() -> None:
    first = series("people-count-market-square-fountain", MONDAY, MONDAY + DAY, 300.0)
    second = series("people-count-market-square-fountain", MONDAY + 7 * DAY, MONDAY + 8 * DAY, 300.0)
    assert np.corrcoef(first, second)[0, 1] > 0.9
    assert not np.array_equal(first, second)


def test_a_few_readings_are_lost_always_the_same_ones() -> None:
    sensor = sensors()["sound-level-market-square"]
    moments = [MONDAY + timedelta(seconds=2 * number) for number in range(5_000)]
    lost = [signals.is_lost(sensor, moment) for moment in moments]
    assert 5 < sum(lost) < 100
    assert lost == [signals.is_lost(sensor, moment) for moment in moments]


def test_history_lies_on_whole_steps_so_that_filling_it_again_adds_nothing() -> None:
    step = timedelta(minutes=5)
    start = MONDAY + timedelta(seconds=17)
    first = signals.history_times(start, start + timedelta(hours=1), step)
    again = signals.history_times(start + timedelta(minutes=20), start + timedelta(hours=1), step)
    assert all(to_microseconds(moment) % 300_000_000 == 0 for moment in first)
    assert first[0] >= start
    assert set(again) <= set(first)
    assert len(first) == 12
