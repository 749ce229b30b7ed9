"""Protects: no raw identifier of a person is in the source of a page, a report or its PDF, nor in the shared answers
of the interface, for those who have no part in the investigation. 200 hostile texts stand in alerts, incidents and
dead letters; `impetus.api.tests.test_exits` holds the other exits."""

from __future__ import annotations

import html
import io

import pytest
from pypdf import PdfReader

from impetus.api.tests.test_exits import two_hundred, uncovered
from impetus.model import Role
from impetus.situation.tests.house import PASSWORD, an_alert
from impetus.ui.tests.conftest import Ui

CASES = list(two_hundred())
IDENTIFIERS = sorted({raw for raw, _ in CASES})
PAGES = (
    *("/", "/incidents", "/dashboards", "/tools", "/dead-letters", "/audit", "/cases", "/oversight", "/statistics"),
    *("/notifications", "/procedures", "/sensors", "/data-protection", "/guides", "/parts/figures", "/parts/status"),
)
INTERFACE = (
    "/alerts?limit=1000",
    "/incidents?limit=1000",
    "/decisions?limit=1000",
    "/map/alerts",
    "/results",
    "/tasks",
)


@pytest.fixture
async def hostile(ui: Ui) -> Ui:
    """The house with hostile texts in everything that people and tools write."""
    house = ui.house
    alerts = [
        an_alert(id=f"a{n}", source=f"traffic-{n}", headline=text[:300], description=text)
        for n, (_, text) in enumerate(CASES)
    ]
    await house.situation.alerts.ingest("municipality", alerts)
    await house.governance.accounts.create_user(
        house.person("ada"), "municipality", name="greta", full_name="Greta Example", role=Role.PLANNER,
        password=PASSWORD,
    )  # fmt: skip
    async with ui.person("olivia") as olivia:
        for n, (_, text) in enumerate(CASES[:20]):
            body = {"title": text[:200], "summary": text, "alerts": [f"a{n}"]}
            made = await olivia.post("/api/v1/incidents", json=body)
            assert made.status_code == 201, made.text
            said = {"text": text, "kind": "note"}
            await olivia.post(f"/api/v1/incidents/{made.json()['id']}/messages", json=said)
            await house.bus.set_aside("municipality", "test", text[:100], text.encode(), text)
    return ui


def identifiers_in(text: str) -> list[str]:
    plain = uncovered(html.unescape(text))
    return [raw for raw in IDENTIFIERS if raw in plain]


@pytest.mark.parametrize("name", ["greta", "dora", "ada"])
async def test_no_page_and_no_answer_holds_an_identifier(hostile: Ui, name: str) -> None:
    async with hostile.person("olivia") as olivia:
        rooms = [one["id"] for one in (await olivia.get("/api/v1/incidents?limit=100")).json()["items"]]
        seen = identifiers_in((await olivia.get("/api/v1/alerts?limit=1000")).text)
        assert seen, "who investigates reads what was written"
    async with hostile.person(name) as person:
        pages = [*PAGES, *(f"/incidents/{id}" for id in rooms), *(f"/incidents/{id}/report" for id in rooms)]
        pages += [f"/api/v1{path}" for path in INTERFACE]
        pages += [f"/api/v1/incidents/{id}/export" for id in rooms] + [
            f"/api/v1/alerts/a{n}" for n in range(0, 200, 10)
        ]
        allowed = 0
        for path in pages:
            answer = await person.get(path)
            allowed += answer.status_code == 200
            assert identifiers_in(answer.text) == [], path
            assert "no-store" in answer.headers.get("cache-control", "no-store"), path
        assert allowed >= 8, "the pages were looked at"


async def test_the_pdf_of_an_incident_holds_no_identifier_for_those_outside(hostile: Ui) -> None:
    async with hostile.person("olivia") as olivia, hostile.person("greta") as greta:
        rooms = [one["id"] for one in (await olivia.get("/api/v1/incidents?limit=100")).json()["items"]][:5]
        for id in rooms:
            answer = await greta.get(f"/incidents/{id}/report.pdf")
            if answer.status_code == 200:
                text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
                assert identifiers_in(text) == [], id
            else:
                assert answer.status_code == 403
