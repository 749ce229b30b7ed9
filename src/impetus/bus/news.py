"""What is new in the log: looked up once after each change, however many subscriptions of the process ask."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from impetus.bus.log_file import errors_translated
from impetus.bus.reading import head, kinds
from impetus.bus.wakeup import Wakeup


class News:
    """The newest sequence of the log and of each kind, and how far the sharing of each durable consumer is.

    As old as the last change that `Wakeup` counted: who found nothing waits for the next one, so nothing is missed.
    """

    def __init__(self, path: Path, reader: sqlite3.Connection, wakeup: Wakeup) -> None:
        self.newest = 0
        """Sequence of the newest message that the log ever held."""
        self.generations: Mapping[str, int] = {}
        """By durable consumer: grows when its slots are shared anew. One that is not here was removed."""
        self._path = path
        self._reader = reader
        self._wakeup = wakeup
        self._newest_of_kind: dict[str, int] | None = None
        self._count = -1

    def look(self, *, afresh: bool = False) -> None:
        """Bring this up to date; costs next to nothing if nothing has changed since."""
        count = self._wakeup.count
        if count == self._count and not afresh:
            return
        with errors_translated(self._path):
            newest = head(self._reader)
            self.generations = dict(self._reader.execute("SELECT durable, generation FROM consumer").fetchall())
            if self._newest_of_kind is None:
                self._newest_of_kind = dict.fromkeys(kinds(self._reader), newest)
            elif newest > self.newest:
                # Bounded by what is known to be there: a message of later is seen at the next look.
                rows = self._reader.execute(
                    "SELECT kind, max(sequence) FROM message WHERE sequence > ? AND sequence <= ? GROUP BY kind",
                    (self.newest, newest),
                )
                self._newest_of_kind.update(rows.fetchall())
        self.newest = newest
        self._count = count

    def any_after(self, kinds: Iterable[str | None], after: int) -> bool:
        """Whether there may be a message of one of these kinds (None: of any) past that sequence."""
        known = self._newest_of_kind or {}
        return any(after < (self.newest if kind is None else known.get(kind, 0)) for kind in kinds)
