"""Protects against the usual attacks on log-ins and addresses: fixation, brute force, forged addresses, ways out of a
folder, documents that read files. That every change needs the CSRF token, `test_access` walks all routes for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from impetus.api.access import SESSION_COOKIE
from impetus.api.tests.conftest import Api
from impetus.model import Permission
from impetus.situation.tests.house import PASSWORD

FREE = 5
"""Failed log-ins with one name before the next has to wait; as the settings have it."""


async def test_a_session_that_was_planted_is_not_taken_over(api: Api) -> None:
    """Session fixation: what an attacker put into the browser before the log-in opens nothing after it."""
    planted = "x" * 43
    async with api.client(cookies={SESSION_COOKIE: planted}) as victim, api.client() as attacker:
        answer = await victim.post("/session", json={"name": "olivia", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert planted not in cookie
        for part in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert part in cookie
        attacker.cookies.set(SESSION_COOKIE, planted)
        assert (await attacker.get("/session")).status_code == 401


async def test_a_session_of_another_person_is_not_gone_on_with(api: Api) -> None:
    """Who logs in again, as somebody else or not, gets a secret and a CSRF token of their own."""
    client = await api.person("olivia")
    before = client.cookies[SESSION_COOKIE], client.headers["X-CSRF-Token"]
    answer = await client.post("/session", json={"name": "omar", "password": PASSWORD})
    assert client.cookies[SESSION_COOKIE] != before[0]
    assert answer.json()["csrf"] != before[1]
    # The CSRF token of the one session is none of the other's.
    assert (await client.delete("/session")).status_code == 403


async def test_a_session_is_over_after_logging_out(api: Api) -> None:
    client = await api.person("olivia")
    stolen = client.cookies[SESSION_COOKIE]
    assert (await client.delete("/session")).status_code == 204
    async with api.client(cookies={SESSION_COOKIE: stolen}) as thief:
        assert (await thief.get("/session")).status_code == 401


async def test_guessing_slows_down_whatever_the_client_says_of_its_address(api: Api) -> None:
    """Headers that only a trusted proxy may set do not give an attacker a new address each time."""
    async with api.client() as attacker:
        answers = []
        for attempt in range(FREE + 3):
            forged = {"X-Forwarded-For": f"198.51.100.{attempt}", "Forwarded": f"for=198.51.100.{attempt}"}
            guess = {"name": "olivia", "password": "guess"}
            answers.append(await attacker.post("/session", json=guess, headers=forged))
        assert [answer.status_code for answer in answers] == [401] * FREE + [429] * 3
        assert int(answers[-1].headers["retry-after"]) > 0
        # Not even the right password is tried meanwhile, so that nothing is learned from the answer.
        right = await attacker.post("/session", json={"name": "olivia", "password": PASSWORD})
        assert right.status_code == 429
    async with api.client() as other:
        assert (await other.post("/session", json={"name": "omar", "password": PASSWORD})).status_code == 200


async def test_guessing_many_names_from_one_address_slows_down(api: Api) -> None:
    """Password spraying: one guess for each of many names."""
    async with api.client() as attacker:
        statuses = {
            (await attacker.post("/session", json={"name": f"name-{number}", "password": "guess"})).status_code
            for number in range(25)
        }
        assert statuses == {401, 429}


async def test_no_address_leads_out_of_a_folder(api: Api) -> None:
    """Path traversal, in each way that it is written, at each route that names a file."""
    person = await api.person("ada")
    secret = api.services.home / "secrets.txt"
    secret.write_text("the-secret-of-the-house")
    ways = (
        "../secrets.txt",
        "..%2fsecrets.txt",
        "..%252fsecrets.txt",
        "....//secrets.txt",
        "..%5csecrets.txt",
        "%2e%2e/%2e%2e/secrets.txt",
        "..%c0%afsecrets.txt",
        f"%2f{secret}",
        "file:%2f%2f%2fetc%2fpasswd",
        "secrets.txt%00.png",
    )
    for folder in ("evidence", "incidents", "tools", "scenarios", "dashboards", "procedures", "tools/anomaly/results"):
        for way in ways:
            # httpx would tidy the path up before it is sent.
            answer = await person.get(httpx.URL("http://test").copy_with(raw_path=f"/api/v1/{folder}/{way}".encode()))
            assert answer.status_code in (400, 403, 404, 405, 422), (folder, way, answer.status_code)
            assert "the-secret-of-the-house" not in answer.text
            assert "root:" not in answer.text


ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    '<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">'
    + "".join(f'<!ENTITY x{n} "{f"&x{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]><a>&x9;</a>",
    "<a>" * 50_000,
    '<?xml version="1.0" encoding="utf-7"?><a/>',
)
"""A file of the machine, an address to fetch, a billion laughs, a tower, an encoding that nobody asked for."""


@pytest.mark.parametrize("document", ENTITIES, ids=("file", "address", "laughs", "tower", "encoding"))
async def test_a_document_that_is_sent_reads_no_file_and_fetches_nothing(api: Api, document: str) -> None:
    machine, person = await api.machine(Permission.ALERTS_WRITE), await api.person("ada")
    cap = await machine.post("/cap", content=document.encode(), headers={"Content-Type": "application/cap+xml"})
    bpmn = await person.post("/procedures", json={"content": document})
    for answer in (cap, bpmn):
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert "root:" not in answer.text
        assert len(answer.text) < 2_000


async def test_a_body_is_bounded_whatever_its_length_is_said_to_be(api: Api) -> None:
    machine = await api.machine(Permission.ALERTS_WRITE)
    limit = api.services.settings.body_limit_bytes

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(limit // 65_536 + 2):
            yield b" " * 65_536

    for headers in ({"Content-Length": str(10 * limit)}, {"Content-Length": "-1"}, {"Content-Length": "9" * 400}):
        answer = await machine.post("/alerts", content=b"{}", headers={"Content-Type": "application/json", **headers})
        assert answer.status_code in (400, 413), headers
    answer = await machine.post("/alerts", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    for media in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        answer = await machine.post("/alerts", content=b"{}", headers={"Content-Type": media})
        assert answer.status_code == 415, media


async def test_what_is_sent_does_not_become_a_header(api: Api) -> None:
    """Response splitting by what is asked for."""
    person = await api.person("olivia")
    for text in ("a%0d%0aSet-Cookie:%20x=y", "a%0aX-Injected:%20yes"):
        answer = await person.get(httpx.URL("http://test").copy_with(raw_path=f"/api/v1/alerts/{text}".encode()))
        assert answer.status_code in (404, 422)
        assert "set-cookie" not in answer.headers
        assert "x-injected" not in answer.headers
