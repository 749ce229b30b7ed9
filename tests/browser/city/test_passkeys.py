"""Protects that a person makes a passkey in the browser and comes in with it: alone, and after the password."""

from __future__ import annotations

import secrets
from contextlib import closing

from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.installation import Installation

PASSWORD = "a meadow of nine blue cows"


def new_person(demo: Installation) -> str:
    """The log-in name of somebody whom no other test and no earlier try knows."""
    name = f"key-{secrets.token_hex(4)}"
    with closing(demo.client(demo.login("administrator"))) as administrator:
        made = administrator.post(
            "/api/v1/users",
            json={"name": name, "full_name": "Kim Key", "role": "operator", "password": PASSWORD, "language": "en"},
        )
        made.raise_for_status()
    return name


def with_authenticator(page: Page) -> tuple[CDPSession, str]:
    """Give the page an authenticator that verifies its person, as a telephone does."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    return session, session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def test_a_passkey_is_made_used_alone_and_as_second_factor_and_taken_away(
    demo: Installation, chromium: Browser
) -> None:
    name = new_person(demo)
    # A passkey is good for a name, never for an address of numbers.
    site = demo.url.replace("127.0.0.1", "localhost")
    context = chromium.new_context(locale="en-GB")
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda message: troubles.append(message.text) if "Content Security Policy" in message.text else None,
        )
        session, authenticator = with_authenticator(page)

        def log_in(*, password: bool, passkey: bool) -> None:
            context.clear_cookies()
            page.goto(f"{site}/login")
            if password:
                page.fill("input[name=name]", name)
                page.fill("input[name=password]", PASSWORD)
            page.click("[data-passkey]" if passkey else "button.primary")

        def is_in() -> None:
            page.wait_for_url(lambda url: "/login" not in url)

        log_in(password=True, passkey=False)
        is_in()
        page.goto(f"{site}/profile")
        form = page.locator("[data-passkey-form]")
        form.locator("input[name=title]").fill("Telephone")
        form.locator("input[name=password]").fill("wrong")
        form.locator("button").click()
        expect(page.locator("[data-passkey-note]")).to_contain_text("password is wrong")
        form.locator("input[name=password]").fill(PASSWORD)
        form.locator("button").click()
        kept = page.locator("form[hx-post^='/profile/passkeys/']")
        expect(kept).to_contain_text("Telephone")
        stored = session.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
        assert [one["rpId"] for one in stored] == ["localhost"]

        log_in(password=False, passkey=True)
        is_in()
        log_in(password=True, passkey=False)
        expect(page.get_by_role("alert").filter(has_text="passkey").first).to_be_visible()
        log_in(password=True, passkey=True)
        is_in()
        # The person turns away: alone it does not let in, after the password it does, for the key was there.
        session.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
        log_in(password=False, passkey=True)
        expect(page.get_by_role("alert").filter(has_text="passkey").first).to_be_visible()

        session.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
        log_in(password=False, passkey=True)
        is_in()
        page.goto(f"{site}/profile")
        expect(kept).to_contain_text("last used")
        kept.locator("input[name=password]").fill(PASSWORD)
        kept.locator("button").click()
        expect(kept).to_have_count(0)
        log_in(password=True, passkey=False)
        is_in()
        assert not troubles
    finally:
        context.close()
