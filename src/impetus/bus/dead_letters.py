"""Messages that nobody could use, kept in the log where a person sees them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

import structlog

from impetus.bus.protocol import DEAD_LETTER_BODY_LIMIT, DeadLetter
from impetus.model import Clock, Envelope, InvalidInput, from_microseconds, to_microseconds

_log = structlog.get_logger("impetus.bus")
_REASON_LIMIT = 2_000
_TRIM_EVERY = 100
_SUBJECT = re.compile(r"[a-z0-9-]+\.([a-z0-9-]+)\.[A-Za-z0-9_:/@~-]+")


def microseconds(clock: Clock) -> int:
    """The present moment in microseconds since 1970-01-01 UTC."""
    return to_microseconds(clock.now())


def keep_rejected(
    connection: sqlite3.Connection, envelope: Envelope, durable: str, reason: str, now_us: int, limit: int
) -> None:
    """Keep a message that a durable consumer refused."""
    keep(connection, envelope.tenant, durable, envelope.subject, envelope.data, reason, now_us, limit)


def keep(
    connection: sqlite3.Connection,
    tenant: str,
    origin: str,
    subject: str,
    body: bytes,
    reason: str,
    now_us: int,
    limit: int,
) -> None:
    """Keep one; when a tenant has more than `limit`, its oldest go."""
    match = _SUBJECT.fullmatch(subject)
    number = connection.execute(
        "INSERT INTO dead_letter (tenant, kind, origin, reason, time_us, subject, size, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            tenant,
            match[1] if match else "",
            origin,
            reason[:_REASON_LIMIT],
            now_us,
            subject,
            len(body),
            body[:DEAD_LETTER_BODY_LIMIT],
        ),
    ).lastrowid
    if number is not None and number % _TRIM_EVERY == 0:
        gone = connection.execute(
            "DELETE FROM dead_letter WHERE tenant = ?1 AND number <= (SELECT number FROM dead_letter"
            " WHERE tenant = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
            (tenant, limit),
        ).rowcount
        if gone:
            _log.warning("the oldest dead letters were removed", tenant=tenant, removed=gone, limit=limit)


def newest(connection: sqlite3.Connection, tenant: str, limit: int, before: str | None) -> Sequence[DeadLetter]:
    """Those of a tenant, the newest first."""
    rows = connection.execute(
        "SELECT number, tenant, origin, reason, time_us, subject, body, size FROM dead_letter"
        " WHERE tenant = ? AND number < ? ORDER BY number DESC LIMIT ?",
        (tenant, 2**62 if before is None else _number(before), limit),
    )
    return [
        DeadLetter(str(number), tenant, origin, reason, from_microseconds(time_us), subject, body, size)
        for number, tenant, origin, reason, time_us, subject, body, size in rows
    ]


def discard(connection: sqlite3.Connection, tenant: str, id: str) -> bool:
    """Remove one; false if the tenant has none of that id."""
    done = connection.execute("DELETE FROM dead_letter WHERE tenant = ? AND number = ?", (tenant, _number(id)))
    return done.rowcount > 0


def _number(id: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", id):
        raise InvalidInput(f"{id[:40]!r} is no id of a dead letter", hint="take it from the list of dead letters")
    return int(id)
