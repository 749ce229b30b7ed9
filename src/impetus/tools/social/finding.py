"""Events and bursts in a file of posts, for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from impetus.tools.social.bursts import Burst, bursts_of, moment
from impetus.tools.social.events import Event, Tracker
from impetus.tools.social.gazetteer import Gazetteer
from impetus.tools.social.judging import Judge
from impetus.tools.social.kinds import Kind
from impetus.tools.social.posts import RawPost, admitted
from impetus.tools.social.topics import topic_bursts

AT_ONCE = 256


def events_of(
    raw: Sequence[RawPost], *, gate_only: bool, threshold: float, local: Path | None = None
) -> Iterator[dict[str, object]]:
    """One line an event or burst. Posts without a time are left out of bursts. Authors count as voices and leave no
    name: here, with no organisation's key, as numbers in order of appearance."""
    numbers: dict[str, str] = {}

    def pseudonym_of(author: str) -> str:
        return numbers.setdefault(author, f"p-{len(numbers)}")

    now = datetime.now(UTC)
    posts = [post for one in raw if not one.deleted and (post := admitted(one, "file", pseudonym_of, now)) is not None]
    timed = {one.id for one in raw if one.time is not None}
    posts.sort(key=lambda post: post.time)
    if not posts:
        return
    judge = Judge.load(second_stage=not gate_only, local=local)
    tracker = Tracker("file", Gazetteer(towns=True))
    touched: dict[str, Event] = {}
    for start in range(0, len(posts), AT_ONCE):
        some = posts[start : start + AT_ONCE]
        found = judge.triaged([post.text for post in some], [post.language for post in some])
        for post, judged in zip(some, found, strict=True):
            relevant = judged.relevance >= threshold
            reasons = judge.reasons(post.text, post.language, judged) if relevant else []
            event = tracker.add(post, judged, reasons, threshold=threshold)
            if event is not None:
                touched[event.id] = event
    lines: list[tuple[datetime, dict[str, object]]] = [(event.first, _line(event)) for event in touched.values()]
    if timed:
        times = [post.time.timestamp() for post in posts]
        first, last = min(times), max(times)
        bursts: list[tuple[Burst, str, tuple[str, ...]]] = [
            (burst, "all posts", ()) for burst in bursts_of(times, start=first, end=last + 1)
        ]
        bursts += [(topic.burst, topic.title, topic.words) for topic in topic_bursts(posts)]
        lines += [(moment(burst.start), _burst_line(burst, title, words)) for burst, title, words in bursts]
    for _, line in sorted(lines, key=lambda entry: entry[0]):
        yield line


def _line(event: Event) -> dict[str, object]:
    return {
        "event": event.id,
        "type": "event",
        "kind": event.kind.value,
        "title": event.title,
        "start": event.first.isoformat(),
        "end": event.last.isoformat(),
        "confidence": event.confidence,
        "place": None
        if event.place is None
        else {"name": event.place.name, "longitude": event.place.longitude, "latitude": event.place.latitude},
        "sentiment": dict(event.sentiment),
        "reasons": event.reasons,
        "examples": [text for _, text, _, _ in event.texts],
        **event.counted(),
    }


def _burst_line(burst: Burst, title: str, words: Sequence[str]) -> dict[str, object]:
    return {
        "type": "burst",
        "kind": Kind.NONE.value,
        "title": f"Burst: {title}",
        "start": moment(burst.start).isoformat(),
        "found": moment(burst.found).isoformat(),
        "posts": burst.count,
        "expected": round(burst.expected, 2),
        "probability": burst.probability,
        "words": list(words),
    }
