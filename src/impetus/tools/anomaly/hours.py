"""What shows only over hours: scatter, course and change of a stream, turned into the rarity of a reading."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers
from impetus.tools.anomaly.changes import ChangeWatch
from impetus.tools.anomaly.day_memory import DayMemory
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.scatter import ScatterWatch
from impetus.tools.anomaly.shapes import COURSE_HOURS, ShapeWatch
from impetus.tools.anomaly.stretches import HOUR_S, StretchClock
from impetus.tools.anomaly.unusual import FEATURES as READING_FEATURES

HOUR_FEATURES = ("scatters more", "scatters less", "changed upwards", "changed downwards", "odd course")
FEATURES = (*READING_FEATURES, *HOUR_FEATURES)
"""All that is told of a stream, those of single readings first."""
FAMILIES = 3
"""Tests that are made of each stretch."""


@dataclass(frozen=True, slots=True)
class Hourly:
    """What is said of stretches that ended: the position of the reading that ended it, the rarity, and the number in
    `FEATURES` of what is rare."""

    place: Integers
    rarity: Floats
    feature: Integers


class HourWatch(ArrayState):
    """Judges each stretch as it ends, by three detectors.

    What happens once in so many hours is told as once in so many readings, so that one bar serves all: a rarity is
    raised by the number of readings that a stretch stands for, and lowered for the number of detectors that could have
    spoken (Bonferroni). `rarities` holds what was said last, for as long as the next stretch lasts.

    >>> days, watch = DayMemory(), HourWatch()
    >>> days.grow(1), watch.grow(1)
    (None, None)
    >>> random, row = np.random.default_rng(1), np.array([0])
    >>> for number in range(60 * 24 * 15):
    ...     size = 1.0 if number < 60 * 24 * 15 - 90 else 5.0
    ...     now_s, distance = np.array([60.0 * number]), random.normal(0.0, size, 1)
    ...     said = watch.update(row, now_s, distance, np.ones(1), np.array([False]), days)
    ...     if len(said.place):
    ...         last = said
    >>> bool(last.rarity[0] > 4), FEATURES[last.feature[0]]
    (True, 'scatters more')
    """

    rarities: Floats
    told_s: Floats

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        super().__init__({"rarities": Column((len(HOUR_FEATURES),), 0, np.float32), "told_s": Column((), -np.inf)})
        self._stretches = StretchClock(parameters.independent_s)
        self._scatter = ScatterWatch(parameters)
        self._changes = ChangeWatch(parameters)
        self._shapes = ShapeWatch(parameters)
        self._warm = parameters.warm_readings

    def _parts(self) -> dict[str, ArrayState]:
        return {
            "stretches": self._stretches,
            "scatter": self._scatter,
            "scatter-tail": self._scatter.tail,
            "changes": self._changes,
            "changes-tail": self._changes.tail,
            "shapes-tail": self._shapes.tail,
        }

    def grow(self, streams: int) -> None:
        super().grow(streams)
        for part in (self._stretches, self._scatter, self._changes, self._shapes):
            part.grow(streams)

    def dump(self, prefix: str) -> dict[str, NDArray[Any]]:
        arrays = super().dump(prefix)
        for name, part in self._parts().items():
            arrays |= part.dump(f"{prefix}.{name}")
        return arrays

    def load(self, prefix: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().load(prefix, arrays)
        for name, part in self._parts().items():
            part.load(f"{prefix}.{name}", arrays)
            if part.streams != self.streams:
                raise ValueError("the saved arrays differ in length")
        self._shapes.streams = self.streams

    def update(
        self, row: Integers, local_s: Floats, distance: Floats, spread: Floats, told: Booleans, days: DayMemory
    ) -> Hourly:
        """Readings of distinct streams, and what is said of the stretches that they end.

        `local_s` is local time in seconds since 1970, `distance` from what was expected in spreads, `spread` in the
        unit of the stream, `told` whether a reading belongs to something that was told of already; all of shape
        (readings,). `days` must not know these readings yet.
        """
        self.told_s[row[told]] = local_s[told]
        ended = self._stretches.update(row, local_s, distance, told)
        rows = row[ended.place]
        if not len(rows):
            return Hourly(ended.place, np.zeros(0), np.zeros(0, dtype=np.int64))
        rarities = np.concatenate(
            [
                self._scatter.update(rows, ended.scatter),
                self._changes.update(rows, ended.mean),
                self._shapes.update(rows, ended.hour, spread[ended.place], days)[:, None],
            ],
            axis=1,
        )
        rarities[self._scatter.count[rows] <= self._warm] = 0.0
        # What was told of is in the course of the hours after it too.
        since_s = local_s[ended.place] - self.told_s[rows]
        rarities[since_s <= COURSE_HOURS * HOUR_S, -1] = 0.0
        exchange = np.log10(np.maximum(ended.readings, 1.0)) - math.log10(FAMILIES)
        rarities = np.where(rarities > 0.0, np.maximum(rarities + exchange[:, None], 0.0), 0.0)
        self.rarities[rows] = rarities
        feature = np.argmax(rarities, axis=1)
        return Hourly(ended.place, rarities[np.arange(len(rows)), feature], feature + len(READING_FEATURES))

    def held(self, row: Integers, weak: float) -> Booleans:
        """Whether what was said of each stream's last stretch is at least that rare."""
        held: Booleans = self.rarities[row].max(axis=1) >= weak
        return held
