"""Protects: an intrusion that ends at a camera is seen where it is and makes that camera's alerts doubtful; a measure
that a person approves becomes a task."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.alerts import approve_elsewhere, machine_of, raise_alert
from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

WAIT_S = 360.0
"""The demo's intruder comes after a minute and a half, and needs as long for the way to the camera."""
SQUARE = {"geometry": {"type": "Point", "coordinates": [12.89475, 44.89815]}, "name": "Market Square"}

Found = TypeVar("Found")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo city with the tool for network intrusions alone, whose sensor is broken into after a while."""
    with running_demo(tmp_path_factory.mktemp("demo"), tools=["cyber"]) as installation:
        yield installation


@pytest.fixture(scope="module")
def cameras(demo: Installation) -> Iterator[httpx.Client]:
    """A machine that tells what cameras see."""
    with closing(demo.client(demo.login("data-protection-officer"))) as officer:
        approve_elsewhere(officer, "firearm")
    with machine_of(demo) as client:
        yield client


def waited_for(demo: Installation, what: str, look: Callable[[], Found | None]) -> Found:
    """What `look` gives once it gives something."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"no {what}\n{demo.logs()}")


def test_a_measure_is_carried_out_by_people_once_a_person_approved_it(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("it-security"), "/tools/cyber")
    panel = page.locator('[data-panel-id="plan"]')
    row = panel.locator("[data-row]").first
    expect(row).to_be_visible(timeout=120_000)
    measure = row.locator("td").first.inner_text()
    row.locator("[data-task=approve]").click()
    expect(page.locator("#toasts")).to_contain_text("tasks are in the incident room", timeout=60_000)
    expect(panel.locator("table", has_text="Work orders").or_(panel).first).to_contain_text(measure)
    with demo.client() as client:
        (incident,) = client.get("/api/v1/incidents", params={"q": "Countermeasures"}).json()["items"]
        (room,) = client.get(f"/api/v1/incidents/{incident['id']}/procedures").json()["items"]
    assert room["run"]["title"].endswith(f": {measure}")
    assert room["run"]["started_by_name"] == "Piotr Zielinski"
    page.goto(f"{demo.url}/incidents/{incident['id']}")
    expect(page.locator("body")).to_contain_text("Carry the measure out")
    expect(page.locator("body")).to_contain_text(measure)


def test_an_intrusion_that_ends_at_a_camera_lowers_the_trust_in_its_alerts(
    demo: Installation, cameras: httpx.Client, log_in: OpenPage
) -> None:
    reader = demo.client()

    def taken() -> dict[str, Any] | None:
        alerts = reader.get("/api/v1/alerts", params={"tool": "cyber", "limit": 50}).json()["items"]
        return next((one for one in alerts if "camera-1" in one["entities"]), None)

    page = log_in(demo.login("it-security"), "/tools/cyber")
    intrusion = waited_for(demo, "intrusion that ends at the camera", taken)
    assert intrusion["severity"] == "Severe"
    graph = page.locator('[data-panel-id="graph"]')
    expect(graph.locator("title", has_text=re.compile("^camera-1: .*compromised"))).to_have_count(1, timeout=60_000)
    expect(page.locator('[data-panel-id="episodes"]')).to_contain_text("camera-1")
    if folder := os.environ.get("IMPETUS_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/cyber-intrusion.png", full_page=True)

    # Two cameras see the same: the one that was broken into is hardly believed, and the page says why.
    for camera in ("camera-1", "camera-2"):
        raise_alert(
            cameras, f"Handgun before {camera}", tool="firearm", source=camera, severity="Severe", urgency="Immediate",
            category="Security", confidence=0.8, entities=[camera], place=SQUARE,
        )  # fmt: skip

    def doubted() -> str | None:
        incidents = reader.get("/api/v1/incidents", params={"limit": 50}).json()["items"]
        doubtful = [one for one in incidents if any("camera-1 is trusted" in line for line in one["reasons"])]
        return str(doubtful[0]["id"]) if doubtful else None

    incident = waited_for(demo, "incident that doubts the camera", doubted)
    room = log_in(demo.login("operator"), f"/incidents/{incident}")
    expect(room.locator("body")).to_contain_text(re.compile("camera-1 is trusted .* only: Intrusion"))
    expect(room.locator("body")).not_to_contain_text("camera-2 is trusted")
    if folder:
        room.screenshot(path=f"{folder}/cyber-doubt.png")
    reader.close()
