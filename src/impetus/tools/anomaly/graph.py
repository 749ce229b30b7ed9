"""Which streams lie beside which: a graph of roads or of a grid, given as a matrix or learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.anomaly.arrays import Booleans, Floats, Integers

NEIGHBOURS = 8
"""Nearest streams that one is compared with."""
DISTRICT = 16
"""Streams that a district has, its centre among them: the neighbours and theirs, nearest first."""
FEWEST = 3
"""With fewer neighbours nothing can be told of a stream."""
LEAST_CORRELATION = 0.3
"""Below it two streams are no neighbours, where neighbourhood is learnt."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Neighbours and districts of each stream.

    `neighbours` and `weights` have the shape (streams, NEIGHBOURS), `district` (streams, DISTRICT); where there are
    fewer, -1 stands and the weight is 0.

    >>> graph = Graph.of_matrix(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]]))
    >>> graph.neighbours[0, :2].tolist(), graph.district[0, :3].tolist()
    ([1, -1], [0, 1, 2])
    """

    neighbours: Integers
    weights: Floats
    district: Integers

    @classmethod
    def of_matrix(cls, closeness: Floats) -> Graph:
        """From a square matrix that is greater the closer two streams lie, 0 where they are none; its diagonal is not
        read, and the greater of both directions counts.

        Raises:
            InvalidInput: it is not square, or holds what is no number or is below 0.
        """
        if closeness.ndim != 2 or closeness.shape[0] != closeness.shape[1]:
            raise InvalidInput(
                f"the graph has {closeness.shape} rows and columns", hint="give one row and column a stream"
            )
        if not np.isfinite(closeness).all() or (closeness < 0).any():
            raise InvalidInput("the graph holds negative or missing numbers", hint="write 0 where there is no road")
        close = np.maximum(closeness, closeness.T).astype(np.float64)
        np.fill_diagonal(close, 0.0)
        streams = len(close)
        neighbours = np.full((streams, NEIGHBOURS), -1, dtype=np.int64)
        weights = np.zeros((streams, NEIGHBOURS))
        for stream in range(streams):
            nearest = np.argsort(-close[stream], kind="stable")[:NEIGHBOURS]
            nearest = nearest[close[stream, nearest] > 0]
            neighbours[stream, : len(nearest)] = nearest
            weights[stream, : len(nearest)] = close[stream, nearest]
        return cls(neighbours, weights, _districts(neighbours, weights))

    @classmethod
    def of_correlation(cls, correlation: Floats) -> Graph:
        """Learnt: streams whose distances from the expected rise and fall together."""
        return cls.of_matrix(np.where(correlation >= LEAST_CORRELATION, correlation, 0.0))

    def components(self, chosen: Booleans) -> list[Integers]:
        """The chosen streams in groups that hang together through neighbours, the largest first."""
        left = set(map(int, np.flatnonzero(chosen)))
        groups = []
        while left:
            group, ends = [], [left.pop()]
            while ends:
                stream = ends.pop()
                group.append(stream)
                beside = left.intersection(map(int, self.neighbours[stream]))
                left -= beside
                ends.extend(beside)
            groups.append(np.array(sorted(group), dtype=np.int64))
        return sorted(groups, key=len, reverse=True)


def _districts(neighbours: Integers, weights: Floats) -> Integers:
    """The nearest streams of each, by the product of the weights on the way, as far as three steps."""
    streams = len(neighbours)
    district = np.full((streams, DISTRICT), -1, dtype=np.int64)
    for stream in range(streams):
        reached = {stream: 2.0}
        ends = [stream]
        for _ in range(3):
            further = []
            for end in ends:
                for other, weight in zip(neighbours[end].tolist(), weights[end].tolist(), strict=True):
                    closeness = min(reached[end], 1.0) * weight
                    if other >= 0 and closeness > reached.get(other, 0.0):
                        reached[other] = closeness
                        further.append(other)
            ends = further
            if len(reached) >= DISTRICT:
                break
        nearest = sorted(reached, key=lambda other: -reached[other])[:DISTRICT]
        district[stream, : len(nearest)] = nearest
    return district
