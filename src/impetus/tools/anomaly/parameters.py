"""The one fixed parameter set of the method: the same for every stream, file and city."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameters:
    """Chosen by principle (what a day, a week and an hour are), not searched for on labelled data."""

    level_time_s: float = 86_400.0
    """Time constant by which the slow level follows a lasting change: a day."""
    profile_visits: float = 10.0
    """Days (weeks, for the weekly profile) that a slot of the profile remembers."""
    smooth_time_s: float = 3_600.0
    """Time over which residuals are averaged to find what is small but lasts: an hour."""
    smooth_readings: float = 8.0
    """Readings that this average spans at least, for slow streams."""
    independent_s: float = 60.0
    """Readings closer than this count as parts of one: a minute of readings a second apart is no sixty witnesses."""
    memory_readings: float = 10_000.0
    """Readings that scales, tails and expert weights remember."""
    clip: float = 3.0
    """Spreads beyond which a residual teaches the baseline no more (Huber)."""
    warm_readings: int = 30
    """Readings before which nothing is called unusual."""
    tail_quantile: float = 0.98
    """Where the tail begins that is fitted by a generalised Pareto distribution."""
    extrapolation: float = 2.0
    """Powers of ten beyond the number of readings seen up to which rarity is extrapolated."""
    habituation_s: float = 86_400.0
    """Time constant by which a reported event stops damping the score of what follows it."""
    alert_rarity: float = 3.5
    """Rarity at which the score of a live stream is one half: once in some three thousand readings."""

    # One stream watched closely (`ensemble.py`)
    rank_readings: int = 20_000
    """Readings that the rank of a statistic is taken among: ten weeks at five minutes."""
    shape_stretches: int = 1_000
    """Stretches of a stream that a new shape is compared with."""
    ensemble_warm_readings: int = 50
    """Readings before which nothing is judged."""
    spending_readings: float = 500.0
    """After so many readings the bar begins to rise with their number."""
    report_memory_readings: float = 2_000.0
    """Readings after which a report no longer raises the bar for the next: a week at five minutes."""
    habituation_readings: float = 100.0
    """Readings after which what was said no longer damps what is said."""
    news_evidence: float = 0.5
    """What is said again within that time must be stronger by this, in powers of ten."""
    alert_evidence: float = 1.0
    """Evidence from which a reading of a single file is reported: ten times rarer than what chance brings forth."""

    # Many streams compared with their neighbours (`network.py`)
    slow_readings: float = 36.0
    """Readings over which a stream's distance from its neighbours is averaged: three hours at five minutes."""
    network_warm_readings: float = 288.0
    """Readings of a stream before which it is not compared: a day at five minutes."""


PARAMETERS = Parameters()
