"""How far behind durable consumers are, and whether publishers must wait for one."""

from __future__ import annotations

import time

from impetus.bus.jetstream.connection import Connection, Refused
from impetus.bus.jetstream.group import Group
from impetus.bus.jetstream.groups import Groups
from impetus.bus.jetstream.reader import LogReader
from impetus.bus.jetstream.wire import common_filter, matches, slot_and_subject
from impetus.bus.subjects import parse_patterns

_COUNTED = 20_000
"""More than so many are not counted one by one: then what the server says is taken, which may be a little more."""
_PAGE = 1_000
_INTERVAL_S = 1.0
_INTERVAL_BLOCKED_S = 0.1
_SHARE_UNCHECKED = 0.05


async def pending(connection: Connection, group: Group) -> int:
    """Messages that a durable consumer has still to acknowledge."""
    patterns = parse_patterns(group.patterns)
    names = connection.names
    position = min(slot.cursor for slot in group.slots)
    reader = LogReader(connection, names.log, common_filter(names, patterns), headers_only=True)
    try:
        left = await reader.start(position)
        if left == 0 or left > _COUNTED:
            return left
        count = 0
        while left > 0 and (found := await reader.read(position, _PAGE, 0.0)):
            left -= len(found)
            position = found[-1].sequence
            for one in found:
                number, subject = slot_and_subject(one.subject)
                slot = group.slots[number % len(group.slots)]
                open_still = one.sequence > slot.cursor and one.sequence not in slot.beyond
                count += open_still and matches(patterns, subject)
        return count
    finally:
        await reader.close()


class Lag:
    """Looks now and then, and remembers."""

    def __init__(self, connection: Connection, groups: Groups) -> None:
        self._connection = connection
        self._groups = groups
        self._reason = ""
        self._due = 0.0
        self._messages = 0
        self._bytes = 0

    def published(self, messages: int, size: int) -> None:
        """So much was published since."""
        self._messages += messages
        self._bytes += size

    async def reason(self) -> str:
        """Why publishers must wait; empty when they need not. Raises Unavailable."""
        settings = self._connection.settings
        started = time.monotonic()
        much = (
            self._messages > settings.lag_messages * _SHARE_UNCHECKED
            or self._bytes > settings.lag_bytes * _SHARE_UNCHECKED
        )
        if started >= self._due or (much and not self._reason):
            self._messages = self._bytes = 0
            self._reason = await self._look()
            now = time.monotonic()
            self._due = now + max(_INTERVAL_BLOCKED_S if self._reason else _INTERVAL_S, 10 * (now - started))
        return self._reason

    async def _look(self) -> str:
        connection, settings = self._connection, self._connection.settings
        try:
            state = (await connection.ask(f"STREAM.INFO.{connection.names.log}"))["state"]
        except Refused as error:
            raise error.plain() from error
        total, size, newest = int(state["messages"]), int(state["bytes"]), int(state["last_seq"])
        if total < settings.lag_messages and size < settings.lag_bytes:
            return ""
        for durable in await self._groups.names():
            kept = await self._groups.load(durable)
            if kept is None:
                continue
            group = kept.group
            # The distance in the log bounds the backlog from above and costs nothing.
            distance = min(total, newest - min(slot.cursor for slot in group.slots))
            heavy = size >= settings.lag_bytes and distance * (size / max(1, total)) >= settings.lag_bytes
            if distance < settings.lag_messages and not heavy:
                continue
            count = await pending(connection, group)
            share = int(count * size / max(1, total))
            if count >= settings.lag_messages or share >= settings.lag_bytes:
                return (
                    f"the consumer {durable} is {count} messages ({share // 2**20} MiB) behind,"
                    f" and the log holds {settings.lag_messages} ({settings.lag_bytes // 2**20} MiB)"
                )
        return ""
