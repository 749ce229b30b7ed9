"""The editor of scenarios: the text, what is wrong in it line by line, and its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from impetus.model import Permission
from impetus.ui.client import ApiProblem
from impetus.ui.pages import not_allowed, visitor
from impetus.ui.session import LogInFirst, Site, Visit

Field = Annotated[str, Form()]
FIRST: Final = "protest"
"""From this one a new scenario is begun."""
SNIPPETS: Final[Mapping[str, str]] = {
    "message": "kind: message\n    title: Somebody calls\n    sender: Emergency number\n    role: operator\n"
    "    text: What they say.",
    "readings": "kind: readings\n    title: The square fills\n    event: crowd-surge\n    site: Market Square\n"
    "    minutes: 8\n    hint: What to look at.",
    "link": "kind: link\n    title: Sensors fall silent\n    sites: [Old Bridge]\n    minutes: 5",
    "part": 'kind: part\n    title: A tool is down\n    part: "tool:air"\n    minutes: 4',
    "feed": "kind: feed\n    title: A leak\n    text: What the feed says.",
    "posts": "kind: posts\n    title: Posts\n    file: posts.jsonl",
    "security-alerts": "kind: security-alerts\n    title: An intrusion\n    file: intrusion.jsonl",
    "scan": "kind: scan\n    title: A scan comes in\n    file: scan.xml",
    "video": "kind: video\n    title: A firearm in a picture\n    camera: camera-2\n    scene: firearm\n"
    "    minutes: 0.5",
}
"""What is put in at the cursor, by kind of inject."""
WIDTH: Final = 1_000
LEFT: Final = 120
ROW: Final = 22


@dataclass(frozen=True, slots=True)
class Bar:
    """One inject as it is drawn."""

    x: float
    y: float
    width: float
    title: str
    awaited: bool
    """Whether something is to be noticed of it."""


def add_scenario_pages(pages: APIRouter, site: Site) -> None:
    """The list, the editor and what its buttons send."""
    someone = Depends(visitor(site))

    @pages.get("/scenarios")
    async def scenarios(visit: Visit = someone) -> Response:
        if not visit.may(Permission.ALERTS_ASSIGN):
            return not_allowed(visit)
        found = (await visit.client.get("/scenarios"))["items"]
        return visit.page("pages/scenarios.html", "scenarios", scenarios=found)

    @pages.get("/scenarios/{id}")
    async def scenario(id: str, visit: Visit = someone) -> Response:
        if not visit.may(Permission.ALERTS_ASSIGN):
            return not_allowed(visit)
        found = await visit.client.get(f"/scenarios/{quote(id, safe='')}")
        return visit.page(
            "pages/scenario.html", "scenarios", scenario=found, snippets=SNIPPETS, **_shown(found["checked"])
        )

    @pages.post("/scenarios/check")
    async def check(visit: Visit = someone, base: Field = "", text: Field = "") -> Response:
        return await _send(visit, "/scenarios/check", {"base": base, "text": _lines(text)})

    @pages.post("/scenarios")
    async def save(visit: Visit = someone, base: Field = "", text: Field = "", known: Field = "") -> Response:
        return await _send(visit, "/scenarios", {"base": base, "text": _lines(text), "known": known})

    @pages.post("/scenarios/{id}/remove")
    async def remove(id: str, visit: Visit = someone) -> Response:
        try:
            await visit.client.send("DELETE", f"/scenarios/{quote(id, safe='')}")
        except ApiProblem as problem:
            return _refused(visit, problem)
        return Response(status_code=204, headers={"HX-Redirect": "/scenarios"})


def _lines(text: str) -> str:
    """A browser sends its line ends as carriage return and line feed."""
    return text.replace("\r\n", "\n")


async def _send(visit: Visit, path: str, body: dict[str, Any]) -> Response:
    try:
        answer = (await visit.client.send("POST", path, body)).json()
    except ApiProblem as problem:
        return _refused(visit, problem)
    if path == "/scenarios":
        if answer["id"] == body["base"]:
            checked, kept = answer["checked"], answer
            return visit.page("partials/scenario_checked.html", "scenarios", kept=kept, problem=None, **_shown(checked))
        return Response(status_code=204, headers={"HX-Redirect": f"/scenarios/{answer['id']}"})
    return visit.page("partials/scenario_checked.html", "scenarios", kept=None, problem=None, **_shown(answer))


def _refused(visit: Visit, problem: ApiProblem) -> Response:
    if problem.http_status == 401:
        raise LogInFirst from problem
    return visit.page(
        "partials/scenario_checked.html",
        "scenarios",
        status=problem.http_status,
        kept=None,
        problem=problem,
        checked=None,
        **drawn(()),
    )


def _shown(checked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"checked": checked, **drawn(checked["marks"], checked["minutes"])}


def drawn(marks: Sequence[Mapping[str, Any]], minutes: float = 0.0) -> dict[str, Any]:
    """The timeline as shapes, `WIDTH` wide: a row for each kind of inject that is there."""
    kinds = list(dict.fromkeys(mark["kind"] for mark in marks))
    length_s = max(minutes * 60, 1.0)
    scale = (WIDTH - LEFT - 10) / length_s
    step = next((one for one in (1, 2, 5, 10, 15, 30, 60, 120, 240) if minutes / one <= 12), 480)
    return {
        "rows": [(kind, ROW * number + ROW / 2) for number, kind in enumerate(kinds)],
        "bars": [
            Bar(
                round(LEFT + mark["at_s"] * scale, 1),
                ROW * kinds.index(mark["kind"]) + 5.0,
                round(max(min(mark["lasts_s"], length_s - mark["at_s"]) * scale, 6.0), 1),
                mark["title"],
                mark["truths"] > 0,
            )
            for mark in marks
        ],
        "ticks": [(round(LEFT + minute * 60 * scale, 1), minute) for minute in range(0, int(minutes) + 1, step)],
        "height": ROW * len(kinds) + 22,
    }
