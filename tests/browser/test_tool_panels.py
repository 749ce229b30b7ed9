"""Protects what a tool brings to its page: buttons that ask it, charts and zones that follow it, its own modules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

TOOL = Path(__file__).parent


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo city with the review desk installed beside its own tools."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "review_desk").symlink_to(TOOL / "review_desk")
    information = folder / "review_desk-1.0.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: review-desk\nVersion: 1.0.0\n")
    (information / "entry_points.txt").write_text("[impetus.tools]\nreview-desk = review_desk.worker:ReviewDesk\n")
    path = os.pathsep.join(part for part in (str(folder), os.environ.get("PYTHONPATH", "")) if part)
    with running_demo(
        tmp_path_factory.mktemp("demo"), environment={"PYTHONPATH": path}, tools=["anomaly"]
    ) as installation:
        yield installation


def desk(page: Page) -> Page:
    """The tool's page, once its worker has published."""
    expect(page.locator("[data-row]").first).to_be_visible(timeout=60_000)
    return page


def test_rows_are_decided_with_a_key_each_and_go(demo: Installation, log_in: OpenPage) -> None:
    page = desk(log_in(demo.login("supervisor"), "/tools/review-desk"))
    expect(page.locator("[data-row]")).to_have_count(3)
    page.locator("[data-row]").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator('[data-row="candidate-1"]')).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#toasts")).to_contain_text("keep: candidate-1")
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.locator(".widget-kpi")).to_have_text("2")
    page.locator('[data-row="candidate-0"] [data-task="reject"]').click()
    expect(page.locator("#toasts")).to_contain_text("reject: candidate-0")
    expect(page.locator("[data-row]")).to_have_count(1)


def test_charts_zones_and_modules_follow_the_tool(demo: Installation, log_in: OpenPage) -> None:
    page = desk(log_in(demo.login("operator"), "/tools/review-desk"))
    expect(page.locator('[data-task="reject"]')).to_have_count(0)
    for place in ("[data-plot] canvas", "[data-graph] canvas"):
        expect(page.locator(place).first).to_be_visible()
    expect(page.locator("#own-words")).to_have_text("Zone of size 1, for operator, in en")
    page.fill("[name=size]", "5")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("A zone of size 5")
    expect(page.locator("#own-words")).to_contain_text("Zone of size 5")
    page.fill("[name=size]", "9")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("nothing so large fits the map")
    page.click("#own-button")
    expect(page.locator("#own-button")).to_have_text("A zone of size 3")
    expect(page.locator('[data-panel-id="broken"] [role=alert]')).to_contain_text("the drawing has no <b>data</b>")
    if folder := os.environ.get("IMPETUS_SCREENSHOTS"):
        page.locator('[data-panel-id="desk"]').screenshot(path=f"{folder}/tool-panels.png")


def test_a_module_stands_on_a_dashboard_and_is_taken_away(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"), "/dashboards/operator")
    page.click("#dash-arrange")
    page.select_option("#dash-add", "review-desk:own")
    expect(page.locator("#own-words")).to_contain_text("Zone of size")
    page.locator('[data-panel="review-desk:own"]').focus()
    page.keyboard.press("Delete")
    expect(page.locator("#own-words")).to_have_count(0)
    page.wait_for_function("window.unmounted === true")
