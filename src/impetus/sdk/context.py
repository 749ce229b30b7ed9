"""All that a tool may touch of the outside: one organisation's data, the clock, the log, and what it emits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from impetus.model import (
    Alert,
    Clock,
    DataClass,
    Datastream,
    EvidenceReference,
    ExpectationBatch,
    ObservationBatch,
    ToolRequest,
    ToolResult,
)
from impetus.sdk.duty import DutyBoard
from impetus.sdk.own import OwnFolders
from impetus.sdk.pseudonyms import Pseudonyms


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

    async def publish(self, result: ToolResult) -> None:
        """Publish a document, or bring it up to date (same id, greater revision). On disk when `emit`ted alerts are.

        Raises `impetus.model.ConfigurationError` if `result.tool` is not this tool, or its kind is not declared.
        """
        ...

    async def published(self, kind: str, *, tool: str | None = None, limit: int = 100) -> Sequence[ToolResult]:
        """The newest kept results of a kind, newest first: its own, or those of a tool that it declares as an input.

        What was published a moment ago may be missing. Raises `impetus.model.ConfigurationError` for an undeclared one.
        """
        ...

    async def request(self, request: ToolRequest) -> None:
        """Ask another tool for something; asked again with the same id, it is the same request.

        Raises `impetus.model.ConfigurationError` if the manifest does not declare it under `[[requests]]`.
        """
        ...

    async def keep_evidence(
        self, data: bytes, *, media_type: str, title: str, data_class: DataClass = DataClass.OPERATIONAL
    ) -> EvidenceReference:
        """Keep a picture, a recording or a document; on disk when this returns. Put the reference into an alert or a
        result: people open it there, say why, and who did so stays known. The same data again is kept once.

        Raises `impetus.model.ConfigurationError` if the manifest does not declare it, `impetus.model.InvalidInput` if
        it is too large, and `impetus.model.Unavailable` if there is no room (today).
        """
        ...

    async def read_evidence(self, sha256: str) -> bytes:
        """Evidence that this tool kept. Raises `impetus.model.NotFound` for anything else."""
        ...

    @property
    def own(self) -> OwnFolders:
        """What this tool knows of persons who consented, for their eyes only. Raises
        `impetus.model.ConfigurationError` if the manifest has no `[own]`."""
        ...

    def pseudonyms(self, purpose: str) -> Pseudonyms:
        """Keyed pseudonyms of this organisation for one purpose, a short name; nobody joins those of two purposes.

        Raises `impetus.model.ConfigurationError` if the manifest declares no personal data.
        """
        ...

    async def duties(self, *, minutes: float = 10.0) -> DutyBoard:
        """What waits for people, and what each who consented holds and decided in the last minutes.

        Raises `impetus.model.ConfigurationError` if the manifest does not declare an input of kind `duty`.
        """
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
