"""Protects what people decide together on an incident: giving alerts away, classifying, merging, splitting, and a
procedure that three roles carry to its end, each in a browser of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.alerts import machine_of, raise_alert, row
from tests.browser.conftest import OpenPage
from tests.installation import Installation


@pytest.fixture(scope="module")
def machine(demo: Installation) -> Iterator[httpx.Client]:
    """A machine of the municipality."""
    with machine_of(demo) as client:
        yield client


def open_incident(demo: Installation, title: str, alerts: list[str]) -> str:
    with closing(demo.client(demo.login("operator"))) as client:
        answer = client.post("/api/v1/incidents", json={"title": title, "severity": "Moderate", "alerts": alerts})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def in_queue(demo: Installation, alerts: list[str]) -> None:
    """Wait until the alerts are there to be decided on."""
    with demo.client() as client:
        for alert in alerts:
            for _ in range(100):
                if client.get(f"/api/v1/alerts/{alert}").status_code == 200:
                    break


def say_yes(page: Page, dialog: str) -> None:
    page.locator(f"#{dialog} button[value=yes]").click()
    expect(page.locator(f"#{dialog}")).to_be_hidden()


def test_a_held_alert_is_given_to_a_colleague_and_released(
    machine: httpx.Client, demo: Installation, log_in: OpenPage
) -> None:
    operator = log_in(demo.login("operator"))
    colleague = log_in(demo.login("it-security"))
    for page in (operator, colleague):
        page.click('#queue-order [data-order="time"]')
    alert = raise_alert(machine, "To be given away", confidence=0.9)
    row(operator, alert).click()
    detail = operator.locator("#detail")
    expect(detail.locator("[data-decide=acknowledge]")).to_be_enabled()
    expect(detail.locator("[data-decide=release]")).to_be_hidden()
    operator.keyboard.press("a")
    expect(detail.locator("[data-slot=handled]")).to_have_text("held by Mira Kovač")
    operator.keyboard.press("h")
    operator.locator("#give-dialog [name=person]").select_option(label="Piotr Zielinski")
    operator.locator("#give-dialog [name=reason]").fill("You know this camera")
    say_yes(operator, "give-dialog")
    expect(detail.locator("[data-slot=handled]")).to_have_text("held by Piotr Zielinski")
    expect(detail.locator("[data-decide=assign]")).to_be_hidden()  # it is not the operator's to give any more

    row(colleague, alert).click()
    mine = colleague.locator("#detail")
    expect(mine.locator("[data-slot=timeline]")).to_contain_text("You know this camera")
    expect(mine.locator("[data-decide=release]")).to_be_visible()
    colleague.keyboard.press("r")
    expect(mine.locator("[data-slot=state]")).to_have_text("new")
    expect(detail.locator("[data-slot=state]")).to_have_text("new")


def test_an_incident_is_classified_split_and_merged_and_others_see_it(
    machine: httpx.Client, demo: Installation, log_in: OpenPage
) -> None:
    alerts = [raise_alert(machine, f"Part {number} of one thing", category="Other") for number in range(3)]
    in_queue(demo, alerts)
    incident = open_incident(demo, "One thing, perhaps two", alerts)
    page = log_in(demo.login("operator"), f"/incidents/{incident}")
    reader = log_in(demo.login("supervisor"), f"/incidents/{incident}")
    expect(page.locator("#room-alerts tr")).to_have_count(3)

    page.keyboard.press("c")
    dialog = page.locator("#classify-dialog")
    dialog.locator("[name=threat_class][value=specific]").check()
    dialog.locator("[name=severity]").select_option("Severe")
    dialog.locator("[name=confidence]").fill("80")
    dialog.locator("[name=reason]").fill("A caller named the <place>")
    say_yes(page, "classify-dialog")
    for one in (page, reader):
        expect(one.locator("[data-slot=severity]")).to_have_text("Severe")
        expect(one.locator("[data-slot=threat]")).to_have_text("specific")
        expect(one.locator("[data-slot=sure]")).to_have_text("80%")
        expect(one.locator("[data-slot=classified]")).to_contain_text("Mira Kovač")
        expect(one.locator("#story")).to_contain_text("A caller named the <place>")

    page.keyboard.press("s")
    dialog = page.locator("#split-dialog")
    dialog.locator("label").filter(has_text="Part 1").locator("input").check()
    expect(dialog.locator("[name=title]")).to_have_value("Part 1 of one thing")
    dialog.locator("[name=title]").fill("The other thing")
    dialog.locator("[name=reason]").fill("Another street")
    say_yes(page, "split-dialog")
    page.wait_for_url(lambda url: "/incidents/" in url and incident not in url)
    expect(page.locator("#room-alerts tr")).to_have_count(1)
    expect(page.locator("[data-slot=title]")).to_have_text("The other thing")
    expect(reader.locator("#room-alerts tr")).to_have_count(2)

    page.keyboard.press("m")
    dialog = page.locator("#merge-dialog")
    dialog.locator("label").filter(has_text="One thing, perhaps two").locator("input").check()
    dialog.locator("[name=reason]").fill("It was one after all")
    say_yes(page, "merge-dialog")
    expect(page.locator("[data-slot=merged-into]")).to_be_visible()
    expect(page.locator("[data-slot=state]")).to_have_text("closed")
    expect(reader.locator("#room-alerts tr")).to_have_count(3)
    expect(reader.locator("[data-slot=merged]")).to_contain_text("The other thing")

    reader.locator("[data-undo]").click()
    reader.locator("#reason-dialog [name=reason]").fill("No, two")
    say_yes(reader, "reason-dialog")
    expect(reader.locator("#room-alerts tr")).to_have_count(2)
    expect(page.locator("[data-slot=merged-into]")).to_be_hidden()
    expect(page.locator("#room-alerts tr")).to_have_count(1)


def do_task(page: Page, title: str, **answers: str) -> None:
    """Choose a task that came by itself, answer it, and say that it is done."""
    card = page.locator("#tasks .task-card, .procedures-side .task-card").filter(has_text=title)
    expect(card).to_be_visible()
    card.click()
    form = page.locator("form.task-form")
    expect(form.locator("h3").first).to_have_text(title)
    for name, value in answers.items():
        choice = form.locator(f"input[type=radio][name={name}]")
        if choice.count():
            form.locator(f"[name={name}][value={value}]").check()
        else:
            form.locator(f"[name={name}]").fill(value)
    form.locator("[data-complete]").click()
    expect(card).to_have_count(0)


def test_three_roles_carry_a_procedure_to_its_end(demo: Installation, log_in: OpenPage) -> None:
    incident = open_incident(demo, "Crush at the north gate", [])
    with closing(demo.client(demo.login("supervisor"))) as client:
        channel = {"id": "loudspeakers", "title": "Loudspeakers", "gap_s": 0}
        kept = client.post("/api/v1/channels", json={"channel": channel, "address": "json://127.0.0.1:9/loud"})
        assert kept.status_code == 201, kept.text
    operator = log_in(demo.login("operator"), f"/procedures?incident={incident}")
    planner = log_in(demo.login("planner"), "/procedures")
    supervisor = log_in(demo.login("supervisor"), "/procedures")
    for page in (operator, planner, supervisor):
        expect(page.locator("#connection")).to_have_text("Live")
    expect(operator.locator("#work")).to_contain_text("No procedure is under way")

    operator.locator("[data-start]").click()
    operator.locator("dialog[open] label").filter(has_text="Crowd crush").locator("input").check()
    operator.locator("dialog[open] button[value=yes]").click()
    do_task(operator, "Judge density and movement", level="rising")

    # The planner's task comes up by itself, with the message that the procedure drafted.
    do_task(planner, "Have it announced, pause the programme", announced="made")
    operator.locator("[data-send]").click()
    dialog = operator.locator("dialog[open]")
    dialog.locator("textarea").fill("Please stay where you are. <b>Gate 3 is open.</b>")
    dialog.locator("label").filter(has_text="Loudspeakers").locator("input").check()
    dialog.locator("button.primary").click()
    expect(operator.locator(".draft")).to_contain_text("Mira Kovač let it go out")
    do_task(operator, "Stop the inflow, far away from the front", inflow="stopped")
    do_task(supervisor, "Does it help?", effect_is="better")
    do_task(planner, "Let in again with a limit", cause="A closed gate")

    with demo.client() as client:
        (room,) = client.get(f"/api/v1/incidents/{incident}/procedures").json()["items"]
    assert room["run"]["state"] == "completed"
    people = {event["person_name"] for event in room["events"] if event["action"] == "complete"}
    assert people == {"Mira Kovač", "Greta Moen", "Jonas Lindqvist"}
    (sending,) = room["run"]["drafts"][0]["sendings"]
    assert sending["text"] == "Please stay where you are. <b>Gate 3 is open.</b>"
    expect(operator.locator(".procedures-part .panel-head .state")).to_have_attribute("data-state", "completed")
    expect(operator.locator(".task-card")).to_have_count(0)
