"""Draws the panels that tools declare (`impetus.sdk.panel`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from statistics import fmean
from typing import Any

from impetus.model import Role
from impetus.sdk import Manifest
from impetus.sdk.panel import Action, AnyWidget, Form, Kpi, Panel, Table
from impetus.ui.client import ApiProblem
from impetus.ui.session import Visit
from impetus.ui.tool_texts import translated


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    id: str
    """What names it to the tool; empty if nothing does."""
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class DrawnWidget:
    """A widget with what the interface said; charts, series, maps and graphs fetch theirs in the browser."""

    widget: AnyWidget
    data: Any = None
    problem: str = ""
    refused: bool = False
    """Whether the problem is that this person may not read it."""
    actions: Sequence[Action] = ()
    """Buttons of a table's rows that this person may press."""


@dataclass(frozen=True, slots=True)
class DrawnPanel:
    """A panel ready for its template."""

    panel: Panel
    widgets: Sequence[DrawnWidget]
    tool: str = ""
    module: str = ""
    """Address of its ES module, if it has one."""


async def render_panels(panels: Sequence[Panel], visit: Visit, tool: str = "") -> Sequence[DrawnPanel]:
    """The panels of a tool that this person may see, with their figures and tables."""
    role = str(visit.user.get("role") or "")
    installed = visit.site.tools.get(tool)
    tasks = askable(installed.manifest if installed else None, role)
    files = visit.site.tool_files.get(tool, "")
    drawn = []
    for panel in panels:
        shown = panel.visible(role, visit.permissions)
        if shown is None:
            continue
        shown = translated(shown, visit.language)
        widgets = [
            await _draw(widget, visit, tasks)
            for widget in shown.widgets
            if not (isinstance(widget, Form) and widget.task and widget.task not in tasks)
        ]
        module = f"{files}/{panel.module}" if panel.module and files else ""
        drawn.append(DrawnPanel(shown, widgets, tool, module))
    return drawn


def is_for_others(panels: Sequence[DrawnPanel], visit: Visit, tool: str) -> bool:
    """Whether a tool is for other roles than this person's, and what it shows is refused: one word says that then."""
    installed = visit.site.tools.get(tool)
    if installed is None or installed.manifest is None:
        return False
    roles = {role.value for role in installed.manifest.roles}
    refused = any(item.refused for drawn in panels for item in drawn.widgets)
    return refused and str(visit.user.get("role") or "") not in roles


def askable(manifest: Manifest | None, role: str) -> frozenset[str]:
    """Tasks for which people of a role may ask a tool."""
    if manifest is None or role not in list(Role):
        return frozenset()
    return frozenset(task.id for task in manifest.tasks if Role(role) in manifest.askers(task))


async def _draw(widget: AnyWidget, visit: Visit, tasks: frozenset[str]) -> DrawnWidget:
    if not isinstance(widget, Kpi | Table):
        return DrawnWidget(widget)
    try:
        content = await visit.client.get(widget.source)
    except ApiProblem as problem:
        return DrawnWidget(widget, problem=problem.message, refused=problem.http_status == HTTPStatus.FORBIDDEN)
    if isinstance(widget, Kpi):
        return DrawnWidget(widget, reduced(field_of(content, widget.value), widget.reduce))
    found = content if isinstance(content, list) and widget.rows == "items" else field_of(content, widget.rows)
    rows = [
        Row(_name(field_of(row, widget.row_id)), [field_of(row, column.field) for column in widget.columns])
        for row in (found if isinstance(found, list) else [])[: widget.limit]
    ]
    return DrawnWidget(widget, rows, actions=[action for action in widget.actions if action.task in tasks])


def _name(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def field_of(content: Any, path: str) -> Any:
    """The value at a dotted path; None where the path leads nowhere.

    >>> field_of({"place": {"name": "Quay"}}, "place.name")
    'Quay'
    >>> field_of({"items": [{"content": {"score": 0.9}}]}, "items.0.content.score")
    0.9
    """
    for name in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(name)
        elif isinstance(content, list) and name.isdecimal() and int(name) < len(content):
            content = content[int(name)]
        else:
            return None
    return content


def reduced(value: Any, how: str) -> Any:
    """One figure from a list, or the value itself; None where there is nothing to reduce.

    >>> reduced([1, 2, 3], "mean"), reduced([], "count"), reduced([], "max")
    (2.0, 0, None)
    """
    if how == "value":
        return value
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else []
    if how == "count":
        return len(entries)
    numbers = [entry for entry in entries if isinstance(entry, int | float) and not isinstance(entry, bool)]
    if how == "sum":
        return sum(numbers)
    if not numbers:
        return None
    return fmean(numbers) if how == "mean" else max(numbers)
