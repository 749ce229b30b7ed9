"""One tool for one organisation, inside a worker: its context, its inputs, its failures."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel
from structlog.typing import FilteringBoundLogger

from impetus.model import (
    Alert,
    Clock,
    ConfigurationError,
    DataClass,
    Datastream,
    Envelope,
    EvidenceReference,
    ExpectationBatch,
    NotAllowed,
    ObservationBatch,
    ToolRequest,
    ToolResult,
    Unavailable,
    derived_id,
)
from impetus.sdk.checkpoint import CheckpointFile
from impetus.sdk.duty import DutyBoard, check_duties
from impetus.sdk.emission import check_alert, check_published, check_request, check_result
from impetus.sdk.evidence import EvidenceKeeper
from impetus.sdk.manifest import Manifest
from impetus.sdk.outgoing import Outgoing
from impetus.sdk.own import OwnFolders
from impetus.sdk.pseudonyms import Pseudonyms
from impetus.sdk.records import Records
from impetus.sdk.selection import InputSelection
from impetus.sdk.tool import Tool, ToolSettings

START_LIMIT_S = 600.0
"""A tool that takes longer to start has failed to."""
START_PAUSE_S = 5.0
LONGEST_START_PAUSE_S = 300.0
"""A tool that failed to start is tried again after a pause that doubles from one to the other."""
REFRESH_S = 10.0
"""Datastreams that are registered while the worker runs are known after this time at the latest."""
REFRESH_UNKNOWN_S = 1.0
"""The same when a reading of an unknown datastream arrives."""

_refused: ContextVar[dict[str, str] | None] = ContextVar("refused", default=None)
"""What the call of a tool that is under way tried to emit and may not."""


class WorkerContext:
    """The `Context` that a worker gives to a tool."""

    def __init__(
        self,
        manifest: Manifest,
        tenant: str,
        *,
        clock: Clock,
        records: Records,
        outgoing: Outgoing,
        checkpoint: CheckpointFile,
        evidence: EvidenceKeeper,
        on_degraded: Callable[[str | None], None],
        own: OwnFolders | None = None,
        home: Path | None = None,
    ) -> None:
        """`own`: the folders of persons who consent, for a tool whose manifest has `[own]`; `home`: the folder of all
        state, where the keys of pseudonyms lie."""
        self._own = own
        self._home = home
        self._manifest = manifest
        self._tenant = tenant
        self._clock = clock
        self._records = records
        self._outgoing = outgoing
        self._checkpoint = checkpoint
        self._evidence = evidence
        self._on_degraded = on_degraded
        self._log: FilteringBoundLogger = structlog.get_logger("tool").bind(tool=manifest.id, tenant=tenant)
        self._forbidden = ""
        self._selection = InputSelection(manifest, ())
        self._refreshed_s: float | None = None

    @property
    def tenant(self) -> str:
        return self._tenant

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def log(self) -> FilteringBoundLogger:
        return self._log

    def forbid(self, reason: str) -> None:
        """From now on the tool reads and tells nothing more: its approval is over."""
        self._forbidden = reason

    def _permitted(self) -> None:
        if self._forbidden:
            raise NotAllowed(f"{self._manifest.id} may not run for {self._tenant}: {self._forbidden}")

    async def datastreams(self) -> Sequence[Datastream]:
        self._permitted()
        await self._refresh()
        return self._selection.datastreams

    async def history(self, since: datetime, until: datetime | None = None) -> AsyncIterator[ObservationBatch]:
        self._permitted()
        await self._refresh()
        names = None
        if self._manifest.observed_properties() is not None:
            names = [datastream.id for datastream in self._selection.datastreams]
            if not names:
                return
        async for batch in self._records.history(self._tenant, names, since, until):
            yield batch

    async def emit(self, alert: Alert) -> None:
        with _noting(alert.source):
            check_alert(self._manifest, alert)
        # One message for each revision, however often a tool derives it from readings that were delivered again.
        id = derived_id("alert", self._manifest.id, self._tenant, alert.id, str(alert.revision))
        await self._outgoing.add([self._wrap(alert, "alert", id, partition=alert.source)])

    async def emit_expectations(self, batch: ExpectationBatch) -> None:
        if not len(batch):
            return
        content = hashlib.sha256(batch.model_dump_json().encode()).hexdigest()
        id = derived_id("expectation", self._manifest.id, self._tenant, content)
        await self._outgoing.add([self._wrap(batch, "expectation", id, partition=self._manifest.id)])

    async def publish(self, result: ToolResult) -> None:
        with _noting(result.id):
            check_result(self._manifest, result)
        id = derived_id("result", self._manifest.id, self._tenant, result.id, str(result.revision))
        await self._outgoing.add([self._wrap(result, "result", id, partition=result.id)])

    async def published(self, kind: str, *, tool: str | None = None, limit: int = 100) -> Sequence[ToolResult]:
        self._permitted()
        check_published(self._manifest, kind, tool)
        return await self._records.results(self._tenant, tool or self._manifest.id, kind, limit)

    async def request(self, request: ToolRequest) -> None:
        with _noting(request.id):
            check_request(self._manifest, request)
        id = derived_id("tool-request", self._manifest.id, self._tenant, request.id)
        envelope = self._wrap(request, "tool-request", id, partition=request.id)
        # The last token says who is asked, so that a tool hears of its own requests only.
        subject = f"{self._tenant}.tool-request.{request.tool}"
        await self._outgoing.add([envelope.model_copy(update={"subject": subject})])

    async def keep_evidence(
        self, data: bytes, *, media_type: str, title: str, data_class: DataClass = DataClass.OPERATIONAL
    ) -> EvidenceReference:
        self._permitted()
        return await self._evidence.keep(data, media_type, title, data_class)

    async def read_evidence(self, sha256: str) -> bytes:
        self._permitted()
        return await self._evidence.read(sha256)

    @property
    def own(self) -> OwnFolders:
        self._permitted()
        if self._own is None:
            raise ConfigurationError(f"{self._manifest.id} has no [own] in its manifest", hint="declare it there")
        return self._own

    def pseudonyms(self, purpose: str) -> Pseudonyms:
        if not self._manifest.personal_data or self._home is None:
            raise ConfigurationError(
                f"{self._manifest.id} declares no personal data, so there are no pseudonyms",
                hint="declare it in the manifest",
            )
        return Pseudonyms(self._home, self._tenant, purpose, self._clock)

    async def duties(self, *, minutes: float = 10.0) -> DutyBoard:
        check_duties(self._manifest)
        now = self._clock.now()
        consenting = {one.person for one in await self.own.consents() if one.until > now}
        return await self._records.duties(self._tenant, consenting, now, now - timedelta(minutes=minutes))

    async def save_checkpoint(self, data: bytes) -> None:
        # A checkpoint must never know more than the bus: an alert that it counts as raised has to be on disk first.
        await self._outgoing.flush()
        await self._checkpoint.save(data)

    async def load_checkpoint(self) -> bytes | None:
        return await self._checkpoint.load()

    async def degraded(self, text: str | None) -> None:
        self._on_degraded(text)

    @contextlib.contextmanager
    def refusals(self) -> Iterator[dict[str, str]]:
        """Meanwhile collects why what the tool emits is refused, by what it is about, whatever the tool does with the
        error."""
        refused: dict[str, str] = {}
        token = _refused.set(refused)
        try:
            yield refused
        finally:
            _refused.reset(token)

    async def select(self, batch: ObservationBatch) -> ObservationBatch | None:
        """What of a batch the tool may read."""
        if self._manifest.observed_properties() is not None:
            known = self._selection.knows(batch)
            limit_s = REFRESH_S if known else REFRESH_UNKNOWN_S
            if self._refreshed_s is None or self._clock.monotonic_s() - self._refreshed_s > limit_s:
                await self._refresh()
        return self._selection.select(batch)

    async def _refresh(self) -> None:
        self._selection = InputSelection(self._manifest, await self._records.datastreams(self._tenant))
        self._refreshed_s = self._clock.monotonic_s()

    def _wrap(self, message: BaseModel, kind: str, id: str, *, partition: str) -> Envelope:
        self._permitted()
        return Envelope.wrap(
            message,
            kind=kind,
            tenant=self._tenant,
            origin=self._manifest.id,
            time=self._clock.now(),
            partition=partition,
            id=id,
        )


@contextlib.contextmanager
def _noting(about: str) -> Iterator[None]:
    """A refusal meanwhile is noted for the call that is under way."""
    try:
        yield
    except ConfigurationError as error:
        refused = _refused.get()
        if refused is not None:
            refused[about] = str(error)
        raise


class HostedTool:
    """One `Tool` instance and what the worker knows of it."""

    def __init__(
        self, tool_type: type[Tool[Any]], settings: ToolSettings, context: WorkerContext, *, clock: Clock
    ) -> None:
        self.context = context
        self._tool_type = tool_type
        self._settings = settings
        self._clock = clock
        self._tool: Tool[Any] | None = None
        self._retry_s = 0.0
        self._pause_s = START_PAUSE_S
        self.failure = ""
        """Why it did not start; empty while it runs."""
        self.forbidden = ""
        """Why it may not run; empty while it may."""
        self.spoilt = False
        """It was interrupted in a call: what it knows must not be kept."""

    @property
    def running(self) -> bool:
        return self._tool is not None

    def forbid(self, reason: str) -> None:
        """Its approval is over, or there was none."""
        self.forbidden = reason
        self.context.forbid(reason)

    @property
    def tool(self) -> Tool[Any]:
        """The tool; only while it runs."""
        if self._tool is None:
            raise RuntimeError(f"the tool is not running: {self.failure}")
        return self._tool

    @contextlib.contextmanager
    def protected(self) -> Iterator[None]:
        """A call that is interrupted meanwhile leaves the tool spoilt."""
        try:
            yield
        except asyncio.CancelledError:
            self.spoilt = True
            raise

    async def start(self) -> bool:
        """Start the tool, unless it runs or failed a moment ago; whether it runs. Its own failures are in `failure`.

        Raises `impetus.model.Unavailable` when what it needs is away.
        """
        if self.running or (self.failure and self._clock.monotonic_s() < self._retry_s):
            return self.running
        try:
            tool = self._tool_type(self.context, self._settings)
            async with asyncio.timeout(START_LIMIT_S):
                await tool.start()
        except Unavailable:
            raise
        except Exception as error:  # whatever a tool does, the worker goes on
            self.failure = describe(error)
            self._retry_s = self._clock.monotonic_s() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_START_PAUSE_S)
            self.context.log.error("tool did not start", error=self.failure, exc_info=error)
        else:
            self._tool = tool
            self.failure = ""
            self._pause_s = START_PAUSE_S
        return self.running


def describe(error: BaseException) -> str:
    """One line on an exception: its type, what it says and where it came from."""
    if isinstance(error, TimeoutError) and not str(error):
        return "took too long"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
