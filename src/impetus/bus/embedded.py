"""The embedded bus: one SQLite file that several processes of one machine share, with nothing else to run.

See docs/adr/0002 for why it is made this way.
"""

# The statements are put together from constants and conditions; every value in them is a parameter.
# ruff: noqa: S608

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from impetus.bus import dead_letters, membership, retention
from impetus.bus.log_file import connect, errors_translated, prepare
from impetus.bus.membership import Member, Progress
from impetus.bus.news import News
from impetus.bus.process_lock import ProcessLock
from impetus.bus.protocol import ConsumerState, DeadLetter, Delivery, Start
from impetus.bus.reading import Selection, head, slot_of
from impetus.bus.settings import EmbeddedSettings
from impetus.bus.subjects import check_durable, parse_patterns
from impetus.bus.subscription import EmbeddedSubscription
from impetus.bus.wakeup import Wakeup
from impetus.bus.writer import Row, Writer
from impetus.model import (
    MESSAGE_LIMIT_BYTES,
    Clock,
    ConfigurationError,
    Envelope,
    ImpetusError,
    InvalidInput,
    Unavailable,
    new_id,
    to_microseconds,
)

_log = structlog.get_logger("impetus.bus")
_PAGE = 200
_TAIL_WAIT_S = 60.0


class EmbeddedBus:
    """A durable log in one SQLite file. One object belongs to one event loop; see `Bus` for what the methods do.

    Reads happen on the event loop: they take tens of microseconds, less than a change of threads. All writing is done
    by one thread of the process, in transactions that many callers share.
    """

    def __init__(self, path: Path, clock: Clock, settings: EmbeddedSettings | None = None) -> None:
        """Raises ConfigurationError when the file cannot be used."""
        self.clock = clock
        self.path = path
        self._settings = settings or EmbeddedSettings()
        try:
            self._lock = ProcessLock(path.with_name(path.name + "-lock"))
        except OSError as error:
            raise ConfigurationError(
                f"the message log {path} cannot be opened ({error})",
                hint="check that the folder exists and may be written to",
            ) from error
        try:
            self.slots = prepare(path, self._lock, self._settings)
            self.reader = self._another_reader()
        except BaseException:
            self._lock.close()
            raise
        self._started: tuple[Writer, Wakeup, News] | None = None
        self._subscriptions: set[EmbeddedSubscription] = set()
        self._closed = False

    def _another_reader(self) -> sqlite3.Connection:
        connection = connect(self.path, self._settings)
        connection.execute("PRAGMA query_only = ON")
        return connection

    # ---- publishing ------------------------------------------------------------------------------------------------

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        rows = [self._row(envelope) for envelope in envelopes]
        if rows:
            await self.writer.append(rows)

    def _row(self, envelope: Envelope) -> Row:
        body = envelope.data
        if len(body) > MESSAGE_LIMIT_BYTES:
            raise InvalidInput(
                f"the message {envelope.id} has {len(body)} bytes, more than {MESSAGE_LIMIT_BYTES}",
                hint="split it, or put what is large into the evidence store",
            )
        tenant, kind, origin = envelope.subject.split(".", 2)
        if tenant != envelope.tenant:
            raise InvalidInput(
                f"the message {envelope.id} belongs to {envelope.tenant}, but its subject is {envelope.subject}",
                hint="the first token of the subject is the tenant",
            )
        slot = slot_of(envelope.partition, self.slots)
        time_us = to_microseconds(envelope.time)
        return (
            envelope.id,
            tenant,
            kind,
            origin,
            envelope.source,
            envelope.type,
            envelope.partition,
            slot,
            time_us,
            len(body),
            body,
        )

    # ---- reading ---------------------------------------------------------------------------------------------------

    async def subscribe(
        self, durable: str, subjects: Sequence[str], *, start: Start = Start.EARLIEST, lease_s: float = 5.0
    ) -> EmbeddedSubscription:
        check_durable(durable)
        parse_patterns(subjects)
        if not lease_s > 0:
            raise ConfigurationError(f"a lease of {lease_s:g} s is not possible", hint="choose some seconds")
        me = Member(durable, new_id(), self._lock.instance, lease_s)

        def join(connection: sqlite3.Connection) -> membership.Renewal | None:
            membership.create(connection, durable, subjects, start, self.slots)
            return membership.renew(
                connection, me, now=time.monotonic(), alive=self.alive, progress=Progress(), idle=(), forced=()
            )

        first = await self.writer.run(join, announce=True)
        assert first is not None  # noqa: S101 it was made a moment ago in the same transaction
        subscription = EmbeddedSubscription(self, me, first)
        self._subscriptions.add(subscription)
        return subscription

    def tail(self, subjects: Sequence[str], *, after: int | None = None) -> AsyncIterator[Delivery]:
        return self._tail(Selection(parse_patterns(subjects)), self._head() if after is None else after)

    async def _tail(self, selection: Selection, position: int) -> AsyncIterator[Delivery]:
        _, wakeup, news = self._running()
        kinds = [pattern.kind for pattern in selection.patterns]
        while True:
            self._check_open()
            seen = wakeup.count
            news.look()
            newest = news.newest
            if news.any_after(kinds, position):
                async for delivery in self._pages(selection, position, newest):
                    yield delivery
            position = max(position, newest)
            await wakeup.wait(seen, _TAIL_WAIT_S)

    def replay(
        self, subjects: Sequence[str], *, since: datetime, until: datetime | None = None
    ) -> AsyncIterator[Delivery]:
        times_us = (to_microseconds(since), to_microseconds(until) if until else 2**62)
        return self._replay(Selection(parse_patterns(subjects)), times_us)

    async def _replay(self, selection: Selection, times_us: tuple[int, int]) -> AsyncIterator[Delivery]:
        newest = self._head()
        # In a thread and on a connection of its own: it looks at every message of that span in the index.
        first, last = await asyncio.to_thread(self._span, [pattern.kind for pattern in selection.patterns], times_us)
        async for delivery in self._pages(selection, first - 1, min(last, newest), times_us):
            yield delivery

    async def _pages(
        self, selection: Selection, after: int, through: int, times_us: tuple[int, int] | None = None
    ) -> AsyncIterator[Delivery]:
        while after < through:
            self._check_open()
            with errors_translated(self.path):
                page = selection.read(self.reader, after=after, through=through, limit=_PAGE, times_us=times_us)
            after = page.through
            for _, delivery in page.messages:
                yield delivery
            await asyncio.sleep(0)

    def _span(self, kinds: Sequence[str | None], times_us: tuple[int, int]) -> tuple[int, int]:
        """First and last position of the messages of these kinds and times; 1 and 0 if there are none."""
        any_kind = "" if None in kinds else f"kind IN ({', '.join('?' * len(kinds))}) AND "
        with errors_translated(self.path), closing(self._another_reader()) as connection:
            row = connection.execute(
                "SELECT coalesce(min(sequence), 1), coalesce(max(sequence), 0) FROM message"
                f" WHERE {any_kind}time_us >= ? AND time_us < ?",
                [*(kinds if any_kind else ()), *times_us],
            ).fetchone()
        return int(row[0]), int(row[1])

    async def position(self) -> int:
        return self._head()

    def _head(self) -> int:
        self._check_open()
        with errors_translated(self.path):
            return head(self.reader)

    # ---- keeping the log in order ----------------------------------------------------------------------------------

    async def forget(self, subjects: Sequence[str], *, before: datetime) -> int:
        with errors_translated(self.path):
            return await retention.forget(
                self.writer, self._another_reader, parse_patterns(subjects), to_microseconds(before)
            )

    async def set_aside(self, tenant: str, origin: str, subject: str, body: bytes, reason: str) -> None:
        keep = partial(
            dead_letters.keep,
            tenant=tenant,
            origin=origin,
            subject=subject,
            body=body,
            reason=reason,
            now_us=dead_letters.microseconds(self.clock),
            limit=self.dead_letters_limit,
        )
        await self.writer.run(keep, flush=True)

    async def dead_letters(self, tenant: str, *, limit: int = 100, before: str | None = None) -> Sequence[DeadLetter]:
        self._check_open()
        with errors_translated(self.path):
            return dead_letters.newest(self.reader, tenant, limit, before)

    async def discard_dead_letter(self, tenant: str, id: str) -> bool:
        return await self.writer.run(partial(dead_letters.discard, tenant=tenant, id=id), flush=True)

    async def consumers(self) -> Sequence[ConsumerState]:
        self._check_open()
        return await asyncio.to_thread(self._count_pending)

    def _count_pending(self) -> Sequence[ConsumerState]:
        with errors_translated(self.path), closing(self._another_reader()) as connection:
            rows = connection.execute("SELECT durable, patterns FROM consumer ORDER BY durable").fetchall()
            return [
                ConsumerState(durable, Selection(parse_patterns(json.loads(subjects))).pending(connection, durable)[0])
                for durable, subjects in rows
            ]

    async def remove_consumer(self, durable: str) -> None:
        await self.writer.run(partial(membership.remove, durable=durable), announce=True)

    async def close(self) -> None:
        if self._closed:
            return
        for subscription in list(self._subscriptions):
            try:
                await subscription.close()
            except ImpetusError as error:
                # Others see from the lock that this bus is gone, and take over what the subscription had.
                _log.warning("a subscription could not say that it leaves", error=str(error))
        self._closed = True
        if self._started is not None:
            writer, wakeup, _ = self._started
            wakeup.close()
            await writer.close()
        self.reader.close()
        self._lock.close()

    # ---- for the subscriptions -------------------------------------------------------------------------------------

    @property
    def dead_letters_limit(self) -> int:
        return self._settings.dead_letters_per_tenant

    @property
    def writer(self) -> Writer:
        return self._running()[0]

    @property
    def wakeup(self) -> Wakeup:
        return self._running()[1]

    @property
    def news(self) -> News:
        return self._running()[2]

    def alive(self, instance: int) -> bool:
        """Whether the opened bus of that number still lives, in whatever process."""
        return self._lock.alive(instance)

    def announce(self) -> None:
        """Tell all processes that the members of some consumer should look."""
        self._lock.announce()

    def left(self, subscription: EmbeddedSubscription) -> None:
        """That subscription was closed."""
        self._subscriptions.discard(subscription)

    def _running(self) -> tuple[Writer, Wakeup, News]:
        """Started on first use, because the object may be made before there is an event loop."""
        self._check_open()
        if self._started is None:
            wakeup = Wakeup(self._lock.path, self._version)
            writer = Writer(self.path, self._lock, self._settings, asyncio.get_running_loop(), wakeup.notify)
            self._started = writer, wakeup, News(self.path, self.reader, wakeup)
        return self._started

    def _version(self) -> int:
        try:
            return int(self.reader.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return -1  # whoever is woken by this will look, and hear what is wrong

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the bus is closed", hint="open it again")
