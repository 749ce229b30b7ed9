"""Protects: an alert and the decision on it are one trace that a collector gets, and it names no person."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from impetus.bus import open_bus
from impetus.hub import create_services
from impetus.model import AlertAction, AlertState, Assessment, Envelope, ManualClock, SubjectKind
from impetus.operations.traces import Tracer, tracing
from impetus.operations.traces_settings import TracesSettings
from impetus.settings import Settings
from impetus.situation.tests.house import an_alert
from impetus.store import open_store


class Collector(HTTPServer):
    """Takes what is exported over HTTP."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.traces: set[bytes] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        collector.names += [span.name for span in scope.spans]
                        collector.traces |= {span.trace_id for span in scope.spans}
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def messages(clock: ManualClock) -> tuple[Envelope, Envelope]:
    """An alert that took a while, and the decision on it by somebody."""
    now = clock.now()
    alert = an_alert(onset=now - timedelta(seconds=5), sent=now - timedelta(seconds=2))
    decision = Assessment(
        tenant="police",
        subject_kind=SubjectKind.ALERT,
        subject=alert.id,
        action=AlertAction.CONFIRM,
        state_before=AlertState.NEW,
        state_after=AlertState.CONFIRMED,
        version=2,
        person="user-of-secret-name",
        person_name="Secret Name",
        decided=now + timedelta(seconds=30),
        reason="secret reason",
    )
    told = Envelope.wrap(alert, kind="alert", tenant="police", origin="anomaly", time=now - timedelta(seconds=1))
    said = Envelope.wrap(decision, kind="assessment", tenant="police", origin="hub", time=decision.decided)
    return told, said


def test_an_alert_and_its_decision_are_one_trace(clock: ManualClock) -> None:
    exporter = InMemorySpanExporter()
    tracer = Tracer(exporter, at_once=True)
    told, said = messages(clock)
    tracer.take(told, clock.now())
    tracer.take(said, clock.now() + timedelta(seconds=31))
    tracer.take(told.model_copy(update={"data": b"{}"}), clock.now())
    spans = exporter.get_finished_spans()
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    lasted = {span.name: ((span.end_time or 0) - (span.start_time or 0)) / 1e9 for span in spans}
    assert lasted == {
        "sensor to tool": 3.0,
        "tool to log": 1.0,
        "log to hub": 1.0,
        "decision": 0.0,
        "decision to screens": 1.0,
    }
    assert "secret" not in "".join(span.to_json() for span in spans).casefold()
    tracer.close()


async def test_a_collector_gets_what_goes_over_the_log(
    settings_of: Callable[..., Settings], clock: ManualClock, collector: Collector
) -> None:
    settings = settings_of()
    store, bus = await open_store(settings.store_url, clock), open_bus(settings.bus_url, clock)
    hub = create_services(settings, bus, store, clock)
    told, said = messages(clock)
    traces = TracesSettings(endpoint=f"http://127.0.0.1:{collector.server_port}/v1/traces")
    async with tracing(traces, hub):
        # The log is followed from now on: what is said before that is not heard.
        async with asyncio.timeout(60):
            while "decision" not in collector.names:
                again = [one.model_copy(update={"id": f"{one.id}-{len(collector.names)}"}) for one in (told, said)]
                await bus.publish(again)
                await asyncio.sleep(0.2)
    assert {"sensor to tool", "tool to log", "log to hub", "decision"} <= set(collector.names)
    assert len(collector.traces) == 1
    await bus.close()
    await store.close()


async def test_without_a_collector_nothing_is_followed(
    settings_of: Callable[..., Settings], clock: ManualClock
) -> None:
    settings = settings_of()
    store, bus = await open_store(settings.store_url, clock), open_bus(settings.bus_url, clock)
    async with tracing(settings.traces, create_services(settings, bus, store, clock)):
        assert "traces" not in {task.get_name() for task in asyncio.all_tasks()}
    await bus.close()
    await store.close()
