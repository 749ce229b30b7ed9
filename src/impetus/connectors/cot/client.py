"""A connection to a TAK server that is made again whenever it is lost, ever more slowly."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from impetus.connectors.cot.event import CotEvent, read_event, write_event
from impetus.connectors.cot.framing import EventSplitter
from impetus.connectors.cot.settings import CotSettings
from impetus.model import Clock, ConfigurationError, InvalidInput

PING_INTERVAL_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10.0
SEND_TIMEOUT_S: Final = 10.0

log = structlog.get_logger(__name__)


class TakClient:
    """Sends events to a TAK server and hands what comes from it to `receive`; `refuse` gets what is no event."""

    def __init__(
        self,
        settings: CotSettings,
        clock: Clock,
        receive: Callable[[CotEvent], None],
        refuse: Callable[[bytes, str], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._receive = receive
        self._refuse = refuse
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._context = _tls(settings) if settings.tls else None
        self.trouble = "not connected yet"
        """What is wrong at the moment; empty while connected."""

    async def run(self) -> None:
        """Stay connected until cancelled."""
        wait_s = self._settings.retry_first_s
        while True:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    reader, writer = await asyncio.open_connection(
                        self._settings.host, self._settings.port, ssl=self._context
                    )
            except (OSError, TimeoutError) as error:
                self.trouble = f"the TAK server does not answer ({type(error).__name__}), next try in {wait_s:.0f} s"
                log.warning("no connection to the TAK server", error=type(error).__name__, wait_s=wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, self._settings.retry_longest_s)
                continue
            self._writer, self.trouble = writer, ""
            self._connected.set()
            connected_s = self._clock.monotonic_s()
            pinging = asyncio.create_task(self._ping())
            try:
                await self._read(reader)
            finally:
                pinging.cancel()
                self._connected.clear()
                self._writer = None
                writer.close()
                with contextlib.suppress(Exception):
                    await writer.wait_closed()
            self.trouble = "the TAK server closed the connection"
            # One that lasted begins anew; one that is closed at once is not hammered.
            if self._clock.monotonic_s() - connected_s > self._settings.retry_longest_s:
                wait_s = self._settings.retry_first_s
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, self._settings.retry_longest_s)

    async def send(self, event: CotEvent) -> None:
        """Hand the event to the server; waits for a connection, and tries again on the next one when it breaks."""
        content = write_event(event)
        while True:
            await self._connected.wait()
            writer = self._writer
            if writer is None:
                await asyncio.sleep(0)
                continue
            try:
                writer.write(content)
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await writer.drain()
                return
            except (OSError, TimeoutError):
                # A server that takes nothing is as good as none: the reader below notices and connects again.
                self._connected.clear()
                writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        splitter = EventSplitter()
        discarded = 0
        while True:
            try:
                data = await reader.read(16_384)
            except OSError:
                return
            if not data:
                return
            for piece in splitter.feed(data):
                try:
                    event = read_event(piece)
                except InvalidInput as error:
                    self._refuse(piece, str(error))
                else:
                    self._receive(event)
            if splitter.discarded > discarded:
                discarded = splitter.discarded
                self._refuse(data[:1_000], "the stream held something that is no whole event")

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_INTERVAL_S)
            now = self._clock.now()
            await self.send(
                CotEvent(
                    uid=f"{self._settings.uid}-ping",
                    type="t-x-c-t",
                    time=now,
                    start=now,
                    stale=now,
                    latitude=0.0,
                    longitude=0.0,
                )
            )


def _tls(settings: CotSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the certificates for the TAK server cannot be read: {error}", hint="Check the paths under [cot]."
        ) from error
    return context
