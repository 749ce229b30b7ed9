"""Protects the way of a gun: a camera's scene, one alert, a person who confirms in the browser, only then others."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from impetus.exercise.camera_scene import CAMERAS
from impetus.tools.firearm.model import SHIPPED
from impetus.tools.firearm.tests.finder import sha256
from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

TITLE = "Possible firearm: Harbour Square"
LONG_MS = 180_000
PARTNER = "police"
CALLS = "calls"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Installation]:
    """The demo city with its camera of the exercise, the shipped model, and somebody armed when the test calls.

    It is the one who comes in the scenario `protest`. How many guns the shipped model finds in other scenes is measured
    by `benchmarks/firearm.py`.
    """
    (tmp_path / CALLS).touch()
    seed = CAMERAS["camera-2"].seed
    settings = {
        "organisations": ["municipality"],
        "cameras": [
            {
                "id": "harbour-square-4",
                "title": "Harbour Square, mast 4",
                "address": f"scene:{seed}?a_minute=2&width=640&calls={quote(str(tmp_path / CALLS))}",
                "longitude": 12.84,
                "latitude": 44.88,
            }
        ],
        "approvals": [{"sha256": sha256(SHIPPED), "person": "supervisor", "reason": "a test"}],
        "frames_a_s": 2,
        "clip_after_s": 1,
    }
    environment = {"IMPETUS_TOOLS__FIREARM": json.dumps(settings)}
    with running_demo(tmp_path / "demo", tools=["firearm"], environment=environment) as installation:
        yield installation


def picture(page: Page, name: str) -> None:
    """Keep what the page shows, if somebody wants to look."""
    if folder := os.environ.get("IMPETUS_PICTURES"):
        page.screenshot(path=Path(folder) / f"firearm-{name}.png", full_page=True)


def agree(demo: Installation) -> None:
    """The city gives severe dangers to security to the police."""
    terms: dict[str, Any] = {
        "purpose": "averting danger to life",
        "categories": ["Security"],
        "from_severity": "Severe",
        "groups": ["headline"],
        "alerts": True,
        "until": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    }
    with (
        closing(demo.client(demo.login("supervisor"))) as giver,
        closing(demo.client(demo.login("supervisor", PARTNER))) as receiver,
    ):
        new = {"giver": "municipality", "receiver": PARTNER, "terms": terms}
        proposed = giver.post("/api/v1/agreements", json=new).raise_for_status()
        id = proposed.json()["agreement"]["id"]
        receiver.post(f"/api/v1/agreements/{id}/approve", json={"version": 1}).raise_for_status()


def test_a_gun_in_a_camera_reaches_the_police_only_after_a_person_confirmed_it(
    demo: Installation, log_in: OpenPage, tmp_path: Path
) -> None:
    agree(demo)
    police = log_in(demo.login("operator", PARTNER), "/incidents")
    expect(police.locator("#connection")).to_have_text("Live")

    operator = log_in(demo.login("operator"), "/tools/firearm")
    tile = operator.locator(".firearm-tile").filter(has_text="Harbour Square, mast 4")
    expect(tile.locator("img")).to_have_attribute("src", re.compile("^data:image/jpeg"), timeout=LONG_MS)
    picture(operator, "wall")
    with (tmp_path / CALLS).open("a", encoding="utf-8") as calls:
        calls.write("firearm\n")
    event = operator.locator(".firearm-row").filter(has_text=TITLE).first
    expect(event).to_be_visible(timeout=LONG_MS)
    event.click()
    operator.keyboard.press("ArrowRight")
    expect(operator.locator(".firearm-view .firearm-near img")).to_have_attribute("src", re.compile("^data:image/jpeg"))
    picture(operator, "events")

    # It waits for a person: the police sees nothing of it.
    with closing(demo.client(demo.login("operator"))) as client:
        alerts = client.get("/api/v1/alerts", params={"limit": 50}).raise_for_status().json()["items"]
        raised = [each for each in alerts if each["headline"].startswith(TITLE)]
        assert raised
        assert {each["state"] for each in raised} == {"new"}
    expect(police.locator("#incidents")).not_to_contain_text(TITLE)

    operator.locator(".firearm-list").focus()
    operator.keyboard.press("c")
    chosen = operator.locator(".firearm-row[aria-selected=true]")
    expect(chosen).to_contain_text("confirmed", timeout=60_000)
    expect(police.locator(".shared-row").filter(has_text=TITLE)).to_be_visible(timeout=60_000)
    picture(operator, "confirmed")
    operator.locator(".firearm-list").focus()
    operator.keyboard.press("Enter")
    operator.wait_for_url(re.compile(r":\d+/#[0-9a-f-]{36}$"))
    expect(operator.locator("#detail [data-slot=headline]")).to_contain_text(TITLE)
    picture(operator, "alert")

    supervisor = log_in(demo.login("supervisor"), "/tools/firearm")
    expect(supervisor.locator(".firearm-editor select").first).to_contain_text("Harbour Square", timeout=60_000)
    expect(supervisor.locator("body")).to_contain_text("real cameras: it was trained on rendered scenes only")
    supervisor.get_by_role("button", name="Evaluate the model in use").click()
    expect(supervisor.locator(".firearm-curve").first).to_be_attached(timeout=LONG_MS)
    expect(supervisor.locator(".firearm-matrix")).to_contain_text("weapon")
    picture(supervisor, "supervisor")
