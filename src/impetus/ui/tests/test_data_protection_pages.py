"""Protects: an officer approves a tool in the pages, the public sees it without logging in, checklists are signed."""

from __future__ import annotations

import re

from impetus.ui.guides_reading import VOLUMES, checklists
from impetus.ui.languages import LANGUAGES
from impetus.ui.tests.conftest import Ui

SHEET = {
    "version": "0",
    "legal_basis": "no-personal-data",
    "data_classes": "operational",
    "retention_days": "30",
    "purposes": "noticing unusual situations",
    "necessity": "calls come late",
    "responsible": "Head of the control room",
    "contact": "privacy@example.org",
    "risk_title": ["False alerts", ""],
    "likelihood": ["3", "2"],
    "severity": ["2", "2"],
    "measure": ["a person decides", ""],
    "remaining": ["1", "1"],
}


async def test_a_new_city_approves_its_first_tool(ui: Ui) -> None:
    async with ui.person("dora") as dora, ui.person("olivia") as olivia, ui.browser() as citizen:
        listed = (await dora.get("/data-protection")).text
        assert 'data-runs="true"' not in listed
        before = (await citizen.get("/register")).text
        assert "No program runs here." in before
        sheet = (await dora.get("/data-protection/anomaly")).text
        assert "noticing unusual situations in public spaces early" in sheet
        assert 'value="approved"' not in sheet
        kept = await dora.post("/data-protection/anomaly", data=SHEET)
        assert kept.status_code == 303, kept.text
        refused = await olivia.post(
            "/data-protection/anomaly/decisions", data={"outcome": "approved", "reason": "me", "version": "1"}
        )
        assert refused.status_code == 403
        decided = await dora.post(
            "/data-protection/anomaly/decisions", data={"outcome": "approved", "reason": "fine", "version": "1"}
        )
        assert decided.status_code == 303, decided.text
        assert 'data-runs="true"' in (await dora.get("/data-protection")).text
        shown = ""
        for language in LANGUAGES:
            shown = (await citizen.get("/register", headers={"accept-language": language})).text
            assert "Head of the control room" in shown
            assert f'lang="{language}"' in shown
        assert "Dora" not in shown
        gone = await dora.post(
            "/data-protection/anomaly/decisions", data={"outcome": "withdrawn", "reason": "a complaint", "version": "2"}
        )
        assert gone.status_code == 303
        assert "Head of the control room" not in (await citizen.get("/register")).text


async def test_an_incomplete_sheet_is_told_what_it_lacks_and_nothing_in_it_is_markup(ui: Ui) -> None:
    async with ui.person("dora") as dora:
        await dora.post("/data-protection/air", data=SHEET | {"necessity": "", "purposes": "<script>x</script>"})
        page = (await dora.get("/data-protection/air")).text
        assert "Why less would not do" in page
        assert "<script>x" not in page
        answer = await dora.post(
            "/data-protection/air/decisions", data={"outcome": "approved", "reason": "x", "version": "1"}
        )
        assert answer.status_code == 409
        assert "necessity" in answer.text
        assert (await dora.post("/data-protection/air", data={"version": "x"})).status_code == 422
        elsewhere = await dora.get("/data-protection", params={"tool": "camera-of-a-partner"})
        assert elsewhere.status_code == 303
        assert "runs elsewhere" in (await dora.get(elsewhere.headers["location"])).text
    async with ui.person("olivia") as olivia:
        assert (await olivia.get("/data-protection/none")).status_code == 404


async def test_a_case_is_opened_and_answered_in_the_page(ui: Ui) -> None:
    async with ui.person("olivia") as olivia, ui.person("dora") as dora:
        body = {"kind": "subject-request", "title": "Access", "reason": "a letter of 3 March", "subject": "in words"}
        assert (await olivia.post("/cases", data=body)).status_code == 303
        page = (await dora.get("/cases?kind=subject-request")).text
        assert "a letter of 3 March" in page
        found = re.search(r"/cases/([0-9a-f-]{36})/steps", page)
        assert found is not None
        answer = await dora.post(
            f"/cases/{found[1]}/steps",
            data={"action": "close", "text": "sent on 9 March", "kind": "subject-request", "version": "1"},
        )
        assert answer.status_code == 303
        assert "sent on 9 March" in (await dora.get("/cases?kind=subject-request")).text


async def test_the_guides_are_read_and_a_checklist_is_filled_in_signed_and_exported(ui: Ui) -> None:
    async with ui.person("olivia") as olivia:
        for volume in VOLUMES:
            assert (await olivia.get(f"/guides/{volume}")).status_code == 200
        assert (await olivia.get("/guides/../secrets")).status_code == 404
        begun = await olivia.post("/guides/checklists/operations-roles")
        assert begun.status_code == 303
        address = begun.headers["location"]
        kept = await olivia.post(address, data={"version": "1", "done": ["0", "2"], "notes": "<b>ok", "action": "note"})
        assert kept.status_code == 303
        page = (await olivia.get(address)).text
        assert page.count(" checked") == 2
        assert "&lt;b&gt;ok" in page
        omar = ui.house.users["omar"]
        assert f'<option value="{omar.id}">Omar Example' in page
        given = await olivia.post(
            address, data={"version": "2", "done": ["0"], "action": "assign", "assignee": omar.id}
        )
        assert given.status_code == 303
        assert f'<option value="{omar.id}" selected>' in (await olivia.get(address)).text
        signed = await olivia.post(address, data={"version": "3", "done": ["0", "1", "2", "3"], "action": "close"})
        assert signed.status_code == 303
        exported = await olivia.get(address.replace("/filled/", "/export/"))
        assert exported.text.count("- [x]") == 4
        assert "Olivia Example: close signed" in exported.text
        assert (await olivia.post(address, data={"version": "4", "action": "note"})).status_code == 409


def test_each_checklist_is_written_in_every_language() -> None:
    for one in checklists().values():
        assert set(one.title) == set(LANGUAGES)
        assert one.items
        for item in one.items:
            assert set(item) == set(LANGUAGES), one.id
