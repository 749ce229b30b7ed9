"""What the neighbours of a stream do, live: an event of a district is one alert, a sensor that stands apart a fault."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from impetus.model import Datastream
from impetus.tools.anomaly.arrays import ArrayState, Column, Floats, Integers
from impetus.tools.anomaly.compiled import compiled

NEIGHBOURS = 8
FURTHEST_M = 2_500.0
"""Streams further away are no neighbours."""
FEWEST = 3
"""With fewer neighbours that report nothing can be told of a stream."""
EARTH_M_PER_DEGREE = 111_195.0
CUT = 6.0
"""Spreads at which a distance from the expectation counts no more."""
DEVIATING = 2.0
"""Spreads from which a neighbour deviates."""
AS_USUAL = 2.0
"""Spreads within which the neighbours together are as usual: what a shared mood of the hour does, and no more."""
MEMORY_READINGS = 10_000.0
CLEARLY = 3.0
"""Spreads that the neighbours are away on average where the event is theirs too."""
TOGETHER = 0.3
"""Least share of a stream's usual deviations that its neighbours explain, to call it broken when it stands apart."""
FEWEST_READINGS = 500.0
"""Readings before which that share is not known."""


@dataclass(frozen=True, slots=True)
class NeighbourState:
    """What the neighbours of a stream do while it deviates; `sign` is to which side it does.

    `reporting` is how many there are that report, `same` how many deviate to the same side, `mean` how far they are
    from what is expected of them on average, in spreads. `explained` is the share of the stream's usual deviations that
    its neighbours share.
    """

    reporting: int
    same: int
    mean: float
    explained: float
    sign: int
    deviating: tuple[int, ...] = ()
    """Rows of those that deviate to the same side."""

    @property
    def apart(self) -> bool:
        """Whether the stream alone is unusual, where its neighbours would have to be too."""
        as_usual = abs(self.mean) <= AS_USUAL or np.sign(self.mean) != self.sign
        return self.reporting >= FEWEST and self.same == 0 and bool(as_usual) and self.explained >= TOGETHER

    @property
    def together(self) -> bool:
        """Whether the neighbours are far from what is usual too, all in all and not one by chance."""
        return self.same >= FEWEST and self.mean * self.sign >= CLEARLY

    @property
    def words(self) -> str:
        """In a sentence for the explanation of an alert."""
        if self.reporting < FEWEST:
            return "too few neighbours report to compare with"
        side = "above" if self.sign > 0 else "below"
        if self.same == 0:
            return f"none of {self.reporting} neighbours is {side} what is usual there"
        return f"{self.same} of {self.reporting} neighbours are {side} what is usual there too"


class Surroundings(ArrayState):
    """Neighbours by position, of the same observed property; and how far each stream is from what is expected of it.

    >>> around = Surroundings()
    >>> around.grow(4)
    >>> around.place(np.array([10.0, 10.001, 10.002, 10.003]), np.full(4, 63.0), ["flow"] * 4)
    >>> _ = around.update(np.arange(4), np.zeros(4), np.array([5.0, 4.0, 3.0, 0.0]))
    >>> around.state(0, 10.0, 60.0, sign=1).same
    2
    """

    distance: Floats
    time_s: Floats
    own: Floats
    shared: Floats
    both: Floats
    count: Floats

    def __init__(self) -> None:
        super().__init__(
            {
                "distance": Column(),
                "time_s": Column((), -np.inf),
                "own": Column(),
                "shared": Column(),
                "both": Column(),
                "count": Column(),
            }
        )
        self.neighbours: Integers = np.full((0, NEIGHBOURS), -1, dtype=np.int64)

    def grow(self, streams: int) -> None:
        super().grow(streams)
        self.grow_neighbours()

    def grow_neighbours(self) -> None:
        """Make room for the neighbours of all streams, which are found anew after a restart."""
        missing = self.streams - len(self.neighbours)
        if missing > 0:
            nobody = np.full((missing, NEIGHBOURS), -1, dtype=np.int64)
            self.neighbours = np.concatenate([self.neighbours, nobody])

    def place_registered(self, registered: dict[int, Datastream]) -> None:
        """Take over where the streams are; whoever has no place has no neighbours."""
        longitude, latitude = np.full(self.streams, np.nan), np.full(self.streams, np.nan)
        kinds = [""] * self.streams
        for row, datastream in registered.items():
            if datastream.place is not None:
                longitude[row], latitude[row] = datastream.place.centre
                kinds[row] = datastream.observed_property
        self.place(longitude, latitude, kinds)

    def place(self, longitude: Floats, latitude: Floats, kinds: Sequence[str]) -> None:
        """Find the nearest of the same kind within `FURTHEST_M`; degrees, not a number where the place is unknown."""
        self.neighbours = np.full((self.streams, NEIGHBOURS), -1, dtype=np.int64)
        rows_of: dict[str, list[int]] = {}
        for row, kind in enumerate(kinds):
            if math.isfinite(longitude[row]) and math.isfinite(latitude[row]):
                rows_of.setdefault(kind, []).append(row)
        for members in rows_of.values():
            if len(members) < 2:
                continue
            rows = np.array(members)
            shrink = math.cos(math.radians(float(np.mean(latitude[rows]))))
            points = EARTH_M_PER_DEGREE * np.column_stack([longitude[rows] * shrink, latitude[rows]])
            nearest = cKDTree(points).query(points, k=min(NEIGHBOURS + 1, len(rows)), distance_upper_bound=FURTHEST_M)
            for number, others in enumerate(nearest[1]):
                found = [int(rows[other]) for other in others if other < len(rows) and other != number]
                self.neighbours[rows[number], : min(len(found), NEIGHBOURS)] = found[:NEIGHBOURS]

    def update(self, row: Integers, time_s: Floats, distance: Floats) -> Floats:
        """Take over how far streams are from their expectation, in spreads; learn what they share with neighbours.

        Returns what their neighbours' newest distances are on average, shape (readings,).
        """
        # All distances of the round first: neighbours are compared at the same moment.
        self.distance[row], self.time_s[row] = np.clip(np.nan_to_num(distance), -CUT, CUT), time_s
        mean = np.empty(len(row))
        _share(row, self.neighbours, self.distance, self.count, self.own, self.shared, self.both, mean)
        return mean

    def state(self, row: int, now_s: float, fresh_s: float, *, sign: int) -> NeighbourState:
        """What the neighbours do now; those whose newest reading is older than `fresh_s` count as not reporting.

        `sign` is to which side the stream deviates: 1 or -1.
        """
        around = self.neighbours[row]
        around = around[around >= 0]
        reporting = around[np.abs(now_s - self.time_s[around]) <= fresh_s]
        distance = self.distance[reporting]
        deviating = tuple(int(other) for other in reporting[distance * sign >= DEVIATING])
        mean = float(distance.mean()) if len(distance) else 0.0
        known = self.count[row] >= FEWEST_READINGS and self.own[row] * self.shared[row] > 0
        explained = float(max(self.both[row], 0.0) ** 2 / (self.own[row] * self.shared[row])) if known else 0.0
        return NeighbourState(len(reporting), len(deviating), mean, min(explained, 1.0), sign, deviating)


