"""Sources as streams of posts: each reads until it fails or is cancelled, and says where it goes on after a break."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import threading
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from impetus.model import ConfigurationError, InvalidInput, NotAllowed, Unavailable
from impetus.model.network_address import is_public
from impetus.tools.social.files import parse_time, read_lines, read_telegram
from impetus.tools.social.posts import RawPost
from impetus.tools.social.settings import Source, SourceKind

ANSWER_LIMIT_BYTES = 10_000_000
FRAME_LIMIT_BYTES = 1_000_000
WAIT_S = 30.0
QUEUE = 2_000
SEEN = 5_000
POST_COLLECTION = "app.bsky.feed.post"
BACK_S = 5.0
"""After a break Jetstream is asked for so many seconds more than were missed; what comes twice is known."""


@dataclass
class Progress:
    """Where a source goes on; holds no handle."""

    cursor: str = ""
    """Of Jetstream a time in microseconds, of a file a byte, of a feed its ETag."""
    seen: list[str] = field(default_factory=list)
    """Of feeds: checksums of entries that were taken."""
    problems: list[str] = field(default_factory=list)
    """What was set aside, newest last."""

    def note(self, problem: str) -> None:
        """Set something aside where a person sees it."""
        self.problems = [*self.problems[-49:], problem[:300]]


def read(
    source: Source, progress: Progress, *, user_agent: str, internal: tuple[str, ...]
) -> AsyncGenerator[RawPost, None]:
    """Posts of a source. Raises `ImpetusError` when it fails; the caller waits and reads on."""
    match source.kind:
        case SourceKind.FILE:
            return _read_file(source, progress)
        case SourceKind.TELEGRAM:
            return _read_telegram(source, progress)
        case SourceKind.RSS:
            return _read_feed(source, progress, user_agent, internal)
        case SourceKind.JETSTREAM:
            return _read_jetstream(source, progress, user_agent, internal)
        case SourceKind.MASTODON:
            return _read_mastodon(source, progress, user_agent, internal)


async def check_address(address: str, internal: tuple[str, ...]) -> str:
    """A source is public, or is named among the internal ones; where to connect to. Raises `NotAllowed` and
    `Unavailable`."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    port = parts.port or {"https": 443, "wss": 443}.get(parts.scheme, 80)
    if f"{host}:{port}" in internal:
        return host
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"{host} has no address: {error.strerror or error}", hint="check the source") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not all(map(is_public, addresses)):
        raise NotAllowed(f"{host} is inside a network", hint=f"name {host}:{port} under internal_addresses")
    return addresses[0]


async def _read_file(source: Source, progress: Progress) -> AsyncGenerator[RawPost, None]:
    """JSON Lines that grow; a file that became shorter is begun anew."""
    path = Path(source.address)
    while True:
        try:
            lines, offset = await asyncio.to_thread(_new_lines, path, int(progress.cursor or 0))
        except FileNotFoundError:
            lines, offset = [], 0
        except OSError as error:
            raise Unavailable(f"{source.title} cannot be read: {error.strerror or error}") from error
        given = read_lines(lines, source.id)
        for problem in given.problems:
            progress.note(problem)
        for post in given.posts:
            yield post
        progress.cursor = str(offset)
        if not lines:
            await asyncio.sleep(source.every_s)


def _new_lines(path: Path, offset: int) -> tuple[list[str], int]:
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        offset = offset if offset <= size else 0
        stream.seek(offset)
        data = stream.read(ANSWER_LIMIT_BYTES)
    whole, found, _ = data.rpartition(b"\n")
    if not found:
        # A line without an end that fills all we read is no post: leave it out.
        return ([], offset + len(data)) if len(data) >= ANSWER_LIMIT_BYTES else ([], offset)
    return whole.decode("utf-8", "replace").split("\n"), offset + len(whole) + 1


async def _read_telegram(source: Source, progress: Progress) -> AsyncGenerator[RawPost, None]:
    """An export, read again whenever the file changes."""
    path = Path(source.address)
    while True:
        try:
            status = await asyncio.to_thread(path.stat)
            mark = f"{status.st_mtime_ns}"
            if mark != progress.cursor:
                if status.st_size > 20 * ANSWER_LIMIT_BYTES:
                    raise InvalidInput(f"{source.title} is too large", hint="export fewer months")
                content = json.loads(await asyncio.to_thread(path.read_text, "utf-8", "replace"))
                for post in read_telegram(content, source.title).posts:
                    yield post
                progress.cursor = mark
        except OSError as error:
            raise Unavailable(f"{source.title} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{source.title} is no JSON: {str(error)[:100]}", hint="export it again") from error
        await asyncio.sleep(source.every_s)


