"""Protects the picture of the attack graph: zones fold, what matters stays open, what is left out counts.

The module is drawn by itself in a browser, with what a page hands to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

MODULE = Path(__file__).resolve().parents[2] / "src/impetus/tools/cyber/static/lanes.js"
PAGE = """
<!doctype html><main style="width: 900px"></main><script type="module">
import { mount } from "/lanes.js";
const context = {
  tool: "cyber", t: (words) => words, colour: () => "#888",
  get: async () => (await fetch("/graph.json")).json(),
  on: (kind, listen) => { window.tell = () => listen({ kind: "attack-graph" }); return () => {}; },
};
mount(document.querySelector("main"), context);
</script>
"""


def graph(zones: int) -> dict[str, Any]:
    """A city of many zones: the intruder's, one on the likely path, one with a host that was taken, others quiet."""
    names = ["internet", *(f"zone-{number}" for number in range(1, zones))]
    nodes = [
        {
            "id": f"host-{number}-{place}",
            "zone": f"zone-{number}",
            "kind": "",
            "value": 2.0 if place == 0 else 0.0,
            "likelihood": 0.4,
            "compromised": (number, place) == (2, 0),
            "path": (number, place) == (1, 0),
        }
        for number in range(1, zones)
        for place in range(3)
    ]
    return {
        "hosts": 10_000,
        "worlds": 1_024,
        "zones": [
            {"name": name, "attacker": name == "internet", "hosts": 250, "expected": 1.5, "highest": 0.4}
            for name in names
        ],
        "nodes": nodes,
        "edges": [
            {"source": "attacker", "target": "host-1-0", "probability": 0.3},
            {"source": "host-1-0", "target": "host-7-0", "probability": 0.3},
        ],
    }


@pytest.fixture
def drawn(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page with the graph of so many zones."""
    content = {"items": [{"content": graph(request.param)}]}
    page = chromium.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))

    def serve(route: Route) -> None:
        if route.request.url.endswith("lanes.js"):
            route.fulfill(body=MODULE.read_text(), content_type="text/javascript")
        elif route.request.url.endswith("graph.json"):
            route.fulfill(body=json.dumps(content), content_type="application/json")
        else:
            route.fulfill(body=PAGE, content_type="text/html")

    page.route("**/*", serve)
    page.goto("http://city.example/")
    expect(page.locator("svg")).to_be_visible(timeout=60_000)
    yield page
    page.close()
    assert not troubles


def lane(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def host(page: Page, name: str) -> Locator:
    return page.locator("svg title", has_text=f"{name}:")


@pytest.mark.parametrize("drawn", [40], indirect=True)
def test_many_zones_are_folded_to_lines_but_for_those_that_matter(drawn: Page) -> None:
    """Open are the intruder's zone, those on the likely path and those with a host that was taken."""
    expect(drawn.locator("[role=button]")).to_have_count(40)
    expect(drawn.locator("[aria-expanded=true]")).to_have_count(3)
    for name in ("internet", "zone-1", "zone-2"):
        expect(lane(drawn, name)).to_have_attribute("aria-expanded", "true")
    expect(drawn.locator("svg title")).to_have_count(6)
    expect(host(drawn, "host-2-0")).to_have_text("host-2-0: 40 %, compromised")
    # The way from outside to the first host is lit; the one that leads into a folded zone is not drawn.
    expect(drawn.locator("svg path")).to_have_count(1)
    expect(drawn.locator("p")).to_contain_text("10000 hosts")
    expect(drawn.locator("p")).to_contain_text("6 drawn by name")
    if folder := os.environ.get("IMPETUS_SCREENSHOTS"):
        drawn.screenshot(path=f"{folder}/cyber-lanes.png", full_page=True)


@pytest.mark.parametrize("drawn", [40], indirect=True)
def test_a_zone_is_unfolded_with_the_mouse_and_with_keys_and_stays_so(drawn: Page) -> None:
    """What the reader turned stays turned when a new graph comes, and the keyboard stays where it was."""
    zone = lane(drawn, "zone-7")
    zone.click()
    expect(zone).to_have_attribute("aria-expanded", "true")
    expect(host(drawn, "host-7-0")).to_have_count(1)
    expect(drawn.locator("svg path")).to_have_count(2)
    expect(drawn.locator("p")).to_contain_text("9 drawn by name")
    drawn.evaluate("window.tell()")
    expect(zone).to_have_attribute("aria-expanded", "true")
    for key, state in (("Enter", "false"), (" ", "true"), ("Enter", "false")):
        zone.focus()
        drawn.keyboard.press(key)
        expect(zone).to_have_attribute("aria-expanded", state)
        expect(zone).to_be_focused()
    expect(host(drawn, "host-7-0")).to_have_count(0)


@pytest.mark.parametrize("drawn", [8], indirect=True)
def test_few_zones_are_all_open_and_critical_assets_stand_to_the_right(drawn: Page) -> None:
    """One that matters may be folded by hand too."""
    expect(drawn.locator("[aria-expanded=true]")).to_have_count(8)
    expect(drawn.locator("svg title")).to_have_count(21)
    critical = drawn.locator("svg rect:has(title)").evaluate_all("all => all.map((one) => +one.getAttribute('x'))")
    others = drawn.locator("svg circle").evaluate_all("all => all.map((one) => +one.getAttribute('cx'))")
    assert len(critical) == 7
    assert min(critical) > max(others)
    lane(drawn, "zone-2").click()
    expect(host(drawn, "host-2-0")).to_have_count(0)
