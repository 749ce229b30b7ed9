"""The panels that can stand on a dashboard, and the layouts of the roles (`layouts/ROLE.toml`).

A panel of the shell is a template (`templates/dashboards/panels/ID.html`); what moves in it is an ES module
(`static/js/dashboard/panels.js`), or the server draws it again now and then (`content` below). A tool's panels come
from its `panel.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from impetus.api.dashboards import PanelKind, RoleDashboard
from impetus.model import ConfigurationError, ImpetusError, Permission
from impetus.model.dashboard import Dashboard
from impetus.sdk import InstalledTool
from impetus.sdk.panel import Panel, load_panels
from impetus.ui.panels import render_panels
from impetus.ui.rendering import FOLDER
from impetus.ui.session import Visit

LAYOUTS = FOLDER / "layouts"
ROWS_SHOWN = 40

Content = Callable[[Visit], Awaitable[Mapping[str, Any]]]

log = structlog.get_logger("dashboards")


def _(text: str) -> str:
    """Marks a text for translation; the template translates it."""
    return text


@dataclass(frozen=True, slots=True)
class ShellPanel:
    """A panel of the shell's own."""

    kind: PanelKind
    icon: str
    content: Content | None = None
    """What its template is filled with, asked of the interface; without it a module draws and follows it."""


async def _figures(visit: Visit) -> Mapping[str, Any]:
    return {"counts": (await visit.client.get("/status")).get("counts", {})}


async def _status(visit: Visit) -> Mapping[str, Any]:
    return {"board": await visit.client.get("/status"), "tools": (await visit.client.get("/tools"))["items"]}


async def _dead_letters(visit: Visit) -> Mapping[str, Any]:
    return {"letters": (await visit.client.get("/dead-letters", limit=ROWS_SHOWN))["items"]}


async def _audit(visit: Visit) -> Mapping[str, Any]:
    return {"records": (await visit.client.get("/audit", limit=ROWS_SHOWN))["items"]}


async def _people(visit: Visit) -> Mapping[str, Any]:
    return {"people": (await visit.client.get("/dashboards/people"))["items"]}


async def _data_protection(visit: Visit) -> Mapping[str, Any]:
    return {"tools": (await visit.client.get("/tools"))["items"]}


def _shell(
    id: str,
    title: str,
    summary: str,
    icon: str,
    size: tuple[int, int],
    *permissions: Permission,
    content: Content | None = None,
    several: bool = False,
    sensor: bool = False,
) -> ShellPanel:
    width, height = size
    kind = PanelKind(
        id=id,
        title=title,
        summary=summary,
        permissions=permissions,
        width=width,
        height=height,
        several=several,
        sensor=sensor,
    )
    return ShellPanel(kind, icon, content)


