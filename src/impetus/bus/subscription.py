"""A member of a durable consumer of the embedded log."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from impetus.bus import dead_letters, membership
from impetus.bus.log_file import errors_translated
from impetus.bus.membership import Member, Progress, Renewal, SlotState
from impetus.bus.news import News
from impetus.bus.protocol import Delivery
from impetus.bus.reading import Selection, slot_of
from impetus.bus.slots import Slots
from impetus.bus.wakeup import Wakeup
from impetus.bus.writer import Writer
from impetus.model import Clock, Conflict, NotFound, Unavailable


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


class EmbeddedSubscription:
    """Reads the slots that it has; shares them anew when members come and go."""

    def __init__(self, log: Log, me: Member, first: Renewal) -> None:
        self._log = log
        self._me = me
        self._slots = Slots()
        self._lock = asyncio.Lock()
        self._closed = False
        self._draining_since: float | None = None
        self._generation = 0
        self._renew_at = 0.0
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

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Subscription.acknowledge`."""
        # Shielded: a caller that gives up must not leave the memory behind what was written.
        await asyncio.shield(self._settle(deliveries, None))

    async def reject(self, delivery: Delivery, reason: str) -> None:
        """See `Subscription.reject`."""
        await asyncio.shield(self._settle([delivery], reason))

    async def close(self) -> None:
        """See `Subscription.close`."""
        async with self._lock:
            if self._closed:
                return
            self._closed = True
            progress = self._slots.progress_of_idle()
            self._slots.apply({}, progress)
            states = [slot.state(number) for number, slot in self._slots.items()]
            self._slots.clear()
            self._log.left(self)
            await self._log.writer.run(
                lambda connection: membership.leave(connection, self._me, progress, states), announce=True
            )
            self._log.wakeup.notify()

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

    # ---- what is dealt with ----------------------------------------------------------------------------------------

    async def _settle(self, deliveries: Sequence[Delivery], reason: str | None) -> None:
        async with self._lock:
            self._check_open()
            lost = await self._settle_alone(deliveries, reason)
        if lost:
            raise Conflict(
                f"{lost} of {len(deliveries)} messages of {self._me.durable} were not this member's to acknowledge",
                hint="they are delivered again; fetch and acknowledge more often than the lease is long",
            )

    async def _settle_alone(self, deliveries: Sequence[Delivery], reason: str | None) -> int:
        """Write down that these are dealt with; returns how many are another's by now."""
        done, lost = self._sort_out(deliveries)
        progress = self._slots.plan(done)
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

        if done:
            held = await self._log.writer.run(work, flush=reason is not None)
            self._slots.apply(
                {slot: sequences for slot, sequences in done.items() if slot in held},
                Progress({slot: cursor for slot, cursor in progress.cursors.items() if slot in held}),
            )
            for slot in done.keys() - held:
                lost += len(done[slot])
                self._slots.pop(slot, None)
                self._renew_at = 0.0
        if self._draining_since is not None and any(slot.draining and slot.idle for slot in self._slots.values()):
            self._renew_at = 0.0
        return lost

    def _sort_out(self, deliveries: Sequence[Delivery]) -> tuple[dict[int, set[int]], int]:
        """Sequences still to be acknowledged by slot, and how many are not this member's."""
        done: dict[int, set[int]] = {}
        lost = 0
        for delivery in deliveries:
            number = slot_of(delivery.envelope.partition, self._log.slots)
            slot = self._slots.get(number)
            if slot is None or (delivery.sequence > slot.cursor and delivery.sequence not in slot.open):
                lost += 1
            elif slot.open.get(delivery.sequence) is False:
                done.setdefault(number, set()).add(delivery.sequence)
        return done, lost

    # ---- the lease -------------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        async with self._lock:
            self._check_open()
            progress = self._slots.progress_of_idle()
            now = time.monotonic()
            forced: list[SlotState] = []
            if self._draining_since is not None and now > self._draining_since + self._me.lease_s:
                forced = [slot.state(number) for number, slot in self._slots.items() if slot.draining and not slot.idle]
            idle = [number for number, slot in self._slots.items() if slot.idle]

            def work(connection: sqlite3.Connection) -> Renewal | None:
                # Time is asked in here, where it is later than in any transaction before: with an older one, the
                # leases that others renewed meanwhile would seem to end too late to be true.
                return membership.renew(
                    connection,
                    self._me,
                    now=time.monotonic(),
                    alive=self._log.alive,
                    progress=progress,
                    idle=idle,
                    forced=forced,
                )

            renewal = await self._log.writer.run(work)
            if renewal is None:
                raise self._removed()
            self._slots.apply({}, progress)
            self._accept(renewal)
            if renewal.changed:
                self._log.announce()

    def _accept(self, renewal: Renewal) -> None:
        now = time.monotonic()
        self._slots.adopt(renewal.slots)
        self._slots.drain(max(0, renewal.excess))
        if renewal.excess <= 0:
            self._draining_since = None
        elif self._draining_since is None:
            self._draining_since = now
        if renewal.patterns != self._selection.patterns:
            self._selection = Selection(renewal.patterns)
        self._generation = renewal.generation
        self._renew_at = now + self._me.lease_s / 3

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"the subscription to {self._me.durable} is closed", hint="subscribe again")

    def _removed(self) -> NotFound:
        return NotFound(f"the durable consumer {self._me.durable} was removed", hint="subscribe again to start anew")
