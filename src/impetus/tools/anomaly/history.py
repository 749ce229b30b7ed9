"""Learns from kept readings: all of them for streams that are new, since the checkpoint for the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta

import numpy as np

from impetus.model import ObservationBatch, from_microseconds
from impetus.tools.anomaly.arrays import Floats, Integers
from impetus.tools.anomaly.memory import Memory

HISTORY_DAYS = 28.0
OVERLAP_S = 3_600.0
"""History is read again from so long before the checkpoint's newest reading."""
HISTORY_CHUNK = 200_000
"""Readings of history that are collected before they are taken in rounds; more streams a round are faster."""
Readings = tuple[Integers, Floats, Floats]
"""Rows, times in seconds since 1970 (UTC) and values; all of shape (readings,)."""


def readings_of(batch: ObservationBatch, memory: Memory) -> Readings:
    """The readings of a batch; streams that are unknown are added."""
    row = memory.rows_of(batch.datastreams)[np.array(batch.index, dtype=np.int64)]
    return row, np.array(batch.time_us, dtype=np.float64) / 1e6, np.array(batch.value, dtype=np.float64)


def begin_of_history(now: datetime, newest_s: Floats) -> datetime:
    """Since when history has to be read, where the newest readings known of each stream are these."""
    since = now - timedelta(days=HISTORY_DAYS)
    if len(newest_s) and not np.isnan(newest_s).any():
        # In seconds, as a sensor's clock may have stood at the first day that a date can name.
        since_s = max(since.timestamp(), float(np.min(newest_s)) - OVERLAP_S)
        since = from_microseconds(int(since_s * 1e6))
    return since


async def unlearnt(
    history: AsyncIterator[ObservationBatch], memory: Memory, *, latest_s: float
) -> AsyncIterator[Readings]:
    """Readings of history that are not learnt yet and not later than `latest_s`, many at a time."""
    waiting: list[Readings] = []
    count = 0
    async for batch in history:
        row, time_s, value = readings_of(batch, memory)
        newest = memory.monitor.newest_s[row]
        new = (np.isnan(newest) | (time_s > newest)) & (time_s <= latest_s)
        waiting.append((row[new], time_s[new], value[new]))
        count += int(np.count_nonzero(new))
        if count >= HISTORY_CHUNK:
            yield _joined(waiting)
            waiting, count = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(waiting: Iterable[Readings]) -> Readings:
    row, time_s, value = zip(*waiting, strict=True)
    return np.concatenate(row), np.concatenate(time_s), np.concatenate(value)
