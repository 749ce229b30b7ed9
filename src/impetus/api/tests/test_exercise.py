"""Protects the exercise's interface: none in the real operation, players see what they may, and all is marked."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pypdf import PdfReader

from impetus.api.access import EXERCISE_COOKIE, SESSION_COOKIE
from impetus.api.app import create_api
from impetus.api.services import Services
from impetus.api.tests.conftest import services_of
from impetus.exercise.desk import Desk, Entry, EntryKind, OrderKind, Phase, State
from impetus.exercise.questionnaires import IMPACT
from impetus.exercise.scenario import folder_of, load_scenario
from impetus.exercise.settings import ExerciseSettings
from impetus.model import Status
from impetus.sdk import load_tools
from impetus.situation.settings import SituationSettings
from impetus.situation.tests.house import PASSWORD, House, an_alert, opened_house
from impetus.ui import mount_ui


@dataclass
class Exercise:
    """An installation that plays the scenario `blackout`, without its director."""

    house: House
    services: Services
    desk: Desk

    async def person(self, name: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=create(self.services))
        client = httpx.AsyncClient(transport=transport, base_url="http://test")
        answer = await client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def stands(self, phase: Phase, elapsed_s: float = 600.0) -> None:
        now = self.house.clock.now()
        scenario = load_scenario(folder_of("blackout"))
        self.desk.say(
            State(
                run="run-1",
                scenario=scenario.id,
                title=scenario.title,
                phase=phase,
                time=now,
                started=now - timedelta(seconds=elapsed_s),
                elapsed_s=elapsed_s,
                length_s=1_200,
                speed=1,
                paused=False,
                next_inject="Harbour Square fills",
                next_s=700,
            )
        )

    def note(self, kind: EntryKind, title: str, elapsed_s: float, **more: object) -> None:
        start = self.house.clock.now() - timedelta(seconds=600)
        moment = start + timedelta(seconds=elapsed_s)
        entry: dict[str, object] = {"run": "run-1", "kind": kind, "time": moment, "elapsed_s": elapsed_s}
        self.desk.note(Entry.model_validate({**entry, "title": title, **more}))


def create(services: Services) -> FastAPI:
    application = create_api(services)
    mount_ui(application, services)
    return application


@pytest.fixture
async def exercise(tmp_path: Path) -> AsyncIterator[Exercise]:
    async with opened_house(tmp_path) as house:
        services = services_of(
            house,
            tmp_path,
            tools=load_tools(),
            exercise=ExerciseSettings(title="A blackout in the middle", scenario=folder_of("blackout")),
        )
        desk = Desk(tmp_path)
        desk.folder.mkdir(parents=True, exist_ok=True)
        desk.scenario.symlink_to(folder_of("blackout"))
        yield Exercise(house, services, desk)


async def test_the_real_operation_knows_no_exercise_and_shows_no_mark(exercise: Exercise) -> None:
    exercise.services.exercise = ExerciseSettings()
    client = await exercise.person("olivia")
    for path in ("", "/review"):
        answer = await client.get(f"/api/v1/exercise{path}")
        assert answer.status_code == 404, path
        assert "real operation" in answer.json()["detail"]
    assert "exercise-band" not in (await client.get("/shift")).text


async def test_logging_in_to_an_exercise_logs_nobody_out_of_the_real_operation_on_the_same_host(
    exercise: Exercise,
) -> None:
    player = await exercise.person("olivia")
    assert set(player.cookies) == {EXERCISE_COOKIE}
    exercise.services.exercise = ExerciseSettings()
    real = await exercise.person("sofia")
    assert set(real.cookies) == {SESSION_COOKIE}
    # A browser would send both to both; each takes its own.
    both = {**dict(player.cookies), **dict(real.cookies)}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create(exercise.services)), base_url="http://test", cookies=both
    ) as browser:
        assert (await browser.get("/api/v1/session")).json()["user"]["name"] == "sofia"
        exercise.services.exercise = ExerciseSettings(title="Played", scenario=folder_of("blackout"))
        assert (await browser.get("/api/v1/session")).json()["user"]["name"] == "olivia"


async def test_runs_are_reviewed_and_compared_one_by_one(exercise: Exercise) -> None:
    exercise.stands(Phase.ENDED)
    for run, elapsed_s in (("run-1", 0.0), ("run-2", 300.0)):
        exercise.note(EntryKind.STARTED, "A blackout in the middle", elapsed_s, run=run)
        exercise.note(EntryKind.ENDED, "the scenario is over", elapsed_s + 200, run=run)
    player = await exercise.person("olivia")
    runs = (await player.get("/api/v1/exercise/runs")).json()["items"]
    assert [one["id"] for one in runs] == ["run-2", "run-1"]
    assert (await player.get("/api/v1/exercise/review", params={"run": "run-1"})).json()["review"]["run"] == "run-1"
    assert (await player.get("/api/v1/exercise/review")).json()["review"]["run"] == "run-2"
    assert (await player.get("/api/v1/exercise/review", params={"run": "none"})).status_code == 404
    page = (await player.get("/exercise/report", params={"run": "run-2", "against": "run-1"})).text
    assert "Compared with another run" in page
    assert "run=run-2&amp;against=run-1" in page
    part = (await player.get("/parts/exercise-review")).text
    assert 'name="against"' in part
    file = await player.get("/exercise/report.pdf", params={"run": "run-2", "against": "run-1"})
    assert file.content.startswith(b"%PDF")
    alone = (await player.get("/exercise/report", params={"run": "run-1"})).text
    assert "Compared with another run" not in alone


async def test_a_supervisor_writes_a_scenario_in_the_browser_and_a_player_does_not(exercise: Exercise) -> None:
    player, supervisor = await exercise.person("olivia"), await exercise.person("sofia")
    assert (await player.get("/api/v1/scenarios")).status_code == 403
    assert (await player.get("/scenarios")).status_code == 403
    assert 'href="/scenarios"' not in (await player.get("/")).text
    assert 'href="/scenarios/blackout"' in (await supervisor.get("/scenarios")).text
    page = (await supervisor.get("/scenarios/blackout")).text
    assert "It can be played." in page
    text = (await supervisor.get("/api/v1/scenarios/blackout")).json()["text"]
    wrong = {"base": "blackout", "text": text.replace("site: Harbour Square", "site: Atlantis", 1)}
    found = (await supervisor.post("/scenarios/check", data=wrong)).text
    assert "no site &#39;Atlantis&#39;" in found
    assert "data-line" in found
    refused = await supervisor.post("/scenarios", data=wrong)
    assert refused.status_code == 422
    mine = text.replace("id: blackout", "id: mine", 1).replace("\n", "\r\n")
    kept = await supervisor.post("/scenarios", data={"base": "blackout", "text": mine})
    assert kept.headers["HX-Redirect"] == "/scenarios/mine"
    opened = (await supervisor.get("/api/v1/scenarios/mine")).json()
    assert "\r" not in opened["text"]
    again = {"base": "mine", "text": opened["text"] + "# more\n", "known": opened["hash"]}
    assert "It is kept." in (await supervisor.post("/scenarios", data=again)).text
    assert (await supervisor.post("/scenarios", data=again)).status_code == 409
    assert (await supervisor.post("/scenarios/mine/remove")).headers["HX-Redirect"] == "/scenarios"
    assert (await supervisor.get("/api/v1/scenarios/mine")).status_code == 404


async def test_every_page_of_an_exercise_says_so(exercise: Exercise) -> None:
    client = await exercise.person("olivia")
    for path in ("/", "/incidents", "/shift", "/sensors", "/profile"):
        page = (await client.get(path)).text
        assert 'class="exercising" data-mark="EXERCISE"' in page, path
        assert "A blackout in the middle · nothing here is real" in page, path


async def test_the_log_in_and_every_page_of_a_report_say_so(exercise: Exercise) -> None:
    """What leaves an exercise on paper, and what one sees before one is in it, is not taken for real either."""
    client = await exercise.person("olivia")
    transport = httpx.ASGITransport(app=create(exercise.services))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as nobody:
        assert 'class="exercising" data-mark="EXERCISE"' in (await nobody.get("/login")).text
    alert = an_alert(headline="A crowd")
    await exercise.house.situation.alerts.ingest("municipality", [alert])
    body = {"title": "A crowd", "summary": "A line.\n" * 150, "alerts": [alert.id]}
    id = (await client.post("/api/v1/incidents", json=body)).json()["id"]
    page = (await client.get(f"/incidents/{id}/report")).text
    assert 'class="rehearsal"' in page
    assert "EXERCISE · A blackout in the middle" in page
    paper = PdfReader(io.BytesIO((await client.get(f"/incidents/{id}/report.pdf")).content))
    assert len(paper.pages) > 1
    for sheet in paper.pages:
        assert "EXERCISE · A blackout in the middle · nothing here is real" in sheet.extract_text()


async def test_a_player_sees_messages_to_the_own_role_and_nothing_that_is_to_come(exercise: Exercise) -> None:
    exercise.stands(Phase.RUNNING)
    message = {"inject": "m", "inject_kind": "message", "text": "Help!"}
    exercise.note(EntryKind.INJECT, "To the operator", 60, role="operator", **message)
    exercise.note(EntryKind.INJECT, "To the supervisor", 90, role="supervisor", **message)
    player = (await (await exercise.person("olivia")).get("/api/v1/exercise")).json()
    assert [one["title"] for one in player["messages"]] == ["To the operator"]
    assert player["state"]["next_inject"] is None
    assert player["controller"] is False
    controller = (await (await exercise.person("sofia")).get("/api/v1/exercise")).json()
    assert len(controller["messages"]) == 2
    assert controller["state"]["next_inject"] == "Harbour Square fills"


async def test_orders_reach_the_director_and_a_player_cannot_give_the_controllers(exercise: Exercise) -> None:
    exercise.stands(Phase.RUNNING)
    player, controller = await exercise.person("olivia"), await exercise.person("sofia")
    assert (await player.post("/api/v1/exercise/orders", json={"kind": "pause"})).status_code == 201
    refused = await player.post("/api/v1/exercise/orders", json={"kind": "hold", "part": "tool:air"})
    assert refused.status_code == 403
    assert "only the controller" in refused.json()["detail"]
    assert (await player.get("/api/v1/exercise/plan")).status_code == 403
    held = await controller.post("/api/v1/exercise/orders", json={"kind": "hold", "part": "tool:air", "minutes": 3})
    assert held.status_code == 201
    wrong = await controller.post("/api/v1/exercise/orders", json={"kind": "speed", "speed": 600})
    assert wrong.status_code == 422
    orders, _ = exercise.desk.orders()
    assert [one.kind for one in orders] == [OrderKind.PAUSE, OrderKind.HOLD]
    assert orders[1].by == exercise.house.users["sofia"].full_name


async def test_the_review_waits_for_the_end_and_is_a_page_and_a_pdf(exercise: Exercise) -> None:
    exercise.stands(Phase.RUNNING)
    exercise.note(EntryKind.STARTED, "A blackout in the middle", 0)
    exercise.note(
        EntryKind.INJECT, "Harbour Square fills", 480, inject="crowd", inject_kind="readings", sources=("counter-1",)
    )
    exercise.note(EntryKind.INJECT, "A release", 560, inject="release", inject_kind="readings", sources=("sampler-1",))
    player = await exercise.person("olivia")
    early = await player.get("/api/v1/exercise/review")
    assert early.status_code == 409
    now = exercise.house.clock.now()
    found = an_alert(tool="anomaly", source="counter-1", headline="A crowd", onset=now, sent=now)
    stray = an_alert(tool="anomaly", source="somewhere-else", headline="A ghost", onset=now, sent=now)
    await exercise.house.situation.alerts.ingest("municipality", [found, stray])
    exercise.note(EntryKind.ENDED, "the scenario is over", 600)
    exercise.stands(Phase.ENDED)
    answers = {"kind": "impact", "answers": [4] * len(IMPACT), "remark": "<b>well</b>"}
    assert (await player.post("/api/v1/exercise/answers", json=answers)).status_code == 201
    short = await player.post("/api/v1/exercise/answers", json=answers | {"answers": [4]})
    assert short.status_code == 422
    review = (await player.get("/api/v1/exercise/review")).json()
    truths = {one["id"]: one for one in review["review"]["truths"]}
    assert truths["crowd-found"]["outcome"] == "found"
    assert 115 <= truths["crowd-found"]["delay_s"] <= 200
    assert truths["release-found"]["outcome"] == "missed"
    assert truths["silence-found"]["outcome"] == "skipped"
    assert [one["headline"] for one in review["review"]["unexplained"]] == ["A ghost"]
    assert review["questionnaires"]["impact"] == [4.0] * len(IMPACT)
    page = await player.get("/exercise/report")
    assert page.status_code == 200, page.text
    assert "A ghost" in page.text
    assert "&lt;b&gt;well&lt;/b&gt;" in page.text
    paper = await player.get("/exercise/report.pdf")
    assert paper.content.startswith(b"%PDF")
    shown = await player.get("/exercise")
    assert shown.status_code == 200, shown.text
    parts = await player.get("/parts/exercise-review")
    assert "How usable was it?" in parts.text


async def test_the_controllers_page_has_its_panel_and_a_form_gives_an_order(exercise: Exercise) -> None:
    exercise.stands(Phase.RUNNING)
    controller, player = await exercise.person("sofia"), await exercise.person("olivia")
    assert "Make it harder" in (await controller.get("/exercise")).text
    assert "Make it harder" not in (await player.get("/exercise")).text
    form = {"kind": "inject", "what": "readings", "event": "crowd-surge", "site": "Market Square", "minutes": "4"}
    answer = await controller.post("/exercise/orders", data=form)
    assert answer.status_code == 200, answer.text
    orders, _ = exercise.desk.orders()
    assert orders[0].inject == {
        "kind": "readings",
        "title": "crowd-surge at Market Square",
        "event": "crowd-surge",
        "site": "Market Square",
        "minutes": 4,
    }


async def test_alerts_of_an_exercise_are_marked_when_they_arrive(tmp_path: Path) -> None:
    settings = SituationSettings(status=Status.EXERCISE)
    async with opened_house(tmp_path) as house:
        house.situation.alerts._settings = settings
        await house.situation.alerts.ingest("municipality", [an_alert(headline="Drill", onset=datetime.now(UTC))])
        async with house.store.view() as view:
            page = await view.alerts.list("municipality")
        assert [one.alert.status for one in page.items] == [Status.EXERCISE]
