"""Fatigue by time awake and time of day: the three-process model of alertness.

Åkerstedt and Folkard, "The three-process model of alertness and its extension to performance, sleep latency, and sleep
length", Chronobiology International 14 (1997), 115-123. The scale goes from 1 to 21; at 7 people fall asleep at the
desk. It knows nothing of this person's sleep: it says what is usual for somebody who got up some hours before the
shift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

AT_WAKING = 14.0
"""Of the homeostatic process after a usual night."""
ASYMPTOTE = 2.4
DECAY_PER_H = 0.0353
CIRCADIAN_AMPLITUDE = 2.5
ACROPHASE_H = 16.8
"""Local time of day at which people are most awake by their inner clock."""
INERTIA, INERTIA_PER_H = -5.72, 1.51
LOW_ALERTNESS, VERY_LOW_ALERTNESS = 9.5, 7.0


class Fatigue(StrEnum):
    """How awake somebody usually is."""

    RESTED = "rested"
    TIRED = "tired"
    VERY_TIRED = "very tired"


@dataclass(frozen=True, slots=True)
class Alertness:
    """What the model says of a moment."""

    alertness: float
    """1 to 21."""
    fatigue: Fatigue
    hours_on_shift: float


def alertness(*, hours_on_shift: float, hours_awake_before: float, hour_of_day: float) -> Alertness:
    """Alertness so many hours into a shift, at a local time of day (0 to 24).

    >>> alertness(hours_on_shift=1, hours_awake_before=2, hour_of_day=9).fatigue.value
    'rested'
    >>> alertness(hours_on_shift=8, hours_awake_before=10, hour_of_day=5).fatigue.value
    'very tired'
    """
    awake = max(hours_on_shift + hours_awake_before, 0.0)
    homeostatic = ASYMPTOTE + (AT_WAKING - ASYMPTOTE) * math.exp(-DECAY_PER_H * awake)
    circadian = CIRCADIAN_AMPLITUDE * math.cos(2 * math.pi * (hour_of_day - ACROPHASE_H) / 24)
    inertia = INERTIA * math.exp(-INERTIA_PER_H * awake)
    level = homeostatic + circadian + inertia
    if level < VERY_LOW_ALERTNESS:
        fatigue = Fatigue.VERY_TIRED
    else:
        fatigue = Fatigue.TIRED if level < LOW_ALERTNESS else Fatigue.RESTED
    return Alertness(level, fatigue, max(hours_on_shift, 0.0))
