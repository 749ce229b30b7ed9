"""Reads messages of chosen subjects out of the log, in order, cheaply whatever else the log holds."""

# The statements are put together from constants and conditions; every value in them is a parameter.
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from impetus.bus.protocol import Delivery
from impetus.bus.subjects import SubjectPattern
from impetus.model import Envelope, from_microseconds

BYTES_AT_ONCE = 8 * 1024 * 1024
"""A read stops after the message that passes this, so that it holds neither the loop nor much memory."""
SEQUENCES_AT_ONCE = 100_000
"""Positions that one read looks through at most, whether they match or not."""
ALL_SLOTS = -1

_COLUMNS = "sequence, slot, id, source, type, tenant, kind, origin, partition, time_us, body"


def slot_of(partition: str, slots: int) -> int:
    """The slot of a partition: the same in all processes and for ever."""
    return zlib.crc32(partition.encode()) % slots


@dataclass(frozen=True, slots=True)
class Page:
    """Messages found, each with its slot, and how far the log was looked through."""

    messages: Sequence[tuple[int, Delivery]]
    through: int


class Selection:
    """The SQL that chooses the messages of some subject patterns."""

    def __init__(self, patterns: Sequence[SubjectPattern]) -> None:
        self.patterns = patterns
        self._parameters: dict[str, int | str] = {}
        kinds = [pattern.kind for pattern in patterns]
        # One arm a kind, each read from the index on kinds. Where a pattern takes any kind, the log is read itself.
        self._arms: list[str] = (
            [self._arm(None, patterns)]
            if None in kinds
            else [
                self._arm(kind, [pattern for pattern in patterns if pattern.kind == kind])
                for kind in dict.fromkeys(kinds)
            ]
        )
        self._page = self._statement("")
        self._page_in_time = self._statement(" AND time_us >= :since AND time_us < :until")

    def read(
        self,
        connection: sqlite3.Connection,
        *,
        after: int,
        through: int,
        limit: int,
        slots: int = ALL_SLOTS,
        times_us: tuple[int, int] | None = None,
    ) -> Page:
        """Up to `limit` messages with `after` < sequence <= `through` in the slots of that bit mask."""
        through = min(through, after + SEQUENCES_AT_ONCE)
        parameters = self._parameters | {"after": after, "through": through, "limit": limit, "slots": slots}
        if times_us is not None:
            parameters |= {"since": times_us[0], "until": times_us[1]}
        rows = connection.execute(self._page if times_us is None else self._page_in_time, parameters)
        messages: list[tuple[int, Delivery]] = []
        size = 0
        for row in rows:
            messages.append((row[1], _delivery(row)))
            size += len(row[10])
            if size >= BYTES_AT_ONCE:
                rows.close()
                return Page(messages, row[0])
        return Page(messages, messages[-1][1].sequence if len(messages) == limit else through)

    def first(self, connection: sqlite3.Connection, *, slot: int, after: int) -> int | None:
        """Sequence of the first message in that slot past `after`."""
        found = [
            connection.execute(
                f"SELECT sequence FROM {arm} ORDER BY sequence LIMIT 1",
                self._parameters | {"after": after, "through": 2**62, "slots": 1 << slot},
            ).fetchone()
            for arm in self._arms
        ]
        return min((row[0] for row in found if row), default=None)

    def pending(self, connection: sqlite3.Connection, durable: str, *, before_us: int | None = None) -> tuple[int, int]:
        """Messages, and their bytes, that the durable consumer has still to acknowledge; the older ones if asked."""
        older = "" if before_us is None else " AND time_us < :before_us"
        parameters = self._parameters | {"durable": durable, "through": 2**62, "slots": ALL_SLOTS}
        parameters["after"] = connection.execute(
            "SELECT coalesce(min(cursor), 0) FROM assignment WHERE durable = ?", (durable,)
        ).fetchone()[0]
        if before_us is not None:
            parameters["before_us"] = before_us
        count = size = 0
        for arm in self._arms:
            row = connection.execute(
                f"SELECT count(*), coalesce(sum(size), 0) FROM {arm}{older}"
                " AND sequence > (SELECT cursor FROM assignment WHERE durable = :durable AND slot = message.slot)"
                " AND NOT EXISTS (SELECT 1 FROM acknowledged AS done"
                "  WHERE done.durable = :durable AND done.slot = message.slot AND done.sequence = message.sequence)",
                parameters,
            ).fetchone()
            count += row[0]
            size += row[1]
        return count, size

    def _arm(self, kind: str | None, patterns: Sequence[SubjectPattern]) -> str:
        conditions = ["sequence > :after", "sequence <= :through", "(:slots >> slot) & 1"]
        if kind is not None:
            conditions.insert(0, f"kind = {self._parameter(kind)}")
        choices = [self._choice(pattern, kind is None) for pattern in patterns]
        if "" not in choices:
            conditions.append(f"({' OR '.join(choices)})")
        index = "NOT INDEXED" if kind is None else "INDEXED BY message_kind"
        return f"message {index} WHERE {' AND '.join(conditions)}"

    def _choice(self, pattern: SubjectPattern, with_kind: bool) -> str:
        columns = {"tenant": pattern.tenant, "origin": pattern.origin}
        if with_kind:
            columns["kind"] = pattern.kind
        terms = [f"{name} = {self._parameter(value)}" for name, value in columns.items() if value is not None]
        return f"({' AND '.join(terms)})" if terms else ""

    def _parameter(self, value: str) -> str:
        name = f"token{len(self._parameters)}"
        self._parameters[name] = value
        return f":{name}"

    def _statement(self, extra: str) -> str:
        if len(self._arms) == 1:
            return f"SELECT {_COLUMNS} FROM {self._arms[0]}{extra} ORDER BY sequence LIMIT :limit"
        arms = " UNION ALL ".join(f"SELECT sequence FROM {arm}{extra}" for arm in self._arms)
        return (
            f"SELECT {_COLUMNS} FROM message WHERE sequence IN "
            f"(SELECT sequence FROM ({arms}) ORDER BY sequence LIMIT :limit) ORDER BY sequence"
        )


def head(connection: sqlite3.Connection) -> int:
    """Sequence of the newest message that the log ever held."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
    return int(row[0]) if row else 0


def kinds(connection: sqlite3.Connection) -> list[str]:
    """The kinds of messages in the log; jumps from one to the next along the index."""
    rows = connection.execute(
        "WITH RECURSIVE found (kind) AS (SELECT min(kind) FROM message UNION ALL"
        " SELECT (SELECT min(kind) FROM message WHERE kind > found.kind) FROM found WHERE found.kind IS NOT NULL)"
        " SELECT kind FROM found WHERE kind IS NOT NULL"
    )
    return [row[0] for row in rows]


def _delivery(row: tuple[int, int, str, str, str, str, str, str, str, int, bytes]) -> Delivery:
    sequence, _, id, source, type, tenant, kind, origin, partition, time_us, body = row
    # It was checked when it was published; checking it again would take longer than reading it.
    envelope = Envelope.model_construct(
        id=id,
        source=source,
        type=type,
        subject=f"{tenant}.{kind}.{origin}",
        time=from_microseconds(time_us),
        tenant=tenant,
        partition=partition,
        data=body,
    )
    return Delivery(sequence, envelope)
