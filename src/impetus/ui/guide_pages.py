"""Pages of the practitioners' guides: reading them; filling in, signing and exporting their checklists."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from impetus.model import Identifier, Permission, Slug
from impetus.ui.client import ApiProblem
from impetus.ui.guides_reading import VOLUMES, checklist, checklists, volume_html
from impetus.ui.pages import visitor
from impetus.ui.session import Site, Visit

Field = Annotated[str, Form()]
PREFIX = "checklist:"


def router(site: Site) -> APIRouter:
    """The pages, and what the checklists' forms send."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/guides")
    async def guides(visit: Visit = someone) -> Response:
        filled = (await visit.client.get("/cases", kind="checklist", all="true"))["items"]
        return visit.page(
            "pages/guides.html", "guides", volumes=VOLUMES, checklists=list(checklists().values()), filled=filled
        )

    @pages.get("/guides/{volume}")
    async def guide(volume: Slug, visit: Visit = someone) -> Response:
        return visit.page(
            "pages/guide.html",
            "guides",
            volume=volume,
            text=volume_html(volume),
            checklists=[one for one in checklists().values() if one.volume == volume],
        )

    @pages.post("/guides/checklists/{id}")
    async def begin(id: Slug, visit: Visit = someone) -> Response:
        found = checklist(id)
        case = (
            await visit.client.send(
                "POST",
                "/cases",
                {
                    "kind": "checklist",
                    "title": found.titled(visit.language),
                    "reason": found.titled("en"),
                    "subject": PREFIX + id,
                    "detail": {"done": [], "notes": ""},
                },
            )
        ).json()
        return _go(visit, case["id"])

    @pages.get("/guides/filled/{id}")
    async def filled(id: Identifier, visit: Visit = someone) -> Response:
        return await _filled(visit, id)

    @pages.post("/guides/filled/{id}")
    async def fill(request: Request, id: Identifier, visit: Visit = someone) -> Response:
        form = await request.form()
        action = str(form.get("action") or "note")
        version = str(form.get("version") or "1")
        step: dict[str, Any] = {
            "action": action,
            "text": str(form.get("text") or "") or ("signed" if action == "close" else ""),
            "version": int(version) if version.isdigit() else 1,
            "detail": {
                "done": [int(str(one)) for one in form.getlist("done") if str(one).isdigit()],
                "notes": str(form.get("notes") or "")[:4_000],
            },
        }
        if action == "assign":
            step["assignee"] = str(form.get("assignee") or "") or None
        try:
            await visit.client.send("POST", f"/cases/{id}/steps", step)
        except ApiProblem as problem:
            return await _filled(visit, id, problem)
        return _go(visit, id)

    @pages.get("/guides/export/{id}")
    async def export(id: Identifier, visit: Visit = someone) -> Response:
        case = await visit.client.get(f"/cases/{id}")
        found = checklist(str(case["subject"]).removeprefix(PREFIX))
        done = set(case["detail"].get("done", []))
        lines = [f"# {found.titled(visit.language)}", ""]
        lines += [f"- [{'x' if n in done else ' '}] {text}" for n, text in enumerate(found.texts(visit.language))]
        lines += ["", str(case["detail"].get("notes", "")), ""]
        lines += [f"- {one['time']} {one['person_name']}: {one['action']} {one['text']}" for one in case["events"]]
        return PlainTextResponse(
            "\n".join(lines) + "\n",
            media_type="text/markdown; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{found.id}.md"', "Cache-Control": "no-store"},
        )

    return pages


def _go(visit: Visit, id: str) -> Response:
    return RedirectResponse(f"/guides/filled/{id}", 303)


async def _filled(visit: Visit, id: str, problem: ApiProblem | None = None) -> Response:
    case = await visit.client.get(f"/cases/{id}")
    found = checklist(str(case["subject"]).removeprefix(PREFIX))
    colleagues = []
    if visit.may(Permission.ALERTS_DECIDE):
        colleagues = (await visit.client.get("/shift/colleagues"))["items"]
    return visit.page(
        "pages/checklist.html",
        "guides",
        status=problem.http_status if problem else 200,
        case=case,
        title=found.titled(visit.language),
        items=list(enumerate(found.texts(visit.language))),
        done=set(case["detail"].get("done", [])),
        colleagues=[one for one in colleagues if one["id"] != visit.user.get("id")],
        problem=problem,
    )
