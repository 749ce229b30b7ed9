"""Where live alerts come from: a file that is followed over rotation, and a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO

from impetus.tools.cyber.episodes import SecurityAlert
from impetus.tools.cyber.sensors import LINE_LIMIT_BYTES, parse_line

POLL_S = 0.5
AT_ONCE = 2_000
CONNECTIONS = 64

Taker = Callable[[SecurityAlert], None]


class FollowedFile:
    """Follows a file of lines as it grows. A rotated file is kept open and read to its end, then the new one from its
    start; a line without an end waits for the rest of it."""

    def __init__(self, path: Path, skipped: Counter[str]) -> None:
        self._path = path
        self._skipped = skipped
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._skipping = False

    def read(self, limit: int = AT_ONCE) -> list[SecurityAlert]:
        """What is new, at most about `limit` lines."""
        found: list[SecurityAlert] = []
        self._read_on(limit, found)
        if len(found) < limit and self._is_another():
            self._read_on(limit, found)  # what was written until it was put away
            self._open_anew()
            self._read_on(limit, found)
        return found

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_on(self, limit: int, found: list[SecurityAlert]) -> None:
        if self._file is None:
            return
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # it was emptied in its place
            self._end_line()
            self._file.seek(0)
        for _ in range(limit):
            line = self._file.readline(LINE_LIMIT_BYTES + 1)
            if not line:
                return
            self._take(line, found)

    def _is_another(self) -> bool:
        """Whether another file stands at the path, and the one that is open was read to its end."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        if self._file is None:
            return True
        mine = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino) and self._file.tell() >= mine.st_size

    def _open_anew(self) -> None:
        self.close()
        self._end_line()
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return

    def _end_line(self) -> None:
        """A line whose end never came."""
        if self._rest:
            self._skipped["lines that are cut or no JSON"] += 1
        self._rest, self._skipping = b"", False

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
    try:
        while True:
            found = followed.read()
            for alert in found:
                take(alert)
            await asyncio.sleep(0 if found else POLL_S)
    finally:
        followed.close()


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
