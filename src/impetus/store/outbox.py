"""The outbox: messages written in the same transaction as the change that they tell of, sent to the bus afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Envelope, ImpetusError, InvalidInput
from impetus.store.database import insert_if_absent
from impetus.store.tables import outbox as table

ENVELOPES_A_TURN: Final = 200
POLL_S: Final = 1.0
"""How long a message of another process may wait; those of this process are sent at once."""
LONGEST_PAUSE_S: Final = 2.0
"""Between two looks while the bus or the store is away: what was decided meanwhile is news the moment they are back."""

Publish = Callable[[Sequence[Envelope]], Awaitable[None]]
"""Puts envelopes on the bus; must ignore an id that it has already. `Bus.publish` does."""


SetAside = Callable[[str, str, str, bytes, str], Awaitable[None]]
"""Keeps what the bus refuses where a person sees it: tenant, origin, subject, body, reason. `Bus.set_aside` does."""

ORIGIN: Final = "outbox"


class OutboxRepository:
    """Messages that wait to be sent. They belong to the installation; each envelope names its tenant."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.written = False
        """Whether this transaction put something in."""

    async def add(self, envelopes: Sequence[Envelope]) -> None:
        """Send these once the transaction is committed; an id that waits already is ignored."""
        if not envelopes:
            return
        rows = [{"id": envelope.id, "body": envelope.model_dump_json().encode()} for envelope in envelopes]
        await self._connection.execute(insert_if_absent(self._connection, table), rows)
        self.written = True

    async def waiting_in_installation(self, limit: int = ENVELOPES_A_TURN) -> Sequence[tuple[int, Envelope]]:
        """The oldest messages and their positions."""
        query = select(table.c.position, table.c.body).order_by(table.c.position).limit(limit)
        rows = (await self._connection.execute(query)).all()
        return [(position, Envelope.model_validate_json(body)) for position, body in rows]

    async def count_in_installation(self) -> int:
        """How many messages wait."""
        return int((await self._connection.execute(select(func.count()).select_from(table))).scalar_one())

    async def remove_in_installation(self, positions: Sequence[int]) -> None:
        """These were sent."""
        await self._connection.execute(delete(table).where(table.c.position.in_(positions)))


class RelayedTransaction(Protocol):
    """A transaction of which the relay needs the outbox only."""

    @property
    def outbox(self) -> OutboxRepository: ...


class RelayedStore(Protocol):
    """What the relay needs of `Store`."""

    outbox_written: asyncio.Event

    def transaction(self) -> AbstractAsyncContextManager[RelayedTransaction]: ...

    def view(self) -> AbstractAsyncContextManager[RelayedTransaction]: ...


class OutboxRelay:
    """Sends what waits in the outbox, at once after each commit and from the start on what an earlier run left.

    A message is removed only after it was published: killed in between, the relay publishes it again with the same
    id, which the bus ignores.
    """

    def __init__(self, store: RelayedStore, publish: Publish, set_aside: SetAside | None = None) -> None:
        self._store = store
        self._publish = publish
        self._set_aside = set_aside
        self._log = structlog.get_logger("impetus.store.outbox")

    async def run(self) -> None:
        """Relay until cancelled. What hinders the bus or the store is logged, and tried again ever more slowly."""
        pause_s = POLL_S / 10
        while True:
            self._store.outbox_written.clear()
            try:
                while await self.relay_some():
                    pass
            except ImpetusError as error:
                self._log.warning("the outbox waits", reason=str(error), pause_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = POLL_S / 10
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._store.outbox_written.wait()

    async def relay_some(self) -> int:
        """Send the oldest messages, once; how many. Raises what `publish` or the store raises, then nothing is lost."""
        async with self._store.view() as view:
            waiting = await view.outbox.waiting_in_installation()
        if not waiting:
            return 0
        try:
            await self._publish([envelope for _, envelope in waiting])
        except InvalidInput:
            # One of them can never be sent; it must not hold up the others.
            for _, envelope in waiting:
                await self._publish_or_set_aside(envelope)
        async with self._store.transaction() as transaction:
            await transaction.outbox.remove_in_installation([position for position, _ in waiting])
        return len(waiting)

    async def _publish_or_set_aside(self, envelope: Envelope) -> None:
        try:
            await self._publish([envelope])
        except InvalidInput as error:
            self._log.error("the bus refuses a message", id=envelope.id, subject=envelope.subject, reason=str(error))
            if self._set_aside is not None:
                await self._set_aside(envelope.tenant, ORIGIN, envelope.subject, envelope.data, str(error))
