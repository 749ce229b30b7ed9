"""Bursts: when more posts of a topic arrive than the hour and the topic's own unrest explain.

Counts in bins of five minutes, of one watch or topic. The expected rate is the topic's baseline by hour of the day,
shrunk towards its mean. Posts come in clumps (answers, shares), so the tail is the negative binomial's with a
dispersion that is learnt, not the Poisson's. A burst is a sum over a window of 10 to 120 minutes that is too improbable
(a scan statistic in one dimension, Naus 1982), at a level that follows the budget of false alarms: one in a hundred
days over all windows.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

BIN_S = 300.0
WINDOWS = (2, 3, 6, 12, 24)
"""Lengths that are scanned, in bins."""
BUDGET_DAYS = 100.0
"""One false burst in so many days."""
LEARNING_S = 86_400.0
"""Nothing is unusual before the past is known for a day."""
LEAST = 3
"""Fewer posts than this are no burst, however rare the topic."""
LEVEL_DAYS = 7.0
"""Memory of the baseline."""
RISE = 1.2
"""A burst is so many times its expected count at least: statistics alone would call every slow drift of a busy topic
one."""


def tail(count: int, mean: float, dispersion: float) -> float:
    """Probability of `count` or more under a negative binomial of this mean and variance `mean + dispersion mean^2`.

    With dispersion 0, a Poisson tail.

    >>> round(tail(1, 1.0, 0.0), 4)
    0.6321
    """
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if dispersion < 1e-9:
        term = math.exp(-mean)
        below = term
        for number in range(1, count):
            term *= mean / number
            below += term
        upper = max(0.0, 1.0 - below)
        if upper < 1e-9:
            # The difference has lost its digits: the leading terms of the tail itself.
            logarithm = count * math.log(mean) - mean - math.lgamma(count + 1)
            ratio = mean / (count + 1)
            upper = math.exp(logarithm) / (1.0 - ratio) if ratio < 1 else 1.0
        return min(1.0, upper)
    size = 1.0 / dispersion
    share = size / (size + mean)
    logarithm = size * math.log(share) + _log_choose(count, size) + count * math.log1p(-share)
    total, term = 0.0, math.exp(max(-700.0, logarithm))
    number = count
    while number < count + 10_000:
        total += term
        term *= (number + size) / (number + 1) * (1.0 - share)
        number += 1
        if term < 1e-12 * total or total >= 1.0:
            break
    return min(1.0, total)


def _log_choose(count: int, size: float) -> float:
    return math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst that began."""

    start: float
    """Seconds since 1970: where the window begins that showed it."""
    found: float
    """When it was noticed."""
    count: int
    expected: float
    probability: float
    """Of so many posts without a cause, in the window that showed it."""


@dataclass
class Baseline:
    """What is usual: a mean rate, its shape over the week, and how much counts scatter beyond chance."""

    total: float = 0.0
    """Posts seen, fading over LEVEL_DAYS."""
    bins: float = 0.0
    hours: list[float] = field(default_factory=lambda: [0.0] * 24)
    hour_bins: list[float] = field(default_factory=lambda: [0.0] * 24)
    scatter: float = 0.0
    """Sum of (count - mean)^2 - count, fading."""
    squares: float = 0.0

    def expected(self, time: float) -> float:
        """Posts in the bin that begins then."""
        mean = (self.total + 0.5) / (self.bins + 1.0) if self.bins else 0.5
        hour = int(time // 3600) % 24
        # Two hours of the overall rate stand beside each hour's own until the hour has its own history.
        pseudo = 24.0
        return (self.hours[hour] + pseudo * mean) / (self.hour_bins[hour] + pseudo)

    @property
    def dispersion(self) -> float:
        """Between 0 (Poisson) and 1."""
        if self.squares <= 0:
            return 0.1
        return min(1.0, max(0.004, self.scatter / self.squares))

    def learn(self, time: float, count: int) -> None:
        """Take a bin in that was no burst."""
        fade = math.exp(-BIN_S / (LEVEL_DAYS * 86_400.0))
        mean = self.expected(time)
        self.total = self.total * fade + count
        self.bins = self.bins * fade + 1.0
        hour = int(time // 3600) % 24
        slow = math.exp(-BIN_S / (LEVEL_DAYS * 86_400.0) * 24.0 / 7.0)
        self.hours[hour] = self.hours[hour] * slow + count
        self.hour_bins[hour] = self.hour_bins[hour] * slow + 1.0
        self.scatter = self.scatter * fade + (count - mean) ** 2 - count
        self.squares = self.squares * fade + mean * mean


@dataclass
class BurstDetector:
    """Bins of one topic in time order; says when a burst begins. While one lasts, nothing is learnt."""

    baseline: Baseline = field(default_factory=Baseline)
    recent: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=max(WINDOWS)))
    burning: bool = False
    quiet: int = 0
    _first: float | None = None

    def add(self, time: float, count: int) -> Burst | None:
        """Take the bin that begins at `time` (seconds since 1970) and is over now."""
        self.recent.append((time, count))
        if self._first is None:
            self._first = time
        found = self._scan(time) if time - self._first >= LEARNING_S else None
        began = None
        if found is not None and not self.burning:
            self.burning = True
            began = found
        if self.burning:
            self.quiet = 0 if found is not None else self.quiet + 1
            if self.quiet >= max(WINDOWS) // 2:
                self.burning = False
                self.quiet = 0
            return began
        self.baseline.learn(time, count)
        return None

    def _scan(self, time: float) -> Burst | None:
        level = BIN_S / (BUDGET_DAYS * 86_400.0) / len(WINDOWS) * 2.0
        dispersion = self.baseline.dispersion
        best: Burst | None = None
        bins = list(self.recent)
        for window in WINDOWS:
            chosen = bins[-window:]
            if len(chosen) < window:
                break
            count = sum(number for _, number in chosen)
            mean = sum(self.baseline.expected(start) for start, _ in chosen)
            if count < LEAST or count < RISE * mean:
                continue
            # Bins of a window scatter together in part: between independent (dispersion / window) and as one.
            probability = tail(count, mean, dispersion / math.sqrt(window))
            if probability < level and (best is None or probability < best.probability):
                best = Burst(chosen[0][0], time + BIN_S, count, mean, probability)
        return best


def bursts_of(times: Iterable[float], *, start: float, end: float) -> Sequence[Burst]:
    """All bursts of posts at these times (seconds since 1970, in any order) between `start` and `end`."""
    detector = BurstDetector()
    bins = math.ceil((end - start) / BIN_S)
    counts = [0] * max(0, bins)
    for time in times:
        place = int((time - start) // BIN_S)
        if 0 <= place < len(counts):
            counts[place] += 1
    found = (detector.add(start + number * BIN_S, count) for number, count in enumerate(counts))
    return [burst for burst in found if burst is not None]


def moment(seconds: float) -> datetime:
    """UTC."""
    return datetime.fromtimestamp(seconds, UTC)
