"""For data-protection officers and councils: who looked at what, does it work for everybody, do people still look."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import PathId, plain
from impetus.api.resource import Resource
from impetus.model import Permission

oversight = Resource("/oversight", "oversight")
access = Resource("/access-review", "oversight")
persons = Resource("/cases", "data protection")


class OversightView(BaseModel):
    """Performance by place and hour, haste, appeals and cards."""

    since: datetime
    places: list[dict[str, Any]]
    hours: list[dict[str, Any]]
    haste: list[dict[str, Any]]
    appeals: dict[str, int]
    cards: list[dict[str, Any]]


class CardView(BaseModel):
    """A tool's card as it was."""

    id: str
    version: str
    since: datetime
    text: str


class AccessView(BaseModel):
    """Who looked at what in the last 30 days, what is unusual, and what waits for an answer."""

    since: datetime
    accesses: dict[str, dict[str, int]]
    unusual: list[dict[str, Any]]
    waiting: list[dict[str, Any]]


class PersonWord(BaseModel):
    """The name, number or plate that a person asks about."""

    model_config = ConfigDict(extra="forbid")

    word: Annotated[str, Field(min_length=1, max_length=200)]


class PersonFound(BaseModel):
    """Where the word occurs."""

    counts: dict[str, int]
    kept: int


class PersonCopy(BaseModel):
    """All that has the word in it."""

    found: dict[str, list[Any]]


@oversight.get("", Permission.DATA_PROTECTION_READ, OversightView)
async def read_oversight(caller: Caller, hub: Hub) -> Response:
    """Performance by place and hour, what was settled unread, appeals, and the tools' cards by version."""
    return plain(asdict(await hub.oversight.overview(caller)))


@oversight.get("/cards/{id}", Permission.DATA_PROTECTION_READ, CardView)
async def read_card_version(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One version of a tool's card."""
    return plain(await hub.oversight.card(caller, id))


@access.get("", Permission.DATA_PROTECTION_DECIDE, AccessView)
async def read_access_review(caller: Caller, hub: Hub) -> Response:
    """Who looked at what, unusual access, and cases with their deadlines."""
    return plain(asdict(await hub.access_review.overview(caller)))


@persons.post("/{id}/person-search", Permission.DATA_PROTECTION_DECIDE, PersonFound, body=PersonWord)
async def search_person(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[PersonWord, Depends(json_body(PersonWord))]
) -> Response:
    """How often and where a word occurs; within an open request of a person."""
    return plain(asdict(await hub.persons.search(caller, id, wanted.word)), status=201)


@persons.post("/{id}/person-copy", Permission.DATA_PROTECTION_DECIDE, PersonCopy, body=PersonWord)
async def copy_person(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[PersonWord, Depends(json_body(PersonWord))]
) -> Response:
    """All that has the word in it, for the person who asked (GDPR articles 15 and 20)."""
    return plain({"found": await hub.persons.export(caller, id, wanted.word)}, status=201)


@persons.post("/{id}/person-erasure", Permission.DATA_PROTECTION_DECIDE, PersonFound, body=PersonWord)
async def erase_person(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[PersonWord, Depends(json_body(PersonWord))]
) -> Response:
    """Take the word out; what is left stands in decisions, which are kept as they were made."""
    return plain(asdict(await hub.persons.erase(caller, id, wanted.word)), status=201)
