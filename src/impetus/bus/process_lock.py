"""One side file beside the log by which processes take turns at writing, see who lives, and wake one another.

SQLite's own lock makes a waiting writer sleep in growing steps, which costs a writer beside a busy one tens of
milliseconds. Open-file-description locks wake the next writer at once, are held per opened file (so two buses in one
process exclude each other too), and are let go by the kernel when a process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TURNSTILE = 0
_WRITER = 1
_FIRST_INSTANCE = 16


def _flock(kind: int, byte: int) -> bytes:
    """`struct flock` for one byte of the file, as Linux lays it out."""
    return struct.pack("hhqqi0q", kind, os.SEEK_SET, byte, 1, 0)


class ProcessLock:
    """Mutual exclusion of writers, and a byte that stays locked for as long as this process lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(self._descriptor, b"\n", 0)
        self.instance = secrets.randbits(48)
        """Number of this opened bus, by which others see whether it lives."""
        self._set(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, _FIRST_INSTANCE + self.instance)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the right to write; waits for as long as another process has it.

        Who waits for the writer's byte holds the turnstile, so who has just written queues up behind them:
        a busy process cannot starve the others.
        """
        self._set(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, _TURNSTILE)
        try:
            self._set(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, _WRITER)
        finally:
            self._set(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _TURNSTILE)
        try:
            yield
        finally:
            self._set(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _WRITER)

    def alive(self, instance: int) -> bool:
        """Whether the bus of that number is still open in a living process."""
        if instance == self.instance:
            return True
        answer = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, _FIRST_INSTANCE + instance))
        return bool(struct.unpack("hhqqi0q", answer)[0] != fcntl.F_UNLCK)

    def announce(self) -> None:
        """Tell all who watch the file that there is something new."""
        with suppress(OSError):  # a full disk: they find out a little later, by polling
            os.pwrite(self._descriptor, b"\n", 0)

    def close(self) -> None:
        os.close(self._descriptor)

    def _set(self, command: int, kind: int, byte: int) -> None:
        fcntl.fcntl(self._descriptor, command, _flock(kind, byte))
