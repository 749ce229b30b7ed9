"""Protects the threat feed of an exercise: what it publishes was published when the scenario says, not at its start."""

from __future__ import annotations

from datetime import UTC, datetime

from impetus.exercise.threat_feed import ThreatFeed
from impetus.model import ManualClock


def test_an_item_carries_the_time_at_which_it_appeared() -> None:
    clock = ManualClock(datetime(2026, 9, 12, 14, 30, tzinfo=UTC))
    feed = ThreatFeed(clock, [(0, "First", "Old news."), (600, "Later", "Not yet.")])
    clock.advance(300)
    feed.add("A leak", "For <sale>.")
    told = feed.document().decode()
    assert "Sat, 12 Sep 2026 14:30:00 GMT" in told
    assert "Sat, 12 Sep 2026 14:35:00 GMT" in told
    assert "For &lt;sale&gt;." in told
    assert "Later" not in told
    clock.advance(300)
    assert "Sat, 12 Sep 2026 14:40:00 GMT" in feed.document().decode()
