"""Protects the live side: consent first, the own view first, no small groups, proposals, nothing left of a person."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from impetus.model import InvalidInput, ToolRequest
from impetus.sdk import Duty, DutyBoard, LocalContext, OwnFolders, read_manifest
from impetus.tools.workload import worker
from impetus.tools.workload.settings import WorkloadSettings
from impetus.tools.workload.team import TeamState
from impetus.tools.workload.worker import NO_AGREEMENT, WorkloadTool

SETTINGS: dict[str, Any] = {
    "works_agreement": "Works agreement 12 of 3 February 2026",
    "source": "simulator",
    "rest_s": 30,
    "sustained_s": 20,
    "estimate_every_s": 2,
}


class Room:
    """A control room with some people who take part."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.context = LocalContext(read_manifest(Path(worker.__file__).parent), own=home)
        self.tool = WorkloadTool(self.context, WorkloadSettings.model_validate(SETTINGS | settings))

    @property
    def own(self) -> OwnFolders:
        return self.context.own

    async def agree(self, count: int, *, shared: bool = False, hours: float = 8) -> None:
        now = self.context.clock.now()
        for number in range(count):
            await self.own.open(
                f"person-{number}",
                f"Person {number}",
                now=now,
                until=now + timedelta(hours=hours),
                shared=shared,
                terms={"device": "simulated"},
            )

    async def work(self, seconds: int, *, held: int = 0, waiting: int = 0) -> None:
        people = tuple(Duty(person=f"person-{number}", held=held) for number in range(6))
        self.context.board = DutyBoard(waiting=waiting, operators=6, held=6 * held, people=people)
        for _ in range(0, seconds, 2):
            self.context.clock.advance(2.0)
            await self.tool.tick()

    async def now(self, number: int = 0) -> dict[str, Any]:
        return dict((await self.own.view(f"person-{number}")).documents["now"])


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


async def test_without_a_works_agreement_nothing_is_processed(tmp_path: Path) -> None:
    room = Room(tmp_path, works_agreement="")
    await room.tool.start()
    await room.agree(5)
    await room.work(20)
    assert room.context.degraded_text == NO_AGREEMENT
    assert (await room.own.view("person-0")).documents == {}
    assert room.context.results == []


