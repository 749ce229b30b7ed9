"""Settings of the tool `social`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from impetus.model import Line, Slug, UtcTime, Value
from impetus.sdk import ToolSettings


class SourceKind(StrEnum):
    """How a source is read."""

    MASTODON = "mastodon"
    """A Mastodon server: its public timeline or a hashtag, streamed (Mastodon.py)."""
    JETSTREAM = "jetstream"
    """Bluesky's Jetstream over WebSocket."""
    RSS = "rss"
    """An RSS or Atom feed of a medium or a public body."""
    TELEGRAM = "telegram"
    """An export of Telegram Desktop (`result.json`) of a public channel."""
    FILE = "file"
    """A CSV or JSON Lines file on this machine, read on as it grows."""


class Source(Value):
    """One source, with its terms of use as a gate: unread until an administrator confirms them."""

    id: Slug
    """Unlike those of all other sources."""
    title: Line
    """Its name on the page."""
    kind: SourceKind
    """How it is read."""
    address: Annotated[str, Field(min_length=1, max_length=2_000)]
    """`https://...` or `wss://...`, or the path of a file."""
    terms: Annotated[str, Field(max_length=2_000)] = ""
    """Where its terms of use are, and what in them allows this."""
    terms_confirmed_by: Annotated[str, Field(max_length=200)] = ""
    """Administrator who read them and confirms that this use keeps to them; empty: it is not read."""
    hashtag: Annotated[str, Field(max_length=100, pattern=r"^\w*$")] = ""
    """Of Mastodon: only this hashtag; empty: the public timeline of the server itself."""
    token: SecretStr | None = None
    """Of Mastodon: the access token of the city's own application."""
    every_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Of feeds and files: seconds between two looks."""
    posts_per_s: Annotated[float, Field(gt=0, le=5_000)] = 200.0
    """No more posts a second are taken from it; the others are counted and left."""

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        wanted = {
            SourceKind.MASTODON: ("https://", "http://"),
            SourceKind.RSS: ("https://", "http://"),
            SourceKind.JETSTREAM: ("wss://", "ws://"),
        }.get(self.kind)
        if wanted and not self.address.startswith(wanted):
            raise ValueError(f"the address begins with {' or '.join(wanted)}")
        return self


class Watching(Value):
    """What an investigation looks for. A post belongs to it if its language is one of these and it names a word or a
    place, or is of a threat-relevant kind where `everything` is set."""

    words: Annotated[tuple[Line, ...], Field(max_length=500)] = ()
    """Words and hashtags."""
    places: Annotated[tuple[Line, ...], Field(max_length=500)] = ()
    """Names of places."""
    languages: Annotated[tuple[str, ...], Field(max_length=20)] = ("en", "it", "no")
    """ISO 639-1."""
    everything: bool = False
    """Also posts of a threat-relevant kind that name neither."""


class Investigation(Value):
    """One investigation. Nothing is read without an approved one, and nothing after its end."""

    id: Slug
    """Unlike those of all others; it is also the purpose under which authors get their pseudonyms."""
    title: Line
    """Its name on the page."""
    purpose: Line
    """What for."""
    legal_basis: Line
    """On what legal ground."""
    until: UtcTime
    """When it ends."""
    watching: Watching = Watching()
    """What it looks for."""
    author: Annotated[str, Field(max_length=200)] = ""
    """Account of who drafted it."""
    approver: Annotated[str, Field(max_length=200)] = ""
    """Who approved it; empty: a draft, for which nothing is read."""

    def runs(self, now: datetime) -> bool:
        """Whether it is approved and has not ended."""
        return bool(self.approver) and now < self.until


class OwnPlace(Value):
    """A street, square or venue of the city."""

    name: Line
    """As people write it."""
    longitude: Annotated[float, Field(ge=-180, le=180)]
    """Degrees, WGS 84."""
    latitude: Annotated[float, Field(ge=-90, le=90)]
    """Degrees, WGS 84."""


class SocialSettings(ToolSettings):
    """What a city may set."""

    sources: Annotated[tuple[Source, ...], Field(title="Sources", max_length=100)] = ()
    """What is read, each behind its terms of use."""
    investigations: Annotated[tuple[Investigation, ...], Field(title="Investigations", max_length=100)] = ()
    """Investigations that were approved outside; others are drafted and approved on the page."""
    places: Annotated[tuple[OwnPlace, ...], Field(title="The city's places", max_length=20_000)] = ()
    """Streets, squares and venues by name."""
    towns: Annotated[bool, Field(title="Towns of GeoNames")] = False
    """Whether towns all over the world are recognised too."""
    alerts_a_day: Annotated[float, Field(title="Events an analyst can read a day", ge=0.1, le=1_000)] = 20.0
    """Thresholds follow this number of events a day on the local stream."""
    unrelated_hours: Annotated[float, Field(title="Hours that unrelated posts are kept", gt=0, le=24)] = 2.0
    """In memory and in the stream's list; they never get further."""
    flagged_days: Annotated[float, Field(title="Days that flagged posts are kept", gt=0, le=30)] = 30.0
    """Unless an event with them was tied to a case."""
    second_stage: Annotated[bool, Field(title="Sentence model")] = True
    """Judge what the gate lets through with the sentence model; without it the gate decides alone."""
    threads: Annotated[int, Field(title="Number of threads of the sentence model", ge=1, le=16)] = 1
    """How many cores it may use."""
    local_weights: Annotated[Path | None, Field(title="Folder of local weights")] = None
    """Weights that were trained here and may not be shipped (`impetus social train --noncommercial`)."""
    internal_addresses: Annotated[
        tuple[str, ...], Field(title="Internal addresses that may be read", max_length=50)
    ] = ()
    """`host:port` of sources inside the own network; all others there are refused."""
    user_agent: Annotated[str, Field(title="User agent", max_length=200)] = "impetus-social/0.1 (public safety)"
    """What is told to servers; add how to reach you."""

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        for what, names in (
            ("sources", [one.id for one in self.sources]),
            ("investigations", [one.id for one in self.investigations]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"two {what} have the same id")
        return self
