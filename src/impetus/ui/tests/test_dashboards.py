"""Protects dashboards: layouts are valid, roles are gated, what one person arranged stays that person's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from impetus.model import ConfigurationError, Role
from impetus.situation.tests.house import HOSTILE
from impetus.ui.dashboards import SHELL_PANELS, PanelRegistry, role_layouts
from impetus.ui.rendering import FOLDER
from impetus.ui.tests.conftest import Ui
from impetus.ui.tests.reading import read

PLACED = {"id": "queue", "panel": "queue", "width": 4, "height": 6}


def arrangement(*panels: dict[str, Any], version: int = 0) -> dict[str, Any]:
    return {"version": version, "panels": list(panels)}


def composition(title: str = "Duty officer", version: int = 0, **panel: Any) -> dict[str, Any]:
    return {"version": version, "dashboard": {"title": title, "panels": [{**PLACED, **panel}]}}


def panels_on(html: str) -> list[str]:
    return [each.attributes["data-panel"] for each in read(html).all("section") if "data-panel" in each.attributes]


def gated(html: str) -> list[str]:
    return [one.attributes["data-panel"] for one in read(html).all("section") if "data-problem" in one.attributes]


def test_every_role_has_a_layout_of_panels_that_there_are() -> None:
    layouts = {one.role: one for one in role_layouts()}
    assert set(layouts) == set(Role)
    known = {one.kind.id for one in SHELL_PANELS}
    for one in layouts.values():
        assert one.dashboard.panels
        assert {placement.panel for placement in one.dashboard.panels} <= known


def test_every_panel_of_the_shell_has_its_template() -> None:
    for one in SHELL_PANELS:
        assert (FOLDER / "templates" / "dashboards" / "panels" / f"{one.kind.id}.html").exists()


@pytest.mark.parametrize(
    "text",
    [
        "role = ",
        'role = "nobody"\ntitle = "x"',
        'role = "operator"\ntitle = "x"\ncolour = "red"',
        'role = "supervisor"\ntitle = "x"',
        'role = "operator"\ntitle = "x"\n[[panels]]\nid = "a"\npanel = "queue"\nwidth = 13\nheight = 2',
        'role = "operator"\ntitle = "x"\n[[panels]]\nid = "a"\npanel = "../x"\nwidth = 3\nheight = 2',
    ],
)
def test_a_layout_that_is_wrong_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "operator.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"operator\.toml"):
        role_layouts(tmp_path)


async def test_each_role_begins_where_it_should_and_sees_its_own_panels(ui: Ui) -> None:
    begins = {"olivia": "/", "sofia": "/", "ada": "/dashboards/administrator"}
    for name, path in begins.items():
        async with ui.person(name) as browser:
            assert (await browser.get("/start")).headers["location"] == path
    async with ui.person("dora") as browser:
        answer = await browser.get("/dashboards/data-protection-officer")
        assert panels_on(answer.text) == ["data-protection", "audit", "status"]
        assert not gated(answer.text)
        assert (await browser.get("/dashboards/operator")).status_code == 403
        assert (await browser.get("/dashboards/compose")).status_code == 403
        assert (await browser.get("/dashboards/data-protection-officer?compose=true")).status_code == 403
        # A panel of others shows nothing of theirs, however it is asked for.
        assert gated((await browser.get("/dashboards/panels/people")).text)


async def test_what_a_person_arranges_is_kept_for_that_person_only(ui: Ui) -> None:
    async with ui.person("olivia") as olivia, ui.person("omar") as omar:
        kept = await olivia.post("/api/v1/dashboards/operator/own", json=arrangement(PLACED))
        assert kept.status_code == 200, kept.text
        assert panels_on((await olivia.get("/dashboards/operator")).text) == ["queue"]
        assert len(panels_on((await omar.get("/dashboards/operator")).text)) == 4
        # Arranged elsewhere in the meantime: nothing is overwritten.
        late = await olivia.post("/api/v1/dashboards/operator/own", json=arrangement())
        assert late.status_code == 409
        assert (await olivia.delete("/api/v1/dashboards/operator/own?version=1")).status_code == 204
        assert len(panels_on((await olivia.get("/dashboards/operator")).text)) == 4
        # The version goes on after a reset, so that what was seen before it cannot come back.
        assert (await olivia.post("/api/v1/dashboards/operator/own", json=arrangement(PLACED))).status_code == 409
        again = await olivia.post("/api/v1/dashboards/operator/own", json=arrangement(PLACED, version=2))
        assert again.json()["own_version"] == 3


@pytest.mark.parametrize(
    "panels",
    [
        [{**PLACED, "panel": "nothing"}],
        [{**PLACED, "panel": "<script>"}],
        [PLACED, PLACED],
        [PLACED, {**PLACED, "id": "other"}],
        [{**PLACED, "width": 1}],
        [{**PLACED, "height": 25}],
        [{**PLACED, "datastream": "a"}],
        [{**PLACED, "more": 1}],
        [{**PLACED, "id": f"series-{n}", "panel": "series"} for n in range(25)],
    ],
)
async def test_an_arrangement_that_does_not_fit_is_refused(ui: Ui, panels: list[dict[str, Any]]) -> None:
    async with ui.person("olivia") as browser:
        answer = await browser.post("/api/v1/dashboards/operator/own", json=arrangement(*panels))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def person_id(browser: httpx.AsyncClient, name: str) -> str:
    people = (await browser.get("/api/v1/dashboards/people")).json()["items"]
    return str(next(one["id"] for one in people if one["name"] == name))


async def test_an_administrator_composes_one_for_a_new_role_and_gives_it_to_people(ui: Ui) -> None:
    async with ui.person("ada") as ada, ui.person("omar") as omar, ui.person("paul") as paul:
        assert (await omar.post("/api/v1/dashboards/duty-officer", json=composition())).status_code == 403
        made = await ada.post("/api/v1/dashboards/duty-officer", json=composition("Duty officer"))
        assert made.status_code == 200, made.text
        assert (await ada.post("/api/v1/dashboards/duty-officer", json=composition())).status_code == 409
        for name in ("Duty-Officer", "panels", "people", "compose", "a b"):
            assert (await ada.post(f"/api/v1/dashboards/{name}", json=composition())).status_code == 422, name
        # Not for somebody who was not given it; not there at all for another organisation.
        assert (await omar.get("/dashboards/duty-officer")).status_code == 403
        assert (await paul.get("/dashboards/duty-officer")).status_code == 404
        omars = await person_id(ada, "omar")
        give = {"person": omars, "assigned": True}
        assert (await paul.post("/api/v1/dashboards/operator/people", json=give)).status_code == 404
        assert (await ada.post("/api/v1/dashboards/nothing/people", json=give)).status_code == 404
        given = await ada.post("/api/v1/dashboards/duty-officer/people", json=give)
        assert given.status_code == 200, given.text
        assert (await ada.post("/api/v1/dashboards/duty-officer/people", json=give)).status_code == 409
        assert (await omar.get("/start")).headers["location"] == "/dashboards/duty-officer"
        page = await omar.get("/dashboards/duty-officer")
        assert panels_on(page.text) == ["queue"]
        # It shows what is seen first, and gives no right that the person's role has not.
        assert (await omar.get("/api/v1/audit")).status_code == 403
        actions = [one["action"] for one in (await ada.get("/api/v1/audit?limit=20")).json()["items"]]
        assert {"dashboard.compose", "dashboard.assign"} <= set(actions)
        # Gone again: everybody is back on the dashboard of the own role.
        assert (await ada.delete("/api/v1/dashboards/duty-officer?version=9")).status_code == 409
        assert (await ada.delete("/api/v1/dashboards/duty-officer?version=1")).status_code == 204
        assert (await omar.get("/dashboards/duty-officer")).status_code in (403, 404)
        assert (await omar.get("/start")).headers["location"] == "/"


async def test_an_organisations_own_layout_of_a_role_stands_over_the_shipped_one(ui: Ui) -> None:
    async with ui.person("ada") as ada, ui.person("olivia") as olivia, ui.person("pia") as pia:
        await ada.post("/api/v1/dashboards/operator", json=composition("Ours <b>"))
        page = await olivia.get("/dashboards/operator")
        assert panels_on(page.text) == ["queue"]
        assert "Ours &lt;b&gt;" in page.text
        assert len(panels_on((await pia.get("/dashboards/operator")).text)) == 4
        assert (await ada.delete("/api/v1/dashboards/operator?version=1")).status_code == 204
        assert len(panels_on((await olivia.get("/dashboards/operator")).text)) == 4


async def test_a_machine_has_no_dashboard_and_a_panel_that_is_gone_says_so(ui: Ui) -> None:
    async with ui.person("ada") as ada:
        token = (await ada.post("/api/v1/tokens", json={"name": "m", "scopes": ["alerts:read"]})).json()
        async with ui.browser(Authorization=f"Bearer {token['token']}") as machine:
            assert (await machine.get("/api/v1/dashboards")).status_code == 403
            assert (await machine.post("/api/v1/dashboards/operator/own", json=arrangement())).status_code == 403
        answer = await ada.get("/dashboards/panels/gone:panel")
        assert answer.status_code == 200
        assert "not installed any more" in answer.text


def test_a_tool_whose_panels_are_wrong_does_not_harm_the_others(ui: Ui) -> None:
    registry = PanelRegistry.create(ui.services.tools)
    assert {kind.id for kind in registry.kinds} >= {one.kind.id for one in SHELL_PANELS}
    assert any(kind.tool for kind in registry.kinds)


async def test_hostile_titles_are_shown_as_text(ui: Ui) -> None:
    title = HOSTILE.replace("\u0000", "").replace("\n", " ")
    async with ui.person("ada") as ada:
        assert (await ada.post("/api/v1/dashboards/hostile", json=composition(title))).status_code == 200
        for path in ("/dashboards", "/dashboards/hostile", "/dashboards/hostile?compose=true"):
            html = (await ada.get(path)).text
            assert "<script>alert" not in html
