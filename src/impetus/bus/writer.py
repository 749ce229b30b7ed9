"""The one thread of a process that writes to the log: it puts all that waits into one transaction (group commit)."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import structlog

from impetus.bus.log_file import connect, translate
from impetus.bus.pressure import Pressure
from impetus.bus.process_lock import ProcessLock
from impetus.bus.settings import EmbeddedSettings
from impetus.model import ImpetusError, Unavailable

_log = structlog.get_logger("impetus.bus")
Result = TypeVar("Result")
Row = tuple[str, str, str, str, str, str, str, int, int, int, bytes]
"""id, tenant, kind, origin, source, type, partition, slot, time_us, size, body."""

_INSERT = "INSERT INTO message (id, tenant, kind, origin, source, type, partition, slot, time_us, size, body) VALUES "
_PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ROWS_A_STATEMENT = 64
_BATCH_BYTES = 16 * 1024 * 1024
_BATCH_JOBS = 2_000
"""Bounds of one transaction, so that other processes get their turn."""
_PRESSURE_POLL_S = 0.05
_WATCH_S = 0.25


@dataclass(slots=True, eq=False)
class _Job:
    """Something to be done in a transaction: rows to append, or other work."""

    future: asyncio.Future[Any]
    rows: Sequence[Row] = ()
    size: int = 0
    work: Callable[[sqlite3.Connection], Any] | None = None
    flush: bool = True
    announce: bool = True
    deadline: float = 0.0
    result: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class _Queues:
    """What waits for the thread; guarded by the writer's condition."""

    publications: deque[_Job] = field(default_factory=deque)
    work: deque[_Job] = field(default_factory=deque)
    closing: bool = False


