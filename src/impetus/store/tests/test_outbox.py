"""Protects: what a commit tells of reaches the bus, once by its id, whatever dies or refuses in between."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from impetus.model import Envelope, InvalidInput, ManualClock, Unavailable
from impetus.store import OutboxRelay, Store, open_store
from impetus.store.tests.conftest import NOW
from impetus.store.tests.samples import alert


def envelope(id: str) -> Envelope:
    message = alert(headline="Ünusual 🚨 \0")
    return Envelope.wrap(message, kind="alert", tenant="police", origin="test", time=NOW, id=id)


class Receiver:
    """Takes envelopes as a bus does, ignoring an id that it has; refuses or fails when told to."""

    def __init__(self) -> None:
        self.received: dict[str, Envelope] = {}
        self.calls = 0
        self.down = False
        self.refused: set[str] = set()
        self.set_aside_bodies: list[bytes] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.calls += 1
        if self.down:
            raise Unavailable("the bus is away")
        if any(sent.id in self.refused for sent in envelopes):
            raise InvalidInput("too large")
        for sent in envelopes:
            self.received.setdefault(sent.id, sent)

    async def set_aside(self, tenant: str, origin: str, subject: str, body: bytes, reason: str) -> None:
        self.set_aside_bodies.append(body)


@contextlib.asynccontextmanager
async def running(relay: OutboxRelay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in the database
            await asyncio.sleep(0.01)


async def waiting(store: Store) -> int:
    async with store.view() as view:
        return await view.outbox.count_in_installation()


async def test_messages_are_sent_in_order_and_as_they_were(store: Store) -> None:
    receiver = Receiver()
    sent = [envelope(f"message-{number}") for number in range(450)]
    async with store.transaction() as transaction:
        await transaction.outbox.add(sent)
        await transaction.outbox.add(sent[:1])
    async with running(OutboxRelay(store, receiver.publish)):

        async def all_gone() -> bool:
            return await waiting(store) == 0

        await until(all_gone)
    assert list(receiver.received.values()) == sent


async def test_a_transaction_that_fails_sends_nothing(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with store.transaction() as transaction:
            await transaction.outbox.add([envelope("one")])
            raise ZeroDivisionError
    assert await waiting(store) == 0
    assert not store.outbox_written.is_set()


async def test_a_commit_wakes_the_relay(store: Store) -> None:
    receiver = Receiver()
    relay = OutboxRelay(store, receiver.publish)
    async with running(relay):
        for number in range(3):
            async with store.transaction() as transaction:
                await transaction.outbox.add([envelope(f"message-{number}")])

            async def arrived(number: int = number) -> bool:
                return f"message-{number}" in receiver.received

            await until(arrived)


async def test_a_bus_that_is_away_loses_nothing(store: Store) -> None:
    receiver = Receiver()
    receiver.down = True
    async with store.transaction() as transaction:
        await transaction.outbox.add([envelope("one")])
    async with running(OutboxRelay(store, receiver.publish)):

        async def tried_twice() -> bool:
            return receiver.calls >= 2

        await until(tried_twice)
        assert await waiting(store) == 1
        receiver.down = False

        async def gone() -> bool:
            return await waiting(store) == 0

        await until(gone)
    assert set(receiver.received) == {"one"}


async def test_a_message_that_the_bus_refuses_is_set_aside_and_holds_up_nobody(store: Store) -> None:
    receiver = Receiver()
    receiver.refused = {"bad"}
    async with store.transaction() as transaction:
        await transaction.outbox.add([envelope("one"), envelope("bad"), envelope("two")])
    relay = OutboxRelay(store, receiver.publish, receiver.set_aside)
    assert await relay.relay_some() == 3
    assert list(receiver.received) == ["one", "two"]
    assert len(receiver.set_aside_bodies) == 1
    assert await waiting(store) == 0


PUBLISH_AND_HANG = """
import asyncio, sys
from impetus.model import SystemClock
from impetus.store import OutboxRelay, open_store
from impetus.store.tests.test_outbox import envelope

async def publish(envelopes):
    print(*(envelope.id for envelope in envelopes), flush=True)
    await asyncio.sleep(60)

async def main():
    store = await open_store(sys.argv[1], SystemClock())
    async with store.transaction() as transaction:
        await transaction.outbox.add([envelope("one"), envelope("two")])
    await OutboxRelay(store, publish).run()

asyncio.run(main())
"""


async def test_killed_after_publishing_the_relay_publishes_the_same_ids_again(
    store_url: str, clock: ManualClock
) -> None:
    def publish_and_die() -> None:
        with subprocess.Popen([sys.executable, "-c", PUBLISH_AND_HANG, store_url], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline().split() == [b"one", b"two"]
            process.kill()

    await asyncio.to_thread(publish_and_die)
    store = await open_store(store_url, clock)
    receiver = Receiver()
    assert await OutboxRelay(store, receiver.publish).relay_some() == 2
    assert list(receiver.received) == ["one", "two"]
    assert await waiting(store) == 0
    await store.close()


async def test_a_relay_ends_when_told_to_though_a_message_was_written_in_the_same_moment(store: Store) -> None:
    for passes in range(4):  # of the event loop, between the message and the order to end
        task = asyncio.create_task(OutboxRelay(store, Receiver().publish).run())
        await asyncio.sleep(0.1)  # it has looked, found nothing, and waits
        store.outbox_written.set()
        for _ in range(passes):
            await asyncio.sleep(0)
        task.cancel()
        ended, _ = await asyncio.wait({task}, timeout=10)
        assert ended
