"""Panels: what a tool shows on its own page, declared from typed widgets and drawn by the user interface.

A tool's `panel.py` has one function, `panels() -> Sequence[Panel]`. A widget names the data that it shows by a path of
the HTTP interface, so a panel shows only what the person looking at it may read there, and can be tested without a
browser:

    def panels() -> Sequence[Panel]:
        return [
            Panel(
                id="overview",
                title="Overview",
                widgets=(
                    Kpi(title="Open alerts", source="/alerts?tool=anomaly&state=new", value="items", reduce="count"),
                    Table(
                        title="Newest alerts",
                        source="/alerts?tool=anomaly&order=time",
                        columns=(
                            Column(field="sent", title="Time", format=Format.TIME),
                            Column(field="headline", title="Alert"),
                        ),
                    ),
                ),
            )
        ]

All text is shown as text, whatever it contains. `Panel.module` is the way out for what no widget can show: an ES module
of the tool's own, which is vetted with the tool.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from impetus.model import ConfigurationError, Line, Permission, Role, Slug, Value
from impetus.model import Text as LongText
from impetus.sdk.registry import InstalledTool

ApiPath = Annotated[
    str, StringConstraints(pattern=r"^/[a-z][A-Za-z0-9_~:@.\-/]*(\?[A-Za-z0-9_~:@.,\-=&%+]*)?$", max_length=500)
]
"""A path below the interface's prefix `/api/v1`, with an optional query."""

FieldPath = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*(\.([A-Za-z_][A-Za-z0-9_-]*|[0-9]{1,4}))*$", max_length=200),
]
"""Where a value lies in JSON: names with dots between, a number for an entry of a list (`items.0.content.score`)."""


STATIC_FOLDER = "static"
"""Folder of a tool whose files the server gives to browsers."""


class Format(StrEnum):
    """How a value is written."""

    TEXT = "text"
    NUMBER = "number"
    PERCENT = "percent"
    TIME = "time"
    SEVERITY = "severity"
    LINK = "link"
    """An `https://` address; anything else is shown as text."""
    STATE = "state"


class Widget(Value):
    """What all widgets have."""

    title: Line
    permission: Permission | None = None
    """Shown only to those who have it; the interface checks each path besides."""
    span: Annotated[int, Field(ge=1, le=4)] = 1
    """Columns of the panel that it takes."""


class Kpi(Widget):
    """One figure."""

    kind: Literal["kpi"] = "kpi"
    source: ApiPath
    value: FieldPath
    reduce: Literal["value", "count", "sum", "mean", "max"] = "value"
    """What to make of `value` if it is a list."""
    unit: Annotated[str, Field(max_length=32)] = ""
    decimals: Annotated[int, Field(ge=0, le=6)] = 0


class Column(Value):
    """One column of a table."""

    field: FieldPath
    title: Line
    format: Format = Format.TEXT


class Action(Value):
    """A button that asks the tool for one of its tasks, about one row: the request's content is `{"id": ROW}`."""

    task: Slug
    title: Line
    key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]$")] | None = None
    """Pressed while a row is selected, it does the same."""
    primary: bool = False
    procedure: Slug | None = None
    """Started once the tool has done it, so that people get tasks: in the open incident that has the widget's title,
    or a new one of that title, with the row's first column as what it is about. The request names that incident."""


class Table(Widget):
    """Rows of a list of the interface."""

    kind: Literal["table"] = "table"
    source: ApiPath
    rows: FieldPath = "items"
    """Where the list of rows lies."""
    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=20)]
    actions: Annotated[tuple[Action, ...], Field(max_length=6)] = ()
    """Buttons at the end of each row."""
    row_id: FieldPath = "id"
    """What names a row to the tool when a button is pressed."""
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    empty: Line = "Nothing to show"


class Series(Widget):
    """Readings of one datastream with their expected band."""

    kind: Literal["series"] = "series"
    datastream: Line
    hours: Annotated[int, Field(ge=1, le=24 * 31)] = 24


