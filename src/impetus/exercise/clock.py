"""The clock of an exercise: every process of its installation shows the same time, at the controller's speed.

The time is a straight line over the machine's monotonic clock; its three numbers lie in a small file that all processes
map into memory. The controller pauses, or changes the speed, by writing a new line through the present moment.
"""

from __future__ import annotations

import asyncio
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
_LINE: Final = struct.Struct("<qdddd")
"""Version (odd while it is being written), monotonic time, exercise time, start of the exercise, speed."""


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
        draft.write_bytes(_LINE.pack(0, time.monotonic(), begun_s, begun_s, _checked(speed)))
        draft.replace(path)
        return cls(path)

    def now(self) -> datetime:
        """The moment in the exercise, in UTC."""
        return datetime.fromtimestamp(self._moment_s(), UTC)

    def monotonic_s(self) -> float:
        """Seconds of exercise time since its clock was made."""
        _, monotonic_s, moment_s, start_s, speed = self._read()
        return moment_s - start_s + (time.monotonic() - monotonic_s) * speed

    @property
    def speed(self) -> float:
        """Exercise seconds a second; 0 while it is paused."""
        return self._read()[4]

    def set_speed(self, speed: float) -> None:
        """Go on from now at this speed; 0 pauses. Raises `ConfigurationError` for one beyond 0 to 60."""
        checked = _checked(speed)
        version, _, _, start_s, _ = self._read()
        real_s, moment_s = time.monotonic(), self._moment_s()
        self._map[:8] = struct.pack("<q", version + 1)
        self._map[8:] = _LINE.pack(0, real_s, moment_s, start_s, checked)[8:]
        self._map[:8] = struct.pack("<q", version + 2)

    async def sleep(self, seconds: float) -> None:
        """Wait for so much exercise time."""
        until_s = self.monotonic_s() + seconds
        while True:
            left_s, speed = until_s - self.monotonic_s(), self.speed
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s / speed, LOOK_S) if speed > 0 else LOOK_S)

    def _moment_s(self) -> float:
        _, monotonic_s, moment_s, _, speed = self._read()
        return moment_s + (time.monotonic() - monotonic_s) * speed

    def _read(self) -> tuple[int, float, float, float, float]:
        while True:
            line: tuple[int, float, float, float, float] = _LINE.unpack(self._map[:])
            if line[0] % 2 == 0 and self._map[:8] == struct.pack("<q", line[0]):
                return line
            time.sleep(0.0001)


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
