"""What does not work at the moment: found by the hub, said in words by the pages, so that an operator knows what still
does."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
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


async def consumers_of(bus: Bus) -> Sequence[ConsumerState] | str:
    """The consumers of the log; if it does not answer soon what it says of that, as far as it says anything."""
    try:
        async with asyncio.timeout(LOG_PATIENCE_S):
            return await bus.consumers()
    except Unavailable as error:
        return str(error)
    except TimeoutError:
        return ""


def limitations(
    *,
    consumers: Sequence[ConsumerState] | str,
    parts: Sequence[Health],
    channels: Sequence[Health],
    home: Path,
    clock_step_s: float = 0.0,
) -> Iterator[Limitation]:
    """All that does not work, the worst first. `consumers` as `consumers_of` has them; `channels` lead to other control
    rooms and to people."""
    if isinstance(consumers, str):
        yield Limitation(lack=Lack.LOG_AWAY, text=consumers)
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
    for consumer in () if isinstance(consumers, str) else consumers:
        if consumer.pending > BEHIND_MESSAGES:
            yield Limitation(lack=Lack.LOG_BEHIND, part=consumer.durable, value=consumer.pending)


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