class Writer:
    """Takes jobs on the event loop, runs them in its thread, resolves their futures on the loop again."""

    def __init__(
        self,
        path: Path,
        lock: ProcessLock,
        settings: EmbeddedSettings,
        loop: asyncio.AbstractEventLoop,
        committed: Callable[[], None],
    ) -> None:
        self._path = path
        self._lock = lock
        self._settings = settings
        self._loop = loop
        self._committed = committed
        self._pressure = Pressure(settings)
        self._queues = _Queues()
        self._condition = threading.Condition()
        self._queued_messages = 0
        self._queued_bytes = 0
        self._room: deque[asyncio.Future[None]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._flushes = settings.power_safe
        self._connection = connect(path, settings)
        # A daemon: a process that ends without closing the bus must not wait for another one's lock.
        self._thread = threading.Thread(target=self._run, name="impetus-bus-writer", daemon=True)
        self._thread.start()

    async def append(self, rows: Sequence[Row]) -> None:
        """Write rows in one transaction, all or none; those whose id is there already are ignored."""
        size = sum(row[9] for row in rows)
        deadline = self._loop.time() + self._settings.wait_s
        await self._wait_for_room(size, deadline)
        job = _Job(self._loop.create_future(), rows=rows, size=size, deadline=deadline)
        self._queued_messages += len(rows)
        self._queued_bytes += size
        self._put(job, self._queues.publications)
        if self._watch is None:
            self._watch = self._loop.call_later(_WATCH_S, self._withdraw_overdue)
        await job.future

    async def run(
        self, work: Callable[[sqlite3.Connection], Result], *, flush: bool = False, announce: bool = False
    ) -> Result:
        """Do `work` in a transaction, which it may share with others; an ImpetusError it raises before its first write.

        `flush`: a power cut may not undo it. `announce`: those who wait for messages should look.
        """
        job = _Job(self._loop.create_future(), work=work, flush=flush, announce=announce)
        self._put(job, self._queues.work)
        result: Result = await job.future
        return result

    async def close(self) -> None:
        """Do what waits, then stop."""
        with self._condition:
            self._queues.closing = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join, self._settings.wait_s)
        if self._watch is not None:
            self._watch.cancel()
        self._release_room()

    def _put(self, job: _Job, queue: deque[_Job]) -> None:
        with self._condition:
            if self._queues.closing:
                raise Unavailable("the bus is closed", hint="open it again")
            queue.append(job)
            self._condition.notify()

    # ---- on the event loop: bounds of what waits -------------------------------------------------------------------

    def _full(self) -> bool:
        return (
            self._queued_messages >= self._settings.queue_messages or self._queued_bytes >= self._settings.queue_bytes
        )

    async def _wait_for_room(self, size: int, deadline: float) -> None:
        while self._full():
            future: asyncio.Future[None] = self._loop.create_future()
            self._room.append(future)
            timer = self._loop.call_at(deadline, _resolve, future)
            try:
                await future
            finally:
                timer.cancel()
                if future in self._room:
                    self._room.remove(future)
            if self._full() and self._loop.time() >= deadline:
                raise self._overdue()

    def _release_room(self) -> None:
        while self._room and not self._full():
            _resolve(self._room.popleft())

    def _withdraw_overdue(self) -> None:
        """Give up on publications that the thread has not begun with in time; of these nothing is ever written."""
        self._watch = None
        now = self._loop.time()
        overdue = []
        with self._condition:
            while self._queues.publications and self._queues.publications[0].deadline <= now:
                overdue.append(self._queues.publications.popleft())
        for job in overdue:
            job.error = self._overdue()
        self._resolve_all(overdue, notify=False)
        if self._queued_messages:
            self._watch = self._loop.call_later(_WATCH_S, self._withdraw_overdue)

    def _overdue(self) -> Unavailable:
        reason = self._pressure.reason
        return Unavailable(
            f"nothing was published within {self._settings.wait_s:g} s: {reason or 'the log is busy'}",
            hint="start that consumer, or remove it if nobody needs it any more" if reason else "try again later",
        )

    def _resolve_all(self, jobs: Sequence[_Job], *, notify: bool) -> None:
        for job in jobs:
            self._queued_messages -= len(job.rows)
            self._queued_bytes -= job.size
            if job.future.done():  # its caller was cancelled
                continue
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
        self._release_room()
        if notify:
            self._committed()

    # ---- in the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # the locks of the system fail: nothing can be written any more
            _log.critical("the log cannot be written any more", path=str(self._path), error=str(error))
            failure = Unavailable(
                f"the message log {self._path} cannot be written: {error}", hint="restart the process"
            )
        else:
            failure = Unavailable(f"the bus was closed before there was room: {self._pressure.reason}")
        self._hand_back(self._leave(failure), False)
        self._connection.close()

    def _work(self) -> None:
        queues = self._queues
        while True:
            with self._condition:
                self._condition.wait_for(lambda: queues.work or queues.publications or queues.closing)
                if queues.closing and not queues.work and not queues.publications:
                    break
            if queues.publications:
                with contextlib.suppress(sqlite3.Error):  # the transaction will say what is wrong
                    self._pressure.check(self._connection)
            if self._pressure.reason and not queues.work:
                with self._condition:
                    if queues.closing:
                        break
                    self._condition.wait_for(lambda: queues.work or queues.closing, timeout=_PRESSURE_POLL_S)
                continue
            with self._lock.writing():
                jobs = self._take()
                if not jobs:
                    continue
                self._execute(jobs)
            announce = any(job.announce and job.error is None for job in jobs)
            if announce:
                self._lock.announce()
            self._hand_back(jobs, announce)

    def _take(self) -> list[_Job]:
        """What goes into one transaction."""
        with self._condition:
            jobs = [self._queues.work.popleft() for _ in range(len(self._queues.work))]
            if not self._pressure.reason:
                size = 0
                while self._queues.publications and size < _BATCH_BYTES and len(jobs) < _BATCH_JOBS:
                    job = self._queues.publications.popleft()
                    size += job.size
                    jobs.append(job)
        return jobs

    def _leave(self, failure: Unavailable) -> list[_Job]:
        """What nobody will do any more."""
        with self._condition:
            self._queues.closing = True
            jobs = [*self._queues.work, *self._queues.publications]
            self._queues.work.clear()
            self._queues.publications.clear()
        for job in jobs:
            job.error = failure
        return jobs

    def _execute(self, jobs: Sequence[_Job]) -> None:
        """All jobs in one transaction; if that fails, each in its own, so that an error strikes only who caused it."""
        connection = self._connection
        try:
            self._set_flush(self._settings.power_safe and any(job.flush for job in jobs))
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                if job.work is not None:
                    try:
                        job.result = job.work(connection)
                    except ImpetusError as error:
                        job.error = error
            rows = [row for job in jobs for row in job.rows]
            _insert(connection, rows)
            connection.execute("COMMIT")
            self._pressure.published(len(rows), sum(job.size for job in jobs))
        except Exception as error:  # the thread must go on, and the callers must hear
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if len(jobs) > 1:
                for job in jobs:
                    job.error = None
                    self._execute([job])
            else:
                jobs[0].error = translate(error, self._path) if isinstance(error, sqlite3.Error) else error

    def _set_flush(self, flush: bool) -> None:
        # Acknowledgements and leases need no flush: a power cut then delivers a message again, which consumers bear.
        if flush != self._flushes:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
            self._flushes = flush

    def _hand_back(self, jobs: Sequence[_Job], notify: bool) -> None:
        if jobs:
            # The loop may be closed by now: then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(lambda: self._resolve_all(jobs, notify=notify))


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    # Many rows a statement: between two steps of SQLite the thread lets go of the interpreter and, beside a busy
    # event loop, gets it back only milliseconds later.
    remaining = iter(rows)
    while chunk := list(islice(remaining, _ROWS_A_STATEMENT)):
        places = ", ".join([_PLACES] * len(chunk))
        connection.execute(
            f"{_INSERT}{places} ON CONFLICT (id) DO NOTHING",
            [value for row in chunk for value in row],
        )


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
