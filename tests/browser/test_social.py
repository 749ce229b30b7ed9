"""Protects the way of a post: judged, an event, promoted by an analyst in the browser; and nobody's name in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

SOURCE = "demo/posts.jsonl"
"""What the demo's invented platform wrote: outside the city's system, though it lies below the same home."""
HANDLES = (b"voice-1", b"voice-2", b"voice-3", b"voice-4", b"voice-5", b"voice-6", b"neighbour-", b"chatter.example")
CALL = b"bring bats and petrol bombs"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Installation]:
    """The demo city, in which somebody calls for violence after a minute; anew when the test is tried again."""
    with running_demo(tmp_path / "demo", tools=["social"]) as installation:
        yield installation


def picture(page: Page, name: str) -> None:
    """Keep what the page shows, if somebody wants to look."""
    if folder := os.environ.get("IMPETUS_PICTURES"):
        page.screenshot(path=Path(folder) / f"social-{name}.png", full_page=True)


@pytest.mark.timeout(900)
def test_a_call_to_violence_is_promoted_with_one_key_and_names_nobody(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("analyst"), "/tools/social")
    row = page.locator(".social-row", has_text="Call to violence").filter(has_text="Harbour Promenade").first
    expect(row).to_be_visible(timeout=300_000)
    row.click()
    view = page.locator(".social-view")
    expect(view.locator("h3")).to_contain_text("Harbour Promenade")
    expect(view.locator(".social-example").first).to_be_visible()
    expect(view.locator(".social-reasons li").first).to_contain_text("%")
    text = page.content()
    assert not [handle for handle in HANDLES if handle.decode() in text]
    # The same event stands on the map of topics, and its place on the map of the city.
    expect(page.locator('[data-panel-id="map"] svg circle').first).to_be_visible(timeout=60_000)
    picture(page, "event")
    for panel in ("map", "topics", "investigations", "quality"):
        page.locator(f'[data-panel-id="{panel}"]').scroll_into_view_if_needed()
        picture(page, panel)

    page.locator(".social-list").focus()
    page.keyboard.press("p")
    expect(page.locator(".social-state")).to_contain_text("promoted", timeout=60_000)
    picture(page, "promoted")
    with closing(demo.client(demo.login("operator"))) as operator:
        alerts = operator.get("/api/v1/alerts").raise_for_status().json()["items"]
    (alert,) = [one for one in alerts if one["tool"] == "social"]
    assert alert["detector"] == "violence"
    assert alert["place"]["name"] == "Harbour Promenade"
    assert CALL.decode() not in str(alert), "words of posts stay in the analyst's review"

    kept = {path: path.read_bytes() for path in demo.home.rglob("*") if path.is_file() and not path.match(SOURCE)}
    assert any(CALL in content for content in kept.values()), "the event's examples are kept, so the search can find"
    assert not [(path.name, handle) for path, content in kept.items() for handle in HANDLES if handle in content]
