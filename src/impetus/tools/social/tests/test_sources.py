"""Protects sources against the protocols that they speak: local servers, breaks, changed formats."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from impetus.model import ImpetusError, InvalidInput, NotAllowed, Unavailable
from impetus.tools.social import guarding
from impetus.tools.social.posts import RawPost
from impetus.tools.social.settings import Source
from impetus.tools.social.sources import Progress, read

STATUS: dict[str, Any] = {
    "id": "101", "created_at": "2026-03-02T10:00:00.000Z", "content": "<p>Smoke at the <b>harbour</b></p>",
    "account": {"id": "5", "acct": "someone@other.example", "username": "someone"}, "language": "en",
    "visibility": "public", "spoiler_text": "", "reblog": None, "media_attachments": [], "mentions": [], "tags": [],
}  # fmt: skip


def source(kind: str, address: str, **more: Any) -> Source:
    return Source(id="s", title="A source", kind=kind, address=address, every_s=1, **more)  # type: ignore[arg-type]


async def taken(posts: AsyncIterator[RawPost], number: int) -> list[RawPost]:
    found = []
    async with asyncio.timeout(60):
        async for post in posts:
            found.append(post)
            if len(found) == number:
                break
    await posts.aclose()  # type: ignore[attr-defined]
    return found


@contextmanager
def web(answer: Any) -> Iterator[int]:
    """A server on a free port; `answer(handler)` writes each answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def body(handler: Any, text: str, media_type: str, status: int = 200, **headers: str) -> None:
    data = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", media_type)
    handler.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


