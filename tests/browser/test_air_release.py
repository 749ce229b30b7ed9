"""Protects the way of a release through the demo city: found, located, shown, and no plan leads out down-wind."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from shapely.geometry import shape

from impetus.exercise.desk import Desk, Phase, State
from impetus.exercise.events import RELEASE_SITES
from impetus.exercise.geography import METRES_PER_DEGREE, to_degrees
from impetus.model import FeatureKind
from impetus.tools.evacuation.features import read_features
from impetus.tools.evacuation.running import shipped
from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

SITE = "Harbour Promenade"
SCENARIO = f"""
format: 1
id: release
title: A release at the sea wall
summary: Bacteria are released upwind of a square.
minutes: 20
start: 2031-05-17T16:00:00+02:00
seed: 12
place: City Hall Square
venue: city-hall-square
organisations:
  - {{id: municipality, name: City of Aurelia}}
players:
  - {{role: operator, organisation: municipality, does: "Watches the queue."}}
injects:
  - {{id: release, at: "00:10", kind: readings, title: "Bacteria are released upwind of the square", event: release,
     site: {SITE}, minutes: 18, strength: 1.5, hint: "The samplers tell a place upwind."}}
truths:
  - {{id: release-found, title: "Release", inject: release, tool: air, detectors: [release], within: "05:00"}}
objectives:
  - {{id: confirm, title: "Find the release to be right", kind: confirm, truth: release-found, by: "06:00", points: 20}}
"""
BEGIN = datetime(2031, 5, 17, 14, tzinfo=UTC)
"""The city's weather follows from the time: now some 5 m/s blow from the south-south-west, over the square."""
FAR_M = 300.0
WAIT_S = 600.0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Installation]:
    """The demo city at a chosen time, with a release to come in a minute after the tools are ready."""
    folder, home = tmp_path / "scenario", tmp_path / "demo"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SCENARIO)
    # An exercise never goes back behind the last one of its installation: so it begins when that one ended.
    Desk(home).say(
        State.model_validate(
            {
                "run": "before",
                "scenario": "release",
                "title": "Before",
                "phase": Phase.ENDED,
                "time": BEGIN,
                "length_s": 1,
                "speed": 1,
                "paused": False,
            }
        )
    )
    with running_demo(home, arguments=["--scenario", str(folder)], tools=["air", "evacuation"]) as installation:
        yield installation


def picture(page: Page, name: str) -> None:
    """Keep what the page shows, if somebody wants to look."""
    if folder := os.environ.get("IMPETUS_PICTURES"):
        page.screenshot(path=Path(folder) / f"air-{name}.png", full_page=True)


def newest(client: httpx.Client, path: str, kind: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The newest result of a kind that is as wanted, as soon as there is one."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        items = client.get(f"/api/v1/tools/{path}/results", params={"kind": kind, "limit": 5}).json()["items"]
        for item in items:
            if wanted(item):
                return dict(item)
        time.sleep(1)
    raise AssertionError(f"no {kind} came that was as wanted")


@pytest.mark.slow
@pytest.mark.timeout(2_000)
def test_a_release_is_found_located_shown_and_closes_the_exits_down_wind(demo: Installation, log_in: OpenPage) -> None:
    login = demo.login("operator")
    page = log_in(login, "/tools/air")
    release = page.locator('[data-panel-id="release"]')
    expect(release).to_contain_text("No release", timeout=60_000)
    picture(page, "at-rest")

    # Found and shown: alerts with a reason, zones by lead time, a source, a proposal for a person.
    expect(page.locator('[data-panel-id="alerts"]')).to_contain_text("Bacteria", timeout=WAIT_S * 1_000)
    expect(release.locator("li", has_text="Source: ±")).to_be_visible(timeout=WAIT_S * 1_000)
    expect(release.locator("li", has_text="Proposed:").first).to_be_visible()
    expect(release.locator("li", has_text="CFU/m3:").first).to_be_visible()
    page.locator("#air-lead").fill("3")
    expect(release.locator("output")).to_have_text("30")
    picture(page, "release")

    with closing(demo.client(login)) as client:
        # Located, where it was released.
        place = dict(RELEASE_SITES)[SITE]
        east, north = to_degrees((float(place[0]), float(place[1])))
        metres = METRES_PER_DEGREE * math.cos(math.radians(north)), METRES_PER_DEGREE

        def near(zone: dict[str, Any]) -> bool:
            source = zone["content"]["source"]
            off = (source["longitude"] - east) * metres[0], (source["latitude"] - north) * metres[1]
            return math.hypot(*off) < FAR_M

        newest(client, "air", "hazard-zone", near)
        # Nobody asked for a plan: the zone lies over a venue. The exits in it stay closed, in every plan.
        plan = newest(client, "evacuation", "plan", lambda one: any(one["content"]["scenario"].get("opened") or {}))
    content = plan["content"]
    closed = {id for id, is_open in content["scenario"]["opened"].items() if not is_open}
    plume = [shape(zone["geometry"]).buffer(0) for zone in content["scenario"]["threat"]["zones"]]
    venue = read_features(shipped()[content["venue"]])
    exits = {one.id: one.geometry.centroid for one in venue.shapes if one.kind is FeatureKind.EXIT}
    assert closed == {id for id, spot in exits.items() if any(zone.intersects(spot) for zone in plume)}
    assert closed < set(exits)
    for one in [content["baseline"], *content["plans"]]:
        assert not any(one["exits"].get(id) for id in closed)

    page.goto(f"{demo.url}/tools/evacuation")
    panel = page.locator('[data-panel-id="plan"]')
    for id in sorted(closed):
        expect(panel.get_by_label(id, exact=True)).to_be_checked(timeout=60_000)
    expect(panel.locator("li", has_text="Close ").first).to_be_visible()
    picture(page, "plan")
