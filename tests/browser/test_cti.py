"""Protects the way of a leak: read from a live feed, promoted in the browser, over TAXII to those who agreed on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from requests.auth import HTTPBasicAuth
from taxii2client.v21 import Server  # type: ignore[import-untyped]

from tests.browser.conftest import OpenPage
from tests.installation import Installation, running_demo

PARTNER, STRANGER = "police", "fire-service"
LEAKED = "[file:hashes.'SHA-256' = '1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014']"
SECRET = "Winter2026"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Installation]:
    """The demo city, whose feed tells of the leak after half a minute; anew when the test is tried again."""
    with running_demo(tmp_path / "demo", tools=["cti"]) as installation:
        yield installation


def picture(page: Page, name: str) -> None:
    """Keep what the page shows, if somebody wants to look."""
    if folder := os.environ.get("IMPETUS_PICTURES"):
        page.screenshot(path=Path(folder) / f"cti-{name}.png", full_page=True)


def impetus(demo: Installation, *arguments: str) -> str:
    """What a command prints that is given beside the running demo."""
    done = subprocess.run(
        [sys.executable, "-m", "impetus.cli", *arguments],
        env=os.environ | {"IMPETUS_HOME": str(demo.home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def token_of(demo: Installation, organisation: str) -> str:
    """A token with which a TAXII client of that organisation reads."""
    given = impetus(demo, "token", "add", "TAXII", "--organisation", organisation, "--scope", "results:read")
    return given.split()[-1]


def agree(demo: Installation) -> None:
    """An agreement on intelligence: the city gives, the partner receives."""
    terms: dict[str, Any] = {
        "purpose": "mutual aid",
        "categories": ["Security"],
        "groups": ["intelligence"],
        "alerts": False,
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


def indicators(demo: Installation, token: str) -> list[str]:
    """Patterns of the city's indicators that a TAXII client with this token finds; it asks again when it is cut off."""
    until_s = time.monotonic() + 120
    while True:
        try:
            roots = Server(f"{demo.url}/api/v1/taxii2/", auth=HTTPBasicAuth("client", token)).api_roots
            bundles = [one.get_objects() for root in roots if "municipality" in root.url for one in root.collections]
        except requests.ConnectionError:
            assert time.monotonic() < until_s, "the city's server is away"
            time.sleep(1)
        else:
            objects = [one for bundle in bundles for one in bundle.get("objects", [])]
            return [one["pattern"] for one in objects if one["type"] == "indicator"]


@pytest.mark.timeout(900)
def test_a_leak_is_promoted_with_one_key_and_crosses_under_an_agreement_only(
    demo: Installation, log_in: OpenPage
) -> None:
    impetus(demo, "organisation", "add", STRANGER, "Fire service of Aurelia")
    partner, stranger = token_of(demo, PARTNER), token_of(demo, STRANGER)
    agree(demo)

    page = log_in(demo.login("it-security"), "/tools/cti")
    row = page.locator(".cti-row", has_text="Northeye")
    expect(row).to_be_visible(timeout=120_000)
    row.click()
    expect(page.locator(".cti-passage mark.cti-match").first).to_be_visible()
    assert SECRET not in page.content()
    picture(page, "item")
    with closing(demo.client(demo.login("it-security"))) as analyst:
        alerts = analyst.get("/api/v1/alerts").raise_for_status().json()["items"]
    assert any("Northeye" in str(alert) for alert in alerts)
    assert LEAKED not in indicators(demo, partner), "nothing crosses before a person promoted it"

    page.locator(".cti-list").focus()
    page.keyboard.press("p")
    expect(page.locator(".cti-state")).to_contain_text("promoted", timeout=60_000)
    expect(row).to_have_count(0)
    picture(page, "promoted")
    until_s = time.monotonic() + 120
    while LEAKED not in indicators(demo, partner):
        assert time.monotonic() < until_s, "the partner's client did not find the indicator"
        time.sleep(1)
    assert indicators(demo, stranger) == []
