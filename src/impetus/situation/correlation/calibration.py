"""How often a detector's alerts are true, learnt from verdicts: Beta posteriors that shrink towards their parent.

A chain of three: the tool's card says what share of a detector's alerts was true where it was measured; the detector's
own estimate in this city starts there and moves with each verdict; each source (a camera, a sensor) starts at the
detector's estimate and moves with its own verdicts. A new camera is thus believed as much as its detector, and a bad
one is found out without harming the others. (Gelman et al., Bayesian Data Analysis, 3rd ed., chapter 5.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BANDS = 5
"""Bands of equal width of the raw confidence, each with an estimate of its own."""

RELIABILITY_BINS = 10

CARD_STRENGTH = 10.0
"""Verdicts that the card's figure is worth; it was measured elsewhere, so not more."""

SOURCE_STRENGTH = 8.0
"""Verdicts that the detector's estimate is worth for one of its sources."""

BAND_STRENGTH = 10.0
"""Verdicts that the detector's estimate is worth for one band of confidence."""

LEAST = 0.005
"""No alert is held for certainly false or certainly true by calculation alone."""


def logit(probability: float) -> float:
    """Log-odds of a probability, kept within what `LEAST` allows.

    >>> round(logit(0.5), 3), round(logit(1.0), 2)
    (0.0, 5.29)
    """
    bounded = min(max(probability, LEAST), 1.0 - LEAST)
    return math.log(bounded / (1.0 - bounded))


def logistic(log_odds: float) -> float:
    """Probability of log-odds.

    >>> logistic(0.0)
    0.5
    """
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-min(log_odds, 700.0)))
    small = math.exp(max(log_odds, -700.0))
    return small / (1.0 + small)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What people found of one alert."""

    tool: str
    detector: str
    source: str
    confidence: float
    """As the tool gave it, 0 to 1."""
    correct: bool
    """Confirmed; false: dismissed."""
    probability: float | None = None
    """What was shown for it before the verdict; None if nothing was."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What the tool's card says of a detector: the share of its alerts that were true where it was measured."""

    precision: float = 0.5
    strength: float = CARD_STRENGTH


