"""Events: posts about one thing, put together as they come.

A post joins the event whose posts it repeats (MinHash), whose meaning it shares (cosine of sentence embeddings), or
whose kind and place it shares. Counts are of voices (pseudonyms), not of posts, so that one account cannot make an
event look large. Nothing here is about one person: what leaves is counts of at least five, or "fewer than 5".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from impetus.model import derived_id
from impetus.tools.social.bursts import Burst
from impetus.tools.social.gazetteer import Gazetteer, NamedPlace
from impetus.tools.social.judging import Judgement
from impetus.tools.social.kinds import TITLES, Kind
from impetus.tools.social.near_duplicates import Copies
from impetus.tools.social.posts import Post
from impetus.tools.social.topics import words_of

ALIKE = 0.55
"""Cosine from which two texts are about the same."""
ALIKE_HERE = 0.3
"""The same, of posts of one kind about one place."""
QUIET = timedelta(hours=6)
"""An event that nobody adds to for so long is over."""
EXAMPLES = 5
OPEN_EVENTS = 500
VIOLENT = frozenset({Kind.INCITEMENT, Kind.WEAPON, Kind.CLAIM})
"""Kinds that are one event if they are about one place: who calls for violence names weapons too."""
ANONYMOUS = 5
"""Voices below this number are not counted out (k-anonymity)."""
ONE_POST = 0.7
"""How far a single post can be believed."""
HOUR = "%Y-%m-%dT%H:00:00Z"
BURST = 0.3
"""How far a burst alone can be believed to matter: most are sport and weather."""
JOINS = 0.6
"""Relevance from which a post may join an event: meaning alone would take every fine evening at the place along."""
SHARED = 1 / 3
"""Share of the posts of a burst from which it is a burst of the event that holds them."""


@dataclass
class Event:
    """Posts about one thing."""

    id: str
    investigation: str
    first: datetime
    last: datetime
    kinds: Counter[Kind] = field(default_factory=Counter)
    voices: set[str] = field(default_factory=set)
    posts: list[str] = field(default_factory=list)
    texts: list[tuple[float, str, str, str]] = field(default_factory=list)
    """Relevance, masked text, language and identifier of those that say most."""
    copies: int = 0
    sentiment: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    hours: Counter[str] = field(default_factory=Counter)
    place: NamedPlace | None = None
    missed: float = 1.0
    """Probability that no post of it matters, voices taken as independent."""
    relevance: float = 0.0
    centre: NDArray[np.float32] | None = None
    reasons: list[str] = field(default_factory=list)
    words: tuple[str, ...] = ()
    """That burst, the most telling first."""

    @property
    def kind(self) -> Kind:
        """What most of its posts are."""
        return self.kinds.most_common(1)[0][0] if self.kinds else Kind.NONE

    @property
    def confidence(self) -> float:
        """Calibrated by what analysts find later; until then, of independent voices each believed in part."""
        return round(min(0.97, 1.0 - self.missed), 3)

    @property
    def title(self) -> str:
        """Kind and place."""
        where = f" · {self.place.name}" if self.place is not None else ""
        if self.kind is Kind.NONE and self.words:
            where = f" · {', '.join(self.words)}{where}"
        return f"{TITLES[self.kind] if self.kind is not Kind.NONE else 'Burst'}{where}"

    def counted(self) -> dict[str, JsonValue]:
        """Aggregates in which nobody stands alone."""
        return {
            "voices": str(len(self.voices)) if len(self.voices) >= ANONYMOUS else f"fewer than {ANONYMOUS}",
            "posts": len(self.posts) + self.copies,
            "copies": self.copies,
            "sources": {name: count for name, count in self.sources.items() if count >= ANONYMOUS},
            "languages": list[JsonValue](sorted(self.languages)),
        }


class Tracker:
    """Puts posts of one investigation into events."""

    def __init__(self, investigation: str, gazetteer: Gazetteer) -> None:
        self.investigation = investigation
        self._gazetteer = gazetteer
        self._copies = Copies()
        self._of_post: dict[str, str] = {}
        self.events: dict[str, Event] = {}

    def known(self, id: str) -> bool:
        """Whether this post was seen before (a source may repeat itself)."""
        return id in self._of_post

    def place_of(self, text: str) -> NamedPlace | None:
        """The place that a text names."""
        return self._gazetteer.find(text)

    def add(self, post: Post, judged: Judgement, reasons: Sequence[str], *, threshold: float) -> Event | None:
        """Put a post where it belongs. None if it belongs to no event and is not relevant enough to begin one."""
        if self.known(post.id):
            return self.events.get(self._of_post[post.id])
        self._of_post[post.id] = ""
        while len(self._of_post) > 50_000:
            del self._of_post[next(iter(self._of_post))]
        original = self._copies.add(post.id, post.text)
        place = self._gazetteer.find(post.text)
        event = self.events.get(self._of_post.get(original, "")) if original else None
        if event is not None and post.time - event.last <= QUIET:
            event.copies += 1
            event.voices.add(post.author)
            event.last = max(event.last, post.time)
            self._of_post[post.id] = event.id
            return event
        if original is not None and judged.relevance < threshold:
            return None
        event = self._like(post, judged, place)
        if event is None:
            if judged.relevance < threshold:
                return self._goes_on(post)
            event = Event(
                derived_id("social-event", self.investigation, post.id), self.investigation, post.time, post.time
            )
            self._open(event)
        self._take(event, post, judged, reasons, place)
        return event

    def burst(self, burst: Burst, words: Sequence[str], posts: Sequence[Post]) -> Event:
        """A burst (of the topic of these words; of all posts if there are none) belongs to the event that holds many of
        its posts, or is an event of its own."""
        why = f"words that burst: {', '.join(words)}" if words else "more posts than usual"
        why = f"{why}; {burst.count} where {max(0.1, burst.expected):.1f} are usual"
        holders = Counter(self._of_post.get(post.id, "") for post in posts)
        holders.pop("", None)
        for id, count in holders.most_common(1):
            if count >= SHARED * len(posts) and id in self.events:
                event = self.events[id]
                event.words = tuple(words) or event.words
                event.reasons = [*event.reasons, why][-EXAMPLES:]
                return event
        moment = datetime.fromtimestamp(burst.found, UTC)
        first = min((post.time for post in posts), default=moment)
        event = Event(
            derived_id("social-burst", self.investigation, ",".join(words), f"{burst.start:.0f}"),
            self.investigation,
            first,
            max((post.time for post in posts), default=moment),
            words=tuple(words),
            reasons=[why],
            missed=1.0 - BURST,
        )
        event.kinds[Kind.NONE] = 1
        self._open(event)
        for post in posts:
            event.posts.append(post.id)
            event.voices.add(post.author)
            event.sources[post.source] += 1
            event.languages[post.language] += 1
            event.hours[post.time.strftime(HOUR)] += 1
            if not self._of_post.get(post.id):
                self._of_post[post.id] = event.id
            self._locate(event, self._gazetteer.find(post.text))
        event.texts = [(BURST, post.text, post.language, post.id) for post in posts[-EXAMPLES:]]
        return event

    def expire(self, flagged: datetime) -> None:
        """Forget events to which nothing was added since. Of posts that belong to none no text is held at all."""
        for id in [id for id, event in self.events.items() if event.last < flagged]:
            del self.events[id]

    def forget(self, id: str) -> Event | None:
        """A post was deleted where it came from: it is removed here too; the event that it was part of."""
        self._copies.forget(id)
        event = self.events.get(self._of_post.pop(id, ""))
        if event is None:
            return None
        if id in event.posts:
            event.posts.remove(id)
            event.texts = [one for one in event.texts if one[3] != id]
        else:
            event.copies = max(0, event.copies - 1)
        if not event.posts:
            del self.events[event.id]
        return event

    def _open(self, event: Event) -> None:
        self.events[event.id] = event
        while len(self.events) > OPEN_EVENTS:
            del self.events[next(iter(self.events))]

    def _like(self, post: Post, judged: Judgement, place: NamedPlace | None) -> Event | None:
        best: tuple[float, Event] | None = None
        for event in self.events.values():
            if post.time - event.last > QUIET or event.first - post.time > QUIET:
                continue
            here = place is not None and event.place is not None and place.name == event.place.name
            alike = 0.0
            if judged.vector is not None and event.centre is not None:
                alike = float(judged.vector @ event.centre / max(1e-6, float(np.linalg.norm(event.centre))))
            elsewhere = place is not None and event.place is not None and not here
            same = judged.kind == event.kind or {judged.kind, event.kind} <= VIOLENT
            joins = (alike >= ALIKE and not elsewhere) or (here and same and (alike >= ALIKE_HERE or alike == 0.0))
            if joins and judged.relevance >= JOINS and (best is None or alike > best[0]):
                best = (alike, event)
        return best[1] if best else None

    def _goes_on(self, post: Post) -> Event | None:
        """A burst that goes on: a post with its first word is counted, though by itself it is not relevant."""
        words = words_of(post.text)
        for event in self.events.values():
            if event.words and event.words[0] in words and post.time - event.last <= QUIET:
                self._of_post[post.id] = event.id
                event.posts.append(post.id)
                event.voices.add(post.author)
                event.last = max(event.last, post.time)
                event.hours[post.time.strftime(HOUR)] += 1
                return event
        return None

    def _take(
        self, event: Event, post: Post, judged: Judgement, reasons: Sequence[str], place: NamedPlace | None
    ) -> None:
        new_voice = post.author not in event.voices
        self._of_post[post.id] = event.id
        event.posts.append(post.id)
        event.voices.add(post.author)
        event.first, event.last = min(event.first, post.time), max(event.last, post.time)
        event.kinds[judged.kind] += 1
        event.sources[post.source] += 1
        event.languages[post.language] += 1
        event.sentiment[("negative", "neutral", "positive")[int(np.argmax(judged.sentiment))]] += 1
        event.hours[post.time.strftime(HOUR)] += 1
        self._locate(event, place)
        if new_voice:
            event.missed *= 1.0 - ONE_POST * judged.relevance
        if judged.relevance > event.relevance:
            event.relevance = judged.relevance
            event.reasons = list(reasons)
        example = (judged.relevance, post.text, post.language, post.id)
        event.texts = sorted([*event.texts, example], reverse=True)[:EXAMPLES]
        if judged.vector is not None:
            event.centre = judged.vector.copy() if event.centre is None else event.centre + judged.vector

    @staticmethod
    def _locate(event: Event, place: NamedPlace | None) -> None:
        if place is not None:
            event.places[place.name] += 1
            if event.places.most_common(1)[0][0] == place.name:
                event.place = place
