"""Protects that nobody gets in who may not: every route is walked, whatever is added later."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from impetus.api.access import SESSION_COOKIE, Open
from impetus.api.resource import ACCESS_KEY, check_declared
from impetus.api.tests.conftest import Api
from impetus.governance import MACHINE_PERMISSIONS
from impetus.model import ConfigurationError, Permission
from impetus.situation.tests.house import PASSWORD, a_datastream, an_alert


def routes(app: FastAPI) -> list[tuple[str, str, str]]:
    """Every (method, path with its parameters filled in, declared access)."""
    found = []
    for route in app.routes:
        assert isinstance(route, APIRoute)
        assert route.openapi_extra is not None
        path = route.path.replace(":path}", "}").replace("{id}", "an-id").replace("{sha256}", "a" * 64)
        path = re.sub(r"\{\w+\}", "a-name", path)
        assert "{" not in path
        found += [(method, path, route.openapi_extra[ACCESS_KEY]) for method in route.methods or ()]
    assert len(found) > 30
    return found


async def test_every_route_refuses_anonymous_callers(api: Api) -> None:
    async with api.client() as client:
        for method, path, access in routes(api.app):
            answer = await client.request(method, f"http://test{path}")
            if access == Open.PUBLIC:
                assert answer.status_code in (200, 415), (method, path)
            else:
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_every_route_refuses_wrong_credentials(api: Api) -> None:
    wrong: list[dict[str, str]] = [
        {"Authorization": "Bearer imp_wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic b2xpdmlhOng="},
        {"Authorization": "Bearer " + "x" * 5_000},
        {"Cookie": f"{SESSION_COOKIE}=wrong"},
        {"Cookie": f"{SESSION_COOKIE}={'x' * 5_000}"},
    ]
    async with api.client() as client:
        for method, path, access in routes(api.app):
            if access != Open.PUBLIC:
                for headers in wrong:
                    answer = await client.request(method, f"http://test{path}", headers=headers)
                    assert answer.status_code == 401, (method, path, headers)


async def test_every_route_refuses_a_caller_without_its_permission(api: Api) -> None:
    for method, path, access in routes(api.app):
        if access in list(Open):
            continue
        machine = await api.machine(*(MACHINE_PERMISSIONS - {Permission(access)}))
        async with machine:
            answer = await machine.request(method, f"http://test{path}")
            assert answer.status_code == 403, (method, path)
            assert access in answer.json()["detail"]


async def test_every_change_with_a_cookie_needs_the_csrf_token(api: Api) -> None:
    people = {name: await api.person(name) for name in ("olivia", "sofia", "ada")}
    for method, path, access in routes(api.app):
        if method == "GET" or access == Open.PUBLIC:
            continue
        for client in people.values():
            for token in ("", "wrong"):
                answer = await client.request(method, f"http://test{path}", headers={"X-CSRF-Token": token}, json={})
                assert answer.status_code == 403, (method, path)
                assert "own page" in answer.json()["detail"]


async def test_nothing_of_another_organisation_is_found(api: Api) -> None:
    alert = an_alert()
    await api.house.situation.alerts.ingest("municipality", [alert])
    async with api.house.store.transaction() as transaction:
        await transaction.datastreams.put("municipality", [a_datastream()])
    await api.house.bus.set_aside("municipality", "test", "a/b", b"x", "a test")
    sha256 = await api.services.evidence.put("municipality", b"evidence")
    olivia, pia = await api.person("olivia"), await api.person("pia")
    incident = (await olivia.post("/incidents", json={"title": "one", "alerts": [alert.id]})).json()
    opened = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "a test"})
    opening = opened.json()["opening"]["id"]
    for path in (
        f"/alerts/{alert.id}",
        f"/incidents/{incident['id']}",
        "/datastreams/traffic-1",
        "/datastreams/traffic-1/observations",
        "/datastreams/traffic-1/expectations",
        f"/evidence/{sha256}?opening={opening}",
    ):
        assert (await olivia.get(path)).status_code == 200, path
        assert (await pia.get(path)).status_code == (403 if "evidence" in path else 404), path
    for path in ("/alerts", "/incidents", "/datastreams", "/decisions"):
        assert (await pia.get(path)).json()["items"] == [], path
    for path, body in (
        (f"/alerts/{alert.id}/decisions", {"action": "confirm", "version": 1}),
        (f"/incidents/{incident['id']}/decisions", {"action": "contain", "version": 1}),
        ("/incidents", {"title": "mine", "alerts": [alert.id]}),
    ):
        assert (await pia.post(path, json=body)).status_code == 404, path
    paul, ada = await api.person("paul"), await api.person("ada")
    (letter,) = (await ada.get("/dead-letters")).json()["items"]
    assert (await paul.get("/dead-letters")).json()["items"] == []
    assert (await paul.post(f"/dead-letters/{letter['id']}/discard", json={"reason": "x"})).status_code == 404
    assert {user["name"] for user in (await paul.get("/users")).json()["items"]} == {"pia", "paul"}
    assert all("municipality" not in str(one) for one in (await paul.get("/audit")).json()["items"])


async def test_a_token_of_a_machine_never_decides(api: Api) -> None:
    alert = an_alert()
    await api.house.situation.alerts.ingest("municipality", [alert])
    async with await api.machine(*MACHINE_PERMISSIONS) as machine:
        answer = await machine.post(f"/alerts/{alert.id}/decisions", json={"action": "confirm", "version": 1})
        assert answer.status_code == 403


async def test_a_personal_token_decides_with_the_persons_name(api: Api) -> None:
    alert = an_alert()
    await api.house.situation.alerts.ingest("municipality", [alert])
    _, secret = await api.house.governance.tokens.create_personal(api.house.person("olivia"), "my script")
    async with api.client(headers={"Authorization": f"Bearer {secret}"}) as client:
        answer = await client.post(f"/alerts/{alert.id}/decisions", json={"action": "confirm", "version": 1})
    assert answer.status_code == 201
    assert answer.json()["decision"]["person_name"] == "Olivia Example"


async def test_a_session_begins_and_ends(api: Api) -> None:
    async with api.client() as client:
        answer = await client.post("/session", json={"name": "olivia", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert answer.json()["user"]["full_name"] == "Olivia Example"
        assert "alerts:decide" in (await client.get("/session")).json()["permissions"]
        csrf = {"X-CSRF-Token": answer.json()["csrf"]}
        kept = client.cookies[SESSION_COOKIE]
        assert (await client.delete("/session", headers=csrf)).status_code == 204
        client.cookies.set(SESSION_COOKIE, kept)
        assert (await client.get("/session")).status_code == 401


async def test_guessing_passwords_is_slowed_down(api: Api) -> None:
    async with api.client() as client:
        answers = [
            await client.post("/session", json={"name": "olivia", "password": f"wrong {number}"})
            for number in range(10)
        ]
        assert {answer.status_code for answer in answers} == {401, 429}
        last = answers[-1]
        assert int(last.headers["retry-after"]) >= 1
        assert last.json()["type"] == "urn:impetus:problem:too-many-attempts"


def test_a_route_that_declares_nobody_stops_the_start() -> None:
    app = FastAPI()

    @app.get("/api/v1/secret")
    async def secret() -> str:
        return "x"

    with pytest.raises(ConfigurationError, match="/api/v1/secret"):
        check_declared(app.routes)

    guardless = FastAPI()
    guardless.add_api_route("/api/v1/x", secret, openapi_extra={ACCESS_KEY: "alerts:read"})
    with pytest.raises(ConfigurationError, match="no guard"):
        check_declared(guardless.routes)


def test_the_description_names_the_permission_of_every_route(api: Api, tmp_path: Path) -> None:
    description = api.app.openapi()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert operation[ACCESS_KEY], (path, method)
            assert operation["description"], (path, method)
    schemas = description["components"]["schemas"]
    assert {"Alert", "ObservationBatch", "AlertDecision", "Problem"} <= set(schemas)
