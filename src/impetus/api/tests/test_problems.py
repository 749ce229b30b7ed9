"""Protects what goes wrong on the wire: always a problem with a hint, never a word about the inside, never a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from impetus.api.problem import MEDIA_TYPE
from impetus.api.tests.conftest import Api
from impetus.api.transport import Transport
from impetus.model import Permission, Unavailable
from impetus.situation.tests.house import HOSTILE, a_datastream, an_alert


def check(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """The problem, after checking its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem: dict[str, object] = answer.json()
    assert problem["type"] == f"urn:impetus:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in answer.text
    assert "site-packages" not in answer.text
    return problem


async def test_who_goes_away_while_asking_is_no_fault() -> None:
    """A browser that gives up in the middle of a request is answered nothing, and no fault is written down."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "path": "/api/v1/alerts", "method": "POST", "headers": []}
    with structlog.testing.capture_logs() as logs:
        await Transport(app, 1_000, {})(scope, receive, send)
    assert sent == []
    assert logs == []


async def test_addresses_and_methods_that_do_not_exist(api: Api) -> None:
    async with api.client() as client:
        check(await client.get("/nothing"), 404, "not-found")
        answer = await client.put("/health")
        check(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "GET"


async def test_query_parameters_are_bounded_and_a_misspelt_one_is_noticed(api: Api) -> None:
    olivia = await api.person("olivia")
    for query in (
        "limit=0",
        "limit=1001",
        "limit=x",
        "stat=new",
        "state=open",
        "order=best",
        "after=%00",
        "after=" + "x" * 2_000,
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "q=" + "x" * 201,
        "tool=" + "&tool=".join(["a"] * 51),
    ):
        check(await olivia.get(f"/alerts?{query}"), 422, "invalid-input")
    check(await olivia.get("/alerts/%20bad%20id"), 422, "invalid-input")
    check(await olivia.get("/datastreams/" + "x" * 200), 422, "invalid-input")
    check(await olivia.get("/evidence/" + "A" * 64), 422, "invalid-input")


async def test_a_broken_body_says_which_field_is_wrong_without_repeating_it(api: Api) -> None:
    olivia = await api.person("olivia")
    for content in (b"", b"{", b"null", b"[]", b'{"action":NaN}', b"\xff\xfe", b'{"action":"\\ud800"}', b"[" * 10_000):
        check(
            await olivia.post("/alerts/x/decisions", content=content, headers={"Content-Type": "application/json"}),
            422,
            "invalid-input",
        )
    answer = await olivia.post("/alerts/x/decisions", json={"action": "explode", "version": 1, "secret": "s3cret"})
    problem = check(answer, 422, "invalid-input")
    assert isinstance(problem["errors"], list)
    assert {one["field"] for one in problem["errors"]} == {"body.action", "body.secret"}
    assert "s3cret" not in answer.text
    check(await olivia.post("/alerts/x/decisions", content=b"{}"), 415, "media-type")
    form = await olivia.post("/session", data={"name": "olivia", "password": "x"})
    check(form, 415, "media-type")


async def test_bodies_are_limited_while_they_are_read(api: Api) -> None:
    olivia = await api.person("olivia")
    check(await olivia.post("/incidents", json={"title": "x" * 2_000_000}), 413, "too-large")

    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 65_536
            yield b" " * 65_536

    answer = await olivia.post("/incidents", content=endless(), headers={"Content-Type": "application/json"})
    check(answer, 413, "too-large")
    async with await api.machine(Permission.OBSERVATIONS_WRITE) as machine:
        json = {"Content-Type": "application/json"}
        check(await machine.post("/observations", content=b" " * (2 * 1024 * 1024), headers=json), 422, "invalid-input")
        check(await machine.post("/observations", content=b" " * (9 * 1024 * 1024), headers=json), 413, "too-large")
    async with api.client() as client:
        for length in ("-1", "x", "9" * 30):
            answer = await client.post("/session", content=b"{}", headers={"Content-Length": length})
            check(answer, 413, "too-large")


async def test_a_fault_inside_tells_a_reference_and_nothing_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    olivia = await api.person("olivia")

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(api.services.situation.alerts, "list", fail)
    answer = await olivia.get("/alerts")
    problem = check(answer, 500, "internal")
    assert "secret" not in answer.text
    assert str(problem["reference"]) in str(problem["hint"])


async def test_a_store_without_room_is_told_plainly(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    olivia = await api.person("olivia")

    async def full(*_: object, **__: object) -> None:
        raise Unavailable("there is no room left on the disk", hint="Free some space.")

    monkeypatch.setattr(api.services.situation.alerts, "decide", full)
    answer = await olivia.post("/alerts/x/decisions", json={"action": "confirm", "version": 1})
    problem = check(answer, 503, "unavailable")
    assert problem["hint"] == "Free some space."
    assert answer.headers["retry-after"] == "5"


async def test_a_conflict_says_where_the_alert_stands_and_who_was_first(api: Api) -> None:
    alert = an_alert()
    await api.house.situation.alerts.ingest("municipality", [alert])
    olivia, omar = await api.person("olivia"), await api.person("omar")
    await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "confirm", "version": 1})
    answer = await omar.post(f"/alerts/{alert.id}/decisions", json={"action": "dismiss", "reason": "x", "version": 1})
    problem = check(answer, 409, "conflict")
    assert problem["current"] == {"state": "confirmed", "version": 2, "handled_by": "Olivia Example"}
    answer = await omar.post(f"/alerts/{alert.id}/decisions", json={"action": "acknowledge", "version": 2})
    assert "reopen" in str(check(answer, 409, "conflict")["hint"])


async def test_hostile_text_comes_back_as_the_same_text_in_json(api: Api) -> None:
    alert = an_alert(headline=HOSTILE, description=HOSTILE, instruction=HOSTILE)
    alert = alert.model_copy(update={"place": alert.place and alert.place.model_copy(update={"name": HOSTILE.strip()})})
    await api.house.situation.alerts.ingest("municipality", [alert])
    async with api.house.store.transaction() as transaction:
        await transaction.datastreams.put("municipality", [a_datastream(name=HOSTILE, thing=HOSTILE)])
    sofia = await api.person("sofia")
    decided = await sofia.post(
        f"/alerts/{alert.id}/decisions", json={"action": "dismiss", "reason": HOSTILE, "version": 1}
    )
    assert decided.json()["decision"]["reason"] == HOSTILE
    shown = (await sofia.get(f"/alerts/{alert.id}")).json()
    assert shown["headline"] == alert.headline
    assert shown["description"] == HOSTILE
    assert shown["place"]["name"] == HOSTILE.strip()
    assert shown["history"][0]["reason"] == HOSTILE
    sensor = (await sofia.get("/datastreams/traffic-1")).json()
    assert sensor["name"] == HOSTILE.strip()
    opened = (await sofia.post("/incidents", json={"title": HOSTILE, "summary": HOSTILE})).json()
    assert opened["title"] == HOSTILE.strip()
    noted = await sofia.post(
        f"/incidents/{opened['id']}/decisions", json={"action": "note", "reason": HOSTILE, "version": 1}
    )
    assert noted.status_code == 201
    room = await sofia.get(f"/incidents/{opened['id']}")
    assert room.json()["timeline"][-1]["decision"]["reason"] == HOSTILE
    assert room.headers["content-type"] == "application/json"
    assert "sandbox" in room.headers["content-security-policy"]
    await api.house.bus.set_aside("municipality", "test", HOSTILE, HOSTILE.encode(), HOSTILE)
    (letter,) = (await sofia.get("/dead-letters")).json()["items"]
    assert (letter["reason"], letter["body"]) == (HOSTILE, HOSTILE)
    for text in (HOSTILE, "%", "_", "\\", "*"):
        found = (await sofia.get("/alerts", params={"q": text})).json()["items"]
        assert [one["id"] for one in found] == ([alert.id] if text in HOSTILE else [])


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
async def test_no_body_of_any_bytes_is_a_fault_inside(api: Api, content: bytes) -> None:
    olivia = await api.person("olivia")
    for path in ("/alerts/x/decisions", "/incidents", "/session"):
        answer = await olivia.post(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in (401, 422, 429), answer.text
