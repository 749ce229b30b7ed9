"""Protects the way of a leak: read from a live feed, and promoted in the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo city, whose feed tells of the leak after half a minute."""
    with running_demo(tmp_path_factory.mktemp("demo"), tools=["cti"]) as installation:
        yield installation


def test_a_leak_is_promoted_with_one_key(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("it-security"), "/tools/cti")
    row = page.locator(".cti-row", has_text="Northeye")
    expect(row).to_be_visible(timeout=90_000)
    row.click()
    expect(page.locator(".cti-passage mark.cti-match").first).to_be_visible()
    assert "Winter2026" not in page.content()
    page.locator(".cti-list").focus()
    page.keyboard.press("p")
    expect(page.locator(".cti-state")).to_contain_text("promoted", timeout=20_000)
    expect(row).to_have_count(0)
