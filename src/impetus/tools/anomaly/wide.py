"""Judges a table of many streams, and puts what it found into words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.band import score_of
from impetus.tools.anomaly.districts import Incident, NetworkWatch, streams_of, words_of
from impetus.tools.anomaly.graph import Graph
from impetus.tools.anomaly.parameters import PARAMETERS
from impetus.tools.anomaly.wide_file import WideRow

MOST_LEARNT = 2_000
"""Streams whose neighbourhood can be learnt; a matrix of all pairs is needed for it."""
FIRST_GAPS = 10
"""The interval is the median of so many first gaps: no later row is looked at."""


@dataclass(frozen=True, slots=True)
class WideAlert:
    """One event or one fault, as it is written on a line."""

    start: str
    end: str
    streams: list[str]
    score: float
    kind: str
    explanation: str


def judge(
    rows: Iterable[WideRow], streams: list[str], graph: Graph | None, *, false_alerts_a_day: float = 1.0
) -> Iterator[WideAlert]:
    """Alerts as they end, and at last those that go on; rows that are not later than the one before are left out.

    Without a graph, neighbours are learnt from the first day.

    Raises:
        InvalidInput: there is no graph and there are too many streams to learn one.
    """
    if graph is None and len(streams) > MOST_LEARNT:
        raise InvalidInput(
            f"neighbours of {len(streams)} streams cannot be learnt", hint=f"give --graph, or {MOST_LEARNT} streams"
        )
    waiting: list[WideRow] = []
    run: _Run | None = None
    newest_s = -np.inf
    for row in rows:
        if row.time_s <= newest_s:
            continue
        newest_s = row.time_s
        if run is None:
            waiting.append(row)
            if len(waiting) <= FIRST_GAPS:
                continue
            run = _Run(streams, graph, _interval_s(waiting), false_alerts_a_day)
            for early in waiting:
                yield from run.update(early)
            continue
        yield from run.update(row)
    if run is None:
        # Too few rows to know anything; they are judged all the same, so that a wrong one is an error.
        return
    yield from run.finish()


def _interval_s(rows: list[WideRow]) -> float:
    return max(float(np.median(np.diff([row.time_s for row in rows]))), 1e-3)


class _Run:
    def __init__(self, streams: list[str], graph: Graph | None, interval_s: float, false_alerts_a_day: float) -> None:
        self._streams = streams
        self._distances: list[Floats] | None = [] if graph is None else None
        nobody = Graph.of_matrix(np.zeros((len(streams), len(streams)))) if graph is None else graph
        self._watch = NetworkWatch(
            len(streams), nobody, interval_s=interval_s, false_alerts_a_day=false_alerts_a_day, parameters=PARAMETERS
        )
        self._times: list[str] = []

    def update(self, row: WideRow) -> Iterator[WideAlert]:
        self._times.append(row.timestamp)
        ended = self._watch.update(row.time_s, row.offset_s, row.values)
        if self._distances is not None:
            self._learn_graph()
        for incident in ended:
            yield self._alert(incident)

    def finish(self) -> Iterator[WideAlert]:
        for incident in self._watch.finish():
            yield self._alert(incident)

    def _learn_graph(self) -> None:
        distances = self._distances or []
        distances.append(self._watch.distance)
        self._distances = distances
        if len(distances) < PARAMETERS.network_warm_readings:
            return
        table = np.clip(np.array(distances), -3.0, 3.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation = np.nan_to_num(np.corrcoef(table.T))
        self._watch.use_graph(Graph.of_correlation(np.atleast_2d(correlation)))
        self._distances = None

    def _alert(self, incident: Incident) -> WideAlert:
        names = self._streams
        return WideAlert(
            start=self._times[incident.start],
            end=self._times[incident.last],
            streams=streams_of(incident, names),
            score=round(float(score_of(np.array([incident.rarity]))[0]), 6),
            kind=incident.kind,
            explanation=words_of(incident, names),
        )
