"""Protects that a person sets up a second factor and changes the own password by the pages alone, without a script."""

from __future__ import annotations

import re

import httpx
import pyotp

from impetus.governance import AccessSettings, Governance, PasswordSettings
from impetus.model import Role
from impetus.situation.tests.house import PASSWORD
from impetus.ui.tests.conftest import Ui

NEW = "a meadow of nine blue cows"


async def set_up(browser: httpx.AsyncClient) -> str:
    """Set up a second factor by the forms; its secret."""
    begun = await browser.post("/profile/second-factor", data={"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    found = re.search(r'<dd class="mono">([A-Z2-7]{32})</dd>', begun.text)
    assert found
    assert 'src="data:image/svg+xml' in begun.text
    confirmed = await browser.post("/profile/second-factor/confirm", data={"code": pyotp.TOTP(found[1]).now()})
    assert confirmed.status_code == 200, confirmed.text
    assert len(re.findall(r"(?m)^(?:[0-9a-f]{4}-){3}[0-9a-f]{4}", confirmed.text.replace('tabindex="0">', "\n"))) == 10
    return found[1]


async def log_in(browser: httpx.AsyncClient, name: str, code: str = "", password: str = PASSWORD) -> httpx.Response:
    return await browser.post("/login", data={"name": name, "password": password, "code": code})


async def test_a_second_factor_is_set_up_used_and_taken_away(ui: Ui) -> None:
    async with ui.person("olivia") as browser, ui.browser() as other:
        assert "not set up" in (await browser.get("/profile")).text
        wrong = await browser.post("/profile/second-factor", data={"password": "wrong"})
        assert wrong.status_code == 403
        assert "present password is wrong" in wrong.text
        secret = await set_up(browser)
        refused = await log_in(other, "olivia")
        assert refused.status_code == 401
        assert "a code from your app is needed as well" in refused.text
        # The code of the next step, since this one's was used to set it up.
        later = pyotp.TOTP(secret).generate_otp(int(ui.house.clock.now().timestamp()) // 30 + 1)
        assert (await log_in(other, "olivia", later)).status_code == 303
        profile = (await other.get("/profile")).text
        assert "Recovery codes left: 10" in profile
        assert secret not in profile
        assert (await browser.post("/profile/second-factor/remove", data={"password": PASSWORD})).status_code == 200
    async with ui.browser() as again:
        assert (await log_in(again, "olivia")).status_code == 303


async def test_an_administrator_sees_and_takes_away_a_lost_one(ui: Ui) -> None:
    async with ui.person("omar") as omar, ui.person("ada") as ada:
        await set_up(omar)
        page = (await ada.get("/administration")).text
        address = re.search(r'hx-post="(/administration/users/[^"]+/second-factor)"', page)
        assert address
        assert (await ada.post(address[1])).status_code == 200
        # The session of whoever has the telephone now is over.
        assert (await omar.get("/api/v1/session")).status_code == 401
        assert (await log_in(omar, "omar")).status_code == 303


async def test_a_role_that_must_have_one_is_led_to_it(ui: Ui) -> None:
    access = AccessSettings(password=PasswordSettings(memory_kib=8, passes=1), second_factor_roles=(Role.OPERATOR,))
    ui.services.governance = Governance(ui.house.store, ui.house.clock, access)
    async with ui.person("olivia") as browser:
        for path in ("/", "/incidents", "/tools", "/start"):
            led = await browser.get(path)
            assert (led.status_code, led.headers["location"]) == (303, "/profile"), path
        assert (await browser.get("/parts/status", headers={"HX-Request": "true"})).headers["HX-Redirect"] == "/profile"
        assert (await browser.get("/api/v1/alerts")).status_code == 403
        assert "Your role must have a second factor" in (await browser.get("/profile")).text
        await set_up(browser)
        assert (await browser.get("/incidents")).status_code == 200
        assert (await browser.get("/api/v1/alerts")).status_code == 200


async def test_ones_own_password_is_changed(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        short = await browser.post("/profile/password", data={"old": PASSWORD, "new": "short"})
        assert short.status_code == 422
        assert "shorter than" in short.text
        changed = await browser.post(
            "/profile/password", data={"old": PASSWORD, "new": NEW}, headers={"HX-Request": "true"}
        )
        assert changed.headers["HX-Redirect"] == "/login"
        assert (await browser.get("/api/v1/session")).status_code == 401
        assert (await log_in(browser, "olivia")).status_code == 401
        assert (await log_in(browser, "olivia", password=NEW)).status_code == 303


async def test_a_token_is_replaced_in_the_page(ui: Ui) -> None:
    async with ui.person("ada") as ada:
        made = await ada.post("/administration/tokens", data={"name": "Gateway", "scopes": ["alerts:write"]})
        address = re.search(r'hx-post="(/administration/tokens/[^"]+/rotate)"', made.text)
        assert address
        replaced = (await ada.post(address[1])).text
        assert len(set(re.findall(r"imp_[\w-]{43}", made.text + replaced))) == 2
        assert "until " in replaced


async def test_another_site_cannot_send_these_forms(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        del browser.headers["X-CSRF-Token"]
        for path in ("/profile/second-factor", "/profile/second-factor/remove", "/profile/password"):
            answer = await browser.post(path, data={"password": PASSWORD, "old": PASSWORD, "new": NEW})
            assert answer.status_code == 403
        assert (await log_in(browser, "olivia")).status_code == 303