async def test_the_load_rises_with_the_work_and_the_supervisors_answer_is_followed(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.tool.start()
    await room.agree(5)
    await room.work(60)
    calm = await room.now()
    assert calm["abstained"] is None
    await room.work(120, held=9, waiting=30)
    busy = await room.now()
    assert busy["load"] > calm["load"] + 0.2
    assert busy["heart_bpm"] > calm["heart_bpm"]
    (proposal,) = [result for result in room.context.results if result.kind == "proposal"]
    assert proposal.content["cap"] in range(3, 10)
    assert [alert.detector for alert in room.context.alerts] == ["team-overload"]
    request = ToolRequest(
        id="settle-1",
        tool="workload",
        task="settle",
        reason="taken",
        content={"id": proposal.id, "taken": True},
        asked=room.context.clock.now(),
    )
    assert "taken" in await room.tool.handle(request)
    ended = [result for result in room.context.results if result.kind == "proposal"][-1]
    assert ended.ended is not None
    assert ended.content["state"] == "taken"
    with pytest.raises(InvalidInput):
        await room.tool.handle(request.model_copy(update={"content": {"id": "nothing", "taken": True}}))
    # Nothing that was published names anybody, or tells a share finer than a fifth.
    for result in room.context.results:
        assert "person" not in result.model_dump_json(exclude={"person"}).lower().replace("personal", "")
        assert result.content.get("overloaded") in (None, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    await room.work(200)
    assert room.context.alerts[-1].ended is not None
    back = [result for result in room.context.results if result.kind == "proposal"][-1]
    assert back.content["cap"] is None


async def test_what_is_told_of_the_team_holds_when_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short break does not end an overload; but in the break nobody is told that most are overloaded."""
    room = Room(tmp_path)
    await room.tool.start()
    shares = {20: 0.2, 40: 0.2}
    told: dict[int, tuple[int, int]] = {}
    for second in range(0, 46, 2):
        state = TeamState(people=5, load=0.7, overloaded=shares.get(second, 0.8), underloaded=0.0)
        monkeypatch.setattr(worker, "team_state", lambda *_, state=state, **__: state)
        await room.tool._look_at_team(float(second))
        proposals = [result for result in room.context.results if result.kind == "proposal"]
        told[second] = (len(proposals), len(room.context.alerts))
    assert [told[second] for second in (18, 20, 22, 38, 40, 42)] == [(0, 0), (0, 0), (1, 0), (1, 0), (1, 0), (1, 1)]
    assert "about 80 %" in room.context.alerts[0].headline


async def test_fewer_than_five_are_never_spoken_of_together(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.tool.start()
    await room.agree(4)
    await room.work(40)
    await room.work(40, held=9, waiting=30)
    team = [result for result in room.context.results if result.kind == "team"]
    assert team
    assert all(result.content["overloaded"] is None and result.content["people"] is None for result in team)
    assert room.context.alerts == []
    with pytest.raises(ValueError, match="greater than or equal to 5"):
        WorkloadSettings(team_at_least=4)


async def test_withdrawing_leaves_nothing_of_the_person_anywhere(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.tool.start()
    await room.agree(2)
    await room.own.say("person-0", "isa", {"rating": 5}, now=room.context.clock.now())
    await room.work(90, held=3)
    before = len(files(tmp_path))
    assert await room.own.withdraw("person-0")
    left = files(tmp_path)
    assert len(left) < before
    assert not any(b"person-0" in path.read_bytes() for path in left)
    await room.work(10)
    assert files(tmp_path) != []
    assert not any(b"person-0" in path.read_bytes() for path in files(tmp_path))
    assert "person-0" not in room.tool._people
    await room.tool.stop()
    assert b"person-0" not in (room.context.checkpoint or b"")
    assert "person-0" not in "".join(result.model_dump_json() for result in room.context.results)


async def test_a_consent_that_is_over_is_followed_no_further(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.tool.start()
    await room.agree(1, hours=0.01)
    await room.work(30)
    seen = (await room.now())["time"]
    await room.work(30)
    assert (await room.now())["time"] == seen or not room.tool._people
    assert room.tool._people == {}


async def test_only_who_shares_is_shown_and_only_for_as_long(tmp_path: Path) -> None:
    room = Room(tmp_path, rotate_after_h=0.5)
    await room.tool.start()
    await room.agree(1, shared=True)
    await room.work(60)
    await room.work(90, held=9, waiting=30)
    shared = (await room.own.view("person-0")).documents["shared"]
    assert shared["state"] in ("overload", "normal")
    assert {"kind": "reassign", "count": 5} in shared["proposals"]  # type: ignore[operator]
    assert "heart_bpm" not in shared
    assert "load" not in shared
    await room.agree(1, shared=False)
    await room.work(4)
    assert "shared" not in (await room.own.view("person-0")).documents


async def test_a_rating_is_asked_for_in_time_and_not_too_often(tmp_path: Path) -> None:
    room = Room(tmp_path, rating_every_min=5, source="none")
    await room.tool.start()
    await room.agree(1)
    await room.work(4)
    assert (await room.now())["rating_due"] is False
    room.context.clock.advance(300)
    await room.work(4)
    assert (await room.now())["rating_due"] is True
    await room.own.say("person-0", "isa", {"rating": 2}, now=room.context.clock.now())
    await room.work(4)
    assert (await room.now())["rating_due"] is False
    await room.own.say(
        "person-0",
        "tlx",
        dict.fromkeys(("mental", "physical", "temporal", "performance", "effort", "frustration"), 60),
        now=room.context.clock.now(),
    )
    await room.work(4)
    assert (await room.now())["task_load"] == 60


async def test_the_baseline_of_one_shift_serves_the_next(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.tool.start()
    await room.agree(1)
    await room.work(130)
    await room.tool.stop()
    again = Room(tmp_path)
    again.context.clock.advance(131)
    await again.tool.start()
    await again.work(20)
    assert (await again.now())["abstained"] is None


async def test_a_spoilt_checkpoint_is_left_aside(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.context.checkpoint = b"{"
    await room.tool.start()
    await room.work(4)
