"""Protects that the page of notification shows who is on duty and what was sent, and that its buttons do something."""

from __future__ import annotations

from impetus.api.tests.test_notifications import CHAIN, CHANNEL, ROSTER
from impetus.bus import Delivery
from impetus.model import Severity
from impetus.situation.tests.house import HOSTILE, an_alert
from impetus.situation.views import alert_envelope
from impetus.ui.tests.conftest import Ui
from impetus.ui.tests.reading import read


async def test_the_page_shows_duty_chains_channels_and_what_climbs(ui: Ui) -> None:
    async with ui.person("sofia") as browser, ui.person("dora") as officer:
        assert (await officer.get("/notifications")).status_code == 403
        assert "No roster yet" in (await browser.get("/notifications")).text
        for path, body in (("/channels", CHANNEL), ("/rosters", ROSTER), ("/escalations", CHAIN)):
            assert (await browser.post(f"/api/v1{path}", json=body)).status_code == 201
        title = HOSTILE.replace("\u0000", "").replace("\n", " ")[:200]
        alert = an_alert(severity=Severity.SEVERE, headline=title)
        (arrival,) = await ui.house.situation.alerts.ingest("municipality", [alert])
        notification = ui.app.state.services.notification
        await notification.handle([Delivery(1, alert_envelope(arrival.record))], lambda _, __: None)
        await notification.climb_due()
        answer = await browser.get("/notifications")
        page = read(answer.text)
        for text in ("Kari Nordmann", "Hook", "Fire", "climbing", "waiting"):
            assert text in page.text, text
        assert "<script>alert" not in answer.text
        assert "top-secret-word" not in answer.text
        tested = await browser.post("/notifications/channels/hook/test")
        assert "TEST - impetus can reach this channel" in tested.text
        climb = (await browser.get("/api/v1/escalations/climbs")).json()["items"][0]["id"]
        done = await browser.post(f"/notifications/climbs/{climb}/acknowledge")
        assert "Sofia Example" in done.text
        gone = await browser.post("/notifications/channels/none/test")
        assert gone.status_code == 404
        assert "there is no channel none" in gone.text
    await notification.close()