@dataclass(slots=True)
class Tally:
    """Verdicts counted."""

    confirmed: float = 0.0
    dismissed: float = 0.0

    @property
    def total(self) -> float:
        return self.confirmed + self.dismissed

    def mean(self, parent: float, strength: float) -> float:
        """Mean of the Beta posterior whose prior has mean `parent` and is worth `strength` verdicts."""
        return (parent * strength + self.confirmed) / (strength + self.total)

    def add(self, correct: bool, weight: float) -> None:
        if correct:
            self.confirmed = max(self.confirmed + weight, 0.0)
        else:
            self.dismissed = max(self.dismissed + weight, 0.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is believed of a detector, or of one of its sources."""

    tool: str
    detector: str
    source: str | None
    """None: all sources together."""
    confirmed: int
    dismissed: int
    precision: float
    """Posterior mean of the share of its alerts that are true."""
    low: float
    high: float
    """Central 90 % of the posterior, by its normal approximation in log-odds."""


@dataclass(slots=True)
class _Detector:
    prior: Prior
    tally: Tally = field(default_factory=Tally)
    bands: list[Tally] = field(default_factory=lambda: [Tally() for _ in range(BANDS)])
    sources: dict[str, Tally] = field(default_factory=dict)
    confidence_sum: float = 0.0
    """Sum of the log-odds of the raw confidences that verdicts were on."""


class Calibration:
    """The estimates of one organisation. Verdicts go in by `learn` and can be taken back by `unlearn`."""

    def __init__(self, priors: dict[tuple[str, str], Prior] | None = None) -> None:
        self._priors = priors or {}
        self._detectors: dict[tuple[str, str], _Detector] = {}

    def learn(self, verdict: Verdict) -> None:
        """Take a verdict in; takes the time of a few additions."""
        self._add(verdict, 1.0)

    def unlearn(self, verdict: Verdict) -> None:
        """Take a verdict back that was learnt before (the person changed it)."""
        self._add(verdict, -1.0)

    def probability(self, tool: str, detector: str, source: str, confidence: float) -> float:
        """The calibrated probability that an alert is true.

        The raw confidence says how this alert compares with the detector's others; the verdicts say how often those
        were true, in its band of confidence and on its source.
        """
        raw = logit(confidence)
        known = self._detectors.get((tool, detector))
        if known is None:
            # Nothing was ever said of it: the card's figure at its middling confidence, the order of confidences kept.
            prior = self._priors.get((tool, detector), Prior())
            return logistic(raw + logit(prior.precision)) if prior.precision != 0.5 else logistic(raw)
        detector_mean = known.tally.mean(known.prior.precision, known.prior.strength)
        middle = self._middle(known)
        shape = logit(detector_mean) + raw - middle
        shift = self._band_shift(known, confidence, detector_mean, middle)
        of_source = 0.0
        tally = known.sources.get(source)
        if tally is not None:
            of_source = logit(tally.mean(detector_mean, SOURCE_STRENGTH)) - logit(detector_mean)
        return min(max(logistic(shape + shift + of_source), LEAST), 1.0 - LEAST)

    def precision(self, tool: str, detector: str, source: str | None = None) -> float:
        """The share of a detector's alerts, or of one of its sources', that are true, as far as is known."""
        known = self._detectors.get((tool, detector))
        if known is None:
            return self._priors.get((tool, detector), Prior()).precision
        mean = known.tally.mean(known.prior.precision, known.prior.strength)
        tally = None if source is None else known.sources.get(source)
        return mean if tally is None else tally.mean(mean, SOURCE_STRENGTH)

    def estimates(self, tool: str) -> Sequence[Estimate]:
        """What is believed of a tool's detectors and of each source with verdicts, detectors first."""
        found: list[Estimate] = []
        names = {detector for known, detector in (*self._detectors, *self._priors) if known == tool}
        for detector in sorted(names):
            known = self._detectors.get((tool, detector)) or self._new(tool, detector)
            mean = known.tally.mean(known.prior.precision, known.prior.strength)
            found.append(_estimate(tool, detector, None, known.tally, known.prior.precision, known.prior.strength))
            found += [
                _estimate(tool, detector, source, tally, mean, SOURCE_STRENGTH)
                for source, tally in sorted(known.sources.items())
                if tally.total > 0
            ]
        return found

    def _new(self, tool: str, detector: str) -> _Detector:
        return _Detector(self._priors.get((tool, detector), Prior()))

    def _add(self, verdict: Verdict, weight: float) -> None:
        key = (verdict.tool, verdict.detector)
        known = self._detectors.get(key)
        if known is None:
            known = self._detectors[key] = self._new(*key)
        known.tally.add(verdict.correct, weight)
        known.bands[_band(verdict.confidence)].add(verdict.correct, weight)
        known.sources.setdefault(verdict.source, Tally()).add(verdict.correct, weight)
        known.confidence_sum += weight * logit(verdict.confidence)

    @staticmethod
    def _middle(known: _Detector) -> float:
        """Log-odds of the confidence that stands for the detector's average alert; at first one half."""
        return known.confidence_sum / (known.tally.total + known.prior.strength)

    @staticmethod
    def _band_shift(known: _Detector, confidence: float, detector_mean: float, middle: float) -> float:
        """How much truer or falser alerts of this confidence were than its order among the others lets expect."""
        position = min(max(confidence * BANDS - 0.5, 0.0), BANDS - 1.0)
        lower = int(position)
        upper = min(lower + 1, BANDS - 1)
        share = position - lower
        shifts = []
        for number in (lower, upper):
            expected = logistic(logit(detector_mean) + logit((number + 0.5) / BANDS) - middle)
            shifts.append(logit(known.bands[number].mean(expected, BAND_STRENGTH)) - logit(expected))
        return (1.0 - share) * shifts[0] + share * shifts[1]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Alerts whose probability lay in [low, high): how many, what was said, and what came true."""

    low: float
    high: float
    count: int
    predicted: float
    """Mean probability that was shown."""
    observed: float
    """Share that was true."""


def reliability(pairs: Iterable[tuple[float, bool]], bins: int = RELIABILITY_BINS) -> Sequence[ReliabilityBin]:
    """The reliability diagram of predictions and outcomes; empty bins are left out.

    >>> [(one.count, one.observed) for one in reliability([(0.95, True), (0.91, False), (0.05, False)])]
    [(1, 0.0), (2, 0.5)]
    """
    counts = [0] * bins
    said = [0.0] * bins
    true = [0] * bins
    for probability, outcome in pairs:
        number = min(int(probability * bins), bins - 1)
        counts[number] += 1
        said[number] += probability
        true[number] += outcome
    return [
        ReliabilityBin(number / bins, (number + 1) / bins, count, said[number] / count, true[number] / count)
        for number, count in enumerate(counts)
        if count
    ]


def expected_calibration_error(diagram: Sequence[ReliabilityBin]) -> float:
    """Mean distance between what was said and what came true, weighted by how often it was said (Naeini et al. 2015).

    0 for an empty diagram.
    """
    total = sum(one.count for one in diagram)
    return sum(one.count * abs(one.predicted - one.observed) for one in diagram) / total if total else 0.0


class Recalibration:
    """Straightens probabilities that are off in one way throughout: log-odds are stretched and shifted (Platt 1999).

    The stretch starts at 1 and the shift at 0 with a Gaussian prior around them, so that a few outcomes change little.
    """

    def __init__(self, *, prior_outcomes: float = 10.0) -> None:
        self.stretch = 1.0
        self.shift = 0.0
        self._prior = prior_outcomes
        self._outcomes: list[tuple[float, bool]] = []

    def __len__(self) -> int:
        return len(self._outcomes)

    def learn(self, outcomes: Iterable[tuple[float, bool]]) -> None:
        """Take in log-odds and what came true, and fit again (Newton's method on two numbers)."""
        self._outcomes += outcomes
        if len(self._outcomes) > OUTCOME_LIMIT:
            del self._outcomes[: len(self._outcomes) - OUTCOME_LIMIT]
        self.stretch, self.shift = self._fit()

    def _fit(self) -> tuple[float, float]:
        # What came long ago was judged with other estimates of the detectors, and counts less.
        known = [
            (log_odds, outcome, math.exp(-number / OUTCOMES_REMEMBERED))
            for number, (log_odds, outcome) in enumerate(reversed(self._outcomes))
        ]
        weight = self._prior / 4  # the information of so many outcomes at one half

        def cost(stretch: float, shift: float) -> float:
            total = 0.5 * weight * ((stretch - 1.0) ** 2 + shift**2)
            for log_odds, outcome, worth in known:
                total += worth * _softplus((1 - 2 * outcome) * (stretch * log_odds + shift))
            return total

        stretch, shift = 1.0, 0.0
        before = cost(stretch, shift)
        for _ in range(30):
            slope_stretch, slope_shift = weight * (stretch - 1.0), weight * shift
            curve_stretch, curve_both, curve_shift = weight, 0.0, weight
            for log_odds, outcome, worth in known:
                probability = logistic(stretch * log_odds + shift)
                error = worth * (probability - outcome)
                spread = worth * probability * (1.0 - probability)
                slope_stretch += error * log_odds
                slope_shift += error
                curve_stretch += spread * log_odds * log_odds
                curve_both += spread * log_odds
                curve_shift += spread
            determinant = curve_stretch * curve_shift - curve_both * curve_both
            step_stretch = (curve_shift * slope_stretch - curve_both * slope_shift) / determinant
            step_shift = (curve_stretch * slope_shift - curve_both * slope_stretch) / determinant
            # The whole step may overshoot; the cost is convex, so that some part of it always helps.
            part = 1.0
            while part > 1e-4 and cost(stretch - part * step_stretch, shift - part * step_shift) > before:
                part /= 2
            stretch, shift = stretch - part * step_stretch, shift - part * step_shift
            if abs(step_stretch) + abs(step_shift) < 1e-5:
                break
            before = cost(stretch, shift)
        # More evidence never makes less likely, whatever a few odd outcomes say.
        return max(stretch, 0.05), shift

    def probability(self, log_odds: float) -> float:
        """The straightened probability."""
        return min(max(logistic(self.stretch * log_odds + self.shift), LEAST), 1.0 - LEAST)


OUTCOMES_REMEMBERED = 300
"""An outcome counts a third after so many newer ones."""

OUTCOME_LIMIT = 1_500
"""Newest outcomes that are kept for fitting."""


def _softplus(value: float) -> float:
    """log(1 + e^value), without overflow."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def _band(confidence: float) -> int:
    return min(int(confidence * BANDS), BANDS - 1)


def _estimate(tool: str, detector: str, source: str | None, tally: Tally, parent: float, strength: float) -> Estimate:
    mean = tally.mean(parent, strength)
    spread = 1.645 / math.sqrt(max(mean * (1.0 - mean), 1e-6) * (strength + tally.total + 1.0))
    return Estimate(
        tool=tool,
        detector=detector,
        source=source,
        confirmed=round(tally.confirmed),
        dismissed=round(tally.dismissed),
        precision=mean,
        low=logistic(logit(mean) - spread),
        high=logistic(logit(mean) + spread),
    )