async def _read_feed(
    source: Source, progress: Progress, user_agent: str, internal: tuple[str, ...]
) -> AsyncGenerator[RawPost, None]:
    """A feed of a medium or a public body; its entries are posts."""
    try:
        import feedparser
    except ImportError as error:
        raise ConfigurationError("feedparser is not installed", hint="pip install 'impetus[social]'") from error
    while True:
        await check_address(source.address, internal)
        body, etag = await asyncio.to_thread(_fetched, source.address, progress.cursor, user_agent, internal)
        if body is not None:
            # feedparser opens what looks like an address: it only ever gets bytes.
            parsed = await asyncio.to_thread(feedparser.parse, body, sanitize_html=True, resolve_relative_uris=False)
            if parsed.bozo and not parsed.entries:
                raise InvalidInput(f"{source.title} is no feed: {str(parsed.get('bozo_exception', ''))[:100]}")
            for entry in parsed.entries[:1_000]:
                text = f"{entry.get('title', '')}. {entry.get('summary', '')}"
                mark = f"{hash_of(str(entry.get('id') or entry.get('link') or '') + text)}"
                if mark in progress.seen:
                    continue
                progress.seen = [*progress.seen[-SEEN:], mark]
                yield RawPost(mark, text, source.id, _feed_time(entry), str(parsed.feed.get("language", ""))[:10])
            progress.cursor = etag
        await asyncio.sleep(source.every_s)


def hash_of(text: str) -> str:
    """A short checksum."""
    import hashlib

    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _feed_time(entry: Mapping[str, Any]) -> datetime | None:
    for key in ("published", "updated"):
        value = entry.get(key)
        if value:
            found = parse_time(value)
            if found is None:
                with contextlib.suppress(ValueError, TypeError):
                    found = parsedate_to_datetime(str(value))
            if found is not None and found.tzinfo is not None:
                return found
    return None


def _fetched(address: str, etag: str, user_agent: str, internal: tuple[str, ...]) -> tuple[bytes | None, str]:
    """Body and ETag of an answer; None if nothing changed. No redirects: they might lead inside."""
    import requests

    from impetus.tools.social.guarding import session

    headers = {"User-Agent": user_agent, **({"If-None-Match": etag} if etag else {})}
    try:
        with (
            session(internal) as guarded,
            guarded.get(address, headers=headers, timeout=WAIT_S, stream=True, allow_redirects=False) as answer,
        ):
            if answer.status_code == 304:
                return None, etag
            if answer.status_code == 429:
                raise Unavailable("the source asks for fewer requests", hint="make every_s larger")
            if answer.status_code != 200:
                raise Unavailable(f"the source answers with {answer.status_code}", hint="check its address")
            body = bytearray()
            for part in answer.iter_content(65_536):
                body += part
                if len(body) > ANSWER_LIMIT_BYTES:
                    raise InvalidInput("the answer is too large", hint="read a smaller feed")
            return bytes(body), str(answer.headers.get("ETag", ""))[:300]
    except requests.RequestException as error:
        raise Unavailable(f"the source does not answer: {type(error).__name__}", hint="it is tried again") from error


async def _read_jetstream(
    source: Source, progress: Progress, user_agent: str, internal: tuple[str, ...]
) -> AsyncGenerator[RawPost, None]:
    """Bluesky's Jetstream (https://github.com/bluesky-social/jetstream): commits as JSON, resumed by their time."""
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, WebSocketException
    except ImportError as error:
        raise ConfigurationError("websockets is not installed", hint="pip install 'impetus[social]'") from error
    # The address that was checked is the one that is connected to: the name may lead elsewhere a moment later.
    host = await check_address(source.address, internal)
    query = {"wantedCollections": POST_COLLECTION}
    if progress.cursor.isdecimal():
        query["cursor"] = str(int(progress.cursor) - int(BACK_S * 1e6))
    address = f"{source.address}{'&' if '?' in source.address else '?'}{urlencode(query)}"
    try:
        async with connect(
            address,
            host=host,
            user_agent_header=user_agent,
            max_size=FRAME_LIMIT_BYTES,
            open_timeout=WAIT_S,
            proxy=None,
        ) as stream:
            async for frame in stream:
                post = post_of_jetstream(frame, progress)
                if post is not None:
                    yield post
    except (OSError, InvalidHandshake, WebSocketException, TimeoutError) as error:
        raise Unavailable(f"{source.title}: {type(error).__name__}", hint="it is tried again") from error
    raise Unavailable(f"{source.title} closed the stream", hint="it is tried again")


