"""What every member of a durable consumer does with its slots, whatever keeps the log: lease, settle, hand over."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from impetus.bus.membership import Member, Progress, Renewal, SlotState
from impetus.bus.protocol import Delivery
from impetus.bus.reading import slot_of
from impetus.bus.slots import Slots
from impetus.model import Conflict, NotFound, Unavailable


@dataclass(frozen=True)
class Standing:
    """What a member tells when it renews its lease.

    `progress`: how far its idle slots are; `idle`: slots without an open delivery; `forced`: states of slots that it
    was to give up a whole lease ago and whose deliveries nobody dealt with.
    """

    progress: Progress
    idle: Sequence[int]
    forced: Sequence[SlotState]


class LeasedSubscription(ABC):
    """A member's slots and its lease; what is written where is a matter of the log's kind.

    Nothing is acknowledged that another member has by now: slots are settled only where the log says that this member
    still holds them.
    """

    def __init__(self, me: Member, slots: int) -> None:
        self._me = me
        self._slots = Slots()
        self._slot_count = slots
        self._lock = asyncio.Lock()
        self._closed = False
        self._draining_since: float | None = None
        self._renew_at = 0.0

    # ---- what the kind of log decides ------------------------------------------------------------------------------

    @abstractmethod
    async def _record(
        self,
        deliveries: Sequence[Delivery],
        done: Mapping[int, Collection[int]],
        progress: Progress,
        reason: str | None,
    ) -> frozenset[int]:
        """Write down progress, with `reason` as dead letters too; returns the slots that this member still holds."""

    @abstractmethod
    async def _exchange(self) -> Renewal:
        """Renew the lease at the log with `_standing`'s answer; raises `NotFound` if the durable consumer is gone."""

    @abstractmethod
    async def _announce(self) -> None:
        """Tell the other members that slots have moved."""

    @abstractmethod
    async def _leave(self, progress: Progress, states: Sequence[SlotState]) -> None:
        """Give everything back to the log."""

    # ---- what is dealt with ----------------------------------------------------------------------------------------

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Subscription.acknowledge`."""
        # Shielded: a caller that gives up must not leave the memory behind what was written.
        await asyncio.shield(self._settle(deliveries, None))

    async def reject(self, delivery: Delivery, reason: str) -> None:
        """See `Subscription.reject`."""
        await asyncio.shield(self._settle([delivery], reason))

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
        if done:
            progress = self._slots.plan(done)
            held = await self._record(deliveries, done, progress, reason)
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
            number = slot_of(delivery.envelope.partition, self._slot_count)
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
            renewal = await self._exchange()
            self._accept(renewal)
            if renewal.changed:
                await self._announce()

    def _standing(self) -> Standing:
        """What is to be told at this moment; the progress in it is to be applied once it is written."""
        forced: list[SlotState] = []
        if self._draining_since is not None and time.monotonic() > self._draining_since + self._me.lease_s:
            forced = [slot.state(number) for number, slot in self._slots.items() if slot.draining and not slot.idle]
        idle = [number for number, slot in self._slots.items() if slot.idle]
        return Standing(self._slots.progress_of_idle(), idle, forced)

    def _accept(self, renewal: Renewal) -> None:
        now = time.monotonic()
        self._slots.adopt(renewal.slots)
        self._slots.drain(max(0, renewal.excess))
        if renewal.excess <= 0:
            self._draining_since = None
        elif self._draining_since is None:
            self._draining_since = now
        self._renew_at = now + self._me.lease_s / 3

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
            await self._leave(progress, states)

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"the subscription to {self._me.durable} is closed", hint="subscribe again")

    def _removed(self) -> NotFound:
        return NotFound(f"the durable consumer {self._me.durable} was removed", hint="subscribe again to start anew")
