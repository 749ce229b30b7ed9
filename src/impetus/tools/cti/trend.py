"""How much is read a day, and how much of it concerns the watch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from impetus.tools.cti.relevance import RELEVANT, Relevance

TREND_DAYS = 60
KINDS = ("items", "relevant", "leak", "phishing", "vulnerability", "attack", "mention")


class Trend:
    """Counts by day, of the last days on which something was read."""

    def __init__(self, days: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self.days: dict[str, dict[str, int]] = {
            str(day): {str(kind): int(count) for kind, count in counts.items()} for day, counts in (days or {}).items()
        }

    def count(self, now: datetime, relevance: Relevance) -> None:
        """An item was read."""
        day = self.days.setdefault(now.date().isoformat(), {})
        day["items"] = day.get("items", 0) + 1
        if relevance.score >= RELEVANT:
            day["relevant"] = day.get("relevant", 0) + 1
            day[relevance.kind] = day.get(relevance.kind, 0) + 1
        for old in sorted(self.days)[:-TREND_DAYS]:
            del self.days[old]

    def rows(self) -> list[JsonValue]:
        """A row a day, oldest first."""
        return [
            {"day": day, **{kind: counts.get(kind, 0) for kind in KINDS}} for day, counts in sorted(self.days.items())
        ]