def post_of_jetstream(frame: str | bytes, progress: Progress) -> RawPost | None:
    """The post of one commit, if it is one; a frame that nobody understands is set aside."""
    try:
        event = json.loads(frame)
        moment = int(event["time_us"])
        progress.cursor = str(max(moment, int(progress.cursor or 0)))
        commit = event.get("commit")
        if event.get("kind") != "commit" or not isinstance(commit, dict) or commit.get("collection") != POST_COLLECTION:
            return None
        author, key = str(event["did"])[:300], str(commit["rkey"])[:100]
        if commit.get("operation") == "delete":
            return RawPost(f"{author}/{key}", "", author, deleted=True)
        record = commit["record"]
        languages = record.get("langs") or [""]
        return RawPost(
            f"{author}/{key}",
            str(record["text"]),
            author,
            parse_time(moment),
            str(languages[0])[:20] if isinstance(languages, list) else "",
        )
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError) as error:
        progress.note(f"a frame is not understood: {type(error).__name__}")
        return None


async def _read_mastodon(
    source: Source, progress: Progress, user_agent: str, internal: tuple[str, ...]
) -> AsyncGenerator[RawPost, None]:
    """The public stream of a server, or of one hashtag there; missed posts are asked for first. Mastodon.py keeps to
    the server's rate limits."""
    await check_address(source.address, internal)
    given: queue.Queue[RawPost | Exception] = queue.Queue(QUEUE)
    stop = threading.Event()
    reader = threading.Thread(
        target=_follow_mastodon, args=(source, progress.cursor, user_agent, internal, given, stop), daemon=True
    )
    reader.start()
    try:
        while True:
            try:
                found = await asyncio.to_thread(given.get, True, 0.5)
            except queue.Empty:
                if not reader.is_alive():
                    raise Unavailable(f"{source.title} closed the stream", hint="it is tried again") from None
                continue
            if isinstance(found, Exception):
                raise Unavailable(f"{source.title}: {type(found).__name__}", hint="it is tried again") from found
            if found.id.isdecimal() and not found.deleted:
                progress.cursor = str(max(int(found.id), int(progress.cursor or 0)))
            yield found
    finally:
        stop.set()


def _follow_mastodon(
    source: Source,
    since: str,
    user_agent: str,
    internal: tuple[str, ...],
    given: queue.Queue[RawPost | Exception],
    stop: threading.Event,
) -> None:
    try:
        from mastodon import Mastodon, StreamListener

        from impetus.tools.social.guarding import session
    except ImportError:
        given.put(ConfigurationError("Mastodon.py is not installed", hint="pip install 'impetus[social]'"))
        return

    class Listener(StreamListener):
        def on_update(self, status: Mapping[str, Any]) -> None:
            _offer(given, post_of_mastodon(status))
            if stop.is_set():
                raise _Stopped

        def on_delete(self, status_id: object) -> None:
            _offer(given, RawPost(str(status_id), "", "", deleted=True))

    try:
        server = Mastodon(
            api_base_url=source.address,
            access_token=source.token.get_secret_value() if source.token else None,
            user_agent=user_agent,
            request_timeout=WAIT_S,
            version_check_mode="none",
            session=session(internal),
        )
        if since:
            find = (
                (lambda **more: server.timeline_hashtag(source.hashtag, **more))
                if source.hashtag
                else server.timeline_public
            )
            for status in reversed(find(min_id=since, limit=40)):
                _offer(given, post_of_mastodon(status))
        if source.hashtag:
            server.stream_hashtag(source.hashtag, Listener())
        else:
            server.stream_public(Listener())
    except _Stopped:
        pass
    except Exception as error:
        with contextlib.suppress(queue.Full):
            given.put_nowait(error)


class _Stopped(Exception):
    pass


def _offer(given: queue.Queue[RawPost | Exception], post: RawPost) -> None:
    # Full: the tool is behind. The stream waits, as TCP would have it.
    given.put(post, timeout=WAIT_S)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def post_of_mastodon(status: Mapping[str, Any]) -> RawPost:
    """A post of a status; shares count as posts of those who share."""
    account, shared = _table(status.get("account")), _table(status.get("reblog"))
    content = status.get("content") or shared.get("content") or ""
    warning = status.get("spoiler_text") or ""
    created = status.get("created_at")
    return RawPost(
        id=str(status.get("id", ""))[:100],
        text=f"{warning} {content}".strip(),
        author=str(account.get("acct") or account.get("id") or "unknown")[:300],
        time=created if isinstance(created, datetime) and created.tzinfo else parse_time(created),
        language=str(status.get("language") or "")[:20],
    )
