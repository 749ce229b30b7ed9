"""Holidays are expected as Sundays; a wrong country is refused with a reason."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from impetus.tools.anomaly.city_calendar import DAY_S, CityCalendar, public_holidays
from impetus.tools.anomaly.monitor import StreamMonitor
from impetus.tools.anomaly.settings import AnomalySettings

pytest.importorskip("holidays", reason="the package of the holidays is not installed")
HOUR_S = 3_600.0
WEEKS = 8
MONDAY_S = 4 * DAY_S
"""1970-01-05, a Monday."""


def quiet_sundays(hours: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """100 an hour by day, 20 on Sundays, from a Monday on."""
    hour = np.arange(hours)
    by_day = np.where((hour % 24 >= 7) & (hour % 24 < 20), 100.0, 10.0)
    sunday = hour // 24 % 7 == 6
    return np.where(sunday, 0.2, 1.0) * by_day + np.random.default_rng(1).normal(0.0, 2.0, hours)


def expected_on_thursday(holiday: int | None, *, known: bool) -> tuple[float, float]:
    """What is expected of noon on Thursday of the last week, a holiday if one is named, and of the Thursday after."""
    count = 24 * 7 * WEEKS
    values = quiet_sundays(count)
    day = date(1970, 1, 1 + 4).toordinal() - date(1970, 1, 1).toordinal() + 7 * (WEEKS - 1) + 3
    first = 24 * (7 * (WEEKS - 1) + 3)
    if holiday is not None:
        values[first : first + 24] = values[6 * 24 : 7 * 24]
    calendar = CityCalendar(ZoneInfo("UTC"), (lambda one: one.toordinal() - 719_163 == day) if known else None)
    monitor = StreamMonitor()
    monitor.grow(1)
    row, expected = np.zeros(1, dtype=np.int64), 0.0
    for number, value in enumerate(values):
        time_s = np.array([MONDAY_S + number * HOUR_S])
        scored = monitor.update(row, time_s, calendar.as_sunday_s(time_s), np.array([value]))
        if number == first + 12:
            expected = float(scored.middle[0])
    next_s = np.array([MONDAY_S + (first + 7 * 24 + 12) * HOUR_S])
    return expected, float(monitor.unusual.baseline.expect(row, next_s)[0][0])


def test_a_holiday_is_expected_as_a_sunday_and_does_not_teach_the_weekday() -> None:
    plain, after_plain = expected_on_thursday(None, known=False)
    as_sunday, after_sunday = expected_on_thursday(3, known=True)
    unknown, after_unknown = expected_on_thursday(3, known=False)
    assert plain > 80
    assert as_sunday < 50
    assert unknown > 80
    assert abs(after_sunday - after_plain) < abs(after_unknown - after_plain)


@given(some.floats(-1e12, 1e12))
def test_every_time_has_an_answer(local_s: float) -> None:
    """A sensor's clock may stand anywhere."""
    calendar = CityCalendar(ZoneInfo("Europe/Oslo"), public_holidays("NO", ""))
    shift = calendar.as_sunday_s(np.array([local_s]))
    assert shift[0] % DAY_S == 0
    assert 0 <= shift[0] <= 6 * DAY_S


def test_holidays_of_a_part_of_a_country() -> None:
    germany, bavaria = public_holidays("DE", ""), public_holidays("DE", "BY")
    assert germany is not None
    assert bavaria is not None
    assumption = date(2026, 8, 15)
    assert not germany(date(2026, 1, 6))
    assert bavaria(date(2026, 1, 6))
    assert public_holidays("", "") is None
    assert germany(assumption) is False


@pytest.mark.parametrize(
    "wrong", [{"holidays_country": "XX"}, {"holidays_country": "DE", "holidays_subdivision": "Q9"}]
)
def test_an_unknown_country_is_refused_with_a_reason(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="no holidays are known"):
        AnomalySettings.model_validate(wrong)


def test_a_part_without_its_country_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs the country"):
        AnomalySettings.model_validate({"holidays_subdivision": "BY"})
