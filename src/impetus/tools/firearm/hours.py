"""The hours of a camera."""

from __future__ import annotations

from datetime import datetime


def within_hours(hours: str, local: datetime) -> bool:
    """Whether a local time lies in `07:00-23:00`; over midnight where the end is before the start.

    >>> within_hours("22:00-05:00", datetime(2026, 1, 1, 23, 30))
    True
    """
    if not hours:
        return True
    start, end = hours.split("-")
    now = f"{local:%H:%M}"
    return start <= now < end if start <= end else now >= start or now < end
