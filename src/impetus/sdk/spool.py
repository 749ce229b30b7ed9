"""What a tool emitted while the bus was away, on its own machine's disk: bounded, the least severe dropped first."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from impetus.model import Alert, Envelope, Severity, Unavailable

log = structlog.get_logger(__name__)

LIMIT_BYTES: Final = 64 * 1024 * 1024
FILE_NAME: Final = "spool.sqlite"
ORDER: Final = (Severity.UNKNOWN, Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)
"""Of alerts, the least first; whatever is no alert comes before them all."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS message (
  number INTEGER PRIMARY KEY, rank INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB
);
CREATE INDEX IF NOT EXISTS message_rank ON message (rank, number);
"""


def rank_of(envelope: Envelope) -> int:
    """How much a message matters: 0 for what is no alert, then by severity."""
    if envelope.kind != "alert":
        return 0
    try:
        return 1 + ORDER.index(envelope.open(Alert).severity)
    except ValidationError:
        return 1


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"what waits on this machine's disk cannot be read or removed: {error}") from error


class Spool:
    """A queue in a file, in the order in which messages came. It survives kill -9; one process has it at a time."""

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        """The file is made when something is kept for the first time."""
        self._path = folder / FILE_NAME
        self._limit_bytes = limit_bytes
        self._file: sqlite3.Connection | None = None
        self.dropped = 0
        """Messages that had to go, so that weightier ones had room, since this object was made."""
        self.waiting = 0
        """Messages that are kept."""
        if self._path.exists():
            try:
                self._open()
            except sqlite3.OperationalError:
                raise  # locked, or no room: the file may be well
            except sqlite3.DatabaseError as error:
                self._set_aside(error)

    def keep(self, envelopes: Sequence[Envelope]) -> bool:
        """Put messages behind those that wait. False when the disk takes nothing: then nothing was kept."""
        try:
            file = self._open()
            with file:
                rows = [(rank_of(one), len(one.data), one.model_dump_json().encode()) for one in envelopes]
                file.executemany("INSERT INTO message (rank, size, body) VALUES (?, ?, ?)", rows)
                self._drop(file)
        except (sqlite3.Error, OSError):
            return False
        finally:
            self._count()
        return True

    def first(self, limit: int) -> tuple[int, Sequence[Envelope]]:
        """Up to `limit` of the oldest messages, and the number of the last of them for `remove`. Raises Unavailable."""
        if not self.waiting:
            return 0, ()
        query = "SELECT number, body FROM message ORDER BY number LIMIT ?"
        with _plain_errors():
            rows = self._open().execute(query, (limit,)).fetchall()
        return (rows[-1][0] if rows else 0), [Envelope.model_validate_json(body) for _, body in rows]

    def remove(self, number: int) -> None:
        """These were published: all up to this number. Raises Unavailable, on a full disk for example: then they are
        still there, and the bus knows them by their ids when they are published again."""
        with _plain_errors():
            file = self._open()
            with file:
                file.execute("DELETE FROM message WHERE number <= ?", (number,))
            self._count()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> sqlite3.Connection:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            file = sqlite3.connect(self._path, check_same_thread=False)
            self._file = file
            try:
                file.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
            except sqlite3.Error:
                self.close()
                raise
            self._count()
        return self._file

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """A file that cannot be read keeps no tool from starting: it stays beside the new one, and the log says so."""
        self.close()
        aside = self._path.with_name(f"{FILE_NAME}.broken-{time.time_ns()}")
        self._path.rename(aside)
        log.error("spool set aside", file=str(aside), error=str(error))

    def _count(self) -> None:
        if self._file is not None:
            self.waiting = self._file.execute("SELECT count(*) FROM message").fetchone()[0]

    def _drop(self, file: sqlite3.Connection) -> None:
        """Make room: the least severe go first, and of these the oldest."""
        excess = file.execute("SELECT coalesce(sum(size), 0) FROM message").fetchone()[0] - self._limit_bytes
        going: list[tuple[int]] = []
        rows = file.execute("SELECT number, size FROM message ORDER BY rank, number")
        for number, size in rows:
            if excess <= 0:
                break
            going.append((number,))
            excess -= size
        rows.close()
        file.executemany("DELETE FROM message WHERE number = ?", going)
        self.dropped += len(going)
