"""A database as the store uses it: one that writes at a time and any number that read, on SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, CursorResult, Executable, Insert, Table, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from impetus.model import ConfigurationError, Unavailable
from impetus.store.wall import raise_wall

BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for a writer in another process."""

READING_CACHE_MIB = 8
"""Of the file each reading connection keeps so much."""

SQLITE_FULL = "database or disk is full"
SQLITE_TROUBLE = ("disk i/o error", "unable to open database", "readonly database", "database is locked")
"""What SQLite says when it is not the program's fault; it works again once the cause is gone."""

SQLITE_DAMAGED = ("file is not a database", "database disk image is malformed")

POSTGRESQL_TROUBLE = ("08", "53", "57P", "58", "40")
"""Classes of SQLSTATE that pass: connection, resources, operator intervention, system, serialisation."""


PATIENCE_S = 3
"""So long either side of a connection to PostgreSQL waits for the other's machine before it gives the connection up."""
CONNECT_S = 8
"""So long a connection may take to come about: on a busy machine longer than an answer over one that stands."""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn a database that cannot at the moment into `Unavailable`; a mistake of the program stays what it is."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("the database is too busy to answer", hint="Try again in a moment.") from error
    except DBAPIError as error:
        unavailable = _unavailable(error)
        if unavailable is None:
            raise
        raise unavailable from error


def _unavailable(error: DBAPIError) -> Unavailable | None:
    text = str(error.orig)
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if SQLITE_FULL in text or state == "53100":
        return Unavailable(
            "there is no room left on the disk of the database; nothing was changed",
            hint="Free some space on it; the system goes on by itself.",
        )
    if any(damage in text for damage in SQLITE_DAMAGED):
        return Unavailable(f"the database file is damaged: {text}", hint="Restore it from a backup.")
    passes = (
        any(trouble in text.lower() for trouble in SQLITE_TROUBLE)
        or state.startswith(POSTGRESQL_TROUBLE)
        or error.connection_invalidated
        or (isinstance(error, InterfaceError) and not state)
        # psycopg reports a server that cannot be reached, or not in time, without any state.
        or (isinstance(error, OperationalError) and not state and not _is_sqlite(error))
    )
    if not passes:
        return None
    return Unavailable(
        f"the database does not answer: {text.splitlines()[0] if text else type(error.orig).__name__}",
        hint="Look at the database server or at the disk and its permissions; the system goes on by itself.",
    )


def _is_sqlite(error: DBAPIError) -> bool:
    return type(error.orig).__module__ in ("sqlite3", "aiosqlite")


def parse_url(url: str) -> URL:
    """The address of a database, with the driver that the store uses. Raises `ConfigurationError`."""
    hint = "Use sqlite:///FOLDER/store.sqlite or postgresql://USER@HOST/DATABASE."
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("the address of the store cannot be read", hint=hint) from error
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case _:
            raise ConfigurationError(f"the store cannot use {parsed.render_as_string(hide_password=True)!r}", hint=hint)


