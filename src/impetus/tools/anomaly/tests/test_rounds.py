"""Protects: readings of many streams are taken in the order of their times, however many arrive together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from impetus.tools.anomaly.rounds import rounds

READINGS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=60)


def taken(readings: list[tuple[int, int]]) -> list[list[int]]:
    row = np.array([stream for stream, _ in readings], dtype=np.int64)
    time_s = np.array([time_s for _, time_s in readings], dtype=np.float64)
    return [part.tolist() for part in rounds(row, time_s)]


@given(READINGS)
def test_every_reading_is_taken_once_in_order_of_time_and_no_stream_twice_in_a_round(
    readings: list[tuple[int, int]],
) -> None:
    parts = taken(readings)
    order = [place for part in parts for place in part]
    assert order == sorted(range(len(readings)), key=lambda place: readings[place][1])
    for part in parts:
        assert part
        assert len({readings[place][0] for place in part}) == len(part)


@given(READINGS, st.integers(0, 40))
def test_what_arrives_in_two_parts_is_taken_in_the_order_of_what_arrives_at_once(
    readings: list[tuple[int, int]], cut: int
) -> None:
    earlier = [one for one in readings if one[1] < cut]
    later = [one for one in readings if one[1] >= cut]
    whole = [readings[place] for part in taken(readings) for place in part]
    halves = [half[place] for half in (earlier, later) for part in taken(half) for place in part]
    assert whole == halves