async def test_jetstream_is_read_and_resumed_where_it_broke() -> None:
    asked: list[str] = []

    def commit(number: int, **more: Any) -> str:
        record = {"$type": "app.bsky.feed.post", "text": f"post {number}", "langs": ["en"]}
        inner = {
            "operation": "create",
            "collection": "app.bsky.feed.post",
            "rkey": f"r{number}",
            "record": record,
            **more,
        }
        return json.dumps(
            {"did": "did:plc:abc", "time_us": 1_772_445_600_000_000 + number, "kind": "commit", "commit": inner}
        )

    async def speak(connection: ServerConnection) -> None:
        asked.append(connection.request.path if connection.request else "")
        await connection.send(commit(1))
        await connection.send(json.dumps({"did": "x", "time_us": 1_772_445_600_000_002, "kind": "identity"}))
        await connection.send("not json")
        await connection.send(commit(3, record={"txt": "renamed"}))
        await connection.send(commit(4, operation="delete"))
        await connection.close()

    async with serve(speak, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        progress = Progress()
        wanted = source("jetstream", f"ws://127.0.0.1:{port}/subscribe")

        def posts() -> AsyncIterator[RawPost]:
            return read(wanted, progress, user_agent="t", internal=(f"127.0.0.1:{port}",))

        first, gone = await taken(posts(), 2)
        assert (first.text, first.language, gone.deleted, gone.id) == ("post 1", "en", True, "did:plc:abc/r4")
        assert len(progress.problems) == 2
        with pytest.raises(Unavailable):
            await taken(posts(), 99)
        assert f"cursor={1_772_445_600_000_004 - 5_000_000}" in asked[1]


async def test_mastodon_streams_and_asks_for_what_was_missed() -> None:
    asked: list[str] = []

    def answer(handler: Any) -> None:
        asked.append(handler.path)
        if handler.path.startswith("/api/v1/streaming/hashtag"):
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.end_headers()
            fresh = {**STATUS, "id": "103"}
            handler.wfile.write(b":thump\n\n")
            handler.wfile.write(f"event: update\ndata: {json.dumps(fresh)}\n\n".encode())
            handler.wfile.write(b"event: delete\ndata: 101\n\n")
            handler.wfile.flush()
        elif handler.path.startswith("/api/v1/timelines/tag/harbour"):
            body(handler, json.dumps([{**STATUS, "id": "102"}]), "application/json")
        elif handler.path.startswith(("/api/v1/instance", "/api/v2/instance")):
            body(handler, json.dumps({"uri": "local", "version": "4.3.0", "urls": {}}), "application/json")
        else:
            body(handler, "{}", "application/json", 404)

    with web(answer) as port:
        wanted = source("mastodon", f"http://127.0.0.1:{port}", hashtag="harbour")
        progress = Progress(cursor="101")
        found = await taken(read(wanted, progress, user_agent="t", internal=(f"127.0.0.1:{port}",)), 3)
    missed, fresh, gone = found
    assert (missed.id, fresh.id, gone.id, gone.deleted) == ("102", "103", "101", True)
    assert fresh.author == "someone@other.example"
    assert fresh.time is not None
    assert progress.cursor == "103" or progress.cursor == "102"
    assert any("min_id=101" in path for path in asked)


async def test_a_feed_gives_each_entry_once_and_a_broken_one_is_refused() -> None:
    answers = iter([200, 304])

    def answer(handler: Any) -> None:
        if handler.path == "/broken":
            body(handler, "this is no feed", "text/plain")
            return
        if next(answers, 304) == 304:
            body(handler, "", "text/xml", 304)
            return
        items = "".join(
            f"<item><guid>{n}</guid><title>Fire {n}</title><description>&lt;script&gt;x()&lt;/script&gt;at the port"
            "</description><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>"
            for n in range(2)
        )
        body(handler, f"<rss version='2.0'><channel><title>T</title>{items}</channel></rss>", "text/xml", ETag='"1"')

    with web(answer) as port:
        internal = (f"127.0.0.1:{port}",)
        found = await taken(
            read(source("rss", f"http://127.0.0.1:{port}/"), Progress(), user_agent="t", internal=internal), 2
        )
        assert [post.text[:6] for post in found] == ["Fire 0", "Fire 1"]
        assert found[0].time is not None
        with pytest.raises(InvalidInput):
            await taken(
                read(source("rss", f"http://127.0.0.1:{port}/broken"), Progress(), user_agent="t", internal=internal), 1
            )
        with pytest.raises(NotAllowed):
            await taken(read(source("rss", f"http://127.0.0.1:{port}/"), Progress(), user_agent="t", internal=()), 1)


async def test_a_file_is_read_on_as_it_grows(tmp_path: Any) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text('{"text": "one"}\nbroken\n{"text": "two"}\n{"text": "half')
    progress = Progress()
    found = await taken(read(source("file", str(file)), progress, user_agent="t", internal=()), 2)
    assert [post.text for post in found] == ["one", "two"]
    assert len(progress.problems) == 1
    progress.cursor = str(len('{"text": "one"}\nbroken\n{"text": "two"}\n'))
    with file.open("a") as stream:
        stream.write(' done"}\n')
    (third,) = await taken(read(source("file", str(file)), progress, user_agent="t", internal=()), 1)
    assert third.text == "half done"
    with pytest.raises(ImpetusError):
        await taken(read(source("file", str(tmp_path)), Progress(), user_agent="t", internal=()), 1)


def test_a_source_inside_the_network_is_reached_only_where_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when its name leads there only after it was looked at (DNS rebinding)."""
    asked: list[str] = []

    def answer(handler: Any) -> None:
        asked.append(handler.path)
        body(handler, "inside", "text/plain")

    with web(answer) as port:
        assert guarding.session([f"127.0.0.1:{port}"]).get(f"http://127.0.0.1:{port}/named", timeout=60).ok
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(NotAllowed, match="inside a network"):
                guarding.session([]).get(f"http://{host}:{port}/", timeout=60)
        resolved = iter(["9.9.9.9", "127.0.0.1"])

        def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(resolved), port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        with pytest.raises(NotAllowed, match="inside a network"):
            guarding.session([]).get(f"http://rebinding.example:{port}/", timeout=60)
        monkeypatch.undo()
    assert asked == ["/named"]