class Map(Widget):
    """A map with the places of a list of the interface: points, lines and areas."""

    kind: Literal["map"] = "map"
    source: ApiPath
    rows: FieldPath = "items"
    """Where the list of rows lies."""
    place: FieldPath = "place"
    """Where in a row its place lies: `{"geometry": GeoJSON geometry, "name"}`."""
    label: FieldPath = "title"
    """Where in a row its name lies."""
    value: FieldPath | None = None
    """Where in a row a number lies that colours it, from the least to the greatest."""


class Graph(Widget):
    """Nodes and edges: JSON `{"nodes": [{"id", "name", "group"}], "edges": [{"source", "target"}]}`."""

    kind: Literal["graph"] = "graph"
    source: ApiPath
    value: FieldPath | None = None
    """Where the nodes and edges lie; None: the answer itself."""


class ChartStyle(StrEnum):
    """How a chart is drawn."""

    LINES = "lines"
    BARS = "bars"
    POINTS = "points"
    HEAT = "heat"
    """A coloured cell for each row: across `x`, down `y`, coloured by the one series."""


class ChartSeries(Value):
    """One line, one colour of bars, or the colour of a heat map."""

    field: FieldPath
    title: Line
    unit: Annotated[str, Field(max_length=32)] = ""


class Chart(Widget):
    """A chart of a list: each row gives one point of each series."""

    kind: Literal["chart"] = "chart"
    source: ApiPath
    rows: FieldPath = "items"
    """Where the list of rows lies, for example `items.0.content.curve`."""
    x: FieldPath
    """Number, time (as the interface writes it) or name."""
    y: FieldPath | None = None
    """Of a heat map: what stands down its side."""
    series: Annotated[tuple[ChartSeries, ...], Field(min_length=1, max_length=12)]
    style: ChartStyle = ChartStyle.LINES
    stacked: bool = False
    empty: Line = "Nothing to show"

    @model_validator(mode="after")
    def _heat_has_two_sides(self) -> Chart:
        if self.style is ChartStyle.HEAT and (self.y is None or len(self.series) != 1):
            raise ValueError("a heat map needs y and one series")
        return self


class Media(Widget):
    """A picture or a sound from the evidence store."""

    kind: Literal["media"] = "media"
    source: Annotated[str, StringConstraints(pattern=r"^/evidence/[0-9a-f]{64}$")]
    media: Literal["image", "audio", "video"] = "image"
    description: Line
    """For those who cannot see or hear it."""


class Text(Widget):
    """Plain text; an empty line starts a new paragraph."""

    kind: Literal["text"] = "text"
    text: LongText


class Form(Widget):
    """A form with the fields of a pydantic model, sent as JSON."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    kind: Literal["form"] = "form"
    model: type[BaseModel]
    target: ApiPath | None = None
    """A path of the interface that takes the fields; or else:"""
    task: Slug | None = None
    """The task of this tool that is asked for, with the fields as the request's content."""
    submit: Line = "Send"

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Form:
        if (self.target is None) == (self.task is None):
            raise ValueError("a form has a target or a task")
        return self

    def fields(self) -> Sequence[FormField]:
        """The inputs of the form, from the model's JSON Schema."""
        schema = self.model.model_json_schema()
        required = set(schema.get("required", ()))
        return [
            _form_field(name, _resolved(field, schema), name in required)
            for name, field in schema.get("properties", {}).items()
        ]


class FormField(Value):
    """One input."""

    name: str
    title: str
    description: str = ""
    input: Literal["text", "number", "checkbox", "select", "datetime-local"] = "text"
    choices: tuple[str, ...] = ()
    required: bool = False
    default: str = ""
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    step: str | None = None


AnyWidget = Annotated[Kpi | Table | Series | Map | Graph | Chart | Media | Text | Form, Field(discriminator="kind")]


