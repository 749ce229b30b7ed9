"""Reads one source for as long as something wants its posts: within its limits, and after a failure later and later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from impetus.model import Clock, ImpetusError
from impetus.tools.social.posts import RawPost
from impetus.tools.social.settings import Source
from impetus.tools.social.sources import Progress, read

LONGEST_BREAK_S = 600.0
IDLE_S = 2.0
"""How often it is looked whether an investigation has begun."""


@dataclass
class Health:
    """What became of a source so far."""

    progress: Progress = field(default_factory=Progress)
    posts: int = 0
    left: int = 0
    """Posts beyond what is taken a second."""
    problem: str = ""
    read: datetime | None = None
    failures: int = 0

    @property
    def state(self) -> str:
        """For the page."""
        return "degraded" if self.problem else "ok" if self.read else "waiting"


async def follow(
    source: Source,
    health: Health,
    *,
    wanted: Callable[[], bool],
    take: Callable[[RawPost], Awaitable[None]],
    clock: Clock,
    user_agent: str,
    internal: tuple[str, ...],
) -> None:
    """Give each post to `take` while `wanted` says so; never ends by itself."""
    while True:
        if not wanted():
            await asyncio.sleep(IDLE_S)
            continue
        allowance, second = source.posts_per_s, 0
        stream = read(source, health.progress, user_agent=user_agent, internal=internal)
        try:
            async for raw in stream:
                now_s = int(clock.monotonic_s())
                if now_s != second:
                    second, allowance = now_s, source.posts_per_s
                allowance -= 1
                health.failures, health.problem, health.read = 0, "", clock.now()
                if allowance < 0 and not raw.deleted:
                    health.left += 1
                    continue
                health.posts += not raw.deleted
                await take(raw)
                if not wanted():
                    break
        except ImpetusError as error:
            health.failures += 1
            health.problem = str(error)[:300]
            await asyncio.sleep(min(LONGEST_BREAK_S, 2.0 ** min(health.failures, 9)))
        finally:
            await stream.aclose()
