"""Protects the live stream over a real socket: nothing missed, nothing doubled, nobody else's, and nobody too long."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from impetus.api.broadcast import Topic
from impetus.api.services import running
from impetus.api.tests.conftest import Api
from impetus.model import (
    Alert,
    AlertAction,
    Health,
    HealthState,
    Observation,
    ObservationBatch,
    Permission,
    Place,
    Point,
)
from impetus.situation.decisions import AlertDecision, NewIncident
from impetus.situation.runtime import publish_health
from impetus.situation.tests.house import PASSWORD, an_alert, eventually


@dataclass(frozen=True)
class Event:
    """One event as a browser sees it."""

    name: str
    id: int | None
    data: Any


class Listener:
    """Reads a stream in the background."""

    def __init__(self, client: httpx.AsyncClient, query: str, headers: dict[str, str] | None = None) -> None:
        self.events: list[Event] = []
        self.status = 0
        self.ended = False
        self._client = client
        self._query = query
        self._headers = headers or {}
        self._task = asyncio.create_task(self._read())

    def of(self, *names: str) -> list[Event]:
        """The events of these names so far."""
        return [event for event in self.events if event.name in names]

    async def heard(self, name: str, count: int) -> list[Event]:
        """Wait until so many events of a name have come; these events."""
        await eventually(lambda: len(self.of(name)) >= count)
        return self.of(name)

    async def close(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        path = f"/stream?{self._query}"
        async with self._client.stream("GET", path, headers=self._headers, timeout=60) as answer:
            self.status = answer.status_code
            name, id, data = "", None, ""
            async for line in answer.aiter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    id = int(value)
                elif field == "data":
                    data = value
                elif not line and data:
                    self.events.append(Event(name, id, json.loads(data)))
                    name, id, data = "", None, ""
        self.ended = True


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[str]:
    """The application on a real socket, with everything running in the background; its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(api.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        async with running(api.services):
            task = asyncio.create_task(server.serve(sockets=[listening]))
            await eventually(lambda: server.started)
            try:
                yield f"http://127.0.0.1:{port}/api/v1"
            finally:
                api.services.broadcaster.close()
                server.should_exit = True
                await task


@asynccontextmanager
async def logged_in(address: str, name: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with this person's session."""
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/session", json={"name": name, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        yield client


def some_alerts(count: int, *, first: int = 0) -> list[Alert]:
    """Alerts with one event each: each has a source of its own, so it repeats none, and is far from the others, so that
    nothing puts it into a candidate."""
    return [
        an_alert(
            source=f"traffic-{number}",
            headline=f"number {number}\nline two",
            place=Place(geometry=Point(coordinates=(8.0 + number / 2, 58.1))),
        )
        for number in range(first, first + count)
    ]


async def test_an_alert_and_a_decision_reach_the_own_organisation_only(api: Api) -> None:
    alert, theirs = an_alert(), an_alert()
    async with served(api) as address, logged_in(address, "olivia") as olivia, logged_in(address, "pia") as pia:
        mine, other = Listener(olivia, "topics=alerts,incidents"), Listener(pia, "topics=alerts,incidents")
        await eventually(lambda: api.services.broadcaster.clients == 2)
        await api.house.situation.alerts.ingest("municipality", [alert])
        await api.house.situation.alerts.ingest("police", [theirs])
        await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "confirm", "version": 1})
        await olivia.post("/incidents", json={"title": "one", "alerts": [alert.id]})
        await eventually(lambda: mine.of("incident"))
        await eventually(lambda: other.of("alert"))
        assert [(one.data["id"], one.data["state"], one.data["version"]) for one in mine.of("alert")] == [
            (alert.id, "new", 1),
            (alert.id, "confirmed", 2),
            (alert.id, "confirmed", 3),
        ]
        assert mine.of("assessment")[0].data["action"] == "confirm"
        assert {one.data["id"] for one in other.events} == {theirs.id}
        ids = [one.id for one in mine.events if one.id is not None]
        assert ids == sorted(set(ids))
        await mine.close()
        await other.close()
        await eventually(lambda: api.services.broadcaster.clients == 0)


