"""Who is on duty at a moment, by the wall clock of the roster's place, whatever that clock does in spring and autumn.

A shift lasts from the moment at which its wall-clock start comes to the moment at which its wall-clock end comes. Where
the clock is put back and a time comes twice, the first one counts; where it is put forward over a time, the moment of
the change stands for it. So a hand-over is one moment for both sides: nobody is on duty twice, and never nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from impetus.model.notification import Member, Roster, Shift, Weekday

WEEK = timedelta(weeks=1)


def on_duty(roster: Roster, moment: datetime) -> Sequence[Member]:
    """Those on duty at `moment`, each once, in the order of the roster's members.

    An exception that holds then replaces the pattern; of several the one that was written last counts.
    """
    named: set[str] = set()
    for exception in reversed(roster.exceptions):
        if exception.start <= moment < exception.end:
            named = set(exception.members)
            break
    else:
        for shift in roster.shifts:
            if any(start <= moment < end for start, end in _turns(roster, shift, moment)):
                named.update(shift.members)
    return [member for member in roster.members if member.id in named]


def next_change(roster: Roster, moment: datetime) -> datetime | None:
    """The first moment after `moment` at which somebody comes on duty or goes; None if nothing changes in a cycle."""
    horizon = moment + WEEK * (roster.cycle_weeks + 1)
    edges = {edge for exception in roster.exceptions for edge in (exception.start, exception.end)}
    week = timedelta(0)
    while moment + week <= horizon:
        for shift in roster.shifts:
            edges.update(edge for turn in _turns(roster, shift, moment + week) for edge in turn)
        week += WEEK
    now = {member.id for member in on_duty(roster, moment)}
    for edge in sorted(edge for edge in edges if moment < edge <= horizon):
        if {member.id for member in on_duty(roster, edge)} != now:
            return edge
    return None


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC moment at which a wall clock in `zone` comes to `wall` (without offset) for the first time.

    >>> instant(datetime(2026, 3, 29, 2, 30), ZoneInfo("Europe/Oslo")).isoformat()
    '2026-03-29T01:00:00+00:00'
    >>> instant(datetime(2026, 10, 25, 2, 30), ZoneInfo("Europe/Oslo")).isoformat()
    '2026-10-25T00:30:00+00:00'
    """
    before = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if before.astimezone(zone).replace(tzinfo=None) == wall:
        return before
    # The clock jumps over this time. Reckoned with the offset from before the jump it lies after it, with the one from
    # after the jump before it: the jump itself is between, and the shown time tells the two sides apart.
    early, late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), before
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def _turns(roster: Roster, shift: Shift, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The turns of a shift that may hold at `moment`: those that start in its week or in the one before."""
    zone = ZoneInfo(roster.zone)
    monday = _monday(moment.astimezone(zone).date())
    for start_week in (monday - WEEK, monday):
        if (start_week - _monday(roster.first_week)).days // 7 % roster.cycle_weeks != shift.week:
            continue
        start = datetime.combine(start_week, shift.start) + timedelta(days=list(Weekday).index(shift.start_day))
        yield instant(start, zone), instant(start + timedelta(minutes=shift.minutes), zone)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
