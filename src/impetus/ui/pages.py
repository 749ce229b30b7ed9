"""The pages, each a template filled from the interface; what moves on them, their scripts fetch and follow."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from impetus.model import Identifier, Permission, Slug
from impetus.sdk.panel import load_panels
from impetus.ui.client import ApiProblem
from impetus.ui.panels import is_for_others, render_panels
from impetus.ui.session import Site, Visit, open_visit

Handler = Callable[[Request], Coroutine[Any, Any, Visit]]

STATUS_TEXT_LIMIT = 200
LIST_LIMIT = 100


def visitor(site: Site) -> Handler:
    """The dependency of every page: somebody who is logged in."""

    async def visit(request: Request) -> Visit:
        return await open_visit(site, request)

    return visit


def router(site: Site) -> APIRouter:
    """All pages that only show something."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/")
    async def live(visit: Visit = someone) -> Response:
        if not visit.may(Permission.ALERTS_READ):
            return RedirectResponse("/start", 303)
        return visit.page("pages/live.html", "live")

    @pages.get("/sensors")
    async def sensors(visit: Visit = someone) -> Response:
        return (
            visit.page("pages/sensors.html", "sensors")
            if visit.may(Permission.OBSERVATIONS_READ)
            else not_allowed(visit)
        )

    @pages.get("/incidents")
    async def incidents(visit: Visit = someone) -> Response:
        if not visit.may(Permission.INCIDENTS_READ):
            return not_allowed(visit)
        return visit.page("pages/incidents.html", "incidents")

    @pages.get("/incidents/{id}")
    async def incident(id: Identifier, visit: Visit = someone) -> Response:
        room = await visit.client.get(f"/incidents/{id}")
        return visit.page("pages/incident.html", "incidents", incident=room.get("incident", room))

    @pages.get("/procedures")
    async def procedures(visit: Visit = someone) -> Response:
        if not visit.may(Permission.PROCEDURES_READ):
            return not_allowed(visit)
        return visit.page("pages/procedures.html", "procedures")

    @pages.get("/tools")
    async def tools(visit: Visit = someone) -> Response:
        return visit.page("pages/tools.html", "tools", **await _board(visit))

    @pages.get("/tools/{id}")
    async def tool(id: Slug, visit: Visit = someone) -> Response:
        found = await visit.client.get(f"/tools/{id}")
        installed = site.tools.get(id)
        widgets = await render_panels(load_panels(installed) if installed else (), visit, id)
        calibration = await visit.client.get(f"/tools/{id}/calibration")
        for_others = is_for_others(widgets, visit, id)
        shown = () if for_others else widgets
        return visit.page(
            "pages/tool.html", f"tool-{id}", tool=found, panels=shown, for_others=for_others, calibration=calibration
        )

    @pages.get("/tools/{id}/panels/{panel}")
    async def panel(id: Slug, panel: Slug, visit: Visit = someone) -> Response:
        """One panel drawn again, for a page that shows it."""
        await visit.client.get(f"/tools/{id}")
        installed = site.tools.get(id)
        wanted = [one for one in (load_panels(installed) if installed else ()) if one.id == panel]
        drawn = await render_panels(wanted, visit, id)
        if not drawn:
            return not_allowed(visit)
        return visit.page("panels/panel.html", f"tool-{id}", drawn=drawn[0])

    @pages.get("/dead-letters")
    async def dead_letters(visit: Visit = someone, before: Annotated[str | None, Query()] = None) -> Response:
        letters = await visit.client.get("/dead-letters", limit=LIST_LIMIT, after=before)
        return visit.page("pages/dead_letters.html", "dead-letters", letters=letters)

    @pages.get("/audit")
    async def audit(
        visit: Visit = someone,
        before: Annotated[str | None, Query()] = None,
        actor: Annotated[str | None, Query(max_length=300)] = None,
    ) -> Response:
        records = await visit.client.get("/audit", limit=LIST_LIMIT, after=before, actor=actor)
        return visit.page("pages/audit.html", "audit", records=records, actor=actor)

    @pages.get("/parts/figures")
    async def figures(visit: Visit = someone) -> Response:
        return visit.page("partials/figures.html", "figures", counts=await _counts(visit))

    @pages.get("/parts/status")
    async def status(visit: Visit = someone) -> Response:
        return visit.page("partials/board.html", "tools", **await _board(visit))

    return pages


def not_allowed(visit: Visit) -> Response:
    """The page that says that this is not for the person."""
    return visit.page("pages/problem.html", "problem", status=403, problem=None)


def problem_page(visit: Visit, problem: ApiProblem) -> Response:
    """The page that says what the interface refused, and what to do."""
    template = "partials/problem.html" if "hx-request" in visit.request.headers else "pages/problem.html"
    return visit.page(template, "problem", status=problem.http_status, problem=problem)


async def _counts(visit: Visit) -> Mapping[str, Any]:
    if not visit.may(Permission.TOOLS_READ):
        return {}
    status = await visit.client.get("/status")
    counts: Mapping[str, Any] = status.get("counts", {})
    return counts


async def _board(visit: Visit) -> dict[str, Any]:
    """What the status board shows: parts, tools, queues."""
    status = await visit.client.get("/status")
    installed = await visit.client.get("/tools")
    return {"board": status, "tools": installed["items"]}
