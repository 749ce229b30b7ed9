"""A post at the door: who wrote it becomes a pseudonym, whom it names is masked, and only then it exists here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from impetus.model import Identifier, derived_id
from impetus.tools.social.languages import language_of
from impetus.tools.social.plain_text import readable

FUTURE = timedelta(minutes=10)
"""A post from further ahead has a wrong clock: it counts as written when it was read."""
OLD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RawPost:
    """What a source gives. It lives for one call and is never written anywhere, nor printed: `repr` shows no field."""

    id: str = field(repr=False)
    text: str = field(repr=False)
    author: str = field(repr=False)
    time: datetime | None = field(default=None, repr=False)
    language: str = field(default="", repr=False)
    deleted: bool = False
    """The post `id` was deleted where it came from."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post as the tool knows it: no handle, no link, no name of an account."""

    id: Identifier
    source: str
    author: str
    """Keyed pseudonym within one investigation; counts voices, names nobody."""
    time: datetime
    text: str
    language: str


def post_id(source: str, id: str, pseudonym_of: Callable[[str], str]) -> str:
    """Identifier of a post. A platform's own number names a person's post: it is replaced as an author's is."""
    return derived_id("social-post", source, pseudonym_of(f"{source}/{id}"))


def admitted(raw: RawPost, source: str, pseudonym_of: Callable[[str], str], now: datetime) -> Post | None:
    """The post as it may be kept; None if nothing is left to read. Raises `ConfigurationError` if the key of the
    pseudonyms is lost."""
    text = readable(raw.text)
    if not text:
        return None
    time = raw.time.astimezone(UTC) if raw.time is not None else now
    if time > now + FUTURE:
        time = now
    return Post(
        id=post_id(source, raw.id, pseudonym_of),
        source=source,
        author=pseudonym_of(f"{source}:{raw.author}"),
        time=time,
        text=text,
        language=language_of(text, told=raw.language),
    )
