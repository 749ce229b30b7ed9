"""Sensors of one place that measure different things, judged together: what none of them shows by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from impetus.model import Datastream
from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers, Singles
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.tail import StreamingTail

MOST_SENSORS = 8
"""Of one place; of more, the first ones by row are judged together."""
RIDGE = 0.1
"""Added to each variance, so that two sensors that always agreed do not become infinitely sure of it."""
MEMORY = 2_000.0
WARM = 200.0
"""Joint readings before which nothing is said."""
CUT = 8.0
"""Spreads at which a distance counts no more."""


@dataclass(frozen=True, slots=True)
class Joint:
    """What is said of places whose sensors have all reported: one entry a place.

    `leader` is the row that stands for the place, its first sensor; `members` the rows of its sensors and `share` what
    each has in the joint distance (they sum up to 1; -1 and 0 where there are fewer), of shape (places, MOST_SENSORS).
    """

    leader: Integers
    rarity: Floats
    members: Integers
    share: Floats


class PlaceWatch(ArrayState):
    """The joint distance of a place's sensors from what is expected of them, by how they usually deviate together.

    Mahalanobis' distance by a covariance that is learnt robustly as readings come: Maronna's M-estimator (Robust
    M-estimators of multivariate location and scatter, Ann. Stat. 4(1), 1976) with weights after Huber, forgetting
    exponentially. How rare a distance is, is learnt (`StreamingTail`). Takes 160 bytes a stream.

    >>> watch = PlaceWatch()
    >>> watch.grow(2)
    >>> watch.group({"mast": [0, 1]})
    >>> random, rows = np.random.default_rng(1), np.array([0, 1])
    >>> for minute in range(3000):
    ...     heat = random.normal()
    ...     apart = 1.6 if minute == 2999 else random.normal(0.0, 0.1)
    ...     distance = np.array([heat + apart, heat - apart])
    ...     seen = watch.update(rows, np.full(2, 60.0 * minute), distance, np.full(2, 60.0))
    >>> bool(seen.rarity[0] > 3), bool(np.abs(distance).max() < 2.5), seen.members[0].tolist()[:3]
    (True, True, [0, 1, -1])
    """

    members: Integers
    covariance: Singles
    count: Floats
    distance: Floats
    time_s: Floats
    waiting: Booleans
    judged_s: Floats

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        super().__init__(
            {
                "members": Column((MOST_SENSORS,), -1, np.int64),
                "covariance": Column((MOST_SENSORS,), 0, np.float32),
                "count": Column(),
                "distance": Column(),
                "time_s": Column((), -np.inf),
                "waiting": Column((), 0, np.bool_),
                "judged_s": Column((), -np.inf),
            }
        )
        self.tail = StreamingTail(1, parameters)
        self._independent_s = parameters.independent_s

    def grow(self, streams: int) -> None:
        super().grow(streams)
        self.tail.grow(streams)

    def group_registered(self, registered: Mapping[int, Datastream]) -> None:
        """Sensors of one thing that measure different properties belong together."""
        things: dict[str, dict[str, int]] = {}
        for row, datastream in sorted(registered.items()):
            things.setdefault(datastream.thing, {}).setdefault(datastream.observed_property, row)
        self.group({thing: list(rows.values()) for thing, rows in things.items() if len(rows) > 1})

    def group(self, places: Mapping[str, list[int]]) -> None:
        """Take over which rows belong together; a place whose sensors are the same keeps what was learnt."""
        members = np.full((self.streams, MOST_SENSORS), -1, dtype=np.int64)
        for rows in places.values():
            chosen = sorted(rows)[:MOST_SENSORS]
            members[chosen, : len(chosen)] = chosen
        changed = (members != self.members).any(axis=1)
        self.members = members
        own = members[changed] == np.flatnonzero(changed)[:, None]
        self.covariance[changed] = own
        self.count[changed] = 0.0

    def update(self, row: Integers, time_s: Floats, distance: Floats, fresh_s: Floats) -> Joint:
        """Readings of distinct streams, their distance from what was expected in spreads, and for how long a reading
        of each counts as its present one; judges the places whose sensors have all reported since they last were."""
        there = self.members[row, 0] >= 0
        row, time_s = row[there], time_s[there]
        self.distance[row] = np.clip(np.nan_to_num(distance[there]), -CUT, CUT)
        self.time_s[row] = time_s
        self.waiting[row] = True
        leaders, first = np.unique(self.members[row, 0], return_index=True)
        members = self.members[leaders]
        now_s = time_s[first]
        known = members >= 0
        present = known & (now_s[:, None] - self.time_s[members] <= fresh_s[there][first][:, None])
        complete = (self.waiting[members] | ~present).all(axis=1) & (present.sum(axis=1) > 1)
        due = complete & (np.abs(now_s - self.judged_s[leaders]) >= self._independent_s)
        leaders, members, present = leaders[due], members[due], present[due]
        if not len(leaders):
            return Joint(leaders, np.zeros(0), members, np.zeros(members.shape))
        self.judged_s[leaders] = now_s[due]
        self.waiting[members[members >= 0]] = False
        return self._judge(leaders, members, present)

    def _judge(self, leaders: Integers, members: Integers, present: Booleans) -> Joint:
        both = present[:, :, None] & present[:, None, :]
        diagonal = np.eye(MOST_SENSORS, dtype=np.bool_)
        learnt = self.covariance[members].astype(np.float64)
        covariance = np.where(both, learnt, 0.0) + np.where(diagonal, np.where(present, RIDGE, 1.0)[:, None, :], 0.0)
        away = np.where(present, self.distance[members], 0.0)
        weighted = np.linalg.solve(covariance, away[:, :, None])[:, :, 0]
        parts = away * weighted
        size = np.maximum(parts.sum(axis=1), 0.0)
        count = present.sum(axis=1)
        statistic = np.sqrt(size / count)
        rarity = self.tail.update(leaders, statistic[:, None], np.ones(len(leaders)))[:, 0]
        rarity = np.where(self.count[leaders] >= WARM, rarity, 0.0)

        self.count[leaders] += 1.0
        rate = 1.0 / np.minimum(self.count[leaders], MEMORY)
        # What lies further out than one in a hundred would, were it normal, counts as lying there.
        cut = count + 2.33 * np.sqrt(2.0 * count)
        weight = np.minimum(cut / np.maximum(size, 1e-9), 1.0)
        product = weight[:, None, None] * away[:, :, None] * away[:, None, :]
        change = np.where(both, rate[:, None, None] * (product - learnt), 0.0)
        known = members >= 0
        self.covariance[members[known]] += change[known].astype(np.float32)
        share = np.maximum(parts, 0.0)
        return Joint(leaders, rarity, members, share / np.maximum(share.sum(axis=1, keepdims=True), 1e-12))
