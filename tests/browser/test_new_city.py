"""Protects: in a new city no tool runs until the data-protection officer has approved it, and all of it is done in the
browser: the worksheet, the approval, what the public sees, the withdrawal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.load import faulty_sensors
from tests.servers import free_port

PASSWORD = "correct horse battery staple"
WAIT_S = 90.0


def command(home: Path, *words: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """A command of a new installation."""
    return subprocess.run(
        [sys.executable, "-m", "impetus.cli", *words],
        input=given,
        text=True,
        capture_output=True,
        check=True,
        timeout=120,
        env={**os.environ, "IMPETUS_HOME": str(home), **more},
    )


@pytest.fixture
def city(tmp_path: Path) -> Iterator[str]:
    """A city as it is on its first day: one organisation, its officer, a sensor, and what `impetus serve` runs."""
    home = tmp_path / "home"
    command(home, "organisation", "add", "municipality", "City of Aurelia")
    for name, role in (("dora", "data-protection-officer"), ("olivia", "operator")):
        command(
            home, "user", "add", name, f"{name.title()} Example", "--role", role, "--organisation", "municipality",
            given=PASSWORD,
        )  # fmt: skip
    sensors = tmp_path / "sensors.jsonl"
    sensors.write_text(f"{faulty_sensors(1)[0].model_dump_json()}\n")
    command(home, "sensor", "import", str(sensors), "--organisation", "municipality")
    port = free_port()
    others = sorted({entry.name for entry in entry_points(group="impetus.tools")} - {"anomaly"})
    listener = {"kind": "embedded", "tenant": "municipality", "host": "127.0.0.1", "port": free_port()}
    with (tmp_path / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "impetus.cli", "serve", "--port", str(port)],
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "IMPETUS_HOME": str(home),
                "IMPETUS_DISABLED_TOOLS": json.dumps(others),
                "IMPETUS_MQTT__CONNECTIONS": json.dumps([listener]),
            },
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(url), "the pages answer")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"this did not happen in {WAIT_S:.0f} s: {what}"
        time.sleep(0.5)


def says(page: Page, url: str) -> str:
    """What the worker of the tool says on the status board."""
    parts = page.request.get(f"{url}/api/v1/status").json()["parts"]
    return " ".join(f"{part['state']} {part['text']}" for part in parts if "anomaly" in part["part"])


def test_nothing_runs_before_the_officer_said_so(city: str, chromium: Browser) -> None:
    context = chromium.new_context(locale="en-GB")
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{city}/login")
        page.fill("input[name=name]", "dora")
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(lambda address: "/login" not in address)
        until(lambda: "approved" in says(page, city), "the worker says that it waits for an approval")

        page.goto(f"{city}/data-protection")
        expect(page.locator('[data-runs="true"]')).to_have_count(0)
        page.click('a[href="/data-protection/anomaly"]')
        page.fill("textarea[name=necessity]", "Calls come minutes later than the sensors tell.")
        page.fill("input[name=responsible]", "Head of the control room")
        page.fill("input[name=contact]", "privacy@aurelia.example")
        for measure in page.locator("input[name=risk_title]").all():
            if measure.input_value():
                row = measure.locator("xpath=ancestor::tr")
                row.locator("input[name=measure]").fill("A person decides on each alert.")
        page.get_by_role("button", name="Keep the worksheet").click()
        reason = page.locator("form[hx-post$='/decisions'] textarea[name=reason]")
        reason.fill("Seen with the head of the control room.")
        assert "approved" in says(page, city), "a worksheet alone starts nothing"
        page.get_by_role("button", name="Approve").click()
        expect(page.locator('[data-runs="true"]')).to_have_count(1)
        until(lambda: "has not approved" not in says(page, city), "the tool runs")

        citizen = chromium.new_context(locale="nb-NO")
        register = citizen.new_page()
        register.goto(f"{city}/register")
        expect(register.get_by_text("Head of the control room")).to_be_visible()
        expect(register.locator("html")).to_have_attribute("lang", "nb")
        citizen.close()

        page.locator("form[hx-post$='/decisions'] textarea[name=reason]").fill("A complaint is looked into.")
        page.get_by_role("button", name="Withdraw").click()
        expect(page.locator('[data-runs="true"]')).to_have_count(0)
        until(lambda: "withdrew" in says(page, city), "the tool is stopped")
        assert "Head of the control room" not in httpx.get(f"{city}/register", timeout=10).text
    finally:
        context.close()
