"""Organisations of the installation."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, items_response, one
from impetus.api.resource import Resource
from impetus.model import Line, Permission, Slug, Tenant

resource = Resource("/organisations", "administration")


class NewOrganisation(BaseModel):
    """An organisation, as it is asked for."""

    model_config = ConfigDict(extra="forbid")

    id: Slug
    name: Line


@resource.get("", Permission.ADMINISTRATION, Items[Tenant])
async def list_organisations(caller: Caller, hub: Hub) -> Response:
    """All organisations, by id."""
    return items_response(await hub.governance.accounts.organisations(caller))


@resource.post("", Permission.ADMINISTRATION, Tenant, body=NewOrganisation)
async def create_organisation(
    caller: Caller, hub: Hub, new: Annotated[NewOrganisation, Depends(json_body(NewOrganisation))]
) -> Response:
    """Make an organisation. Its first administrator is made on the command line."""
    return one(await hub.governance.accounts.create_organisation(caller, new.id, new.name), status=201)