class Panel(Value):
    """Some widgets under one heading, for some roles."""

    id: Slug
    title: Line
    summary: LongText = ""
    roles: tuple[Role, ...] = ()
    """Who sees it; empty: everybody who may see the tool."""
    columns: Annotated[int, Field(ge=1, le=4)] = 2
    widgets: Annotated[tuple[AnyWidget, ...], Field(max_length=50)] = ()
    module: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+(/[a-z0-9_-]+)*\.js$")] | None = None
    """An ES module below the tool's `static/` that draws into the panel itself, below its widgets:
    `export function mount(element, context)`; see docs/guide/write-a-tool.md."""

    @model_validator(mode="after")
    def _shows_something(self) -> Panel:
        if not self.widgets and self.module is None:
            raise ValueError("a panel needs a widget or a module")
        return self

    def visible(self, role: Role | str, permissions: Collection[str]) -> Panel | None:
        """The panel as this person sees it; None if it is not for them."""
        if self.roles and role not in self.roles:
            return None
        shown = tuple(
            widget for widget in self.widgets if widget.permission is None or widget.permission in permissions
        )
        return self.model_copy(update={"widgets": shown}) if shown or self.module else None


def load_panels(tool: InstalledTool) -> Sequence[Panel]:
    """The panels of an installed tool: what the `panel.py` beside its worker declares; none if it has none.

    Raises `ConfigurationError` if that file is wrong.
    """
    if tool.package is None:
        return ()
    name = f"{tool.package}.panel"
    if importlib.util.find_spec(name) is None:
        return ()
    try:
        declared = importlib.import_module(name).panels()
    except Exception as error:
        raise ConfigurationError(f"{name}: {type(error).__name__}: {error}", hint="mend the tool's panel.py") from error
    panels = tuple(declared)
    if not all(isinstance(panel, Panel) for panel in panels):
        raise ConfigurationError(
            f"{name}: panels() returns something that is no Panel", hint="mend the tool's panel.py"
        )
    _check_panels(name, tool, panels)
    return panels


def _check_panels(name: str, tool: InstalledTool, panels: Sequence[Panel]) -> None:
    """Raises `ConfigurationError` if a panel names a task that is not declared, or a module that is not there."""
    declared = {task.id for task in tool.manifest.tasks} if tool.manifest else set()
    asked = {
        task
        for panel in panels
        for widget in panel.widgets
        for task in (
            [action.task for action in widget.actions]
            if isinstance(widget, Table)
            else [widget.task]
            if isinstance(widget, Form) and widget.task
            else []
        )
    }
    if undeclared := asked - declared:
        raise ConfigurationError(
            f"{name}: task {', '.join(sorted(undeclared))} is not declared", hint="declare it in the tool's manifest"
        )
    for panel in panels:
        if panel.module and (tool.folder is None or not (tool.folder / STATIC_FOLDER / panel.module).is_file()):
            raise ConfigurationError(f"{name}: {STATIC_FOLDER}/{panel.module} is missing", hint="add the module")


def _resolved(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A property with its reference and its `or null` looked through."""
    options = [option for option in field.get("anyOf", ()) if option.get("type") != "null"]
    found = {**field, **options[0]} if options else field
    if reference := found.get("$ref"):
        found = {**found, **schema["$defs"][reference.rpartition("/")[2]], "title": field.get("title", "")}
    return found


def _form_field(name: str, field: dict[str, Any], required: bool) -> FormField:
    kinds: dict[str, Literal["text", "number", "checkbox"]] = {
        "integer": "number",
        "number": "number",
        "boolean": "checkbox",
    }
    default = field.get("default")
    choices = tuple(str(choice) for choice in field.get("enum", ()))
    return FormField(
        name=name,
        title=field.get("title") or name.replace("_", " ").capitalize(),
        description=field.get("description", ""),
        input="select" if choices else kinds.get(field.get("type", ""), "text"),
        choices=choices,
        required=required and field.get("type") != "boolean",
        default="" if default is None else str(default).lower() if isinstance(default, bool) else str(default),
        minimum=field.get("minimum"),
        maximum=field.get("maximum"),
        max_length=field.get("maxLength"),
        step="1" if field.get("type") == "integer" else "any" if field.get("type") == "number" else None,
    )
