"""Finds sensors that report no more, and tells one silent sensor from a silent network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Column, Floats, Integers

CONFIRMATIONS = 2
"""Looks in a row at which a stream has to be silent: after a pause of this process, what waits is read in between."""
FEWEST_FOR_NETWORK = 3
"""With fewer streams, nobody can tell a network from its sensors."""
NETWORK_SHARE = 0.5
"""Share of the streams that report about as often which has to be overdue for a silent network."""
OVERDUE = 0.4
"""Share of its limit after which a stream is overdue: sensors that stop together reach their limits one by one."""
PEER_LIMITS = 2.0
"""Streams with a limit up to so many times as long are compared."""
BACK_SHARE = 0.5
"""Share of the streams of a silent network that has to report again for it to be back."""


@dataclass(frozen=True, slots=True)
class SilenceReport:
    """What changed since the last look; row numbers of streams."""

    silent: Integers
    back: Integers
    network_silent: Integers | None = None
    """These went silent together: one event."""
    network_back: bool = False


class SilenceWatch(ArrayState):
    """Judges silence by when readings arrived, on a clock that never jumps, not by the times that they carry.

    `limit_s` says for each stream after how long without a reading it is silent. When most streams of its kind are
    overdue with it, or at least `together` are, that is one event of the network and not one of each sensor.

    >>> import numpy as np
    >>> watch = SilenceWatch(together=8)
    >>> watch.grow(4)
    >>> watch.arrived(np.arange(4), 0.0)
    >>> for now_s in (10.0, 20.0, 30.0, 40.0):
    ...     watch.arrived(np.array([0, 1, 3]), now_s)
    ...     report = watch.look(now_s, np.full(4, 25.0))
    >>> [int(row) for row in report.silent]
    [2]
    """

    arrived_s: Floats
    """When the last reading arrived; not a number: never."""
    looks: Integers
    silent: Booleans
    with_network: Booleans
    lost_s: Floats
    """When it was found silent."""

    def __init__(self, *, together: int) -> None:
        super().__init__(
            {
                "arrived_s": Column((), np.nan),
                "looks": Column((), 0, np.int64),
                "silent": Column((), 0, np.bool_),
                "with_network": Column((), 0, np.bool_),
                "lost_s": Column(),
            }
        )
        self._together = together

    def arrived(self, rows: Integers, now_s: float) -> None:
        """Readings of these streams arrived now."""
        self.arrived_s[rows] = now_s

    def expect(self, rows: Integers, now_s: float) -> None:
        """These streams are known from before: from now on they have to report."""
        unknown = rows[np.isnan(self.arrived_s[rows])]
        self.arrived_s[unknown] = now_s

    def restart(self, now_s: float) -> None:
        """The process was restarted: whoever is not known to be silent gets the whole time anew."""
        self.arrived_s[~np.isnan(self.arrived_s)] = now_s
        self.lost_s[:] = now_s
        self.looks[:] = 0

    def look(self, now_s: float, limit_s: Floats) -> SilenceReport:
        """Judge all streams; `limit_s` has the shape (streams,)."""
        lost = self.with_network
        reported = self.silent & (self.arrived_s > self.lost_s)
        back = np.flatnonzero(reported & ~lost)
        self.silent[back] = False

        network_back = False
        if lost.any() and np.count_nonzero(lost & reported) >= BACK_SHARE * np.count_nonzero(lost):
            # Those that are still away get their whole time anew, and are then silent by themselves.
            self.arrived_s[lost & ~reported] = now_s
            self.silent[lost] = False
            self.with_network[:] = False
            network_back = True

        expected = ~np.isnan(self.arrived_s) & ~self.silent
        with np.errstate(invalid="ignore"):
            away_s = now_s - self.arrived_s
            quiet = expected & (away_s > limit_s)
            overdue = expected & (away_s > OVERDUE * limit_s)
        self.looks = np.where(quiet, np.minimum(self.looks + 1, CONFIRMATIONS), 0)
        fresh = np.flatnonzero(self.looks >= CONFIRMATIONS)
        none = fresh[:0]
        if not len(fresh):
            return SilenceReport(none, back, network_back=network_back)
        if self.with_network.any():
            # The network is down already; slower streams follow it and are no news.
            self._lose(fresh, now_s)
            self.with_network[fresh] = True
            return SilenceReport(none, back, network_back=network_back)
        # Streams that report more rarely can say nothing yet.
        peers = expected & (limit_s <= PEER_LIMITS * limit_s[fresh].min())
        together = np.flatnonzero(overdue & peers)
        most = len(together) >= max(FEWEST_FOR_NETWORK, NETWORK_SHARE * np.count_nonzero(peers))
        if most or len(together) >= self._together:
            self._lose(together, now_s)
            self.with_network[together] = True
            return SilenceReport(none, back, together, network_back)
        self._lose(fresh, now_s)
        return SilenceReport(fresh, back, network_back=network_back)

    def _lose(self, rows: Integers, now_s: float) -> None:
        self.silent[rows] = True
        self.lost_s[rows] = now_s
        self.looks[rows] = 0
