"""Removes old messages in slices so short that nobody who publishes in between waits long."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing

import structlog

from impetus.bus.reading import Selection, kinds
from impetus.bus.subjects import SubjectPattern, parse_patterns
from impetus.bus.writer import Writer

# The statements are put together from constants and conditions; every value in them is a parameter.
# ruff: noqa: S608

Reader = Callable[[], sqlite3.Connection]
"""Opens one more connection to the log, without the right to write."""

_log = structlog.get_logger("impetus.bus")
_FOUND_AT_ONCE = 5_000
_SLICE_S = 0.03
"""What one slice should take; the next one is made larger or smaller accordingly."""
_PAGES_AT_ONCE = 500


async def forget(writer: Writer, reader: Reader, patterns: Sequence[SubjectPattern], before_us: int) -> int:
    """Remove messages, and dead letters, of these subjects whose time lies before; how many.

    What is to go is searched for in a thread and on connections without the right to write, because the old messages
    of others lie in between. Each thread opens and closes its own: a thread runs on when this is cancelled, and a
    connection that is closed under it takes the process down.
    """
    removed = 0
    present = await asyncio.to_thread(_kinds, reader, before_us)
    remove = _Slices(writer)
    for statement, parameters in _searches(present, patterns, before_us):
        table = "dead_letter" if "dead_letter" in statement else "message"
        async for sequences in _found(reader, statement, parameters):
            removed += await remove(table, sequences)
    await _give_back_room(writer)
    return removed


def _kinds(reader: Reader, before_us: int) -> Sequence[str]:
    with closing(reader()) as connection:
        _warn_of_unread(connection, before_us)
        return kinds(connection)


def _searches(
    present: Sequence[str], patterns: Sequence[SubjectPattern], before_us: int
) -> Iterator[tuple[str, list[int | str]]]:
    """Statements that list time and key of what is to go, oldest first, past a time and key."""
    for kind in present:
        chosen = [pattern for pattern in patterns if pattern.kind in (None, kind)]
        condition, tokens = _condition(chosen, with_kind=False)
        yield (
            "SELECT time_us, sequence FROM message INDEXED BY message_time WHERE (time_us, sequence) > (?, ?)"
            f" AND kind = ? AND time_us < ? AND ({condition}) ORDER BY time_us, sequence LIMIT ?",
            [kind, before_us, *tokens],
        )
    condition, tokens = _condition(patterns, with_kind=True)
    yield (
        "SELECT time_us, number FROM dead_letter INDEXED BY dead_letter_time WHERE (time_us, number) > (?, ?)"
        f" AND time_us < ? AND ({condition}) ORDER BY time_us, number LIMIT ?",
        [before_us, *tokens],
    )


def _condition(patterns: Sequence[SubjectPattern], *, with_kind: bool) -> tuple[str, list[str]]:
    choices: list[str] = []
    tokens: list[str] = []
    for pattern in patterns:
        terms = ["1"]
        columns = {"tenant": pattern.tenant, "origin": pattern.origin}
        if with_kind:
            columns["kind"] = pattern.kind
        for name, value in columns.items():
            if value is not None:
                terms.append(f"{name} = ?")
                tokens.append(value)
        choices.append(f"({' AND '.join(terms)})")
    return " OR ".join(choices) or "0", tokens


async def _found(reader: Reader, statement: str, parameters: Sequence[int | str]) -> AsyncIterator[Sequence[int]]:
    """Keys of what is to go, some thousands at a time."""
    last = (-(2**63), 0)
    while True:
        values = (*last, *parameters, _FOUND_AT_ONCE)
        rows = await asyncio.to_thread(_all_rows, reader, statement, values)
        if not rows:
            return
        last = rows[-1]
        yield [row[1] for row in rows]


def _all_rows(reader: Reader, statement: str, values: Sequence[int | str]) -> list[tuple[int, int]]:
    with closing(reader()) as connection:
        return connection.execute(statement, values).fetchall()


class _Slices:
    """Deletes by key, as many at once as `_SLICE_S` allows on this machine."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._rows = 50

    async def __call__(self, table: str, keys: Sequence[int]) -> int:
        removed = start = 0
        column = "sequence" if table == "message" else "number"
        while start < len(keys):
            chosen = json.dumps(list(keys[start : start + self._rows]))
            start += self._rows

            def remove(connection: sqlite3.Connection, chosen: str = chosen) -> tuple[int, float]:
                began = time.monotonic()
                done = connection.execute(
                    f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (chosen,)
                )
                return done.rowcount, time.monotonic() - began

            count, took_s = await self._writer.run(remove, flush=True)
            removed += count
            self._rows = min(_FOUND_AT_ONCE, self._rows * 2) if took_s < _SLICE_S / 2 else self._rows
            self._rows = max(10, self._rows // 2) if took_s > _SLICE_S else self._rows
        return removed


async def _give_back_room(writer: Writer) -> None:
    """Shrink the file when much of it is empty; a little is left for what comes."""

    def shrink(connection: sqlite3.Connection) -> bool:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
        if free < 4 * _PAGES_AT_ONCE or free < pages // 4:
            return False
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
        return True

    while await writer.run(shrink):
        pass


def _warn_of_unread(connection: sqlite3.Connection, before_us: int) -> None:
    """Retention does not wait for consumers, but says what they will never see."""
    for durable, subjects in connection.execute("SELECT durable, patterns FROM consumer").fetchall():
        selection = Selection(parse_patterns(json.loads(subjects)))
        messages, _ = selection.pending(connection, durable, before_us=before_us)
        if messages:
            _log.warning("old messages are removed that a consumer has not seen", durable=durable, at_most=messages)
