"""One stream watched closely: puts its readings in order, foretells each, and weighs what the witnesses say of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.ensemble import Ensemble, Evidence
from impetus.tools.anomaly.monitor import Outcome, StreamMonitor
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.units import CLEAR_SPREADS, NEEDED, Conversion, conversion

ALERT_SCORE = 0.5


def score_of_evidence(evidence: float) -> float:
    """Evidence as a score from 0 to 1; one half is where a reading is reported.

    >>> score_of_evidence(0.0), score_of_evidence(PARAMETERS.alert_evidence)
    (0.0, 0.5)
    """
    return evidence / (evidence + PARAMETERS.alert_evidence)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a reading, and what is said of it: nothing of one that was set aside.

    `stuck` is true with the reading with which the stream is found stuck, `unit` the change of unit with the reading
    with which one is recognised.
    """

    outcome: Outcome
    evidence: Evidence | None = None
    stuck: bool = False
    unit: Conversion | None = None


class CloseWatch:
    """Judges the readings of one stream in the order in which they come; about 5 MB of memory.

    >>> watch = CloseWatch()
    >>> judgement = watch.update(0.0, 0.0, 5.0)
    >>> judgement.outcome.name, judgement.evidence.evidence
    ('LEARNING', 0.0)
    >>> watch.update(0.0, 0.0, 5.0).outcome.name
    'DUPLICATE'
    """

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        self._monitor = StreamMonitor(parameters)
        self._monitor.grow(1)
        self._ensemble = Ensemble(parameters)
        self._row = np.zeros(1, dtype=np.int64)
        self._newest: deque[tuple[float, float, float]] = deque(maxlen=NEEDED)
        self._stuck = False
        self._converted = False

    def update(self, time_s: float, offset_s: float, value: float) -> Judgement:
        """Judge a reading by those before it; then learn from it.

        `time_s` is UTC in seconds since 1970, `offset_s` what local time is ahead of it.
        """
        scored = self._monitor.update(self._row, np.array([time_s]), np.array([offset_s]), np.array([value]))
        outcome = Outcome(int(scored.outcome[0]))
        if outcome not in (Outcome.SCORED, Outcome.LEARNING):
            return Judgement(outcome)
        expected, spread = float(scored.middle[0]), float(scored.spread[0])
        self._newest.append((value, expected, spread))
        stuck, unit = bool(scored.stuck[0]), None
        if outcome is Outcome.SCORED and abs(value - expected) > CLEAR_SPREADS * spread:
            values, expectations, spreads = np.array(self._newest).T
            unit = conversion(values, expectations, spreads)
        judgement = Judgement(
            outcome,
            self._ensemble.update(value, value - expected),
            stuck=stuck and not self._stuck,
            unit=None if self._converted else unit,
        )
        self._stuck, self._converted = stuck, unit is not None
        return judgement
