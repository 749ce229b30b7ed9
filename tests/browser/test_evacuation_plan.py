"""Protects the way from a confirmed firearm to people who clear a square: alert, plan, playback, a yes, tasks; and the
editor of venues that plans are made for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.alerts import approve_elsewhere, machine_of, raise_alert, row
from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

SQUARE = {"geometry": {"type": "Point", "coordinates": [12.89475, 44.89815]}, "name": "Market Square"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo city with the planner of evacuations alone, for so few people that a busy machine keeps up."""
    few = {"IMPETUS_TOOLS__EVACUATION__PEOPLE_PM2": "0.03", "IMPETUS_TOOLS__EVACUATION__VERIFY": "false"}
    with running_demo(tmp_path_factory.mktemp("demo"), tools=["evacuation"], environment=few) as installation:
        yield installation


@pytest.fixture(scope="module")
def camera(demo: Installation) -> Iterator[httpx.Client]:
    """A machine that may tell of firearms."""
    with closing(demo.client(demo.login("data-protection-officer"))) as officer:
        approve_elsewhere(officer, "firearm")
    with machine_of(demo) as client:
        yield client


def test_a_confirmed_firearm_brings_a_plan_that_an_operator_plays_and_accepts(
    demo: Installation, camera: httpx.Client, log_in: OpenPage
) -> None:
    login = demo.login("operator")
    planning = log_in(login, "/tools/evacuation")
    panel = planning.locator('[data-panel-id="plan"]')
    expect(panel.locator("[role=status]").first).to_contain_text("No plan yet", timeout=120_000)

    queue = log_in(login)
    alert = raise_alert(
        camera, "Handgun at the fountain", tool="firearm", severity="Extreme", urgency="Immediate", place=SQUARE
    )
    row(queue, alert).click()
    queue.locator("#detail [data-decide=confirm]").click()
    expect(queue.locator("#detail [data-slot=state]")).to_have_text("confirmed")

    # Nobody asked for the plan: the city's rules did. It comes by itself and gets better; nobody has to wait for that.
    plans = panel.locator("tbody tr")
    expect(plans.nth(1)).to_be_visible(timeout=120_000)
    expect(plans.first).to_contain_text("Nearest exits")
    expect(panel.locator("[role=status]").first).to_contain_text("agent model", timeout=120_000)
    expect(panel.locator("ul li").first).not_to_be_empty()

    panel.get_by_role("button", name=re.compile("^Play")).click()
    expect(panel.locator("canvas[role=img]").first).to_be_visible(timeout=120_000)
    expect(panel.locator("figcaption")).to_have_text(re.compile(r"Plan 1: [\d,]+ inside"))
    expect(panel.locator("[data-frames-per-second]")).to_be_visible(timeout=60_000)
    if folder := os.environ.get("IMPETUS_SCREENSHOTS"):
        panel.screenshot(path=f"{folder}/evacuation-plan.png")

    panel.get_by_role("button", name=re.compile("^Accept")).click()
    expect(panel.locator("[role=status]").first).to_contain_text("incident room", timeout=60_000)
    with demo.client() as client:
        record = client.get(f"/api/v1/alerts/{alert}").json()
    room = log_in(login, f"/incidents/{record['incident']}")
    expect(room.locator("body")).to_contain_text("Open and close exits and gates as planned")
    expect(room.locator("body")).to_contain_text("Accepted: Evacuation of Market Square")
    if folder:
        room.screenshot(path=f"{folder}/evacuation-room.png")


def test_a_venue_is_drawn_in_undone_given_a_width_and_saved(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("supervisor"), "/tools/evacuation")
    editor = page.locator('[data-panel-id="venues"]')
    drawing = editor.get_by_role("application")
    features = drawing.locator("title")
    arcade = drawing.locator("path", has=page.locator("title", has_text="exit: Arcade"))
    expect(arcade).to_be_attached(timeout=120_000)
    before = features.count()

    editor.get_by_label("Kind").select_option("obstacle")
    editor.get_by_role("button", name=re.compile("^Draw")).click()
    box = drawing.bounding_box()
    assert box is not None
    for across, down in ((0.49, 0.55), (0.51, 0.55), (0.51, 0.6), (0.49, 0.6)):
        drawing.click(position={"x": across * box["width"], "y": down * box["height"]})
    drawing.press("Enter")
    expect(features).to_have_count(before + 1)
    drawing.press("u")
    expect(features).to_have_count(before)
    drawing.press("y")
    expect(features).to_have_count(before + 1)

    arcade.dispatch_event("pointerdown")
    editor.get_by_label("Width in m").fill("2.5")
    editor.get_by_label("Width in m").press("Tab")
    editor.get_by_label("Name").first.fill("Square with a kiosk")
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("status")).to_contain_text("Square with a kiosk is valid", timeout=120_000)
    expect(editor.get_by_label("Venue", exact=True).locator("option:checked")).to_have_text("Square with a kiosk")
    with demo.client() as client:
        kept = client.get("/api/v1/tools/evacuation/results", params={"kind": "venue", "limit": 100}).json()["items"]
    saved = next(one["content"]["venue"] for one in kept if one["content"]["venue"]["id"] == "square-with-a-kiosk")
    widths = {one["id"]: one["properties"].get("width_m") for one in saved["features"]}
    assert widths["arcade"] == 2.5
    assert len(saved["features"]) == before + 1
