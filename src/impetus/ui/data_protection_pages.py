"""Pages of data protection: the register with its worksheets, the cases, and what anybody may see unasked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from impetus.model import Identifier, Permission, Slug
from impetus.model.alert import DataClass
from impetus.model.case import CaseKind
from impetus.model.data_protection import LegalBasis
from impetus.ui.client import ApiProblem, Client
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import Site, Visit

Field = Annotated[str, Form()]
Fields = Annotated[list[str] | None, Form()]
Risks = list[dict[str, Any]]


def router(site: Site) -> APIRouter:
    """The pages, and what their forms send."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/register")
    async def public_register(request: Request) -> Response:
        found = await Client(site.app, request).get("/public-register")
        language = site.language(request)
        return site.renderer.page(
            "pages/public_register.html", language, organisations=found["items"], here=request.url.path
        )

    @pages.get("/data-protection")
    async def register(visit: Visit = someone, tool: Annotated[str | None, Query(max_length=64)] = None) -> Response:
        if not visit.may(Permission.DATA_PROTECTION_READ):
            return not_allowed(visit)
        if tool:
            # The address of a tool that is not installed yet is made here, so that the form needs no script.
            return RedirectResponse(f"/data-protection/{quote(tool, safe='')}", 303)
        entries = (await visit.client.get("/data-protection"))["items"]
        return visit.page("pages/data_protection.html", "data-protection", entries=entries)

    @pages.get("/data-protection/{tool}")
    async def worksheet(tool: Slug, visit: Visit = someone) -> Response:
        return await _worksheet(visit, tool)

    @pages.post("/data-protection/{tool}")
    async def write(
        request: Request,
        tool: Slug,
        visit: Visit = someone,
        version: Field = "0",
    ) -> Response:
        body = {"worksheet": _worksheet_of(await request.form()), "version": _number(version, 0)}
        return await _do(visit, "PUT", tool, f"/data-protection/{tool}", body)

    @pages.post("/data-protection/{tool}/decisions")
    async def decide(
        tool: Slug,
        visit: Visit = someone,
        outcome: Field = "",
        reason: Field = "",
        months: Field = "12",
        version: Field = "0",
    ) -> Response:
        until = datetime.now(UTC) + timedelta(days=30 * min(max(_number(months, 12), 1), 36))
        body = {
            "outcome": outcome,
            "reason": reason,
            "until": until.isoformat() if outcome == "approved" else None,
            "version": _number(version, 0),
        }
        return await _do(visit, "POST", tool, f"/data-protection/{tool}/decisions", body)

    @pages.get("/cases")
    async def cases(visit: Visit = someone, kind: Annotated[str, Query()] = "subject-request") -> Response:
        return await _cases(visit, kind)

    @pages.post("/cases")
    async def open_case(
        visit: Visit = someone,
        kind: Field = "",
        title: Field = "",
        reason: Field = "",
        subject: Field = "",
        days: Field = "",
    ) -> Response:
        body: dict[str, Any] = {"kind": kind, "title": title, "reason": reason, "subject": subject}
        if kind == CaseKind.LEGAL_HOLD.value:
            body["until"] = (datetime.now(UTC) + timedelta(days=max(_number(days, 30), 1))).isoformat()
        return await _act(visit, kind, "/cases", body)

    @pages.post("/cases/{id}/steps")
    async def step(
        id: Identifier,
        visit: Visit = someone,
        action: Field = "",
        text: Field = "",
        kind: Field = "",
        version: Field = "1",
    ) -> Response:
        body = {"action": action, "text": text, "version": _number(version, 1)}
        return await _act(visit, kind, f"/cases/{id}/steps", body)

    return pages


async def _worksheet(visit: Visit, tool: str, problem: ApiProblem | None = None) -> Response:
    if not visit.may(Permission.DATA_PROTECTION_READ):
        return not_allowed(visit)
    return visit.page(
        "pages/worksheet.html",
        "data-protection",
        status=problem.http_status if problem else 200,
        entry=await visit.client.get(f"/data-protection/{tool}"),
        bases=[one.value for one in LegalBasis],
        classes=[one.value for one in DataClass],
        problem=problem,
    )


async def _do(visit: Visit, method: str, tool: str, path: str, body: dict[str, Any]) -> Response:
    """Send a form; then the page again, or what was refused on it."""
    try:
        await visit.client.send(method, path, body)
    except ApiProblem as problem:
        return await _worksheet(visit, tool, problem)
    return RedirectResponse(f"/data-protection/{tool}", 303)


async def _cases(visit: Visit, kind: str, problem: ApiProblem | None = None) -> Response:
    if not visit.may(Permission.CASES_READ):
        return not_allowed(visit)
    known = kind if kind in [one.value for one in CaseKind] else CaseKind.SUBJECT_REQUEST.value
    found = (await visit.client.get("/cases", kind=known, all="true"))["items"]
    return visit.page(
        "pages/cases.html",
        "cases",
        status=problem.http_status if problem else 200,
        kinds=[one.value for one in CaseKind if one is not CaseKind.CHECKLIST],
        kind=known,
        cases=found,
        now=datetime.now(UTC).isoformat(),
        problem=problem,
    )


async def _act(visit: Visit, kind: str, path: str, body: dict[str, Any]) -> Response:
    try:
        await visit.client.send("POST", path, body)
    except ApiProblem as problem:
        return await _cases(visit, kind, problem)
    return RedirectResponse(f"/cases?kind={kind}" if kind in [one.value for one in CaseKind] else "/cases", 303)


def _worksheet_of(form: Any) -> dict[str, Any]:
    """The worksheet as its form sent it; what it says is the interface's to check."""

    def text(name: str) -> str:
        return str(form.get(name) or "").strip()

    def lines(name: str) -> list[str]:
        return [line.strip() for line in text(name).splitlines() if line.strip()]

    columns = [form.getlist(name) for name in ("risk_title", "likelihood", "severity", "measure", "remaining")]
    risks: Risks = [
        {
            "title": str(title).strip(),
            "likelihood": _number(str(likelihood), 0),
            "severity": _number(str(severity), 0),
            "measure": str(measure).strip(),
            "remaining": _number(str(remaining), 0),
        }
        for title, likelihood, severity, measure, remaining in zip(*columns, strict=False)
        if str(title).strip()
    ]
    return {
        "purposes": lines("purposes"),
        "legal_basis": text("legal_basis") or None,
        "legal_reference": text("legal_reference"),
        "data_classes": [str(one) for one in form.getlist("data_classes")],
        "persons": text("persons"),
        "sources": lines("sources"),
        "recipients": lines("recipients"),
        "retention_days": _number(text("retention_days"), -1),
        "necessity": text("necessity"),
        "proportionality": text("proportionality"),
        "risks": risks,
        "responsible": text("responsible"),
        "contact": text("contact"),
    }


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else otherwise
