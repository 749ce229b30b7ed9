"""What a tool emitted and is not on the bus yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from impetus.bus import Bus
from impetus.model import Envelope, InvalidInput, Unavailable
from impetus.sdk.spool import Spool

FLUSH_AFTER_S = 0.01
"""A message waits at most about this long for others to share a commit with."""
PENDING_LIMIT = 2_000
"""With more messages waiting, a tool that emits has to wait too, unless they can go to the disk."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

log = structlog.get_logger("worker")


class Outgoing:
    """Collects messages and publishes them in order, several in one commit. While the bus is away they go to the spool
    on this machine's disk, so that neither a tool with sources of its own has to stop nor a restart loses them."""

    def __init__(self, bus: Bus, on_state: Callable[[str | None], None], spool: Spool | None = None) -> None:
        """`on_state` gets a text while the bus takes no messages or some were dropped, and None when all is well."""
        self._bus = bus
        self._on_state = on_state
        self._spool = spool
        self._pending: list[Envelope] = []
        self._added = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._away = False
        self._moved = 0
        if spool is not None and spool.waiting:
            self._added.set()

    @property
    def crowded(self) -> bool:
        """Whether so much waits that whoever adds more has to wait too."""
        return len(self._pending) > PENDING_LIMIT

    async def add(self, envelopes: Sequence[Envelope]) -> None:
        """Take messages; they are published soon, and at the latest by the next `flush`."""
        self._pending.extend(envelopes)
        self._added.set()
        if self.crowded and not (self._away and self._set_aside()):
            await self._flush(patient=False)

    async def flush(self) -> None:
        """Return when all that was added before is on the bus; waits as long as the bus has no room."""
        await self._flush(patient=True)

    async def _flush(self, *, patient: bool) -> None:
        """With less patience, return also when all is on this machine's disk: `run` publishes it later."""
        pause_s = FIRST_PAUSE_S
        async with self._publishing:
            while self._pending or self._spooled:
                try:
                    await self._publish_some()
                except Unavailable as error:
                    self._away = True
                    kept = self._set_aside()
                    self._on_state(f"the bus takes no messages: {error}; {self._words()}")
                    log.warning("bus unavailable", error=str(error), waiting=len(self._pending) + self._spooled)
                    if kept and not patient:
                        return
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                else:
                    self._away = False
                    dropped = self._spool.dropped if self._spool is not None else 0
                    self._on_state(_dropped_words(dropped) if dropped else None)

    async def _publish_some(self) -> None:
        """Publish the oldest messages, those of the spool first. Raises `Unavailable`."""
        if self._spool is not None and self._spool.waiting:
            number, batch = self._spool.first(PENDING_LIMIT)
            await self._publish(batch)
            self._spool.remove(number)
            return
        batch, before = self._pending[:PENDING_LIMIT], self._moved
        await self._publish(batch)
        # What went to the disk meanwhile is published from there again; the bus knows it by its ids.
        if self._moved == before:
            del self._pending[: len(batch)]

    async def _publish(self, batch: Sequence[Envelope]) -> None:
        try:
            await self._bus.publish(batch)
        except InvalidInput:
            await self._publish_singly(batch)

    def _set_aside(self) -> bool:
        """Put what waits in memory onto the disk; false without a disk that takes it."""
        if self._spool is None or not self._spool.keep(self._pending):
            return False
        self._pending.clear()
        self._moved += 1
        return True

    @property
    def _spooled(self) -> int:
        return 0 if self._spool is None else self._spool.waiting

    def _words(self) -> str:
        """What became of the messages meanwhile, for the status board."""
        words = [f"{self._spooled} wait on this machine's disk"] if self._spooled else []
        words += [f"{len(self._pending)} wait"] if self._pending else []
        if self._spool is not None and self._spool.dropped:
            words.append(_dropped_words(self._spool.dropped))
        return ", ".join(words) or "none waits"

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


def _dropped_words(count: int) -> str:
    return f"{count} of the least severity were dropped while the bus was away, since the disk's share was full"
