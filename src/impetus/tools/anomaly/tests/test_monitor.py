"""The scores: causal, restartable, sensitive to what was planted and calm where nothing was."""

from __future__ import annotations

import doctest
import importlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impetus.tools.anomaly
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.monitor import Outcome, StreamMonitor
from impetus.tools.anomaly.tests.streams import DAY_READINGS, INTERVAL_S, START_S, people, rarities, score

FOLDER = Path(impetus.tools.anomaly.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("__init__", "panel"))

any_value = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 5).map(float))
any_step_s = st.sampled_from([60.0, 60.0, 60.0, 0.0, -30.0, 3600.0, 1e6, -1e6])
steps = st.lists(st.tuples(any_step_s, any_value), max_size=40)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    """The examples are what a reader learns the classes from."""
    assert doctest.testmod(importlib.import_module(f"impetus.tools.anomaly.{name}")).failed == 0


def outcomes(readings: list[tuple[float, float]]) -> list[tuple[float, ...]]:
    monitor = StreamMonitor()
    monitor.grow(1)
    time_s, results = START_S, []
    for step_s, value in readings:
        time_s += step_s
        scored = monitor.update(np.zeros(1, dtype=np.int64), np.array([time_s]), np.zeros(1), np.array([value]))
        results.append(
            tuple(
                float(getattr(scored, name)[0])
                for name in ("outcome", "rarity", "novelty", "low", "middle", "high", "stuck")
            )
        )
    return results


