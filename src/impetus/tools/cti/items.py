"""One piece of reporting: an entry of a feed, a post, a document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from impetus.model import InvalidInput
from impetus.tools.cti.html_text import html_to_text

LIMIT = 2_000
"""Items of one answer; a feed that never ends is read so far."""
TEXT_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """What a source told."""

    id: str
    """The source's own name for it; the address or a number in the file where it has none."""
    title: str
    text: str
    url: str = ""
    published: datetime | None = None

    @property
    def whole(self) -> str:
        """Title and text; the title once, where the text begins with it."""
        if " ".join(self.text[:400].split()).lstrip("# ").startswith(self.title[:200]):
            return self.text
        return f"{self.title}\n\n{self.text}"


def read_feed(data: bytes, name: str) -> list[Item]:
    """The entries of an RSS 2.0, RSS 1.0 or Atom feed. Raises `InvalidInput` if it is none, or declares entities."""
    try:
        root = ElementTree.fromstring(data, forbid_dtd=True)
    except (DefusedXmlException, ValueError, SyntaxError, RecursionError, LookupError) as error:
        raise InvalidInput(f"{name} is no feed: {str(error) or type(error).__name__}"[:300]) from error
    entries = [node for node in root.iter() if _local(node) in ("item", "entry")]
    if not entries and _local(root) not in ("rss", "feed", "RDF"):
        raise InvalidInput(f"{name} is XML, but no feed", hint="give the address of an RSS or Atom feed")
    return [_entry(node, number) for number, node in enumerate(entries[:LIMIT])]


def read_posts(data: bytes, name: str) -> list[Item]:
    """Posts as pastes are published: a JSON list, a table with a list in it, or JSON Lines. Raises `InvalidInput`."""
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError):
        try:
            content = [json.loads(line) for line in data.splitlines()[: LIMIT + 1] if line.strip()]
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{name} is no JSON: {str(error)[:200]}", hint="give a JSON list of posts") from error
    if isinstance(content, Mapping):
        lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if lists and not _text_of(content) else [content]
    if not isinstance(content, list):
        raise InvalidInput(f"{name} holds no list of posts", hint="give a JSON list of posts")
    return list(_posts(content[:LIMIT]))


def parse_time(written: object) -> datetime | None:
    """A moment as feeds write it (ISO 8601, RFC 5322, seconds since 1970), in UTC; None if it is none."""
    try:
        if isinstance(written, bool):
            return None
        if isinstance(written, int | float):
            return datetime.fromtimestamp(written if written < 1e11 else written / 1_000, UTC)
        if not isinstance(written, str) or not written.strip():
            return None
        text = written.strip()[:64]
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = parsedate_to_datetime(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _entry(node: Element, number: int) -> Item:
    values: dict[str, str] = {}
    link = ""
    for child in node:
        name = _local(child)
        if name == "link":
            link = link or child.get("href", "") or (child.text or "").strip()
            continue
        text = "".join(child.itertext())[:TEXT_LIMIT]
        if name == "encoded" or len(text) > len(values.get(name, "")):
            values[name] = text
    title = html_to_text(values.get("title", ""))[1] or "Untitled"
    body = max((values.get(name, "") for name in ("encoded", "content", "description", "summary")), key=len)
    time = next(
        (values[name] for name in ("pubDate", "published", "updated", "date", "issued") if name in values), None
    )
    return Item(
        id=(values.get("guid") or values.get("id") or link or f"{title}#{number}").strip()[:500],
        title=" ".join(title.split())[:300],
        text=html_to_text(body)[1] if "<" in body or "&" in body else body.strip(),
        url=link[:2_000],
        published=parse_time(time),
    )


def _local(node: Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _text_of(row: Mapping[str, Any]) -> str:
    for name in ("text", "content", "body", "raw", "paste", "message", "description", "summary", "data"):
        if isinstance(row.get(name), str) and row[name].strip():
            return str(row[name])[:TEXT_LIMIT]
    return ""


def _posts(rows: list[Any]) -> Iterator[Item]:
    for number, row in enumerate(rows):
        if isinstance(row, str):
            yield Item(id=str(number), title=" ".join(row.split())[:80] or "Untitled", text=row[:TEXT_LIMIT])
        elif isinstance(row, Mapping):
            text = _text_of(row)
            title = next((str(row[name]) for name in ("title", "subject", "headline", "name") if row.get(name)), text)
            id = next((str(row[name]) for name in ("id", "key", "guid", "uuid", "url", "link") if row.get(name)), "")
            moment = next(
                (
                    row[name]
                    for name in ("published", "date", "time", "created", "timestamp", "created_at")
                    if row.get(name)
                ),
                None,
            )
            if text or title:
                yield Item(
                    id=(id or str(number))[:500],
                    title=" ".join(title.split())[:300] or "Untitled",
                    text=text,
                    url=str(row.get("url") or row.get("link") or "")[:2_000],
                    published=parse_time(moment),
                )
