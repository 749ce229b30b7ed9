"""Observations to the tool: those that waited together in one call, one by one where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from impetus.bus import Delivery
from impetus.model import Envelope, ObservationBatch
from impetus.sdk.hosting import HostedTool
from impetus.sdk.lane import Lane, first_problem
from impetus.sdk.selection import joined

TOGETHER_BYTES = 256 * 1024
"""Messages of one organisation that waited together go to its tool as one batch, up to this size of theirs."""

log = structlog.get_logger("worker")


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a message holds for one organisation's tool, and that tool."""

    envelope_id: str
    hosted: HostedTool
    batch: ObservationBatch


class ObservationLane(Lane):
    """Calls `Tool.observe`."""

    def portions(self, deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
        portion: list[Delivery] = []
        size = 0
        for delivery in deliveries:
            if portion and size + len(delivery.envelope.data) > TOGETHER_BYTES:
                yield portion
                portion, size = [], 0
            portion.append(delivery)
            size += len(delivery.envelope.data)
        if portion:
            yield portion

    async def deal(self, envelope: Envelope) -> str | None:
        opened = await self._open(envelope)
        return await self._observe(opened) if isinstance(opened, _Opened) else opened

    async def deal_together(self, envelopes: Sequence[Envelope]) -> Sequence[str | None]:
        reasons: list[str | None] = []
        by_tenant: dict[str, dict[int, _Opened]] = {}
        for number, envelope in enumerate(envelopes):
            opened = await self._open(envelope)
            if isinstance(opened, _Opened):
                by_tenant.setdefault(envelope.tenant, {})[number] = opened
                reasons.append(None)
            else:
                reasons.append(opened)
        for group in by_tenant.values():
            for number, reason in zip(group, await self._observe_together(list(group.values())), strict=True):
                reasons[number] = reason
        return reasons

    async def _open(self, envelope: Envelope) -> _Opened | str | None:
        """What of one message is for its organisation's tool; None if nothing is, or why nobody can use it."""
        try:
            batch = envelope.open(ObservationBatch)
        except ValidationError as error:
            return f"not an observation batch: {first_problem(error)}"
        hosted = await self.host_of(envelope.tenant)
        if not isinstance(hosted, HostedTool):
            return hosted
        selected = await self._patiently("store", lambda: hosted.context.select(batch))
        if selected is None or not len(selected):
            return None
        return _Opened(envelope.id, hosted, selected)

    async def _observe(self, opened: _Opened) -> str | None:
        tool, batch = opened.hosted.tool, opened.batch
        return await self.twice(opened.hosted, opened.envelope_id, "observe", lambda: tool.observe(batch)) or None

    async def _observe_together(self, opened: Sequence[_Opened]) -> Sequence[str | None]:
        """One call for several messages of one organisation; one by one where that fails, to find the one to blame."""
        first = opened[0]
        if len(opened) == 1:
            return [await self._observe(first)]
        batch = joined([message.batch for message in opened])
        failed = False
        with first.hosted.context.refusals() as refused:
            try:
                await self.in_turn(first.hosted, None, lambda: first.hosted.tool.observe(batch))
            except Exception as error:  # whatever a tool does, the worker goes on
                failed = True
                log.warning(
                    "observe failed",
                    durable=self._durable,
                    tenant=first.hosted.context.tenant,
                    together=len(opened),
                    exc_info=error,
                )
        reasons: list[str | None] = [None] * len(opened)
        for source, refusal in refused.items():
            # The message that the alert came from: the last one with that datastream.
            number = max(
                (n for n, each in enumerate(opened) if source in each.batch.datastreams), default=len(opened) - 1
            )
            reasons[number] = refusal
        if failed:
            for number, message in enumerate(opened):
                reasons[number] = reasons[number] or await self._observe(message)
        return reasons
