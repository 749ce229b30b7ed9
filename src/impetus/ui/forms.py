"""What people send from the pages: the forms that htmx sends and a part of a page answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, Response

from impetus.model import Identifier, Permission, Role
from impetus.ui.client import ApiProblem
from impetus.ui.log_in_pages import add_log_in_pages
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.profile_pages import add_profile_pages
from impetus.ui.rule_pages import add_rule_pages
from impetus.ui.session import LogInFirst, Site, Visit

Field = Annotated[str, Form()]


def router(site: Site) -> APIRouter:
    """All addresses that take a form."""
    forms = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))
    add_log_in_pages(forms, site)
    add_rule_pages(forms, site)
    add_profile_pages(forms, site)

    @forms.post("/dead-letters/{id}/discard")
    async def discard(id: Identifier, reason: Field = "", visit: Visit = someone) -> Response:
        problem = await _try(visit, "POST", f"/dead-letters/{id}/discard", {"reason": reason})
        letters = await visit.client.get("/dead-letters", limit=100)
        return visit.page(
            "partials/dead_letters.html", "dead-letters", letters=letters, problem=problem, status=_status(problem)
        )

    @forms.post("/audit/verify")
    async def verify(visit: Visit = someone) -> Response:
        reply = await visit.client.send("POST", "/audit/verify")
        return visit.page("partials/verified.html", "audit", result=reply.json())

    @forms.get("/administration")
    async def administration(visit: Visit = someone) -> Response:
        return await _administration(visit, "pages/administration.html")

    @forms.post("/administration/users")
    async def add_user(
        visit: Visit = someone,
        name: Field = "",
        full_name: Field = "",
        role: Field = "",
        password: Field = "",
    ) -> Response:
        body = {"name": name, "full_name": full_name, "role": role, "password": password, "language": visit.language}
        return await _administer(visit, "users", body)

    @forms.post("/administration/users/{id}")
    async def change_user(id: Identifier, visit: Visit = someone, active: Field = "") -> Response:
        return await _administer(visit, f"users/{id}", {"active": active == "true"})

    @forms.post("/administration/users/{id}/second-factor")
    async def lost_second_factor(id: Identifier, visit: Visit = someone) -> Response:
        return await _administer(visit, f"users/{id}", {"second_factor": False})

    @forms.post("/administration/organisations")
    async def add_organisation(visit: Visit = someone, id: Field = "", name: Field = "") -> Response:
        return await _administer(visit, "organisations", {"id": id, "name": name})

    @forms.post("/administration/tokens")
    async def add_token(
        visit: Visit = someone, name: Field = "", scopes: Annotated[list[str] | None, Form()] = None
    ) -> Response:
        return await _administer(visit, "tokens", {"name": name, "scopes": scopes or []})

    @forms.post("/administration/tokens/{id}/rotate")
    async def rotate_token(id: Identifier, visit: Visit = someone) -> Response:
        return await _administer(visit, f"tokens/{id}/rotate", {})

    @forms.post("/administration/tokens/{id}/revoke")
    async def revoke_token(id: Identifier, visit: Visit = someone) -> Response:
        return await _administer(visit, f"tokens/{id}/revoke", None)

    return forms


async def _try(visit: Visit, method: str, path: str, body: Mapping[str, Any]) -> ApiProblem | None:
    try:
        await visit.client.send(method, path, body)
    except ApiProblem as problem:
        if problem.http_status == 401:
            raise LogInFirst from problem
        return problem
    return None


def _status(problem: ApiProblem | None) -> int:
    return 200 if problem is None else problem.http_status


async def _administration(visit: Visit, template: str, **context: Any) -> Response:
    if not visit.may(Permission.ADMINISTRATION):
        return not_allowed(visit)
    lists = {name: (await visit.client.get(f"/{name}"))["items"] for name in ("users", "organisations", "tokens")}
    shown = {"problem": None, "created": None, **context}
    return visit.page(
        template,
        "administration",
        status=_status(shown["problem"]),
        roles=[role.value for role in Role],
        scopes=[permission.value for permission in Permission],
        **lists,
        **shown,
    )


async def _administer(visit: Visit, path: str, body: Mapping[str, Any] | None) -> Response:
    """Send one form of the administration and show its lists again, with what came of it."""
    problem, created = None, None
    try:
        created = (await visit.client.send("POST", f"/{path}", body)).json()
    except ApiProblem as error:
        problem = error
    return await _administration(visit, "partials/administration.html", problem=problem, created=created)
