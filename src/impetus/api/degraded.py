"""What does not work at the moment: found by the hub, said in words by the pages, so that an operator knows what still
does."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from impetus.bus import Bus, ConsumerState
from impetus.model import Health, HealthState, Unavailable

LOG_PATIENCE_S: Final = 3.0
BEHIND_MESSAGES: Final = 20_000
FULL_BYTES: Final = 256 * 1024**2
LOW_BYTES: Final = 2 * 1024**3
STEP_S: Final = 5.0
STEP_SHOWN_S: Final = 3_600.0


class Lack(StrEnum):
    """Kinds of what does not work; each is a sentence of the status page."""

    LOG_AWAY = "log-away"
    LOG_BEHIND = "log-behind"
    DISK_LOW = "disk-low"
    DISK_FULL = "disk-full"
    CLOCK_STEPPED = "clock-stepped"
    TOOL_DOWN = "tool-down"
    PART_DOWN = "part-down"
    LINE_CUT = "line-cut"


class Limitation(BaseModel):
    """One thing that does not work."""

    lack: Lack
    part: str = ""
    """Which tool, part, channel or consumer."""
    value: float | None = None
    """Messages behind, bytes free, or seconds that the clock was set by."""
    text: str = ""
    """What the part itself says of it."""


@dataclass(slots=True)
class ClockWatch:
    """Notices when the machine's clock is set: it is compared with one that nobody sets."""

    _offset_s: float = field(default_factory=lambda: _offset_s())
    _noticed_s: float | None = None
    _step_s: float = 0.0

    def step_s(self) -> float:
        """By how much the clock was set within the last hour, forwards or (negative) backwards; 0 if it was not."""
        now_s = time.monotonic()
        step_s = _offset_s() - self._offset_s
        if abs(step_s) >= STEP_S:
            self._offset_s += step_s
            self._step_s, self._noticed_s = step_s, now_s
        if self._noticed_s is None or now_s - self._noticed_s > STEP_SHOWN_S:
            return 0.0
        return self._step_s


async def consumers_of(bus: Bus) -> Sequence[ConsumerState] | None:
    """The consumers of the log; None if it does not answer soon."""
    try:
        async with asyncio.timeout(LOG_PATIENCE_S):
            return await bus.consumers()
    except (Unavailable, TimeoutError):
        return None


def limitations(
    *,
    consumers: Sequence[ConsumerState] | None,
    parts: Sequence[Health],
    channels: Sequence[Health],
    home: Path,
    clock_step_s: float = 0.0,
) -> Iterator[Limitation]:
    """All that does not work, the worst first. `channels` lead to other control rooms and to people."""
    if consumers is None:
        yield Limitation(lack=Lack.LOG_AWAY)
    free = _free_bytes(home)
    if free is not None and free < LOW_BYTES:
        yield Limitation(lack=Lack.DISK_FULL if free < FULL_BYTES else Lack.DISK_LOW, value=free)
    if clock_step_s:
        yield Limitation(lack=Lack.CLOCK_STEPPED, value=clock_step_s)
    for part in parts:
        if part.state in (HealthState.RUNNING, HealthState.STARTING):
            continue
        tool = part.part.startswith("worker-")
        name = part.part.removeprefix("worker-")
        yield Limitation(lack=Lack.TOOL_DOWN if tool else Lack.PART_DOWN, part=name, text=part.text)
    for channel in channels:
        if channel.state not in (HealthState.RUNNING, HealthState.STARTING):
            yield Limitation(lack=Lack.LINE_CUT, part=channel.part, text=channel.text)
    for consumer in consumers or ():
        if consumer.pending > BEHIND_MESSAGES:
            yield Limitation(lack=Lack.LOG_BEHIND, part=consumer.durable, value=consumer.pending)


def _offset_s() -> float:
    """The clock less one that counts since the machine was started, also while it sleeps."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
