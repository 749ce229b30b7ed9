"""Long work on the event loop, in pieces: what people do meanwhile does not wait for the end of it."""

from __future__ import annotations

import asyncio
import time

PIECE_S = 0.004
"""How long others wait at most for one piece."""


class Pace:
    """Gives others as much time as the work takes, as soon as a piece of it has taken `PIECE_S`."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    async def pause(self) -> None:
        """Call between steps of the work; mostly returns at once."""
        took_s = time.perf_counter() - self._began_s
        if took_s >= PIECE_S:
            await asyncio.sleep(took_s)
            self._began_s = time.perf_counter()
