"""The bus on NATS JetStream: the log in a stream of the servers, shared by the processes of several machines.

See docs/adr/0031 for why it is made this way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from nats.aio.msg import Msg

from impetus.bus.jetstream.connection import Connection, Refused
from impetus.bus.jetstream.group import Group
from impetus.bus.jetstream.groups import Groups, Kept
from impetus.bus.jetstream.lag import Lag, pending
from impetus.bus.jetstream.letters import Letters
from impetus.bus.jetstream.neighbours import new_member_name
from impetus.bus.jetstream.reader import Found, LogReader
from impetus.bus.jetstream.settings import JetStreamSettings
from impetus.bus.jetstream.subscription import JetStreamSubscription
from impetus.bus.jetstream.wire import common_filter, envelope_of, headers_of, matches, slot_and_subject
from impetus.bus.membership import Member, Progress, Renewal
from impetus.bus.protocol import ConsumerState, DeadLetter, Delivery, Start
from impetus.bus.reading import slot_of
from impetus.bus.subjects import SubjectPattern, check_durable, parse_patterns
from impetus.model import (
    MESSAGE_LIMIT_BYTES,
    Clock,
    ConfigurationError,
    Conflict,
    Envelope,
    ImpetusError,
    InvalidInput,
    Unavailable,
)

_log = structlog.get_logger("impetus.bus")
_PAGE = 200
_TAIL_WAIT_S = 20.0
_RETRY_S = 0.1
_CATCH_UP_S = 1.0
_PRESSURE_POLL_S = 0.05
_TOLD_S = 0.5
"""Who asks how the consumers are is told soon that the servers do not answer: it is shown on the screens."""
_AHEAD = timedelta(days=1)
"""A publisher's clock may be so far ahead of the servers'."""


class JetStreamBus:
    """A durable log on NATS JetStream. One object belongs to one event loop; see `Bus` for what the methods do."""

    def __init__(self, servers: Sequence[str], clock: Clock, settings: JetStreamSettings | None = None) -> None:
        """`servers`: addresses like `nats://host:4222`. Raises ConfigurationError for files that cannot be read."""
        self.clock = clock
        self._settings = settings or JetStreamSettings()
        self.connection = Connection(servers, self._settings)
        self.connection.on_notice = self._look
        self.groups = Groups(self.connection)
        self.letters = Letters(self.connection, clock)
        self._lag = Lag(self.connection, self.groups)
        self._subscriptions: set[JetStreamSubscription] = set()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False

    # ---- publishing ------------------------------------------------------------------------------------------------

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            _check(envelope)
        if not envelopes:
            return
        self._check_open()
        # Shielded, so that closing the bus can wait for it, and a caller that gives up leaves no half of it.
        task = asyncio.create_task(self._publish(envelopes))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever gave up waiting asks no more

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        deadline = time.monotonic() + self._settings.wait_s
        await self._wait_for_consumers(deadline)
        client = await self.connection.client()
        for envelope in envelopes:
            if len(envelope.data) + 4096 > client.max_payload:
                raise InvalidInput(
                    f"the message {envelope.id} has {len(envelope.data)} bytes, more than the NATS servers take",
                    hint=f"set max_payload of the servers to {MESSAGE_LIMIT_BYTES + 65_536}",
                )
        remaining = list(envelopes)
        while remaining:
            remaining = await self._send(remaining, deadline)
        self._lag.published(len(envelopes), sum(len(envelope.data) for envelope in envelopes))

    async def _send(self, envelopes: Sequence[Envelope], deadline: float) -> list[Envelope]:
        """Publish in order; what is to be published again from the first that failed for a reason that passes.

        Those behind it that did arrive are recognised by their ids.
        """
        connection = self.connection
        futures: list[asyncio.Future[Msg]] = []
        try:
            for envelope in envelopes:
                slot = slot_of(envelope.partition, connection.partitions)
                subject = connection.names.message(slot, envelope.subject)
                futures.append(await connection.send(subject, envelope.data, headers_of(envelope)))
            for number, future in enumerate(futures):
                try:
                    await connection.acknowledged(future, min(5.0, deadline - time.monotonic()))
                except Refused as error:
                    raise error.plain() from error
                except Unavailable:
                    if time.monotonic() + _RETRY_S >= deadline:
                        raise
                    await asyncio.sleep(_RETRY_S)
                    return list(envelopes[number:])
        finally:
            for future in futures:
                future.cancel()
        return []

    async def _wait_for_consumers(self, deadline: float) -> None:
        while reason := await self._lag.reason():
            if time.monotonic() >= deadline:
                raise Unavailable(
                    f"nothing was published within {self._settings.wait_s:g} s: {reason}",
                    hint="start that consumer, or remove it if nobody needs it any more",
                )
            await asyncio.sleep(_PRESSURE_POLL_S)
            if self._closed:
                raise Unavailable(f"the bus was closed before there was room: {reason}")

    # ---- reading ---------------------------------------------------------------------------------------------------

    async def subscribe(
        self, durable: str, subjects: Sequence[str], *, start: Start = Start.EARLIEST, lease_s: float = 5.0
    ) -> JetStreamSubscription:
        check_durable(durable)
        parse_patterns(subjects)
        if not lease_s > 0:
            raise ConfigurationError(f"a lease of {lease_s:g} s is not possible", hint="choose some seconds")
        self._check_open()
        me = Member(durable, new_member_name(), 0, lease_s)
        kept, renewal = await self._join(me, subjects, start)
        subscription = JetStreamSubscription(self, me, kept, renewal)
        self._subscriptions.add(subscription)
        await self.connection.notify(durable)
        return subscription

    async def _join(self, me: Member, subjects: Sequence[str], start: Start) -> tuple[Kept, Renewal]:
        def join(group: Group) -> Renewal:
            group.subscribe(subjects)
            return group.renew(me, progress=Progress(), firsts={})

        await self.connection.client()
        while True:
            changed = await self.groups.change(me.durable, None, join)
            if changed is not None:
                return changed
            cursor = await self.position() if start is Start.LATEST else 0
            group = Group.create(subjects, self.connection.partitions, cursor)
            try:
                await self.groups.save(me.durable, group, 0)
            except Conflict:
                continue  # another member made it a moment ago

    def tail(self, subjects: Sequence[str], *, after: int | None = None) -> AsyncIterator[Delivery]:
        patterns = parse_patterns(subjects)
        self._check_open()
        start = None if after is not None else asyncio.ensure_future(self.position())
        return self._tail(patterns, after or 0, start)

    async def _tail(
        self, patterns: Sequence[SubjectPattern], position: int, start: asyncio.Future[int] | None
    ) -> AsyncIterator[Delivery]:
        if start is not None:
            position = await start
        reader = self._reader(patterns)
        try:
            while True:
                self._check_open()
                try:
                    found = await reader.read(position, _PAGE, _TAIL_WAIT_S)
                except Unavailable:
                    self._check_open()
                    await asyncio.sleep(_RETRY_S)
                    continue
                for one in found:
                    position = one.sequence
                    if (delivery := _delivery(one, patterns)) is not None:
                        yield delivery
        finally:
            await reader.close()

    def replay(
        self, subjects: Sequence[str], *, since: datetime, until: datetime | None = None
    ) -> AsyncIterator[Delivery]:
        return self._replay(parse_patterns(subjects), since, until)

    async def _replay(
        self, patterns: Sequence[SubjectPattern], since: datetime, until: datetime | None
    ) -> AsyncIterator[Delivery]:
        end = await self.position()
        position = await self._position_at(since - _AHEAD)
        reader = self._reader(patterns)
        try:
            while position < end and await self._any_between(patterns, position, end):
                self._check_open()
                # In a cluster the copy that is read may be a moment behind the one that was asked.
                for one in await reader.read(position, _PAGE, _CATCH_UP_S):
                    position = one.sequence
                    if position > end:
                        return
                    delivery = _delivery(one, patterns)
                    if (
                        delivery is not None
                        and since <= delivery.envelope.time
                        and (until is None or delivery.envelope.time < until)
                    ):
                        yield delivery
        finally:
            await reader.close()

    async def _any_between(self, patterns: Sequence[SubjectPattern], after: int, through: int) -> bool:
        """Whether the log holds messages there that one filter for these patterns chooses."""
        names = self.connection.names
        question = {"seq": after + 1, "next_by_subj": common_filter(names, patterns)}
        try:
            answer = await self.connection.ask(f"STREAM.MSG.GET.{names.log}", question)
        except Refused:
            return False
        return int(answer["message"]["seq"]) <= through

    def _reader(self, patterns: Sequence[SubjectPattern], *, headers_only: bool = False) -> LogReader:
        names = self.connection.names
        return LogReader(self.connection, names.log, common_filter(names, patterns), headers_only=headers_only)

    async def _position_at(self, moment: datetime) -> int:
        """A position before all that was published at that moment or later; 0 for one that is still to come."""
        names = self.connection.names
        state = await self._log_state()
        first, last = int(state["first_seq"]), int(state["last_seq"])
        low, high = first, last + 1  # the first message of that moment is in [low, high]
        while low < high:
            middle = (low + high) // 2
            try:
                question = {"seq": middle, "next_by_subj": f"{names.prefix}.m.>"}
                message = (await self.connection.ask(f"STREAM.MSG.GET.{names.log}", question))["message"]
            except Refused:
                high = middle
                continue
            if datetime.fromisoformat(message["time"]) < moment:
                low = int(message["seq"]) + 1
            else:
                high = middle
        return 0 if low > last else low - 1

    async def position(self) -> int:
        self._check_open()
        return int((await self._log_state())["last_seq"])

    async def _log_state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = (await self.connection.ask(f"STREAM.INFO.{self.connection.names.log}"))["state"]
        except Refused as error:
            raise error.plain() from error
        return state

    # ---- keeping the log in order ----------------------------------------------------------------------------------

    async def forget(self, subjects: Sequence[str], *, before: datetime) -> int:
        patterns = parse_patterns(subjects)
        self._check_open()
        reader = self._reader(patterns, headers_only=True)
        removed = position = 0
        try:
            while found := await reader.read(position, _PAGE, 0.0):
                position = found[-1].sequence
                old = [one.sequence for one in found if _is_older(one, patterns, before)]
                outcomes = await asyncio.gather(*(self._erase(sequence) for sequence in old))
                removed += sum(outcomes)
        finally:
            await reader.close()
        return removed + await self.letters.forget(patterns, before)

    async def _erase(self, sequence: int) -> bool:
        question = {"seq": sequence, "no_erase": True}
        try:
            await self.connection.ask(f"STREAM.MSG.DELETE.{self.connection.names.log}", question)
        except Refused:
            return False
        return True

    async def set_aside(self, tenant: str, origin: str, subject: str, body: bytes, reason: str) -> None:
        self._check_open()
        await self.letters.keep(tenant, origin, subject, body, reason)

    async def dead_letters(self, tenant: str, *, limit: int = 100, before: str | None = None) -> Sequence[DeadLetter]:
        self._check_open()
        return await self.letters.newest(tenant, limit, before)

    async def discard_dead_letter(self, tenant: str, id: str) -> bool:
        self._check_open()
        return await self.letters.discard(tenant, id)

    async def consumers(self) -> Sequence[ConsumerState]:
        self._check_open()
        states = []
        for durable in await self.groups.names(patience_s=_TOLD_S):
            kept = await self.groups.load(durable)
            if kept is not None:
                states.append(ConsumerState(durable, await pending(self.connection, kept.group)))
        return states

    async def remove_consumer(self, durable: str) -> None:
        self._check_open()
        await self.groups.remove(check_durable(durable))
        self._look(durable)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._settings.wait_s)
        for subscription in list(self._subscriptions):
            try:
                async with asyncio.timeout(self._settings.wait_s):
                    await subscription.close()
            except (ImpetusError, TimeoutError) as error:
                # Others notice that it does not renew its lease, and take over what it had.
                _log.warning("a subscription could not say that it leaves", error=str(error))
        await self.connection.close()

    # ---- for the subscriptions -------------------------------------------------------------------------------------

    def left(self, subscription: JetStreamSubscription) -> None:
        """That subscription was closed."""
        self._subscriptions.discard(subscription)

    def _look(self, durable: str) -> None:
        for subscription in self._subscriptions:
            if subscription.durable == durable:
                subscription.look()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the bus is closed", hint="open it again")


def _check(envelope: Envelope) -> None:
    if len(envelope.data) > MESSAGE_LIMIT_BYTES:
        raise InvalidInput(
            f"the message {envelope.id} has {len(envelope.data)} bytes, more than {MESSAGE_LIMIT_BYTES}",
            hint="split it, or put what is large into the evidence store",
        )
    if envelope.subject.split(".", 1)[0] != envelope.tenant:
        raise InvalidInput(
            f"the message {envelope.id} belongs to {envelope.tenant}, but its subject is {envelope.subject}",
            hint="the first token of the subject is the tenant",
        )


def _delivery(found: Found, patterns: Sequence[SubjectPattern]) -> Delivery | None:
    if not matches(patterns, slot_and_subject(found.subject)[1]):
        return None
    try:
        return Delivery(found.sequence, envelope_of(found.headers, found.body))
    except (KeyError, ValueError):
        return None  # the durable consumers set it aside


def _is_older(found: Found, patterns: Sequence[SubjectPattern], before: datetime) -> bool:
    if not matches(patterns, slot_and_subject(found.subject)[1]):
        return False
    try:
        return datetime.fromisoformat(found.headers["ce-time"]) < before
    except (KeyError, ValueError):
        return True  # none of impetus: it shall not stay for ever
