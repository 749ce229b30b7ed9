"""What every bus must do: a durable log with subjects and durable consumers, at least once, in order per partition.

The contract is written as tests in `impetus/bus/tests/contract.py`; each back end passes all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from impetus.model import Envelope


class Start(StrEnum):
    """Where a durable consumer begins that did not exist before."""

    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a consumer gets it."""

    sequence: int
    """Position in the log: unique, growing."""
    envelope: Envelope
    attempt: int = 1
    """How often it was delivered to this consumer, this time included (best effort after a crash)."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody could use, set aside where a person sees it."""

    id: str
    tenant: str
    origin: str
    """Who set it aside: a consumer's name or a connector."""
    reason: str
    time: datetime
    subject: str
    """Subject or topic that it came by."""
    body: bytes
    """The payload, cut to `DEAD_LETTER_BODY_LIMIT` bytes."""
    size_bytes: int
    """Size of the whole payload."""


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """How far a durable consumer is."""

    durable: str
    pending: int
    """Messages it has still to acknowledge."""


class Subscription(Protocol):
    """One member of a durable consumer. Members of the same name share the partitions among them."""

    async def fetch(self, limit: int = 100, *, timeout_s: float = 1.0) -> Sequence[Delivery]:
        """Up to `limit` messages in order per partition; waits up to `timeout_s` for the first one, may be empty."""
        ...

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """These are dealt with: durable when this returns, never delivered again to this durable name.

        Raises `impetus.model.Conflict` when some are no longer this member's because it lost their partitions:
        those are delivered again, to another member; the others are acknowledged.
        """
        ...

    async def reject(self, delivery: Delivery, reason: str) -> None:
        """Set the message aside as a dead letter with its reason, and acknowledge it. Raises Conflict like that."""
        ...

    async def close(self) -> None:
        """Leave; what was fetched and not acknowledged goes to another member or to the next one."""
        ...


class Bus(Protocol):
    """The event log between processes."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Append messages; they are on disk when this returns. An id that the log already holds is ignored.

        Waits while the log is under pressure. Raises `impetus.model.Unavailable` when there is no room
        (disk full, or the slowest consumer is further behind than the log may hold) and nothing was appended,
        and `impetus.model.InvalidInput` for a message that is too large.
        """
        ...

    async def subscribe(
        self, durable: str, subjects: Sequence[str], *, start: Start = Start.EARLIEST, lease_s: float = 5.0
    ) -> Subscription:
        """Join the durable consumer of that name.

        In `subjects`, `*` stands for one token, a last `>` for all that follow. A member
        that does not fetch or acknowledge for `lease_s` loses its partitions to the other members.
        """
        ...

    def tail(self, subjects: Sequence[str], *, after: int | None = None) -> AsyncIterator[Delivery]:
        """Messages as they come, without a durable name: those past position `after`, or past the newest one now.

        Ends when the bus is closed, by `Unavailable`.
        """
        ...

    def replay(
        self, subjects: Sequence[str], *, since: datetime, until: datetime | None = None
    ) -> AsyncIterator[Delivery]:
        """Messages whose envelope time lies in [since, until), in log order; ends at the log's present end."""
        ...

    async def position(self) -> int:
        """Sequence of the newest message; 0 if there is none."""
        ...

    async def forget(self, subjects: Sequence[str], *, before: datetime) -> int:
        """Remove messages older than `before`; returns how many. Retention calls this."""
        ...

    async def set_aside(self, tenant: str, origin: str, subject: str, body: bytes, reason: str) -> None:
        """Keep as a dead letter what never became a message (a malformed payload)."""
        ...

    async def dead_letters(self, tenant: str, *, limit: int = 100, before: str | None = None) -> Sequence[DeadLetter]:
        """The newest dead letters of a tenant first; `before` is an id to page on from."""
        ...

    async def discard_dead_letter(self, tenant: str, id: str) -> bool:
        """Remove one after a person looked at it; false if there is none."""
        ...

    async def consumers(self) -> Sequence[ConsumerState]:
        """All durable consumers and how far behind they are."""
        ...

    async def remove_consumer(self, durable: str) -> None:
        """Forget a durable name, so that the log no longer waits for it."""
        ...

    async def close(self) -> None:
        """Write what is waiting and let go."""
        ...


DEAD_LETTER_BODY_LIMIT = 16 * 1024
"""Bytes of a dead letter's payload that are kept."""
