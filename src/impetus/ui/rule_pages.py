"""The page of the rules of correlation: the rules as text, a trial over last week's alerts, their coming into force."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from impetus.model import Permission
from impetus.ui.client import ApiProblem
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import Site, Visit

Field = Annotated[str, Form()]


def add_rule_pages(pages: APIRouter, site: Site) -> None:
    """The page, and what its two buttons send."""
    someone = Depends(visitor(site))

    @pages.get("/rules")
    async def rules(visit: Visit = someone) -> Response:
        if not visit.may(Permission.RULES_DECIDE):
            return not_allowed(visit)
        return visit.page("pages/rules.html", "rules", rules=await visit.client.get("/rules"), **_nothing())

    @pages.post("/rules/trial")
    async def trial(visit: Visit = someone, content: Field = "") -> Response:
        return await _send(visit, "POST", "/rules/trial", {"content": content})

    @pages.post("/rules")
    async def change(visit: Visit = someone, content: Field = "", version: Field = "0") -> Response:
        number = int(version) if version.isdecimal() else 0
        return await _send(visit, "PUT", "/rules", {"content": content, "version": number})


def _nothing() -> dict[str, Any]:
    return {"problem": None, "trial": None, "kept": None}


async def _send(visit: Visit, method: str, path: str, body: dict[str, Any]) -> Response:
    """Send the rules and show what came of it."""
    shown = _nothing()
    status = 200
    try:
        answer = (await visit.client.send(method, path, body)).json()
        shown["trial" if path.endswith("/trial") else "kept"] = answer
    except ApiProblem as problem:
        shown["problem"] = problem
        status = problem.http_status
    return visit.page("partials/rules_result.html", "rules", status=status, **shown)
