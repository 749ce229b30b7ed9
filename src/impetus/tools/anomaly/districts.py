"""From comparisons to alerts: opens, joins and closes events of districts and faults of sensors."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import Booleans, Floats
from impetus.tools.anomaly.graph import DISTRICT, Graph
from impetus.tools.anomaly.network import CUT, Comparison, NetworkMonitor
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.units import CLEAR_SPREADS, NEEDED, conversion

DAY_S = 86_400.0
WEAK_SHARE = 0.7
"""Rarity that keeps an alert open, as a share of what opens one."""
QUIET_STEPS = 3
"""Steps without anything unusual after which an alert ends."""
GAP_STEPS = 6
"""Steps without a reading after which a stream has a gap."""
EVENT_SHARE = 0.8
"""Share of a district that has to deviate to the same side: four of five."""
DEVIATING = 1.5
"""Spreads from which on a stream takes part in an event."""
SWAPPED_STEPS, SWAPPED_EVERY = 36, 6
"""Steps that two streams must have fitted each other's expectation, and how often that is asked."""
MOST_COMPARED = 200
"""Streams far from their expectation that are compared with each other, the furthest first."""
SWAPPED_FIT = 0.4
"""Largest share of their own errors that is left where the two are exchanged."""
LEAST_RARITY = 3.5


@dataclass(slots=True)
class Incident:
    """An alert in the making: what it is, where, since when, until when, how rare."""

    kind: str
    start: int
    last: int
    streams: set[int]
    rarity: float
    explanation: str
    told_at: int = -1
    """The step at which it was known; a gap and a stuck value begin earlier."""
    quiet: int = 0


