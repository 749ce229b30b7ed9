"""Reads messages of one filter out of a stream, from any position on, complete and in order.

A throw-away consumer of the server does the choosing. Whatever may have been lost on the way (a gap in its count, a
broken connection, a server that is gone) is noticed here, and reading starts again where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError

from impetus.bus.jetstream.connection import Connection, Refused
from impetus.model import Unavailable

_NANOSECONDS = 1_000_000_000
_FORGOTTEN_S = 60.0
"""The server forgets a consumer that nobody asked for so long."""
_GRACE_S = 3.0
"""So much later than it should the answer to a request may come."""
_BURST_S = 0.05
_BACK_OFF_S = 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """A message as the stream has it."""

    sequence: int
    subject: str
    headers: Mapping[str, str]
    body: bytes
    pending: int
    """Messages of the filter that come after it."""


class LogReader:
    """See the module. `close` it at the end."""

    def __init__(self, connection: Connection, stream: str, filter: str, *, headers_only: bool = False) -> None:
        self._connection = connection
        self._stream = stream
        self._filter = filter
        self._headers_only = headers_only
        self.position = 0
        """Everything of the filter up to here was taken."""
        self.pending = 0
        """Messages of the filter past the start, as it was when reading started."""
        self._buffer: deque[Found] = deque()
        self._arrived = asyncio.Event()
        self._consumer = ""
        self._count = 0
        self._breaks = -1
        self._inbox = ""
        self._subscription: NatsSubscription | None = None
        self._request = 0
        self._credit = 0
        self._over = 0.0
        self._ended = 0
        self._stale = True

    def wake(self) -> None:
        """A `read` that waits returns."""
        self._arrived.set()

    async def read(self, after: int, limit: int, wait_s: float) -> list[Found]:
        """Up to `limit` messages past `after`, in order; waits up to `wait_s` for the first. Raises Unavailable.

        `after` is at least the position up to which all that matters was taken; an earlier one starts anew there.
        """
        if self._lost() or after < self.position:
            await self._start(after)
        self._drop_through(after)
        if not self._buffer:
            await self._pull(limit, wait_s)
            if self._stale and not self._buffer:
                await asyncio.sleep(_BACK_OFF_S)
                await self._start(after)
                await self._pull(limit, 0.0)
            self._drop_through(after)
        found: list[Found] = []
        while self._buffer and len(found) < limit:
            found.append(self._buffer.popleft())
        if found:
            self.position = found[-1].sequence
        return found

    def give_back(self, found: Sequence[Found]) -> None:
        """These, the last of what `read` returned, were not taken: they come first next time."""
        self._buffer.extendleft(reversed(found))
        self.position = found[0].sequence - 1

    async def check(self) -> None:
        """Notice when something was lost on the way behind which nothing has come since. Raises nothing."""
        if self._lost() or self._buffer or self._credit > 0:
            return
        try:
            info = await self._connection.ask(f"CONSUMER.INFO.{self._stream}.{self._consumer}", patience_s=0)
        except (Refused, Unavailable):  # the server that had it is gone
            self._stale = True
        else:
            self._stale = self._stale or int(info["delivered"]["consumer_seq"]) != self._count

    async def start(self, after: int) -> int:
        """Begin past that position; how many messages of the filter there are past it. Raises Unavailable."""
        await self._start(after)
        return self.pending

    async def close(self) -> None:
        """Let the server forget it."""
        consumer, self._consumer, self._stale = self._consumer, "", True
        subscription, self._subscription = self._subscription, None
        if self._connection.closed:
            return
        with suppress(NatsError, Unavailable, Refused):
            if subscription is not None:
                await subscription.unsubscribe()
            if consumer:
                await self._connection.tell(f"CONSUMER.DELETE.{self._stream}.{consumer}")

    # ---- the server's consumer -------------------------------------------------------------------------------------

    def _lost(self) -> bool:
        return self._stale or self._breaks != self._connection.breaks

    async def _start(self, after: int) -> None:
        await self.close()
        client = await self._connection.client()
        self._breaks = self._connection.breaks
        self._inbox = client.new_inbox()
        try:
            self._subscription = await client.subscribe(f"{self._inbox}.*", cb=self._take)
        except NatsError as error:
            raise self._connection.trouble(error) from error
        config: dict[str, Any] = {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": after + 1,
            "ack_policy": "none",
            "filter_subject": self._filter,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": int(_FORGOTTEN_S * _NANOSECONDS),
            "headers_only": self._headers_only,
        }
        try:
            answer = await self._connection.ask(
                f"CONSUMER.CREATE.{self._stream}", {"stream_name": self._stream, "config": config}
            )
        except Refused as error:
            raise error.plain() from error
        self._consumer = answer["name"]
        self.pending = int(answer["num_pending"])
        self._buffer.clear()
        self._count = 0
        self._credit = 0
        self.position = after
        self._stale = False

    async def _pull(self, limit: int, wait_s: float) -> None:
        now = time.monotonic()
        self._arrived.clear()
        if wait_s <= 0:
            await self._ask(limit, {"no_wait": True}, now + _GRACE_S)
        elif self._credit <= 0 or now >= self._over:
            # Answers to earlier questions may still come; all arrive in order in the same place.
            await self._ask(limit, {"expires": int(wait_s * _NANOSECONDS)}, now + wait_s + _GRACE_S)
        else:
            limit = self._credit
        request, over, until = self._request, self._over, now + wait_s
        while not self._stale and self._ended < request and not self._buffer:
            now = time.monotonic()
            if now >= over:
                self._stale = True  # the server said nothing at all: whatever it knows of us is gone
                break
            if wait_s > 0 and now >= until:
                return
            # A broken connection is looked at now and then, since nothing else tells of it here.
            pause = min(0.5, over - now, *([until - now] if wait_s > 0 else []))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._arrived.wait()
            if self._connection.breaks != self._breaks:
                return
            woken = self._arrived.is_set() and not self._buffer and self._ended < request
            if woken and wait_s > 0 and not self._stale:
                return
            self._arrived.clear()
        burst_ends = time.monotonic() + (_BURST_S if wait_s > 0 else _GRACE_S)
        while (
            0 < len(self._buffer) < limit
            and self._buffer[-1].pending
            and self._ended < request
            and not self._stale
            and (left := burst_ends - time.monotonic()) > 0
        ):
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._arrived.wait()

    async def _ask(self, limit: int, how: Mapping[str, Any], over: float) -> None:
        self._request += 1
        self._credit = limit
        self._over = over
        await self._connection.pull(
            self._stream, self._consumer, {"batch": limit, **how}, f"{self._inbox}.{self._request}"
        )

    async def _take(self, message: Msg) -> None:
        """A message, or the server's word that a request is over."""
        reply = message.reply
        if not reply.startswith("$JS.ACK."):
            status = (message.headers or {}).get("Status", "")
            if not message.subject.startswith(self._inbox + "."):
                return
            self._ended = max(self._ended, int(message.subject.rsplit(".", 1)[1]))
            if self._ended >= self._request:
                self._credit = 0
            if status not in ("404", "408"):
                self._stale = True  # the consumer was removed, or its server is gone
            self._arrived.set()
            return
        tokens = reply.split(".")
        first = 2 if len(tokens) == 9 else 4  # with a domain and an account in front
        consumer, sequence, count, pending = (
            tokens[first + 1],
            int(tokens[first + 3]),
            int(tokens[first + 4]),
            int(tokens[first + 6]),
        )
        if consumer != self._consumer or self._stale:
            return
        if count != self._count + 1:
            self._stale = True
            self._arrived.set()
            return
        self._count = count
        self._credit -= 1
        self._buffer.append(Found(sequence, message.subject, message.headers or {}, message.data, pending))
        self._arrived.set()

    def _drop_through(self, after: int) -> None:
        while self._buffer and self._buffer[0].sequence <= after:
            self.position = max(self.position, self._buffer.popleft().sequence)