class Database:
    """One SQLite file or one PostgreSQL database.

    `sync` is SQLite's `synchronous`: FULL survives a power cut, NORMAL a crash of the program but perhaps not the last
    moments before a power cut. `cache_mib`: MiB of the file that its writer keeps.
    """

    def __init__(self, url: URL, *, sync: Literal["FULL", "NORMAL"] = "FULL", cache_mib: int = 16) -> None:
        self.url = url
        self.sqlite = url.get_backend_name() == "sqlite"
        self._write_lock = asyncio.Lock()
        self._writer: asyncio.Task[Any] | None = None
        if self.sqlite:
            _make_private(Path(str(url.database)))
            pragmas = [
                f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1_000)}",
                "PRAGMA journal_mode=WAL",
                f"PRAGMA synchronous={sync}",
                "PRAGMA foreign_keys=ON",
                "PRAGMA temp_store=MEMORY",
                # Fewer, larger checkpoints: a page that is written often goes to the file once.
                "PRAGMA wal_autocheckpoint=4000",
                "PRAGMA journal_size_limit=67108864",
            ]
            self._write_engine = _sqlite_engine(url, [*pragmas, _cache(cache_mib)], "BEGIN IMMEDIATE", pool_size=1)
            # Each connection has a cache of its own; what one lacks the kernel's cache of the file has.
            reading = [*pragmas, _cache(READING_CACHE_MIB), "PRAGMA query_only=ON"]
            self._read_engine = _sqlite_engine(url, reading, "BEGIN", pool_size=4)
        else:
            self._write_engine = create_async_engine(
                url, pool_size=8, max_overflow=8, pool_pre_ping=True, connect_args=_watchful(url)
            )
            # A view sees one state throughout, as it does with SQLite.
            self._read_engine = self._write_engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @asynccontextmanager
    async def write(self, *, across: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that may change things: committed at the end, rolled back if the body raises.

        SQLite has one writer: others of this process wait in line here, those of other processes for at most
        `BUSY_TIMEOUT_S`. With `across` it is not held within one organisation. Raises `Unavailable`.
        """
        with plain_errors():
            if not self.sqlite:
                async with self._write_engine.begin() as connection:
                    if not across:
                        await raise_wall(connection)
                    yield connection
                return
            task = asyncio.current_task()
            if task is not None and self._writer is task:
                raise RuntimeError("this task has a transaction open already: pass it on instead of opening a second")
            async with self._write_lock:
                self._writer = task
                try:
                    async with self._write_engine.begin() as connection:
                        yield connection
                finally:
                    self._writer = None

    @asynccontextmanager
    async def read(self, *, across: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database and changes nothing. With `across` it is not held within
        one organisation. Raises `Unavailable`."""
        with plain_errors():
            async with self._read_engine.connect() as connection:
                if not across and not self.sqlite:
                    await raise_wall(connection)
                yield connection

    async def close(self) -> None:
        """Let go of all connections."""
        await self._read_engine.dispose()
        await self._write_engine.dispose()


def _make_private(path: Path) -> None:
    """Make the file, if it is not there, so that only its owner can read it: password hashes and alerts are in it.
    SQLite gives the files beside it the same permissions."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"the store {path} cannot be opened: {error.strerror}",
            hint="Mend the folder's permissions or name another.",
        ) from error


def _watchful(url: URL) -> dict[str, Any]:
    """What has both sides notice soon that the other's machine is gone, which by default takes a quarter of an hour
    here and two hours there, with the locks held so long. What the address itself says goes first."""
    ours: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": PATIENCE_S - 1,
        "tcp_user_timeout": PATIENCE_S * 1_000,
        "options": f"-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 -c tcp_keepalives_count={PATIENCE_S - 1}"
        f" -c tcp_user_timeout={PATIENCE_S * 1_000}",
    }
    return {name: value for name, value in ours.items() if name not in url.query}


def _cache(mebibytes: int) -> str:
    return f"PRAGMA cache_size={-mebibytes * 1024}"


def _sqlite_engine(url: URL, pragmas: Sequence[str], begin: str, *, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0)

    def prepare(connection: Any, record: object) -> None:
        # Transactions are begun below, in the way that is needed; the driver shall not begin any by itself.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", begin_transaction)
    return engine


def insert_if_absent(connection: AsyncConnection, table: Table) -> Insert:
    """INSERT that leaves a row with the same key alone."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def insert_or_replace(connection: AsyncConnection, table: Table) -> Insert:
    """INSERT that overwrites all other columns of a row with the same primary key."""
    statement: sqlite.Insert | postgresql.Insert
    statement = sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=others)


async def one_at_a_time(connection: AsyncConnection, what: str) -> None:
    """Until this transaction ends, no other one passes here for the same `what`. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))


async def changed_rows(connection: AsyncConnection, statement: Executable) -> int:
    """Run a statement that changes rows; how many it changed."""
    # Or else the count of an INSERT is forgotten on PostgreSQL.
    result = await connection.execute(statement, execution_options={"preserve_rowcount": True})
    if not isinstance(result, CursorResult):
        raise TypeError("the statement changes nothing")
    return result.rowcount
