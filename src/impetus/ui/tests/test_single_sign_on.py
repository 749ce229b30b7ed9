"""Protects the way through an organisation's single sign-on, with a real OpenID provider on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import oidc_provider_mock
import pytest
from oidc_provider_mock import User

from impetus.governance import AccessSettings, Governance, PasswordSettings, installation_principal
from impetus.governance.settings import SingleSignOnSettings
from impetus.model import Conflict, InvalidInput, NotAllowed, Role
from impetus.ui.log_in_pages import SIGN_ON_COOKIE
from impetus.ui.tests.conftest import Ui

PEOPLE: dict[str, dict[str, object]] = {
    "nora": {"preferred_username": "Nora.Vik@city.example", "name": "Nora Vik", "groups": ["soc", "everybody"]},
    "guest": {"preferred_username": "guest", "name": "A Guest", "groups": ["everybody"]},
    "twin": {"preferred_username": "olivia", "name": "Another Olivia", "groups": ["soc"]},
    "nameless": {"groups": ["soc"]},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    people = [User(sub=sub, claims=claims) for sub, claims in PEOPLE.items()]
    with oidc_provider_mock.run_server_in_thread(require_nonce=True, user_claims=people) as server:
        yield f"http://localhost:{server.server_port}"


def open_to(ui: Ui, issuer: str, *, roles: dict[str, Role] | None = None) -> None:
    """Let people of the provider in."""
    secret = ui.services.home / "client-secret"
    secret.write_text("a secret of the client\n")
    settings = SingleSignOnSettings(
        issuer=issuer,
        address="http://localhost",
        organisation="municipality",
        roles=roles or {"leads": Role.SUPERVISOR, "soc": Role.OPERATOR},
        title="With the city's account",
        client_secret_file=secret,
    )
    access = AccessSettings(password=PasswordSettings(memory_kib=8, passes=1), single_sign_on=settings)
    ui.services.governance = Governance(ui.house.store, ui.house.clock, access)


@contextmanager
def at_provider() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=False) as browser:
        yield browser


async def go(browser: httpx.AsyncClient, person: str, *, next: str = "/incidents") -> str:
    """Go to the provider as this person; the address that it sends the browser back to."""
    there = await browser.get("/login/single-sign-on", params={"next": next})
    assert there.status_code == 303, there.text
    with at_provider() as elsewhere:
        back = elsewhere.post(there.headers["location"], data={"sub": person})
    assert back.status_code == 302, back.text
    parts = urlsplit(back.headers["location"])
    return f"{parts.path}?{parts.query}"


async def test_a_person_comes_in_and_goes_where_they_wanted(ui: Ui, issuer: str) -> None:
    open_to(ui, issuer)
    async with ui.browser() as browser:
        assert "With the city&#39;s account" in (await browser.get("/login")).text
        page = await browser.get(await go(browser, "nora"))
        assert page.status_code == 200
        # A strict cookie does not go with a redirect that another site began, so the page itself leads on.
        assert 'http-equiv="refresh" content="0;url=/incidents"' in page.text
        session = (await browser.get("/api/v1/session")).json()
        assert session["user"]["name"] == "nora-vik-city-example"
        assert (session["user"]["full_name"], session["user"]["role"]) == ("Nora Vik", "operator")
        assert SIGN_ON_COOKIE not in browser.cookies
        assert (await browser.get("/incidents")).status_code == 200
    # The second time it is the same account.
    async with ui.browser() as browser:
        await browser.get(await go(browser, "nora"))
        assert (await browser.get("/api/v1/session")).json()["user"]["id"] == session["user"]["id"]


async def test_whoever_may_not_is_told_why(ui: Ui, issuer: str) -> None:
    open_to(ui, issuer)
    for person, words in (
        ("guest", "none of your groups may do anything here"),
        ("twin", "somebody else&#39;s account here has your log-in name"),
        ("nameless", "does not say what you log in with"),
    ):
        async with ui.browser() as browser:
            page = await browser.get(await go(browser, person))
            assert page.status_code == 401
            assert words in page.text
            assert (await browser.get("/api/v1/session")).status_code == 401


async def test_an_old_account_is_joined_by_the_installation_only(ui: Ui, issuer: str) -> None:
    open_to(ui, issuer)
    governance = ui.services.governance
    with pytest.raises(NotAllowed):
        await governance.single_sign_on.join(ui.house.person("ada"), "olivia", "twin")
    with pytest.raises(InvalidInput):
        await governance.single_sign_on.join(installation_principal(), "pia", "twin")
    await governance.single_sign_on.join(installation_principal(), "olivia", "twin")
    with pytest.raises(Conflict):
        await governance.single_sign_on.join(installation_principal(), "omar", "twin")
    async with ui.browser() as browser:
        await browser.get(await go(browser, "twin"))
        assert (await browser.get("/api/v1/session")).json()["user"]["id"] == ui.house.users["olivia"].id


async def test_the_groups_of_today_count(ui: Ui, issuer: str) -> None:
    open_to(ui, issuer, roles={"soc": Role.SUPERVISOR})
    async with ui.browser() as first, ui.browser() as second:
        await first.get(await go(first, "nora"))
        assert (await first.get("/api/v1/session")).json()["user"]["role"] == "supervisor"
        open_to(ui, issuer)
        await second.get(await go(second, "nora"))
        assert (await second.get("/api/v1/session")).json()["user"]["role"] == "operator"
        # What was begun with the former role is over.
        assert (await first.get("/api/v1/session")).status_code == 401
        open_to(ui, issuer, roles={"leads": Role.SUPERVISOR})
        async with ui.browser() as third:
            assert (await third.get(await go(third, "nora"))).status_code == 401
        assert (await second.get("/api/v1/session")).status_code == 401


async def test_somebody_elses_way_back_lets_nobody_in(ui: Ui, issuer: str) -> None:
    """A person must not be made to come in with an attacker's account, nor an attacker with the person's code."""
    open_to(ui, issuer)
    async with ui.browser() as attacker, ui.browser() as person:
        address = await go(attacker, "nora")
        assert (await person.get(address)).status_code == 401
        await go(person, "guest")
        assert (await person.get(address)).status_code == 401
        assert (await person.get("/api/v1/session")).status_code == 401
        state = parse_qs(urlsplit(address).query)["state"][0]
        for wrong in (
            address.replace(state, "x"),
            re.sub("code=[^&]*", "code=wrong", address),
            "/login/single-sign-on/back",
        ):
            assert (await attacker.get(wrong)).status_code == 401


async def test_a_code_is_good_once(ui: Ui, issuer: str) -> None:
    open_to(ui, issuer)
    async with ui.browser() as browser:
        address = await go(browser, "nora")
        taken = browser.cookies[SIGN_ON_COOKIE]
        assert (await browser.get(address)).status_code == 200
        browser.cookies.set(SIGN_ON_COOKIE, taken)
        assert (await browser.get(address)).status_code == 401


async def test_the_way_on_never_leaves_the_house(ui: Ui, issuer: str) -> None:
    open_to(ui, issuer)
    for next in ("https://evil.example/", "//evil.example", "/\\evil.example", "/incidents\r\nX: y"):
        async with ui.browser() as browser:
            page = await browser.get(await go(browser, "nora", next=next))
            assert "evil" not in page.text
            assert 'content="0;url=/start"' in page.text


async def test_a_broken_cookie_is_no_error(ui: Ui, issuer: str) -> None:
    open_to(ui, issuer)
    for cookie in ("", "!", "bm9uc2Vuc2U=", "e30=", "W10=", "bnVsbA==", "x" * 10_000):
        async with ui.browser(cookie=f"{SIGN_ON_COOKIE}={cookie}") as browser:
            assert (await browser.get("/login/single-sign-on/back?code=a&state=b")).status_code == 401


async def test_without_one_there_is_no_button(ui: Ui) -> None:
    async with ui.browser() as browser:
        assert "single-sign-on" not in (await browser.get("/login")).text
        assert (await browser.get("/login/single-sign-on")).status_code == 422
