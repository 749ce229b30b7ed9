"""Protects that people arrange their dashboards, an administrator composes one, and an incident's report opens."""

from __future__ import annotations

from contextlib import closing

from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.installation import Installation


def order(page: Page) -> list[str]:
    found: list[str] = page.locator("#dash > .dash-panel").evaluate_all("(all) => all.map((one) => one.dataset.panel)")
    return found


def test_a_person_rearranges_by_keyboard_and_it_stays(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("planner"), "/dashboards/planner")
    expect(page.locator("#dash .map.leaflet-container")).to_be_visible()
    before = order(page)
    page.click("#dash-arrange")
    page.locator('[data-panel="map"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    page.locator('[data-panel="unusual"]').focus()
    page.keyboard.press("Delete")
    page.select_option("#dash-add", "status")
    expect(page.locator('[data-panel="status"]')).to_be_visible()
    page.click("#dash-save")
    expect(page.locator("#dash-origin")).to_have_text("arranged by you")
    page.reload()
    expect(page.locator('[data-panel="status"]')).to_contain_text("running")
    assert order(page) == [before[1], before[0], *before[2:-1], "status"]
    expect(page.locator('[data-panel="map"]')).to_have_attribute("data-width", "7")
    page.click("#dash-arrange")
    page.click("#dash-reset")
    expect(page.locator('[data-panel="unusual"]')).to_be_visible()
    assert order(page) == before


def test_an_administrator_composes_one_for_a_new_role_and_a_person_begins_there(
    demo: Installation, log_in: OpenPage
) -> None:
    page = log_in(demo.login("administrator"), "/dashboards/compose")
    page.fill("[name=name]", "duty-officer")
    page.fill("[name=title]", "Duty <b>officer</b>")
    for panel in ("incidents", "anomaly:overview"):
        if page.locator(f'#dash-add option[value="{panel}"]').count():
            page.select_option("#dash-add", panel)
            expect(page.locator(f'[data-panel="{panel}"]')).to_be_visible()
    page.click("#compose-save")
    page.wait_for_url("**/dashboards/duty-officer?compose=true")
    page.check('[data-person="analyst"]')
    expect(page.locator("#toasts")).to_contain_text("begins here")

    analyst = log_in(demo.login("analyst"), "/start")
    analyst.wait_for_url("**/dashboards/duty-officer")
    expect(analyst.locator("h1")).to_have_text("Duty <b>officer</b>")
    expect(analyst.locator('[data-panel="incidents"]')).to_be_visible()

    police = log_in(demo.login("administrator", "police"), "/dashboards")
    expect(police.locator("#work")).not_to_contain_text("Duty")
    page.uncheck('[data-person="analyst"]')
    expect(page.locator("#toasts")).to_contain_text("any more")


def test_the_report_of_an_incident_opens(demo: Installation, log_in: OpenPage) -> None:
    with closing(demo.client(demo.login("operator"))) as client:  # entered already: it has logged in
        made = client.post("/api/v1/incidents", json={"title": "Łódź, Tromsø, Forlì <i>", "alerts": []})
        assert made.status_code == 201, made.text
        incident = made.json()["id"]
        file = client.get(f"/incidents/{incident}/report.pdf")
        assert file.content.startswith(b"%PDF-")
    page = log_in(demo.login("operator"), f"/incidents/{incident}")
    expect(page.locator('#room [data-slot="title"]')).to_have_text("Łódź, Tromsø, Forlì <i>")
    page.click('[data-show="evidence"]')
    expect(page.locator("#room-evidence-empty")).to_be_visible()
    page.goto(f"{demo.url}/incidents/{incident}/report")
    expect(page.locator("h1")).to_have_text("Łódź, Tromsø, Forlì <i>")
