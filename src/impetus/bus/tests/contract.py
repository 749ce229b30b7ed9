"""What every bus must do. A back end passes by a subclass that gives it the fixture `back_end`.

Nothing here knows a back end: what only one of them does is tested beside it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import pytest

from impetus.bus import DEAD_LETTER_BODY_LIMIT, Bus, Delivery, Start
from impetus.bus.tests.messages import START, by_partition, drain, fetch_number, ids, message, number_of
from impetus.bus.tests.process import BATCH, DURABLE, LEASE_S, started
from impetus.model import (
    MESSAGE_LIMIT_BYTES,
    ConfigurationError,
    Conflict,
    Envelope,
    InvalidInput,
    NotFound,
    Unavailable,
    new_id,
)


class BackEnd(Protocol):
    """One log of one back end, empty at first."""

    @property
    def address(self) -> str:
        """For `open_bus` in another process."""
        ...

    def open(self, *, lag_messages: int | None = None, wait_s: float | None = None) -> Bus:
        """One more bus on the log; with a bound on how far a consumer may lag, and on how long `publish` waits."""
        ...


async def _publish_until_refused(bus: Bus, reason: str) -> list[Envelope]:
    """Publish one by one until that is refused for that reason; returns what was published."""
    published: list[Envelope] = []
    for number in range(100):
        envelope = message(number)
        try:
            await bus.publish([envelope])
        except Unavailable as error:
            if reason not in str(error):
                raise
            return published
        published.append(envelope)
    raise AssertionError("publishing was never refused")


class BusContract:
    """The suite."""

    # ---- publishing ------------------------------------------------------------------------------------------------

    async def test_a_message_arrives_as_it_was_sent(self, back_end: BackEnd) -> None:
        """No field is lost or changed on the way, whatever text and bytes it holds."""
        bus = back_end.open()
        sent = Envelope(
            source="/tools/anomaly ü",
            type="impetus.alert.v1",
            subject="police.alert.anomaly",
            time=START,
            tenant="police",
            partition="Straße 'x'; -- \x00 漢",
            data=b'{"text":"\\u0000\xc3\xbc"}',
        )
        await bus.publish([sent])
        (delivery,) = await (await bus.subscribe("reader", [">"])).fetch()
        assert delivery.envelope == sent
        assert delivery.attempt == 1
        await bus.close()

    async def test_order_per_source_holds_beside_other_publishers(self, back_end: BackEnd) -> None:
        """Messages of one source come in the order of publishing, though many publish at once on two buses."""
        buses = [back_end.open(), back_end.open()]

        async def publisher(source: int) -> None:
            for number in range(0, 40, 2):
                await buses[source % 2].publish(
                    [message(number + part, partition=f"source-{source}") for part in range(2)]
                )

        subscription = await buses[0].subscribe("reader", [">"])
        await asyncio.gather(*(publisher(source) for source in range(8)))
        deliveries = await drain(subscription)
        assert by_partition(deliveries) == {f"source-{source}": list(range(40)) for source in range(8)}
        sequences = [delivery.sequence for delivery in deliveries]
        assert len(set(sequences)) == len(sequences)
        for bus in buses:
            await bus.close()

    async def test_an_id_that_the_log_holds_is_ignored(self, back_end: BackEnd) -> None:
        """A publisher that tries again after a failure doubles nothing."""
        bus, other = back_end.open(), back_end.open()
        first, second = message(1), message(2)
        await bus.publish([first, first])
        await other.publish([first, second])
        await bus.publish([second])
        assert ids(await drain(await bus.subscribe("reader", [">"]))) == [first.id, second.id]
        await bus.close()
        await other.close()

    async def test_a_message_that_is_too_large_is_refused_with_all_that_came_with_it(self, back_end: BackEnd) -> None:
        """InvalidInput, and nothing was appended; the log goes on."""
        bus = back_end.open()
        large = message(1).model_copy(update={"data": b" " * (MESSAGE_LIMIT_BYTES + 1)})
        with pytest.raises(InvalidInput, match=r"bytes"):
            await bus.publish([message(0), large])
        assert await bus.position() == 0
        await bus.publish([message(2)])
        assert await bus.position() > 0
        await bus.close()

    async def test_the_tenant_of_a_message_is_that_of_its_subject(self, back_end: BackEnd) -> None:
        """Nobody gets at a tenant's subjects with a message of another tenant."""
        bus = back_end.open()
        with pytest.raises(InvalidInput, match="police"):
            await bus.publish([message(1).model_copy(update={"tenant": "municipality"})])
        await bus.publish([])
        assert await bus.position() == 0
        await bus.close()

    async def test_publishers_wait_for_the_slowest_consumer_and_then_fail_clearly(self, back_end: BackEnd) -> None:
        """Back-pressure: beyond the bound `publish` waits, fails naming the consumer, and goes on when it caught up."""
        bus = back_end.open(lag_messages=20, wait_s=0.5)
        subscription = await bus.subscribe("slow-reader", ["*.alert.>"])
        published = await _publish_until_refused(bus, "slow-reader")
        assert 20 <= len(published) <= 40
        fetched = await fetch_number(subscription, len(published))
        # Patient, since a busy machine takes its time over the acknowledgement.
        patient = back_end.open(lag_messages=20, wait_s=60)
        waiting = asyncio.create_task(patient.publish([message(200)]))
        await subscription.acknowledge(fetched)
        await waiting
        await patient.close()
        assert ids(fetched) == [envelope.id for envelope in published]
        after = await drain(subscription)
        assert [number_of(delivery) for delivery in after] == [200]
        await bus.close()

    async def test_a_consumer_that_is_removed_holds_nobody_up(self, back_end: BackEnd) -> None:
        """Removing the name of a consumer that will never come back lets publishers go on."""
        bus = back_end.open(lag_messages=10, wait_s=0.5)
        await (await bus.subscribe("gone", [">"])).close()
        await _publish_until_refused(bus, "gone")
        await bus.remove_consumer("gone")
        await bus.publish([message(200)])
        await bus.close()

    # ---- durable consumers -----------------------------------------------------------------------------------------

    async def test_a_durable_consumer_goes_on_where_it_was(self, back_end: BackEnd) -> None:
        """What was acknowledged before a restart does not come again; what was not does, counted as a further try."""
        bus = back_end.open()
        await bus.publish([message(number) for number in range(10)])
        subscription = await bus.subscribe("reader", [">"])
        deliveries = await fetch_number(subscription, 6)
        await subscription.acknowledge(deliveries[:4])
        await bus.close()
        bus = back_end.open()
        await bus.publish([message(10)])
        again = await fetch_number(await bus.subscribe("reader", [">"]), 7)
        assert [number_of(delivery) for delivery in again] == list(range(4, 11))
        assert [delivery.attempt for delivery in again] == [2, 2, 1, 1, 1, 1, 1]
        await bus.close()

    async def test_each_acknowledgement_counts_for_itself(self, back_end: BackEnd) -> None:
        """A message acknowledged before an earlier one is never delivered again, the earlier one is."""
        bus = back_end.open()
        await bus.publish([message(number) for number in range(6)])
        subscription = await bus.subscribe("reader", [">"])
        deliveries = await fetch_number(subscription, 6)
        await subscription.acknowledge([deliveries[4], deliveries[1]])
        await subscription.acknowledge([deliveries[1]])
        await subscription.close()
        assert [number_of(d) for d in await drain(await bus.subscribe("reader", [">"]))] == [0, 2, 3, 5]
        await bus.close()

    async def test_where_a_new_consumer_begins(self, back_end: BackEnd) -> None:
        """At the earliest message or past the latest; a name that exists begins where it was."""
        bus = back_end.open()
        await bus.publish([message(0)])
        earliest = await bus.subscribe("earliest", [">"])
        latest = await bus.subscribe("latest", [">"], start=Start.LATEST)
        await bus.publish([message(1)])
        assert [number_of(delivery) for delivery in await drain(earliest)] == [0, 1]
        assert [number_of(delivery) for delivery in await drain(latest)] == [1]
        await latest.close()
        await bus.publish([message(2)])
        assert [number_of(d) for d in await drain(await bus.subscribe("latest", [">"], start=Start.LATEST))] == [2]
        await bus.close()

    async def test_a_waiting_consumer_is_woken_by_another_process_bus(self, back_end: BackEnd) -> None:
        """A fetch that waits returns when something is published elsewhere, long before its time is over."""
        bus, other = back_end.open(), back_end.open()
        subscription = await bus.subscribe("reader", [">"], lease_s=300)
        assert list(await subscription.fetch(timeout_s=0.05)) == []
        waiting = asyncio.create_task(subscription.fetch(timeout_s=100))
        await asyncio.sleep(0.05)
        await other.publish([message(1)])
        assert len(await asyncio.wait_for(waiting, 50)) == 1
        await bus.close()
        await other.close()

    async def test_members_share_the_messages_and_keep_the_order(self, back_end: BackEnd) -> None:
        """Several members of one name: each message to one of them, order per partition, everyone has work."""
        buses = [back_end.open() for _ in range(3)]
        members = [await bus.subscribe(DURABLE, [">"]) for bus in buses]
        for _ in range(4):  # time to share the partitions
            await asyncio.gather(*(member.fetch(timeout_s=0.05) for member in members))
        await buses[0].publish(
            [message(number, partition=f"source-{source}") for number in range(20) for source in range(40)]
        )
        found = await asyncio.gather(*(drain(member) for member in members))
        assert all(found)
        together = [delivery for part in found for delivery in part]
        assert len(together) == 800
        assert len(set(ids(together))) == 800
        for part in found:
            assert all(numbers == list(range(20)) for numbers in by_partition(part).values())
        for bus in buses:
            await bus.close()

    async def test_members_come_and_go_and_nothing_is_lost_doubled_or_out_of_order(self, back_end: BackEnd) -> None:
        """As long as members leave properly, each message is delivered once, in order, however the partitions move."""
        bus = back_end.open()
        found: list[Delivery] = []
        complete, stop = asyncio.Event(), asyncio.Event()

        async def member(rounds: int) -> None:
            subscription = await bus.subscribe(DURABLE, [">"])
            while rounds and not stop.is_set():
                rounds -= 1
                deliveries = await subscription.fetch(5, timeout_s=0.05)
                found.extend(deliveries)
                if len(found) >= 300:
                    complete.set()
                await subscription.acknowledge(deliveries)
            await subscription.close()

        async def coming_and_going() -> None:
            while not stop.is_set():
                await member(3)

        tasks = [asyncio.create_task(member(1_000_000)), *(asyncio.create_task(coming_and_going()) for _ in range(3))]
        for number in range(30):
            await bus.publish([message(number, partition=f"source-{source}") for source in range(10)])
            await asyncio.sleep(0.01)
        await complete.wait()
        stop.set()
        await asyncio.gather(*tasks)
        assert by_partition(found) == {f"source-{source}": list(range(30)) for source in range(10)}
        await bus.close()

    async def test_a_member_that_hangs_loses_its_partitions_and_its_say(self, back_end: BackEnd) -> None:
        """After its lease its messages go to another member, and its late acknowledgement is refused."""
        bus, other = back_end.open(), back_end.open()
        await bus.publish([message(number) for number in range(3)])
        hanging = await bus.subscribe(DURABLE, [">"], lease_s=0.3)
        held = await fetch_number(hanging, 3)
        working = await other.subscribe(DURABLE, [">"], lease_s=0.3)
        taken_over = await fetch_number(working, 3)
        assert ids(taken_over) == ids(held)
        with pytest.raises(Conflict):
            await hanging.acknowledge(held)
        with pytest.raises(Conflict):
            await hanging.reject(held[0], "too late")
        assert await bus.dead_letters("police") == []
        await working.acknowledge(taken_over)
        await bus.close()
        await other.close()
        bus = back_end.open()
        assert await drain(await bus.subscribe(DURABLE, [">"])) == []
        await bus.close()

    async def test_a_slow_member_that_is_alone_loses_nothing(self, back_end: BackEnd) -> None:
        """Where nobody waits for its partitions, a member may take longer than its lease."""
        bus = back_end.open()
        await bus.publish([message(number) for number in range(3)])
        subscription = await bus.subscribe(DURABLE, [">"], lease_s=0.1)
        deliveries = await fetch_number(subscription, 3)
        await asyncio.sleep(0.4)
        await subscription.acknowledge(deliveries)
        assert await drain(subscription) == []
        await bus.close()

    async def test_consumers_and_how_far_behind_they_are(self, back_end: BackEnd) -> None:
        """Counts what matches and is not acknowledged, for each name; a removed one is gone and begins anew."""
        bus = back_end.open()
        alerts = await bus.subscribe("alerts", ["*.alert.>"])
        await bus.subscribe("nothing", ["*.incident.>"])
        await bus.publish([message(number) for number in range(5)])
        await bus.publish([message(number, subject="police.observation.mqtt") for number in range(7)])
        deliveries = await fetch_number(alerts, 5)
        await alerts.acknowledge([deliveries[0], deliveries[3]])
        assert {state.durable: state.pending for state in await bus.consumers()} == {"alerts": 3, "nothing": 0}
        await bus.remove_consumer("alerts")
        assert [state.durable for state in await bus.consumers()] == ["nothing"]
        with pytest.raises(NotFound):
            await alerts.fetch()
        assert len(await drain(await bus.subscribe("alerts", ["*.alert.>"]))) == 5
        await bus.close()

    # ---- subjects --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("patterns", "expected"),
        [
            ([">"], [0, 1, 2, 3, 4]),
            (["police.>"], [0, 1, 2]),
            (["*.alert.>"], [0, 3]),
            (["*.alert.*"], [0, 3]),
            (["*.*.anomaly"], [0, 3, 4]),
            (["police.*.mqtt"], [1]),
            (["police.alert.anomaly"], [0]),
            (["police.incident.>", "*.observation.>"], [1, 2]),
            (["police.alert.>", "*.alert.>", "fire.*.anomaly"], [0, 3, 4]),
            (["fire.alert.>", "fire.health.*", "police.observation.mqtt"], [1, 3, 4]),
            (["nobody.>"], []),
        ],
    )
    async def test_wildcards(self, back_end: BackEnd, patterns: Sequence[str], expected: Sequence[int]) -> None:
        """Each way of reading chooses by subject alike, and each message comes once though several patterns match."""
        bus = back_end.open()
        subjects = [
            "police.alert.anomaly",
            "police.observation.mqtt",
            "police.incident.hub",
            "fire.alert.anomaly",
            "fire.health.anomaly",
        ]
        tail = bus.tail(patterns, after=0)
        await bus.publish([message(number, subject=subject) for number, subject in enumerate(subjects)])
        subscription = await bus.subscribe("reader", patterns)
        assert [number_of(delivery) for delivery in await drain(subscription, quiet_s=0.05)] == expected
        assert [number_of(delivery) async for delivery in bus.replay(patterns, since=START)] == expected
        assert [number_of(await anext(tail)) for _ in expected] == expected
        await bus.close()

    @pytest.mark.parametrize(
        "pattern", ["", "a", "a.b", "a..b", "a.b.c.d", "a.b.c.>", ">.b.c", "a.>.c", "a b.c.d", "a*.b.c"]
    )
    async def test_a_pattern_that_can_match_nothing_is_refused(self, back_end: BackEnd, pattern: str) -> None:
        """A misspelt subscription fails at once instead of waiting for ever."""
        bus = back_end.open()
        with pytest.raises(ConfigurationError):
            await bus.subscribe("reader", [pattern])
        with pytest.raises(ConfigurationError):
            bus.tail([pattern])
        assert await bus.consumers() == []
        await bus.close()

    @pytest.mark.parametrize("durable", ["", "a.b", "a b", "*", ">", "a/b", "-a", "x" * 129, "a\n"])
    async def test_a_durable_name_holds_nothing_that_some_back_end_could_not_keep(
        self, back_end: BackEnd, durable: str
    ) -> None:
        """So that moving to another back end needs no new names."""
        bus = back_end.open()
        with pytest.raises(ConfigurationError):
            await bus.subscribe(durable, [">"])
        await bus.close()

    # ---- looking back and along ------------------------------------------------------------------------------------

    async def test_replay_from_a_point_in_time(self, back_end: BackEnd) -> None:
        """Messages whose time lies in [since, until) come in log order, and the replay ends."""
        bus = back_end.open()
        order = [0, 5, 3, 4, 9, 1, 2]
        await bus.publish([message(number, partition=f"source-{number}") for number in order])
        since, until = START + timedelta(seconds=2), START + timedelta(seconds=5)
        replayed = [delivery async for delivery in bus.replay([">"], since=since, until=until)]
        assert [number_of(delivery) for delivery in replayed] == [3, 4, 2]
        assert [number_of(delivery) async for delivery in bus.replay([">"], since=since)] == [5, 3, 4, 9, 2]
        assert [delivery async for delivery in bus.replay([">"], since=START + timedelta(days=1))] == []
        await bus.close()

    async def test_tail_follows_from_a_position_or_from_now(self, back_end: BackEnd) -> None:
        """A screen that reconnects goes on past the last message that it had; a new one begins now."""
        bus, other = back_end.open(), back_end.open()
        await bus.publish([message(number) for number in range(3)])
        everything = [delivery async for delivery in bus.replay([">"], since=START)]
        tail_on, tail_now = bus.tail([">"], after=everything[0].sequence), bus.tail([">"])
        assert await bus.position() == everything[-1].sequence
        assert number_of(await anext(tail_on)) == 1
        waiting = asyncio.ensure_future(anext(tail_now))
        await asyncio.sleep(0.05)
        await other.publish([message(3)])
        assert number_of(await waiting) == 3
        assert [number_of(await anext(tail_on)) for _ in range(2)] == [2, 3]
        await bus.close()
        await other.close()
        with pytest.raises(Unavailable):
            await anext(tail_now)

    async def test_a_long_replay_is_complete(self, back_end: BackEnd) -> None:
        """Reading in pages neither loses nor doubles a message at their borders."""
        bus = back_end.open()
        for start in range(0, 1_500, 300):
            await bus.publish(
                [
                    message(number, subject=f"police.{('alert', 'health')[number % 2]}.x")
                    for number in range(start, start + 300)
                ]
            )
        for patterns, expected in (([">"], 1), (["*.alert.>"], 2), (["*.alert.>", "*.health.>"], 1)):
            numbers = [number_of(delivery) async for delivery in bus.replay(patterns, since=START)]
            assert numbers == list(range(0, 1_500, expected))
        await bus.close()

    async def test_what_is_forgotten_is_gone_and_the_rest_stays(self, back_end: BackEnd) -> None:
        """Retention removes by subject and time; positions go on growing, and consumers go on."""
        bus = back_end.open()
        subscription = await bus.subscribe("reader", [">"])
        await bus.publish(
            [message(number, subject=("police.alert.x", "fire.alert.x")[number % 2]) for number in range(10)]
        )
        position = await bus.position()
        assert await bus.forget(["police.>"], before=START + timedelta(seconds=6)) == 3
        assert await bus.forget(["police.>"], before=START + timedelta(seconds=6)) == 0
        left = [1, 3, 5, 6, 7, 8, 9]
        assert [number_of(delivery) async for delivery in bus.replay([">"], since=START)] == left
        assert [number_of(delivery) for delivery in await drain(subscription)] == left
        assert await bus.forget([">"], before=START + timedelta(days=1)) == 7
        await bus.publish([message(11)])
        (delivery,) = await drain(subscription)
        assert delivery.sequence > position
        assert (await bus.consumers())[0].pending == 0
        await bus.close()

    # ---- dead letters ----------------------------------------------------------------------------------------------

    async def test_a_rejected_message_becomes_a_dead_letter_and_holds_nobody_up(self, back_end: BackEnd) -> None:
        """It is kept with its reason, and the messages behind it go on; after a restart it does not come again."""
        bus = back_end.open()
        await bus.publish([message(number) for number in range(3)])
        subscription = await bus.subscribe("reader", [">"])
        deliveries = await fetch_number(subscription, 3)
        await subscription.reject(deliveries[1], "no such sensor")
        await subscription.close()
        (letter,) = await bus.dead_letters("police")
        assert (letter.origin, letter.reason, letter.subject) == ("reader", "no such sensor", "police.alert.anomaly")
        assert (letter.body, letter.size_bytes) == (deliveries[1].envelope.data, len(deliveries[1].envelope.data))
        assert [number_of(d) for d in await drain(await bus.subscribe("reader", [">"]))] == [0, 2]
        await bus.close()

    async def test_dead_letters_are_listed_newest_first_by_tenant_and_discarded(self, back_end: BackEnd) -> None:
        """A tenant sees and discards its own alone; the list has pages; a large payload is cut, its size is kept."""
        bus = back_end.open()
        for number in range(5):
            await bus.set_aside("police", "mqtt", f"city/sensor/{number}", b"\xff%d" % number, f"reason {number}")
        await bus.set_aside("fire", "mqtt", "city/large", b"x" * (DEAD_LETTER_BODY_LIMIT + 5), "too large")
        newest = await bus.dead_letters("police", limit=2)
        rest = await bus.dead_letters("police", before=newest[-1].id)
        assert [letter.reason for letter in [*newest, *rest]] == [f"reason {number}" for number in (4, 3, 2, 1, 0)]
        assert newest[0].body == b"\xff4"
        (large,) = await bus.dead_letters("fire")
        assert (len(large.body), large.size_bytes) == (DEAD_LETTER_BODY_LIMIT, DEAD_LETTER_BODY_LIMIT + 5)
        assert not await bus.discard_dead_letter("fire", newest[0].id)
        assert await bus.discard_dead_letter("police", newest[0].id)
        assert not await bus.discard_dead_letter("police", newest[0].id)
        assert [letter.id for letter in await bus.dead_letters("police", limit=1)] == [newest[1].id]
        await bus.close()

    # ---- the end ---------------------------------------------------------------------------------------------------

    async def test_a_closed_bus_and_a_closed_subscription_say_so(self, back_end: BackEnd) -> None:
        """Using them is an error that a caller can show; closing twice is none."""
        bus = back_end.open()
        subscription = await bus.subscribe("reader", [">"])
        left = await bus.subscribe("leaver", [">"])
        await left.close()
        await left.close()
        with pytest.raises(Unavailable):
            await left.fetch()
        await bus.close()
        await bus.close()
        for call in (bus.publish([message(1)]), subscription.fetch(), bus.position(), bus.subscribe("x", [">"])):
            with pytest.raises(Unavailable):
                await call

    async def test_what_waits_when_the_bus_is_closed_is_written(self, back_end: BackEnd) -> None:
        """Closing does not lose messages that are on their way."""
        bus = back_end.open()
        waiting = [asyncio.create_task(bus.publish([message(number)])) for number in range(50)]
        await asyncio.sleep(0)
        await bus.close()
        await asyncio.gather(*waiting)
        bus = back_end.open()
        assert len([delivery async for delivery in bus.replay([">"], since=START)]) == 50
        await bus.close()

    # ---- kill -9 ---------------------------------------------------------------------------------------------------

    async def test_a_killed_publisher_loses_nothing_that_was_acknowledged_to_it(self, back_end: BackEnd) -> None:
        """At-least-once: whatever `publish` returned for is in the log, and order holds, wherever the kill struck."""
        bus = back_end.open()
        for _ in range(3):
            async with started("publish", back_end.address) as publisher:
                said = [await publisher.line() for _ in range(20)]
                said += await publisher.kill()
            replayed = [delivery async for delivery in bus.replay([">"], since=START)]
            numbers = by_partition(replayed)
            for part in range(BATCH):
                assert set(range(part, (int(said[-1]) + 1) * BATCH, BATCH)) <= set(numbers[f"source-{part}"])
                assert numbers[f"source-{part}"] == sorted(numbers[f"source-{part}"])
            await bus.publish([message(10**6)])
            await bus.forget([">"], before=START + timedelta(days=1_000))
        await bus.close()

    async def test_after_a_consumer_was_killed_the_rest_is_delivered(self, back_end: BackEnd) -> None:
        """At-least-once: whatever a killed consumer did not get comes, and what it acknowledged comes no more."""
        bus = back_end.open()
        sent = [message(number, partition=f"source-{number % 10}") for number in range(600)]
        await bus.publish(sent)
        said: list[str] = []
        for _ in range(3):
            async with started("consume", back_end.address) as consumer:
                await consumer.line()
                said += [await consumer.line() for _ in range(60)]
                said += await consumer.kill()
        rest = await drain(await bus.subscribe(DURABLE, [">"], lease_s=LEASE_S), quiet_s=2 * LEASE_S)
        got = {line.removeprefix("got ") for line in said if line.startswith("got ")}
        done = {line.removeprefix("done ") for line in said if line.startswith("done ")}
        assert got | set(ids(rest)) == {envelope.id for envelope in sent}
        assert len(rest) == len(set(ids(rest)))
        assert not done & set(ids(rest)), "what was acknowledged came again"
        await bus.close()

    @pytest.mark.parametrize("fate", ["kill", "stop"])
    async def test_the_partitions_of_a_dead_or_frozen_member_go_to_the_others(
        self, back_end: BackEnd, fate: str
    ) -> None:
        """What it had fetched is delivered to a living member, in order, and counted as a further try."""
        bus = back_end.open()
        living = await bus.subscribe(DURABLE, [">"], lease_s=LEASE_S)
        async with started("hoard", back_end.address) as hoarder:
            await hoarder.line()
            fed: list[Delivery] = []
            for _ in range(6):
                fed += await living.fetch(timeout_s=0.1)
            await bus.publish(
                [message(number, partition=f"source-{source}") for number in range(5) for source in range(20)]
            )
            await hoarder.line()
            if fate == "kill":
                await hoarder.kill()
            else:
                hoarder.signal(signal.SIGSTOP)
            found: list[Delivery] = []
            while len(set(ids(found))) < 100:
                deliveries = await living.fetch(timeout_s=1)
                await living.acknowledge(deliveries)
                found += deliveries
        assert len(found) == 100
        assert all(numbers == list(range(5)) for numbers in by_partition(found).values())
        assert max(delivery.attempt for delivery in found) >= 2
        await bus.close()

    async def test_ids_are_unique_over_processes(self, back_end: BackEnd) -> None:
        """Two buses that publish at the same time keep the sequence unique and growing."""
        buses = [back_end.open() for _ in range(4)]
        await asyncio.gather(*(bus.publish([message(1, id=new_id())]) for bus in buses for _ in range(10)))
        sequences = [delivery.sequence async for delivery in buses[0].replay([">"], since=START)]
        assert len(sequences) == 40
        assert sequences == sorted(set(sequences))
        for bus in buses:
            await bus.close()
