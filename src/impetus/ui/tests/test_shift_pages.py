"""Protects the pages of the shift: who sees what, giving away, handing over, and the page that is printed."""

from __future__ import annotations

import re

from impetus.model import new_id
from impetus.situation.decisions import AlertDecision
from impetus.situation.tests.house import HOSTILE, an_alert
from impetus.ui.tests.conftest import Ui


async def holding(ui: Ui, name: str, headline: str) -> str:
    alert = an_alert(source=new_id(), headline=headline)
    await ui.house.situation.alerts.ingest("municipality", [alert])
    decision = AlertDecision.model_validate({"action": "acknowledge", "version": 1})
    await ui.house.situation.alerts.decide(ui.house.person(name), alert.id, decision)
    return alert.id


async def test_an_operator_sees_the_own_alerts_and_a_supervisor_everybodys(ui: Ui) -> None:
    await holding(ui, "olivia", "Crash at the bridge")
    async with ui.person("olivia") as browser:
        page = (await browser.get("/shift")).text
        assert "Crash at the bridge" in page
        assert "Who holds what" not in page
        other = ui.house.users["omar"].id
        assert "Crash at the bridge" in (await browser.get(f"/shift?person={other}")).text
    async with ui.person("sofia") as browser:
        page = (await browser.get(f"/shift?person={ui.house.users['olivia'].id}")).text
        assert "Who holds what" in page
        assert "Crash at the bridge" in page
    async with ui.person("ada") as browser:
        assert (await browser.get("/shift")).status_code == 403
    async with ui.person("pia") as browser:
        assert "Crash at the bridge" not in (await browser.get("/shift")).text


async def test_an_alert_is_given_away_and_a_refusal_says_why(ui: Ui) -> None:
    alert = await holding(ui, "olivia", "Crash")
    omar = ui.house.users["omar"].id
    form = {"action": "assign", "version": "2", "decision": new_id(), "person": omar}
    async with ui.person("olivia") as browser:
        given = await browser.post(f"/shift/alerts/{alert}", data=form)
        assert given.status_code == 200, given.text
        assert "Nothing is held" in given.text
        refused = await browser.post(f"/shift/alerts/{alert}", data=form | {"decision": new_id(), "version": "3"})
        assert refused.status_code == 403
        assert "only what you hold" in refused.text
    record, _ = await ui.house.situation.alerts.get("municipality", alert)
    assert record.holder == omar


async def test_a_shift_is_handed_over_on_the_pages(ui: Ui) -> None:
    alert = await holding(ui, "olivia", "Crash")
    async with ui.person("olivia") as browser:
        written = await browser.post("/shift/handovers", data={"id": "the-night", "text": HOSTILE.replace("\0", "")})
        assert written.status_code == 200, written.text
        assert "waits to be accepted" in written.text
    async with ui.person("omar") as browser:
        printed = (await browser.get("/handovers/the-night")).text
        assert "Crash" in printed
        assert "<script>alert(" not in printed
        accept = {"action": "accept", "version": "1", "decision": new_id()}
        accepted = await browser.post("/shift/handovers/the-night", data=accept)
        assert accepted.status_code == 200, accepted.text
        assert re.search(r"Omar Example</td>\s*<td>accepted", accepted.text)
    record, _ = await ui.house.situation.alerts.get("municipality", alert)
    assert record.holder_name == "Omar Example"
    async with ui.person("pia") as browser:
        assert (await browser.get("/handovers/the-night")).status_code == 404
