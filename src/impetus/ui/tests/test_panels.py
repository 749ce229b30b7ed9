"""Protects the panels that tools declare: who sees them, what becomes of their data, and that text stays text."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from fastapi import Request
from pydantic import BaseModel, Field, ValidationError

import impetus.tools.anomaly
from impetus.model import ConfigurationError, Permission, Role
from impetus.sdk import InstalledTool, Manifest, TaskKind, Tool, read_manifest
from impetus.sdk.panel import (
    Action,
    Chart,
    ChartSeries,
    ChartStyle,
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
    load_panels,
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
        Map(title="Zones", source="/tools/anomaly/results?kind=zone", rows="items.0.content.zones", value="dose"),
        Graph(title="Graph", source="/tools"),
        Chart(title="Chart", source="/tools", x="id", series=(ChartSeries(field="n", title="'\"</script>"),)),
        Media(title="Media", source=f"/evidence/{'a' * 64}", description="A picture"),
        Text(title="Text", text="One <script>\n\ntwo"),
        Form(title="Form", model=Watch, target="/alerts"),
    ),
)


async def drawn(ui: Ui, name: str, panels: Sequence[Panel], site: Site | None = None) -> str:
    async with ui.person(name) as browser:
        cookies = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
        scope = {
            "type": "http", "method": "GET", "path": "/tools/x", "query_string": b"", "client": ("test", 1),
            "headers": [(b"cookie", cookies.encode()), (b"host", b"test")], "scheme": "http", "server": ("test", 80),
        }  # fmt: skip
        visit: Visit = await open_visit(site or Site(ui.app, Renderer(), {}), Request(scope))
        assert isinstance(visit.client, Client)
        tool = {"id": "x", "manifest": None, "error": "", "health": None}
        calibration = await visit.client.get("/tools/anomaly/calibration")
        widgets = await render_panels(panels, visit, "anomaly" if site else "")
        answer = visit.page("pages/tool.html", "tool", tool=tool, panels=widgets, calibration=calibration)
    return bytes(answer.body).decode()


async def test_every_widget_is_drawn_and_text_stays_text(ui: Ui) -> None:
    html = await drawn(ui, "olivia", [ALL])
    page = read(html)
    for words in (
        "Everything",
        f"{len(ui.services.tools)} <b>",
        "anomaly",
        "No <i>alerts</i>",
        "One <script>",
        "What to <watch>",
    ):
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


async def test_the_page_of_a_tool_for_other_roles_says_so_once_and_shows_no_empty_panels(ui: Ui) -> None:
    pages = {}
    for name in ("olivia", "sofia"):
        async with ui.person(name) as browser:
            pages[name] = (await browser.get("/tools/cyber")).text
    assert "is for other roles" in pages["olivia"]
    assert "note warn" not in pages["olivia"]
    assert 'data-panel-id="graph"' not in pages["olivia"]
    assert "is for other roles" not in pages["sofia"]
    assert 'data-panel-id="graph"' in pages["sofia"]


def test_a_path_that_leaves_the_interface_is_refused() -> None:
    for source in ("https://evil.example/", "//evil.example", "tools", "/tools#a", "/tools?a=<b>"):
        with pytest.raises(ValidationError):
            Kpi(title="x", source=source, value="items")


def test_an_empty_panel_is_refused() -> None:
    with pytest.raises(ValidationError):
        Panel(id="empty", title="Empty")


MANIFEST = read_manifest(Path(impetus.tools.anomaly.__file__).parent).model_copy(
    update={"tasks": (TaskKind(id="keep", title="Keep"), TaskKind(id="drop", title="Drop", roles=(Role.SUPERVISOR,)))}
)
REVIEW = Panel(
    id="review",
    title="Review",
    widgets=(
        Table(
            title="To review",
            source="/tools/anomaly",
            rows="manifest.detectors",
            columns=(Column(field="category", title="First"), Column(field="x", title="Link")),
            actions=(Action(task="keep", title="Keep", key="k"), Action(task="drop", title="Drop <it>", key="d")),
        ),
        Form(title="Only supervisors", model=Watch, task="drop"),
        Form(title="Everybody", model=Watch, task="keep"),
    ),
)


def with_tasks(ui: Ui, manifest: Manifest = MANIFEST) -> Site:
    tool = InstalledTool("anomaly", None, manifest, Tool)
    return Site(ui.app, Renderer(), {"anomaly": tool}, {"anomaly": "/tool-files/anomaly/abc"})


async def test_a_rows_buttons_are_for_those_who_may_ask(ui: Ui) -> None:
    for name, tasks in (("olivia", ["keep"]), ("sofia", ["keep", "drop"])):
        page = read(await drawn(ui, name, [REVIEW], with_tasks(ui)))
        assert "Infra" in page.text
        buttons = [each.attributes for each in page.all("button") if "data-task" in each.attributes]
        assert [button["data-task"] for button in buttons[: len(tasks)]] == tasks
        assert {button["data-task"] for button in buttons} == set(tasks)
        rows = [each.attributes for each in page.all("tr") if "data-row" in each.attributes]
        assert [row["data-row"] for row in rows][:2] == ["level", "place"]
        forms = [each.attributes["data-form-task"] for each in page.all("form") if "data-form-task" in each.attributes]
        assert sorted(forms) == sorted(tasks)


async def test_a_panels_module_is_named_by_its_address(ui: Ui) -> None:
    html = await drawn(ui, "olivia", [Panel(id="own", title="Own", module="plan.js")], with_tasks(ui))
    (place,) = [each for each in read(html).elements if "data-module" in each.attributes]
    assert place.attributes["data-module"] == "/tool-files/anomaly/abc/plan.js"


async def test_one_panel_is_drawn_again(ui: Ui) -> None:
    async with ui.person("olivia") as browser:
        answer = await browser.get("/tools/anomaly/panels/unusual")
        assert (answer.status_code, "<html" in answer.text) == (200, False)
        assert 'data-live="/tools/anomaly/panels/unusual"' in answer.text
        assert "Your role" in (await browser.get("/tools/anomaly/panels/no-such")).text
        assert (await browser.get("/tools/no-such/panels/unusual")).status_code == 404
    async with ui.browser() as stranger:
        assert (await stranger.get("/tools/anomaly/panels/unusual")).status_code == 303


def test_a_panel_that_names_what_is_not_there_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "drawn_tool"
    (package / "static").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "static" / "plan.js").write_text("export function mount() {}")
    (package / "worker.py").write_text("from impetus.sdk import Tool\n\n\nclass DrawnTool(Tool): ...\n")
    panel = package / "panel.py"
    sys.path.insert(0, str(tmp_path))
    try:
        for declared, refused in (
            ('Panel(id="a", title="A", module="plan.js")', None),
            ('Panel(id="a", title="A", module="other.js")', "static/other.js is missing"),
            ('Panel(id="a", title="A", widgets=(Form(title="F", model=BaseModel, task="keep"),))', None),
            ('Panel(id="a", title="A", widgets=(Form(title="F", model=BaseModel, task="steal"),))', "steal"),
        ):
            panel.write_text(
                "from pydantic import BaseModel\nfrom impetus.sdk.panel import *\n"
                f"def panels():\n    return [{declared}]\n"
            )
            for name in [name for name in sys.modules if name.startswith("drawn_tool")]:
                del sys.modules[name]
            importlib.invalidate_caches()
            tool_type = importlib.import_module("drawn_tool.worker").DrawnTool
            panel.touch()
            tool = InstalledTool("anomaly", package, MANIFEST, tool_type)
            if refused is None:
                assert len(load_panels(tool)) == 1
            else:
                with pytest.raises(ConfigurationError, match=refused):
                    load_panels(tool)
    finally:
        sys.path.remove(str(tmp_path))


def test_a_form_goes_to_one_place_and_a_heat_map_has_two_sides() -> None:
    choices: tuple[dict[str, Any], ...] = ({}, {"target": "/alerts", "task": "keep"})
    for wrong in choices:
        with pytest.raises(ValidationError):
            Form(title="F", model=Watch, **wrong)
    series = (ChartSeries(field="n", title="N"),)
    with pytest.raises(ValidationError):
        Chart(title="C", source="/tools", x="x", series=series, style=ChartStyle.HEAT)
    assert Chart(title="C", source="/tools", x="x", y="y", series=series, style=ChartStyle.HEAT).y == "y"


def test_panels_are_read_without_the_tools_themselves() -> None:
    """The pages' process shows every tool; it needs none of their workers, nor the libraries that these bring along."""
    program = """
import subprocess
import sys
from impetus.sdk import load_tools
from impetus.sdk.panel import load_panels
shown = [tool.id for tool in load_tools().values() if load_panels(tool)]
heavy = {"av", "cv2", "numba", "onnxruntime", "scipy", "sklearn"} & set(sys.modules)
workers = [name for name in sys.modules if name.startswith("impetus.tools.") and name.endswith(".worker")]
print(len(shown) > 0, sorted(heavy), workers)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "True [] []"
