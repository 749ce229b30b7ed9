"""Watches many streams: puts readings in order, sets aside what cannot be scored, and scores the rest."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.tools.anomaly import one_pass
from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers
from impetus.tools.anomaly.interval import ReportingInterval
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.repeats import RepeatWatch
from impetus.tools.anomaly.unusual import FEATURES, UnusualDetector

LARGEST_VALUE = 1e100
"""A greater number is no measurement, and its square no number."""
FORMAT = 2
"""Of the saved state; a state of another format is not loaded."""


class Outcome(IntEnum):
    """What became of a reading."""

    SCORED = one_pass.SCORED
    LEARNING = one_pass.LEARNING
    """Too little is known of the stream to call anything unusual."""
    DUPLICATE = one_pass.DUPLICATE
    """Its time is that of the reading before."""
    LATE = one_pass.LATE
    """Its time lies before that of a reading that was scored."""
    MISSING = one_pass.MISSING
    """It is not a finite number."""
    IMPOSSIBLE = one_pass.IMPOSSIBLE
    """It lies outside of what the sensor can measure."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What is said of the readings of one round, one entry a reading, in the order given.

    Only `outcome` means something for a reading that was set aside: its rarities are 0, its expectations no numbers.
    """

    outcome: Integers
    rarity: Floats
    novelty: Floats
    rarities: Floats
    """Of each of `FEATURES`; shape (readings, features)."""
    feature: Integers
    low: Floats
    middle: Floats
    high: Floats
    spread: Floats
    """One standard deviation of what is usual."""
    stuck: Booleans
    stuck_since_s: Floats
    stuck_readings: Floats
    stuck_rarity: Floats


class StreamMonitor(ArrayState):
    """All state of many streams, and one method that takes a round of readings: at most one of each stream.

    >>> import numpy as np
    >>> monitor = StreamMonitor()
    >>> monitor.grow(1)
    >>> for minute in range(100):
    ...     scored = monitor.update(np.array([0]), np.array([60.0 * minute]), np.zeros(1), np.array([5.0 + minute % 3]))
    >>> Outcome(int(scored.outcome[0])).name, bool(scored.low[0] < 6.0 < scored.high[0])
    ('SCORED', True)
    """

    newest_s: Floats
    late_s: Floats
    late_readings: Floats
    lowest: Floats
    highest: Floats

    def __init__(
        self, parameters: Parameters = PARAMETERS, *, stuck_rarity: float = 6.0, stuck_readings: int = 12
    ) -> None:
        super().__init__(
            {
                "newest_s": Column((), np.nan),
                "late_s": Column((), -np.inf),
                "late_readings": Column(),
                "lowest": Column((), -LARGEST_VALUE),
                "highest": Column((), LARGEST_VALUE),
            }
        )
        self.parameters = parameters
        self.interval = ReportingInterval()
        self.unusual = UnusualDetector(parameters)
        self.repeats = RepeatWatch(rarity=stuck_rarity, readings=stuck_readings)

    def grow(self, streams: int) -> None:
        super().grow(streams)
        for part in (self.interval, self.unusual, self.repeats):
            part.grow(streams)

    def set_limits(self, row: int, lowest: float | None, highest: float | None) -> None:
        """What the sensor of a stream can measure; None: no limit."""
        self.lowest[row] = -LARGEST_VALUE if lowest is None else max(lowest, -LARGEST_VALUE)
        self.highest[row] = LARGEST_VALUE if highest is None else min(highest, LARGEST_VALUE)

    def update(self, row: Integers, time_s: Floats, offset_s: Floats, value: Floats) -> Scored:
        """Score readings of distinct streams `row`, then learn from them.

        `time_s` is UTC in seconds since 1970, `offset_s` what local time is ahead of it. All of shape (readings,).
        """
        count = len(row)
        outcome, feature, stuck = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.bool_)
        told, rarities = np.empty((one_pass.COLUMNS, count)), np.empty((count, len(FEATURES)))
        unusual, known = self.unusual, self.parameters
        one_pass.judge(
            row,
            time_s,
            offset_s,
            value,
            (self.newest_s, self.late_s, self.late_readings, self.lowest, self.highest),
            (self.interval.usual_s, self.interval.long_s, self.interval.count),
            (unusual.baseline.limits(), unusual.baseline.state()),
            (known.smooth_time_s, known.smooth_readings, known.memory_readings),
            (known.independent_s, known.habituation_s, known.warm_readings),
            (unusual.average, unusual.average_spread, unusual.count, unusual.reported),
            (unusual.tail.limits(), unusual.tail.state()),
            (self.repeats.needed_rarity, self.repeats.needed_readings),
            self.repeats.state(),
            outcome,
            feature,
            stuck,
            told,
            rarities,
        )
        rarity, novelty, low, middle, high, spread, since_s, run, stuck_rarity = told
        return Scored(
            outcome, rarity, novelty, rarities, feature, low, middle, high, spread, stuck, since_s, run, stuck_rarity
        )

    def dump(self, prefix: str) -> dict[str, NDArray[Any]]:
        return (
            super().dump(prefix)
            | self.interval.dump(f"{prefix}.interval")
            | self.unusual.dump(f"{prefix}.unusual")
            | self.repeats.dump(f"{prefix}.repeats")
        )

    def load(self, prefix: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().load(prefix, arrays)
        self.interval.load(f"{prefix}.interval", arrays)
        self.unusual.load(f"{prefix}.unusual", arrays)
        self.repeats.load(f"{prefix}.repeats", arrays)
        parts: tuple[ArrayState, ...] = (self.interval, self.unusual, self.unusual.baseline, self.repeats)
        if any(part.streams != self.streams for part in parts):
            raise ValueError("the saved arrays differ in length")

    def to_bytes(self, extra: Mapping[str, NDArray[Any]]) -> bytes:
        """The whole state, with further arrays, for a checkpoint."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"format": np.array([FORMAT]), **self.dump("monitor"), **extra}
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    def from_bytes(self, data: bytes) -> Mapping[str, NDArray[Any]]:
        """Take over what `to_bytes` gave; returns all its arrays. Raises `ValueError` if it is not such a state."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"the saved state cannot be read: {error}") from error
        if "format" not in arrays or int(arrays["format"][0]) != FORMAT:
            raise ValueError("the saved state has another format")
        self.load("monitor", arrays)
        return arrays


def compile_beforehand() -> None:
    """Compile what a monitor runs: a dozen seconds where no process before has left it on disk."""
    monitor = StreamMonitor()
    monitor.grow(1)
    monitor.update(np.zeros(1, np.int64), np.zeros(1), np.zeros(1), np.zeros(1))
