"""Protects the one shared picture: two organisations see one incident at the same moment, each what was agreed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.alerts import machine_of, raise_alert, row
from tests.browser.conftest import OpenPage
from tests.installation import Installation

SOON_MS = 1_000
TRIES = 3


@pytest.fixture(scope="module")
def machine(demo: Installation) -> Iterator[httpx.Client]:
    """A machine of the municipality."""
    with machine_of(demo) as client:
        yield client


def agree(giver: Page, receiver: Page) -> None:
    """One side proposes in its browser, the other approves in its own; neither loads a page again."""
    form = giver.locator("#propose")
    form.locator("[name=partner]").select_option("police")
    form.locator("[name=purpose]").fill("Averting danger to life")
    form.locator("[name=categories][value=Security]").check()
    form.locator("[name=from_severity]").select_option("Severe")
    form.locator("[name=alerts]").check()
    for group in ("headline", "conversation"):
        form.locator(f"[name=groups][value={group}]").check()
    form.locator("[name=place][value=coarse]").check()
    form.locator("button.primary").click()
    receiver.locator("[data-approve]").click()
    for page in (giver, receiver):
        expect(page.locator(".agreement[data-state=active]")).to_contain_text("Averting danger to life")


def watch_for(page: Page, text: str) -> None:
    """Note in the page the moment at which a shared incident of this title shows."""
    page.evaluate(
        """(text) => {
          window.seen = null;
          const look = () => {
            const titles = [...document.querySelectorAll(".shared-row b")].map((title) => title.textContent);
            if (titles.some((title) => title.includes(text)) && !window.seen) window.seen = Date.now();
          };
          new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
        }""",
        text,
    )


def confirm(page: Page, alert: str) -> int:
    """Confirm an alert by its key; when that was, in milliseconds of the machine on which both browsers run."""
    expect(row(page, alert)).to_be_visible()
    row(page, alert).click()
    expect(page.locator("#detail [data-decide=confirm]")).to_be_enabled()
    pressed: int = page.evaluate("Date.now()")
    page.keyboard.press("c")
    return pressed


def test_what_one_organisation_confirms_the_other_sees_at_once_as_agreed_and_no_more(
    machine: httpx.Client, demo: Installation, log_in: OpenPage
) -> None:
    giver = log_in(demo.login("supervisor"), "/agreements")
    receiver = log_in(demo.login("supervisor", "police"), "/agreements")
    for page in (giver, receiver):
        expect(page.locator("#connection")).to_have_text("Live")
    agree(giver, receiver)

    operator = log_in(demo.login("operator"))
    operator.click('#queue-order [data-order="time"]')
    police = log_in(demo.login("operator", "police"), "/incidents")
    expect(police.locator("#connection")).to_have_text("Live")
    # Other tests of this process may have left incidents that the agreement shares too: only ours must not be there.
    expect(police.locator("#incidents")).not_to_have_class(re.compile("loading"))
    expect(police.locator("#incidents")).not_to_contain_text("Gun seen near the fountain")

    waits = []
    for number in range(TRIES):
        title = f"Gun seen near the fountain, sighting {number} <b>"
        # Far apart in place, so that they are incidents of their own.
        place = {
            "geometry": {"type": "Point", "coordinates": [12.84 + number * 0.04, 44.88]},
            "name": f"Depot {number}",
        }
        alert = raise_alert(
            machine, title, severity="Extreme", urgency="Immediate", confidence=0.9, place=place,
            description="Nobody but us is to read this.",
        )  # fmt: skip
        watch_for(police, title)
        pressed = confirm(operator, alert)
        expect(police.locator(".shared-row").filter(has_text=title)).to_be_visible()
        waits.append(police.evaluate("window.seen") - pressed)
    # A busy machine may hold one up; it cannot hold all up where the way itself is quick.
    assert min(waits) < SOON_MS, waits

    police.locator(".shared-row").filter(has_text=f"sighting {TRIES - 1}").click()
    police.wait_for_url("**/shared/**")
    room = police.locator("#room")
    expect(room.locator("[data-slot=title]")).to_have_text(f"Gun seen near the fountain, sighting {TRIES - 1} <b>")
    expect(room.locator("[data-slot=giver]")).to_contain_text("City of Aurelia")
    expect(room.locator("#room-alerts tr")).to_have_count(1)
    for secret in ("Nobody but us", "Mira Kovač", "Depot", "camera-"):
        expect(police.locator("body")).not_to_contain_text(secret)

    # Both talk; what is marked as ours stays ours.
    expect(operator.locator("#detail [data-slot=incident]")).to_be_visible()
    operator.locator("#detail [data-slot=incident]").click()
    operator.wait_for_url("**/incidents/**")
    together = operator.locator("#together")
    expect(together).to_contain_text("Aurelia Police")
    for kind, text in (
        ("note-ours", "Our crew wears no vests"),
        ("note-shared", "Camera 2 was turned to the gate"),
        ("chat", "Do you send a car?"),
    ):
        together.locator("[name=kind]").select_option(kind)
        together.locator("[name=text]").fill(text)
        together.locator("button").filter(has_text="Send").click()
        expect(together.locator("[data-words]")).to_contain_text(text)
    words = police.locator("[data-words]")
    expect(words).to_contain_text("Do you send a car?")
    expect(words).to_contain_text("Camera 2 was turned to the gate")
    expect(police.locator("body")).not_to_contain_text("Our crew wears no vests")
    police.locator("[data-words-form] [name=kind]").select_option("note-ours")
    police.locator("[data-words-form] [name=text]").fill("Their camera is old")
    police.locator("[data-words-form] button").click()
    police.locator("[data-words-form] [name=kind]").select_option("chat")
    police.locator("[data-words-form] [name=text]").fill("Car 12 is on its way")
    police.locator("[data-words-form] button").click()
    expect(together.locator("[data-words]")).to_contain_text("Car 12 is on its way")
    expect(operator.locator("body")).not_to_contain_text("Their camera is old")

    # What the police decide for themselves is seen too, and either side ends it at once.
    police.locator("[data-slot=actions] [data-action=acknowledge]").click()
    police.locator("#reason-dialog button[value=yes]").click()
    expect(together.locator("[data-shares]")).to_contain_text("acknowledged")
    giver.locator("[data-end]").click()
    giver.locator("#reason-dialog [name=reason]").fill("The exercise is over")
    giver.locator("#reason-dialog [value=yes]").click()
    expect(police.locator("[data-slot=ended]")).to_contain_text("Not shared any more")
    expect(police.locator("body")).not_to_contain_text("Gun seen near the fountain")
    expect(together).to_contain_text("not shared: only we see this")
