"""All that a tool may touch of the outside: one organisation's data, the clock, the log, and what it emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from impetus.model import Alert, Clock, Datastream, ExpectationBatch, ObservationBatch


class Context(Protocol):
    """What the worker gives to one tool for one organisation."""

    @property
    def tenant(self) -> str:
        """The organisation whose data this is."""
        ...

    @property
    def clock(self) -> Clock:
        """The only source of time; in an exercise it may run faster, or years ago."""
        ...

    @property
    def log(self) -> FilteringBoundLogger:
        """Structured log of this tool and organisation."""
        ...

    async def datastreams(self) -> Sequence[Datastream]:
        """The registered datastreams of this organisation whose observed property the manifest asks for."""
        ...

    def history(self, since: datetime, until: datetime | None = None) -> AsyncIterator[ObservationBatch]:
        """Kept readings with `since` <= time < `until` (or all since), in time order per datastream.

        They may overlap with what `observe` gets: see `impetus.sdk.Tool`.
        """
        ...

    async def emit(self, alert: Alert) -> None:
        """Raise an alert, or bring it up to date (same id, greater revision). Kept once for each id and revision.

        It is on disk before the observation that is being handled counts as dealt with, and before a checkpoint that
        is saved after it; otherwise within some hundredths of a second.

        Raises `impetus.model.ConfigurationError` if `alert.tool` is not this tool, or if the manifest does not
        declare its detector, category, severity or data classes.
        """
        ...

    async def emit_expectations(self, batch: ExpectationBatch) -> None:
        """Say what was expected of readings; drawn as a band behind the series."""
        ...

    async def save_checkpoint(self, data: bytes) -> None:
        """Replace the checkpoint, atomically and on disk when this returns."""
        ...

    async def load_checkpoint(self) -> bytes | None:
        """The last checkpoint that was saved, if any. A tool that cannot read it starts from history instead."""
        ...

    async def degraded(self, text: str | None) -> None:
        """Show on the status board that the tool works with limits, and why; None when all is well again."""
        ...
