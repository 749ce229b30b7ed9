"""Where live alerts come from: a file that is followed over rotation, and a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from impetus.tools.cyber.episodes import SecurityAlert
from impetus.tools.cyber.sensors import LINE_LIMIT_BYTES, parse_line

POLL_S = 0.5
AT_ONCE = 2_000
CONNECTIONS = 64

Taker = Callable[[SecurityAlert], None]


class FollowedFile:
    """Follows a file of lines as it grows. A rotated file is read to its end, then the new one from its start; a line
    without an end waits for the rest of it."""

    def __init__(self, path: Path, skipped: Counter[str]) -> None:
        self._path = path
        self._skipped = skipped
        self._inode: int | None = None
        self._offset = 0
        self._rest = b""
        self._skipping = False

    def read(self, limit: int = AT_ONCE) -> list[SecurityAlert]:
        """What is new, at most about `limit` lines."""
        found: list[SecurityAlert] = []
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if self._inode != status.st_ino or status.st_size < self._offset:
                    if self._rest:
                        self._skipped["lines that are cut or no JSON"] += 1
                    self._inode, self._offset, self._rest = status.st_ino, 0, b""
                file.seek(self._offset)
                for _ in range(limit):
                    line = file.readline(LINE_LIMIT_BYTES + 1)
                    if not line:
                        break
                    self._offset += len(line)
                    self._take(line, found)
        except FileNotFoundError:
            return found
        return found

    def _take(self, line: bytes, found: list[SecurityAlert]) -> None:
        whole = line.endswith(b"\n")
        if self._skipping:
            self._skipping = not whole
            return
        line = self._rest + line
        self._rest = b""
        if not whole:
            if len(line) > LINE_LIMIT_BYTES:
                self._skipped["lines longer than 1 MB"] += 1
                self._skipping = True
            else:
                self._rest = line
            return
        alert = parse_line(line, self._skipped)
        if alert is not None:
            found.append(alert)


async def follow(path: Path, skipped: Counter[str], take: Taker) -> None:
    """Follow a file for ever."""
    followed = FollowedFile(path, skipped)
    while True:
        found = followed.read()
        for alert in found:
            take(alert)
        await asyncio.sleep(0 if found else POLL_S)


async def listen(host: str, port: int, skipped: Counter[str], take: Taker) -> None:
    """Take lines from TCP connections for ever. Raises OSError if the port cannot be had."""
    open_now = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        if open_now >= CONNECTIONS:
            skipped[f"connections beyond {CONNECTIONS}"] += 1
            writer.close()
            return
        open_now += 1
        try:
            while True:
                try:
                    line = await reader.readuntil(b"\n")
                except asyncio.LimitOverrunError:
                    skipped["lines longer than 1 MB"] += 1
                    break
                except asyncio.IncompleteReadError as end:
                    if end.partial.strip():
                        skipped["lines that are cut or no JSON"] += 1
                    break
                except ConnectionError:
                    break
                alert = parse_line(line, skipped)
                if alert is not None:
                    take(alert)
        finally:
            open_now -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, host, port, limit=LINE_LIMIT_BYTES)
    async with server:
        await server.serve_forever()
