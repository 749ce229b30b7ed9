"""Dashboards: which panels a person sees, how large, in which order."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from impetus.model.base import Identifier, Line, Slug, Text, Value

GRID_COLUMNS: Final = 12
LARGEST_HEIGHT: Final = 24
PANELS_LIMIT: Final = 24

PanelName = Annotated[
    str, StringConstraints(max_length=129, pattern=r"^[a-z0-9][a-z0-9-]{0,63}(:[a-z0-9][a-z0-9-]{0,63})?$")
]
"""A panel of the shell (`queue`), or one of a tool (`anomaly:overview`)."""


class Placement(Value):
    """One panel on a dashboard. The order of the placements is the order of the panels on the grid."""

    id: Slug
    """Tells two placements of the same panel apart; unique on the dashboard."""
    panel: PanelName
    width: Annotated[int, Field(ge=2, le=GRID_COLUMNS)]
    """Columns, of twelve."""
    height: Annotated[int, Field(ge=2, le=LARGEST_HEIGHT)]
    """Rows; twelve fill a screen."""
    datastream: Identifier | None = None
    """The sensor that the panel shows; without one it shows what is selected elsewhere on the dashboard."""
    hours: Annotated[int | None, Field(ge=1, le=24 * 31)] = None
    """How far back the panel looks."""


class Dashboard(Value):
    """A dashboard as its role, its organisation or a person arranged it."""

    title: Line
    summary: Text = ""
    panels: Annotated[tuple[Placement, ...], Field(max_length=PANELS_LIMIT)] = ()

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        ids = [placement.id for placement in self.panels]
        if len(set(ids)) != len(ids):
            raise ValueError("two panels have the same id")
        return self
