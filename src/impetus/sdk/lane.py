"""One durable consumer of a worker: messages in order to the tool, acknowledged once what came of them is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import ValidationError

from impetus.bus import Bus, Delivery, Start, Subscription
from impetus.model import SYSTEM_TENANT, Clock, Conflict, Envelope, Unavailable
from impetus.sdk.calls import Calls
from impetus.sdk.condition import FIRST_PAUSE_S, LONGEST_PAUSE_S, Condition
from impetus.sdk.hosting import HostedTool, describe
from impetus.sdk.hosts import Hosts
from impetus.sdk.manifest import Manifest
from impetus.sdk.outgoing import Outgoing
from impetus.sdk.suspect import DEATHS_LIMIT, Suspect

ROUND_LIMIT = 100
"""Messages fetched at once."""
CAREFUL_MESSAGES = 2 * ROUND_LIMIT
"""After the process died, so many messages go to the tool one by one and with nothing beside them: the one that it died
over is among them."""
ACKNOWLEDGE_AFTER_S = 1.0
"""A long round is acknowledged in parts, so that a shared consumer does not take it for dead."""
WAIT_S = 0.5
"""Longest wait for a message, so that a stop is not late."""

Result = TypeVar("Result")

log = structlog.get_logger("worker")


@dataclass(slots=True)
class Surroundings:
    """What all lanes of a worker share."""

    manifest: Manifest
    bus: Bus
    clock: Clock
    outgoing: Outgoing
    condition: Condition
    calls: Calls
    hosts: Hosts
    turn: asyncio.Lock
    """Held while a tool is called, but for `handle` and `run`."""
    stopping: bool = False


class Lane:
    """Fetches, hands over, and acknowledges. Subclasses say what one message is for."""

    def __init__(self, worker: Surroundings, durable: str, subjects: Sequence[str], suspect: Suspect) -> None:
        self._worker = worker
        self._durable = durable
        self._subjects = subjects
        self._suspect = suspect
        self._careful = CAREFUL_MESSAGES if suspect.has_died else 0

    async def deal(self, envelope: Envelope) -> str | None:
        """Give one message to the tool; None when it is dealt with, or why nobody could."""
        raise NotImplementedError

    def portions(self, deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
        """Deliveries in order, as many at a time as may go to the tool together."""
        for delivery in deliveries:
            yield [delivery]

    async def deal_together(self, envelopes: Sequence[Envelope]) -> Sequence[str | None]:
        """Several messages at once, for lanes that put them together."""
        return [await self.deal(envelope) for envelope in envelopes]

    async def run(self) -> None:
        """Work until the worker stops."""
        subscription = await self._worker.bus.subscribe(self._durable, self._subjects, start=Start.EARLIEST)
        try:
            pause_s = FIRST_PAUSE_S
            while not self._worker.stopping:
                try:
                    await self._round(subscription, await subscription.fetch(ROUND_LIMIT, timeout_s=WAIT_S))
                    pause_s = FIRST_PAUSE_S
                    self._worker.condition.note(self._durable, None)
                except Unavailable as error:
                    self._worker.condition.note(self._durable, str(error))
                    log.warning("waiting", durable=self._durable, error=str(error))
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            await subscription.close()

    async def _round(self, subscription: Subscription, deliveries: Sequence[Delivery]) -> None:
        worker = self._worker
        done: list[Delivery] = []
        began_s = worker.clock.monotonic_s()
        for portion in self.portions(deliveries):
            if worker.stopping:
                break
            if worker.outgoing.crowded:
                await worker.outgoing.flush()  # here and not in the tool, whose time is limited
            for delivery, reason in zip(portion, await self._hand_over(portion), strict=True):
                if reason is None:
                    done.append(delivery)
                else:
                    # An acknowledgement may stand for all before it, so those come first.
                    await self._acknowledge(subscription, done)
                    done = []
                    await self._set_aside(subscription, delivery, reason)
            worker.condition.handled += len(portion)
            worker.condition.lag_s = max((worker.clock.now() - portion[-1].envelope.time).total_seconds(), 0.0)
            if worker.clock.monotonic_s() - began_s > ACKNOWLEDGE_AFTER_S:
                await self._acknowledge(subscription, done)
                done = []
                began_s = worker.clock.monotonic_s()
            await asyncio.sleep(0)  # heartbeat, health and outgoing messages get their turn
        await self._acknowledge(subscription, done)

    async def _acknowledge(self, subscription: Subscription, done: Sequence[Delivery]) -> None:
        await self._worker.outgoing.flush()
        if done:
            try:
                await self._patiently("bus", lambda: subscription.acknowledge(done))
            except Conflict as error:
                # The lease ran out meanwhile, and another worker of this tool gets them again: at least once.
                log.warning("not acknowledged", durable=self._durable, error=str(error))

    async def _set_aside(self, subscription: Subscription, delivery: Delivery, reason: str) -> None:
        try:
            await self._patiently("bus", lambda: subscription.reject(delivery, reason))
        except Conflict as error:
            log.warning("not set aside", durable=self._durable, error=str(error))
            return
        self._worker.condition.dead_letters += 1
        self._worker.condition.show_failure(f"a message was set aside: {reason}")
        log.error("message set aside", durable=self._durable, subject=delivery.envelope.subject, reason=reason)

    async def _hand_over(self, portion: Sequence[Delivery]) -> Sequence[str | None]:
        """For each message None when it is dealt with, or why nobody could."""
        envelopes = [delivery.envelope for delivery in portion]
        if len(portion) > 1 and self._careful == 0:
            return await self.deal_together(envelopes)
        careful = self._careful > 0
        self._careful = max(0, self._careful - len(portion))
        return [await self._hand_over_one(envelope, careful) for envelope in envelopes]

    async def _hand_over_one(self, envelope: Envelope, careful: bool) -> str | None:
        """One message; one that the process died over again and again is not tried any more."""
        deaths = self._suspect.deaths(envelope.id)
        if deaths >= DEATHS_LIMIT:
            self._suspect.forget()
            reason = f"the tool died or hung {deaths} times while it handled this message"
            await self.gave_up(envelope, reason)
            return reason
        outcome = await self.deal_carefully(envelope) if careful else await self.deal(envelope)
        if deaths:
            self._suspect.forget()
        return outcome

    async def deal_carefully(self, envelope: Envelope) -> str | None:
        """As `deal`, and nothing else goes on in the tool meanwhile."""
        return await self.deal(envelope)

    async def gave_up(self, envelope: Envelope, reason: str) -> None:
        """A message will not be tried any more."""

    async def host_of(self, tenant: str) -> HostedTool | str | None:
        """The running tool of an organisation; None if it does not work for that one, or why it does not run."""
        if tenant == SYSTEM_TENANT:
            return f"{SYSTEM_TENANT!r} is not an organisation"
        if not self._worker.hosts.serves(tenant):
            return None
        if await self._patiently("approval", lambda: self._worker.hosts.lasting_obstacle(tenant)) is not None:
            return None  # what it may not process is not kept for it either; the status board says why
        hosted = await self._patiently("store", lambda: self._worker.hosts.of(tenant))
        if hosted.forbidden:
            return None
        return hosted if hosted.running else f"the tool did not start for {tenant}: {hosted.failure}"

    async def in_turn(self, hosted: HostedTool, envelope_id: str | None, call: Callable[[], Awaitable[None]]) -> None:
        """Call the tool when nothing else does; `envelope_id` names the message in hand, None stands for several."""

        async def once() -> None:
            async with self._worker.turn:
                if hosted.forbidden:
                    return  # its approval was withdrawn while the message waited for its turn
                with self._suspect.holding(envelope_id), hosted.protected():
                    await self._worker.calls.limited(call())

        await self._patiently(hosted.context.tenant, once)

    async def twice(self, hosted: HostedTool, envelope_id: str, what: str, call: Callable[[], Awaitable[None]]) -> str:
        """Call the tool in turn, once more if that fails; empty when it went well, or why not."""
        reason = ""
        for attempt in (1, 2):
            with hosted.context.refusals() as refused:
                try:
                    await self.in_turn(hosted, envelope_id, call)
                    reason = ""
                except Exception as error:  # whatever a tool does, the worker goes on
                    reason = describe(error)
                    self.tell_failure(hosted, what, attempt, error)
            if refused:
                # Trying again would not raise the alert, and the tool may take what it got for seen.
                return "; ".join(refused.values())
            if not reason:
                break
        return reason

    def tell_failure(self, hosted: HostedTool, what: str, attempt: int, error: Exception) -> None:
        """A call failed: show it for a while and log it."""
        tenant = hosted.context.tenant
        self._worker.condition.show_failure(f"{tenant}: {what} failed: {describe(error)}")
        log.warning("call failed", what=what, durable=self._durable, tenant=tenant, attempt=attempt, exc_info=error)

    async def _patiently(self, what: str, call: Callable[[], Awaitable[Result]]) -> Result:
        return await self._worker.condition.with_patience(what, call)


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, in a few words."""
    problem = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    return f"{field}: {problem['msg']}" if field else problem["msg"]
