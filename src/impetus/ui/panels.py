"""Draws the panels that tools declare (`impetus.sdk.panel`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from impetus.sdk.panel import AnyWidget, Kpi, Panel, Table
from impetus.ui.client import ApiProblem
from impetus.ui.session import Visit


@dataclass(frozen=True, slots=True)
class DrawnWidget:
    """A widget with what the interface said; series, maps and graphs fetch theirs in the browser."""

    widget: AnyWidget
    data: Any = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DrawnPanel:
    """A panel ready for its template."""

    panel: Panel
    widgets: Sequence[DrawnWidget]


async def render_panels(panels: Sequence[Panel], visit: Visit) -> Sequence[DrawnPanel]:
    """The panels that this person may see, with their figures and tables."""
    drawn = []
    for panel in panels:
        shown = panel.visible(str(visit.user.get("role") or ""), visit.permissions)
        if shown is not None:
            drawn.append(DrawnPanel(shown, [await _draw(widget, visit) for widget in shown.widgets]))
    return drawn


async def _draw(widget: AnyWidget, visit: Visit) -> DrawnWidget:
    if not isinstance(widget, Kpi | Table):
        return DrawnWidget(widget)
    try:
        content = await visit.client.get(widget.source)
    except ApiProblem as problem:
        return DrawnWidget(widget, problem=problem.message)
    if isinstance(widget, Kpi):
        return DrawnWidget(widget, reduced(field_of(content, widget.value), widget.reduce))
    rows = content.get("items", []) if isinstance(content, Mapping) else content
    return DrawnWidget(
        widget, [[field_of(row, column.field) for column in widget.columns] for row in rows[: widget.limit]]
    )


def field_of(content: Any, path: str) -> Any:
    """The value at a dotted path; None where the path leads nowhere.

    >>> field_of({"place": {"name": "Quay"}}, "place.name")
    'Quay'
    """
    for name in path.split("."):
        content = content.get(name) if isinstance(content, Mapping) else None
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
