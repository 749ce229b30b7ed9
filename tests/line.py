"""A line between two programs on this machine that can be cut: neither side is told, as when a cable is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 64 * 1024
START_TIMEOUT_S = 60.0


class Line:
    """Listens on a loopback port and passes on to another one, in a thread of its own."""

    def __init__(self, port: int) -> None:
        """`port`: where what comes over the line arrives."""
        self.port = 0
        """Where the line begins, once it is there."""
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._pumps: set[asyncio.Task[None]] = set()
        self._there = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)

    def cut(self) -> None:
        """From now on nothing comes out at either end; connections stay as they are."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def mend(self) -> None:
        """Pass on again, beginning with what was sent meanwhile."""
        self._loop.call_soon_threadsafe(self._passing.set)

    def start(self) -> None:
        """Be there when this returns."""
        self._thread.start()
        if not self._there.wait(START_TIMEOUT_S):
            raise TimeoutError("the line did not come about")

    def stop(self) -> None:
        """Close all connections, and the port."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(START_TIMEOUT_S)

    def _run(self) -> None:
        self._passing.set()
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._there.set()
        await self._over.wait()
        server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection; the task that it is passed on by is kept, since the loop holds it weakly only."""
        pump = self._loop.create_task(self._pass_on(reader, writer))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _pass_on(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            await self._passing.wait()
            far, forth = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                there = asyncio.create_task(self._pump(near, forth))
                here = asyncio.create_task(self._pump(far, back))
                try:
                    await asyncio.wait({there, here}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    there.cancel()
                    here.cancel()
                    await asyncio.gather(there, here, return_exceptions=True)
            finally:
                forth.transport.abort()
        except OSError:
            pass  # nobody listens at the other end: who called finds the connection closed
        finally:
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a loopback port."""
    line = Line(port)
    line.start()
    try:
        yield line
    finally:
        line.stop()
