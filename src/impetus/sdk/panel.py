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

FieldPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
"""Where a value lies in JSON: names with dots between them."""


class Format(StrEnum):
    """How a value is written."""

    TEXT = "text"
    NUMBER = "number"
    PERCENT = "percent"
    TIME = "time"
    SEVERITY = "severity"
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


class Table(Widget):
    """Rows of a list of the interface."""

    kind: Literal["table"] = "table"
    source: ApiPath
    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=20)]
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    empty: Line = "Nothing to show"


class Series(Widget):
    """Readings of one datastream with their expected band."""

    kind: Literal["series"] = "series"
    datastream: Line
    hours: Annotated[int, Field(ge=1, le=24 * 31)] = 24


class Map(Widget):
    """A map with the places of a list of the interface (items with `place`)."""

    kind: Literal["map"] = "map"
    source: ApiPath


class Graph(Widget):
    """Nodes and edges: JSON `{"nodes": [{"id", "name", "group"}], "edges": [{"source", "target"}]}`."""

    kind: Literal["graph"] = "graph"
    source: ApiPath


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
    target: ApiPath
    submit: Line = "Send"

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


AnyWidget = Annotated[Kpi | Table | Series | Map | Graph | Media | Text | Form, Field(discriminator="kind")]


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
    """An ES module below the tool's `static/` that draws into the panel itself."""

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
    if tool.tool_type is None:
        return ()
    name = f"{tool.tool_type.__module__.rpartition('.')[0]}.panel"
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
    return panels


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
