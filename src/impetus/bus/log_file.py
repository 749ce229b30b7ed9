"""The SQLite file of the embedded log: its tables, how it is opened and checked, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impetus.bus.process_lock import ProcessLock
from impetus.bus.settings import EmbeddedSettings
from impetus.model import ConfigurationError, ImpetusError, Unavailable

APPLICATION_ID = 0x494D5042
"""`IMPB`, by which the file is told from other SQLite files."""
VERSION = 1
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

# Of an assignment: `epoch` counts the takings of the slot. `cursor`: all up to it is dealt with in that slot.
# `delivered` and `attempts`: the messages up to `delivered` were handed out that many times before; both serve only
# the count of attempts.
SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE message (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  origin TEXT NOT NULL,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  partition TEXT NOT NULL,
  slot INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  size INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX message_kind ON message (kind, sequence, slot, tenant, size);
CREATE INDEX message_time ON message (kind, time_us);
CREATE TABLE consumer (
  durable TEXT PRIMARY KEY,
  patterns TEXT NOT NULL,
  generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE member (
  durable TEXT NOT NULL,
  member TEXT NOT NULL,
  instance INTEGER NOT NULL,
  expires REAL NOT NULL,
  lease_s REAL NOT NULL,
  PRIMARY KEY (durable, member)
) STRICT, WITHOUT ROWID;
CREATE TABLE assignment (
  durable TEXT NOT NULL,
  slot INTEGER NOT NULL,
  member TEXT,
  epoch INTEGER NOT NULL DEFAULT 0,
  cursor INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (durable, slot)
) STRICT, WITHOUT ROWID;
CREATE TABLE acknowledged (
  durable TEXT NOT NULL,
  slot INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (durable, slot, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letter (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  origin TEXT NOT NULL,
  reason TEXT NOT NULL,
  time_us INTEGER NOT NULL,
  subject TEXT NOT NULL,
  size INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letter_tenant ON dead_letter (tenant, number);
CREATE INDEX dead_letter_time ON dead_letter (time_us);
"""


def translate(error: sqlite3.Error, path: Path) -> ImpetusError:
    """What an SQLite error means to the caller."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(
            f"there is no room left for the message log {path}", hint="free some disk space, or shorten the retention"
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return ConfigurationError(
            f"{path} is damaged or no message log ({error})", hint="move it away and start again, or restore a backup"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return ConfigurationError(
            f"the message log {path} cannot be opened for writing ({error})",
            hint="check the folder and its permissions",
        )
    return Unavailable(f"the message log {path} cannot be used at the moment ({error})", hint="try again")


@contextmanager
def errors_translated(path: Path) -> Iterator[None]:
    """Raise what an SQLite error means in its place."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error


def connect(path: Path, settings: EmbeddedSettings) -> sqlite3.Connection:
    """One more connection to a log that `prepare` has made. Transactions are begun by hand."""
    connection = sqlite3.connect(
        path, timeout=5.0, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    # What retention removes is overwritten, not only unlinked.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA synchronous = {'FULL' if settings.power_safe else 'NORMAL'}")
    if settings.size_limit_bytes is not None:
        page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
        connection.execute(f"PRAGMA max_page_count = {max(1, settings.size_limit_bytes // page_size)}")
    return connection


def prepare(path: Path, lock: ProcessLock, settings: EmbeddedSettings) -> int:
    """Make the log if there is none, check it if there is; returns its number of partitions.

    Raises ConfigurationError for a file that is something else, damaged, newer, or cannot be written.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} is too old for the message log",
            hint=f"use a Python built with SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer",
        )
    with lock.writing():
        try:
            # SQLite would make the file readable for all; its -wal and -shm take over the mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            with errors_translated(path):
                return _prepare(connection, path, settings)
        finally:
            connection.close()


def _unusable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the message log {path} cannot be opened ({error})", hint="check that the folder exists and may be written to"
    )


def _prepare(connection: sqlite3.Connection, path: Path, settings: EmbeddedSettings) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if application != APPLICATION_ID and (application or version or tables):
        raise ConfigurationError(
            f"{path} is an SQLite file, but no message log of impetus", hint="name another file for the bus"
        )
    if version > VERSION:
        raise ConfigurationError(
            f"the message log {path} was made by a newer impetus: it has form {version}, this one reads {VERSION}",
            hint="install that newer version, or name another file for the bus",
        )
    if not tables:
        if not 1 <= settings.partitions <= 62:
            raise ConfigurationError(f"{settings.partitions} partitions are not possible", hint="choose 1 to 62")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO setting VALUES ('partitions', ?)", (settings.partitions,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    return int(connection.execute("SELECT value FROM setting WHERE name = 'partitions'").fetchone()[0])
