"""Drivers: raw readings of instruments that are no clients of the platform, one small interface for all.

A line protocol over TCP or a serial line, and the replay of a file. Readings that come over MQTT, SensorThings or the
interface need no driver: the platform's connectors bring them.

A line is `value`, `value,unit`, or `time,value,unit` with an ISO 8601 time that names its offset; without a time, it is
of the moment when it came. Anything else is refused and counted, and the next line is read.
"""

from __future__ import annotations

import asyncio
import csv
import math
import os
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from impetus.model import Clock, ConfigurationError, InvalidInput

LONGEST_LINE = 512
CONNECT_S = 10.0
SILENCE_S = 3_600.0
REPLAY_STEP_S = 0.2
"""The clock of an exercise may run faster: it is looked at so often."""
_BAUDS = {rate: getattr(termios, f"B{rate}") for rate in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)}


@dataclass(frozen=True, slots=True)
class RawReading:
    """A reading as the instrument sent it."""

    value: float
    unit: str = ""
    """Empty: the instrument's usual one."""
    time: datetime | None = None
    """None: just now."""


class Driver(Protocol):
    """Reads one instrument until it is cancelled or the source ends."""

    refused: int
    """Lines that were none."""

    def readings(self) -> AsyncIterator[RawReading]:
        """As they come. Raises OSError or TimeoutError when the instrument is away; the caller tries again."""
        ...


def parse_line(line: str) -> RawReading:
    """A line of the protocol. Raises InvalidInput for anything else.

    >>> parse_line("12.5,CFU/L")
    RawReading(value=12.5, unit='CFU/L', time=None)
    """
    fields = [field.strip() for field in line.strip().split(",")]
    time: datetime | None = None
    try:
        if len(fields) == 3:
            time = datetime.fromisoformat(fields.pop(0))
            if time.tzinfo is None:
                raise InvalidInput("a line's time names no offset", hint="as in 2026-03-02T14:05:00+01:00")
        if len(fields) not in (1, 2):
            raise InvalidInput("a line is value, value,unit or time,value,unit")
        value = float(fields[0])
    except ValueError as error:
        raise InvalidInput(f"{line[:60]!r} is no reading", hint="a line is value,unit or time,value,unit") from error
    if not math.isfinite(value):
        raise InvalidInput(f"{line[:60]!r} is no reading: the value is no number")
    return RawReading(value, fields[1][:32] if len(fields) == 2 else "", time)


class LineDriver:
    """The line protocol over TCP (`tcp://HOST:PORT`) or a serial line (`serial:///dev/ttyUSB0?baud=9600`)."""

    def __init__(self, address: str) -> None:
        """Raises ConfigurationError for an address that is none."""
        self.refused = 0
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError:
            port = None
        self._host, self._port, self._device, self._baud = parts.hostname or "", port or 0, "", 9600
        if parts.scheme == "serial" and parts.path:
            self._device = parts.path
            baud = parse_qs(parts.query).get("baud", ["9600"])[0]
            self._baud = int(baud) if baud.isdigit() else 0
            if self._baud not in _BAUDS:
                raise ConfigurationError(f"{address!r} has no baud rate of {', '.join(map(str, _BAUDS))}")
        elif parts.scheme != "tcp" or not self._host or not self._port:
            raise ConfigurationError(
                f"{address[:100]!r} is no address of an instrument", hint="tcp://HOST:PORT or serial:///dev/NAME"
            )

    async def readings(self) -> AsyncIterator[RawReading]:
        """Lines as they come; ends when the instrument closes the line."""
        reader, connection = await self._open()
        try:
            while True:
                try:
                    async with asyncio.timeout(SILENCE_S):
                        line = await reader.readuntil(b"\n")
                except asyncio.IncompleteReadError:
                    return
                except asyncio.LimitOverrunError as error:
                    # A line that never ends is thrown away up to where the buffer ends.
                    await reader.readexactly(error.consumed)
                    self.refused += 1
                    continue
                text = line.decode("ascii", "replace").strip()
                if not text or text.startswith("#"):
                    continue
                try:
                    yield parse_line(text)
                except InvalidInput:
                    self.refused += 1
        finally:
            connection.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter | asyncio.BaseTransport]:
        if not self._device:
            opening = asyncio.open_connection(self._host, self._port, limit=LONGEST_LINE)
            async with asyncio.timeout(CONNECT_S):
                stream, writer = await opening
            return stream, writer  # a writer that nobody holds closes its connection
        number = os.open(self._device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        attributes = termios.tcgetattr(number)
        # Raw: eight bits, no echo, no translation of line ends but that of the reader.
        attributes[0], attributes[1], attributes[3] = 0, 0, 0
        attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes[4] = attributes[5] = _BAUDS[self._baud]
        termios.tcsetattr(number, termios.TCSANOW, attributes)
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        loop = asyncio.get_running_loop()
        file = os.fdopen(number, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        return reader, transport


class ReplayDriver:
    """Readings of a CSV file (`time,value[,unit]`) again, at their distances in time from one another, from now on."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.refused = 0
        self._path, self._clock = path, clock

    async def readings(self) -> AsyncIterator[RawReading]:
        """Until the file ends."""
        began = self._clock.now()
        first: datetime | None = None
        with self._path.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                if row and row[0].strip().lower() == "time":
                    continue
                try:
                    reading = parse_line(",".join([*row, ""][:3]))
                except InvalidInput:
                    self.refused += 1
                    continue
                if reading.time is None:
                    self.refused += 1
                    continue
                first = first or reading.time
                due = began + (reading.time - first)
                while (left_s := (due - self._clock.now()).total_seconds()) > 0:  # noqa: ASYNC110 (no event: time)
                    await asyncio.sleep(min(left_s, REPLAY_STEP_S))
                yield RawReading(reading.value, reading.unit, due)


def driver_of(address: str, clock: Clock) -> Driver:
    """The driver for an address. Raises ConfigurationError if there is none."""
    if address.startswith("replay:"):
        return ReplayDriver(Path(address.removeprefix("replay:")), clock)
    return LineDriver(address)
