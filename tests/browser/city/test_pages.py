"""Protects what an operator relies on while working: nothing jumps, keys work, hostile text stays text, pages fit."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.alerts import machine_of, raise_alert, row
from tests.browser.conftest import OpenPage
from tests.installation import Installation

HOSTILE = '<img src=x onerror="window.taken=1"> \u202egnp.exe <script>window.taken=1</script>'
SCROLLED = "() => [...document.querySelectorAll('#queue-grid *')].some((one) => one.scrollTop > 300)"
SUPERVISOR_PAGES = ("/", "/sensors", "/incidents", "/tools", "/tools/anomaly", "/dead-letters", "/profile")
ADMINISTRATOR_PAGES = ("/sensors", "/audit", "/administration")


@pytest.fixture(scope="module")
def machine(demo: Installation) -> Iterator[httpx.Client]:
    """A machine that may raise alerts."""
    with machine_of(demo) as client:
        yield client


def rest_the_pointer(page: Page) -> None:
    """Take the pointer out of the queue, so that what comes is let in."""
    page.mouse.move(960, 5)


def first_visible_row(page: Page) -> str:
    found = page.evaluate(
        """() => {
          const top = document.querySelector("#queue-grid .ag-header").getBoundingClientRect().bottom;
          const rows = [...document.querySelectorAll("#queue-grid .ag-row")];
          rows.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
          return rows.find((row) => row.getBoundingClientRect().top >= top - 1).getAttribute("row-id");
        }"""
    )
    return str(found)


def test_hostile_text_is_shown_as_text_everywhere(machine: httpx.Client, demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"))
    place = {"geometry": {"type": "Point", "coordinates": [12.9, 44.9]}, "name": HOSTILE}
    explanation = [{"name": HOSTILE, "weight": 0.5, "observed": HOSTILE, "expected": "", "text": HOSTILE}]
    alert = raise_alert(
        machine, HOSTILE, severity="Extreme", confidence=1, place=place, explanation=explanation, description=HOSTILE
    )
    rest_the_pointer(page)
    row(page, alert).click()
    expect(page.locator("#detail [data-slot=headline]")).to_contain_text("<img src=x")
    expect(page.locator("#detail [data-slot=headline]")).to_contain_text("‹U+202E›gnp.exe")
    expect(page.locator("#detail [data-slot=factors]")).to_contain_text("<script>")
    page.keyboard.press("n")
    page.locator("#incident-dialog button[value=yes]").click()
    page.locator("#detail [data-slot=incident]").click()
    page.wait_for_url(re.compile("/incidents/"))
    expect(page.locator("#room h1")).to_contain_text("<img src=x")
    expect(page.locator("#room-alerts")).to_contain_text("<img src=x")
    assert page.evaluate("window.taken") is None


def first_row_at_rest(page: Page) -> str:
    """The first row that shows once the wheel has run out, which takes long on a busy machine."""
    seen = [first_visible_row(page)]
    while len(seen) < 4 or len(set(seen[-4:])) > 1:
        assert len(seen) < 60, "the queue does not come to rest"
        time.sleep(0.3)
        seen.append(first_visible_row(page))
    return seen[-1]


def test_what_arrives_moves_neither_the_scroll_nor_the_selection(
    machine: httpx.Client, demo: Installation, log_in: OpenPage
) -> None:
    for number in range(60):
        raise_alert(machine, f"Filler {number}", confidence=0.3)
    page = log_in(demo.login("operator"))
    grid = page.locator("#queue-grid")
    expect(grid.locator(".ag-row").nth(15)).to_be_visible()
    box = grid.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.wheel(0, 600)
    # A busy machine turns the wheel seconds later.
    page.wait_for_function(SCROLLED, timeout=60_000)
    row(page, first_row_at_rest(page)).click()
    reading = first_row_at_rest(page)
    headline = page.locator("#detail [data-slot=headline]").inner_text()

    worst = raise_alert(machine, "Worst of all", severity="Extreme", urgency="Immediate", confidence=1)
    expect(page.locator("#queue-new")).to_be_visible()
    assert first_visible_row(page) == reading
    assert page.locator("#detail [data-slot=headline]").inner_text() == headline
    expect(row(page, worst)).to_have_count(0)

    page.keyboard.press("u")
    expect(row(page, worst)).to_be_visible()
    expect(page.locator("#queue-new")).to_be_hidden()
    assert page.locator("#detail [data-slot=headline]").inner_text() == headline


def test_an_operator_needs_no_mouse(machine: httpx.Client, demo: Installation, log_in: OpenPage) -> None:
    # Two alerts of this try alone: the rest of the city's move while the keys are pressed.
    word = f"keyboard{uuid4().hex[:8]}"
    raise_alert(machine, f"First for the {word}", confidence=0.9)
    raise_alert(machine, f"Second for the {word}", severity="Severe")
    page = log_in(demo.login("operator"))
    rest_the_pointer(page)
    rows = page.locator("#queue-grid .ag-row")
    expect(rows.first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(word)
    expect(rows).to_have_count(2)
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    expect(page.locator("#detail [data-slot=headline]")).not_to_be_empty()
    first = page.locator("#detail [data-slot=id]").inner_text()
    page.keyboard.press("j")
    expect(page.locator("#detail [data-slot=id]")).not_to_have_text(first)
    page.keyboard.press("k")
    expect(page.locator("#detail [data-slot=id]")).to_have_text(first)
    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_visible()
    page.keyboard.press("a")  # not while a dialog is open
    page.keyboard.press("Escape")
    expect(page.locator("#help-dialog")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(f"second for the {word}")
    expect(rows).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/sensors**")
    # Keys are heard once the page stands.
    expect(page.locator("#connection")).to_have_text("Live")
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/incidents")


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1366, 768)])
def test_every_page_fits_its_screen_and_names_its_parts(
    demo: Installation, log_in: OpenPage, width: int, height: int
) -> None:
    for role, paths in (("supervisor", SUPERVISOR_PAGES), ("administrator", ADMINISTRATOR_PAGES)):
        page = log_in(demo.login(role), width=width, height=height)
        for path in paths:
            page.goto(f"{demo.url}{path}")
            expect(page.locator("#connection")).to_have_text("Live")
            expect(page.locator("main")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate("document.documentElement.scrollHeight") <= height, path
            unnamed = page.evaluate(
                """() => [...document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea")]
                  .filter((each) => each.offsetParent && !each.textContent.trim() && !each.labels?.length
                    && !each.getAttribute("aria-label") && !each.title).map((each) => each.outerHTML)"""
            )
            assert unnamed == [], path


def test_a_sensors_series_is_shown_for_the_chosen_range(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"), "/sensors")
    page.fill("#sensor-search", "sound")
    rows = page.locator("#sensor-grid .ag-row")
    expect(rows.first).to_contain_text("Sound")
    rows.first.click()
    expect(page.locator("[data-series-title]")).to_have_text("Sound level")
    expect(page.locator("#series-chart canvas")).to_be_visible()
    with page.expect_response(re.compile(r"/observations\?")) as answer:
        page.click('#series-range [data-hours="168"]')
    assert len(answer.value.json()["time"]) > 50


def test_a_note_in_an_incident_room_is_seen_by_the_others(demo: Installation, log_in: OpenPage) -> None:
    with demo.client() as client:
        answer = client.post("/api/v1/incidents", json={"title": "A note's incident", "alerts": []})
        answer.raise_for_status()
    path = f"/incidents/{answer.json()['id']}"
    writer = log_in(demo.login("operator"), path)
    reader = log_in(demo.login("supervisor"), path)
    expect(reader.locator("#connection")).to_have_text("Live")
    writer.fill("#note", "Patrol 4 is on the spot <now>")
    writer.click("#note-form button")
    expect(reader.locator("#story")).to_contain_text("Patrol 4 is on the spot <now>")
    expect(reader.locator("#story")).to_contain_text("Mira Kovač")
    writer.locator("[data-action=contain]").or_(writer.locator("[data-action=open]")).first.click()
    writer.locator("#reason-dialog [name=reason]").fill("All under control")
    writer.locator("#reason-dialog button[value=yes]").click()
    expect(reader.locator("#story")).to_contain_text("All under control")


def test_a_dead_letter_is_looked_at_and_discarded(demo: Installation, log_in: OpenPage) -> None:
    demo.send("sound-level-nobody-has", "loud")
    page = log_in(demo.login("supervisor"), "/dead-letters")
    letter = page.locator(".letter").filter(has_text="loud").first
    for _ in range(40):
        if letter.count():
            break
        time.sleep(0.25)
        page.reload()
    name = letter.get_attribute("id")
    expect(letter.locator("pre")).to_contain_text("loud")
    letter.locator("[name=reason]").fill("A test of ours")
    letter.locator("button").click()
    expect(page.locator(f'[id="{name}"]')).to_have_count(0)


def test_the_language_is_changed_in_place(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"))
    page.click("#user-menu summary")
    page.click('#user-menu button[value="nb"]')
    expect(page.locator("#queue-title")).to_have_text("Varselkø")
    expect(page.locator("#connection")).to_have_text("Direkte")


def test_a_broken_stream_is_said_in_words_and_comes_back(demo: Installation, log_in: OpenPage) -> None:
    page = log_in(demo.login("operator"))
    expect(page.locator("#connection")).to_have_text("Live")
    page.route("**/api/v1/stream?**", lambda route: route.abort())
    page.evaluate("dispatchEvent(new Event('online'))")  # connects anew, and fails
    expect(page.locator("#connection")).to_have_text("Reconnecting")
    page.unroute("**/api/v1/stream?**")
    expect(page.locator("#connection")).to_have_text("Live")
