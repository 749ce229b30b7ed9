"""Protects: an alert and the decision on it are one trace that a collector gets, and it names no person."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from impetus.api.tests.conftest import services_of
from impetus.bus import open_bus
from impetus.hub import create_services
from impetus.model import Alert, AlertAction, AlertState, Assessment, Envelope, ManualClock, SubjectKind
from impetus.operations.traces import Tracer, alerts_of, tracing
from impetus.operations.traces_settings import TracesSettings
from impetus.settings import Settings
from impetus.situation.decisions import NewIncident
from impetus.situation.tests.house import an_alert, opened_house
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
        "alert": 5.0,
        "sensor to tool": 3.0,
        "tool to log": 1.0,
        "log to hub": 1.0,
        "decision": 0.0,
        "decision to screens": 1.0,
    }
    assert "secret" not in "".join(span.to_json() for span in spans).casefold()
    # One root, and every other span is a part of it.
    roots = [span for span in spans if span.parent is None]
    assert [span.name for span in roots] == ["alert"]
    assert {span.parent.span_id for span in spans if span.parent} == {
        one.context.span_id for one in roots if one.context
    }
    tracer.close()


def test_a_decision_on_an_incident_is_in_the_traces_of_its_alerts(clock: ManualClock) -> None:
    exporter = InMemorySpanExporter()
    tracer = Tracer(exporter, at_once=True)
    told, said = messages(clock)
    decision = said.open(Assessment)
    joint = decision.model_copy(update={"subject_kind": SubjectKind.INCIDENT, "subject": "incident-1"})
    alert = told.open(Alert)
    tracer.take(told, clock.now())
    tracer.take(said.model_copy(update={"data": joint.model_dump_json().encode()}), clock.now(), [alert.id, "another"])
    spans = exporter.get_finished_spans()
    traces = {span.context.trace_id for span in spans if span.context and span.name == "decision"}
    [trace] = [span.context.trace_id for span in spans if span.context and span.name == "alert"]
    assert len(traces) == 2
    assert trace in traces
    tracer.close()


def test_who_sends_with_a_trace_finds_the_alert_linked_to_it(clock: ManualClock) -> None:
    """What is no W3C Trace Context is as good as none; another organisation's is never taken."""
    exporter = InMemorySpanExporter()
    tracer = Tracer(exporter, at_once=True)
    told, _ = messages(clock)
    source = told.open(Alert).source
    for tenant, traceparent, linked in (
        ("police", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 1),
        ("police", "00-00000000000000000000000000000000-b7ad6b7169203331-01", 0),
        ("police", "\u202e; DROP TABLE", 0),
    ):
        exporter.clear()
        tracer.note_sender("municipality", [source], "00-11111111111111111111111111111111-b7ad6b7169203331-01")
        tracer.note_sender(tenant, [source], traceparent)
        tracer.take(told, clock.now())
        [root] = [span for span in exporter.get_finished_spans() if span.parent is None]
        assert len(root.links) == linked
        assert all(link.context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C for link in root.links)
    tracer.close()


async def test_the_alerts_of_an_incident_are_found_when_it_is_decided_on(tmp_path: Path, clock: ManualClock) -> None:
    async with opened_house(tmp_path) as house:
        alert = an_alert()
        await house.situation.alerts.ingest("municipality", [alert])
        new = NewIncident(title="A fire", alerts=(alert.id,))
        incident = await house.situation.incidents.create(house.person("olivia"), new)
        told, said = messages(clock)
        decision = said.open(Assessment).model_copy(update={"subject_kind": SubjectKind.INCIDENT})
        services = services_of(house, tmp_path)
        for subject, alerts in ((incident.id, (alert.id,)), ("gone", ())):
            body = decision.model_copy(update={"subject": subject, "tenant": "municipality"}).model_dump_json().encode()
            envelope = said.model_copy(update={"tenant": "municipality", "data": body})
            assert tuple(await alerts_of(envelope, services)) == alerts
        for other in (told, said, said.model_copy(update={"data": b"{}"})):
            assert tuple(await alerts_of(other, services)) == ()


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
