"""The passkeys of the person who is logged in, and the question that a browser answers with one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from impetus.api.access import Caller, Hub, Open, services_of
from impetus.api.body import json_body
from impetus.api.listing import plain
from impetus.api.resource import Resource
from impetus.api.routes.second_factor import NOT_KEPT, PasswordShown
from impetus.governance.passkeys import ANSWER_LIMIT, Site
from impetus.model import UtcTime
from impetus.store import PasskeyRecord

resource = Resource("/session/passkeys", "session")

PasskeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PasskeyView(BaseModel):
    """A passkey of the caller."""

    id: str
    title: str
    created: UtcTime
    used: UtcTime | None
    """When it was last shown."""


class PasskeyList(BaseModel):
    """The caller's passkeys."""

    items: list[PasskeyView]


class Question(BaseModel):
    """What a browser is asked: the options of Web Authentication as JSON."""

    options: dict[str, Any]


class Asked(BaseModel):
    """Nothing has to be said to be asked."""

    model_config = ConfigDict(extra="forbid")


class NewPasskey(BaseModel):
    """What the browser has made."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=100)]
    answer: Annotated[str, Field(max_length=ANSWER_LIMIT)]
    """What the browser said, as JSON."""


def site_of(request: Request) -> Site:
    """Where the pages are, as this browser has them."""
    return services_of(request).governance.passkeys.site(f"{request.url.scheme}://{request.headers.get('host', '')}")


def _view(record: PasskeyRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", include={"id", "title", "created", "used"})


@resource.get("", Open.AUTHENTICATED, PasskeyList)
async def list_passkeys(caller: Caller, hub: Hub) -> Response:
    """The caller's passkeys."""
    return plain({"items": [_view(one) for one in await hub.governance.passkeys.list(caller)]})


@resource.post("/questions", Open.PUBLIC, Question, body=Asked, status=200)
async def ask_for_passkey(hub: Hub, request: Request, asked: Annotated[Asked, Depends(json_body(Asked))]) -> Response:
    """What a browser has to answer to log in with a passkey."""
    return plain({"options": hub.governance.passkeys.ask(site_of(request))}, headers=NOT_KEPT)


@resource.post("/begin", Open.AUTHENTICATED, Question, body=PasswordShown, status=200)
async def begin_passkey(
    caller: Caller, hub: Hub, request: Request, shown: Annotated[PasswordShown, Depends(json_body(PasswordShown))]
) -> Response:
    """What a browser has to answer to make a passkey."""
    options = await hub.governance.passkeys.begin(caller, shown.password.get_secret_value(), site_of(request))
    return plain({"options": options}, headers=NOT_KEPT)


@resource.post("", Open.AUTHENTICATED, PasskeyView, body=NewPasskey)
async def add_passkey(
    caller: Caller, hub: Hub, request: Request, made: Annotated[NewPasskey, Depends(json_body(NewPasskey))]
) -> Response:
    """Keep a passkey that the browser has made; the caller's other sessions end."""
    record = await hub.governance.passkeys.finish(caller, made.title, made.answer, site_of(request))
    return plain(_view(record), status=201)


@resource.post("/{id}/remove", Open.AUTHENTICATED, body=PasswordShown, status=204)
async def remove_passkey(
    caller: Caller, hub: Hub, id: PasskeyId, shown: Annotated[PasswordShown, Depends(json_body(PasswordShown))]
) -> Response:
    """Take away one of the caller's passkeys."""
    await hub.governance.passkeys.remove(caller, id, shown.password.get_secret_value())
    return Response(status_code=204)
