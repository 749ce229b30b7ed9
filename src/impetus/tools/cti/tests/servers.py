"""Small real servers for the tests: a site, and a SOCKS 5 proxy that resolves names itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

Handler = Callable[[str, Mapping[str, str]], bytes]
BodyHandler = Callable[[str, str, Mapping[str, str], bytes], bytes]


def response(body: bytes, *, status: str = "200 OK", **headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def site(handler: Handler, **options: object) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 with `handler(path, headers)`; gives the port."""
    async with service(lambda method, path, headers, body: handler(path, headers), **options) as port:
        yield port


@contextlib.asynccontextmanager
async def service(handler: BodyHandler, **options: object) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 with `handler(method, path, headers, body)`; gives the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = first.split()
            writer.write(handler(method, path, headers, body))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
    async with server:
        yield int(server.sockets[0].getsockname()[1])


class MispServer:
    """The part of MISP's REST interface that clients need to keep and read events (MISP OpenAPI, 2.4)."""

    KEY = "k" * 40

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.away = False
        self.calls: list[str] = []

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        self.calls.append(f"{method} {path}")
        if self.away:
            return response(b"", status="503 Service Unavailable")
        if headers.get("authorization") != self.KEY:
            return response(b"{}", status="403 Forbidden")
        status, content = self._answer(path.strip("/").removesuffix(".json"), json.loads(body) if body else {})
        return response(json.dumps(content).encode(), status=status, Content_Type="application/json")

    def _answer(self, path: str, content: Any) -> tuple[str, Any]:
        match path.split("/"):
            case ["servers", "getPyMISPVersion" | "getVersion"]:
                return "200 OK", {"version": "2.5.0"}
            case ["users", "view", "me"]:
                return "200 OK", {"User": {"id": "1", "email": "a@b.example"}, "Role": {"id": "1"}, "UserSetting": []}
            case ["events", "view", uuid] if uuid in self.events:
                return "200 OK", {"Event": self.events[uuid]}
            case ["events", "add" | "edit", *_]:
                event = content.get("Event", content)
                self.events[event["uuid"]] = event
                return "200 OK", {"Event": event}
            case ["events", "restSearch"]:
                return "200 OK", {"response": [{"Event": event} for event in self.events.values()]}
            case _:
                return "404 Not Found", {"errors": "there is no such thing"}


@contextlib.asynccontextmanager
async def socks(names: Mapping[str, int]) -> AsyncIterator[int]:
    """A SOCKS 5 proxy (RFC 1928) that knows some names, each as a port of this machine."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = struct.unpack("BB", await reader.readexactly(2))
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, _, _, kind = struct.unpack("BBBB", await reader.readexactly(4))
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode() if kind == 3 else ""
        await reader.readexactly(2)
        if host not in names:
            writer.write(b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00")
            writer.close()
            return
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", names[host])

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65_536):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
