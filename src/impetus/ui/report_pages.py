"""The report of an incident: a page to print and a PDF. Both show what the interface exports, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from babel.dates import format_datetime
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response

from impetus.model import Identifier
from impetus.ui.client import ApiProblem
from impetus.ui.languages import translations
from impetus.ui.pages import visitor
from impetus.ui.rendering import zone_of
from impetus.ui.report import SKETCH_HEIGHT, SKETCH_WIDTH, Sketch, sketch
from impetus.ui.report_pdf import report_pdf
from impetus.ui.session import Site, Visit

DONE: Mapping[str, str] = {
    "acknowledge": "{who} acknowledged",
    "confirm": "{who} confirmed",
    "dismiss": "{who} dismissed",
    "escalate": "{who} escalated",
    "reopen": "{who} reopened",
    "open": "{who} opened the incident",
    "contain": "{who}: contained",
    "close": "{who} closed",
    "review": "{who} reviewed",
    "join": "{who} joined an alert",
    "separate": "{who} took an alert out",
    "note": "{who} noted",
}
"""Decisions in words; the same as in js/history.js, and translated with them."""


def router(site: Site) -> APIRouter:
    """The addresses of reports."""
    pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    someone = Depends(visitor(site))

    @pages.get("/incidents/{id}/report")
    async def report(id: Identifier, visit: Visit = someone) -> Response:
        export, drawn = await _content(visit, id)
        return visit.page(
            "report.html",
            "incidents",
            export=export,
            incident=export["incident"],
            story=story(export, visit.language, visit.zone),
            sketch=drawn,
            sketch_size=(SKETCH_WIDTH, SKETCH_HEIGHT),
        )

    @pages.get("/incidents/{id}/report.pdf")
    async def report_file(id: Identifier, visit: Visit = someone) -> Response:
        export, drawn = await _content(visit, id)
        told = story(export, visit.language, visit.zone)
        words = translations(visit.language).gettext
        # Typesetting takes a while: other people's pages must not wait for it.
        moment, exercise = _moment(visit.language, visit.zone), visit.site.exercise
        content = await asyncio.to_thread(report_pdf, export, drawn, told, words, moment, exercise=exercise)
        return Response(
            content,
            media_type="application/pdf",
            headers={
                "Content-Disposition": f'inline; filename="incident-{_file_name(id)}.pdf"',
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )

    return pages


async def _content(visit: Visit, id: str) -> tuple[Mapping[str, Any], Sketch | None]:
    export: Mapping[str, Any] = await visit.client.get(f"/incidents/{id}/export")
    try:
        base: Mapping[str, Any] = await visit.client.get("/map/base")
    except ApiProblem:
        base = {"features": []}  # without the city's shapes the marks still tell where
    return export, await asyncio.to_thread(sketch, export["alerts"], base)


def story(export: Mapping[str, Any], language: str, zone: str) -> Sequence[Mapping[str, str]]:
    """The timeline in words, in order: a time and a text each."""
    _ = translations(language).gettext
    moment = _moment(language, zone)
    lines = []
    for entry in export["timeline"]:
        decision = entry.get("decision")
        headline = entry.get("headline") or ""
        if decision is not None:
            pattern = DONE.get(decision["action"])
            text = (
                _(pattern).replace("{who}", decision["person_name"])
                if pattern
                else f"{decision['person_name']}: {decision['action']}"
            )
            text += f" · {headline}" if headline else ""
            text += f" – “{decision['reason']}”" if decision["reason"] else ""
        else:
            text = f"{_('Alert raised') if entry['kind'] == 'alert' else _('Began')}: {headline}"
        lines.append({"time": moment(entry["time"]), "text": text})
    return lines


def _moment(language: str, zone: str) -> Callable[[str | None], str]:
    def moment(value: str | None) -> str:
        if not value:
            return "–"
        local = datetime.fromisoformat(value).astimezone(zone_of(zone))
        return format_datetime(local, "d MMM y HH:mm:ss", locale=language)

    return moment


def _file_name(id: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in id)[:80]
