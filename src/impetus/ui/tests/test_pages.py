"""Protects who gets which page, and that no page lets hostile text or a foreign script in."""

from __future__ import annotations

import re

import httpx
import pytest

from impetus.api.degraded import Lack, Limitation
from impetus.api.routes import system
from impetus.model import Unavailable
from impetus.situation.tests.house import HOSTILE
from impetus.ui.tests.conftest import Ui
from impetus.ui.tests.reading import read

PAGES = (
    "/",
    "/sensors",
    "/incidents",
    "/notifications",
    "/procedures",
    "/tools",
    "/dead-letters",
    "/audit",
    "/administration",
    "/profile",
)
PARTS = ("/parts/figures", "/parts/status", "/parts/notifications")
OPEN_TO = {
    "olivia": {"/", "/sensors", "/incidents", "/notifications", "/procedures", "/tools", "/profile"},
    "sofia": {"/", "/sensors", "/incidents", "/notifications", "/procedures", "/tools", "/dead-letters", "/profile"},
}


async def incident(browser: httpx.AsyncClient, title: str) -> str:
    answer = await browser.post("/api/v1/incidents", json={"title": title, "summary": title, "alerts": []})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_nobody_gets_a_page_without_logging_in(ui: Ui) -> None:
    async with ui.browser() as browser:
        for path in (*PAGES, *PARTS, "/tools/anomaly", "/incidents/one"):
            answer = await browser.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login")
            from_htmx = await browser.get(path, headers={"HX-Request": "true"})
            assert from_htmx.headers["hx-redirect"] == "/login"


@pytest.mark.parametrize("name", OPEN_TO)
async def test_a_role_gets_its_pages_and_its_navigation_and_no_others(ui: Ui, name: str) -> None:
    async with ui.person(name) as browser:
        for path in PAGES:
            answer = await browser.get(path)
            assert (answer.status_code == 200) == (path in OPEN_TO[name]), (path, answer.status_code)
        links = {element.attributes.get("href") for element in read((await browser.get("/")).text).all("a")}
    assert {path for path in PAGES if path in links and path != "/profile"} == OPEN_TO[name] - {"/profile"}


async def test_whoever_may_not_see_alerts_begins_elsewhere(ui: Ui) -> None:
    async with ui.person("ada") as browser:
        answer = await browser.get("/")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/start"
        begun = await browser.get("/start")
        assert begun.headers["location"] == "/dashboards/administrator"
        assert (await browser.get(begun.headers["location"])).status_code == 200


async def test_every_page_carries_a_strict_policy_and_keeps_to_it(ui: Ui) -> None:
    async with ui.person("sofia") as browser, ui.person("ada") as administrator, ui.browser() as stranger:
        room = await incident(browser, "A happening")
        pages = [
            *[await browser.get(path) for path in (*OPEN_TO["sofia"], *PARTS, "/tools/anomaly", f"/incidents/{room}")],
            *[await administrator.get(path) for path in ("/audit", "/administration")],
            await stranger.get("/login"),
        ]
    nonces = set()
    for answer in pages:
        assert answer.status_code == 200, answer.url
        policy = answer.headers["content-security-policy"]
        found = re.search(r"script-src 'self' 'nonce-([^']+)';", policy)
        assert found, policy
        nonces.add(found.group(1))
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        page = read(answer.text)
        for element in page.elements:
            assert "style" not in element.attributes, (answer.url, element)
            assert not [name for name in element.attributes if name.startswith(("on", "hx-on"))], (answer.url, element)
        for script in page.all("script"):
            assert script.attributes.get("nonce") == found.group(1), (answer.url, script)
        for element in page.elements:
            for name in ("src", "href", "action"):
                assert not element.attributes.get(name, "").startswith(("http:", "https:", "//", "javascript:"))
    assert len(nonces) == len(pages), "a nonce was used twice"


async def test_the_citys_own_tiles_are_allowed_and_nothing_else(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        policy = (await browser.get("/")).headers["content-security-policy"]
    assert "img-src 'self' data: https://*.tiles.example.org;" in policy


async def test_hostile_text_is_shown_as_text(ui: Ui) -> None:
    await ui.house.bus.set_aside("municipality", "connector-mqtt", "city/a", HOSTILE.encode(), HOSTILE[:80])
    title = HOSTILE.replace("\u0000", "").replace("\n", " ")
    async with ui.person("sofia") as browser:
        room = await incident(browser, title)
        for path in (f"/incidents/{room}", "/dead-letters"):
            answer = await browser.get(path)
            assert answer.status_code == 200
            assert "<script>alert" not in answer.text
            assert "\u202e" not in answer.text
            page = read(answer.text)
            assert "<script>alert('x')</script>‹U+202E›" in page.text


async def test_an_incident_that_is_not_there_is_said_to_be_so(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        answer = await browser.get("/incidents/none")
    assert answer.status_code == 404
    assert read(answer.text).all("nav")


async def test_an_incident_of_another_organisation_is_not_there(ui: Ui) -> None:
    async with ui.person("olivia") as browser, ui.person("pia") as police:
        room = await incident(browser, "Ours alone")
        answer = await police.get(f"/incidents/{room}")
    assert answer.status_code == 404
    assert "Ours alone" not in answer.text


async def test_the_page_tells_its_scripts_who_is_there_and_nothing_secret(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        html = (await browser.get("/")).text
        session = browser.cookies["impetus_session"]
    assert '"name": "olivia"' in html
    assert session not in html


async def test_files_are_kept_for_ever_under_an_address_of_their_content(ui: Ui) -> None:
    async with ui.browser() as browser:
        page = read((await browser.get("/login")).text)
        sheets = [link.attributes["href"] for link in page.all("link") if link.attributes["rel"] == "stylesheet"]
        assert sheets
        for sheet in sheets:
            answer = await browser.get(sheet)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
        assert (await browser.get(sheets[0].rsplit("/", 1)[0] + "/../../../pages.py")).status_code == 404


async def test_what_does_not_work_is_said_in_words(ui: Ui, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of lack has its sentences, and without a database there is a page that says what goes on."""
    found = [Limitation(lack=lack, part="air", value=2.0, text="it hangs") for lack in Lack]
    monkeypatch.setattr(system, "limitations", lambda **_: found)
    async with ui.person("olivia") as browser:
        board = (await browser.get("/parts/status")).text
        for lack in Lack:
            assert f'data-lack="{lack.value}"' in board
        said = re.findall(r'data-lack="[^"]+"><b>([^<]+)</b>[^<]*<br>([^<]+)<', board)
        assert len(set(said)) == len(Lack)

        async def away(*_: object, **__: object) -> None:
            raise Unavailable("the database does not answer")

        monkeypatch.setattr(ui.services.governance.sessions, "authenticate", away)
        page = await browser.get("/incidents")
        assert page.status_code == 503
        assert "Go on by radio and telephone" in page.text
        part = await browser.get("/parts/status", headers={"HX-Request": "true"})
        # What is on the screen stays there, and nobody is sent to the log-in page.
        assert part.status_code == 204
        assert "HX-Redirect" not in part.headers
