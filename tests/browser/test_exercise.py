"""Protects the way of a newcomer: a scenario is played to its end in the browser, reviewed, played again and compared;
and a supervisor writes one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

SCENARIO = """format: 1
id: short
title: A short one
summary: Somebody calls, and a square fills.
minutes: 3
start: 2026-09-12T10:00:00+02:00
place: Market Square
organisations: [{id: municipality, name: City of Aurelia}]
players: [{role: operator, organisation: municipality, does: "Works off the queue."}]
injects:
  - {id: call, at: "00:20", kind: message, title: A steward calls, sender: Steward, text: "It gets full here."}
  - {id: crowd, at: "00:40", kind: readings, title: The square fills, event: crowd-surge, site: Market Square,
     minutes: 2, hint: Compare with what is usual.}
truths:
  - {id: crowd-found, title: A crowd, inject: crowd, tool: anomaly, within: "02:00"}
objectives:
  - {id: take, title: Take the crowd on, kind: acknowledge, truth: crowd-found, by: "02:00", points: 10}
good: The crowd is taken on.
tour:
  - {at: "00:00", title: You are the operator, text: Look at the queue., page: /}
"""

CHOSEN = """() => {
  const text = document.getElementById("scenario-text");
  return text.value.slice(text.selectionStart, text.selectionEnd);
}"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo city with a short scenario, and one tool."""
    folder: Path = tmp_path_factory.mktemp("scenario") / "short"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SCENARIO)
    with running_demo(
        tmp_path_factory.mktemp("demo"), arguments=("--scenario", str(folder)), tools=["anomaly"]
    ) as installation:
        yield installation


def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("IMPETUS_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def play(page: Page) -> None:
    """Start the scenario and wait for its end. It may have begun by itself: that is as well."""
    stand = page.locator("#exercise-stand")
    start = stand.get_by_role("button", name=re.compile("Start the scenario|Play it again"))
    expect(stand).to_contain_text(re.compile("ready to start|is played|over"), timeout=300_000)
    if start.is_visible():
        start.click(timeout=60_000)
    expect(stand).to_contain_text("is played", timeout=60_000)
    stand.get_by_role("button", name="20×").click(timeout=60_000)
    expect(stand).to_contain_text("over", timeout=300_000)


@pytest.mark.timeout(900)
def test_a_newcomer_plays_to_the_end_reviews_plays_again_and_compares(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"), "/exercise")
    expect(page.locator(".exercise-band")).to_contain_text("nothing here is real")
    play(page)
    expect(page.locator(".exercise")).to_contain_text("A steward calls")
    page.reload()
    review = page.locator("#exercise-review")
    expect(review).to_contain_text("After-action review", timeout=60_000)
    shot(page, "exercise-over")
    if review.locator("select[name=against]").count() == 0:  # a second try finds the runs of the first
        play(page)
        page.reload()
    review.get_by_role("button", name="Compare two runs").click(timeout=60_000)
    page.wait_for_url(re.compile("against="))
    expect(page.locator("main")).to_contain_text("Compared with another run", timeout=60_000)
    expect(page.locator("main")).to_contain_text("EXERCISE")
    shot(page, "exercise-compared")
    file = page.request.get(f"{demo.url}{page.get_by_role('link', name='PDF').get_attribute('href')}")
    assert file.body().startswith(b"%PDF")


@pytest.mark.timeout(600)
def test_a_supervisor_writes_a_scenario(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("supervisor"), "/scenarios/blackout")
    result, text = page.locator("#scenario-result"), page.locator("#scenario-text")
    expect(result).to_contain_text("It can be played.")
    written = text.input_value()
    text.fill(written.replace("event: crowd-surge", "event: dragon", 1))
    expect(result).to_contain_text("1 thing is wrong", timeout=60_000)
    result.locator("[data-line]").click()
    assert "event: dragon" in page.evaluate(CHOSEN)
    shot(page, "scenario-wrong")
    name = f"mine-{os.urandom(4).hex()}"  # a second try has a name of its own
    text.fill(written.replace("id: blackout", f"id: {name}", 1))
    expect(result).to_contain_text("It can be played.", timeout=60_000)
    page.locator("#scenario-save").click()
    page.wait_for_url(f"**/scenarios/{name}")
    page.locator("#scenario-text").press("Control+End")
    page.locator("#scenario-text").type("# more")
    page.keyboard.press("Control+s")
    expect(page.locator("#scenario-result")).to_contain_text("It is kept.", timeout=60_000)
    shot(page, "scenario-kept")
