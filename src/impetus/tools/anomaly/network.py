"""Many streams at once: tells what a district does from what one sensor does.

Each stream's distance from its own expectation is compared with that of its neighbours. What they share is an event;
what one does alone is a fault of a sensor. An event is found by a scan statistic over districts (Kulldorff, Commun.
Stat. 26(6), 1997; Neill, Stat. Med. 28(5), 2009): the mean over a district, calibrated by that district's own past.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats
from impetus.tools.anomaly.graph import FEWEST, Graph
from impetus.tools.anomaly.monitor import Outcome, Scored, StreamMonitor
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.tail import StreamingTail

CUT = 6.0
"""Spreads at which a stream's distance from its expectation counts no more."""
SPIKE, LASTING, TOGETHER = 0, 1, 2
"""Statistics: how far the reading before lay outside of both beside it, how far a stream was from its neighbours for
most of the last hours, how far its district is from its expectation."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is said of each stream at one time, all of shape (streams,).

    `spike` is the rarity of how far the reading before this one lay outside of the two beside it, as against the
    neighbours: a queue builds up and stays, what comes and goes within one reading is no traffic. `lasting` is that of
    the median distance from the neighbours over hours: a queue of its own dissolves sooner, a faulty sensor does not.
    `together` is that of the district's distance from its expectation. `distance` is the stream's own, in spreads, with
    its sign; `shared` what its neighbours foretell of it; `share` how much of its district deviates to the same side.
    """

    scored: Scored
    spike: Floats
    lasting: Floats
    together: Floats
    distance: Floats
    shared: Floats
    share: Floats
    present: Booleans


