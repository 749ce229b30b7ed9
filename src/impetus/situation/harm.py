"""How much harm an alert stands for, on average: what the queue is ordered by."""

from __future__ import annotations

from collections.abc import Mapping

from impetus.model import Alert, Severity, Urgency

SEVERITY_WEIGHT: Mapping[Severity, float] = {
    Severity.EXTREME: 1.0,
    Severity.SEVERE: 0.6,
    Severity.MODERATE: 0.3,
    Severity.MINOR: 0.1,
    # Unknown is not harmless: it stands between minor and moderate until somebody has looked.
    Severity.UNKNOWN: 0.2,
}
"""Harm if the alert is true, relative to an extreme one; each step is about half of the one above."""

URGENCY_WEIGHT: Mapping[Urgency, float] = {
    Urgency.IMMEDIATE: 1.0,
    Urgency.EXPECTED: 0.8,
    Urgency.FUTURE: 0.5,
    Urgency.PAST: 0.2,
    Urgency.UNKNOWN: 0.6,
}
"""Share of the harm that acting now can still prevent."""


def expected_harm(alert: Alert, probability: float | None = None) -> float:
    """Probability times consequence, 0 to 1: probability x severity weight x urgency weight.

    The probability is the calibrated one; without it, the tool's confidence stands in. The weights are an ordering
    agreed on, not a measured loss.
    """
    likely = alert.confidence if probability is None else probability
    return likely * SEVERITY_WEIGHT[alert.severity] * URGENCY_WEIGHT[alert.urgency]
