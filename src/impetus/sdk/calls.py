"""Calls of tools under way: each has a limit of time, and one that does not let go when it is over is hung."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")

OBSERVE_LIMIT_S = 30.0
"""Calls of a tool, but for `handle` and `run`, are cancelled after this time."""
LETTING_GO_LIMIT_S = 15.0
"""One that does not let itself be cancelled within so long is hung: the worker stops its heartbeat, and the supervisor
kills it."""


class Calls:
    """Limits calls, and knows whether one hangs."""

    def __init__(self) -> None:
        self._hung_from_s: dict[object, float] = {}

    async def limited(self, call: Awaitable[Result], limit_s: float | None = None) -> Result:
        """Await a call, at most `limit_s` (`OBSERVE_LIMIT_S` if None). Raises `TimeoutError`, and what it raises."""
        limit_s = OBSERVE_LIMIT_S if limit_s is None else limit_s
        key = object()
        self._hung_from_s[key] = asyncio.get_running_loop().time() + limit_s + min(LETTING_GO_LIMIT_S, limit_s / 2)
        try:
            async with asyncio.timeout(limit_s):
                return await call
        finally:
            del self._hung_from_s[key]

    @property
    def hung(self) -> bool:
        """Whether a call goes on although it was cancelled."""
        now_s = asyncio.get_running_loop().time()
        return any(now_s > from_s for from_s in self._hung_from_s.values())
