"""Logging in and out, with a password or by the organisation's single sign-on; and the language of the pages."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from impetus.ui import languages, security
from impetus.ui.client import ApiProblem, Client
from impetus.ui.session import LANGUAGE_COOKIE, Site

Field = Annotated[str, Form()]
YEAR_S = 365 * 86_400
START = "/start"
"""Where a person who asked for no page in particular goes after logging in."""
SIGN_ON_COOKIE = "impetus_sign_on"
SIGN_ON_S = 600
"""How long a person may stay away at the single sign-on."""


def add_log_in_pages(forms: APIRouter, site: Site) -> None:
    """Add the page, its forms, and the way through the single sign-on and back."""

    @forms.get("/login")
    async def login(request: Request, next: Annotated[str | None, Query()] = None) -> Response:
        return await log_in_page(site, request, next)

    @forms.post("/login")
    async def log_in(
        request: Request,
        name: Field = "",
        password: Field = "",
        code: Field = "",
        passkey: Field = "",
        next: Field = "",
    ) -> Response:
        if not security.is_own_form(request):
            return await log_in_page(site, request, next, status=403)
        try:
            shown = {"name": name, "password": password, "code": code, "passkey": passkey}
            reply = await Client(site.app, request).send("POST", "/session", shown)
        except ApiProblem as problem:
            return await log_in_page(site, request, next, status=problem.http_status, problem=problem, name=name)
        return _with_cookies(RedirectResponse(security.own_path(next, START), 303), reply.headers.getlist("set-cookie"))

    @forms.post("/logout")
    async def log_out(request: Request, csrf: Field = "") -> Response:
        client = Client(site.app, request, csrf=csrf)
        try:
            reply = await client.send("DELETE", "/session")
        except ApiProblem as problem:
            if problem.http_status != 401:
                raise
            return RedirectResponse("/login", 303)
        return _with_cookies(RedirectResponse("/login", 303), reply.headers.getlist("set-cookie"))

    @forms.get("/login/single-sign-on")
    async def depart(request: Request, next: Annotated[str | None, Query()] = None) -> Response:
        try:
            reply = await Client(site.app, request).send("POST", "/session/single-sign-on/departures", {})
        except ApiProblem as problem:
            return await log_in_page(site, request, next, status=problem.http_status, problem=problem)
        departure = reply.json()
        taken = json.dumps({**departure, "address": "", "next": security.own_path(next, START)}).encode()
        response = RedirectResponse(departure["address"], 303)
        # The provider's redirect comes from another site: a strict cookie would not come along.
        response.set_cookie(
            SIGN_ON_COOKIE,
            base64.urlsafe_b64encode(taken).decode(),
            max_age=SIGN_ON_S,
            path="/login",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    @forms.get("/login/single-sign-on/back")
    async def back(
        request: Request,
        code: Annotated[str, Query(max_length=4_000)] = "",
        state: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        kept = _kept(request)
        # Or else a person could be made to come in with somebody else's account.
        if not code or not state or not hmac.compare_digest(state.encode(), kept.get("state", "").encode()):
            problem = ApiProblem(401, {"detail": "The single sign-on did not bring you back from here.", "hint": ""})
            return _forgotten(await log_in_page(site, request, None, status=401, problem=problem))
        body = {"code": code, "nonce": kept.get("nonce", ""), "verifier": kept.get("verifier", "")}
        try:
            reply = await Client(site.app, request).send("POST", "/session/single-sign-on", body)
        except ApiProblem as problem:
            page = await log_in_page(site, request, kept.get("next"), status=problem.http_status, problem=problem)
            return _forgotten(page)
        # A redirect would still be the other site's, and the session's strict cookie would not go with it.
        page = site.renderer.page(
            "pages/signed_on.html", site.language(request), next=security.own_path(kept.get("next"), START)
        )
        return _forgotten(_with_cookies(page, reply.headers.getlist("set-cookie")))

    @forms.post("/language")
    async def language(request: Request, language: Field = "", back: Field = "/") -> Response:
        response = RedirectResponse(security.own_path(back), 303)
        if language in languages.LANGUAGES and security.is_own_form(request):
            response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_S, samesite="strict", httponly=True)
        return response


async def log_in_page(
    site: Site,
    request: Request,
    next: str | None,
    *,
    status: int = 200,
    problem: ApiProblem | None = None,
    name: str = "",
) -> Response:
    """The log-in page, with what came of the last try."""
    sign_on = await Client(site.app, request).get("/session/single-sign-on")
    return site.renderer.page(
        "pages/login.html",
        site.language(request),
        status=status,
        next=security.own_path(next, START),
        problem=problem,
        name=name,
        sign_on=sign_on["title"],
        here=request.url.path,
    )


def _with_cookies(response: Response, cookies: list[str]) -> Response:
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response


def _kept(request: Request) -> dict[str, str]:
    """What this browser took along to the single sign-on; empty if nothing, or nothing that can be read."""
    try:
        found = json.loads(base64.urlsafe_b64decode(request.cookies.get(SIGN_ON_COOKIE, "")[:4_000]))
    except ValueError:
        return {}
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _forgotten(response: Response) -> Response:
    response.delete_cookie(SIGN_ON_COOKIE, path="/login", httponly=True, samesite="lax")
    return response
