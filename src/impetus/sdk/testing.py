"""For unit tests of tools: a context in memory, with a clock that stands still until it is moved."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from structlog.typing import FilteringBoundLogger

from impetus.model import (
    Alert,
    ConfigurationError,
    DataClass,
    Datastream,
    EvidenceReference,
    ExpectationBatch,
    ManualClock,
    NotFound,
    Observation,
    ObservationBatch,
    ToolRequest,
    ToolResult,
    from_microseconds,
)
from impetus.model.data_protection import DataProtectionRecord, Decision, LegalBasis, Outcome, Risk, Worksheet
from impetus.sdk.approval import fingerprint
from impetus.sdk.duty import DutyBoard, check_duties, only
from impetus.sdk.emission import check_alert, check_evidence, check_published, check_request, check_result
from impetus.sdk.manifest import Manifest
from impetus.sdk.own import OwnFolders
from impetus.sdk.pseudonyms import Pseudonyms
from impetus.sdk.selection import InputSelection

START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday at midnight."""


def approved_record(
    manifest: Manifest, tenant: str, now: datetime, *, until: datetime | None = None, version: int = 1
) -> DataProtectionRecord:
    """An entry of the data-protection register with which a tool may run, for tests and benchmarks."""
    worksheet = Worksheet(
        purposes=manifest.purposes,
        legal_basis=LegalBasis.PUBLIC_TASK if manifest.personal_data else LegalBasis.NO_PERSONAL_DATA,
        legal_reference="a test",
        data_classes=manifest.data_classes,
        persons="people of a test",
        sources=("a test",),
        retention_days=manifest.retention_days,
        necessity="a test",
        proportionality="a test",
        risks=(Risk(title="a test fails", likelihood=1, severity=1, measure="mend it"),),
        responsible="a tester",
        contact="tests@example.org",
    )
    return DataProtectionRecord(
        tenant=tenant,
        tool=manifest.id,
        version=version,
        draft=worksheet,
        approved=worksheet,
        decision=Decision(
            outcome=Outcome.APPROVED,
            person="tester",
            person_name="A Tester",
            time=now,
            reason="a test",
            until=until or now + timedelta(days=365),
        ),
        fingerprint=fingerprint(manifest),
        tool_version=manifest.version,
        updated=now,
        updated_by="A Tester",
    )


class LocalContext:
    """A `Context` in memory that remembers what a tool did.

    `alerts`, `expectations`, `results` and `requests` hold what was emitted, in order; `evidence` what was kept, by its
    SHA-256; `checkpoint` what was saved last; `degraded_text` what
    the status board would show. `clock` is moved by the test. The emission rules of the manifest hold here as well.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        datastreams: Iterable[Datastream] = (),
        history: Iterable[ObservationBatch] = (),
        others: Iterable[ToolResult] = (),
        tenant: str = "municipality",
        start: datetime = START,
        own: Path | None = None,
    ) -> None:
        """`others`: results of other tools that `published` finds. `own`: the folder that stands for the
        installation's, for a tool whose manifest has `[own]`, a temporary one where none is given; `board` is what
        `duties` answers."""
        self.manifest = manifest
        self.tenant = tenant
        self.clock = ManualClock(start)
        self.log: FilteringBoundLogger = structlog.get_logger().bind(tool=manifest.id, tenant=tenant)
        self.registered = list(datastreams)
        self.kept = list(history)
        self.alerts: list[Alert] = []
        self.expectations: list[ExpectationBatch] = []
        self.results: list[ToolResult] = []
        self.others = list(others)
        self.requests: list[ToolRequest] = []
        self.evidence: dict[str, bytes] = {}
        self.checkpoint: bytes | None = None
        self.degraded_text: str | None = None
        self._own_home = own
        self._temporary: TemporaryDirectory[str] | None = None
        self.board = DutyBoard()

    @property
    def own(self) -> OwnFolders:
        if self.manifest.own is None:
            raise ConfigurationError(f"{self.manifest.id} has no [own] in its manifest", hint="declare it there")
        return OwnFolders(self._home(), self.manifest.id, self.tenant)

    def _home(self) -> Path:
        if self._own_home is None:
            self._temporary = TemporaryDirectory()
            self._own_home = Path(self._temporary.name)
        return self._own_home

    def pseudonyms(self, purpose: str) -> Pseudonyms:
        if not self.manifest.personal_data:
            raise ConfigurationError(
                f"{self.manifest.id} declares no personal data, so there are no pseudonyms",
                hint="declare it in the manifest",
            )
        return Pseudonyms(self._home(), self.tenant, purpose, self.clock)

    async def duties(self, *, minutes: float = 10.0) -> DutyBoard:
        check_duties(self.manifest)
        now = self.clock.now()
        return only(self.board, {one.person for one in await self.own.consents() if one.until > now})

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

    async def publish(self, result: ToolResult) -> None:
        check_result(self.manifest, result)
        self.results.append(result)

    async def published(self, kind: str, *, tool: str | None = None, limit: int = 100) -> Sequence[ToolResult]:
        check_published(self.manifest, kind, tool)
        newest: dict[str, ToolResult] = {}
        for result in self.results if tool in (None, self.manifest.id) else self.others:
            known = newest.get(result.id)
            ours = result.kind == kind and result.tool == (tool or self.manifest.id)
            if ours and (known is None or result.revision > known.revision):
                newest[result.id] = result
        return sorted(newest.values(), key=lambda result: (result.time, result.id), reverse=True)[:limit]

    async def request(self, request: ToolRequest) -> None:
        check_request(self.manifest, request)
        self.requests.append(request)

    async def keep_evidence(
        self, data: bytes, *, media_type: str, title: str, data_class: DataClass = DataClass.OPERATIONAL
    ) -> EvidenceReference:
        check_evidence(self.manifest, data, media_type, data_class)
        sha256 = hashlib.sha256(data).hexdigest()
        self.evidence[sha256] = bytes(data)
        return EvidenceReference(
            sha256=sha256, media_type=media_type, title=title, size_bytes=len(data), data_class=data_class
        )

    async def read_evidence(self, sha256: str) -> bytes:
        if sha256 not in self.evidence:
            raise NotFound(f"this tool kept no evidence {sha256!r}")
        return self.evidence[sha256]

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
