"""Where the servers keep the durable consumers: read, changed and written back, on condition that nobody else wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from impetus.bus.jetstream.connection import EXPECTED_LAST, Connection, Refused, decoded
from impetus.bus.jetstream.group import Group
from impetus.model import Conflict, Unavailable

Result = TypeVar("Result")
_ATTEMPTS = 1_000
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Kept:
    """A record and where it stands."""

    body: bytes
    revision: int

    @property
    def group(self) -> Group:
        """A copy of its own, to be changed."""
        return Group.decode(self.body)


class Groups:
    """All durable consumers of a log."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def load(self, durable: str) -> Kept | None:
        """The record as it is now; None if there is no such durable consumer."""
        connection = self._connection
        question = {"last_by_subj": connection.names.group(durable)}
        try:
            answer = await connection.ask(f"STREAM.MSG.GET.{connection.names.state}", question)
        except Refused as error:
            if error.code == _NOT_FOUND:
                return None
            raise error.plain() from error
        return Kept(decoded(answer["message"]), int(answer["message"]["seq"]))

    async def save(self, durable: str, group: Group, revision: int) -> Kept:
        """Write on condition that the record is still the one of `revision` (0: none). Raises Conflict."""
        body = group.encode()
        connection = self._connection
        headers = {EXPECTED_LAST: str(revision)}
        return Kept(body, await connection.put(connection.names.group(durable), body, headers))

    async def change(
        self, durable: str, known: Kept | None, work: Callable[[Group], Result]
    ) -> tuple[Kept, Result] | None:
        """Do `work` on the record, again on a newer one if somebody was faster; None if there is none any more.

        When the servers do not answer it is tried again for `wait_s` of the settings; `work` may then be done on a
        record in which it was done already.
        """
        deadline = time.monotonic() + self._connection.settings.wait_s
        for _ in range(_ATTEMPTS):
            if known is None and (known := await self.load(durable)) is None:
                return None
            group = known.group
            result = work(group)
            try:
                return await self.save(durable, group, known.revision), result
            except Conflict:
                known = None
            except Unavailable:
                if self._connection.closed or time.monotonic() >= deadline:
                    raise
                known = None
        raise Unavailable(f"the members of {durable} change it too often at once", hint="run fewer of them")

    async def names(self, *, patience_s: float | None = None) -> Sequence[str]:
        """Of all durable consumers; see `Connection.ask`."""
        connection = self._connection
        prefix = connection.names.group("")
        found: list[str] = []
        while True:
            question = {"subjects_filter": f"{prefix}>", "offset": len(found)}
            try:
                answer = await connection.ask(f"STREAM.INFO.{connection.names.state}", question, patience_s=patience_s)
            except Refused as error:
                raise error.plain() from error
            page = answer["state"].get("subjects") or {}
            found += [subject.removeprefix(prefix) for subject in page]
            if not page or len(found) >= int(answer.get("total", 0)):
                return sorted(found)

    async def remove(self, durable: str) -> None:
        """Forget it."""
        connection = self._connection
        question = {"filter": connection.names.group(durable)}
        try:
            await connection.ask(f"STREAM.PURGE.{connection.names.state}", question)
        except Refused as error:
            raise error.plain() from error
        await connection.notify(durable)
