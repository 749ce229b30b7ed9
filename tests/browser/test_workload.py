"""Protects the way of an overload: the load rises with an incident, the supervisor takes the proposal, and who takes
consent back leaves nothing on the disk."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.alerts import machine_of, raise_alert
from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

ALERTS = 60
"""Alerts that come at once: ten for each operator."""
HELD_BY_EACH = 8
TEAM_SAID_S = 300.0
DEVICE = "simulated-belt-of-the-test"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Installation]:
    """The demo city, whose five invented operators take part: anew for each test, which begins with a calm team."""
    with running_demo(tmp_path / "demo", tools=["workload"]) as installation:
        yield installation


def picture(page: Page, name: str) -> None:
    """Keep what the page shows, if somebody wants to look."""
    if folder := os.environ.get("IMPETUS_PICTURES"):
        page.screenshot(path=Path(folder) / f"workload-{name}.png", full_page=True)


def found(folder: Path) -> list[Path]:
    """Files that name the device; a file may go while one looks."""
    files: list[Path] = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and DEVICE.encode() in path.read_bytes():
                files.append(path)
    return files


def team(supervisor: httpx.Client, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The state of the team as soon as it is as wanted."""
    until_s = time.monotonic() + TEAM_SAID_S
    content: dict[str, Any] = {}
    while time.monotonic() < until_s:
        answer = supervisor.get("/api/v1/tools/workload/results", params={"kind": "team", "limit": 1})
        items = answer.raise_for_status().json()["items"]
        content = items[0]["content"] | {"time": items[0]["time"]} if items else {}
        if content and wanted(content):
            return content
        time.sleep(1)
    raise AssertionError(f"the team did not become as wanted: {content}")


def open_incident(demo: Installation, supervisor: httpx.Client) -> None:
    """Many grave alerts at once, an incident of them, and each operator gets some to work on."""
    with closing(machine_of(demo)) as machine:
        alerts = [raise_alert(machine, f"Smoke in hall {number}", severity="Severe") for number in range(ALERTS)]
    until_s = time.monotonic() + 60
    while supervisor.get("/api/v1/shift/board").json()["waiting"] < ALERTS and time.monotonic() < until_s:
        time.sleep(0.5)
    supervisor.post("/api/v1/incidents", json={"title": "Fire in the halls", "alerts": alerts[:1]}).raise_for_status()
    board = supervisor.get("/api/v1/shift/board").json()
    operators = [one["person"] for one in board["people"] if one["role"] == "operator" and one["active"]]
    for place, person in enumerate(operators * HELD_BY_EACH):
        alert = supervisor.get(f"/api/v1/alerts/{alerts[1 + place]}").raise_for_status().json()
        decision = {"action": "assign", "version": alert["version"], "person": person, "reason": "Fire in the halls"}
        supervisor.post(f"/api/v1/alerts/{alert['id']}/decisions", json=decision).raise_for_status()


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_the_load_rises_with_an_incident_and_the_proposal_is_taken(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("supervisor"), "/tools/workload")
    with closing(demo.client(demo.login("supervisor"))) as supervisor:
        calm = team(supervisor, lambda now: now["overloaded"] == 0)
        picture(page, "calm")
        open_incident(demo, supervisor)
        busy = team(supervisor, lambda now: (now["overloaded"] or 0) >= 0.6)
        assert busy["load"] > calm["load"]
        assert busy["held"] > calm["held"]
        proposal = page.locator("[data-proposal]")
        expect(proposal).to_contain_text("Let operators hold at most", timeout=300_000)
        picture(page, "proposal")
        id = proposal.get_attribute("data-proposal")
        proposal.get_by_role("button", name="Take", exact=True).click()
        expect(page.get_by_text("Taken: the queue follows it.")).to_be_visible(timeout=60_000)
        expect(page.locator(f'[data-proposal="{id}"]')).to_have_count(0, timeout=60_000)
        picture(page, "taken")
        taken = supervisor.get(f"/api/v1/tools/workload/results/{id}").raise_for_status().json()
        assert taken["content"]["state"] == "taken"
        board = supervisor.get("/api/v1/shift/board").json()
        caps = {one["cap"] for one in board["people"] if one["role"] == "operator"}
        assert caps == {taken["content"]["cap"]}
        assert taken["content"]["cap"] < taken["content"]["before"]


@pytest.mark.timeout(900)
def test_who_takes_consent_back_leaves_nothing_on_the_disk(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"), "/tools/workload")
    page.get_by_label("Name of the device that you wear").fill(DEVICE)
    page.get_by_role("button", name="Agree for this shift").click()
    expect(page.get_by_text("Heart rate", exact=True)).to_be_visible(timeout=120_000)
    kept = found(demo.home)
    (consent,) = [path for path in kept if path.name == "consent.json"]
    person = consent.parent.parent
    assert person.parent == demo.home / "own" / "workload" / "municipality"
    assert all(path.is_relative_to(person) for path in kept)
    assert any((consent.parent / "documents").iterdir())
    page.locator("body").press("4")
    expect(page.get_by_text("Rated 4")).to_be_visible(timeout=60_000)
    picture(page, "own")
    with page.expect_download() as download:
        page.get_by_role("button", name="Take a copy of everything").click()
    copy = Path(download.value.path()).read_text()
    assert DEVICE in copy
    assert '"rating": 4' in copy

    page.get_by_role("button", name="Take back and delete everything").click()
    expect(page.get_by_text("Everything that there was of you is deleted")).to_be_visible(timeout=60_000)
    assert not person.exists()
    assert not found(demo.home)
    picture(page, "withdrawn")
    # The tool goes on with the others, and writes nothing of this person any more.
    with closing(demo.client(demo.login("supervisor"))) as supervisor:
        before = team(supervisor, lambda now: True)["time"]
        team(supervisor, lambda now: now["time"] > before)
    assert not person.exists()
    assert not found(demo.home)
