"""Local servers that tests send to: a webhook receiver (which may hang) and a mail sink."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Receiver:
    """What a server got."""

    port: int
    got: list[Any] = field(default_factory=list)
    status: int = 200
    hangs: bool = False
    asked: int = 0
    """Requests that came, also those that were never answered."""
    location: str = ""
    """Where it sends on to; empty for nowhere."""

    @property
    def webhook(self) -> str:
        """The address of a JSON webhook as Apprise writes it, with something secret in it."""
        return f"json://me:top-secret-word@127.0.0.1:{self.port}/hook/?rto=120&cto=120"

    @property
    def mail(self) -> str:
        """The address of a mailbox as Apprise writes it."""
        return f"mailto://127.0.0.1:{self.port}?from=impetus@city.example&to=duty@city.example&mode=insecure"


@asynccontextmanager
async def webhook_receiver(host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """An HTTP server that keeps the JSON that is posted to it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
            )
            body = await reader.readexactly(size)
            receiver.asked += 1
            if receiver.hangs:
                await asyncio.sleep(300)
            if receiver.status < 300:
                receiver.got.append(json.loads(body))
            more = f"Location: {receiver.location}\r\n".encode() if receiver.location else b""
            status = b"HTTP/1.1 %d X\r\n" % receiver.status
            writer.write(status + more + b"Content-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    receiver = Receiver(server.sockets[0].getsockname()[1])
    try:
        yield receiver
    finally:
        server.close()


@asynccontextmanager
async def mail_sink() -> AsyncIterator[Receiver]:
    """An SMTP server that keeps the messages, as text."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                sink.got.append(body.decode())
                writer.write(b"250 kept\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    sink = Receiver(server.sockets[0].getsockname()[1])
    try:
        yield sink
    finally:
        server.close()
