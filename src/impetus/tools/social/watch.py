"""What goes on in one investigation: its events, thresholds, bursts, newest posts and counts; in memory, for hours."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from impetus.tools.social.budget import Budget
from impetus.tools.social.bursts import BIN_S, Burst, BurstDetector
from impetus.tools.social.events import Event, Tracker
from impetus.tools.social.investigations import concerns
from impetus.tools.social.judging import Judge, Judgement
from impetus.tools.social.posts import Post
from impetus.tools.social.settings import Investigation
from impetus.tools.social.spread import Spread
from impetus.tools.social.topics import TopicWatch

STREAM = 60
"""Posts in the stream's list."""
HOURS = 48
"""Hours of which counts are kept."""
MOST_EMPTY_BINS = 2_016
"""Bins without a post that a break of the stream counts as, at most: a week."""
SENTIMENTS = ("negative", "neutral", "positive")


@dataclass
class Watch:
    """One investigation while it runs."""

    tracker: Tracker
    budget: Budget
    bursts: BurstDetector = field(default_factory=BurstDetector)
    topics: TopicWatch = field(default_factory=TopicWatch)
    spread: Spread = field(default_factory=Spread)
    stream: deque[dict[str, JsonValue]] = field(default_factory=lambda: deque(maxlen=STREAM))
    languages: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Posts by hour and language."""
    sentiments: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Posts by hour and sentiment."""
    _bin_start: float = 0.0
    _bin_count: int = 0

    def add(self, investigation: Investigation, post: Post, judged: Judgement, judge: Judge) -> list[Event]:
        """Put a post where it belongs, if it concerns the investigation; the events that it changed."""
        if self.tracker.known(post.id):
            return []
        watching = investigation.watching
        if not concerns(watching, post.text) and not (watching.everything and judged.relevance >= 0.5):
            return []
        self.budget.add(judged.relevance, post.time.timestamp())
        self._count(post, judged)
        threshold = self.budget.threshold
        reasons = judge.reasons(post.text, post.language, judged) if judged.relevance >= threshold else []
        event = self.tracker.add(post, judged, reasons, threshold=threshold)
        changed = [event] if event is not None else []
        if event is not None:
            self.spread.add(event.id, post)
        changed += self._bursts(post)
        self.stream.appendleft(
            {
                "id": post.id,
                "time": post.time.isoformat(),
                "text": post.text[:500],
                "language": post.language,
                "kind": judged.kind.value,
                "relevance": round(judged.relevance, 3),
                "sentiment": round(judged.sentiment[2] - judged.sentiment[0], 2),
                "source": post.source,
                "event": event.id if event is not None else None,
                "investigation": investigation.id,
            }
        )
        return changed

    def forget(self, id: str) -> Event | None:
        """A post was deleted where it came from: it is removed here too; the event that it was part of."""
        for post in [one for one in self.stream if one["id"] == id]:
            self.stream.remove(post)
        self.topics.forget(id)
        return self.tracker.forget(id)

    def expire(self, unrelated: datetime, flagged: datetime) -> None:
        """Forget posts of before: those of no event, and events."""
        while self.stream and datetime.fromisoformat(str(self.stream[-1]["time"])) < unrelated:
            self.stream.pop()
        self.topics.expire(unrelated)
        self.tracker.expire(flagged)
        self.spread.keep(self.tracker.events)

    def _count(self, post: Post, judged: Judgement) -> None:
        hour = f"{post.time:%Y-%m-%dT%H:00:00Z}"
        self.languages[hour, post.language if post.language in ("en", "it", "no") else "other"] += 1
        self.sentiments[hour, SENTIMENTS[max(range(3), key=judged.sentiment.__getitem__)]] += 1
        hours = sorted({name for name, _ in self.languages})
        if len(hours) > HOURS:
            for counts in (self.languages, self.sentiments):
                for key in [key for key in counts if key[0] < hours[-HOURS]]:
                    del counts[key]

    def _bursts(self, post: Post) -> list[Event]:
        """Events of bursts that this post shows: of a topic, or of all posts together."""
        topic = self.topics.add(post)
        overall = self._overall(post.time.timestamp())
        if topic is not None:
            return [self.tracker.burst(topic.burst, topic.words, topic.posts)]
        if overall is not None:
            return [self.tracker.burst(overall, (), self.topics.recent(overall.start))]
        return []

    def _overall(self, time_s: float) -> Burst | None:
        start = time_s - time_s % BIN_S
        if self._bin_start == 0.0:
            self._bin_start = start
        found = None
        steps = 0
        while self._bin_start < start and steps < MOST_EMPTY_BINS:
            found = self.bursts.add(self._bin_start, self._bin_count) or found
            self._bin_start += BIN_S
            self._bin_count = 0
            steps += 1
        self._bin_start = max(self._bin_start, start)
        self._bin_count += 1
        return found
