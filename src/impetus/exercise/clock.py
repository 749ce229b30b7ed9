"""The clock of an exercise: every process of its installation shows the same time, at the controller's speed.

The time is a straight line over the machine's monotonic clock; its numbers lie in a small file that all processes map
into memory. The controller pauses, or changes the speed, by writing a new line through the present moment. Who directs
the exercise also says how far the line goes: when it is kept from its turn, time waits for it, so that nobody takes
what is only late for what does not come.
"""

from __future__ import annotations

import asyncio
import math
import mmap
import os
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from impetus.model import Clock, ConfigurationError, SystemClock

FASTEST: Final = 60.0
LOOK_S: Final = 0.2
"""A sleeper looks so often whether the speed changed."""
_LINE: Final = struct.Struct("<qddddd")
"""Version (odd while it is being written), monotonic time, exercise time, start of the exercise, speed, and the time of
the exercise beyond which the line does not go."""
Line = tuple[int, float, float, float, float, float]


class ExerciseClock:
    """The time of an exercise. Made by `create` once, then opened by each process with the file's path."""

    def __init__(self, path: Path) -> None:
        """Raises `ConfigurationError` if there is no such clock."""
        try:
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), _LINE.size)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the clock of the exercise in {path} cannot be read: {error}",
                hint="start the exercise with `impetus exercise run` or `impetus demo`",
            ) from error

    @classmethod
    def create(cls, path: Path, start: datetime, speed: float = 1.0) -> ExerciseClock:
        """A clock that shows `start` now."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        begun_s = start.timestamp()
        draft.write_bytes(_LINE.pack(0, time.monotonic(), begun_s, begun_s, _checked(speed), math.inf))
        draft.replace(path)
        return cls(path)

    def now(self) -> datetime:
        """The moment in the exercise, in UTC."""
        return datetime.fromtimestamp(_moment_s(self._read()), UTC)

    def monotonic_s(self) -> float:
        """Seconds of exercise time since its clock was made."""
        line = self._read()
        return _moment_s(line) - line[3]

    @property
    def speed(self) -> float:
        """Exercise seconds a second; 0 while it is paused."""
        return self._read()[4]

    def set_speed(self, speed: float) -> None:
        """Go on from now at this speed; 0 pauses. Raises `ConfigurationError` for one beyond 0 to 60."""
        line = self._read()
        self._write(line, speed=_checked(speed), until_s=line[5])

    def allow(self, ahead_s: float) -> None:
        """Let time go on for so many exercise seconds from now, and no further until this is said again."""
        line = self._read()
        self._write(line, speed=line[4], until_s=_moment_s(line) + ahead_s)

    def _write(self, line: Line, *, speed: float, until_s: float) -> None:
        """A new line through the present moment. One process alone writes."""
        version, start_s = line[0], line[3]
        now = (time.monotonic(), _moment_s(line))
        self._map[:8] = struct.pack("<q", version + 1)
        self._map[8:] = _LINE.pack(0, *now, start_s, speed, until_s)[8:]
        self._map[:8] = struct.pack("<q", version + 2)

    async def sleep(self, seconds: float) -> None:
        """Wait for so much exercise time."""
        until_s = self.monotonic_s() + seconds
        while True:
            left_s, speed = until_s - self.monotonic_s(), self.speed
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s / speed, LOOK_S) if speed > 0 else LOOK_S)

    def _read(self) -> Line:
        while True:
            line: Line = _LINE.unpack(self._map[:])
            if line[0] % 2 == 0 and self._map[:8] == struct.pack("<q", line[0]):
                return line
            time.sleep(0.0001)


def _moment_s(line: Line) -> float:
    _, monotonic_s, moment_s, _, speed, until_s = line
    return min(moment_s + (time.monotonic() - monotonic_s) * speed, until_s)


class WallPacedClock:
    """Shows the time of an exercise and measures spans in real seconds: for what waits on sockets, and for pages."""

    def __init__(self, exercise: ExerciseClock) -> None:
        self._exercise = exercise

    def now(self) -> datetime:
        """The moment in the exercise, in UTC."""
        return self._exercise.now()

    def monotonic_s(self) -> float:
        """Real seconds."""
        return time.monotonic()


def clock_of(path: Path | None, *, paced: bool = False) -> Clock:
    """The clock of an exercise, or the machine's own for the real operation.

    `paced`: its spans are those of the exercise as well, as tools need it; for the rest only the time of day is.
    """
    if path is None:
        return SystemClock()
    clock = ExerciseClock(path)
    return clock if paced else WallPacedClock(clock)


def _checked(speed: float) -> float:
    if not 0 <= speed <= FASTEST:
        raise ConfigurationError(f"an exercise runs at 0 to {FASTEST:g} times the speed, not {speed:g}")
    return speed
