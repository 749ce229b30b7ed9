"""Wakes those who wait for messages: by inotify where there is one, and by polling the log's version in any case."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_IN_MODIFY = 0x2
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC

POLL_WATCHED_S = 0.25
"""With inotify, polling only mends the wake-up that a writer killed between commit and announcement owed."""
POLL_ACTIVE_S = 0.002
POLL_IDLE_S = 0.02


def _watch(path: Path) -> int | None:
    """A descriptor that becomes readable when the file is written to, or None where the system has no inotify."""
    library = ctypes.CDLL(None, use_errno=True)
    try:
        descriptor = int(library.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC))
    except AttributeError:
        return None
    if descriptor < 0:
        return None
    if library.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY) < 0:
        os.close(descriptor)
        return None
    return descriptor


class Wakeup:
    """Counts the changes of a log and resolves those who wait for the next one. Belongs to one event loop."""

    def __init__(self, path: Path, version: Callable[[], int], *, watch: bool = True) -> None:
        self.count = 0
        """Grows with each change; take it before looking, and give it to `wait`."""
        self._version = version
        self._seen_version = version()
        self._waiting: set[asyncio.Future[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._poll_s = POLL_ACTIVE_S
        self._timer: asyncio.TimerHandle | None = None
        self._descriptor = _watch(path) if watch else None
        if self._descriptor is not None:
            self._loop.add_reader(self._descriptor, self._on_event)

    async def wait(self, seen: int, timeout_s: float) -> None:
        """Return when `count` has moved past `seen`, or after `timeout_s`."""
        if self.count != seen or timeout_s <= 0:
            return
        future: asyncio.Future[None] = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, _resolve, future)
        self._waiting.add(future)
        if self._timer is None:
            self._timer = self._loop.call_later(self._interval_s(), self._poll)
        try:
            await future
        finally:
            timer.cancel()
            self._waiting.discard(future)

    def notify(self) -> None:
        """Something changed."""
        self.count += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            _resolve(future)

    def close(self) -> None:
        self.notify()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _on_event(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._descriptor, 65536)
            self.notify()

    def _interval_s(self) -> float:
        return self._poll_s if self._descriptor is None else POLL_WATCHED_S

    def _poll(self) -> None:
        self._timer = None
        version = self._version()
        if version != self._seen_version:
            self._seen_version = version
            self._poll_s = POLL_ACTIVE_S
            self.notify()
        else:
            self._poll_s = min(self._poll_s * 1.2, POLL_IDLE_S)
        if self._waiting:
            self._timer = self._loop.call_later(self._interval_s(), self._poll)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
