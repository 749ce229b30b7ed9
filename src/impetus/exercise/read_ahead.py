"""Reads a recorded period in a process of its own: while a tool looks at some readings, the next are on their way."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
from collections.abc import AsyncGenerator, Collection
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, Final

from impetus.model import ImpetusError, SystemClock, Unavailable
from impetus.store import open_store
from impetus.store.readings import ReadingArrays

END_S: Final = 10.0
"""How long a reader that is not needed any more may take to end."""


async def read_ahead(
    address: str, tenant: str, since: datetime, until: datetime, datastreams: Collection[str] | None, rows: int
) -> AsyncGenerator[ReadingArrays, None]:
    """What `ReadingStore.arrays` gives, of the store at `address`, read by a process that is always a block ahead.

    Close the iterator when the rest is not wanted; the process ends with it. Raises `Unavailable` if it ends early,
    and what opening and reading the store raise.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    asked = (address, tenant, since, until, datastreams, rows)
    process = spawn.Process(target=_read, args=(theirs, *asked), name="read-ahead", daemon=True)
    process.start()
    theirs.close()
    try:
        while (got := await asyncio.to_thread(_received, ours)) is not None:
            if isinstance(got, ImpetusError):
                raise got
            yield got
    finally:
        ours.close()
        process.terminate()
        await asyncio.to_thread(process.join, END_S)


def _received(connection: Connection) -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError) as error:
        raise Unavailable("the process that reads the recorded readings ended early", hint="try again") from error


def _read(
    connection: Connection,
    address: str,
    tenant: str,
    since: datetime,
    until: datetime,
    datastreams: Collection[str] | None,
    rows: int,
) -> None:
    """The other process: everything that was recorded, then None; or what went wrong."""
    # Rows are many, small, and point at nothing: looking for circles among them would take a third of the time.
    gc.disable()
    # Nobody listens any more: the replay was ended.
    with suppress(BrokenPipeError):
        try:
            asyncio.run(_send(connection, address, tenant, since, until, datastreams, rows))
            connection.send(None)
        except ImpetusError as error:
            connection.send(Unavailable(str(error)))


async def _send(
    connection: Connection,
    address: str,
    tenant: str,
    since: datetime,
    until: datetime,
    datastreams: Collection[str] | None,
    rows: int,
) -> None:
    store = await open_store(address, SystemClock())
    try:
        async for arrays in store.readings.arrays(tenant, since, until, datastreams=datastreams, rows=rows):
            connection.send(arrays)
    finally:
        await store.close()
