"""Dashboards: which there are, what is on them, arranging one's own, composing one for a role."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.responses import Response

from impetus.api.access import Caller, Hub, Open
from impetus.api.body import json_body
from impetus.api.dashboards import AssignedPerson, DashboardEntry, DashboardView, PanelKind
from impetus.api.listing import Items, PathId, items_response, one
from impetus.api.resource import Resource
from impetus.model import Identifier, InvalidInput, Permission, Slug
from impetus.model.dashboard import PANELS_LIMIT, Dashboard, Placement

resource = Resource("/dashboards", "dashboards")


class DashboardQuery(BaseModel):
    """How to look at a dashboard."""

    model_config = ConfigDict(extra="forbid")

    arranged: Annotated[bool, Field(description="With what the caller arranged; false: as it is for the role.")] = True


class VersionQuery(BaseModel):
    """What is removed."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=0, description="The version that the caller saw.")]


class Arrangement(BaseModel):
    """How a person arranges a dashboard."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=0)]
    """`own_version` of what the person saw."""
    panels: Annotated[list[Placement], Field(max_length=PANELS_LIMIT)]


class Composition(BaseModel):
    """What an administrator composes for a role."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=0)]
    """`version` of what the administrator saw; 0 for a new one."""
    dashboard: Dashboard


class Assignment(BaseModel):
    """Who gets a dashboard."""

    model_config = ConfigDict(extra="forbid")

    person: Identifier
    assigned: bool
    """False takes it away."""
    before: Slug | None = None
    """The dashboard that the person had been given, as the administrator saw it."""


@resource.get("", Open.AUTHENTICATED, Items[DashboardEntry])
async def list_dashboards(caller: Caller, hub: Hub) -> Response:
    """The dashboards that the caller may open; the first is the one to begin with."""
    return items_response(await hub.dashboards.list(caller))


@resource.get("/panels", Open.AUTHENTICATED, Items[PanelKind])
async def list_panels(caller: Caller, hub: Hub) -> Response:
    """The panels that can be placed on a dashboard."""
    return items_response(hub.dashboards.panels(caller))


@resource.get("/people", Permission.ADMINISTRATION, Items[AssignedPerson])
async def list_assigned_people(caller: Caller, hub: Hub) -> Response:
    """The people of the organisation, and the dashboards that they were given."""
    return items_response(await hub.dashboards.people(caller))


@resource.post("/{id}/own", Open.AUTHENTICATED, DashboardView, body=Arrangement, status=200)
async def arrange_dashboard(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[Arrangement, Depends(json_body(Arrangement))]
) -> Response:
    """Keep how the caller arranged a dashboard."""
    return one(await hub.dashboards.arrange(caller, id, wanted.panels, wanted.version))


@resource.delete("/{id}/own", Open.AUTHENTICATED)
async def reset_dashboard(caller: Caller, hub: Hub, id: PathId, query: Annotated[VersionQuery, Query()]) -> Response:
    """Forget how the caller arranged a dashboard: it is the role's again."""
    await hub.dashboards.arrange(caller, id, None, query.version)
    return Response(status_code=204)


@resource.post("/{id}/people", Permission.ADMINISTRATION, Items[AssignedPerson], body=Assignment, status=200)
async def assign_dashboard(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[Assignment, Depends(json_body(Assignment))]
) -> Response:
    """Give a person a dashboard to begin on, or take it away."""
    await hub.dashboards.assign(caller, id, wanted.person, assigned=wanted.assigned, before=wanted.before)
    return items_response(await hub.dashboards.people(caller))


@resource.get("/{id}", Open.AUTHENTICATED, DashboardView)
async def read_dashboard(caller: Caller, hub: Hub, id: PathId, query: Annotated[DashboardQuery, Query()]) -> Response:
    """One dashboard as the caller sees it."""
    return one(await hub.dashboards.get(caller, id, composed_only=not query.arranged))


@resource.post("/{id}", Permission.ADMINISTRATION, DashboardView, body=Composition, status=200)
async def compose_dashboard(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[Composition, Depends(json_body(Composition))]
) -> Response:
    """Keep what was composed for a role: one of those that are shipped, or a new name."""
    return one(await hub.dashboards.compose(caller, _name(id), wanted.dashboard, wanted.version))


@resource.delete("/{id}", Permission.ADMINISTRATION)
async def remove_dashboard(caller: Caller, hub: Hub, id: PathId, query: Annotated[VersionQuery, Query()]) -> Response:
    """Remove what was composed: a shipped layout comes back, a new name is gone."""
    await hub.dashboards.remove(caller, id, query.version)
    return Response(status_code=204)


def _name(id: str) -> str:
    """The name of a role in an address. Raises `InvalidInput`."""
    try:
        return TypeAdapter(Slug).validate_python(id)
    except ValidationError as error:
        raise InvalidInput(
            f"{id!r} cannot be the name of a role", hint="Use small letters, digits and hyphens, at most 64."
        ) from error
