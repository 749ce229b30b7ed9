"""The page of notification: who is on duty, chains, channels, what climbs, and what became of each message."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response

from impetus.model import Identifier, Permission, Slug
from impetus.ui.client import ApiProblem
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import Site, Visit

LOG_LIMIT = 60
CLIMB_LIMIT = 30


def router(site: Site) -> APIRouter:
    """The page, the part of it that is fetched again and again, and what its buttons send."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/notifications")
    async def notifications(visit: Visit = someone) -> Response:
        if not visit.may(Permission.NOTIFICATIONS_READ):
            return not_allowed(visit)
        return visit.page("pages/notifications.html", "notifications", **await _board(visit))

    @pages.get("/parts/notifications")
    async def part(visit: Visit = someone) -> Response:
        return visit.page("partials/notifications.html", "notifications", **await _board(visit))

    @pages.post("/notifications/channels/{id}/test")
    async def test(id: Slug, visit: Visit = someone) -> Response:
        return await _act(visit, f"/channels/{id}/test")

    @pages.post("/notifications/climbs/{id}/acknowledge")
    async def acknowledge(id: Identifier, visit: Visit = someone) -> Response:
        return await _act(visit, f"/escalations/climbs/{id}/acknowledge")

    return pages


async def _act(visit: Visit, path: str) -> Response:
    problem: ApiProblem | None = None
    try:
        await visit.client.send("POST", path)
    except ApiProblem as refused:
        problem = refused
    status = problem.http_status if problem is not None else 200
    return visit.page(
        "partials/notifications.html", "notifications", status=status, **await _board(visit, problem=problem)
    )


async def _board(visit: Visit, problem: ApiProblem | None = None) -> dict[str, Any]:
    client = visit.client
    rosters, chains, channels, climbs, messages = await asyncio.gather(
        client.get("/rosters"),
        client.get("/escalations"),
        client.get("/channels"),
        client.get("/escalations/climbs", limit=CLIMB_LIMIT),
        client.get("/notifications", limit=LOG_LIMIT),
    )
    return {
        "rosters": rosters["items"],
        "chains": chains["items"],
        "channels": channels["items"],
        "climbs": climbs["items"],
        "messages": messages["items"],
        "problem": problem,
    }
