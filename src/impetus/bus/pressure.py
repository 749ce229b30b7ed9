"""Back-pressure: whether the slowest durable consumer is so far behind that publishers must wait."""

from __future__ import annotations

import json
import sqlite3
import time

from impetus.bus.reading import Selection, head
from impetus.bus.settings import EmbeddedSettings
from impetus.bus.subjects import parse_patterns

_INTERVAL_S = 1.0
_INTERVAL_BLOCKED_S = 0.1
_SHARE_UNCHECKED = 0.05
"""A look is due at the latest when this share of the bound was published since the last one."""


class Pressure:
    """Looks now and then, and remembers. Used by the writer thread alone."""

    def __init__(self, settings: EmbeddedSettings) -> None:
        self.reason = ""
        """Why publishers must wait; empty when they need not."""
        self._messages_limit = settings.lag_messages
        self._bytes_limit = settings.lag_bytes
        self._due = 0.0
        self._messages = 0
        self._bytes = 0

    def published(self, messages: int, size: int) -> None:
        """So much was appended since."""
        self._messages += messages
        self._bytes += size

    def check(self, connection: sqlite3.Connection) -> str:
        """`reason`, looked up again when that is due."""
        started = time.monotonic()
        if (
            started >= self._due
            or self._messages > self._messages_limit * _SHARE_UNCHECKED
            or self._bytes > self._bytes_limit * _SHARE_UNCHECKED
        ) and not (self.reason and started < self._due):
            self.reason = self._look(connection)
            self._messages = self._bytes = 0
            now = time.monotonic()
            # A count over a long backlog takes its time: it may take a tenth of the writer's, not more.
            self._due = now + max(_INTERVAL_BLOCKED_S if self.reason else _INTERVAL_S, 10 * (now - started))
        return self.reason

    def _look(self, connection: sqlite3.Connection) -> str:
        newest = head(connection)
        pages, free, page_size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        file_is_small = (pages - free) * page_size <= self._bytes_limit
        rows = connection.execute(
            "SELECT consumer.durable, patterns, min(cursor) FROM consumer JOIN assignment USING (durable)"
            " GROUP BY consumer.durable"
        ).fetchall()
        for durable, patterns, cursor in rows:
            # The distance in the log bounds the backlog from above and costs nothing.
            if file_is_small and newest - cursor <= self._messages_limit:
                continue
            selection = Selection(parse_patterns(json.loads(patterns)))
            messages, size = selection.pending(connection, durable)
            if messages >= self._messages_limit or size >= self._bytes_limit:
                return (
                    f"the consumer {durable} is {messages} messages ({size // 2**20} MiB) behind,"
                    f" and the log holds {self._messages_limit} ({self._bytes_limit // 2**20} MiB)"
                )
        return ""