async def test_a_client_that_comes_back_gets_exactly_what_it_missed(api: Api) -> None:
    alerts = some_alerts(40)
    async with served(api) as address, logged_in(address, "olivia") as olivia:
        listener = Listener(olivia, "topics=alerts")
        await eventually(lambda: api.services.broadcaster.clients == 1)
        await api.house.situation.alerts.ingest("municipality", alerts[:10])
        await eventually(lambda: len(listener.of("alert")) == 10)
        await listener.close()
        last = listener.of("alert")[4].id
        await api.house.situation.alerts.ingest("municipality", alerts[10:30])
        for again in (
            Listener(olivia, "topics=alerts", {"Last-Event-ID": str(last)}),
            Listener(olivia, f"topics=alerts&after={last}"),
            Listener(olivia, f"topics=alerts&last_event_id={last}"),
            Listener(olivia, "topics=alerts&after=0", {"Last-Event-ID": str(last)}),
        ):
            await again.heard("alert", 25)
            assert [one.data["id"] for one in again.of("alert")] == [alert.id for alert in alerts[5:30]]
            assert not again.of("reset")
            await again.close()


async def test_a_client_resumes_after_the_server_was_started_anew(api: Api) -> None:
    alerts = some_alerts(6)
    async with served(api) as address, logged_in(address, "olivia") as olivia:
        listener = Listener(olivia, "topics=alerts")
        await eventually(lambda: api.services.broadcaster.clients == 1)
        await api.house.situation.alerts.ingest("municipality", alerts[:3])
        await eventually(lambda: len(listener.of("alert")) == 3)
        last = listener.of("alert")[-1].id
        await listener.close()
        cookies = dict(olivia.cookies)
    await api.house.situation.alerts.ingest("municipality", alerts[3:])
    api.services.__post_init__()
    async with served(api) as address, httpx.AsyncClient(base_url=address, cookies=cookies) as olivia:
        again = Listener(olivia, f"topics=alerts&after={last}")
        await eventually(lambda: len(again.of("alert")) == 3)
        assert [one.data["id"] for one in again.of("alert")] == [alert.id for alert in alerts[3:]]
        await again.close()


async def test_a_client_that_was_away_too_long_or_reads_too_slowly_is_told_to_reload(api: Api) -> None:
    api.services.settings = api.services.settings.model_copy(
        update={"stream": api.services.settings.stream.model_copy(update={"kept_events": 10, "client_queue": 12})}
    )
    api.services.__post_init__()
    async with served(api) as address, logged_in(address, "olivia") as olivia:
        await api.house.situation.alerts.ingest("municipality", some_alerts(30))
        broadcaster = api.services.broadcaster
        await eventually(lambda: broadcaster.position >= 30)
        for headers in ({"Last-Event-ID": "1"}, {"Last-Event-ID": "99999999"}, {"Last-Event-ID": "nonsense"}):
            listener = Listener(olivia, "topics=alerts", headers)
            (reset,) = await listener.heard("reset", 1)
            assert reset.data["position"] == reset.id
            await listener.close()
        slow = broadcaster.attach("municipality", frozenset({Topic.ALERTS}), None)
        await api.house.situation.alerts.ingest("municipality", some_alerts(40, first=30))
        await eventually(lambda: b"event: reset" in b"".join(slow._waiting))
        broadcaster.detach(slow)


async def test_readings_and_health_arrive(api: Api) -> None:
    async with served(api) as address, logged_in(address, "olivia") as olivia:
        listener = Listener(olivia, "topics=readings,health")
        await eventually(lambda: api.services.broadcaster.clients == 1)
        now = api.house.clock.now()
        api.house.situation.readings.latest.add(
            "municipality", ObservationBatch.of([Observation(datastream="traffic-1", time=now, value=4.5)])
        )
        api.house.situation.readings.latest.add(
            "police", ObservationBatch.of([Observation(datastream="theirs", time=now, value=1.0)])
        )
        await publish_health(
            api.house.bus, Health(part="worker-anomaly", state=HealthState.DEGRADED, text="slow", time=now)
        )
        (readings,) = await eventually(lambda: listener.of("readings"))
        assert readings.data == {"traffic-1": [int(now.timestamp() * 1_000), 4.5]}
        await eventually(lambda: [one for one in listener.of("health") if one.data["part"] == "worker-anomaly"])
        ping = await eventually(lambda: listener.of("ping"))
        assert ping[0].id is not None
        await listener.close()


