"""Who calls, and whether they may: one guard for every route."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Collection
from enum import StrEnum
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from impetus.api.services import Services
from impetus.governance import Principal
from impetus.model import NotAuthenticated, Permission, Unavailable
from impetus.store import within

SESSION_COOKIE = "impetus_session"
EXERCISE_COOKIE = "impetus_exercise_session"
"""A browser sends its cookies to every port of a host: an exercise there must not log anybody out of the operation."""
CSRF_HEADER = "X-CSRF-Token"
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECRET_LIMIT = 200
"""Characters; no session or token of ours is longer."""


class Open(StrEnum):
    """Who may call a route that asks for no permission in particular."""

    PUBLIC = "public"
    AUTHENTICATED = "authenticated"


Access = Permission | Open


class Guard:
    """The dependency in front of a route: lets nobody in whom the route's declaration does not let in."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def __call__(self, request: Request) -> AsyncIterator[None]:
        """Holds the request within the caller's organisation. Raises `NotAuthenticated`, or `NotAllowed` for a missing
        permission or a missing CSRF token."""
        if self.access is Open.PUBLIC:
            yield
            return
        principal = await authenticate(request)
        if request.method not in READING_METHODS:
            principal.require_csrf(request.headers.get(CSRF_HEADER))
        if isinstance(self.access, Permission):
            principal.require(self.access)
        request.state.principal = principal
        with within(principal.tenant):
            yield


def services_of(request: Request) -> Services:
    """What the routes of this application work with."""
    services: Services = request.app.state.services
    return services


def _password(credentials: str) -> str:
    """The password of HTTP Basic (RFC 7617), which is a token here: TAXII's clients know no other way, many of them.

    Empty if it is none. Log-in names are not looked at, and a person's password is no token.
    """
    try:
        decoded = base64.b64decode(credentials[: 4 * SECRET_LIMIT], validate=True).decode()
    except ValueError:
        return ""
    return decoded.partition(":")[2]


def session_cookie(services: Services) -> str:
    """Name of the cookie that holds a session: an exercise has its own."""
    return EXERCISE_COOKIE if services.exercise.title else SESSION_COOKIE


async def authenticate(request: Request, *, touch: bool = True) -> Principal:
    """Who is behind the token or, without one, behind the session's cookie. Raises `NotAuthenticated`."""
    services = services_of(request)
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() == "basic":
            scheme, secret = "bearer", _password(secret)
        if scheme.lower() != "bearer" or not 0 < len(secret) <= SECRET_LIMIT:
            raise NotAuthenticated("The Authorization header is not 'Bearer TOKEN'.", hint="Send a token, or log in.")
        return await services.governance.authenticate(bearer=secret, touch=touch)
    cookie = request.cookies.get(session_cookie(services))
    if not cookie or len(cookie) > SECRET_LIMIT:
        raise NotAuthenticated("Nobody is logged in.", hint="Log in, or send 'Authorization: Bearer TOKEN'.")
    return await services.governance.authenticate(session=cookie, touch=touch)


def caller(request: Request) -> Principal:
    """Who calls; the route's guard has found out. Raises `NotAuthenticated` on a route that is open to all."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise NotAuthenticated("Nobody is logged in.", hint="Log in first.")
    return principal


async def still_welcome(request: Request, known: Principal, needed: Collection[Permission]) -> bool:
    """Whether a caller who was let in some time ago would be let in now, with these permissions.

    Callers with the same session or token share one look into the store for a moment. Looking does not count as use: a
    forgotten screen must not keep a session alive.
    """
    services = services_of(request)
    key = known.session or known.token or ""
    now_s = asyncio.get_running_loop().time()
    checked = services.welcomed.get(key)
    if checked is None or now_s - checked[0] >= services.settings.stream.check_interval_s / 2:
        try:
            permissions = (await authenticate(request, touch=False)).permissions
        except NotAuthenticated:
            permissions = frozenset()
        except Unavailable:
            # The store will answer again; the stream shows nothing that was not shown already.
            return True
        checked = (now_s, permissions)
        services.welcomed[key] = checked
        for old in [name for name, (then_s, _) in services.welcomed.items() if now_s - then_s > 60]:
            del services.welcomed[old]
    return checked[1].issuperset(needed)


Caller = Annotated[Principal, Depends(caller)]
Hub = Annotated[Services, Depends(services_of)]
