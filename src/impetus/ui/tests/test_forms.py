"""Protects what people send from the pages: logging in and out, language, dead letters, administration."""

from __future__ import annotations

import pytest

from impetus.situation.tests.house import PASSWORD
from impetus.ui.tests.conftest import Ui
from impetus.ui.tests.reading import read


async def test_logging_in_leads_back_to_where_one_wanted_to_go(ui: Ui) -> None:
    async with ui.browser() as browser:
        asked = await browser.get("/sensors?datastream=a")
        form = read((await browser.get(asked.headers["location"])).text)
        wanted = next(field for field in form.all("input") if field.attributes.get("name") == "next")
        answer = await browser.post(
            "/login", data={"name": "olivia", "password": PASSWORD, "next": wanted.attributes["value"]}
        )
        assert answer.headers["location"] == "/sensors?datastream=a"
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert (await browser.get("/sensors")).status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_logging_in_never_leads_to_another_host(ui: Ui, target: str) -> None:
    async with ui.browser() as browser:
        answer = await browser.post("/login", data={"name": "olivia", "password": PASSWORD, "next": target})
        assert answer.headers["location"] == "/start"
        # An operator ends on the live page, as after any log-in that asked for nothing in particular.
        assert (await browser.get("/start")).headers["location"] == "/"


async def test_a_wrong_password_is_said_in_words_and_the_name_is_kept(ui: Ui) -> None:
    async with ui.browser() as browser:
        answer = await browser.post("/login", data={"name": "olivia", "password": "wrong"})
    assert answer.status_code == 401
    page = read(answer.text)
    assert [element for element in page.elements if element.attributes.get("role") == "alert"]
    assert next(f for f in page.all("input") if f.attributes.get("name") == "name").attributes["value"] == "olivia"
    assert "wrong" not in [field.attributes.get("value") for field in page.all("input")]


async def test_another_site_cannot_log_a_person_in(ui: Ui) -> None:
    async with ui.browser(**{"Sec-Fetch-Site": "cross-site"}) as browser:
        answer = await browser.post("/login", data={"name": "olivia", "password": PASSWORD})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_logging_out_ends_the_session_and_needs_the_token(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        csrf = browser.headers.pop("X-CSRF-Token")
        cookie = browser.cookies["impetus_session"]
        await browser.post("/logout", data={"csrf": "guessed"})
        assert (await browser.get("/")).status_code == 200
        answer = await browser.post("/logout", data={"csrf": csrf})
        assert answer.headers["location"] == "/login"
    async with ui.browser(Cookie=f"impetus_session={cookie}") as thief:
        assert (await thief.get("/")).status_code == 303


async def test_the_language_is_chosen_and_kept(ui: Ui) -> None:
    async with ui.browser(**{"Accept-Language": "nn-NO, en;q=0.5"}) as browser:
        assert 'lang="nb"' in (await browser.get("/login")).text
        answer = await browser.post("/language", data={"language": "it", "back": "/login"})
        assert answer.headers["location"] == "/login"
        page = await browser.get("/login")
    assert 'lang="it"' in page.text
    assert "Accedi" in page.text


async def test_a_dead_letter_goes_with_a_reason_only(ui: Ui) -> None:
    await ui.house.bus.set_aside("municipality", "connector-mqtt", "city/a", b"{", "not JSON")
    async with ui.person("sofia") as browser:
        (letter,) = (await browser.get("/api/v1/dead-letters")).json()["items"]
        refused = await browser.post(f"/dead-letters/{letter['id']}/discard", data={"reason": ""})
        assert refused.status_code == 422
        assert "not JSON" in refused.text
        answer = await browser.post(f"/dead-letters/{letter['id']}/discard", data={"reason": "a broken sensor"})
        assert answer.status_code == 200
        assert "not JSON" not in answer.text


async def test_a_form_without_the_token_changes_nothing(ui: Ui) -> None:
    await ui.house.bus.set_aside("municipality", "connector-mqtt", "city/a", b"{", "not JSON")
    async with ui.person("sofia") as browser:
        (letter,) = (await browser.get("/api/v1/dead-letters")).json()["items"]
        del browser.headers["X-CSRF-Token"]
        answer = await browser.post(f"/dead-letters/{letter['id']}/discard", data={"reason": "forged"})
        assert answer.status_code == 403
        assert (await browser.get("/api/v1/dead-letters")).json()["items"]


async def test_an_administrator_adds_people_and_shuts_them_out(ui: Ui) -> None:
    async with ui.person("ada") as browser:
        form = {"name": "nina", "full_name": "Nina <b>New</b>", "role": "operator", "password": PASSWORD}
        answer = await browser.post("/administration/users", data=form)
        assert answer.status_code == 200
        assert "Nina &lt;b&gt;New&lt;/b&gt;" in answer.text
        users = (await browser.get("/api/v1/users")).json()["items"]
        nina = next(user for user in users if user["name"] == "nina")
        await browser.post(f"/administration/users/{nina['id']}", data={"active": "false"})
    async with ui.browser() as stranger:
        assert (await stranger.post("/login", data={"name": "nina", "password": PASSWORD})).status_code == 401


async def test_a_token_is_shown_once_works_and_is_revoked(ui: Ui) -> None:
    async with ui.person("ada") as browser:
        answer = await browser.post("/administration/tokens", data={"name": "gateway", "scopes": ["tools:read"]})
        assert answer.status_code == 200
        secret = next(text for text in read(answer.text).texts if text.startswith("imp_"))
        assert secret not in (await browser.get("/administration")).text
        async with ui.browser(Authorization=f"Bearer {secret}") as machine:
            assert (await machine.get("/api/v1/tools")).status_code == 200
        (token,) = [t for t in (await browser.get("/api/v1/tokens")).json()["items"] if t["title"] == "gateway"]
        await browser.post(f"/administration/tokens/{token['id']}/revoke")
        async with ui.browser(Authorization=f"Bearer {secret}") as machine:
            assert (await machine.get("/api/v1/tools")).status_code == 401


async def test_what_is_wrong_with_a_form_is_said_beside_it(ui: Ui) -> None:
    async with ui.person("ada") as browser:
        answer = await browser.post("/administration/tokens", data={"name": "gateway"})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


async def test_the_audit_log_is_checked_on_request(ui: Ui) -> None:
    async with ui.person("ada") as browser:
        answer = await browser.post("/audit/verify")
    assert answer.status_code == 200
    assert "The log holds" in answer.text
