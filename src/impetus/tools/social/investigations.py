"""The investigations of an organisation: drafted by one person, approved by another, ended by time or by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue, ValidationError

from impetus.model import InvalidInput, derived_id
from impetus.tools.social.settings import Investigation, Watching
from impetus.tools.social.wanted import InvestigationWanted

MOST = 100
ACCOUNT_WORDS = ("@", "t.me/", "/users/", "bsky.app/profile", "did:")
"""What names an account: nobody's account is watched."""


class Investigations:
    """All that are known: of the settings, and drafted on the page."""

    def __init__(self, configured: Iterable[Investigation]) -> None:
        self.all = {one.id: one for one in configured}
        self._configured = dict(self.all)
        self._closed: dict[str, datetime] = {}
        """Investigations of the settings that somebody closed, and the end that the settings gave them then."""

    def running(self, now: datetime) -> list[Investigation]:
        """Those that are approved and have not ended."""
        return [one for one in self.all.values() if one.runs(now)]

    def find(self, id: str, result_id: Callable[[Investigation], str]) -> Investigation:
        """By its own identifier or by that of its published result. Raises `InvalidInput`."""
        found = self.all.get(id) or next((one for one in self.all.values() if result_id(one) == id), None)
        if found is None:
            raise InvalidInput("there is no such investigation", hint="reload the page")
        return found

    def draft(self, wanted: InvestigationWanted, *, request: str, author: str, now: datetime) -> Investigation:
        """A new one, for which nothing is read yet. Raises `InvalidInput` if it watches an account, or nothing."""
        watched = (*listed(wanted.words), *listed(wanted.places))
        if any(mark in word.lower() for word in watched for mark in ACCOUNT_WORDS):
            raise InvalidInput(
                "an account cannot be watched here",
                hint="watch words and places; accounts of public bodies are sources",
            )
        if not watched and not wanted.everything:
            raise InvalidInput("the investigation watches nothing", hint="name words or places")
        if len(self.all) >= MOST:
            raise InvalidInput(f"there are {MOST} investigations already", hint="close one first")
        try:
            made = Investigation(
                id=f"i-{derived_id('social-investigation', request)[:12].lower()}",
                title=wanted.title,
                purpose=wanted.purpose,
                legal_basis=wanted.legal_basis,
                until=now + timedelta(days=wanted.days),
                watching=Watching(
                    words=listed(wanted.words),
                    places=listed(wanted.places),
                    languages=tuple(one.lower()[:5] for one in listed(wanted.languages)) or ("en", "it", "no"),
                    everything=wanted.everything,
                ),
                author=author,
            )
        except ValidationError as error:
            raise InvalidInput(str(error.errors(include_url=False, include_input=False)[0]["msg"])) from error
        self.all[made.id] = made
        return made

    def approve(self, found: Investigation, *, person: str | None, now: datetime) -> Investigation:
        """It may begin. Raises `InvalidInput` if it was approved, has ended, or is the person's own."""
        if found.approver:
            raise InvalidInput("it was approved already", hint="reload the page")
        if person is None or person == found.author:
            raise InvalidInput("nobody approves an investigation of their own", hint="ask a supervisor or the officer")
        if found.until <= now:
            raise InvalidInput("its end has passed", hint="draft it anew")
        return self._changed(found.model_copy(update={"approver": person}))

    def end(self, found: Investigation, now: datetime) -> Investigation:
        """It reads nothing any more, also after the next start."""
        if found.id in self._configured:
            self._closed[found.id] = self._configured[found.id].until
        return self._changed(found.model_copy(update={"until": min(found.until, now)}))

    def restore(self, kept: Sequence[object], closed: Mapping[str, str], now: datetime) -> None:
        """Those that a checkpoint holds. What the settings say stands, but for what was closed: that begins again only
        when the settings give it another end. Raises `ValueError` if a kept one is none."""
        restored = [Investigation.model_validate_json(json.dumps(one)) for one in kept]
        self.all |= {one.id: one for one in restored if one.id not in self._configured}
        for id, until in closed.items():
            found = self._configured.get(id)
            if found is not None and found.until == datetime.fromisoformat(until):
                self.end(found, now)

    def kept(self) -> tuple[list[JsonValue], dict[str, JsonValue]]:
        """What a checkpoint holds: investigations, and which of the settings' were closed."""
        return (
            [one.model_dump(mode="json") for one in self.all.values()],
            {id: until.isoformat() for id, until in self._closed.items()},
        )

    def _changed(self, one: Investigation) -> Investigation:
        self.all[one.id] = one
        return one


def concerns(watching: Watching, text: str) -> bool:
    """Whether a text names what is watched.

    >>> concerns(Watching(words=("harbour",)), "All to the Harbour!")
    True
    >>> concerns(Watching(places=("Old Town",)), "a new town")
    False
    """
    lowered = text.casefold()
    return any(word.casefold().lstrip("#") in lowered for word in (*watching.words, *watching.places))


def listed(written: str) -> tuple[str, ...]:
    """What stands between commas.

    >>> listed("harbour, Old Town,,x")
    ('harbour', 'Old Town')
    """
    return tuple(dict.fromkeys(part.strip() for part in written.split(",") if len(part.strip()) >= 2))
