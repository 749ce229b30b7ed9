"""A sensor's usual readings, worked out many at once: one by one each costs fifty times as much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import numpy as np

from impetus.exercise import signals
from impetus.exercise.city import Sensor
from impetus.model import to_microseconds

BLOCK: Final = 64
"""Readings of one sensor that are worked out together."""


class Foreseen:
    """What one sensor reads at its own regular times when nothing happens."""

    def __init__(self, sensor: Sensor, interval_s: float, moment_of: Callable[[float], datetime]) -> None:
        """`moment_of` tells the time of day at which a reading is due, from the seconds of the clock."""
        self._sensor = sensor
        self._interval_s = interval_s
        self._moment_of = moment_of
        self._known: dict[float, float | None] = {}

    def at(self, due_s: float) -> float | None:
        """The reading that is due then; None if it gets lost. Those of the following intervals are then known too."""
        if due_s not in self._known:
            self._known = self._block(due_s)
        return self._known[due_s]

    def _block(self, due_s: float) -> dict[float, float | None]:
        due: list[float] = []
        for _ in range(BLOCK):
            due.append(due_s)
            due_s += self._interval_s  # as whoever sends them counts on: a product would round differently
        time_s = np.array([to_microseconds(self._moment_of(one)) / 1e6 for one in due])
        values, lost = signals.values(self._sensor, time_s).tolist(), signals.lost(self._sensor, time_s).tolist()
        return {one: None if gone else value for one, value, gone in zip(due, values, lost, strict=True)}
