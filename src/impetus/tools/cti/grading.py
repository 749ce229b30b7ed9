"""How far a source is trusted and an item believed: the Admiralty code, and how relevance fades with time."""

from __future__ import annotations

from enum import StrEnum


class Reliability(StrEnum):
    """Of a source (NATO STANAG 2511)."""

    A = "A"
    """Completely reliable."""
    B = "B"
    """Usually reliable."""
    C = "C"
    """Fairly reliable."""
    D = "D"
    """Not usually reliable."""
    E = "E"
    """Unreliable."""
    F = "F"
    """Cannot be judged."""


class Credibility(StrEnum):
    """Of a piece of information (NATO STANAG 2511)."""

    CONFIRMED = "1"
    PROBABLY_TRUE = "2"
    POSSIBLY_TRUE = "3"
    DOUBTFUL = "4"
    IMPROBABLE = "5"
    CANNOT_BE_JUDGED = "6"


TRUST = {
    Reliability.A: 1.0,
    Reliability.B: 0.95,
    Reliability.C: 0.85,
    Reliability.D: 0.7,
    Reliability.E: 0.5,
    Reliability.F: 0.75,
}
"""What a source's reliability makes of relevance: an item of a poor source is still seen, further down."""


def credibility(best: Reliability, independent_sources: int) -> Credibility:
    """What is known of an item before a person judges: told by independent sources it is believed more.

    >>> credibility(Reliability.C, 3).value
    '1'
    """
    if independent_sources >= 3:
        return Credibility.CONFIRMED
    if independent_sources == 2:
        return Credibility.PROBABLY_TRUE
    if best in (Reliability.A, Reliability.B):
        return Credibility.PROBABLY_TRUE
    if best is Reliability.C:
        return Credibility.POSSIBLY_TRUE
    return Credibility.CANNOT_BE_JUDGED if best is Reliability.F else Credibility.DOUBTFUL


HALF_LIFE_DAYS = {"leak": 90.0, "vulnerability": 60.0, "phishing": 14.0, "attack": 30.0, "mention": 30.0}


def decayed(relevance: float, age_days: float, half_life_days: float) -> float:
    """Relevance after so many days; what lies in the future has not aged.

    >>> decayed(0.8, 30, 30)
    0.4
    """
    return float(relevance * 0.5 ** (max(0.0, age_days) / half_life_days))
