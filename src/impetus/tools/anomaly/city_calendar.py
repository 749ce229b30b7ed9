"""Local time of a city, and its public holidays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from impetus.model import from_microseconds
from impetus.tools.anomaly.arrays import Floats

FIRST_NAMED_S, LAST_NAMED_S = -62_000_000_000.0, 253_000_000_000.0
"""Seconds since 1970 (of the years 5 and 9987) between which times are told in local time."""
QUARTER_S = 900.0
DAY_S = 86_400.0
FIRST_WEEKDAY, SUNDAY = 3, 6
"""1970-01-01 was a Thursday; Monday is 0."""
FIRST_YEAR, LAST_YEAR = 1950, 2100
"""Years that holidays are asked for; a sensor's clock may stand anywhere."""
MOST_KNOWN = 4_000
"""Days whose answer is remembered."""


class CityCalendar:
    """What local time is ahead of UTC, and which days are lived as Sundays.

    `is_holiday` says so of a local day; None: there are no holidays.

    >>> calendar = CityCalendar(ZoneInfo("Europe/Oslo"), lambda day: (day.month, day.day) == (5, 17))
    >>> calendar.offset_s(np.array([0.0, 15_724_800.0])).tolist()
    [3600.0, 3600.0]
    >>> noon_s = np.array([1_778_925_600.0, 1_779_012_000.0])  # of Saturday 16 and Sunday 17 May 2026
    >>> calendar.as_sunday_s(noon_s + 7200.0).tolist()
    [0.0, 0.0]
    >>> calendar.as_sunday_s(noon_s + 7200.0 - 365 * 86_400).tolist()  # Friday 16 and Saturday 17 May 2025
    [0.0, 86400.0]
    """

    def __init__(self, zone: ZoneInfo, is_holiday: Callable[[date], bool] | None = None) -> None:
        self.zone = zone
        self._is_holiday = is_holiday
        self._known: dict[int, float] = {}

    def offset_s(self, time_s: Floats) -> Floats:
        """What local time is ahead of UTC at each moment; asked once a quarter of an hour, as it changes on those."""
        # A clock that stands at the first or the last day that a date can name has no local time.
        named_s = np.clip(time_s, FIRST_NAMED_S, LAST_NAMED_S)
        quarters, inverse = np.unique(np.floor(named_s / QUARTER_S), return_inverse=True)
        offsets = np.zeros(len(quarters))
        for position, quarter in enumerate(quarters):
            local = from_microseconds(int(quarter) * 900_000_000).astimezone(self.zone).utcoffset()
            offsets[position] = 0.0 if local is None else local.total_seconds()
        return offsets[inverse]

    def as_sunday_s(self, local_s: Floats) -> Floats:
        """What has to be added to local time (in seconds since 1970) so that a holiday falls on a Sunday; else 0."""
        if self._is_holiday is None or not len(local_s):
            return np.zeros(len(local_s))
        days, inverse = np.unique(np.floor(local_s / DAY_S).astype(np.int64), return_inverse=True)
        return np.array([self._shift_s(int(day)) for day in days])[inverse]

    def _shift_s(self, day: int) -> float:
        known = self._known.get(day)
        if known is None:
            begin = date(1970, 1, 1)
            named = (date(FIRST_YEAR, 1, 1) - begin).days <= day < (date(LAST_YEAR, 1, 1) - begin).days
            holiday = named and self._is_holiday is not None and self._is_holiday(begin + timedelta(days=day))
            known = DAY_S * (SUNDAY - (day + FIRST_WEEKDAY) % 7) if holiday else 0.0
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._known[day] = known
        return known


def public_holidays(country: str, subdivision: str) -> Callable[[date], bool] | None:
    """Whether a day is a public holiday of a country (ISO 3166-1, as `NO`) or of a part of it (ISO 3166-2, as `TN`).

    None where no country is given. Raises `ValueError` for a country or a part that is not known.

    >>> is_holiday = public_holidays("NO", "")
    >>> is_holiday(date(2026, 5, 17)), is_holiday(date(2026, 5, 18))
    (True, False)
    """
    if not country:
        if subdivision:
            raise ValueError("a part of a country needs the country; write it as in NO")
        return None
    try:
        import holidays
    except ImportError as error:
        raise ValueError("holidays need the package of that name: pip install 'impetus[anomaly]'") from error
    try:
        calendar = holidays.country_holidays(country, subdiv=subdivision or None)
    except NotImplementedError as error:
        raise ValueError(
            f"no holidays are known for {country!r} {subdivision!r}; write it as in NO, IT or DE"
        ) from error
    # Sundays are holidays in some countries' lists, which changes nothing here.
    return lambda day: day in calendar
