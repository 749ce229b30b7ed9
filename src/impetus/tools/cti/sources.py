"""Reads one source once: what is new there, and what to remember for the next time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from impetus.model import ImpetusError, InvalidInput, NotAllowed
from impetus.tools.cti.documents import SIZE_LIMIT_BYTES, read_document
from impetus.tools.cti.fetching import Answer, Credentials, Fetcher
from impetus.tools.cti.items import Item, parse_time, read_feed, read_posts
from impetus.tools.cti.misp import item_of_event
from impetus.tools.cti.settings import Source, SourceKind
from impetus.tools.cti.stix import Tlp, tlp_of

TAXII = "application/taxii+json;version=2.1"
PAGES = 20
EVENTS_AT_ONCE = 50
FILES_AT_ONCE = 200
REMEMBERED = 20_000


class SourceState(BaseModel):
    """What is remembered of a source between polls and restarts."""

    model_config = ConfigDict(extra="ignore")

    etag: str = ""
    modified: str = ""
    since: str = ""
    """Of TAXII and MISP: everything added until then was read."""
    seen: dict[str, int] = Field(default_factory=dict)
    """What was taken in: the source's own name for it, and a checksum of what it said."""

    def is_new(self, id: str, content: str) -> bool:
        """Whether this was not taken in before."""
        return self.seen.get(_short(id)) != zlib.crc32(content.encode("utf-8", "replace"))

    def remember(self, id: str, content: str) -> None:
        """It was taken in."""
        self.seen.pop(_short(id), None)
        self.seen[_short(id)] = zlib.crc32(content.encode("utf-8", "replace"))
        while len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]


@dataclass(frozen=True, slots=True)
class Told:
    """One item with the marking that it carries itself, if any."""

    item: Item
    tlp: Tlp | None = None


