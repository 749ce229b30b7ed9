"""How rare a reading must be to alert: it follows from how many false alerts a day are borne over all streams."""

from __future__ import annotations

import math
from dataclasses import dataclass

from impetus.tools.anomaly.alerts import Frequencies
from impetus.tools.anomaly.episodes import EpisodeRules
from impetus.tools.anomaly.settings import AnomalySettings

LEAST_RARITY, MOST_RARITY = 4.0, 8.0
"""Bounds of the rarity that one reading needs to alert by itself, whatever the number of streams."""
WEAK_SHARE = 0.8
"""Rarity that several readings need, as a share of what one needs."""


@dataclass(frozen=True, slots=True)
class Bar:
    """When episodes open and end, and what their rarity means."""

    rules: EpisodeRules
    frequencies: Frequencies
    false_alerts_a_day: float

    @classmethod
    def of(cls, settings: AnomalySettings, *, readings_a_day: float, false_alerts_a_day: float | None = None) -> Bar:
        """The bar for so many independent readings a day; `false_alerts_a_day` stands in place of the setting.

        >>> bar = Bar.of(AnomalySettings(), readings_a_day=1e6)
        >>> round(bar.rules.strong, 3), round(bar.rules.weak, 3)
        (6.0, 4.8)
        """
        borne = false_alerts_a_day or settings.false_alerts_a_day
        strong = math.log10(max(readings_a_day / borne, 1.0))
        strong = min(max(strong, LEAST_RARITY), MOST_RARITY)
        rules = EpisodeRules(
            strong=strong,
            weak=WEAK_SHARE * strong,
            needed=min(settings.needed_readings, settings.window_readings),
            window=settings.window_readings,
            cool_down_s=settings.cool_down_s,
        )
        return cls(rules, Frequencies(readings_a_day, settings.events_a_day, strong), borne)
