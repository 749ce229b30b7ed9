"""Protects the panels that tools declare: who sees them, what becomes of their data, and that text stays text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
from fastapi import Request
from pydantic import BaseModel, Field, ValidationError

from impetus.model import Permission, Role
from impetus.sdk.panel import (
    Column,
    Form,
    Format,
    Graph,
    Kpi,
    Map,
    Media,
    Panel,
    Series,
    Table,
    Text,
)
from impetus.ui.client import Client
from impetus.ui.panels import render_panels
from impetus.ui.rendering import Renderer
from impetus.ui.session import Site, Visit, open_visit
from impetus.ui.tests.conftest import Ui
from impetus.ui.tests.reading import read


class Watch(BaseModel):
    """What a form asks for."""

    subject: str = Field(title="What to <watch>", max_length=40)
    limit: int = Field(5, ge=1, le=9, description="How many")
    share: float | None = None
    loud: bool = True
    level: Literal["low", "high"] = "low"


KPI = Kpi(title="Tools", source="/tools", value="items", reduce="count", unit="<b>")
ALL = Panel(
    id="everything",
    title="Everything",
    widgets=(
        KPI,
        Table(
            title="Tools",
            source="/tools?limit=5",
            columns=(
                Column(field="id", title="Id"),
                Column(field="health.time", title="Heard", format=Format.TIME),
                Column(field="manifest.no.such", title="Nothing"),
            ),
        ),
        Table(title="Empty", source="/alerts", columns=(Column(field="id", title="Id"),), empty="No <i>alerts</i>"),
        Series(title="Series", datastream="a"),
        Map(title="Map", source="/datastreams"),
        Graph(title="Graph", source="/tools"),
        Media(title="Media", source=f"/evidence/{'a' * 64}", description="A picture"),
        Text(title="Text", text="One <script>\n\ntwo"),
        Form(title="Form", model=Watch, target="/alerts"),
    ),
)


async def drawn(ui: Ui, name: str, panels: Sequence[Panel]) -> str:
    async with ui.person(name) as browser:
        cookies = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
        scope = {
            "type": "http", "method": "GET", "path": "/tools/x", "query_string": b"", "client": ("test", 1),
            "headers": [(b"cookie", cookies.encode()), (b"host", b"test")], "scheme": "http", "server": ("test", 80),
        }  # fmt: skip
        visit: Visit = await open_visit(Site(ui.app, Renderer(), {}), Request(scope))
        assert isinstance(visit.client, Client)
        tool = {"id": "x", "manifest": None, "error": "", "health": None}
        calibration = await visit.client.get("/tools/anomaly/calibration")
        widgets = await render_panels(panels, visit)
        answer = visit.page("pages/tool.html", "tool", tool=tool, panels=widgets, calibration=calibration)
    return bytes(answer.body).decode()


async def test_every_widget_is_drawn_and_text_stays_text(ui: Ui) -> None:
    html = await drawn(ui, "olivia", [ALL])
    page = read(html)
    for words in ("Everything", "1 <b>", "anomaly", "No <i>alerts</i>", "One <script>", "What to <watch>"):
        assert words in page.text
    assert "One &lt;script&gt;" in html
    assert [each.attributes["data-series"] for each in page.elements if "data-series" in each.attributes] == ["a"]
    fields = {each.attributes.get("name", ""): each.attributes for each in (*page.all("input"), *page.all("select"))}
    assert fields["subject"]["maxlength"] == "40"
    assert "required" in fields["subject"]
    assert (fields["limit"]["type"], fields["limit"]["min"], fields["limit"]["value"]) == ("number", "1.0", "5")
    assert fields["loud"]["type"] == "checkbox"
    assert "level" in fields


async def test_a_panel_for_others_is_not_drawn(ui: Ui) -> None:
    panel = Panel(id="for-some", title="For some", roles=(Role.SUPERVISOR,), widgets=(KPI,))
    assert "For some" in await drawn(ui, "sofia", [panel])
    assert "For some" not in await drawn(ui, "olivia", [panel])


async def test_a_widget_for_others_is_left_out_and_what_may_not_be_read_is_said(ui: Ui) -> None:
    gated = KPI.model_copy(update={"title": "Gated", "permission": Permission.AUDIT_READ})
    refused = Kpi(title="Refused", source="/audit", value="items", reduce="count")
    html = await drawn(ui, "olivia", [Panel(id="p", title="P", widgets=(gated, refused))])
    assert "Gated" not in html
    assert "Refused" in html
    assert "note warn" in html


def test_a_path_that_leaves_the_interface_is_refused() -> None:
    for source in ("https://evil.example/", "//evil.example", "tools", "/tools#a", "/tools?a=<b>"):
        with pytest.raises(ValidationError):
            Kpi(title="x", source=source, value="items")


def test_an_empty_panel_is_refused() -> None:
    with pytest.raises(ValidationError):
        Panel(id="empty", title="Empty")
