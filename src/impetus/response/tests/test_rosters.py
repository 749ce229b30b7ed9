"""Protects that exactly the right people are on duty, also in the nights when the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model.notification import Member, Roster, RosterException, Shift, Weekday
from impetus.response.rosters import instant, next_change, on_duty

DAYS = list(Weekday)
ZONES = ["Europe/Oslo", "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]


def member(name: str) -> Member:
    return Member(id=name, name=name.title(), channels=("mail",))


def roster(**changes: object) -> Roster:
    fields = {
        "id": "duty",
        "title": "Duty",
        "zone": "Europe/Oslo",
        "members": (member("day"), member("night")),
        "shifts": tuple(
            shift
            for number, day in enumerate(DAYS)
            for shift in (
                Shift(members=("day",), start_day=day, start=time(8), end_day=day, end=time(20)),
                Shift(members=("night",), start_day=day, start=time(20), end_day=DAYS[(number + 1) % 7], end=time(8)),
            )
        ),
        **changes,
    }
    return Roster.model_validate(fields)


def names(one: Roster, moment: datetime) -> list[str]:
    return [found.id for found in on_duty(one, moment)]


def test_day_and_night_by_the_wall_clock_of_the_place() -> None:
    assert names(roster(), datetime(2026, 1, 5, 7, tzinfo=UTC)) == ["day"]  # 08:00 in winter
    assert names(roster(), datetime(2026, 1, 5, 6, 59, tzinfo=UTC)) == ["night"]
    assert names(roster(), datetime(2026, 7, 6, 6, tzinfo=UTC)) == ["day"]  # 08:00 in summer
    assert names(roster(), datetime(2026, 7, 6, 5, 59, tzinfo=UTC)) == ["night"]


@pytest.mark.parametrize("hour", [1, 2, 3])
@pytest.mark.parametrize("minute", [0, 30])
@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_a_hand_over_in_the_hour_that_is_skipped_or_comes_twice_happens_once(
    day: datetime, hour: int, minute: int
) -> None:
    at = time(hour, minute)
    one = roster(
        shifts=tuple(
            shift
            for number, weekday in enumerate(DAYS)
            for shift in (
                Shift(members=("day",), start_day=weekday, start=at, end_day=weekday, end=time(14)),
                Shift(members=("night",), start_day=weekday, start=time(14), end_day=DAYS[(number + 1) % 7], end=at),
            )
        )
    )
    seen = [names(one, day - timedelta(hours=6) + timedelta(minutes=minutes)) for minutes in range(0, 18 * 60, 5)]
    assert all(len(found) == 1 for found in seen)
    assert [after for before, after in pairwise(seen) if before != after] == [["day"]]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.lists(st.integers(0, 7 * 96 - 1), min_size=1, max_size=6, unique=True),
    st.integers(0, 2 * 366 * 24 * 60),
    st.integers(1, 3),
)
def test_a_week_that_is_cut_into_shifts_always_has_exactly_one_person_on_duty(
    zone: str, quarters: list[int], minute: int, cycle: int
) -> None:
    cuts = sorted(quarters)
    ends = [*cuts[1:], cuts[0]]
    one = Roster(
        id="duty",
        title="Duty",
        zone=zone,
        cycle_weeks=cycle,
        members=tuple(member(f"m{number}") for number in range(len(cuts))),
        shifts=tuple(
            Shift(
                members=(f"m{number}",),
                start_day=DAYS[start // 96],
                start=time(start % 96 // 4, start % 4 * 15),
                end_day=DAYS[end // 96],
                end=time(end % 96 // 4, end % 4 * 15),
                week=week,
            )
            for week in range(cycle)
            for number, (start, end) in enumerate(zip(cuts, ends, strict=True))
        ),
    )
    assert len(on_duty(one, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))) == 1


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.integers(0, 3_000))  # noqa: DTZ001
def test_later_on_the_wall_is_never_earlier_in_truth(zone: str, wall: datetime, minutes: int) -> None:
    place = ZoneInfo(zone)
    assert instant(wall, place) <= instant(wall + timedelta(minutes=minutes), place)


def test_an_exception_replaces_the_pattern_and_the_last_one_counts() -> None:
    start = datetime(2026, 12, 24, 12, tzinfo=UTC)
    holiday = RosterException(start=start, end=start + timedelta(days=2), members=("night",), reason="Christmas")
    nobody = RosterException(start=start + timedelta(hours=5), end=start + timedelta(hours=6))
    one = roster(exceptions=(holiday, nobody))
    assert names(one, start) == ["night"]
    assert names(one, start + timedelta(hours=5)) == []
    assert names(one, start + timedelta(hours=6)) == ["night"]
    assert names(one, start - timedelta(seconds=1)) == ["day"]
    assert next_change(one, start) == start + timedelta(hours=5)


def test_weeks_take_turns() -> None:
    shifts = tuple(
        Shift(members=(who,), start_day=DAYS[0], start=time(8), end_day=DAYS[0], end=time(8), week=week)
        for week, who in enumerate(("day", "night"))
    )
    one = roster(cycle_weeks=2, first_week=date(2026, 1, 7), shifts=shifts)
    monday = datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert [names(one, monday + timedelta(weeks=week)) for week in range(-1, 3)] == [
        ["night"], ["day"], ["night"], ["day"],
    ]  # fmt: skip
    assert next_change(one, monday) == datetime(2026, 1, 12, 7, tzinfo=UTC)


def test_a_roster_that_names_strangers_is_refused() -> None:
    for changes in (
        {"members": (member("day"),)},
        {"zone": "Europe/Atlantis"},
        {"cycle_weeks": 1, "shifts": (Shift(members=("day",), start_day=DAYS[0], start=time(8), end_day=DAYS[0],
                                            end=time(9), week=1),)},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"member|zone|week"):
            roster(**changes)
