"""The loop that all consumers of the situation share: fetch, keep, then acknowledge; what is unusable is set aside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from impetus.bus import Bus, Delivery, Subscription
from impetus.model import ImpetusError, Unavailable

log = structlog.get_logger(__name__)

Handler = Callable[[Sequence[Delivery], "Refuse"], Awaitable[None]]
"""Deals with deliveries; raises if they must be delivered again. Calls `Refuse` for those that nobody can use."""

Refuse = Callable[[Delivery, str], None]


@dataclass(slots=True)
class Progress:
    """How a background task of the hub is doing; shown on the status board."""

    name: str
    handled: int = 0
    refused: int = 0
    trouble: str = ""
    """What is wrong at the moment; empty when all is well."""


FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0


async def consume(
    bus: Bus,
    durable: str,
    subjects: Sequence[str],
    handler: Handler,
    *,
    limit: int,
    progress: Progress,
    linger_s: float = 0.0,
) -> None:
    """Run until cancelled. After a batch of fewer than `limit` it waits `linger_s`, so that the next is larger.

    At least once: messages are acknowledged after the handler has returned, so it keeps them before that. A handler
    that fails on a batch gets its messages one by one, so that a single one cannot hold up the others for ever; while
    the store or the bus is unavailable, everything waits and is tried again.
    """
    wait_s = FIRST_WAIT_S
    subscription: Subscription | None = None
    try:
        while True:
            try:
                if subscription is None:
                    subscription = await bus.subscribe(durable, subjects)
                deliveries = await subscription.fetch(limit)
                if deliveries:
                    progress.refused += await _handle(subscription, deliveries, handler, durable)
                    progress.handled += len(deliveries)
                progress.trouble = ""
                wait_s = FIRST_WAIT_S
                if linger_s and 0 < len(deliveries) < limit:
                    await asyncio.sleep(linger_s)
            except Exception as error:
                # Nothing was acknowledged, so nothing is lost: report, wait, and have it delivered again.
                progress.trouble = f"{durable} waits: {error}"
                log.warning("consumer waits", durable=durable, wait_s=wait_s, error=str(error), exc_info=error)
                if subscription is not None:
                    lost, subscription = subscription, None
                    await _close(lost)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
    finally:
        if subscription is not None:
            await _close(subscription)


async def _handle(subscription: Subscription, deliveries: Sequence[Delivery], handler: Handler, durable: str) -> int:
    """Returns how many were set aside."""
    refused: dict[int, str] = {}

    def refuse(delivery: Delivery, reason: str) -> None:
        refused[delivery.sequence] = reason

    try:
        await handler(deliveries, refuse)
    except Unavailable:
        raise
    except Exception as error:
        if len(deliveries) == 1:
            await _give_up_or_raise(subscription, deliveries[0], error)
            return 1
        log.warning("batch failed, going one by one", durable=durable, messages=len(deliveries), error=str(error))
        return sum([await _handle(subscription, [delivery], handler, durable) for delivery in deliveries])
    for delivery in deliveries:
        if delivery.sequence in refused:
            await subscription.reject(delivery, refused[delivery.sequence])
    used = [delivery for delivery in deliveries if delivery.sequence not in refused]
    if used:
        await subscription.acknowledge(used)
    return len(refused)


async def _give_up_or_raise(subscription: Subscription, delivery: Delivery, error: Exception) -> None:
    """A message that fails alone is set aside if it is to blame, or if it has failed often enough."""
    if isinstance(error, ImpetusError) or delivery.attempt >= ATTEMPTS:
        await subscription.reject(delivery, f"{type(error).__name__}: {error}")
        return
    raise error


ATTEMPTS = 5
"""Deliveries after which a message that fails alone, for an unknown reason, is set aside."""


async def _close(subscription: Subscription) -> None:
    try:
        await subscription.close()
    except Exception as error:
        log.warning("subscription did not close", error=str(error))
