"""Pages of oversight: figures that leave the house, who looked at what, does it work for everybody, cards."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from impetus.model import Identifier, Permission
from impetus.ui.client import ApiProblem, Client
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import Site, Visit

Field = Annotated[str, Form()]


def router(site: Site) -> APIRouter:
    """The pages, and what their forms send."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/register/statistics")
    async def public_statistics(request: Request) -> Response:
        found = await Client(site.app, request).get("/public-statistics")
        return site.renderer.page(
            "pages/public_statistics.html",
            site.language(request),
            organisations=[
                {**one, "releases": [_rows(release) for release in one["releases"]]} for one in found["items"]
            ],
        )

    @pages.get("/statistics")
    async def statistics(visit: Visit = someone) -> Response:
        return await _statistics(visit)

    @pages.post("/statistics")
    async def release(
        visit: Visit = someone,
        title: Field = "",
        recipient: Field = "",
        datastreams: Field = "",
        day: Field = "",
        days: Field = "7",
        cell: Field = "hour",
        epsilon: Field = "0.5",
        passes: Field = "4",
    ) -> Response:
        try:
            begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
            end = begin + timedelta(days=int(days))
        except (ValueError, OverflowError):
            begin = end = datetime.now(UTC)  # refused by the interface, in words
        body: dict[str, Any] = {
            "title": title,
            "recipient": recipient,
            "datastreams": [one.strip() for one in datastreams.replace(",", "\n").splitlines() if one.strip()],
            "since": begin.isoformat(),
            "until": end.isoformat(),
            "cell": cell,
            "epsilon": epsilon,
            "passes": passes,
        }
        for name, kind in (("epsilon", float), ("passes", int)):
            with contextlib.suppress(ValueError):  # likewise
                body[name] = kind(body[name])
        try:
            await visit.client.send("POST", "/statistics/releases", body)
        except ApiProblem as problem:
            return await _statistics(visit, problem)
        return RedirectResponse("/statistics", 303)

    @pages.get("/oversight")
    async def oversight(visit: Visit = someone) -> Response:
        if not visit.may(Permission.DATA_PROTECTION_READ):
            return not_allowed(visit)
        return visit.page("pages/oversight.html", "oversight", found=await visit.client.get("/oversight"))

    @pages.get("/oversight/cards/{id}")
    async def card(id: Identifier, visit: Visit = someone) -> Response:
        return visit.page("pages/card.html", "oversight", card=await visit.client.get(f"/oversight/cards/{id}"))

    @pages.get("/access-review")
    async def access_review(visit: Visit = someone) -> Response:
        if not visit.may(Permission.DATA_PROTECTION_DECIDE):
            return not_allowed(visit)
        return visit.page("pages/access_review.html", "access-review", found=await visit.client.get("/access-review"))

    @pages.post("/cases/{id}/comparison")
    async def compare(
        id: Identifier, visit: Visit = someone, pseudonym: Field = "", identifier: Field = ""
    ) -> Response:
        body = {"pseudonym": pseudonym.strip(), "identifier": identifier}
        answer = await visit.client.send("POST", f"/cases/{id}/comparisons", body)
        return visit.page("partials/compared.html", "cases", same=answer.json()["same"])

    @pages.post("/cases/{id}/person")
    async def person(id: Identifier, visit: Visit = someone, word: Field = "", act: Field = "search") -> Response:
        if act == "copy":
            answer = await visit.client.send("POST", f"/cases/{id}/person-copy", {"word": word})
            text = json.dumps(answer.json()["found"], ensure_ascii=False, indent=2)
            return visit.page("partials/person.html", "cases", copy=text, found=None, erased=False)
        verb = "person-erasure" if act == "erase" else "person-search"
        answer = await visit.client.send("POST", f"/cases/{id}/{verb}", {"word": word})
        return visit.page("partials/person.html", "cases", copy=None, found=answer.json(), erased=act == "erase")

    return pages


async def _statistics(visit: Visit, problem: ApiProblem | None = None) -> Response:
    if not visit.may(Permission.DATA_PROTECTION_READ):
        return not_allowed(visit)
    found = await visit.client.get("/statistics/releases")
    return visit.page(
        "pages/statistics.html",
        "statistics",
        status=problem.http_status if problem else 200,
        releases=[_rows(release) for release in found["items"]],
        ledger=found["ledger"],
        problem=problem,
    )


def _rows(release: dict[str, Any]) -> dict[str, Any]:
    """A release with its figures in rows, as a table shows them: one row a cell of time."""
    wanted = release["request"]
    begin = datetime.fromisoformat(wanted["since"])
    width = timedelta(hours=1) if wanted["cell"] == "hour" else timedelta(days=1)
    columns = release["figures"]
    count = len(columns[0]) if columns else 0
    rows = [((begin + width * number).isoformat(), [column[number] for column in columns]) for number in range(count)]
    return {**release, "rows": rows}
