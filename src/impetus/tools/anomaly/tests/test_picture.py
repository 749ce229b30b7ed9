"""The picture in an alert: always a sound PNG, whatever the readings; kept within its few bytes a stream."""

from __future__ import annotations

import struct
import zlib
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from impetus.tools.anomaly.picture import BAND, HEIGHT, LINE, MARK, WIDTH, draw
from impetus.tools.anomaly.recent_past import POINTS, SPACING_S, Past, RecentPast

ZONE = ZoneInfo("Europe/Rome")


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The picture read back, its checks checked."""
    place, data = 8, b""
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        name, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(name + body)
        if name == b"IHDR":
            assert struct.unpack(">II", body[:8]) == (WIDTH, HEIGHT)
        data += body if name == b"IDAT" else b""
        place += 12 + length
    return (
        np.frombuffer(zlib.decompress(data), dtype=np.uint8)
        .reshape(HEIGHT, 3 * WIDTH + 1)[:, 1:]
        .reshape(HEIGHT, WIDTH, 3)
    )


def test_the_band_the_course_and_the_unusual_reading_are_in_it() -> None:
    count = 48
    values = np.full(count, 5.0)
    values[-4:] = 9.0
    png = draw(Past(np.linspace(0.0, 14_100.0, count), values, np.full(count, 4.0), np.full(count, 6.0)), ZONE)
    assert png is not None
    assert len(png) < 8_000
    seen = {tuple(map(int, pixel)) for pixel in pixels(png).reshape(-1, 3)}
    assert {BAND, LINE, MARK} <= seen


numbers = some.floats(allow_nan=True, allow_infinity=True, width=32)


@given(some.lists(some.tuples(some.integers(-(2**31) + 1, 2**31 - 1), numbers, numbers, numbers), max_size=60))
def test_whatever_comes_gives_a_picture_or_none(points: list[tuple[int, float, float, float]]) -> None:
    columns = np.array(points, dtype=np.float64).reshape(-1, 4).T
    with np.errstate(all="ignore"):
        png = draw(Past(*columns), ZONE)
    assert png is None or pixels(png).shape == (HEIGHT, WIDTH, 3)


def test_readings_that_came_late_stand_where_they_belong() -> None:
    """Found by faults on purpose: an alert about such readings was set aside for its picture."""
    times = np.array([300.0, 600.0, 1_200.0, 1_500.0, 900.0])
    values, low, high = np.array([5.0, 5.0, 5.0, 9.0, 5.0]), np.full(5, 4.0), np.full(5, 6.0)
    order = np.argsort(times)
    assert draw(Past(times, values, low, high), ZONE) == draw(
        Past(times[order], values[order], low[order], high[order]), ZONE
    )


def test_the_ring_keeps_the_last_hours_and_in_each_part_what_was_furthest_out() -> None:
    recent, row = RecentPast(), np.array([0])
    recent.grow(1)
    for number in range(10_000):
        value = np.array([20.0 if number == 9_990 else 5.0])
        recent.update(row, np.array([10.0 * number]), value, np.array([4.0]), np.array([6.0]))
    past = recent.of(0)
    assert len(past.time_s) == POINTS
    assert (np.diff(past.time_s) > 0).all()
    assert past.time_s[0] >= 99_990 - POINTS * SPACING_S - SPACING_S
    assert past.value.max() == 20.0
