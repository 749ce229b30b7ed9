"""Protects the page of the rules: who sees it, what a trial and a refusal show, and the tool's reliability."""

from __future__ import annotations

from impetus.ui.tests.conftest import Ui


async def test_rules_are_tried_refused_and_put_into_force(ui: Ui) -> None:
    async with ui.person("sofia") as browser:
        page = await browser.get("/rules")
        assert page.status_code == 200
        assert "Security alerts at one place" in page.text
        assert "htmx.min.js" in page.text
        assert "correlation.css" in page.text
        tried = await browser.post("/rules/trial", data={"content": "ties: []"})
        assert tried.status_code == 200
        assert "every alert stays by itself" in tried.text
        wrong = await browser.post("/rules/trial", data={"content": "ties: [{title: a, distance_m: -1}]"})
        assert wrong.status_code == 422
        assert "distance_m" in wrong.text
        kept = await browser.post("/rules", data={"content": "ties: []", "version": "0"})
        assert kept.status_code == 200
        assert 'value="1"' in kept.text
        assert (await browser.post("/rules", data={"content": "ties: []", "version": "0"})).status_code == 409


async def test_an_operator_does_not_change_rules(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        assert (await browser.get("/rules")).status_code == 403


async def test_a_tools_page_says_how_far_it_is_to_be_believed(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        page = await browser.get("/tools/anomaly")
        assert page.status_code == 200
        assert "How far it is to be believed" in page.text
