"""The pages of dashboards: the list, one of them, composing one, and the single panels that are drawn again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from impetus.api.dashboards import PanelKind
from impetus.model import ImpetusError, Permission, Slug
from impetus.model.dashboard import PanelName
from impetus.ui.client import ApiProblem
from impetus.ui.dashboards import PanelRegistry
from impetus.ui.navigation import first_page
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import Site, Visit


@dataclass(frozen=True, slots=True)
class PlacedPanel:
    """A placement with its panel, ready for the template."""

    placement: Mapping[str, Any]
    kind: PanelKind | None
    """None for a panel that is not installed (any more)."""
    icon: str
    content: Mapping[str, Any]
    problem: str = ""

    @property
    def template(self) -> str:
        """The template of what is inside."""
        if self.kind is None or self.problem:
            return "dashboards/panels/missing.html"
        return "dashboards/panels/tool.html" if self.kind.tool else f"dashboards/panels/{self.kind.id}.html"


def router(site: Site, registry: PanelRegistry) -> APIRouter:
    """All addresses of dashboards."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/start")
    async def start(visit: Visit = someone) -> Response:
        """Where a person begins after logging in."""
        for entry in (await visit.client.get("/dashboards"))["items"]:
            if entry["start"]:
                return RedirectResponse(f"/dashboards/{entry['name']}", 303)
        return RedirectResponse("/" if visit.may(Permission.ALERTS_READ) else first_page(visit.permissions), 303)

    @pages.get("/dashboards")
    async def list_dashboards(visit: Visit = someone) -> Response:
        return visit.page(
            "dashboards/list.html", "dashboards", dashboards=(await visit.client.get("/dashboards"))["items"]
        )

    @pages.get("/dashboards/compose")
    async def compose_new(visit: Visit = someone) -> Response:
        if not visit.may(Permission.ADMINISTRATION):
            return not_allowed(visit)
        empty = {"title": "", "summary": "", "panels": []}
        return await _compose(visit, registry, {"name": "", "dashboard": empty, "version": 0, "shipped": False})

    @pages.get("/dashboards/panels/{id}")
    async def panel(
        id: PanelName,
        visit: Visit = someone,
        placement: Annotated[Slug, Query()] = "one",
        width: Annotated[int, Query(ge=2, le=12)] = 4,
        height: Annotated[int, Query(ge=2, le=24)] = 5,
        schematic: bool = False,
    ) -> Response:
        placed = {"id": placement, "panel": id, "width": width, "height": height}
        drawn = await _placed(visit, registry, [placed], schematic=schematic)
        template = "dashboards/schematic.html" if schematic else "dashboards/frame.html"
        return visit.page(template, "dashboards", item=drawn[0])

    @pages.get("/dashboards/{name}")
    async def dashboard(name: Slug, visit: Visit = someone, compose: bool = False) -> Response:
        if compose and not visit.may(Permission.ADMINISTRATION):
            return not_allowed(visit)
        view = await visit.client.get(f"/dashboards/{name}", arranged="false" if compose else "true")
        if compose:
            return await _compose(visit, registry, view)
        return visit.page(
            "dashboards/page.html",
            "dashboards",
            view=view,
            items=await _placed(visit, registry, view["dashboard"]["panels"]),
            others=(await visit.client.get("/dashboards"))["items"],
            kinds=await _kinds(visit, registry),
        )

    return pages


async def _compose(visit: Visit, registry: PanelRegistry, view: Mapping[str, Any]) -> Response:
    return visit.page(
        "dashboards/compose.html",
        "dashboards",
        view=view,
        items=await _placed(visit, registry, view["dashboard"]["panels"], schematic=True),
        kinds=await _kinds(visit, registry),
        people=(await visit.client.get("/dashboards/people"))["items"] if view["name"] else [],
    )


async def _kinds(visit: Visit, registry: PanelRegistry) -> Sequence[Mapping[str, Any]]:
    """The panels that can be added, for the list of them and for the page's script."""
    return [
        {**kind, "icon": _icon(registry, kind["id"])}
        for kind in (await visit.client.get("/dashboards/panels"))["items"]
    ]


def _icon(registry: PanelRegistry, id: str) -> str:
    shell = registry.shell.get(id)
    return "tool" if shell is None else shell.icon


async def _placed(
    visit: Visit, registry: PanelRegistry, placements: Sequence[Mapping[str, Any]], *, schematic: bool = False
) -> Sequence[PlacedPanel]:
    """The panels of a dashboard with what the server draws in them; one that fails says so in its own place."""
    role = str(visit.user.get("role") or "")
    kinds = {kind.id: kind for kind in registry.kinds}
    items = []
    for placement in placements:
        kind = kinds.get(placement["panel"])
        content: Mapping[str, Any] = {}
        problem = ""
        if kind is not None and not schematic:
            if not kind.visible(role, visit.permissions):
                problem = "not-allowed"
            else:
                try:
                    content = await registry.draw(kind.id, visit)
                except ApiProblem as error:
                    problem = error.message
                except ImpetusError as error:
                    problem = str(error)
        items.append(PlacedPanel(placement, kind, _icon(registry, placement["panel"]), content, problem))
    return items
