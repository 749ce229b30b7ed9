"""What a tool emitted and is not on the bus yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from impetus.bus import Bus
from impetus.model import Envelope, InvalidInput, Unavailable

FLUSH_AFTER_S = 0.01
"""A message waits at most about this long for others to share a commit with."""
PENDING_LIMIT = 2_000
"""With more messages waiting, a tool that emits has to wait too."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

log = structlog.get_logger("worker")


class Outgoing:
    """Collects messages and publishes them in order, several in one commit; keeps them while the bus has no room."""

    def __init__(self, bus: Bus, on_state: Callable[[str | None], None]) -> None:
        """`on_state` gets a text while the bus takes no messages, and None when it does again."""
        self._bus = bus
        self._on_state = on_state
        self._pending: list[Envelope] = []
        self._added = asyncio.Event()
        self._publishing = asyncio.Lock()

    @property
    def crowded(self) -> bool:
        """Whether so much waits that whoever adds more has to wait too."""
        return len(self._pending) > PENDING_LIMIT

    async def add(self, envelopes: Sequence[Envelope]) -> None:
        """Take messages; they are published soon, and at the latest by the next `flush`."""
        self._pending.extend(envelopes)
        self._added.set()
        if self.crowded:
            await self.flush()

    async def flush(self) -> None:
        """Return when all that was added before is on disk; waits as long as the bus has no room."""
        pause_s = FIRST_PAUSE_S
        async with self._publishing:
            while self._pending:
                batch = self._pending[:PENDING_LIMIT]
                try:
                    await self._bus.publish(batch)
                except Unavailable as error:
                    self._on_state(f"the bus takes no messages: {error}; {len(self._pending)} wait")
                    log.warning("bus unavailable", error=str(error), waiting=len(self._pending))
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                    continue
                except InvalidInput:
                    await self._publish_singly(batch)
                del self._pending[: len(batch)]
                self._on_state(None)

    async def _publish_singly(self, batch: Sequence[Envelope]) -> None:
        """One message is refused for good: it becomes a dead letter and does not hold up the others."""
        for envelope in batch:
            try:
                await self._bus.publish([envelope])
            except InvalidInput as error:
                await self._bus.set_aside(
                    envelope.tenant, envelope.source.lstrip("/"), envelope.subject, envelope.data, str(error)
                )

    async def run(self) -> None:
        """Publish what is added outside of a round of observations; runs until it is cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(FLUSH_AFTER_S)
            self._added.clear()
            await self.flush()
