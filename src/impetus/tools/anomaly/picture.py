"""Draws the small picture of an alert: a stream's last hours, the range that was usual, and what left it, as PNG."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.city_calendar import FIRST_NAMED_S, LAST_NAMED_S
from impetus.tools.anomaly.recent_past import Past
from impetus.tools.anomaly.wording import number

WIDTH, HEIGHT = 480, 160
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 20
"""Margins in pixels; the numbers of the axes stand in them."""
SMOOTH = 2
"""Pixels of the drawing for one of the picture, each way."""
GROUND, GRID, BAND, LINE, MARK, INK = (
    (18, 24, 33),
    (38, 48, 61),
    (44, 74, 100),
    (214, 224, 235),
    (255, 107, 87),
    (150, 164, 180),
)
GLYPHS = {
    "0": "757557",
    "1": "262227",
    "2": "717477",
    "3": "717117",
    "4": "557111",
    "5": "747117",
    "6": "747557",
    "7": "711222",
    "8": "757577",
    "9": "757117",
    ".": "000002",
    "-": "007000",
    ":": "020020",
    "e": "075746",
    "+": "027200",
}
"""Three pixels wide, six high; one digit a line of pixels, the highest bit to the left."""
Picture = NDArray[np.uint8]


def draw(past: Past, zone: tzinfo) -> bytes | None:
    """A PNG of `WIDTH` x `HEIGHT` pixels; None where there are fewer than two points to draw.

    >>> times = 300.0 * np.arange(48)
    >>> past = Past(times, np.r_[np.full(47, 5.0), 9.0], np.full(48, 4.0), np.full(48, 6.0))
    >>> draw(past, UTC)[:8], draw(Past(times[:1], times[:1], times[:1], times[:1]), UTC) is None
    (b'\\x89PNG\\r\\n\\x1a\\n', True)
    """
    # Readings that come late, after a fault for example, are not in the order of their times.
    order = np.argsort(past.time_s, kind="stable")
    order = order[np.isfinite(past.value[order])]
    times, values, lows, highs = (
        column[order].astype(np.float64) for column in (past.time_s, past.value, past.low, past.high)
    )
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    seen = np.concatenate([values, lows[np.isfinite(lows)], highs[np.isfinite(highs)]])
    lowest, highest = float(seen.min()), float(seen.max())
    margin = 0.06 * (highest - lowest) or max(abs(highest), 1.0) * 0.1
    bottom, top = lowest - margin, highest + margin
    big: Picture = np.empty((HEIGHT * SMOOTH, WIDTH * SMOOTH, 3), dtype=np.uint8)
    big[:] = GROUND
    across = np.arange(LEFT * SMOOTH, (WIDTH - RIGHT) * SMOOTH)
    shares = (across - across[0]) / (across[-1] - across[0])
    moments = times[0] + shares * (times[-1] - times[0])

    def height_of(value: Floats) -> Floats:
        share = (value - bottom) / (top - bottom)
        return (HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)) * SMOOTH

    for share in (0.0, 0.5, 1.0):
        line = int(height_of(np.array([bottom + share * (top - bottom)]))[0])
        big[line : line + 1, across] = GRID
    rows = np.arange(len(big))[:, None]
    banded = np.isfinite(lows) & np.isfinite(highs)
    if banded.any():
        roof = height_of(np.interp(moments, times[banded], highs[banded]))
        floor = height_of(np.interp(moments, times[banded], lows[banded]))
        inside = (rows >= roof) & (rows <= floor) & (moments >= times[banded][0])
        big[:, across] = np.where(inside[:, :, None], np.array(BAND, dtype=np.uint8), big[:, across])
    course = height_of(np.interp(moments, times, values))
    following = np.append(course[1:], course[-1])
    high, low = np.minimum(course, following), np.maximum(course, following)
    thick = (rows >= high - 1.2) & (rows <= low + 1.2)
    big[:, across] = np.where(thick[:, :, None], np.array(LINE, dtype=np.uint8), big[:, across])
    columns = np.arange(big.shape[1])[None, :]
    for time, value, floor_value, roof_value in zip(
        *(column[banded] for column in (times, values, lows, highs)), strict=True
    ):
        if floor_value <= value <= roof_value:
            continue
        at = np.interp(time, moments, across)
        away = (rows - height_of(np.array([value]))) ** 2 + (columns - at) ** 2
        big[away <= (3.5 * SMOOTH) ** 2] = MARK
    small = big.reshape(HEIGHT, SMOOTH, WIDTH, SMOOTH, 3).mean(axis=(1, 3)).astype(np.uint8)
    for value in (lowest, highest):
        text = number(value, highest - lowest)[:9]
        line = int(height_of(np.array([value]))[0]) // SMOOTH - 3
        _write(small, text, LEFT - 6 - 4 * len(text), line)
    for time, column in ((times[0], LEFT), (times[-1], WIDTH - RIGHT - 19)):
        named = min(max(float(time), FIRST_NAMED_S), LAST_NAMED_S)
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=named)).astimezone(zone)
        _write(small, f"{local:%H:%M}", column, HEIGHT - 12)
    return _png(small)


def _write(picture: Picture, text: str, column: int, line: int) -> None:
    for place, letter in enumerate(text):
        for down, bits in enumerate(GLYPHS.get(letter, "000000")):
            for across in range(3):
                if int(bits) & (4 >> across):
                    picture[line + down, column + 4 * place + across] = INK


def _png(picture: Picture) -> bytes:
    """Portable Network Graphics, W3C recommendation, second edition: truecolour of eight bits, no filter."""
    height, width, _ = picture.shape
    lines = np.concatenate([np.zeros((height, 1), dtype=np.uint8), picture.reshape(height, 3 * width)], axis=1)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
