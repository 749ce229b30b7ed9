"""Logging in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request
from starlette.responses import Response

from impetus.api.access import Caller, Hub, Open, session_cookie
from impetus.api.body import json_body
from impetus.api.listing import plain
from impetus.api.resource import Resource
from impetus.api.routes.passkeys import site_of
from impetus.api.services import Services
from impetus.connectors.openid import Departure
from impetus.governance import LogIn
from impetus.governance.passkeys import ANSWER_LIMIT
from impetus.model import Permission, User

resource = Resource("/session", "session")


class LogInRequest(BaseModel):
    """Name and password, and a code or passkey of those who have a second factor; or a passkey alone."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)] = ""
    password: Annotated[SecretStr, Field(max_length=1_000)] = SecretStr("")
    code: Annotated[str, Field(max_length=64)] = ""
    """Of the person's app, or a recovery code."""
    passkey: Annotated[str, Field(max_length=ANSWER_LIMIT)] = ""
    """What the browser said for a passkey, as JSON: instead of the code, or, without name and password, of all."""


class SessionView(BaseModel):
    """Who is logged in. A machine with a token has no `user` but a `machine`."""

    user: User | None
    machine: str | None
    tenant: str
    organisation: str
    """What people call the organisation."""
    csrf: str | None
    """Goes into the header X-CSRF-Token with every change."""
    permissions: list[Permission]
    second_factor_missing: bool
    """The person's role must have a second factor: until it is set up, nothing else may be done."""


@resource.post("", Open.PUBLIC, SessionView, body=LogInRequest, status=200)
async def log_in(
    hub: Hub, request: Request, wanted: Annotated[LogInRequest, Depends(json_body(LogInRequest))]
) -> Response:
    """Log in; the session comes as a cookie. Failed attempts make further ones wait."""
    address = request.client.host if request.client is not None else "unknown"
    sessions, site = hub.governance.sessions, site_of(request)
    if wanted.passkey and not wanted.password.get_secret_value():
        return await _welcome(hub, await sessions.log_in_with_passkey(wanted.passkey, site, address=address))
    begun = await sessions.log_in(
        wanted.name,
        wanted.password.get_secret_value(),
        address=address,
        code=wanted.code,
        passkey=wanted.passkey,
        site=site,
    )
    return await _welcome(hub, begun)


class SingleSignOnView(BaseModel):
    """Whether there is a single sign-on."""

    title: str | None
    """What its button says; none: there is none."""


class Depart(BaseModel):
    """Nothing has to be said to go there."""

    model_config = ConfigDict(extra="forbid")


class DepartureView(BaseModel):
    """Where the browser goes, and what it has to bring back."""

    address: str
    state: str
    nonce: str
    verifier: str


class Arrival(BaseModel):
    """What a browser that was there brings back."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(min_length=1, max_length=4_000)]
    nonce: Annotated[str, Field(min_length=20, max_length=200)]
    verifier: Annotated[str, Field(min_length=43, max_length=128)]


@resource.get("/single-sign-on", Open.PUBLIC, SingleSignOnView)
async def read_single_sign_on(hub: Hub) -> Response:
    """Whether people may come in by a single sign-on (OpenID Connect)."""
    return plain({"title": hub.governance.single_sign_on.title})


@resource.post("/single-sign-on/departures", Open.PUBLIC, DepartureView, body=Depart, status=200)
async def depart(hub: Hub, wanted: Annotated[Depart, Depends(json_body(Depart))]) -> Response:
    """Where to send a browser to log in; whoever sends it keeps state, nonce and verifier and compares the state."""
    begun = await hub.governance.single_sign_on.depart()
    return plain(
        {"address": begun.address, "state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier},
        headers={"Cache-Control": "no-store"},
    )


@resource.post("/single-sign-on", Open.PUBLIC, SessionView, body=Arrival, status=200)
async def arrive(hub: Hub, request: Request, came: Annotated[Arrival, Depends(json_body(Arrival))]) -> Response:
    """Log in with the code that the single sign-on gave the browser; the session comes as a cookie."""
    address = request.client.host if request.client is not None else "unknown"
    departure = Departure("", "", came.nonce, came.verifier)
    return await _welcome(hub, await hub.governance.single_sign_on.arrive(came.code, departure, address=address))


@resource.get("", Open.AUTHENTICATED, SessionView)
async def read_session(caller: Caller, hub: Hub) -> Response:
    """Who is logged in, and what they may do."""
    return plain(
        {
            "user": None if caller.user is None else caller.user.model_dump(mode="json"),
            "machine": caller.machine,
            "tenant": caller.tenant,
            "organisation": await _organisation(hub, caller.tenant),
            "csrf": caller.csrf,
            "permissions": sorted(caller.permissions),
            "second_factor_missing": caller.second_factor_missing,
        }
    )


@resource.delete("", Open.AUTHENTICATED)
async def log_out(caller: Caller, hub: Hub) -> Response:
    """Log out. A token stays good: revoke it instead."""
    await hub.governance.sessions.log_out(caller)
    response = Response(status_code=204)
    response.delete_cookie(
        session_cookie(hub), path="/", secure=hub.settings.secure_cookies, httponly=True, samesite="strict"
    )
    return response


async def _organisation(hub: Services, tenant: str) -> str:
    async with hub.store.view() as transaction:
        found = await transaction.organisations.find(tenant)
    return tenant if found is None else found.name


async def _welcome(hub: Services, begun: LogIn) -> Response:
    """The session that has begun, as a cookie and in words."""
    principal = await hub.governance.sessions.authenticate(begun.secret)
    response = plain(
        {
            "user": begun.user.model_dump(mode="json"),
            "machine": None,
            "tenant": begun.user.tenant,
            "organisation": await _organisation(hub, begun.user.tenant),
            "csrf": begun.csrf,
            "permissions": sorted(principal.permissions),
            "second_factor_missing": principal.second_factor_missing,
        }
    )
    response.set_cookie(
        session_cookie(hub),
        begun.secret,
        max_age=max(1, int((begun.expires - hub.clock.now()).total_seconds())),
        path="/",
        secure=hub.settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )
    return response