SHELL_PANELS: Sequence[ShellPanel] = (
    _shell(
        "queue",
        _("Alert queue"),
        _("Alerts that wait for a person, worst first."),
        "live",
        (4, 8),
        Permission.ALERTS_READ,
    ),
    _shell(
        "map",
        _("City map"),
        _("Sensors and alerts where they are."),
        "sensor",
        (5, 8),
        Permission.OBSERVATIONS_READ,
    ),
    _shell(
        "detail",
        _("Selected alert"),
        _("Why it was raised, its evidence, and the buttons to decide."),
        "cursor",
        (3, 8),
        Permission.ALERTS_READ,
    ),
    _shell(
        "series",
        _("Series"),
        _("Readings of the selected sensor, or of one that is chosen for good, with what was expected."),
        "status",
        (5, 4),
        Permission.OBSERVATIONS_READ,
        several=True,
        sensor=True,
    ),
    _shell(
        "unusual",
        _("Unusual now"),
        _("Sensors that read something else than expected, with their last half hour."),
        "sensor",
        (3, 5),
        Permission.OBSERVATIONS_READ,
    ),
    _shell(
        "decisions",
        _("Decisions"),
        _("What people decided, newest first."),
        "check",
        (3, 5),
        Permission.ALERTS_READ,
    ),
    _shell(
        "incidents",
        _("Incidents"),
        _("Incidents that are not closed, worst first."),
        "incident",
        (4, 5),
        Permission.INCIDENTS_READ,
    ),
    _shell(
        "figures",
        _("Key figures"),
        _("Counts and times of the whole room."),
        "live",
        (12, 2),
        Permission.TOOLS_READ,
        content=_figures,
    ),
    _shell(
        "status",
        _("Status board"),
        _("Each part and each tool, and whether it is well."),
        "status",
        (4, 5),
        Permission.TOOLS_READ,
        content=_status,
    ),
    _shell(
        "data-protection",
        _("Purpose and data"),
        _("What each tool is for, which data it touches, and how long it keeps them."),
        "key",
        (6, 6),
        Permission.TOOLS_READ,
        content=_data_protection,
    ),
    _shell(
        "dead-letters",
        _("Dead letters"),
        _("Messages that nobody could use."),
        "letter",
        (4, 5),
        Permission.DEAD_LETTERS_READ,
        content=_dead_letters,
    ),
    _shell(
        "audit",
        _("Audit log"),
        _("Who did what, newest first."),
        "audit",
        (6, 6),
        Permission.AUDIT_READ,
        content=_audit,
    ),
    _shell(
        "people",
        _("People"),
        _("The accounts of the organisation, their roles and dashboards."),
        "person",
        (4, 5),
        Permission.ADMINISTRATION,
        content=_people,
    ),
)


@dataclass(slots=True)
class PanelRegistry:
    """All panels of an installation: the shell's and those of the installed tools."""

    shell: Mapping[str, ShellPanel] = field(default_factory=dict)
    of_tools: Mapping[str, Panel] = field(default_factory=dict)
    kinds: Sequence[PanelKind] = ()

    @classmethod
    def create(cls, tools: Mapping[str, InstalledTool]) -> PanelRegistry:
        """A tool whose `panel.py` is wrong has none, which its own page says; the others stand."""
        of_tools: dict[str, Panel] = {}
        kinds = [one.kind for one in SHELL_PANELS]
        for id, tool in tools.items():
            try:
                panels = load_panels(tool)
            except ImpetusError as error:
                log.warning("panels of a tool cannot be shown", tool=id, error=str(error))
                continue
            for panel in panels:
                name = f"{id}:{panel.id}"
                of_tools[name] = panel
                title = f"{tool.manifest.title}: {panel.title}" if tool.manifest else panel.title
                kinds.append(
                    PanelKind(
                        id=name,
                        title=title[:300],
                        summary=panel.summary,
                        tool=id,
                        roles=panel.roles,
                        width=6,
                        height=6,
                    )
                )
        return cls({one.kind.id: one for one in SHELL_PANELS}, of_tools, kinds)

    async def draw(self, id: str, visit: Visit) -> Mapping[str, Any]:
        """What the template of a panel is filled with. Raises `ApiProblem` for what the person may not read."""
        if (shell := self.shell.get(id)) is not None:
            return {} if shell.content is None else await shell.content(visit)
        panel = self.of_tools.get(id)
        return {"drawn": [] if panel is None else await render_panels([panel], visit, id.partition(":")[0])}


def role_layouts(folder: Path = LAYOUTS) -> Sequence[RoleDashboard]:
    """The layouts of the roles, one TOML file each. Raises `ConfigurationError` for a file that is wrong."""
    layouts = []
    for path in sorted(folder.glob("*.toml")):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            dashboard = {name: content.pop(name) for name in ("title", "summary", "panels") if name in content}
            one = RoleDashboard.model_validate({**content, "dashboard": Dashboard.model_validate(dashboard)})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
            raise ConfigurationError(f"{path.name}: {error}", hint="mend the layout file") from error
        if one.role.value != path.stem:
            raise ConfigurationError(f"{path.name} is the layout of {one.role.value}", hint="rename the file")
        layouts.append(one)
    return layouts
