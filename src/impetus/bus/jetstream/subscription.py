"""A member of a durable consumer of the log on JetStream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import structlog

from impetus.bus.jetstream.connection import Connection, Refused
from impetus.bus.jetstream.group import Group
from impetus.bus.jetstream.groups import Groups, Kept
from impetus.bus.jetstream.letters import Letters
from impetus.bus.jetstream.reader import Found, LogReader
from impetus.bus.jetstream.wire import common_filter, envelope_of, matches, slot_and_subject
from impetus.bus.membership import Member, Progress, Renewal, SlotState
from impetus.bus.protocol import Delivery
from impetus.bus.reading import slot_of
from impetus.bus.slots import Slots
from impetus.bus.subjects import SubjectPattern
from impetus.model import SYSTEM_TENANT, Conflict, NotFound, Unavailable

Result = TypeVar("Result")
_log = structlog.get_logger("impetus.bus")
_LOOKS = 1_000
"""So many messages of others are looked at for the first one of an orphaned slot."""


class Log(Protocol):
    """What a subscription needs of the bus that it belongs to."""

    connection: Connection
    groups: Groups
    letters: Letters

    def left(self, subscription: JetStreamSubscription) -> None: ...


class JetStreamSubscription:
    """Reads the slots that it has; shares them anew when members come and go."""

    def __init__(self, log: Log, me: Member, kept: Kept, first: Renewal) -> None:
        self.durable = me.durable
        self._log = log
        self._me = me
        self._kept = kept
        self._slots = Slots()
        self._lock = asyncio.Lock()
        self._closed = False
        self._draining_since: float | None = None
        self._renew_at = 0.0
        self._patterns: tuple[SubjectPattern, ...] = first.patterns
        self._reader = self._new_reader()
        self._changed = asyncio.Event()
        self._beats: dict[str, tuple[int, float]] = {}
        self._accept(first)

    def _new_reader(self) -> LogReader:
        names = self._log.connection.names
        return LogReader(self._log.connection, names.log, common_filter(names, self._patterns))

    def look(self) -> None:
        """The members or their slots have changed."""
        self._renew_at = 0.0
        self._changed.set()
        self._reader.wake()

    # ---- reading ---------------------------------------------------------------------------------------------------

    async def fetch(self, limit: int = 100, *, timeout_s: float = 1.0) -> Sequence[Delivery]:
        """See `Subscription.fetch`."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._check_open()
            if time.monotonic() >= self._renew_at:
                await asyncio.shield(self._renew())
            deliveries = await self._read(limit, min(deadline, self._renew_at) - time.monotonic())
            if deliveries or time.monotonic() >= deadline:
                return deliveries

    async def _read(self, limit: int, wait_s: float) -> Sequence[Delivery]:
        active = [slot for slot in self._slots.values() if not slot.draining]
        if not active:
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(0.0, wait_s))
            return []
        reader = self._reader
        found = await reader.read(min(slot.position for slot in active), limit, wait_s)
        self._check_open()
        deliveries = [delivery for one in found if (delivery := await self._take(one)) is not None]
        if found:
            self._advance(found[-1].sequence)
        return deliveries

    async def _take(self, found: Found) -> Delivery | None:
        number, subject = slot_and_subject(found.subject)
        slot = self._slots.get(number)
        if slot is None or slot.draining or found.sequence <= slot.position or not matches(self._patterns, subject):
            return None
        slot.position = found.sequence
        try:
            delivery = Delivery(found.sequence, envelope_of(found.headers, found.body))
        except (KeyError, ValueError) as error:
            _log.warning("a message in the log is none of impetus", sequence=found.sequence, error=str(error))
            await self._log.letters.keep(
                SYSTEM_TENANT, self.durable, subject, found.body, f"not a message of impetus: {error}"
            )
            return None
        return slot.take(delivery)

    def _advance(self, position: int) -> None:
        for slot in self._slots.values():
            if not slot.draining:
                slot.position = max(slot.position, position)

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
                f"{lost} of {len(deliveries)} messages of {self.durable} were not this member's to acknowledge",
                hint="they are delivered again; fetch and acknowledge more often than the lease is long",
            )

    async def _settle_alone(self, deliveries: Sequence[Delivery], reason: str | None) -> int:
        """Write down that these are dealt with; returns how many are another's by now."""
        done, lost = self._sort_out(deliveries)
        if done:
            progress = self._slots.plan(done)
            letter = None
            if reason is not None:
                # First the letter, so that a crash in between doubles it rather than loses the message.
                letter = await self._log.letters.keep_rejected(deliveries[0], self.durable, reason)
            held = await self._change(lambda group: group.record(self._me, progress))
            self._slots.apply(
                {number: sequences for number, sequences in done.items() if number in held},
                Progress({number: cursor for number, cursor in progress.cursors.items() if number in held}),
            )
            for number in done.keys() - held:
                lost += len(done[number])
                self._slots.pop(number, None)
                self._renew_at = 0.0
            if letter is not None and not held & done.keys():
                await self._log.letters.withdraw(letter)
        if self._draining_since is not None and any(slot.draining and slot.idle for slot in self._slots.values()):
            self._renew_at = 0.0
        return lost

    def _sort_out(self, deliveries: Sequence[Delivery]) -> tuple[dict[int, set[int]], int]:
        """Sequences still to be acknowledged by slot, and how many are not this member's."""
        done: dict[int, set[int]] = {}
        lost = 0
        for delivery in deliveries:
            number = slot_of(delivery.envelope.partition, self._log.connection.partitions)
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
            await self._reader.check()
            now = time.monotonic()
            self._kept = await self._newest()
            dead = self._dead(self._kept.group, now)
            firsts = await self._firsts(self._kept.group.orphans(dead))
            progress = self._slots.progress_of_idle()
            forced: list[SlotState] = []
            if self._draining_since is not None and now > self._draining_since + self._me.lease_s:
                forced = [slot.state(number) for number, slot in self._slots.items() if slot.draining and not slot.idle]
            idle = [number for number, slot in self._slots.items() if slot.idle]

            def work(group: Group) -> Renewal:
                return group.renew(
                    self._me,
                    dead=[name for name in dead if name in group.members and group.members[name].beat == dead[name]],
                    progress=progress,
                    idle=idle,
                    forced=forced,
                    firsts=firsts,
                )

            renewal = await self._change(work)
            self._slots.apply({}, progress)
            self._accept(renewal)
            if renewal.changed:
                await self._log.connection.notify(self.durable)

    async def _newest(self) -> Kept:
        kept = await self._log.groups.load(self.durable)
        if kept is None:
            raise self._removed()
        return kept

    async def _change(self, work: Callable[[Group], Result]) -> Result:
        changed = await self._log.groups.change(self.durable, self._kept, work)
        if changed is None:
            raise self._removed()
        self._kept, result = changed
        return result

    def _dead(self, group: Group, now: float) -> Mapping[str, int]:
        """Members that gave no sign of life for longer than their lease, with their last beat."""
        beats: dict[str, tuple[int, float]] = {}
        for name, member in group.members.items():
            beat, since = self._beats.get(name, (-1, now))
            beats[name] = (beat, since) if beat == member.beat else (member.beat, now)
        self._beats = beats
        return {
            name: beat
            for name, (beat, since) in beats.items()
            if name != self._me.name and now - since > group.members[name].lease_s
        }

    async def _firsts(self, orphans: Collection[int]) -> dict[int, int]:
        """Of each orphaned slot the first message that is not dealt with."""
        found = await asyncio.gather(*(self._first(number) for number in orphans))
        return {number: first for number, first in zip(orphans, found, strict=True) if first is not None}

    async def _first(self, number: int) -> int | None:
        names = self._log.connection.names
        state = self._kept.group.slots[number]
        position = state.cursor
        for _ in range(_LOOKS):
            question = {"seq": position + 1, "next_by_subj": common_filter(names, self._patterns, number)}
            try:
                answer = await self._log.connection.ask(f"STREAM.MSG.GET.{names.log}", question)
            except Refused:
                return None
            position = int(answer["message"]["seq"])
            chosen = matches(self._patterns, slot_and_subject(answer["message"]["subject"])[1])
            if chosen and position not in state.beyond:
                return position
        return None

    def _accept(self, renewal: Renewal) -> None:
        now = time.monotonic()
        self._slots.adopt(renewal.slots)
        self._slots.drain(max(0, renewal.excess))
        if renewal.excess <= 0:
            self._draining_since = None
        elif self._draining_since is None:
            self._draining_since = now
        if renewal.patterns != self._patterns:
            self._patterns = renewal.patterns
            self._reader = self._new_reader()
        self._renew_at = now + self._me.lease_s / 3

    async def close(self) -> None:
        """See `Subscription.close`."""
        async with self._lock:
            if self._closed:
                return
            self._closed = True
            self._log.left(self)
            self._reader.wake()
            self._changed.set()
            progress = self._slots.progress_of_idle()
            self._slots.apply({}, progress)
            states = [slot.state(number) for number, slot in self._slots.items()]
            self._slots.clear()
            await self._log.groups.change(
                self.durable, self._kept, lambda group: group.leave(self._me, progress, states)
            )
            await self._log.connection.notify(self.durable)
            await self._reader.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"the subscription to {self.durable} is closed", hint="subscribe again")

    def _removed(self) -> NotFound:
        return NotFound(f"the durable consumer {self.durable} was removed", hint="subscribe again to start anew")
