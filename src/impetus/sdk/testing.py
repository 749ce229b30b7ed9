"""For unit tests of tools: a context in memory, with a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime

import structlog
from structlog.typing import FilteringBoundLogger

from impetus.model import (
    Alert,
    Datastream,
    ExpectationBatch,
    ManualClock,
    Observation,
    ObservationBatch,
    from_microseconds,
)
from impetus.sdk.emission import check_alert
from impetus.sdk.manifest import Manifest
from impetus.sdk.selection import InputSelection

START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday at midnight."""


class LocalContext:
    """A `Context` in memory that remembers what a tool did.

    `alerts` and `expectations` hold what was emitted, in order; `checkpoint` what was saved last; `degraded_text` what
    the status board would show. `clock` is moved by the test. The emission rules of the manifest hold here as well.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        datastreams: Iterable[Datastream] = (),
        history: Iterable[ObservationBatch] = (),
        tenant: str = "municipality",
        start: datetime = START,
    ) -> None:
        self.manifest = manifest
        self.tenant = tenant
        self.clock = ManualClock(start)
        self.log: FilteringBoundLogger = structlog.get_logger().bind(tool=manifest.id, tenant=tenant)
        self.registered = list(datastreams)
        self.kept = list(history)
        self.alerts: list[Alert] = []
        self.expectations: list[ExpectationBatch] = []
        self.checkpoint: bytes | None = None
        self.degraded_text: str | None = None

    async def datastreams(self) -> Sequence[Datastream]:
        return InputSelection(self.manifest, self.registered).datastreams

    async def history(self, since: datetime, until: datetime | None = None) -> AsyncIterator[ObservationBatch]:
        selection = InputSelection(self.manifest, self.registered)
        readings = [reading for batch in self.kept for reading in batch.observations()]
        chosen = [reading for reading in readings if since <= reading.time and (until is None or reading.time < until)]
        chosen.sort(key=lambda reading: reading.time)
        batch = selection.select(ObservationBatch.of(chosen)) if chosen else None
        if batch is not None:
            yield batch

    async def emit(self, alert: Alert) -> None:
        check_alert(self.manifest, alert)
        self.alerts.append(alert)

    async def emit_expectations(self, batch: ExpectationBatch) -> None:
        self.expectations.append(batch)

    async def save_checkpoint(self, data: bytes) -> None:
        self.checkpoint = bytes(data)

    async def load_checkpoint(self) -> bytes | None:
        return self.checkpoint

    async def degraded(self, text: str | None) -> None:
        self.degraded_text = text


def readings(datastream: str, values: Iterable[float], *, start: datetime, interval_s: float) -> ObservationBatch:
    """A batch of one datastream with evenly spaced times."""
    start_us = int(start.timestamp() * 1_000_000)
    return ObservationBatch.of(
        Observation(
            datastream=datastream,
            time=from_microseconds(start_us + round(number * interval_s * 1_000_000)),
            value=value,
        )
        for number, value in enumerate(values)
    )
