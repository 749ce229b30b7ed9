"""Posts in files: JSON Lines, CSV and the export of Telegram Desktop; bounded, and what is broken is named."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from impetus.model import InvalidInput
from impetus.tools.social.posts import RawPost

FILE_LIMIT_BYTES = 200_000_000
LINE_LIMIT = 2_000_000
POSTS_LIMIT = 500_000
TEXTS = ("text", "content", "message", "body", "full_text")
AUTHORS = ("author", "user", "username", "from_id", "from", "account", "did")
TIMES = ("time", "created_at", "date", "timestamp", "published")


@dataclass
class Given:
    """Posts of a file and what could not be read."""

    posts: list[RawPost] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def parse_time(value: object) -> datetime | None:
    """ISO 8601 (UTC if no offset is given), or seconds, milliseconds or microseconds since 1970; None for anything
    else.

    >>> parse_time("2026-03-02T10:00:00Z").isoformat()
    '2026-03-02T10:00:00+00:00'
    >>> parse_time(1772445600) == parse_time(1772445600000)
    True
    >>> parse_time("tomorrow") is None
    True
    """
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, str) and not value.strip().lstrip("-").replace(".", "", 1).isdecimal():
            found = datetime.fromisoformat(value.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        seconds = float(str(value))
        if not math.isfinite(seconds):  # hundreds of digits are read as infinite, which no division makes smaller
            return None
        while abs(seconds) > 1e11:
            seconds /= 1_000.0
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_lines(lines: Sequence[str], name: str, first: int = 1) -> Given:
    """Posts of JSON Lines; a line that is none is named and the others are read."""
    given = Given()
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        try:
            if len(line) > LINE_LIMIT:
                raise ValueError(f"longer than {LINE_LIMIT} signs")
            given.posts.append(post_of(json.loads(line), f"{name}:{number}"))
        except (ValueError, RecursionError) as error:
            given.problems.append(f"{name}, line {number}: {str(error)[:120]}")
    return given


def read_csv(text: str, name: str) -> Given:
    """Posts of a CSV file with a head line."""
    given = Given()
    try:
        csv.field_size_limit(LINE_LIMIT)
        for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
            if number > POSTS_LIMIT:
                given.problems.append(f"{name}: only the first {POSTS_LIMIT} posts were read")
                break
            try:
                given.posts.append(
                    post_of({str(key).strip().lower(): value for key, value in row.items()}, f"{name}:{number}")
                )
            except ValueError as error:
                given.problems.append(f"{name}, line {number}: {str(error)[:120]}")
    except csv.Error as error:
        given.problems.append(f"{name}: {error}")
    return given


def read_telegram(content: object, name: str) -> Given:
    """Posts of the `result.json` that Telegram Desktop exports of a channel. Raises `InvalidInput`."""
    messages = content.get("messages") if isinstance(content, Mapping) else None
    if not isinstance(messages, list):
        raise InvalidInput(
            f"{name} is no export of Telegram: it has no messages", hint="export as machine-readable JSON"
        )
    given = Given()
    for message in messages[:POSTS_LIMIT]:
        if not isinstance(message, Mapping) or message.get("type", "message") != "message":
            continue
        text = _telegram_text(message.get("text"))
        if not text.strip():
            continue
        given.posts.append(
            RawPost(
                id=str(message.get("id", ""))[:100],
                text=text,
                author=str(message.get("from_id") or message.get("from") or "channel")[:300],
                time=parse_time(message.get("date_unixtime") or message.get("date")),
            )
        )
    return given


def _telegram_text(value: object) -> str:
    """Text is a string, or a list of strings and of entities with a type."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    parts = []
    for part in value[:10_000]:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, Mapping):
            mention = part.get("type") in ("mention", "mention_name")
            parts.append(" @user " if mention else str(part.get("text", "")))
    return "".join(parts)


def post_of(row: Any, place: str) -> RawPost:
    """A post of a mapping that has a text under one of its usual names. Raises `ValueError`."""
    if not isinstance(row, Mapping):
        raise ValueError("not an object")
    text = next((row[key] for key in TEXTS if isinstance(row.get(key), str)), None)
    deleted = bool(row.get("deleted"))
    if text is None and not deleted:
        raise ValueError("no text")
    author = next((row[key] for key in AUTHORS if row.get(key) not in (None, "")), "unknown")
    if isinstance(author, Mapping):
        author = author.get("acct") or author.get("id") or author.get("name") or "unknown"
    return RawPost(
        id=str(row.get("id") or place)[:300],
        text=text or "",
        author=str(author)[:300],
        time=next((found for key in TIMES if (found := parse_time(row.get(key))) is not None), None),
        language=str(row.get("language") or row.get("lang") or "")[:20],
        deleted=deleted,
    )


def read_posts(file: Path) -> Given:
    """All posts of a file. Raises `InvalidInput` if it cannot be read, or is nothing that is known."""
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            raise InvalidInput(f"{file} is larger than {FILE_LIMIT_BYTES // 1_000_000} MB", hint="split it")
        text = file.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}", hint="name a readable file") from error
    if file.suffix.lower() == ".csv":
        return read_csv(text, file.name)
    if file.suffix.lower() == ".json":
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{file} is no JSON: {str(error)[:100]}", hint="export it again") from error
        if isinstance(content, list):
            return read_lines([json.dumps(row) for row in content[:POSTS_LIMIT]], file.name)
        return read_telegram(content, file.name)
    return read_lines(text.split("\n")[:POSTS_LIMIT], file.name)


def numbered(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers. Raises `InvalidInput`."""
    try:
        with file.open("r", encoding="utf-8-sig", errors="replace", newline="\n") as stream:
            yield from enumerate(stream, start=1)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}", hint="name a readable file") from error
