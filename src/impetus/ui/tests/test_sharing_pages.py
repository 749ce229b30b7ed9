"""Protects that the pages of sharing open to the right people, and that no page shows another organisation's things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from impetus.situation.tests.house import an_alert
from impetus.ui.tests.conftest import Ui


def paths(routes: Iterable[Any]) -> Iterator[str]:
    """The addresses that can be looked at, those of included routers too."""
    for route in routes:
        if "original_router" in dir(route):
            yield from paths(route.original_router.routes)
        elif "GET" in (getattr(route, "methods", None) or ()):
            yield route.path


@pytest.mark.parametrize(("name", "agreements", "proposes"), [("olivia", 200, False), ("sofia", 200, True)])
async def test_who_sees_agreements_and_who_proposes(ui: Ui, name: str, agreements: int, proposes: bool) -> None:
    async with ui.person(name) as browser:
        answer = await browser.get("/agreements")
        assert answer.status_code == agreements
        assert ('id="propose"' in answer.text) is proposes
        assert (await browser.get("/shared/anything")).status_code == 200


async def test_no_page_shows_another_organisations_incident(ui: Ui) -> None:
    alert = an_alert(headline="secretheadline", source="secretsource", description="secretdescription")
    await ui.house.situation.alerts.ingest("municipality", [alert])
    async with ui.person("olivia") as olivia, ui.person("pia") as pia, ui.person("paul") as paul:
        made = await olivia.post("/api/v1/incidents", json={"title": "secretheadline", "alerts": [alert.id]})
        id = made.json()["id"]
        assert "secretheadline" in (await olivia.get(f"/incidents/{id}")).text
        pages = {path for path in paths(ui.app.routes) if not path.startswith(("/api", "/static"))}
        assert {"/incidents/{id}", "/incidents/{id}/report", "/shared/{id}"} <= pages
        for browser in (pia, paul):
            for page in sorted(pages):
                for value in (id, alert.id):
                    path = page.replace("{id:path}", value).replace("{id}", value).replace("{language}", "en")
                    answer = await browser.get(path)
                    assert "secret" not in answer.text, path
