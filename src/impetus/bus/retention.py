"""Removes old messages in slices so short that nobody who publishes in between waits long."""

# The statements are put together from constants and conditions; every value in them is a parameter.
# ruff: noqa: S608

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence

import structlog

from impetus.bus.reading import Selection, kinds
from impetus.bus.subjects import SubjectPattern, parse_patterns
from impetus.bus.writer import Writer

_log = structlog.get_logger("impetus.bus")
_SLICE_S = 0.03
"""What one slice should take; the next one is made larger or smaller accordingly."""
_PAGES_AT_ONCE = 500


async def forget(writer: Writer, patterns: Sequence[SubjectPattern], before_us: int) -> int:
    """Remove messages, and dead letters, of these subjects whose time lies before; how many."""
    await _warn_of_unread(writer, before_us)
    removed = 0
    for kind in await writer.run(kinds):
        chosen = [pattern for pattern in patterns if pattern.kind in (None, kind)]
        condition, tokens = _condition(chosen)
        if not chosen:
            continue
        removed += await _in_slices(
            writer,
            "DELETE FROM message WHERE sequence IN (SELECT sequence FROM message INDEXED BY message_time"
            f" WHERE kind = ? AND time_us < ? AND ({condition}) LIMIT ?)",
            [kind, before_us, *tokens],
        )
    letters, tokens = _condition(patterns, with_kind=True)
    removed += await _in_slices(
        writer,
        "DELETE FROM dead_letter WHERE number IN"
        f" (SELECT number FROM dead_letter WHERE time_us < ? AND ({letters}) LIMIT ?)",
        [before_us, *tokens],
    )
    await _give_back_room(writer)
    return removed


def _condition(patterns: Sequence[SubjectPattern], *, with_kind: bool = False) -> tuple[str, list[str]]:
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


async def _in_slices(writer: Writer, statement: str, parameters: Sequence[int | str]) -> int:
    removed = 0
    rows = 50

    def remove(connection: sqlite3.Connection) -> tuple[int, float]:
        started = time.monotonic()
        count = connection.execute(statement, [*parameters, rows]).rowcount
        return count, time.monotonic() - started

    while True:
        count, took_s = await writer.run(remove, flush=True)
        removed += count
        if count < rows:
            return removed
        rows = min(5_000, rows * 2) if took_s < _SLICE_S else max(10, rows // 2)


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


async def _warn_of_unread(writer: Writer, before_us: int) -> None:
    """Retention does not wait for consumers, but says what they will never see."""

    def count(connection: sqlite3.Connection) -> dict[str, int]:
        rows = connection.execute("SELECT durable, patterns FROM consumer").fetchall()
        return {
            durable: Selection(parse_patterns(json.loads(subjects))).pending(connection, durable, before_us=before_us)[
                0
            ]
            for durable, subjects in rows
        }

    for durable, messages in (await writer.run(count)).items():
        if messages:
            _log.warning("old messages are removed that a consumer has not seen", durable=durable, at_most=messages)
