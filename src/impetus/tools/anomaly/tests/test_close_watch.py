"""One stream watched closely: causal, calm on noise, and clear about what is wrong with a stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.close_watch import ALERT_SCORE, CloseWatch, Judgement, score_of_evidence
from impetus.tools.anomaly.monitor import Outcome
from impetus.tools.anomaly.rank_memory import rarity_of, remember
from impetus.tools.anomaly.tests.streams import DAY_READINGS, INTERVAL_S, people


def judgements(values: Floats, *, interval_s: float = INTERVAL_S) -> list[Judgement]:
    watch = CloseWatch()
    return [watch.update(interval_s * number, 0.0, float(value)) for number, value in enumerate(values)]


def scores(values: Floats) -> list[float]:
    return [0.0 if one.evidence is None else score_of_evidence(one.evidence.news) for one in judgements(values)]


def test_a_score_does_not_depend_on_what_comes_later() -> None:
    """Neither on later values nor on how long the stream will be."""
    values = people(6)
    later = values.copy()
    later[4 * DAY_READINGS :] = 1e6
    assert scores(values)[: 4 * DAY_READINGS] == scores(later)[: 4 * DAY_READINGS]


@pytest.mark.parametrize("seed", range(3))
def test_noise_raises_next_to_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = scores(20.0 + random.normal(size=4_000))
    assert sum(score >= ALERT_SCORE for score in found) <= 8
    assert sum(score >= ALERT_SCORE for score in found[2_000:]) <= 2


def test_a_missing_rush_hour_is_seen_though_every_value_in_it_is_usual() -> None:
    """Unusual for the hour, not in itself."""
    values = people(10)
    values[8 * DAY_READINGS + 24 : 8 * DAY_READINGS + 44] = values[8 * DAY_READINGS : 8 * DAY_READINGS + 20]
    evidence = [one.evidence.evidence if one.evidence else 0.0 for one in judgements(values)]
    assert 8 * DAY_READINGS + 24 <= int(np.argmax(evidence)) < 8 * DAY_READINGS + 48


def test_a_lasting_event_is_told_a_few_times_and_not_at_every_reading() -> None:
    values = people(10)
    values[8 * DAY_READINGS : 8 * DAY_READINGS + 80] += 400
    found = scores(values)[8 * DAY_READINGS : 8 * DAY_READINGS + 80]
    assert 1 <= sum(score >= ALERT_SCORE for score in found) <= 8


def test_more_scatter_at_the_same_level_is_seen() -> None:
    random = np.random.default_rng(5)
    values = 20.0 + random.normal(size=3_000)
    values[2_500:2_600] = 20.0 + 4.0 * random.normal(size=100)
    assert max(scores(values)[2_500:2_600]) >= ALERT_SCORE


def test_a_change_of_unit_is_recognised_and_told_once() -> None:
    """A thermometer that is set from Celsius to Fahrenheit."""
    random = np.random.default_rng(2)
    hours = np.arange(0, 10 * 24, 0.25)
    values = 15.0 + 4.0 * np.sin(hours / 24 * 2 * np.pi) + random.normal(0, 0.3, len(hours))
    values[800:] = 1.8 * values[800:] + 32.0
    told = [(number, one.unit.words) for number, one in enumerate(judgements(values)) if one.unit is not None]
    assert [words for _, words in told] == ["degrees Celsius to Fahrenheit"]
    assert 800 <= told[0][0] < 830


def test_a_stuck_stream_is_told_once() -> None:
    values = people(6)
    values[500:] = 77.0
    stuck = [number for number, one in enumerate(judgements(values)) if one.stuck]
    assert len(stuck) == 1
    assert stuck[0] > 500


@pytest.mark.parametrize(
    "values",
    [
        np.full(500, 5.0),
        np.zeros(500),
        np.array([1.0, 2.0, 3.0]),
        np.array([1.0]),
        np.tile([0.0, 1e99], 100),
        np.full(300, 1e-300),
    ],
    ids=["constant", "zero", "three values", "one value", "huge", "tiny"],
)
def test_plain_streams_give_finite_scores_and_no_alert(values: Floats) -> None:
    found = scores(values)
    assert all(0.0 <= score < ALERT_SCORE for score in found)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-1e6, 1e12) | st.sampled_from([0.0, 60.0, 120.0]),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=150,
    )
)
def test_any_readings_in_any_order_give_a_clear_outcome(readings: list[tuple[float, float]]) -> None:
    """Unsorted, doubled, missing, absurd: a score in 0..1 or none, and an outcome that says why."""
    watch = CloseWatch()
    for time_s, value in readings:
        judgement = watch.update(time_s, 0.0, value)
        if judgement.evidence is None:
            assert judgement.outcome not in (Outcome.SCORED, Outcome.LEARNING)
        else:
            assert 0.0 <= score_of_evidence(judgement.evidence.news) <= 1.0
            assert np.isfinite(judgement.evidence.rarities).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=80), st.integers(2, 30))
def test_the_memory_is_the_newest_values_in_order(values: list[float], size: int) -> None:
    ordered, by_time = np.empty(size), np.empty(size)
    for seen, value in enumerate(values):
        remember(ordered, by_time, seen, value)
    kept = values[-size:]
    assert ordered[: len(kept)].tolist() == sorted(kept)


def test_rarity_rises_with_the_value() -> None:
    ordered = np.sort(np.random.default_rng(1).exponential(size=1_000))
    rarities = [rarity_of(ordered, 1_000, value) for value in np.linspace(0.0, 30.0, 200)]
    assert rarities == sorted(rarities)
