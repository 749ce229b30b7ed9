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
from impetus.bus.jetstream.neighbours import is_gone
from impetus.bus.jetstream.reader import Found, LogReader
from impetus.bus.jetstream.wire import common_filter, envelope_of, matches, slot_and_subject
from impetus.bus.leasing import LeasedSubscription
from impetus.bus.membership import Member, Progress, Renewal, SlotState
from impetus.bus.protocol import Delivery
from impetus.bus.subjects import SubjectPattern
from impetus.model import SYSTEM_TENANT

Result = TypeVar("Result")
_log = structlog.get_logger("impetus.bus")
_PAGE = 1_000
"""Messages of others that are read at once, at most, to find those of a member."""
_LOOKS = 1_000
"""So many messages of others are looked at for the first one of an orphaned slot."""


class Log(Protocol):
    """What a subscription needs of the bus that it belongs to."""

    connection: Connection
    groups: Groups
    letters: Letters

    def left(self, subscription: JetStreamSubscription) -> None: ...


class JetStreamSubscription(LeasedSubscription):
    """Reads the slots that it has; shares them anew when members come and go."""

    def __init__(self, log: Log, me: Member, kept: Kept, first: Renewal) -> None:
        super().__init__(me, log.connection.partitions)
        self.durable = me.durable
        self._log = log
        self._kept = kept
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
                async with asyncio.timeout(max(0.0, wait_s)):
                    await self._changed.wait()
            return []
        reader = self._reader
        # What is read is everybody's; so much of it holds about `limit` of this member's own.
        page = min(max(limit, limit * self._slot_count // len(active)), max(limit, _PAGE))
        found = await reader.read(min(slot.position for slot in active), page, wait_s)
        self._check_open()
        deliveries: list[Delivery] = []
        for place, one in enumerate(found):
            if len(deliveries) == limit:
                reader.give_back(found[place:])
                found = found[:place]
                break
            if (delivery := await self._take(one)) is not None:
                deliveries.append(delivery)
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

    async def _record(
        self,
        deliveries: Sequence[Delivery],
        done: Mapping[int, Collection[int]],
        progress: Progress,
        reason: str | None,
    ) -> frozenset[int]:
        letter = None
        if reason is not None:
            # First the letter, so that a crash in between doubles it rather than loses the message.
            letter = await self._log.letters.keep_rejected(deliveries[0], self.durable, reason)
        held = await self._change(lambda group: group.record(self._me, progress))
        if letter is not None and not held & done.keys():
            await self._log.letters.withdraw(letter)
        return held

    # ---- the lease -------------------------------------------------------------------------------------------------

    async def _exchange(self) -> Renewal:
        await self._reader.check()
        self._kept = await self._newest()
        dead = self._dead(self._kept.group, time.monotonic())
        firsts = await self._firsts(self._kept.group.orphans(dead))
        standing = self._standing()

        def work(group: Group) -> Renewal:
            return group.renew(
                self._me,
                dead=[name for name in dead if name in group.members and group.members[name].beat == dead[name]],
                progress=standing.progress,
                idle=standing.idle,
                forced=standing.forced,
                firsts=firsts,
            )

        renewal = await self._change(work)
        self._slots.apply({}, standing.progress)
        return renewal

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
        """Members that gave no sign of life for longer than their lease, or are processes of this machine that are no
        more, with their last beat."""
        beats: dict[str, tuple[int, float]] = {}
        for name, member in group.members.items():
            beat, since = self._beats.get(name, (-1, now))
            beats[name] = (beat, since) if beat == member.beat else (member.beat, now)
        self._beats = beats
        return {
            name: beat
            for name, (beat, since) in beats.items()
            if name != self._me.name and (now - since > group.members[name].lease_s or is_gone(name))
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
        super()._accept(renewal)
        if renewal.patterns != self._patterns:
            self._patterns = renewal.patterns
            self._reader = self._new_reader()

    async def _announce(self) -> None:
        await self._log.connection.notify(self.durable)

    async def _leave(self, progress: Progress, states: Sequence[SlotState]) -> None:
        self._log.left(self)
        self._reader.wake()
        self._changed.set()
        await self._log.groups.change(self.durable, self._kept, lambda group: group.leave(self._me, progress, states))
        await self._log.connection.notify(self.durable)
        await self._reader.close()
