"""Dead letters on JetStream: a stream of their own, one subject a tenant, where the servers let the oldest go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote, unquote

from impetus.bus.jetstream.connection import Connection, Refused
from impetus.bus.jetstream.reader import Found, LogReader
from impetus.bus.jetstream.wire import MESSAGE_ID
from impetus.bus.protocol import DEAD_LETTER_BODY_LIMIT, DeadLetter, Delivery
from impetus.bus.subjects import SubjectPattern
from impetus.model import Clock, InvalidInput, new_id

_REASON_LIMIT = 2_000
_PAGE = 500
_SPREAD = 4
_NOT_FOUND = 404
_SUBJECT = re.compile(r"[a-z0-9-]+\.([a-z0-9-]+)\.[A-Za-z0-9_:/@~-]+")


class Letters:
    """What nobody could use."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def keep(
        self, tenant: str, origin: str, subject: str, body: bytes, reason: str, *, id: str | None = None
    ) -> int:
        """Keep one; its number."""
        headers = {
            MESSAGE_ID: quote(id or new_id()),
            "letter-origin": quote(origin),
            "letter-reason": quote(reason[:_REASON_LIMIT]),
            "letter-subject": quote(subject),
            "letter-time": self._clock.now().isoformat(),
            "letter-size": str(len(body)),
        }
        names = self._connection.names
        return await self._connection.put(names.letter(tenant), body[:DEAD_LETTER_BODY_LIMIT], headers)

    async def keep_rejected(self, delivery: Delivery, durable: str, reason: str) -> int:
        """Keep a message that a durable consumer refused; once, however often it does."""
        envelope = delivery.envelope
        id = f"{durable} {delivery.sequence} {new_id()}"
        return await self.keep(envelope.tenant, durable, envelope.subject, envelope.data, reason, id=id)

    async def withdraw(self, number: int) -> bool:
        """Remove one; false if there is none."""
        question = {"seq": number, "no_erase": True}
        try:
            await self._connection.ask(f"STREAM.MSG.DELETE.{self._connection.names.letters}", question)
        except Refused:
            return False
        return True

    async def newest(self, tenant: str, limit: int, before: str | None) -> Sequence[DeadLetter]:
        """Those of a tenant, the newest first.

        The servers read forwards only: from a little before the end, then from further back until there are enough.
        """
        connection = self._connection
        try:
            state = (await connection.ask(f"STREAM.INFO.{connection.names.letters}"))["state"]
        except Refused as error:
            raise error.plain() from error
        end = int(state["last_seq"]) + 1 if before is None else min(_number(before), int(state["last_seq"]) + 1)
        first = int(state["first_seq"])
        span = max(limit, 1) * _SPREAD
        while True:
            after = max(first - 1, end - 1 - span, 0)
            found = await self._between(tenant, after, end)
            if len(found) >= limit or after <= first - 1 or after == 0:
                return [_letter(tenant, one) for one in reversed(found[-limit:])] if limit else []
            span *= _SPREAD

    async def _between(self, tenant: str, after: int, end: int) -> list[Found]:
        names = self._connection.names
        reader = LogReader(self._connection, names.letters, names.letter(tenant))
        found: list[Found] = []
        try:
            while page := await reader.read(after, _PAGE, 0.0):
                after = page[-1].sequence
                found += [one for one in page if one.sequence < end]
                if after >= end - 1:
                    break
        finally:
            await reader.close()
        return found

    async def discard(self, tenant: str, id: str) -> bool:
        """Remove one; false if the tenant has none of that id."""
        number = _number(id)
        names = self._connection.names
        try:
            answer = await self._connection.ask(f"STREAM.MSG.GET.{names.letters}", {"seq": number})
        except Refused as error:
            if error.code in (_NOT_FOUND, 400):
                return False
            raise error.plain() from error
        return answer["message"]["subject"] == names.letter(tenant) and await self.withdraw(number)

    async def forget(self, patterns: Sequence[SubjectPattern], before: datetime) -> int:
        """Remove those of these subjects that are older."""
        names = self._connection.names
        reader = LogReader(self._connection, names.letters, names.letter("*"), headers_only=True)
        removed = position = 0
        try:
            while page := await reader.read(position, _PAGE, 0.0):
                position = page[-1].sequence
                for one in page:
                    kind = _SUBJECT.fullmatch(unquote(one.headers["letter-subject"]))
                    tenant, origin = one.subject.rsplit(".", 1)[1], unquote(one.headers["letter-origin"])
                    chosen = any(pattern.matches(tenant, kind[1] if kind else "", origin) for pattern in patterns)
                    if chosen and datetime.fromisoformat(one.headers["letter-time"]) < before:
                        removed += await self.withdraw(one.sequence)
        finally:
            await reader.close()
        return removed


def _letter(tenant: str, found: Found) -> DeadLetter:
    headers = found.headers
    return DeadLetter(
        str(found.sequence),
        tenant,
        unquote(headers["letter-origin"]),
        unquote(headers["letter-reason"]),
        datetime.fromisoformat(headers["letter-time"]),
        unquote(headers["letter-subject"]),
        found.body,
        int(headers["letter-size"]),
    )


def _number(id: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", id):
        raise InvalidInput(f"{id[:40]!r} is no id of a dead letter", hint="take it from the list of dead letters")
    return int(id)
