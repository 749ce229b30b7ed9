"""The shift: what one holds, who holds how many, and handing over to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, Response

from impetus.model import Identifier, Permission, new_id
from impetus.ui.client import ApiProblem
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import LogInFirst, Site, Visit

Field = Annotated[str, Form()]
HELD_LIMIT = 200


def router(site: Site) -> APIRouter:
    """The pages of the shift and the forms on them."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/shift")
    async def shift(visit: Visit = someone, person: Annotated[Identifier | None, Query()] = None) -> Response:
        return await _shift(visit, "pages/shift.html", person)

    @pages.get("/parts/shift")
    async def part(visit: Visit = someone, person: Annotated[Identifier | None, Query()] = None) -> Response:
        return await _shift(visit, "partials/shift.html", person)

    @pages.post("/shift/alerts/{id:path}")
    async def decide(
        id: Identifier,
        visit: Visit = someone,
        action: Field = "",
        version: Field = "",
        decision: Field = "",
        person: Field = "",
        reason: Field = "",
        override: Field = "",
        shown: Field = "",
    ) -> Response:
        body = {
            "id": decision,
            "action": action,
            "version": _number(version),
            "reason": reason,
            **({"person": person} if action == "assign" else {}),
            "override": override == "true",
        }
        problem = await _try(visit, f"/alerts/{quote(id, safe='')}/decisions", body)
        return await _shift(visit, "partials/shift.html", shown or None, problem)

    @pages.post("/shift/handovers")
    async def write(visit: Visit = someone, id: Field = "", text: Field = "", successor: Field = "") -> Response:
        body = {"id": id, "text": text, "successor": successor or None}
        problem = await _try(visit, "/handovers", body)
        return await _shift(visit, "partials/shift.html", None, problem)

    @pages.post("/shift/handovers/{id}")
    async def answer(
        id: Identifier, visit: Visit = someone, action: Field = "", version: Field = "", decision: Field = ""
    ) -> Response:
        body = {"id": decision, "action": action, "version": _number(version)}
        problem = await _try(visit, f"/handovers/{quote(id, safe='')}/decisions", body)
        return await _shift(visit, "partials/shift.html", None, problem)

    @pages.get("/handovers/{id}")
    async def handover(id: Identifier, visit: Visit = someone) -> Response:
        if not visit.may(Permission.ALERTS_DECIDE):
            return not_allowed(visit)
        found = await visit.client.get(f"/handovers/{quote(id, safe='')}")
        return visit.page("pages/handover.html", "shift", handover=found)

    return pages


async def _shift(visit: Visit, template: str, person: str | None, problem: ApiProblem | None = None) -> Response:
    if not visit.may(Permission.ALERTS_DECIDE):
        return not_allowed(visit)
    board = await visit.client.get("/shift/board") if visit.may(Permission.ALERTS_ASSIGN) else None
    shown = person if board is not None and person else str(visit.user.get("id"))
    held = await visit.client.get("/alerts", holder=shown, limit=HELD_LIMIT)
    colleagues = await visit.client.get("/shift/colleagues")
    handovers = await visit.client.get("/handovers", limit=20)
    return visit.page(
        template,
        "shift",
        status=200 if problem is None else problem.http_status,
        board=board,
        held=held["items"],
        shown=shown,
        colleagues=colleagues["items"],
        handovers=handovers["items"],
        problem=problem,
        fresh=new_id,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


async def _try(visit: Visit, path: str, body: Mapping[str, Any]) -> ApiProblem | None:
    try:
        await visit.client.send("POST", path, body)
    except ApiProblem as problem:
        if problem.http_status == 401:
            raise LogInFirst from problem
        return problem
    return None
