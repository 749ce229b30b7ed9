"""The person's own page: the account, the second factor, passkeys, the password."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import Response

from impetus.ui.client import ApiProblem
from impetus.ui.pages import visitor
from impetus.ui.session import LogInFirst, Site, Visit

Field = Annotated[str, Form()]


def add_profile_pages(forms: APIRouter, site: Site) -> None:
    """Add the page and its forms."""
    someone = Depends(visitor(site))

    @forms.get("/profile")
    async def profile(visit: Visit = someone) -> Response:
        return await _shown(visit, "pages/profile.html")

    @forms.post("/profile/second-factor")
    async def begin(visit: Visit = someone, password: Field = "") -> Response:
        return await _sent(visit, "/session/second-factor", {"password": password}, "begun")

    @forms.post("/profile/second-factor/confirm")
    async def confirm(visit: Visit = someone, code: Field = "") -> Response:
        return await _sent(visit, "/session/second-factor/confirm", {"code": code}, "confirmed")

    @forms.post("/profile/second-factor/remove")
    async def remove(visit: Visit = someone, password: Field = "") -> Response:
        return await _sent(visit, "/session/second-factor/remove", {"password": password}, "removed")

    @forms.post("/profile/passkeys/{id}/remove")
    async def remove_passkey(
        id: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")], visit: Visit = someone, password: Field = ""
    ) -> Response:
        return await _sent(visit, f"/session/passkeys/{id}/remove", {"password": password}, "removed")

    @forms.post("/profile/password")
    async def password(visit: Visit = someone, old: Field = "", new: Field = "") -> Response:
        return await _sent(visit, "/session/password", {"old": old, "new": new}, "changed")


async def _sent(visit: Visit, path: str, body: dict[str, str], what: str) -> Response:
    """Send a form and show the person's own access again, with what came of it."""
    try:
        came = (await visit.client.send("POST", path, body)).json()
    except ApiProblem as problem:
        return await _shown(visit, "partials/own_access.html", problem=problem)
    if what == "changed":
        raise LogInFirst  # the sessions have ended, this one too
    if what == "confirmed":
        return await _shown(visit, "partials/own_access.html", codes=came["recovery_codes"])
    return await _shown(visit, "partials/own_access.html", begun=came if what == "begun" else None)


async def _shown(visit: Visit, template: str, *, problem: ApiProblem | None = None, **context: Any) -> Response:
    factor = await visit.client.get("/session/second-factor")
    passkeys = (await visit.client.get("/session/passkeys"))["items"]
    shown = {"begun": None, "codes": None, **context}
    status = 200 if problem is None else problem.http_status
    return visit.page(template, "profile", status=status, factor=factor, passkeys=passkeys, problem=problem, **shown)
