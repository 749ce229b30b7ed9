"""Small messages for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from impetus.bus import Delivery, Subscription
from impetus.model import Envelope, new_id

START = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)


def message(
    number: int = 0,
    *,
    subject: str = "police.alert.anomaly",
    partition: str = "source-1",
    id: str | None = None,
    size_bytes: int = 0,
) -> Envelope:
    """Message `number` of its partition, sent `number` seconds after START."""
    tenant, kind, origin = subject.split(".")
    return Envelope(
        id=id or new_id(),
        source=f"/{origin}",
        type=f"impetus.{kind}.v1",
        subject=subject,
        time=START + timedelta(seconds=number),
        tenant=tenant,
        partition=partition,
        data=b'{"number":%d}' % number + b" " * size_bytes,
    )


def number_of(delivery: Delivery) -> int:
    """What `message` was given."""
    return int(delivery.envelope.data.split(b":")[1].rstrip(b" }"))


def by_partition(deliveries: Iterable[Delivery]) -> dict[str, list[int]]:
    """Numbers in the order of delivery, by partition."""
    numbers: dict[str, list[int]] = {}
    for delivery in deliveries:
        numbers.setdefault(delivery.envelope.partition, []).append(number_of(delivery))
    return numbers


def ids(deliveries: Iterable[Delivery]) -> list[str]:
    """Ids in the order of delivery."""
    return [delivery.envelope.id for delivery in deliveries]


async def drain(subscription: Subscription, *, quiet_s: float = 0.3) -> Sequence[Delivery]:
    """Fetch and acknowledge until nothing has come for `quiet_s`."""
    found: list[Delivery] = []
    while deliveries := await subscription.fetch(timeout_s=quiet_s):
        found += deliveries
        await subscription.acknowledge(deliveries)
    return found


async def fetch_number(subscription: Subscription, count: int) -> list[Delivery]:
    """Fetch until there are `count`; the test's own time limit ends it otherwise."""
    found: list[Delivery] = []
    while len(found) < count:
        found += await subscription.fetch(count - len(found))
    return found
