"""Tokens of machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends
from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, PathId, plain
from impetus.api.resource import Resource
from impetus.model import Line, Permission, UtcTime
from impetus.store import TokenRecord

resource = Resource("/tokens", "administration")


class NewToken(BaseModel):
    """A machine's token, as it is asked for."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[Line, Field(validation_alias=AliasChoices("title", "name"))]
    """Which machine has it, or what it is for; may also be called `name`."""
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=50)]
    expires: AwareDatetime | None = None


class Rotation(BaseModel):
    """How a token is replaced by a new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: Annotated[float, Field(ge=0, le=168)] = 24.0
    """How long the old one goes on beside the new one."""


class TokenView(BaseModel):
    """A token, without its secret."""

    id: str
    title: str
    name: str
    """The same as `title`."""
    scopes: list[Permission]
    user: str | None
    created: UtcTime
    created_by: str
    expires: UtcTime | None
    revoked: UtcTime | None
    used: UtcTime | None


class TokenMade(TokenView):
    """A new token; `token` is the secret, which is shown this once."""

    token: str


@resource.get("", Permission.ADMINISTRATION, Items[TokenView])
async def list_tokens(caller: Caller, hub: Hub) -> Response:
    """All tokens, those that have ended too, newest first."""
    return plain({"items": [_view(token) for token in await hub.governance.tokens.list(caller)], "next": None})


@resource.post("", Permission.ADMINISTRATION, TokenMade, body=NewToken)
async def create_token(caller: Caller, hub: Hub, new: Annotated[NewToken, Depends(json_body(NewToken))]) -> Response:
    """Make a token for a machine. A machine never decides and never administers."""
    token, secret = await hub.governance.tokens.create_machine(caller, new.title, new.scopes, expires=new.expires)
    return plain(_view(token) | {"token": secret}, status=201)


@resource.post("/{id}/rotate", Permission.ADMINISTRATION, TokenMade, body=Rotation)
async def rotate_token(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[Rotation, Depends(json_body(Rotation))]
) -> Response:
    """Make a token like this one with a secret of its own; the old one goes on for a while, then it ends."""
    token, secret = await hub.governance.tokens.rotate(caller, id, overlap=timedelta(hours=wanted.overlap_hours))
    return plain(_view(token) | {"token": secret}, status=201)


@resource.post("/{id}/revoke", Permission.ADMINISTRATION, TokenView, status=200)
async def revoke_token(caller: Caller, hub: Hub, id: PathId) -> Response:
    """End a token at once."""
    return plain(_view(await hub.governance.tokens.revoke(caller, id)))


def _view(token: TokenRecord) -> dict[str, Any]:
    return token.model_dump(mode="json", exclude={"hash", "tenant"}) | {"name": token.title}
