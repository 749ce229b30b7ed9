"""What shows only over hours: scatter, course and lasting change are found, and rarely where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from impetus.tools.anomaly.arrays import Booleans, Floats, Integers
from impetus.tools.anomaly.day_memory import DayMemory
from impetus.tools.anomaly.hours import FEATURES, HOUR_FEATURES, Hourly, HourWatch
from impetus.tools.anomaly.monitor import Outcome, StreamMonitor
from impetus.tools.anomaly.tests.streams import DAY_READINGS, INTERVAL_S, START_S, people
from impetus.tools.anomaly.unusual import FEATURES as READING_FEATURES

LAST = 26 * DAY_READINGS
"""The last two of 28 days are looked at."""


def smooth(days: float, *, seed: int) -> Floats:
    """A temperature every quarter of an hour: a warm afternoon, a little noise."""
    hour = np.arange(0, days * 86_400, INTERVAL_S) / 3600 % 24
    noise = np.random.default_rng(seed).normal(0.0, 0.5, len(hour))
    return 15.0 + 6.0 * np.exp(-(((hour - 15) / 4) ** 2)) + noise


def judged(values: Floats, *, watch: HourWatch | None = None) -> Floats:
    """Rarity over hours of each reading, 0 where no stretch ends; streams side by side, shape (streams, readings)."""
    streams = len(values)
    monitor, days, watch = StreamMonitor(), DayMemory(), watch or HourWatch()
    for part in (monitor, days, watch):
        part.grow(streams)
    row, nothing = np.arange(streams), np.zeros(streams)
    rarity = np.zeros(values.shape)
    for number, value in enumerate(values.T):
        time_s = np.full(streams, START_S + number * INTERVAL_S)
        scored = monitor.update(row, time_s, nothing, value)
        good = np.flatnonzero(scored.outcome == Outcome.SCORED)
        distance = (value[good] - scored.middle[good]) / scored.spread[good]
        said = watch.update(row[good], time_s[good], distance, scored.spread[good], nothing[good] > 0, days)
        days.update(row, time_s, value)
        rarity[good[said.place], number] = said.rarity
    return rarity


class Best(HourWatch):
    """Notes the largest rarity of each feature after `LAST`."""

    def __init__(self) -> None:
        super().__init__()
        self.best = np.zeros(len(HOUR_FEATURES))

    def update(
        self, row: Integers, local_s: Floats, distance: Floats, spread: Floats, told: Booleans, days: DayMemory
    ) -> Hourly:
        said = super().update(row, local_s, distance, spread, told, days)
        if len(said.place) and local_s[0] >= START_S + LAST * INTERVAL_S:
            self.best = np.maximum(self.best, self.rarities[0])
        return said


def told(values: Floats) -> dict[str, float]:
    """The largest rarity of each feature in the last two days of one stream."""
    watch = Best()
    judged(values[None, :], watch=watch)
    return dict(zip(HOUR_FEATURES, watch.best.tolist(), strict=True))


def test_more_and_less_scatter_at_the_usual_level_are_told_apart() -> None:
    values = smooth(28, seed=1)
    usual = (
        smooth(28, seed=1) * 0
        + 15.0
        + 6.0 * np.exp(-(((np.arange(len(values)) * INTERVAL_S / 3600 % 24 - 15) / 4) ** 2))
    )
    wild, calm = values.copy(), values.copy()
    part = slice(LAST + 40, LAST + 56)
    wild[part] = usual[part] + 5.0 * (values[part] - usual[part])
    calm[part] = usual[part] + 0.001 * (values[part] - usual[part])
    assert told(wild)["scatters more"] > 3.5
    assert told(calm)["scatters less"] > 2.5
    assert max(told(values).values()) < 4.0


def test_a_small_change_that_lasts_is_told_though_no_reading_is_unusual() -> None:
    values = smooth(28, seed=2)
    values[LAST + 8 : LAST + 8 + 72] += 0.6
    assert told(values)["changed upwards"] > 3.5


def test_a_course_that_no_day_had_is_told_at_values_that_are_usual() -> None:
    """The warm hours come at night: each value is one that the stream has every day."""
    values = smooth(28, seed=3)
    day = slice(LAST + 2 * 4, LAST + 14 * 4)
    values[day] = np.roll(values[LAST - DAY_READINGS : LAST], -10 * 4)[day.start - LAST : day.stop - LAST]
    assert told(values)["odd course"] > 3.5


def test_what_is_rare_is_as_rare_as_it_is_said_to_be() -> None:
    """20 quiet streams: not three times as often as the rarity says, so that the false alarms keep to their rate."""
    values = np.stack([people(21, seed=seed) if seed % 2 else smooth(21, seed=seed) for seed in range(20)])
    rarity = judged(values)
    late = rarity[:, 14 * DAY_READINGS :]
    for bar in (3.0, 3.5, 4.0):
        assert np.count_nonzero(late >= bar) <= 3.0 * late.size * 10.0**-bar + 3


def test_what_was_learnt_survives_a_restart_to_the_last_digit() -> None:
    values = np.stack([smooth(10, seed=5), people(10, seed=6)])
    whole, saved = HourWatch(), HourWatch()
    expected = judged(values, watch=whole)
    judged(values[:, :1], watch=saved)
    saved.load("hours", whole.dump("hours"))
    assert expected.any()
    assert all(np.array_equal(array, saved.dump("hours")[name]) for name, array in whole.dump("hours").items())


def test_a_saved_state_of_other_streams_is_refused() -> None:
    two, three = HourWatch(), HourWatch()
    two.grow(2)
    three.grow(3)
    mixed = two.dump("hours") | {name: array for name, array in three.dump("hours").items() if "tail" in name}
    with pytest.raises(ValueError, match="differ in length"):
        HourWatch().load("hours", mixed)


def test_the_features_of_readings_come_first() -> None:
    """An episode's feature is a number; checkpoints hold it."""
    assert FEATURES[: len(READING_FEATURES)] == READING_FEATURES
