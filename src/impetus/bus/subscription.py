"""A member of a durable consumer of the embedded log."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from impetus.bus import dead_letters, membership
from impetus.bus.leasing import LeasedSubscription
from impetus.bus.log_file import errors_translated
from impetus.bus.membership import Member, Progress, Renewal, SlotState
from impetus.bus.news import News
from impetus.bus.protocol import Delivery
from impetus.bus.reading import Selection, slot_of
from impetus.bus.wakeup import Wakeup
from impetus.bus.writer import Writer
from impetus.model import Clock


class Log(Protocol):
    """What a subscription needs of the bus that it belongs to."""

    clock: Clock
    path: Path
    slots: int
    reader: sqlite3.Connection

    @property
    def writer(self) -> Writer: ...
    @property
    def wakeup(self) -> Wakeup: ...
    @property
    def news(self) -> News: ...
    @property
    def dead_letters_limit(self) -> int: ...
    def alive(self, instance: int) -> bool: ...
    def announce(self) -> None: ...
    def left(self, subscription: EmbeddedSubscription) -> None: ...


class EmbeddedSubscription(LeasedSubscription):
    """Reads the slots that it has; shares them anew when members come and go."""

    def __init__(self, log: Log, me: Member, first: Renewal) -> None:
        super().__init__(me, log.slots)
        self._log = log
        self._generation = 0
        self._selection = Selection(first.patterns)
        self._accept(first)

    async def fetch(self, limit: int = 100, *, timeout_s: float = 1.0) -> Sequence[Delivery]:
        """See `Subscription.fetch`."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._log.wakeup.count
            newest, generation = self._look()
            if generation != self._generation or time.monotonic() >= self._renew_at:
                await asyncio.shield(self._renew())
                newest, _ = self._look(afresh=True)
            deliveries, more = self._read(limit, newest)
            now = time.monotonic()
            if deliveries or (now >= deadline and not more):
                return deliveries
            if more:
                await asyncio.sleep(0)
            else:
                await self._log.wakeup.wait(seen, min(deadline, self._renew_at) - now)

    # ---- reading ---------------------------------------------------------------------------------------------------

    def _look(self, *, afresh: bool = False) -> tuple[int, int]:
        """Newest sequence of the log, and the generation of the durable consumer."""
        self._check_open()
        news = self._log.news
        news.look(afresh=afresh)
        generation = news.generations.get(self._me.durable)
        if generation is None:
            raise self._removed()
        return news.newest, generation

    def _read(self, limit: int, newest: int) -> tuple[Sequence[Delivery], bool]:
        """Messages that are there, and whether a further look may find some at once."""
        group = self._slots.next_group(newest)
        if group is None:
            return [], False
        mask, after, through = group
        if not self._log.news.any_after((pattern.kind for pattern in self._selection.patterns), after):
            self._slots.advance(mask, through)
            return [], True
        with errors_translated(self._log.path):
            page = self._selection.read(self._log.reader, after=after, through=through, limit=limit, slots=mask)
        self._slots.advance(mask, page.through)
        taken = [self._slots[slot].take(delivery) for slot, delivery in page.messages]
        return [delivery for delivery in taken if delivery is not None], True

    # ---- what is dealt with, and the lease -------------------------------------------------------------------------

    async def _record(
        self,
        deliveries: Sequence[Delivery],
        done: Mapping[int, Collection[int]],
        progress: Progress,
        reason: str | None,
    ) -> frozenset[int]:
        now_us = dead_letters.microseconds(self._log.clock)

        def work(connection: sqlite3.Connection) -> frozenset[int]:
            held = membership.record(connection, self._me, progress)
            if reason is not None:
                for delivery in deliveries:
                    if slot_of(delivery.envelope.partition, self._log.slots) in held:
                        dead_letters.keep_rejected(
                            connection,
                            delivery.envelope,
                            self._me.durable,
                            reason,
                            now_us,
                            self._log.dead_letters_limit,
                        )
            return held

        return await self._log.writer.run(work, flush=reason is not None)

    async def _exchange(self) -> Renewal:
        standing = self._standing()

        def work(connection: sqlite3.Connection) -> Renewal | None:
            # Time is asked in here, where it is later than in any transaction before: with an older one, the leases
            # that others renewed meanwhile would seem to end too late to be true.
            return membership.renew(
                connection,
                self._me,
                now=time.monotonic(),
                alive=self._log.alive,
                progress=standing.progress,
                idle=standing.idle,
                forced=standing.forced,
            )

        renewal = await self._log.writer.run(work)
        if renewal is None:
            raise self._removed()
        self._slots.apply({}, standing.progress)
        return renewal

    def _accept(self, renewal: Renewal) -> None:
        super()._accept(renewal)
        if renewal.patterns != self._selection.patterns:
            self._selection = Selection(renewal.patterns)
        self._generation = renewal.generation

    async def _announce(self) -> None:
        self._log.announce()

    async def _leave(self, progress: Progress, states: Sequence[SlotState]) -> None:
        self._log.left(self)
        await self._log.writer.run(
            lambda connection: membership.leave(connection, self._me, progress, states), announce=True
        )
        self._log.wakeup.notify()
