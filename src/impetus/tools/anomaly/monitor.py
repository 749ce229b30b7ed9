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

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers, Rows
from impetus.tools.anomaly.compiled import compiled
from impetus.tools.anomaly.interval import LONGEST_GAP_S, ReportingInterval
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.repeats import RepeatWatch
from impetus.tools.anomaly.unusual import UnusualDetector

RESYNCHRONISE_READINGS = 10
"""So many readings in a row, each later than the one before but all behind the newest: a clock was set back."""
LARGEST_VALUE = 1e100
"""A greater number is no measurement, and its square no number."""
FORMAT = 2
"""Of the saved state; a state of another format is not loaded."""


class Outcome(IntEnum):
    """What became of a reading."""

    SCORED = 0
    LEARNING = 1
    """Too little is known of the stream to call anything unusual."""
    DUPLICATE = 2
    """Its time is that of the reading before."""
    LATE = 3
    """Its time lies before that of a reading that was scored."""
    MISSING = 4
    """It is not a finite number."""
    IMPOSSIBLE = 5
    """It lies outside of what the sensor can measure."""


# What compiled code knows of them.
SCORED, DUPLICATE, LATE = int(Outcome.SCORED), int(Outcome.DUPLICATE), int(Outcome.LATE)
MISSING, IMPOSSIBLE = int(Outcome.MISSING), int(Outcome.IMPOSSIBLE)


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
        outcome, gap_s = self._sort_out(row, time_s, value)
        good = outcome == Outcome.SCORED
        count = len(row)
        # numpy reads and writes a slice without copying; that all streams report in one round is usual in history.
        whole = count == self.streams and bool(good.all()) and bool((row == np.arange(count)).all())
        rows: Rows = slice(None) if whole else row[good]
        if not whole:
            time_s, offset_s, value, gap_s = time_s[good], offset_s[good], value[good], gap_s[good]

        known = gap_s > 0
        usual_s = self.interval.usual_s[rows]
        steps = np.where(usual_s > 0, gap_s / np.maximum(usual_s, 1e-6), 1.0)
        if known.all():
            self.interval.update(rows, gap_s)
        elif known.any():
            self.interval.update(row[good][known], gap_s[known])
        self.newest_s[rows] = time_s
        unusual = self.unusual.update(rows, time_s + offset_s, np.minimum(gap_s, LONGEST_GAP_S), steps, value)
        repetition = self.repeats.update(rows, time_s, value)
        learning = self.unusual.count[rows] <= self.parameters.warm_readings
        outcome[good] = np.where(learning, Outcome.LEARNING, Outcome.SCORED)

        lowest, highest = float(self.lowest.max(initial=-LARGEST_VALUE)), float(self.highest.min(initial=LARGEST_VALUE))
        bounded = lowest > -LARGEST_VALUE or highest < LARGEST_VALUE

        def filled(result: NDArray[Any], filling: float) -> NDArray[Any]:
            if whole:
                return result
            full = np.full((count, *result.shape[1:]), filling, dtype=result.dtype)
            full[good] = result
            return full

        def possible(result: Floats) -> Floats:
            """Nothing is expected that the sensor cannot read: no count below nought."""
            if bounded:
                result = np.clip(result, self.lowest[rows], self.highest[rows])
            return filled(result, np.nan)

        return Scored(
            outcome=outcome,
            rarity=filled(unusual.rarity, 0.0),
            novelty=filled(unusual.novelty, 0.0),
            rarities=filled(unusual.rarities, 0.0),
            feature=filled(unusual.feature, 0),
            low=possible(unusual.low),
            middle=possible(unusual.expectation.middle),
            high=possible(unusual.high),
            spread=filled(unusual.expectation.spread, np.nan),
            stuck=filled(repetition.stuck, 0),
            stuck_since_s=filled(repetition.since_s, np.nan),
            stuck_readings=filled(repetition.run, 0.0),
            stuck_rarity=filled(repetition.rarity, 0.0),
        )

    def _sort_out(self, row: Integers, time_s: Floats, value: Floats) -> tuple[Integers, Floats]:
        """Outcome (SCORED where it can be) and time since the stream's reading before, 0 for the first."""
        outcome, gap_s = np.empty(len(row), dtype=np.int64), np.empty(len(row))
        limits = (self.lowest, self.highest)
        _sort_out(row, time_s, value, self.newest_s, self.late_s, self.late_readings, *limits, outcome, gap_s)
        return outcome, gap_s

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


@compiled
def _sort_out(
    rows: Integers,
    time_s: Floats,
    value: Floats,
    newest_s: Floats,
    late_s: Floats,
    late_readings: Floats,
    lowest: Floats,
    highest: Floats,
    outcome: Integers,
    gap_s: Floats,
) -> None:
    for number in range(len(rows)):
        row, reading = rows[number], value[number]
        known = newest_s[row] == newest_s[row]
        gap = time_s[number] - newest_s[row] if known else 0.0
        said = SCORED
        if gap < 0.0:
            late = late_readings[row] + 1.0 if time_s[number] > late_s[row] else 1.0
            if late >= RESYNCHRONISE_READINGS:
                late_readings[row], late_s[row], gap = 0.0, -np.inf, 0.0
            else:
                late_readings[row], late_s[row], said = late, time_s[number], LATE
        else:
            late_s[row] = -np.inf
            if known and gap == 0.0:
                said = DUPLICATE
            else:
                late_readings[row] = 0.0
        if reading < lowest[row] or reading > highest[row]:
            said = IMPOSSIBLE
        if not np.isfinite(reading):
            said = MISSING
        outcome[number], gap_s[number] = said, gap
