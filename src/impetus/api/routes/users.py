"""People with an account in the own organisation."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, PathId, items_response, one
from impetus.api.resource import Resource
from impetus.model import Line, NotAllowed, Permission, Role, Slug, User

resource = Resource("/users", "administration")


class NewUser(BaseModel):
    """An account, as it is asked for."""

    model_config = ConfigDict(extra="forbid")

    name: Slug
    full_name: Line
    role: Role
    password: Annotated[SecretStr, Field(max_length=1_000)]
    language: Slug = "en"
    tenant: Slug | None = None
    """The own organisation, which is also the default."""


class UserChange(BaseModel):
    """What is changed of an account; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    active: bool | None = None
    password: Annotated[SecretStr | None, Field(max_length=1_000)] = None
    second_factor: Literal[False] | None = None
    """False takes away a second factor that the person has lost."""


class UserView(User):
    """An account as an administrator sees it."""

    second_factor: bool
    """Whether the person has set up a second factor."""


@resource.get("", Permission.ADMINISTRATION, Items[UserView])
async def list_users(caller: Caller, hub: Hub) -> Response:
    """All accounts, those that are shut out too."""
    users = await hub.governance.accounts.users(caller, caller.tenant)
    holders = await hub.governance.second_factors.holders(caller, caller.tenant)
    return items_response(UserView(**user.model_dump(), second_factor=user.id in holders) for user in users)


@resource.post("", Permission.ADMINISTRATION, User, body=NewUser)
async def create_user(caller: Caller, hub: Hub, new: Annotated[NewUser, Depends(json_body(NewUser))]) -> Response:
    """Make an account."""
    if new.tenant is not None and new.tenant != caller.tenant:
        raise NotAllowed("An administrator works within the own organisation only.")
    user = await hub.governance.accounts.create_user(
        caller,
        caller.tenant,
        name=new.name,
        full_name=new.full_name,
        role=new.role,
        password=new.password.get_secret_value(),
        language=new.language,
    )
    return one(user, status=201)


@resource.post("/{id}", Permission.ADMINISTRATION, User, body=UserChange, status=200)
async def change_user(
    caller: Caller, hub: Hub, id: PathId, change: Annotated[UserChange, Depends(json_body(UserChange))]
) -> Response:
    """Give another role or a new password, shut a person out or let them in again. Their sessions end."""
    if change.password is not None:
        await hub.governance.accounts.reset_password(caller, caller.tenant, id, change.password.get_secret_value())
    if change.second_factor is not None:
        await hub.governance.second_factors.reset(caller, caller.tenant, id)
    if change.role is not None:
        await hub.governance.accounts.change_role(caller, caller.tenant, id, change.role)
    if change.active is not None:
        await hub.governance.accounts.set_active(caller, caller.tenant, id, change.active)
    async with hub.store.view() as transaction:
        return one(await transaction.users.get(caller.tenant, id))