@given(start=steps, one=steps, other=steps)
@settings(max_examples=25, deadline=None)
def test_a_score_never_depends_on_what_follows(
    start: list[tuple[float, float]], one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> None:
    """Strict causality: the same beginning has the same results, whatever comes after, in any order of times."""
    beginning = outcomes(start)
    assert np.array_equal(outcomes(start + one)[: len(start)], beginning, equal_nan=True)
    assert np.array_equal(outcomes(start + other)[: len(start)], beginning, equal_nan=True)


@given(readings=steps)
@settings(max_examples=25, deadline=None)
def test_scores_are_sound_whatever_is_read(readings: list[tuple[float, float]]) -> None:
    """Huge, tiny, repeated, unsorted and missing values give finite rarities, and poison nothing that follows."""
    for outcome, rarity, novelty, *_ in outcomes(readings):
        assert math.isfinite(rarity)
        assert math.isfinite(novelty)
        assert rarity >= 0.0
        assert outcome in set(Outcome)
    assert all(math.isfinite(rarity) for _, rarity, *_ in outcomes([*readings, *[(60.0, 5.0)] * 20])[-20:])


def test_streams_do_not_influence_each_other() -> None:
    """Side by side in one array, each stream scores as it does alone, whatever rounds it reports in."""
    one, two = people(2, seed=1), people(2, seed=2) * 7
    monitor = StreamMonitor()
    monitor.grow(2)
    together = np.full((2, len(one)), np.nan)
    for number in range(len(one)):
        rows = np.array([0, 1]) if number % 3 else np.array([0])
        time_s = np.full(len(rows), START_S + number * INTERVAL_S)
        values = np.array([one[number], two[number]])[rows]
        together[rows, number] = monitor.update(rows, time_s, np.zeros(len(rows)), values).rarity
    assert np.array_equal(together[0], rarities(one)[0])


@dataclass(frozen=True)
class Planted:
    """Four weeks of the same square: quiet, and with an event on the 18th day."""

    quiet: Floats
    crowd: Floats
    empty: Floats
    night: Floats
    lasting: Floats


DAY_18, RUSH, NIGHT, NOON = 18 * DAY_READINGS, 8 * 4, 2 * 4, 12 * 4


@pytest.fixture(scope="module")
def planted() -> Planted:
    quiet = people(28)
    crowd, empty, night, lasting = (quiet.copy() for _ in range(4))
    crowd[DAY_18 + NOON : DAY_18 + NOON + 4] += 250
    empty[DAY_18 + RUSH : DAY_18 + RUSH + 4] = 0
    night[DAY_18 + NIGHT : DAY_18 + NIGHT + 2] = quiet[DAY_18 + RUSH]
    lasting[DAY_18:] += 200
    return Planted(*rarities(quiet, crowd, empty, night, lasting))


def test_planted_events_are_rare(planted: Planted) -> None:
    """A crowd at noon and an empty square at rush hour stand out of four weeks of rhythm."""
    assert planted.crowd[DAY_18 + NOON : DAY_18 + NOON + 4].max() > 4
    assert planted.empty[DAY_18 + RUSH : DAY_18 + RUSH + 4].max() > 4
    assert np.quantile(planted.quiet[14 * DAY_READINGS :], 0.99) < 3


def test_a_rush_hour_is_usual_and_the_same_count_at_night_is_not(planted: Planted) -> None:
    """The rhythm of the day is learnt: what is unusual depends on when it is read."""
    assert planted.quiet[DAY_18 + RUSH] < 2.5
    assert planted.night[DAY_18 + NIGHT : DAY_18 + NIGHT + 2].max() > 4


def test_rarity_means_what_it_says(planted: Planted) -> None:
    """On quiet weeks, once in a thousand readings happens about that often: not ten times as often."""
    quiet = planted.quiet[14 * DAY_READINGS :]
    # Six statistics, each with its own chance.
    assert np.mean(quiet >= 2.0) < 6 * 1e-2
    assert np.mean(quiet >= 3.0) < 6 * 4e-3


def test_a_lasting_change_becomes_the_new_norm(planted: Planted) -> None:
    """After a building site moves the traffic, the alert must not stand for ever."""
    assert planted.lasting[DAY_18 : DAY_18 + 8].max() > 4
    assert np.mean(planted.lasting[26 * DAY_READINGS :] >= 3.0) < 0.02


def test_restart_from_a_checkpoint_gives_the_same_scores() -> None:
    """Nothing that was learnt is lost with the process."""
    values = people(4)
    whole = score(values)
    monitor = StreamMonitor()
    monitor.grow(1)
    half = len(values) // 2
    score(values[:half], monitor=monitor)
    restored = StreamMonitor()
    restored.from_bytes(monitor.to_bytes({}))
    rest = []
    for number in range(half, len(values)):
        moment = np.array([START_S + number * INTERVAL_S])
        rest.append(restored.update(np.zeros(1, dtype=np.int64), moment, np.zeros(1), values[number : number + 1]))
    assert [part.rarity[0] for part in rest] == [part.rarity[0] for part in whole[half:]]
    assert [part.low[0] for part in rest] == [part.low[0] for part in whole[half:]]


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_broken_checkpoint_is_refused_by_name(data: bytes) -> None:
    """The worker must be able to tell it from a good one, and start from history."""
    with pytest.raises(ValueError, match="saved state"):
        StreamMonitor().from_bytes(data)


def test_constant_stream_is_never_unusual_until_it_changes() -> None:
    """A valve that is always 1: no division by its zero spread, no stuck alarm, and its first change stands out."""
    found = score(np.r_[np.ones(600), 2.0])
    assert max(part.rarity[0] for part in found[:-1]) == 0.0
    assert not any(part.stuck[0] for part in found)
    assert found[-1].rarity[0] > 3


def test_three_values_only() -> None:
    """Too little to call anything unusual; every reading still has its outcome."""
    found = score(np.array([1.0, 1000.0, -5.0]))
    assert [int(part.outcome[0]) for part in found] == [Outcome.LEARNING] * 3
    assert [part.rarity[0] for part in found] == [0.0] * 3


def test_duplicates_and_late_readings_are_named_and_teach_nothing() -> None:
    """Delivered twice, or out of order: set aside with a name, and the state stays as it was."""
    monitor = StreamMonitor()
    monitor.grow(1)
    score(people(1), monitor=monitor)
    before = monitor.to_bytes({})
    newest_s = float(monitor.newest_s[0])
    row, nothing = np.zeros(1, dtype=np.int64), np.zeros(1)
    again = monitor.update(row, np.array([newest_s]), nothing, np.array([9e9]))
    assert again.outcome[0] == Outcome.DUPLICATE
    assert monitor.to_bytes({}) == before
    late = monitor.update(row, np.array([newest_s - 1e4]), nothing, np.array([9e9]))
    assert late.outcome[0] == Outcome.LATE
    assert late.rarity[0] == 0.0


def test_missing_and_impossible_values_are_named_and_teach_nothing() -> None:
    """A sensor that says -999 or nothing must not move the baseline."""
    monitor = StreamMonitor()
    monitor.grow(1)
    monitor.set_limits(0, 0.0, 5_000.0)
    score(people(1), monitor=monitor)
    before = monitor.to_bytes({})
    row, nothing = np.zeros(1, dtype=np.int64), np.zeros(1)
    for value, outcome in ((-999.0, Outcome.IMPOSSIBLE), (5_001.0, Outcome.IMPOSSIBLE), (math.nan, Outcome.MISSING)):
        moment = monitor.newest_s + 300.0
        assert monitor.update(row, moment, nothing, np.array([value])).outcome[0] == outcome
    assert monitor.to_bytes({}) == before


def test_a_clock_that_was_set_back_is_followed() -> None:
    """One reading from next year must not silence a stream until then."""
    monitor = StreamMonitor()
    monitor.grow(1)
    row, nothing = np.zeros(1, dtype=np.int64), np.zeros(1)
    times_s = [0.0, 60.0, 120.0, 3e7, *(180.0 + 60.0 * number for number in range(30))]
    found = [int(monitor.update(row, np.array([time_s]), nothing, np.array([5.0])).outcome[0]) for time_s in times_s]
    assert found.count(Outcome.LATE) == 9
    assert found[-1] in (Outcome.LEARNING, Outcome.SCORED)


def test_gaps_and_irregular_times_raise_nothing() -> None:
    """A stream that reports when it likes, with days away, is learnt as it is."""
    random = np.random.default_rng(5)
    time_s = START_S + np.cumsum(random.exponential(400.0, 2000) + 3 * 86_400 * (random.random(2000) < 0.001))
    monitor = StreamMonitor()
    monitor.grow(1)
    row = np.zeros(1, dtype=np.int64)
    found = [
        monitor.update(row, time_s[number : number + 1], np.zeros(1), random.normal(20, 2, 1)).rarity[0]
        for number in range(len(time_s))
    ]
    assert np.mean(np.array(found) >= 4.0) < 0.003


def test_stuck_is_judged_by_how_the_stream_repeats_by_nature() -> None:
    """Small integers repeat, nights are zero for hours: only a run far beyond what was seen is a stuck sensor."""
    values = people(14)
    values[values < 40] = 0.0
    broken = 13 * DAY_READINGS + 32
    values[broken:] = 83.0
    found = score(values)
    stuck = [number for number, part in enumerate(found) if part.stuck[0]]
    assert broken < stuck[0] < broken + 30
    assert found[stuck[0]].stuck_since_s[0] == START_S + broken * INTERVAL_S


def test_nothing_is_expected_that_the_sensor_cannot_read() -> None:
    monitor = StreamMonitor()
    monitor.grow(1)
    monitor.set_limits(0, 0.0, 500.0)
    counts = np.random.default_rng(5).poisson(2.0, 600).astype(float)
    bands = []
    for minute, count in enumerate(counts):
        scored = monitor.update(np.array([0]), np.array([60.0 * minute]), np.zeros(1), np.array([count]))
        bands.append((scored.low[0], scored.high[0]))
    assert not any(low < 0 or high > 500 for low, high in bands)
    assert bands[-1][0] < bands[-1][1]
