"""Metrics for Prometheus, and whether the hub lives and is ready, on a port that people's browsers never see.

Names and labels hold no personal data: organisations, parts, consumers, states.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, ProcessCollector, generate_latest

from impetus.api.services import Services
from impetus.model import HealthState, ImpetusError
from impetus.operations.metrics_settings import MetricsSettings

REQUEST_LIMIT_BYTES = 8_192
REQUEST_S = 5.0
READY_S = 5.0
LETTERS_COUNTED = 1_000
_log = structlog.get_logger("metrics")


async def exposition(hub: Services) -> bytes:
    """All metrics as they are now, in Prometheus' text format. Raises `Unavailable`."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)

    def gauge(name: str, text: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(f"impetus_{name}", text, list(labels), registry=registry)

    gauge("bus_position", "Messages that the log has taken since it was made.").set(await hub.bus.position())
    pending = gauge("consumer_pending", "Messages that a durable consumer has still to deal with.", ["consumer"])
    for consumer in await hub.bus.consumers():
        pending.labels(consumer.durable).set(consumer.pending)
    state = gauge("part_state", "1 for the state that a part is in.", ["part", "state"])
    handled = gauge("part_handled", "Messages that a part handled since it started.", ["part"])
    letters = gauge("part_dead_letters", "Messages that a part set aside since it started.", ["part"])
    lag = gauge("part_lag_seconds", "Age of the newest message that a part handled.", ["part"])
    restarts = gauge("part_restarts", "How often a part was started again.", ["part"])
    for part in hub.situation.health.board():
        for one in HealthState:
            state.labels(part.part, one.value).set(part.state is one)
        handled.labels(part.part).set(part.handled)
        letters.labels(part.part).set(part.dead_letters)
        restarts.labels(part.part).set(part.restarts)
        if part.lag_s is not None:
            lag.labels(part.part).set(part.lag_s)
    gauge("streams", "Screens that follow the live stream.").set(hub.broadcaster.clients)
    async with hub.store.view() as view:
        organisations = [one.id for one in await view.organisations.list_in_installation() if one.active]
    alerts = gauge("alerts", "Alerts by state.", ["organisation", "state"])
    incidents = gauge("incidents", "Incidents by state.", ["organisation", "state"])
    waiting = gauge("alerts_waiting", "Alerts that wait for somebody, by severity.", ["organisation", "severity"])
    readings = gauge("readings_per_second", "Readings that arrive.", ["organisation"])
    sensors = gauge("sensors_reporting", "Sensors that report.", ["organisation"])
    first = gauge("decision_seconds", "Mean time from an alert to the first decision, last day.", ["organisation"])
    kept = gauge("dead_letters", f"Dead letters kept, up to {LETTERS_COUNTED}.", ["organisation"])
    for organisation in organisations:
        figures = await hub.situation.figures.of(organisation)
        for alert_state, count in figures.alerts.items():
            alerts.labels(organisation, alert_state.value).set(count)
        for incident_state, count in figures.incidents.items():
            incidents.labels(organisation, incident_state).set(count)
        for severity, count in figures.open_by_severity.items():
            waiting.labels(organisation, severity.value).set(count)
        readings.labels(organisation).set(figures.readings_per_s)
        sensors.labels(organisation).set(figures.sensors_reporting)
        if figures.acknowledge_mean_s is not None:
            first.labels(organisation).set(figures.acknowledge_mean_s)
        kept.labels(organisation).set(len(await hub.bus.dead_letters(organisation, limit=LETTERS_COUNTED)))
    return generate_latest(registry)


async def obstacle(hub: Services) -> str:
    """Why the hub cannot serve people now; empty if it can."""
    try:
        async with asyncio.timeout(READY_S):
            await hub.bus.position()
            async with hub.store.view() as view:
                await view.organisations.list_in_installation()
    except TimeoutError:
        return f"bus or store did not answer within {READY_S:g} s"
    except ImpetusError as error:
        return str(error)
    return ""


async def answer(hub: Services, path: str) -> tuple[HTTPStatus, str, bytes]:
    """Status, media type and body for a path."""
    text = "text/plain; charset=utf-8"
    if path == "/live":
        return HTTPStatus.OK, text, b"ok\n"
    if path == "/ready":
        reason = await obstacle(hub)
        status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
        return status, text, f"{reason or 'ok'}\n".encode()
    if path == "/metrics":
        try:
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, await exposition(hub)
        except ImpetusError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, text, f"{error}\n".encode()
    return HTTPStatus.NOT_FOUND, text, b"there are /metrics, /live and /ready\n"


@asynccontextmanager
async def serving(settings: MetricsSettings, hub: Services) -> AsyncIterator[int | None]:
    """Serve them meanwhile, if a port is set; the port."""
    if settings.port is None:
        yield None
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            if len(words) == 3 and words[0] == "GET":
                status, kind, body = await answer(hub, words[1].split("?", 1)[0])
            else:
                status, kind, body = HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"GET only\n"
            writer.write(
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(serve, settings.host, settings.port, limit=REQUEST_LIMIT_BYTES)
    except OSError as error:
        # Metrics are no reason not to serve people.
        _log.error("metrics are not served", port=settings.port, error=str(error))
        yield None
        return
    async with server:
        yield settings.port
