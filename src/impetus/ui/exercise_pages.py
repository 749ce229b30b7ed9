"""The exercise: how it stands, calls and reports, the tour, the controller's panel, the review and its report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, Response

from impetus.exercise.city import sites
from impetus.exercise.events import EventKind
from impetus.exercise.questionnaires import IMPACT, USABILITY
from impetus.exercise.reviewing import Reviewed
from impetus.model import Permission
from impetus.ui.client import ApiProblem
from impetus.ui.languages import translations
from impetus.ui.pages import visitor
from impetus.ui.review_page import review_context
from impetus.ui.review_pdf import review_pdf
from impetus.ui.scenario_pages import add_scenario_pages
from impetus.ui.session import LogInFirst, Site, Visit

Field = Annotated[str, Form()]
PARTS = {"stand": "exercise_stand", "messages": "exercise_messages", "tour": "exercise_tour"}


def router(site: Site) -> APIRouter:
    """The pages of the exercise and the forms on them."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/exercise")
    async def exercise(visit: Visit = someone) -> Response:
        return await _show(visit, "pages/exercise.html")

    @pages.get("/parts/exercise-{part}")
    async def part_of(part: str, visit: Visit = someone) -> Response:
        if part == "band":
            play = await visit.client.get("/exercise")
            return visit.page("partials/exercise_band.html", "exercise", play=play)
        if part == "review":
            return await _review(visit)
        if part == "plan":
            return await _show(visit, "partials/exercise_plan.html")
        return await _show(visit, f"partials/{PARTS.get(part, 'exercise_stand')}.html")

    @pages.post("/exercise/orders")
    async def order(
        visit: Visit = someone,
        kind: Field = "",
        speed: Field = "",
        what: Field = "",
        sender: Field = "",
        text: Field = "",
        event: Field = "",
        place: Annotated[str, Form(alias="site")] = "",
        part: Field = "",
        minutes: Field = "",
    ) -> Response:
        body: dict[str, Any] = {"kind": kind or ("speed" if speed else "")}
        if speed:
            body["speed"] = _number(speed)
        if minutes:
            body["minutes"] = _number(minutes)
        if kind == "inject" and what == "message":
            body["inject"] = {"kind": "message", "title": f"{sender} calls", "sender": sender, "text": text}
        elif kind == "inject":
            body["inject"] = {
                "kind": "readings",
                "title": f"{event} at {place}",
                "event": event,
                "site": place,
                "minutes": body.pop("minutes", 5),
            }
        elif kind in ("hold", "release"):
            body["part"] = part
        elif kind == "cut":
            body["site"] = place
        problem = await _send(visit, "/exercise/orders", body)
        _ = translations(visit.language).gettext
        return await _show(visit, "partials/exercise_stand.html", problem, "" if problem else _("Ordered."))

    @pages.post("/exercise/answers")
    async def answer(request: Request, visit: Visit = someone) -> Response:
        form = await request.form()
        given = [_number(str(form.get(f"answer-{number}", ""))) for number in range(len(USABILITY))]
        body = {
            "kind": str(form.get("kind", "")),
            "answers": [one for one in given if one],
            "remark": str(form.get("remark", ""))[:2_000],
        }
        problem = await _send(visit, "/exercise/answers", body)
        return visit.page("partials/exercise_answered.html", "exercise", problem=problem)

    @pages.get("/exercise/report")
    async def report(visit: Visit = someone, run: str = "", against: str = "") -> Response:
        told, other = await _told(visit, run), await _told(visit, against) if against else None
        words = translations(visit.language).gettext
        file = f"/exercise/report.pdf?{urlencode({'run': told.review.run, 'against': against})}"
        return visit.page("review.html", "exercise", **review_context(told, other, words), file=file)

    @pages.get("/exercise/report.pdf")
    async def report_file(visit: Visit = someone, run: str = "", against: str = "") -> Response:
        told, other = await _told(visit, run), await _told(visit, against) if against else None
        words = translations(visit.language).gettext
        content = await asyncio.to_thread(review_pdf, told, words, other)
        return Response(
            content,
            media_type="application/pdf",
            headers={
                "Content-Disposition": f'inline; filename="exercise-{told.review.scenario}.pdf"',
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )

    add_scenario_pages(pages, site)
    return pages


async def _show(visit: Visit, template: str, problem: ApiProblem | None = None, note: str = "") -> Response:
    play = await visit.client.get("/exercise")
    controls = visit.may(Permission.ALERTS_ASSIGN)
    state = play["state"] or {}
    return visit.page(
        template,
        "exercise",
        status=200 if problem is None else problem.http_status,
        play=play,
        plan=await visit.client.get("/exercise/plan") if controls else None,
        over=state.get("phase") == "ended",
        events=[kind.value for kind in EventKind],
        sites=sorted(sites()),
        parts=[*(f"tool:{name}" for name in sorted(visit.site.tools)), "connector:mqtt"],
        problem=problem,
        note=note,
    )


async def _told(visit: Visit, run: str) -> Reviewed:
    """The review of a run, or of the last one."""
    return Reviewed.model_validate(await visit.client.get("/exercise/review", run=run or None))


async def _review(visit: Visit) -> Response:
    play = await visit.client.get("/exercise")
    over = (play["state"] or {}).get("phase") == "ended"
    told = None
    if over and visit.may(Permission.ALERTS_DECIDE):
        told = await visit.client.get("/exercise/review")
    _ = translations(visit.language).gettext
    return visit.page(
        "partials/exercise_review.html",
        "exercise",
        review=told["review"] if told else None,
        runs=(await visit.client.get("/exercise/runs"))["items"] if told else [],
        questions=(
            ("usability", _("How usable was it?"), USABILITY),
            ("impact", _("What did it do for the operation?"), IMPACT),
        ),
    )


async def _send(visit: Visit, path: str, body: Mapping[str, Any]) -> ApiProblem | None:
    try:
        await visit.client.send("POST", path, body)
    except ApiProblem as problem:
        if problem.http_status == 401:
            raise LogInFirst from problem
        return problem
    return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
