"""Protects: the pages of oversight show what they should to whom they should, and their forms reach the interface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from impetus.governance.settings import StatisticsSettings
from impetus.governance.statistics import Statistics
from impetus.model import Observation, ObservationBatch
from impetus.situation.tests.house import a_datastream, an_alert
from impetus.ui.tests.conftest import Ui


async def no_noise(figures: Sequence[int], epsilon: float, sensitivity: int) -> Sequence[int]:
    return figures


async def test_figures_are_released_in_the_page_and_the_public_sees_them(ui: Ui) -> None:
    house = ui.house
    ui.services.statistics = Statistics(house.store, house.clock, StatisticsSettings(), mechanism=no_noise)
    day = (house.clock.now() - timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    async with house.store.transaction() as transaction:
        counter = a_datastream(id="square", observed_property="people-count", unit="1")
        await transaction.datastreams.put("municipality", [counter])
    readings = [
        Observation(datastream="square", time=day + timedelta(hours=n, minutes=5), value=777) for n in range(24)
    ]
    await house.store.readings.append("municipality", ObservationBatch.of(readings))
    form = {
        "title": "<b>Square</b>",
        "recipient": "everybody",
        "datastreams": "square\n",
        "day": day.date().isoformat(),
        "days": "1",
        "cell": "hour",
        "epsilon": "0.5",
        "passes": "4",
    }
    async with ui.person("sofia") as sofia, ui.person("olivia") as olivia, ui.browser() as citizen:
        assert (await olivia.post("/statistics", data=form)).status_code == 403
        wrong = await sofia.post("/statistics", data=form | {"day": "tomorrow", "epsilon": "much"})
        assert wrong.status_code == 422
        made = await sofia.post("/statistics", data=form)
        assert made.status_code == 303, made.text
        page = (await sofia.get("/statistics")).text
        assert page.count(">777<") == 24
        assert "1.50" in page
        public = (await citizen.get("/register/statistics")).text
        assert public.count(">777<") == 24
        assert "&lt;b&gt;Square" in public
        assert "Sofia" not in public


async def test_oversight_and_access_review_are_shown_to_whom_they_are_for(ui: Ui) -> None:
    await ui.services.oversight.note_cards(["municipality"])
    async with ui.person("dora") as dora, ui.person("olivia") as olivia:
        await olivia.post("/cases", data={"kind": "break-glass", "title": "Fire in the hall", "reason": "no time"})
        page = (await dora.get("/access-review")).text
        assert "Fire in the hall" in page
        assert "Olivia Example" in page
        assert (await olivia.get("/access-review")).status_code == 403
        assert (await olivia.get("/statistics")).status_code == 200
        oversight = (await olivia.get("/oversight")).text
        found = re.search(r'href="(/oversight/cards/[^"]+)"', oversight)
        assert found is not None
        card = (await olivia.get(found[1])).text
        assert "What it does" in card
        assert (await olivia.get("/oversight/cards/none@0")).status_code == 404
        assert "Olivia" in (await dora.get("/audit?actor=user:" + ui.house.users["olivia"].id)).text


async def test_a_request_of_a_person_is_answered_in_the_page(ui: Ui) -> None:
    await ui.house.situation.alerts.ingest("municipality", [an_alert(id="a1", headline="Kari Nordmann called")])
    async with ui.person("dora") as dora:
        await dora.post("/cases", data={"kind": "subject-request", "title": "Access", "reason": "a letter"})
        page = (await dora.get("/cases?kind=subject-request")).text
        found = re.search(r"/cases/([0-9a-f-]{36})/person", page)
        assert found is not None
        address = f"/cases/{found[1]}/person"
        assert "alert <b" in (await dora.post(address, data={"word": "Kari Nordmann", "act": "search"})).text
        assert "Kari Nordmann called" in (await dora.post(address, data={"word": "Kari Nordmann", "act": "copy"})).text
        assert "nothing" in (await dora.post(address, data={"word": "Kari Nordmann", "act": "erase"})).text
        assert (await dora.post(address, data={"word": "x", "act": "search"})).status_code == 422