class NetworkMonitor(ArrayState):
    """Compares streams with their neighbours; one column a stream, one row at a time; strictly causal.

    >>> graph = Graph.of_matrix(np.ones((6, 6)))
    >>> network = NetworkMonitor(6, graph)
    >>> random = np.random.default_rng(1)
    >>> for step in range(600):
    ...     values = 50.0 + random.normal() + random.normal(0, 0.5, 6)
    ...     values[2] += 30.0 * (step == 598)
    ...     compared = network.update(300.0 * step, 0.0, values)
    >>> int(np.argmax(compared.spike)), bool(compared.spike[2] > 3.0)
    (2, True)
    """

    mean_of_two: Floats
    before: Floats
    outside: Floats
    own: Floats
    covariance: Floats
    variance: Floats
    spread: Floats
    lasting_spread: Floats
    district_spread: Floats
    steps: Floats

    def __init__(self, streams: int, graph: Graph, parameters: Parameters = PARAMETERS) -> None:
        super().__init__(
            {
                "mean_of_two": Column(),
                "before": Column(),
                "outside": Column(),
                "own": Column((int(parameters.slow_readings),), np.nan),
                "covariance": Column((), 0.5),
                "variance": Column((), 1.0),
                "spread": Column((), 1.0),
                "lasting_spread": Column((), 0.3),
                "district_spread": Column((), 0.5),
                "steps": Column(),
            }
        )
        self.graph = graph
        self.parameters = parameters
        self.monitor = StreamMonitor(parameters)
        self.tail = StreamingTail(3, parameters)
        self.grow(streams)
        self._step = 0
        self.trusted: Booleans = np.ones(streams, dtype=np.bool_)
        """Streams that neighbours are compared with; those that are faulty are not."""

    def grow(self, streams: int) -> None:
        super().grow(streams)
        self.monitor.grow(streams)
        self.tail.grow(streams)

    def update(self, time_s: float, offset_s: float, value: Floats) -> Comparison:
        """Judge the readings of all streams at one time, not a number where there is none; then learn from them."""
        known, count = self.parameters, self.streams
        every = np.arange(count)
        scored = self.monitor.update(every, np.full(count, time_s), np.full(count, offset_s), value)
        present = (scored.outcome == Outcome.SCORED) | (scored.outcome == Outcome.LEARNING)
        spread = np.where(present, scored.spread, 1.0)
        raw = np.where(present, (value - scored.middle) / np.maximum(spread, 1e-12), 0.0)
        distance = np.clip(np.nan_to_num(raw), -CUT, CUT)
        self.steps += present
        rate = 1.0 / np.minimum(np.maximum(self.steps, 1.0), known.memory_readings)

        usable = present & self.trusted & ~scored.stuck
        shared, with_neighbours = self._neighbours(distance, usable)
        slope = np.clip(self.covariance / np.maximum(self.variance, 1e-6), 0.0, 1.5)
        foretold = slope * shared
        there = present & with_neighbours
        own = np.where(there, np.clip(np.nan_to_num(raw), -4 * CUT, 4 * CUT) - foretold, 0.0)
        lasting = self._lasting(np.where(there, np.clip(own, -CUT, CUT), np.nan))
        outside = self._outside(own, there)
        district, share = self._districts(distance, usable)

        single = outside / np.maximum(self.spread, 0.1)
        slow = np.abs(lasting) / np.maximum(self.lasting_spread, 0.05)
        whole = np.abs(district) / np.maximum(self.district_spread, 0.05)
        rarity = self.tail.update(every, np.stack([single, slow, whole], axis=1), np.where(present, 1.0, 1e-9))
        warm = self.steps > known.network_warm_readings

        bounded = np.clip(own, -3.0 * self.spread, 3.0 * self.spread)
        learn = np.where(present & with_neighbours, rate, 0.0)
        self.covariance += learn * (np.clip(distance, -3.0, 3.0) * np.clip(shared, -3.0, 3.0) - self.covariance)
        self.variance += learn * (np.clip(shared, -3.0, 3.0) ** 2 - self.variance)
        self.spread += learn * (1.2533 * np.abs(bounded) - self.spread)
        bounded = np.minimum(np.abs(lasting), 3.0 * self.lasting_spread)
        self.lasting_spread += learn * (1.2533 * bounded - self.lasting_spread)
        self.district_spread += learn * (
            1.2533 * np.minimum(np.abs(district), 3.0 * self.district_spread) - self.district_spread
        )
        nothing = np.where(warm & present, 1.0, 0.0)
        return Comparison(
            scored=scored,
            spike=rarity[:, SPIKE] * nothing * with_neighbours,
            lasting=rarity[:, LASTING] * nothing * with_neighbours,
            together=rarity[:, TOGETHER] * nothing,
            distance=distance,
            shared=foretold,
            share=share,
            present=present,
        )

    def _lasting(self, own: Floats) -> Floats:
        """Median distance from the neighbours over the last hours, 0 where half of them are not known."""
        count = self.own.shape[1]
        self.own[:, self._step % count] = own
        self._step += 1
        known = np.isfinite(self.own).sum(axis=1) * 2 >= count
        median: Floats = np.zeros(len(own))
        if known.any():
            median[known] = np.nanmedian(self.own[known], axis=1)
        return median

    def _outside(self, own: Floats, there: Booleans) -> Floats:
        """How far the reading before lay above or below both the one before it and this one; 0 where between them."""
        above, below = self.before - np.maximum(self.outside, own), np.minimum(self.outside, own) - self.before
        found = np.where(there, np.maximum(np.maximum(above, below), 0.0), 0.0)
        self.outside[:] = np.where(there, self.before, own)
        self.before[:] = own
        return found

    def _neighbours(self, distance: Floats, usable: Booleans) -> tuple[Floats, Booleans]:
        """Weighted median of the neighbours' distances, and whether there are enough of them."""
        neighbours = self.graph.neighbours
        there = (neighbours >= 0) & usable[neighbours]
        values = np.where(there, distance[neighbours], np.inf)
        order = np.argsort(values, axis=1)
        ordered = np.take_along_axis(values, order, axis=1)
        count = there.sum(axis=1)
        lower, upper = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, ordered.shape[1] - 1)
        rows = np.arange(len(distance))
        enough = count >= min(FEWEST, max(int((neighbours >= 0).sum(axis=1).max(initial=1)), 1))
        middle = 0.5 * (ordered[rows, lower] + ordered[rows, upper])
        return np.where(enough & np.isfinite(middle), middle, 0.0), enough

    def _districts(self, distance: Floats, usable: Booleans) -> tuple[Floats, Floats]:
        """Mean distance of each district over two readings, and the share of it that deviates to the same side."""
        district = self.graph.district
        there = (district >= 0) & usable[district]
        count = np.maximum(there.sum(axis=1), 1)
        values = np.where(there, distance[district], 0.0)
        now = np.where(there.sum(axis=1) >= FEWEST, values.sum(axis=1) / count, 0.0)
        mean = 0.5 * (now + self.mean_of_two)
        self.mean_of_two[:] = now
        away = there & (np.sign(values) == np.sign(mean)[:, None]) & (np.abs(values) >= 1.0)
        return mean, away.sum(axis=1) / count
