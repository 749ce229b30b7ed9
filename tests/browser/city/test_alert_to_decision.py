"""Protects the one way that everything else is for: a sensor's reading becomes a decision that the right people see."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tests.browser.alerts import row
from tests.browser.conftest import OpenPage
from tests.installation import Installation

IMPOSSIBLE = 9_999
WEATHER = ("wind-speed", "air-temperature", "water-level")


def alerts(demo: Installation) -> list[dict[str, object]]:
    with demo.client() as client:
        items: list[dict[str, object]] = client.get("/api/v1/alerts", params={"limit": 200}).json()["items"]
        return items


def raise_alert(demo: Installation) -> str:
    """Let a sensor that was well so far send what cannot be, over MQTT, and wait for the alert; returns its id.

    The tool reads two weeks of history first.
    """
    troubled = {each["source"] for each in alerts(demo)}
    with demo.client() as client:
        known = client.get("/api/v1/datastreams", params={"limit": 500}).json()["items"]
    sensor = next(each["id"] for each in known if each["observed_property"] in WEATHER and each["id"] not in troubled)
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        demo.send(sensor, IMPOSSIBLE)
        for alert in alerts(demo):
            if alert["source"] == sensor:
                return str(alert["id"])
        time.sleep(0.2)
    raise AssertionError(f"no alert of {sensor}\n{demo.logs()}")


def newest_first(page: Page) -> None:
    page.click('#queue-order [data-order="time"]')


def test_an_alert_arrives_live_is_acknowledged_confirmed_and_becomes_an_incident_that_others_see(
    demo: Installation, log_in: OpenPage
) -> None:
    operator = log_in(demo.login("operator"))
    colleague = log_in(demo.login("supervisor"))
    police = log_in(demo.login("operator", "police"))
    for page in (operator, colleague, police):
        newest_first(page)

    alert = raise_alert(demo)

    # It comes by itself to both screens of the municipality.
    expect(row(operator, alert)).to_be_visible()
    expect(row(colleague, alert)).to_be_visible()
    expect(row(operator, alert)).to_contain_text("cannot be 9999")

    row(operator, alert).click()
    expect(operator.locator("#detail [data-slot=headline]")).to_contain_text("cannot be 9999")
    expect(operator.locator("#detail [data-slot=factors]")).to_contain_text("range")

    operator.keyboard.press("a")
    expect(row(colleague, alert)).to_contain_text("acknowledged")
    expect(operator.locator("#detail [data-slot=state]")).to_have_text("acknowledged")
    operator.keyboard.press("c")
    expect(operator.locator("#detail [data-slot=state]")).to_have_text("confirmed")

    # The colleague sees who decided, without a reload.
    expect(colleague.locator("#decisions")).to_contain_text("Mira Kovač")

    # Correlation may have put it with others into a candidate meanwhile: what the operator says goes before that.
    operator.keyboard.press("n")
    dialog = operator.locator("#incident-dialog")
    dialog.locator("[name=title]").fill("Anemometer of the harbour mole")
    with operator.expect_response(lambda answer: answer.request.method == "POST") as opened:
        dialog.locator("button[value=yes]").click()
    assert opened.value.ok, opened.value.text()
    incident = opened.value.json()
    link = operator.locator("#detail [data-slot=incident]")
    expect(link).to_have_attribute("href", f"/incidents/{(incident.get('incident') or incident)['id']}")
    expect(link).to_be_visible()
    link.click()
    operator.wait_for_url(re.compile("/incidents/"))
    work = operator.locator("#work")
    expect(work).to_contain_text("Anemometer of the harbour mole")
    expect(work).to_contain_text("cannot be 9999")
    expect(work).to_contain_text("Mira Kovač")

    # Nothing of it crosses to another organisation.
    expect(row(police, alert)).to_have_count(0)
    expect(police.locator("#queue-grid")).to_contain_text("No alert")
    police.goto(f"{demo.url}/incidents")
    expect(police.locator("#work")).not_to_contain_text("Anemometer of the harbour mole")
    police.goto(operator.url)
    expect(police.locator("body")).not_to_contain_text("Anemometer")


def test_two_people_who_decide_at_once_are_told_of_each_other(demo: Installation, log_in: OpenPage) -> None:
    first = log_in(demo.login("operator"))
    second = log_in(demo.login("supervisor"))
    alert = raise_alert(demo)
    for page in (first, second):
        newest_first(page)
        row(page, alert).click()
        expect(page.locator("#detail [data-decide=confirm]")).to_be_enabled()
    # The second screen hears nothing while the first decides: its next decision is one on an outdated state.
    second.context.set_offline(True)
    first.keyboard.press("c")
    expect(first.locator("#detail [data-slot=state]")).to_have_text("confirmed")
    second.context.set_offline(False)
    second.keyboard.press("e")
    expect(second.locator("#detail [data-slot=state]")).to_have_text("confirmed")
    with demo.client() as client:
        record = client.get(f"/api/v1/alerts/{alert}").json()
    assert record["state"] == "confirmed"
    assert [each["action"] for each in record["history"]] == ["confirm"]


def test_a_dismissal_asks_for_its_reason(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"))
    newest_first(page)
    alert = raise_alert(demo)
    row(page, alert).click()
    page.keyboard.press("d")
    dialog = page.locator("#reason-dialog")
    dialog.locator("[name=reason]").fill("The anemometer is being repaired <b>today</b>")
    dialog.locator("button[value=yes]").click()
    expect(page.locator("#detail [data-slot=state]")).to_have_text("dismissed")
    expect(page.locator("#detail [data-slot=timeline]")).to_contain_text("repaired <b>today</b>")