class NetworkWatch:
    """Watches a whole network, row by row.

    `false_alerts_a_day` is borne over all streams; from it follows how rare something has to be (Bonferroni over the
    tests of a day; districts overlap, so that there are fewer of them than streams).

    >>> watch = NetworkWatch(4, Graph.of_matrix(np.ones((4, 4))), interval_s=300.0)
    >>> [watch.update(300.0 * step, 0.0, np.full(4, 50.0)) for step in range(3)]
    [[], [], []]
    """

    def __init__(
        self,
        streams: int,
        graph: Graph,
        *,
        interval_s: float,
        false_alerts_a_day: float = 1.0,
        parameters: Parameters = PARAMETERS,
    ) -> None:
        self.network = NetworkMonitor(streams, graph, parameters)
        self.graph = graph
        tests = streams * DAY_S / interval_s
        self.strong = max(math.log10(tests / false_alerts_a_day), LEAST_RARITY)
        self.strong_event = max(math.log10(tests / min(DISTRICT, streams) / false_alerts_a_day), LEAST_RARITY)
        # What is averaged over hours is tested anew only every few hours.
        self.strong_slow = max(math.log10(tests / parameters.slow_readings / false_alerts_a_day), LEAST_RARITY)
        self.step = -1
        self._missing = np.zeros(streams)
        self._far = np.zeros(streams)
        """Steps in a row that each stream has been far from its expectation."""
        self._ever = np.zeros(streams, dtype=np.bool_)
        self.distance: Floats = np.zeros(streams)
        """Of each stream from its own expectation at the newest step, in spreads."""
        self._strong_before = np.zeros(streams, dtype=np.bool_)
        self._faults: dict[int, Incident] = {}
        self._events: list[Incident] = []
        self._values: deque[Floats] = deque(maxlen=SWAPPED_STEPS)
        self._expected: deque[Floats] = deque(maxlen=SWAPPED_STEPS)
        self._spreads: deque[Floats] = deque(maxlen=SWAPPED_STEPS)

    def use_graph(self, graph: Graph) -> None:
        """Compare streams by another graph from now on."""
        self.graph = self.network.graph = graph

    @property
    def open(self) -> list[Incident]:
        """What is going on now."""
        return [*self._events, *self._faults.values()]

    def update(self, time_s: float, offset_s: float, value: Floats) -> list[Incident]:
        """Judge one row; returns the alerts that ended with it."""
        self.step += 1
        compared = self.network.update(time_s, offset_s, value)
        self.distance = compared.distance
        self._ever |= compared.present
        self._missing = np.where(compared.present | ~self._ever, 0.0, self._missing + 1.0)
        self._values.append(value)
        self._expected.append(compared.scored.middle)
        self._spreads.append(compared.scored.spread)
        ended = self._follow_events(compared)
        ended += self._follow_faults(compared)
        trusted = np.ones(len(value), dtype=np.bool_)
        trusted[list(self._faults)] = False
        self.network.trusted = trusted
        return ended

    def finish(self) -> list[Incident]:
        """What is still open when there are no more rows."""
        left, self._events, self._faults = self.open, [], {}
        return left

    # Events

    def _follow_events(self, compared: Comparison) -> list[Incident]:
        together = np.where(compared.share >= EVENT_SHARE, compared.together, 0.0)
        weak = together >= WEAK_SHARE * self.strong_event
        strong = together >= self.strong_event
        confirmed = strong & self._strong_before
        self._strong_before = strong
        for centre in map(int, np.argsort(-np.where(confirmed, together, 0.0))):
            if not confirmed[centre]:
                break
            self._join_event(centre, compared, float(together[centre]))
        still: list[Incident] = []
        ended: list[Incident] = []
        for event in self._events:
            if weak[list(event.streams)].any():
                event.last, event.quiet = self.step, 0
                event.streams.update(self._taking_part(next(iter(event.streams)), compared, event.streams))
            else:
                event.quiet += 1
            (ended if event.quiet >= QUIET_STEPS else still).append(event)
        self._events = still
        return ended

    def _join_event(self, centre: int, compared: Comparison, rarity: float) -> None:
        streams = self._taking_part(centre, compared, set())
        for event in self._events:
            if event.streams & streams:
                event.streams |= streams
                event.rarity = max(event.rarity, rarity)
                event.last, event.quiet = self.step, 0
                return
        district = self.graph.district[centre]
        mean = float(compared.distance[district[district >= 0]].mean())
        what = "above" if mean > 0 else "below"
        text = (
            f"{len(streams)} neighbouring streams {what} what is usual for the hour together, {abs(mean):.1f} spreads "
            f"on average in the district of stream {{{centre}}}; sensors do not fail alike, so that this is an event"
        )
        self._events.append(Incident("event", self.step, self.step, streams, rarity, text, self.step))
        # What was taken for faults of sensors while the event began is a part of it.
        for stream in streams & self._faults.keys():
            if self._faults[stream].kind == "drift" and self.step - self._faults[stream].start <= GAP_STEPS:
                del self._faults[stream]

    def _taking_part(self, centre: int, compared: Comparison, known: set[int]) -> set[int]:
        district = self.graph.district[centre]
        core = [int(stream) for stream in district if stream >= 0]
        sign = np.sign(compared.distance[core].mean())
        away = (np.sign(compared.distance) == sign) & (np.abs(compared.distance) >= DEVIATING) & compared.present
        reached = {stream for stream in core if away[stream]} | known
        for group in self.graph.components(away):
            members = set(map(int, group))
            if members & reached:
                reached |= members
        return reached or {centre}

    # Faults

    def _follow_faults(self, compared: Comparison) -> list[Incident]:
        ended: list[Incident] = []
        in_event = set().union(*(event.streams for event in self._events)) if self._events else set()
        alone = self._alone(compared)
        lasting = np.where(alone, compared.lasting, 0.0)
        swapped, units = self._swapped(compared), self._units(compared)
        suspicious = (compared.spike >= self.strong) | (lasting >= self.strong_slow) | compared.scored.stuck
        suspicious |= self._missing >= GAP_STEPS
        suspicious[[*swapped, *units]] = True
        for stream in map(int, np.flatnonzero(suspicious)):
            if stream in self._faults or any(stream in fault.streams for fault in self._faults.values()):
                continue
            fault = self._fault(stream, compared, lasting, swapped, units, stream in in_event)
            if fault is not None:
                fault.told_at = self.step
                self._faults[stream] = fault
        for stream, fault in list(self._faults.items()):
            if self._goes_on(stream, fault, compared):
                fault.last, fault.quiet = self.step, 0
            else:
                fault.quiet += 1
            if fault.quiet >= QUIET_STEPS:
                del self._faults[stream]
                for other in fault.streams - {stream}:
                    self._faults.pop(other, None)
                ended.append(fault)
        return ended

    def _alone(self, compared: Comparison) -> Booleans:
        """Streams whose neighbours are as usual, or away to the other side."""
        same_side = np.sign(compared.shared) == np.sign(compared.distance)
        alone: Booleans = ~same_side | (np.abs(compared.shared) <= 0.5 * np.abs(compared.distance))
        return alone

    def _fault(
        self,
        stream: int,
        compared: Comparison,
        lasting: Floats,
        swapped: dict[int, int],
        units: dict[int, str],
        in_event: bool,
    ) -> Incident | None:
        beside = f"its neighbours foretell {compared.shared[stream]:+.1f} spreads from the usual"
        if self._missing[stream] >= GAP_STEPS:
            text = f"no reading of stream {{{stream}}} for {GAP_STEPS} steps while others report"
            start = self.step - int(self._missing[stream]) + 1
            return Incident("gap", start, self.step, {stream}, self.strong, text)
        if compared.scored.stuck[stream]:
            readings = int(compared.scored.stuck_readings[stream])
            text = f"stream {{{stream}}} read the same value {readings} times, longer than it does by nature"
            rarity = float(compared.scored.stuck_rarity[stream])
            return Incident("stuck", self.step - readings + 1, self.step, {stream}, rarity, text)
        if stream in swapped:
            other = swapped[stream]
            text = f"streams {{{stream}}} and {{{other}}} read what is expected of the other"
            return Incident("swapped", self.step, self.step, {stream, other}, self.strong, text)
        if stream in units:
            text = f"stream {{{stream}}} reads as if its unit had changed: {units[stream]}"
            return Incident("unit", self.step - NEEDED + 1, self.step, {stream}, self.strong, text)
        if in_event:
            return None
        if compared.spike[stream] >= self.strong:
            text = f"stream {{{stream}}} left its neighbours for one reading, and came back with the next"
            rarity = float(compared.spike[stream])
            return Incident("spike", self.step - 1, self.step - 1, {stream}, rarity, text)
        if lasting[stream] >= self.strong_slow:
            text = f"stream {{{stream}}} has been away from its neighbours for most of the last hours; {beside}"
            return Incident("drift", self.step, self.step, {stream}, float(lasting[stream]), text)
        return None

    def _goes_on(self, stream: int, fault: Incident, compared: Comparison) -> bool:
        if fault.kind == "gap":
            return bool(self._missing[stream] > 0)
        if not compared.present[stream]:
            return False
        if fault.kind == "stuck":
            return bool(compared.scored.stuck[stream])
        if fault.kind == "spike":
            return False
        if fault.kind == "unit":
            return bool(self._far[stream] > 0)
        if fault.kind == "swapped":
            return self._still_swapped(*sorted(fault.streams))
        lasting = float(compared.lasting[stream])
        fault.rarity = max(fault.rarity, lasting)
        return lasting >= WEAK_SHARE * self.strong_slow

    def _units(self, compared: Comparison) -> dict[int, str]:
        """Streams whose last readings are what was expected of them in another unit, and which."""
        scored = compared.scored
        with np.errstate(invalid="ignore"):
            far = compared.present & (np.abs(self._values[-1] - scored.middle) >= CLEAR_SPREADS * scored.spread)
        self._far = np.where(far, self._far + 1.0, 0.0)
        found: dict[int, str] = {}
        for stream in map(int, np.flatnonzero(self._far >= NEEDED)):
            known = conversion(*(self._latest(kept, stream) for kept in (self._values, self._expected, self._spreads)))
            if known is not None:
                found[stream] = known.words
        return found

    def _still_swapped(self, one: int, other: int) -> bool:
        read, foretold = (
            {row: self._latest(kept, row) for row in (one, other)} for kept in (self._values, self._expected)
        )
        exchanged = np.abs(read[one] - foretold[other]) + np.abs(read[other] - foretold[one])
        own = np.abs(read[one] - foretold[one]) + np.abs(read[other] - foretold[other])
        return bool(np.nansum(exchanged) < np.nansum(own))

    @staticmethod
    def _latest(kept: deque[Floats], stream: int) -> Floats:
        """The last `NEEDED` of what is kept of a stream."""
        return np.array([row[stream] for row in list(kept)[-NEEDED:]])

    def _swapped(self, compared: Comparison) -> dict[int, int]:
        """Streams that have read for hours what is expected of another, and that other what is expected of them."""
        if len(self._values) < SWAPPED_STEPS or self.step % SWAPPED_EVERY:
            return {}
        values, expected = np.array(self._values), np.array(self._expected)
        spreads = np.maximum(np.array(self._spreads), 1e-12)
        with np.errstate(invalid="ignore"):
            own = np.mean(np.minimum(np.abs(values - expected) / spreads, CUT), axis=0)
        away = np.flatnonzero((own >= DEVIATING) & compared.present & ~compared.scored.stuck)
        away = away[np.argsort(-own[away])][:MOST_COMPARED]
        if len(away) < 2:
            return {}
        read, foretold, usual = values[:, away], expected[:, away], spreads[:, away]
        # Of each (row) against what is expected of each other (column).
        fit = np.array(
            [np.mean(np.minimum(np.abs(read[:, [one]] - foretold) / usual, CUT), axis=0) for one in range(len(away))]
        )
        fit = np.where(np.isfinite(fit), fit, CUT)
        found: dict[int, int] = {}
        for one in range(len(away)):
            other = int(np.argmin(fit[one] + fit[:, one] + 2.0 * CUT * (np.arange(len(away)) == one)))
            exchanged = fit[one, other] + fit[other, one]
            if (
                exchanged < SWAPPED_FIT * (fit[one, one] + fit[other, other])
                and max(fit[one, other], fit[other, one]) < 1.5
            ):
                found[int(away[one])] = int(away[other])
        return {one: other for one, other in found.items() if found.get(other) == one}


def streams_of(incident: Incident, names: list[str]) -> list[str]:
    """The names of an alert's streams, in the order of the columns."""
    return [names[stream] for stream in sorted(incident.streams)]


def words_of(incident: Incident, names: list[str]) -> str:
    """The explanation with names in place of numbers."""
    text = incident.explanation
    for stream in sorted(incident.streams):
        text = text.replace(f"{{{stream}}}", names[stream])
    return text