async def test_topics_that_the_caller_may_not_read_are_refused(api: Api) -> None:
    dora = await api.person("dora")
    assert (await dora.get("/stream?topics=alerts")).status_code == 403
    assert (await dora.get("/stream?topics=health,incidents")).status_code == 403
    assert (await dora.get("/stream?topics=nonsense")).status_code == 422
    assert (await dora.get("/stream?topics=")).status_code == 422
    async with await api.machine(Permission.INCIDENTS_READ) as machine:
        assert (await machine.get("/stream")).status_code == 403


async def test_an_assessment_of_an_incident_does_not_reach_who_may_read_alerts_only(api: Api) -> None:
    alert = an_alert()
    situation = api.house.situation
    async with served(api) as address:
        _, secret = await api.house.governance.tokens.create_machine(
            api.house.person("ada"), "alerts only", [Permission.ALERTS_READ]
        )
        async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {secret}"}) as machine:
            listener = Listener(machine, "topics=alerts")
            await eventually(lambda: api.services.broadcaster.clients == 1)
            await situation.incidents.create(api.house.person("olivia"), NewIncident(title="hidden"))
            await situation.alerts.ingest("municipality", [alert])
            await situation.alerts.decide(
                api.house.person("olivia"), alert.id, AlertDecision(action=AlertAction.CONFIRM, version=1)
            )
            await eventually(lambda: listener.of("assessment"))
            assert [one.data["subject_kind"] for one in listener.of("assessment")] == ["alert"]
            assert not listener.of("incident")
            await listener.close()


@pytest.mark.parametrize("how", ["log out", "shut out", "revoke"])
async def test_a_stream_ends_soon_after_its_session_or_token(api: Api, how: str) -> None:
    async with served(api) as address, logged_in(address, "olivia") as olivia:
        client = olivia
        token, secret = await api.house.governance.tokens.create_personal(api.house.person("olivia"), "mine")
        if how == "revoke":
            client = httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {secret}"})
        listener = Listener(client, "topics=alerts")
        await eventually(lambda: api.services.broadcaster.clients == 1)
        await asyncio.sleep(0.3)
        assert not listener.ended
        if how == "log out":
            assert (await olivia.delete("/session")).status_code == 204
        elif how == "shut out":
            olivia_user = api.house.users["olivia"]
            await api.house.governance.accounts.set_active(
                api.house.person("ada"), "municipality", olivia_user.id, False
            )
        else:
            await api.house.governance.tokens.revoke(api.house.person("olivia"), token.id)
        await eventually(lambda: listener.ended)
        assert api.services.broadcaster.clients == 0
        if client is not olivia:
            await client.aclose()


async def test_fifty_clients_get_every_event_in_order(api: Api) -> None:
    alerts = some_alerts(100)
    async with served(api) as address, logged_in(address, "olivia") as olivia:
        cookies = dict(olivia.cookies)
        limits = httpx.Limits(max_connections=60)
        async with httpx.AsyncClient(base_url=address, cookies=cookies, limits=limits) as many:
            listeners = [Listener(many, "topics=alerts") for _ in range(50)]
            await eventually(lambda: api.services.broadcaster.clients == 50)
            await api.house.situation.alerts.ingest("municipality", alerts)
            await eventually(lambda: all(len(one.of("alert")) == 100 for one in listeners), seconds=60)
            expected = [alert.id for alert in alerts]
            assert all([event.data["id"] for event in one.of("alert")] == expected for one in listeners)
            await asyncio.gather(*(one.close() for one in listeners))
