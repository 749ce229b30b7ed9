"""The way of each alert as an OpenTelemetry trace: from what a sensor saw over the tool and the hub to the decision.

A trace is told from the moments that the messages themselves carry, when they reach the hub: nothing is added to a
message, and neither sensors nor tools wait for it. All spans of an alert have the same trace id, which follows from the
alert's own, so that a decision hours later, at another hub, joins them, and one on its incident too. Who sends readings
or alerts over HTTP with a W3C `traceparent` finds the alerts of that source linked to it. No span names a person.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final

import structlog
from pydantic import ValidationError

from impetus import __version__
from impetus.api.services import Services
from impetus.model import Alert, Assessment, ConfigurationError, Envelope, NotFound, SubjectKind, Unavailable
from impetus.operations.traces_settings import TracesSettings

SUBJECTS: Final = ("*.alert.>", "*.assessment.>")
PAUSE_S: Final = 1.0
SENDERS: Final = 10_000
"""Of so many sources it is known in which trace they were sent last."""
DECIDED_TOGETHER: Final = 50
"""A decision on an incident is a span of so many of its alerts at most, the newest."""

_log = structlog.get_logger("traces")


class Tracer:
    """Turns messages into spans."""

    def __init__(self, exporter: Any, *, at_once: bool = False) -> None:
        """`exporter` is OpenTelemetry's; with `at_once` each span goes to it by itself."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        resource = Resource.create({"service.name": "impetus", "service.version": __version__})
        self._ids = _identifiers()
        self._provider = TracerProvider(resource=resource, id_generator=self._ids)
        self._provider.add_span_processor(SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("impetus")
        self._senders: OrderedDict[tuple[str, str], str] = OrderedDict()

    def note_sender(self, tenant: str, sources: Iterable[str], traceparent: str) -> None:
        """What these sources sent just now is a part of somebody's trace (W3C Trace Context)."""
        for source in sources:
            self._senders[tenant, source] = traceparent
            self._senders.move_to_end((tenant, source))
        while len(self._senders) > SENDERS:
            self._senders.popitem(last=False)

    def take(self, envelope: Envelope, now: datetime, alerts: Sequence[str] = ()) -> None:
        """Make the spans that a message tells of; one that is neither an alert nor a decision tells of none.

        `alerts`: those of the incident that a decision is on.
        """
        with suppress(ValidationError):  # whoever it is for sets it aside
            if envelope.kind == "alert":
                self._alert(envelope, envelope.open(Alert), now)
            elif envelope.kind == "assessment":
                self._decision(envelope, envelope.open(Assessment), now, alerts)

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
        if alert.revision == 0:
            self._root(alert, now, about, self._senders.get((envelope.tenant, alert.source)))
        self._span(alert.id, "sensor to tool", alert.onset, alert.sent, about)
        self._span(alert.id, "tool to log", alert.sent, envelope.time, about)
        self._span(alert.id, "log to hub", envelope.time, now, about)

    def _decision(self, envelope: Envelope, decision: Assessment, now: datetime, alerts: Sequence[str]) -> None:
        if decision.subject_kind is SubjectKind.ALERT:
            alerts = (decision.subject,)
        about: dict[str, str | int] = {
            "impetus.organisation": envelope.tenant,
            "impetus.subject": decision.subject_kind.value,
            "impetus.action": decision.action,
        }
        for alert in alerts[-DECIDED_TOGETHER:]:
            self._span(alert, "decision", decision.decided, decision.decided, about)
            self._span(alert, "decision to screens", decision.decided, now, about)

    def _root(self, alert: Alert, now: datetime, about: dict[str, str | int], traceparent: str | None) -> None:
        """The span of which all others of the alert are parts, with a link to the sender's trace."""
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {"traceparent": traceparent} if traceparent else {}
        sender = TraceContextTextMapPropagator().extract(carrier, context=Context())
        sent = trace.get_current_span(sender).get_span_context()
        links = [trace.Link(sent)] if sent.is_valid else []
        start_ns = _nanoseconds(min(alert.onset, now))
        self._ids.given = _ids_of(alert.id)
        try:
            span = self._tracer.start_span(
                "alert", context=Context(), start_time=start_ns, attributes=about, links=links
            )
        finally:
            self._ids.given = None
        span.end(end_time=_nanoseconds(now))

    def _span(self, alert: str, name: str, start: datetime, end: datetime, about: dict[str, str | int]) -> None:
        from opentelemetry import trace

        trace_id, span_id = _ids_of(alert)
        parent = trace.SpanContext(
            trace_id=trace_id,
            span_id=span_id,
            is_remote=True,
            trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
        )
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        # Clocks of machines differ: a span never ends before it begins.
        start_ns = _nanoseconds(min(start, end))
        span = self._tracer.start_span(name, context=context, start_time=start_ns, attributes=about)
        span.end(end_time=_nanoseconds(end))


def _ids_of(alert: str) -> tuple[int, int]:
    """Trace and root span of an alert: the same at every hub, at any time."""
    digest = hashlib.sha256(alert.encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


def _identifiers() -> Any:
    """Chance as OpenTelemetry has it, but for a root span whose identifiers are given."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Identifiers(RandomIdGenerator):
        given: tuple[int, int] | None = None

        def generate_trace_id(self) -> int:
            return self.given[0] if self.given is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return self.given[1] if self.given is not None else super().generate_span_id()

    return Identifiers()


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
    hub.note_sender = tracer.note_sender
    try:
        yield
    finally:
        hub.note_sender = None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(tracer.close)


async def _follow(tracer: Tracer, hub: Services) -> None:
    """From now on; what comes while the log is away is not traced."""
    while True:
        try:
            async for delivery in hub.bus.tail(SUBJECTS):
                tracer.take(delivery.envelope, hub.clock.now(), await alerts_of(delivery.envelope, hub))
        except Unavailable as error:
            _log.warning("traces stopped", error=str(error))
        await asyncio.sleep(PAUSE_S)


async def alerts_of(envelope: Envelope, hub: Services) -> Sequence[str]:
    """The alerts of the incident that a decision is on; none for another message, or where the incident is gone."""
    if envelope.kind != "assessment":
        return ()
    try:
        decision = envelope.open(Assessment)
        if decision.subject_kind is not SubjectKind.INCIDENT:
            return ()
        async with hub.store.view() as view:
            return (await view.incidents.get(envelope.tenant, decision.subject)).alerts
    except (ValidationError, NotFound):
        return ()


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
