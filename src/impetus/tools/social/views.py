"""What the page shows, as documents: events, investigations, sources, the stream, topics and how they spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from pydantic import JsonValue

from impetus.model import Place, Point, ToolResult
from impetus.tools.social.events import ANONYMOUS, Event
from impetus.tools.social.gazetteer import NamedPlace
from impetus.tools.social.kinds import TITLES
from impetus.tools.social.reading import Health
from impetus.tools.social.settings import Investigation, Source
from impetus.tools.social.spread import network
from impetus.tools.social.topic_map import TopicMap
from impetus.tools.social.watch import HOURS, SENTIMENTS, STREAM, Watch

TOPICS = 50
"""Topics of an investigation that are shown, the newest."""
LANGUAGES = ("en", "it", "no", "other")
Content = dict[str, JsonValue]


def event_result(event: Event, known: ToolResult | None) -> ToolResult:
    """The event as it waits for an analyst; `known` is what was published of it before."""
    content: Content = {
        "state": "awaiting",
        "investigation": event.investigation,
        "kind": event.kind.value,
        "confidence": event.confidence,
        "first": event.first.isoformat(),
        "last": event.last.isoformat(),
        "reasons": list[JsonValue](event.reasons),
        "examples": [{"text": text[:500], "language": language} for _, text, language, _ in event.texts],
        "sentiment": dict(event.sentiment),
        "hours": [{"hour": hour, "posts": count} for hour, count in sorted(event.hours.items())[-HOURS:]],
        "place": event.place.name if event.place else "",
        "trend": trend(event),
        **event.counted(),
    }
    return ToolResult(
        id=event.id,
        revision=known.revision + 1 if known is not None else 0,
        tool="social",
        kind="event",
        title=event.title[:300],
        time=event.last,
        place=place_of(event.place),
        content=content,
    )


def investigation(one: Investigation, now: datetime) -> Content:
    """What an investigation watches, why, until when, and who approved it."""
    state = "running" if one.runs(now) else "draft" if not one.approver and now < one.until else "ended"
    return {
        "id": one.id,
        "state": state,
        "purpose": one.purpose,
        "legal_basis": one.legal_basis,
        "until": one.until.isoformat(),
        "approver": one.approver or "waits for approval",
        "author": one.author,
        "words": ", ".join(one.watching.words),
        "places": ", ".join(one.watching.places),
        "languages": ", ".join(one.watching.languages),
    }


def source(one: Source, health: Health) -> Content:
    """Whether a source is allowed and answers, what it gave, and what of it was set aside."""
    return {
        "kind": one.kind.value,
        "state": health.state if one.terms_confirmed_by else "not allowed",
        "terms": one.terms,
        "terms_confirmed_by": one.terms_confirmed_by or "nobody yet: it is not read",
        "posts": health.posts,
        "left": health.left,
        "problem": health.problem,
        "set_aside": list[JsonValue](health.progress.problems[-20:]),
        "set_aside_count": len(health.progress.problems),
    }


def stream(watches: Collection[Watch]) -> Content:
    """The newest posts of all investigations."""
    posts = sorted((post for watch in watches for post in watch.stream), key=lambda post: str(post["time"]))
    return {"posts": list[JsonValue](posts[::-1][:STREAM])}


def topics(watches: Collection[Watch], topic_map: TopicMap | None) -> Content:
    """Topics over time, on a map of meaning, and their spread; nothing of fewer than five posts is counted out."""
    shown = [
        event
        for watch in watches
        for event in sorted(watch.tracker.events.values(), key=lambda event: event.last)[-TOPICS:]
    ]
    events: list[JsonValue] = []
    for event in shown:
        posts = len(event.posts) + event.copies
        place = topic_map.place(event.centre) if topic_map is not None and event.centre is not None else None
        events.append(
            {
                "id": event.id,
                "title": event.title,
                "kind": event.kind.value,
                "kind_title": TITLES[event.kind],
                "posts": str(posts) if posts >= ANONYMOUS else f"fewer than {ANONYMOUS}",
                "size": max(ANONYMOUS, posts),
                "trend": trend(event),
                "x": place[0] if place else None,
                "y": place[1] if place else None,
                "first": event.first.isoformat(),
                "last": event.last.isoformat(),
            }
        )
    return {
        "hours": _hours(watches),
        "sentiment": _sentiment(watches),
        "events": events,
        "spread": network([watch.spread for watch in watches], {event.id: event.title for event in shown}),
    }


def _hours(watches: Collection[Watch]) -> list[JsonValue]:
    counts: Counter[tuple[str, str]] = Counter()
    for watch in watches:
        counts.update(watch.languages)
    hours = sorted({hour for hour, _ in counts})[-HOURS:]
    return [{"hour": hour, **{name: counts[hour, name] for name in LANGUAGES}} for hour in hours]


def _sentiment(watches: Collection[Watch]) -> list[JsonValue]:
    """Share of negative and positive posts by hour, of hours with five posts or more."""
    counts: Counter[tuple[str, str]] = Counter()
    for watch in watches:
        counts.update(watch.sentiments)
    rows: list[JsonValue] = []
    for hour in sorted({hour for hour, _ in counts})[-HOURS:]:
        total = sum(counts[hour, name] for name in SENTIMENTS)
        if total >= ANONYMOUS:
            rows.append({"hour": hour, **{name: round(counts[hour, name] / total, 3) for name in SENTIMENTS}})
    return rows


def trend(event: Event) -> str:
    """How the posts of an event change by the hour."""
    counts = [count for _, count in sorted(event.hours.items())]
    if len(counts) < 2:
        return "new"
    return "growing" if counts[-1] > counts[-2] else "falling" if counts[-1] < counts[-2] else "steady"


def place_of(place: NamedPlace | None) -> Place | None:
    """The place of an alert or a result."""
    if place is None:
        return None
    return Place(geometry=Point(coordinates=(place.longitude, place.latitude)), name=place.name)
