"""Pages of sharing: agreements with other organisations, and the room of an incident that another one shares."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response

from impetus.model import Category, FieldGroup, Identifier, Permission, PlaceDetail, Severity
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import Site, Visit


def router(site: Site) -> APIRouter:
    """The pages of sharing. What they show, their scripts fetch: opening a shared incident is then recorded once."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/agreements")
    async def agreements(visit: Visit = someone) -> Response:
        if not visit.may(Permission.SHARING_READ):
            return not_allowed(visit)
        return visit.page(
            "pages/agreements.html",
            "agreements",
            categories=[one.value for one in Category],
            groups=[one.value for one in FieldGroup],
            severities=[one.value for one in reversed(Severity)],
            places=[one.value for one in PlaceDetail],
        )

    @pages.get("/shared/{id}")
    async def shared_incident(id: Identifier, visit: Visit = someone) -> Response:
        if not visit.may(Permission.INCIDENTS_READ):
            return not_allowed(visit)
        return visit.page("pages/shared_incident.html", "incidents", share=id)

    return pages