class Districts:
    """Which open episodes belong to one event: the first stream leads, neighbours that follow join its alert.

    >>> districts = Districts()
    >>> districts.join(4, [7, 9], {7: 1, 9: -1}, 1)
    7
    >>> districts.leader(4), sorted(districts.members(7)), districts.leader(7)
    (7, [4], None)
    """

    def __init__(self) -> None:
        self._leader: dict[int, int] = {}

    def join(self, row: int, neighbours: Sequence[int], open_signs: dict[int, int], sign: int) -> int | None:
        """Let a stream's new episode join that of a neighbour which is open to the same side; who leads, if any."""
        for other in neighbours:
            if other != row and open_signs.get(other) == sign:
                leader = self._leader.get(other, other)
                if leader != row:
                    self._leader[row] = leader
                    return leader
        return None

    def leader(self, row: int) -> int | None:
        """Whose alert speaks for this stream."""
        return self._leader.get(row)

    def members(self, leader: int) -> list[int]:
        """Streams that a leader's alert speaks for, beside its own, in the order in which they joined."""
        return [row for row, other in self._leader.items() if other == leader]

    def leave(self, row: int) -> None:
        """The stream's episode ended; those that followed it go on by themselves."""
        self._leader.pop(row, None)
        for member in self.members(row):
            del self._leader[member]

    def to_json(self) -> list[list[int]]:
        """Plain values for a checkpoint."""
        return [[row, leader] for row, leader in self._leader.items()]

    @classmethod
    def from_json(cls, saved: Sequence[Sequence[int]]) -> Districts:
        """The inverse of `to_json`. Raises `ValueError` or `TypeError` for anything else."""
        districts = cls()
        districts._leader = {int(row): int(leader) for row, leader in saved}
        return districts


@compiled
def _share(
    rows: Integers,
    neighbours: Integers,
    distance: Floats,
    counts: Floats,
    owns: Floats,
    shareds: Floats,
    boths: Floats,
    mean: Floats,
) -> None:
    """Mean distance of each row's neighbours, and what of its variance it shares with them."""
    for number in range(len(rows)):
        row = rows[number]
        total, there = 0.0, 0
        for place in range(neighbours.shape[1]):
            other = neighbours[row, place]
            if other >= 0:
                total += distance[other]
                there += 1
        mean[number] = total / max(there, 1)
        own = min(max(distance[row], -3.0), 3.0)
        shared = min(max(mean[number], -3.0), 3.0)
        counts[row] += 1.0
        rate = 1.0 / min(counts[row], MEMORY_READINGS)
        owns[row] += rate * (own * own - owns[row])
        shareds[row] += rate * (shared * shared - shareds[row])
        boths[row] += rate * (own * shared - boths[row])
