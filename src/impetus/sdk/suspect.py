"""Finds the message that brings a worker down each time, so that it does not do so for ever."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

DEATHS_LIMIT = 3
"""After so many deaths of the process over the same message it is set aside."""

_SEVERAL = "*"
_RECORD_BYTES = 160
"""Longer than an identifier and a count."""


class Suspect:
    """Remembers across a crash which message was in hand, and how often the process died over it.

    What is written need not outlive the machine, so nothing is flushed: it costs two short system calls a message.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        deaths, _, id = os.pread(self._file, _RECORD_BYTES, 0).decode("ascii", "replace").strip().partition(" ")
        self._id = id
        self._deaths = int(deaths) if deaths.isdecimal() else 0
        self.has_died = self._deaths > 0
        """Whether the process before this one died with messages in hand."""

    def deaths(self, id: str) -> int:
        """How often in a row the process died over this message."""
        return self._deaths if id == self._id else 0

    @contextlib.contextmanager
    def holding(self, id: str | None) -> Iterator[None]:
        """Meanwhile this message is in hand: if the process dies, it died over it. None stands for several; which of
        them the process dies over shows when they go one by one."""
        self._write(f"1 {_SEVERAL}" if id is None else f"{self.deaths(id) + 1} {id}")
        try:
            yield
        finally:
            self._write("")

    def forget(self) -> None:
        """The message that was suspected did no harm, or was set aside."""
        self._id = ""
        self._deaths = 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _write(self, text: str) -> None:
        # On a full disk nothing is remembered, and the message is tried again.
        with contextlib.suppress(OSError):
            os.pwrite(self._file, text.ljust(_RECORD_BYTES).encode("ascii"), 0)
