"""Part of the contract: a state machine that does with a bus whatever comes, beside a model of what must follow."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from impetus.bus import Bus, Delivery, Subscription
from impetus.bus.tests.contract import BackEnd
from impetus.bus.tests.messages import drain, ids, message
from impetus.model import Conflict, Envelope

Result = TypeVar("Result")
DURABLE = "machine"
PATTERNS = ("*.alert.>", "fire.health.*")
SUBJECTS = ("police.alert.anomaly", "fire.alert.air", "fire.health.hub", "police.health.hub")
LEASE_S = 300.0
"""Nobody loses a lease here: that is tested with real processes."""


@dataclass(eq=False)
class ModelMember:
    """A member and what it has fetched and not acknowledged."""

    subscription: Subscription
    held: list[Delivery] = field(default_factory=list)


class BusMachine(RuleBasedStateMachine):
    """Publish, fetch, acknowledge, reject, leave, join, restart in any order. A subclass says `new_back_end`."""

    new_back_end: Callable[[Path], BackEnd]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()
        self.back_end = type(self).new_back_end(Path(self._folder.name))
        self.bus: Bus
        self.log: list[Envelope] = []
        self.settled: set[str] = set()
        self.rejected: list[str] = []
        self.members: list[ModelMember] = []

    def run_async(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)

    @initialize()
    def open(self) -> None:
        self.bus = self._open()

    def _open(self) -> Bus:
        async def opened() -> Bus:
            bus = self.back_end.open()
            await (await bus.subscribe(DURABLE, PATTERNS, lease_s=LEASE_S)).close()
            return bus

        return self.run_async(opened())

    def _wanted(self) -> list[Envelope]:
        """What the durable consumer is to get, in order."""
        return [envelope for envelope in self.log if envelope.subject != "police.health.hub"]

    @rule(
        choices=st.lists(
            st.tuples(st.sampled_from(SUBJECTS), st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=6
        )
    )
    def publish(self, choices: Sequence[tuple[str, int, int]]) -> None:
        """Some of the ids were used before: these are ignored."""
        batch = [
            message(id_number, subject=subject, partition=f"source-{source}", id=f"id-{id_number}")
            if id_number < 10
            else message(id_number, subject=subject, partition=f"source-{source}")
            for subject, source, id_number in choices
        ]
        self.run_async(self.bus.publish(batch))
        known = {envelope.id for envelope in self.log}
        for envelope in batch:
            if envelope.id not in known:
                known.add(envelope.id)
                self.log.append(envelope)

    @precondition(lambda self: len(self.members) < 4)
    @rule()
    def join(self) -> None:
        subscription = self.run_async(self.bus.subscribe(DURABLE, PATTERNS, lease_s=LEASE_S))
        self.members.append(ModelMember(subscription))

    @precondition(lambda self: self.members)
    @rule(data=st.data(), limit=st.integers(1, 10))
    def fetch(self, data: st.DataObject, limit: int) -> None:
        member = data.draw(st.sampled_from(self.members))
        deliveries = self.run_async(member.subscription.fetch(limit, timeout_s=0))
        assert len(deliveries) <= limit
        wanted = {envelope.id: envelope for envelope in self._wanted()}
        held = {delivery.envelope.id for other in self.members for delivery in other.held}
        for delivery in deliveries:
            assert wanted[delivery.envelope.id] == delivery.envelope
            assert delivery.envelope.id not in held | self.settled
        member.held += deliveries
        self._check_order(deliveries)
        if len(self.members) == 1 and not deliveries:
            assert {*self.settled, *ids(member.held)} == {*wanted}

    def _check_order(self, deliveries: Sequence[Delivery]) -> None:
        """Before a message, all earlier ones of its partition were handed out or settled."""
        held = {delivery.envelope.id for member in self.members for delivery in member.held}
        for delivery in deliveries:
            for envelope in self._wanted():
                if envelope.id == delivery.envelope.id:
                    break
                if envelope.partition == delivery.envelope.partition:
                    assert envelope.id in held | self.settled
        sequences: dict[str, int] = {}
        for delivery in deliveries:
            assert sequences.get(delivery.envelope.partition, 0) < delivery.sequence
            sequences[delivery.envelope.partition] = delivery.sequence

    @precondition(lambda self: any(member.held for member in self.members))
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from([member for member in self.members if member.held]))
        chosen = data.draw(st.lists(st.sampled_from(member.held), min_size=1, max_size=5, unique_by=id))
        self.run_async(member.subscription.acknowledge(chosen))
        self.settled |= set(ids(chosen))
        member.held = [delivery for delivery in member.held if delivery not in chosen]

    @precondition(lambda self: any(member.held for member in self.members))
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from([member for member in self.members if member.held]))
        delivery = data.draw(st.sampled_from(member.held))
        self.run_async(member.subscription.reject(delivery, delivery.envelope.id))
        self.settled.add(delivery.envelope.id)
        self.rejected.append(delivery.envelope.id)
        member.held.remove(delivery)

    @precondition(lambda self: len(self.members) > 1 and any(member.held for member in self.members))
    @rule(data=st.data())
    def acknowledge_what_another_holds(self, data: st.DataObject) -> None:
        holder = data.draw(st.sampled_from([member for member in self.members if member.held]))
        stranger = data.draw(st.sampled_from([member for member in self.members if member is not holder]))
        delivery = data.draw(st.sampled_from(holder.held))
        try:
            self.run_async(stranger.subscription.acknowledge([delivery]))
        except Conflict:
            return
        raise AssertionError("a member acknowledged what another one holds")

    @precondition(lambda self: self.members)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(self.members))
        self.run_async(member.subscription.close())
        self.members.remove(member)

    @rule()
    def restart(self) -> None:
        self.run_async(self.bus.close())
        self.members = []
        self.bus = self._open()

    def teardown(self) -> None:
        try:
            if hasattr(self, "bus"):
                self._check_the_rest()
        finally:
            self._runner.close()
            self._folder.cleanup()

    def _check_the_rest(self) -> None:
        """A last consumer gets exactly what nobody dealt with, and the dead letters are all there."""

        async def rest() -> tuple[list[str], list[str]]:
            await self.bus.close()
            bus = self.back_end.open()
            found = ids(await drain(await bus.subscribe(DURABLE, PATTERNS), quiet_s=0))
            reasons = [letter.reason for tenant in ("police", "fire") for letter in await bus.dead_letters(tenant)]
            await bus.close()
            return found, reasons

        found, reasons = self.run_async(rest())
        assert found == [envelope.id for envelope in self._wanted() if envelope.id not in self.settled]
        assert sorted(reasons) == sorted(self.rejected)
