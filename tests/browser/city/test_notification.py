"""Protects that a supervisor sets up who is told, by forms alone: a channel, a duty roster, an escalation chain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.alerts import machine_of, raise_alert
from tests.browser.conftest import OpenPage
from tests.installation import Installation


@pytest.fixture
def service() -> Iterator[tuple[int, list[bytes]]]:
    """A service that takes messages: its port, and what it was sent."""
    taken: list[bytes] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, taken
    server.shutdown()
    server.server_close()
    thread.join()


def save(page: Page) -> None:
    page.locator("dialog[open] button.primary").click()
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_a_channel_a_roster_and_a_chain_are_made_changed_and_removed(
    demo: Installation, log_in: OpenPage, service: tuple[int, list[bytes]]
) -> None:
    port, taken = service
    page = log_in(demo.login("supervisor"), "/notifications")
    watcher = log_in(demo.login("operator"), "/notifications")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(watcher.locator("[data-plan]")).to_have_count(0)

    page.click("[data-plan=channel]")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Title").fill("Duty <phone>")
    dialog.get_by_label("Address").fill("no address")
    dialog.locator("button.primary").click()
    expect(dialog.locator("[role=alert]")).to_be_visible()  # refused, and what was written is still there
    expect(dialog.get_by_label("Title")).to_have_value("Duty <phone>")
    dialog.get_by_label("Address").fill(f"json://127.0.0.1:{port}/top-secret-word")
    save(page)
    expect(page.locator("#channel-duty-phone")).to_contain_text("Duty <phone>")
    expect(page.locator("#notifications")).to_contain_text("TEST - impetus can reach this channel")
    expect(page.locator("#notifications [data-state=confirmed]").first).to_have_text("sent")
    assert len(taken) == 1
    expect(page.locator("body")).not_to_contain_text("top-secret-word")

    page.click("[data-plan=roster]")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Title").fill("Night duty")
    dialog.get_by_label("Name").fill("Kari Nordmann")
    dialog.get_by_label("Duty <phone>").check()
    dialog.get_by_label("Who", exact=True).fill("Kari")
    dialog.get_by_label("at", exact=True).nth(0).fill("00:00")
    dialog.get_by_label("at", exact=True).nth(1).fill("00:00")
    dialog.locator("button.primary").click()
    expect(dialog.locator("[role=alert]")).to_contain_text("Kari is on duty but is not among the people")
    dialog.get_by_label("Who", exact=True).fill("kari nordmann")
    save(page)
    for one in (page, watcher):
        expect(one.locator("#roster-night-duty")).to_contain_text("Kari Nordmann")

    page.click("[data-plan=chain]")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Title").fill("Nobody looks")
    dialog.locator("label").filter(has_text="Night duty").locator("input").check()
    save(page)
    expect(page.locator("#chain-nobody-looks")).to_contain_text("Severe+")

    with machine_of(demo) as machine:
        raise_alert(machine, "Somebody should look", severity="Severe")
    climb = watcher.locator("tr").filter(has_text="Somebody should look").filter(has_text="climbing")
    climb.locator("button").click()
    expect(watcher.locator("#notifications")).to_contain_text("Mira Kovač")

    page.click("#chain-nobody-looks [data-plan]")
    page.locator("dialog[open]").get_by_label("In use").uncheck()
    save(page)
    expect(page.locator("#chain-nobody-looks")).to_contain_text("switched off")
    # What is used by another is not removed.
    page.click("#roster-night-duty [data-plan]")
    page.locator("dialog[open] [data-remove]").click()
    expect(page.locator("dialog[open] [role=alert]")).to_be_visible()
    page.keyboard.press("Escape")
    for row in ("chain-nobody-looks", "roster-night-duty", "channel-duty-phone"):
        page.click(f"#{row} [data-plan]")
        page.locator("dialog[open] [data-remove]").click()
        expect(page.locator(f"#{row}")).to_have_count(0)


def test_times_of_a_roster_are_those_of_its_time_zone(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("supervisor"), "/notifications")
    found = page.evaluate(
        """async (walls) => {
          const page = document.querySelector('script[src$="/notifications.js"]').src;
          const { utcOf, wallOf } = await import(new URL("../plans/wall.js", page).href);
          return walls.map(([wall, zone]) => [utcOf(wall, zone), wallOf(utcOf(wall, zone), zone)]);
        }""",
        [
            ["2026-07-01T08:00", "Europe/Rome"],
            ["2026-12-24T12:00", "Europe/Rome"],
            ["2026-03-29T02:30", "Europe/Oslo"],  # the clock skips it
            ["2026-10-25T02:30", "Europe/Oslo"],  # the clock shows it twice
            ["2026-11-01T01:30", "America/New_York"],
        ],
    )
    assert found == [
        ["2026-07-01T06:00:00.000Z", "2026-07-01T08:00"],
        ["2026-12-24T11:00:00.000Z", "2026-12-24T12:00"],
        ["2026-03-29T01:30:00.000Z", "2026-03-29T03:30"],
        ["2026-10-25T00:30:00.000Z", "2026-10-25T02:30"],
        ["2026-11-01T05:30:00.000Z", "2026-11-01T01:30"],
    ]