@dataclass
class Reading:
    """What one poll gave."""

    told: list[Told] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Of single items; the rest was read."""
    etag: str = ""
    modified: str = ""
    since: str = ""


async def read_source(source: Source, state: SourceState, fetcher: Fetcher) -> Reading:
    """Read a source; the caller remembers what it took in. Raises `ImpetusError` if there is nothing to read."""
    match source.kind:
        case SourceKind.RSS:
            return await _read_page(source, state, fetcher, lambda answer: _told(read_feed(answer.body, source.title)))
        case SourceKind.POSTS:
            return await _read_page(source, state, fetcher, lambda answer: _told(read_posts(answer.body, source.title)))
        case SourceKind.WEB:
            if not await fetcher.allowed_by_robots(source.address, through_proxy=source.proxy):
                raise NotAllowed(f"robots.txt of {source.title} does not allow to read it", hint="ask its owner")
            return await _read_web(source, state, fetcher)
        case SourceKind.TAXII:
            return await _read_taxii(source, state, fetcher)
        case SourceKind.MISP_FEED:
            return await _read_misp_feed(source, state, fetcher)
        case SourceKind.MISP_SERVER:
            return await _read_misp_server(source, state, fetcher)
        case SourceKind.FOLDER:
            return await asyncio.to_thread(_read_folder, source, state)


def credentials_of(source: Source, scheme: str = "Bearer ") -> Credentials | None:
    """What a source wants to see, if anything."""
    token = source.token.get_secret_value() if source.token else ""
    password = source.password.get_secret_value() if source.password else ""
    if not token and not source.user:
        return None
    return Credentials(source.user, password, token, scheme)


def _told(items: list[Item]) -> list[Told]:
    return [Told(item) for item in items]


async def _page(source: Source, state: SourceState, fetcher: Fetcher) -> Answer:
    headers = {}
    if state.etag:
        headers["If-None-Match"] = state.etag
    if state.modified:
        headers["If-Modified-Since"] = state.modified
    return await fetcher.get(
        source.address, headers=headers, credentials=credentials_of(source), through_proxy=source.proxy
    )


async def _read_page(source: Source, state: SourceState, fetcher: Fetcher, parse: Any) -> Reading:
    answer = await _page(source, state, fetcher)
    if answer.status == 304:
        return Reading(etag=state.etag, modified=state.modified)
    told = await asyncio.to_thread(parse, answer)
    return Reading(
        told, etag=answer.headers.get("etag", "")[:300], modified=answer.headers.get("last-modified", "")[:100]
    )


async def _read_web(source: Source, state: SourceState, fetcher: Fetcher) -> Reading:
    answer = await _page(source, state, fetcher)
    if answer.status == 304:
        return Reading(etag=state.etag, modified=state.modified)
    document = await asyncio.to_thread(read_document, answer.body, name=source.title, media_type=answer.media_type)
    item = Item(
        id=answer.url,
        title=document.title or source.title,
        text=document.text,
        url=answer.url,
        published=parse_time(answer.headers.get("last-modified")),
    )
    return Reading(
        [Told(item)], etag=answer.headers.get("etag", "")[:300], modified=answer.headers.get("last-modified", "")[:100]
    )


async def _read_taxii(source: Source, state: SourceState, fetcher: Fetcher) -> Reading:
    base = source.address.rstrip("/") + "/objects/"
    objects: list[Mapping[str, Any]] = []
    problems: list[str] = []
    following = ""
    newest = state.since
    for _ in range(PAGES):
        query = "?limit=200" + (f"&added_after={state.since}" if state.since else "")
        query += f"&next={following}" if following else ""
        answer = await fetcher.get(base + query, headers={"Accept": TAXII}, credentials=credentials_of(source))
        envelope = _json(answer.body, source.title)
        found = envelope.get("objects") or [] if isinstance(envelope, Mapping) else []
        objects += [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
        newest = max(newest, answer.headers.get("x-taxii-date-added-last", "")[:40])
        following = str(envelope.get("next") or "") if isinstance(envelope, Mapping) and envelope.get("more") else ""
        if not following:
            break
    return Reading(items_of_stix(objects, problems), problems, since=newest)


def items_of_stix(objects: list[Mapping[str, Any]], problems: list[str]) -> list[Told]:
    """Items of STIX objects: each report with what it names, and each other object that tells something. What is broken
    is named in `problems`, and the rest is read."""
    by_id = {str(one.get("id", "")): one for one in objects}
    inside: set[str] = set()
    told: list[Told] = []
    for one in sorted(objects, key=lambda each: each.get("type") != "report"):
        type, id = one.get("type"), str(one.get("id", ""))
        if type not in (
            "report",
            "indicator",
            "malware",
            "threat-actor",
            "intrusion-set",
            "campaign",
            "vulnerability",
            "note",
        ):
            continue
        if id in inside:
            continue
        if not id.startswith(f"{type}--"):
            problems.append(f"an object of type {type!r} has a wrong id {id[:60]!r}")
            continue
        lines = [_words(one)]
        references = one.get("object_refs") if type == "report" else None
        for reference in references if isinstance(references, list) else ():
            other = by_id.get(str(reference))
            if other is not None:
                inside.add(str(reference))
                lines.append(_words(other))
        title = str(one.get("name") or one.get("abstract") or one.get("pattern") or type)
        moment = parse_time(one.get("published") or one.get("modified") or one.get("created"))
        text = "\n".join(line for line in lines if line)
        told.append(Told(Item(id=id[:500], title=title[:300], text=text[:1_000_000], published=moment), tlp_of(one)))
    return told


def _words(one: Mapping[str, Any]) -> str:
    keys = ("name", "description", "abstract", "content", "pattern", "value", "key")
    words = [str(one[key]) for key in keys if isinstance(one.get(key), str)]
    hashes = one.get("hashes")
    words += [str(value) for value in hashes.values()] if isinstance(hashes, Mapping) else []
    return ". ".join(dict.fromkeys(words))[:20_000]


async def _read_misp_feed(source: Source, state: SourceState, fetcher: Fetcher) -> Reading:
    base = source.address.rstrip("/").removesuffix("/manifest.json")
    answer = await fetcher.get(f"{base}/manifest.json", credentials=credentials_of(source), through_proxy=source.proxy)
    manifest = _json(answer.body, source.title)
    if not isinstance(manifest, Mapping):
        raise InvalidInput(f"{source.title} has no MISP manifest", hint="give the folder that holds manifest.json")
    reading = Reading()
    fresh = [
        (str(entry.get("timestamp", "0")), str(uuid))
        for uuid, entry in manifest.items()
        if isinstance(entry, Mapping)
        and _is_uuid(str(uuid))
        and state.is_new(str(uuid), str(entry.get("timestamp", "0")))
    ]
    for stamp, uuid in sorted(fresh)[:EVENTS_AT_ONCE]:
        try:
            event = await fetcher.get(
                f"{base}/{uuid}.json", credentials=credentials_of(source), through_proxy=source.proxy
            )
            item, tlp = item_of_event(_json(event.body, f"event {uuid}"), f"event {uuid}")
            reading.told.append(Told(item, tlp))
            state.remember(uuid, stamp)
        except ImpetusError as error:
            reading.problems.append(str(error)[:300])
    return reading


async def _read_misp_server(source: Source, state: SourceState, fetcher: Fetcher) -> Reading:
    query: dict[str, object] = {"returnFormat": "json", "limit": EVENTS_AT_ONCE, "page": 1}
    if state.since:
        query["timestamp"] = state.since
    answer = await fetcher.post(
        source.address.rstrip("/") + "/events/restSearch",
        json.dumps(query).encode(),
        headers={"Accept": "application/json", "Content-Type": "application/json"},
        credentials=credentials_of(source, scheme=""),
    )
    content = _json(answer.body, source.title)
    events = content.get("response", []) if isinstance(content, Mapping) else content
    reading = Reading(since=state.since)
    newest = int(state.since or 0)
    for event in events if isinstance(events, list) else []:
        try:
            item, tlp = item_of_event(event, source.title)
            reading.told.append(Told(item, tlp))
            stamp = str(event.get("Event", event).get("timestamp", "0"))
            newest = max(newest, int(stamp) if stamp.isdigit() else 0)
        except ImpetusError as error:
            reading.problems.append(str(error)[:300])
    reading.since = str(newest) if newest else ""
    return reading


def _read_folder(source: Source, state: SourceState) -> Reading:
    folder = Path(source.address)
    reading = Reading()
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise InvalidInput(f"the folder {folder} cannot be read: {error.strerror}", hint="mend its path") from error
    for path in files:
        if len(reading.told) + len(reading.problems) >= FILES_AT_ONCE:
            break
        try:
            status = path.stat()
            mark = f"{status.st_mtime_ns} {status.st_size}"
            if not state.is_new(f"file {path.name}", mark) or path.is_symlink():
                continue
            state.remember(f"file {path.name}", mark)
            if status.st_size > SIZE_LIMIT_BYTES:
                raise InvalidInput(f"{path.name} is larger than {SIZE_LIMIT_BYTES // 1_000_000} MB", hint="split it")
            document = read_document(path.read_bytes(), name=path.name)
            moment = datetime.fromtimestamp(status.st_mtime).astimezone()
            reading.told.append(Told(Item(path.name[:500], document.title or path.name, document.text, "", moment)))
        except OSError as error:
            reading.problems.append(f"{path.name} cannot be read: {error.strerror}")
        except ImpetusError as error:
            reading.problems.append(str(error)[:300])
    return reading


def _json(body: bytes, name: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} answers with something that is no JSON: {str(error)[:100]}") from error


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and all(character in "0123456789abcdefABCDEF-" for character in text)


def _short(id: str) -> str:
    return id if len(id) <= 64 else hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()[:40]
