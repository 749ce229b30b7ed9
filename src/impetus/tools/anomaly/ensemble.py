"""One stream watched closely: thirteen witnesses, each calibrated by its own past, and one score of their evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.compiled import compiled
from impetus.tools.anomaly.parameters import PARAMETERS, Parameters
from impetus.tools.anomaly.rank_memory import rarity_of, remember
from impetus.tools.anomaly.shape_memory import BLOCKS, nearest

SEASON_SCALES = (1, 4, 16)
SCATTER_SCALES = (4, 16, 64, 256)
SHAPE_SCALES = (1, 2, 4, 8)
"""Readings that a witness looks back on, or that a block of its shape has: powers of a small number, no more."""
WITNESSES = (
    "value",
    "change",
    *(f"season over {scale}" for scale in SEASON_SCALES),
    *(f"scatter over {scale}" for scale in SCATTER_SCALES),
    *(f"shape of {BLOCKS} x {scale}" for scale in SHAPE_SCALES),
)
LEAST_SPREAD = 0.05
"""Of the range: what a shape's spread is at least, for streams that hardly ever move."""
LONGEST = max(max(SCATTER_SCALES), BLOCKS * max(SHAPE_SCALES))
"""Newest readings that are kept as they came."""
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is said of one reading.

    `evidence` is how many powers of ten the witnesses together hold the reading rarer than what chance brings forth
    in a stream of this length; `news` is the same, less what the stream's latest reports have spent, or 0 where as much
    was said shortly before. `rarities` has an
    entry for each of `WITNESSES`.
    """

    evidence: float
    news: float
    rarities: Floats


class Ensemble:
    """Weighs what thirteen witnesses say of each reading of one stream; strictly causal.

    The witnesses: the value's distance from the stream's middle; the change; the error against the seasonal baseline
    averaged over 1, 4 and 16 readings; the size of that error averaged over 4 to 256 readings; and the distance of the
    last stretch from all earlier ones at four scales. Each is turned into a rarity by its own past (`rank_memory.py`).
    They are combined half by their mean, which asks for agreement, and half by their root mean square, which listens
    to a single one that is very sure.

    Chance reaches any rarity sometime, so that the bar rises with the number of readings: alpha spending for tests
    without end (Foster & Stine, Alpha-investing, J. R. Stat. Soc. B 70(2), 2008). Each report spends too: after ten in
    about a week the next has to be ten times rarer, so that a stream of a wild nature does not use up a person's
    attention. What was said is news again only if it is stronger, or as it fades (habituation).

    >>> ensemble = Ensemble()
    >>> random = np.random.default_rng(1)
    >>> values = np.r_[random.normal(20.0, 1.0, 900), 40.0]
    >>> said = [ensemble.update(float(value), float(value) - 20.0) for value in values]
    >>> said[-1].news > PARAMETERS.alert_evidence, max(one.news for one in said[100:900]) < said[-1].news
    (True, True)
    """

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        self.parameters = parameters
        size, count = parameters.rank_readings, len(WITNESSES)
        self._ordered, self._by_time = np.empty((count, size)), np.empty((count, size))
        self._values, self._values_by_time = np.empty(size), np.empty(size)
        self._stretches = np.zeros((len(SHAPE_SCALES), parameters.shape_stretches, BLOCKS))
        self._latest = np.zeros((2, LONGEST))
        self._rarities = np.zeros(count)
        self._readings = 0
        self._said, self._said_at = 0.0, -math.inf
        self._reports = 0.0

    def update(self, value: float, error: float) -> Evidence:
        """Judge a reading, of which `error` is the distance from what was expected of it; then learn from it."""
        known = self.parameters
        rarities = self._rarities
        _judge(
            value,
            error,
            self._readings,
            known.ensemble_warm_readings,
            known.extrapolation,
            self._latest,
            self._values,
            self._values_by_time,
            self._stretches,
            self._ordered,
            self._by_time,
            rarities,
        )
        together = 0.5 * float(rarities.mean()) + 0.5 * math.sqrt(float(rarities @ rarities) / len(rarities))
        spent = math.log10(1.0 + self._readings / known.spending_readings)
        evidence = max(together - spent, 0.0)
        self._readings += 1
        return Evidence(evidence, self._news(evidence), rarities.copy())

    def _news(self, evidence: float) -> float:
        known = self.parameters
        self._reports *= math.exp(-1.0 / known.report_memory_readings)
        evidence -= math.log10(1.0 + self._reports)
        since = self._readings - self._said_at
        fading = max(1.0 - since / known.habituation_readings, 0.0)
        bar = self._said * fading + (known.news_evidence if fading > 0 else 0.0)
        if evidence <= max(bar, 0.0):
            return 0.0
        self._said, self._said_at = evidence, self._readings
        # A report too weak to be an alert counts in part.
        self._reports += min(evidence / known.alert_evidence, 1.0)
        return evidence


@compiled
def _judge(
    value: float,
    error: float,
    readings: int,
    warm: int,
    extrapolation: float,
    latest: Floats,
    values: Floats,
    values_by_time: Floats,
    stretches: Floats,
    ordered: Floats,
    by_time: Floats,
    rarities: Floats,
) -> None:
    """The rarities of one reading's statistics by what came before; then learn them.

    `latest` holds the newest values and errors, the newest last; `readings` is how many came before this one.
    """
    size = len(values)
    count = min(readings, size)
    middle = values[count // 2] if readings else value
    before = latest[0, LONGEST - 1] if readings else value
    remember(values, values_by_time, readings, value)
    count = min(readings + 1, size)
    for place in range(LONGEST - 1):
        latest[0, place] = latest[0, place + 1]
        latest[1, place] = latest[1, place + 1]
    latest[0, LONGEST - 1] = value
    latest[1, LONGEST - 1] = error

    statistics = np.zeros(len(rarities))
    statistics[0] = abs(value - middle)
    statistics[1] = abs(value - before)
    witness = 2
    for scale in SEASON_SCALES:
        span = min(scale, readings + 1)
        statistics[witness] = abs(latest[1, LONGEST - span :].sum()) / span
        witness += 1
    for scale in SCATTER_SCALES:
        span = min(scale, readings + 1)
        statistics[witness] = np.abs(latest[1, LONGEST - span :]).sum() / span
        witness += 1
    spread = values[int(0.9 * (count - 1))] - values[int(0.1 * (count - 1))]
    spread += LEAST_SPREAD * (values[count - 1] - values[0]) + TINY
    shapes = witness
    for number in range(len(SHAPE_SCALES)):
        block = SHAPE_SCALES[number]
        # Every second reading of a block is the end of a stretch that is kept.
        every = max(1, block // 2)
        since = readings - BLOCKS * block + 1
        if since >= 0:
            stretch = nearest(
                stretches[number],
                (since + every - 1) // every,
                latest[0],
                block,
                values[count // 2],
                spread,
                since % every == 0,
            )
            statistics[witness + number] = stretch
    for number in range(len(rarities)):
        # A shape can be compared only when there was one before.
        seen = readings - BLOCKS * SHAPE_SCALES[number - shapes] if number >= shapes else readings
        rarities[number] = 0.0
        if seen >= warm:
            rare = rarity_of(ordered[number], min(seen, size), statistics[number])
            # What was seen n times cannot be known to be rarer than a certain multiple of n.
            rarities[number] = min(rare, math.log10(seen) + extrapolation)
        if seen >= 0:
            remember(ordered[number], by_time[number], seen, statistics[number])
