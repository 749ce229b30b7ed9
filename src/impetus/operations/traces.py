"""The way of each alert as an OpenTelemetry trace: from what a sensor saw over the tool and the hub to the decision.

A trace is told from the moments that the messages themselves carry, when they reach the hub: nothing is added to a
message, and neither sensors nor tools wait for it. All spans of an alert have the same trace id, which follows from the
alert's own, so that a decision hours later, at another hub, joins them. No span names a person.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final

import structlog
from pydantic import ValidationError

from impetus import __version__
from impetus.api.services import Services
from impetus.bus import Delivery
from impetus.model import Alert, Assessment, ConfigurationError, Envelope, SubjectKind, Unavailable
from impetus.operations.traces_settings import TracesSettings

SUBJECTS: Final = ("*.alert.>", "*.assessment.>")
PAUSE_S: Final = 1.0

_log = structlog.get_logger("traces")


class Tracer:
    """Turns messages into spans."""

    def __init__(self, exporter: Any, *, at_once: bool = False) -> None:
        """`exporter` is OpenTelemetry's; with `at_once` each span goes to it by itself."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        resource = Resource.create({"service.name": "impetus", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("impetus")

    def take(self, envelope: Envelope, now: datetime) -> None:
        """Make the spans that a message tells of; one that is neither an alert nor a decision tells of none."""
        with suppress(ValidationError):  # whoever it is for sets it aside
            if envelope.kind == "alert":
                self._alert(envelope, envelope.open(Alert), now)
            elif envelope.kind == "assessment":
                self._decision(envelope, envelope.open(Assessment), now)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()

    def _alert(self, envelope: Envelope, alert: Alert, now: datetime) -> None:
        about: dict[str, str | int] = {
            "impetus.organisation": envelope.tenant,
            "impetus.tool": alert.tool,
            "impetus.detector": alert.detector,
            "impetus.severity": alert.severity.value,
            "impetus.revision": alert.revision,
        }
        self._span(alert.id, "sensor to tool", alert.onset, alert.sent, about)
        self._span(alert.id, "tool to log", alert.sent, envelope.time, about)
        self._span(alert.id, "log to hub", envelope.time, now, about)

    def _decision(self, envelope: Envelope, decision: Assessment, now: datetime) -> None:
        if decision.subject_kind is not SubjectKind.ALERT:
            return
        about: dict[str, str | int] = {"impetus.organisation": envelope.tenant, "impetus.action": decision.action}
        self._span(decision.subject, "decision", decision.decided, decision.decided, about)
        self._span(decision.subject, "decision to screens", decision.decided, now, about)

    def _span(self, alert: str, name: str, start: datetime, end: datetime, about: dict[str, str | int]) -> None:
        from opentelemetry import trace

        digest = hashlib.sha256(alert.encode()).digest()
        parent = trace.SpanContext(
            trace_id=int.from_bytes(digest[:16]) or 1,
            span_id=int.from_bytes(digest[16:24]) or 1,
            is_remote=True,
            trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
        )
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        # Clocks of machines differ: a span never ends before it begins.
        start_ns = _nanoseconds(min(start, end))
        span = self._tracer.start_span(name, context=context, start_time=start_ns, attributes=about)
        span.end(end_time=_nanoseconds(end))


@asynccontextmanager
async def tracing(settings: TracesSettings, hub: Services) -> AsyncIterator[None]:
    """Follow the log meanwhile, if a collector is set. Raises `ConfigurationError` without the extra `traces`."""
    if not settings.endpoint:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise ConfigurationError(
            "traces need OpenTelemetry, which is not installed", hint="pip install impetus[traces]"
        ) from error
    tracer = Tracer(OTLPSpanExporter(endpoint=settings.endpoint, timeout=5))
    task = asyncio.create_task(_follow(tracer, hub), name="traces")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(tracer.close)


async def _follow(tracer: Tracer, hub: Services) -> None:
    """From now on; what comes while the log is away is not traced."""
    while True:
        try:
            async for delivery in hub.bus.tail(SUBJECTS):
                _take(tracer, delivery, hub)
        except Unavailable as error:
            _log.warning("traces stopped", error=str(error))
        await asyncio.sleep(PAUSE_S)


def _take(tracer: Tracer, delivery: Delivery, hub: Services) -> None:
    tracer.take(delivery.envelope, hub.clock.now())


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
