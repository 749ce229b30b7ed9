"""Alerts that the browser tests raise, as a machine of an organisation sends them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from playwright.sync_api import Locator, Page

from impetus.api.tests.examples import WORKSHEET
from tests.installation import Installation


def machine_of(demo: Installation) -> httpx.Client:
    """A client of a machine of the municipality that may raise alerts."""
    with closing(demo.client(demo.login("administrator"))) as administrator:
        answer = administrator.post("/api/v1/tokens", json={"title": "test", "scopes": ["alerts:write"]})
        answer.raise_for_status()
    token = answer.json()["token"]
    with closing(demo.client(demo.login("data-protection-officer"))) as officer:
        approve_elsewhere(officer, "camera")
    return httpx.Client(base_url=demo.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def approve_elsewhere(officer: httpx.Client, tool: str) -> None:
    """Enter a tool that runs elsewhere in the register, and approve it; nothing where that was done already."""
    if officer.get(f"/api/v1/data-protection/{tool}").json()["runs"]:
        return
    officer.put(f"/api/v1/data-protection/{tool}", json={"version": 0, "worksheet": WORKSHEET}).raise_for_status()
    officer.post(
        f"/api/v1/data-protection/{tool}/decisions",
        json={
            "outcome": "approved",
            "reason": "a test",
            "until": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
            "version": 1,
        },
    ).raise_for_status()


def raise_alert(machine: httpx.Client, headline: str, **changes: Any) -> str:
    """An alert of a camera of its own, so that it is no repeat of another one; returns its id."""
    now = datetime.now(UTC).isoformat()
    alert = {
        "tool": "camera",
        "detector": "test",
        "source": f"camera-{uuid4().hex[:12]}",
        "headline": headline,
        "category": "Security",
        "severity": "Minor",
        "urgency": "Expected",
        "confidence": 0.5,
        "onset": now,
        "sent": now,
        "model": {"name": "test", "version": "1"},
        **changes,
    }
    answer = machine.post("/api/v1/alerts", json=alert)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def row(page: Page, alert: str) -> Locator:
    """The alert's row in the queue."""
    return page.locator(f'#queue-grid .ag-row[row-id="{alert}"]')
