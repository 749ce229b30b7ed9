"""Protects the director: each inject once, at its time, by its way; orders obeyed; a stop leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from impetus.exercise.city import sensors
from impetus.exercise.clock import ExerciseClock
from impetus.exercise.desk import Desk, EntryKind, Order, OrderKind, Phase
from impetus.exercise.director import Director, Stage, Waiting
from impetus.exercise.events import GroundTruth, Schedule, reading
from impetus.exercise.scenario import Scenario
from impetus.exercise.threat_feed import ThreatFeed

START = datetime(2026, 9, 12, 14, 30, tzinfo=UTC)
WAIT_S = 120.0
ALERT = {"event_type": "alert", "src_ip": "203.0.113.66", "dest_ip": "10.40.1.10"}


def scenario(**changes: object) -> Scenario:
    return Scenario.model_validate(
        {
            "format": 1,
            "id": "small",
            "title": "A small one",
            "summary": "For tests.",
            "minutes": 10,
            "start": START,
            "place": "Market Square",
            "organisations": [{"id": "municipality", "name": "City"}],
            "injects": [
                {"id": "call", "at": 10, "kind": "message", "title": "A call", "sender": "Somebody", "text": "Help"},
                {"id": "crowd", "at": 20, "kind": "readings", "title": "A crowd", "event": "crowd-surge",
                 "site": "Market Square", "minutes": 2, "hint": "Look at the square."},
                {"id": "break-in", "at": 30, "kind": "security-alerts", "title": "A break-in", "file": "eve.jsonl"},
                {"id": "posts", "at": 35, "kind": "posts", "title": "Posts", "file": "posts.jsonl"},
                {"id": "news", "at": 40, "kind": "feed", "title": "A leak", "text": "For sale."},
                {"id": "cut", "at": 50, "kind": "link", "title": "Silence", "minutes": 2, "sites": ["Old Bridge"]},
                {"id": "down", "at": 60, "kind": "part", "title": "A tool is down", "part": "tool:air", "minutes": 1},
                {"id": "scan", "at": 65, "kind": "scan", "title": "A scan", "file": "scan.xml"},
                {"id": "film", "at": 70, "kind": "video", "title": "A picture", "camera": "camera-2",
                 "scene": "firearm", "minutes": 0.05},
            ],
            **changes,
        }
    )  # fmt: skip


class Played:
    """A director that runs at sixty times the speed."""

    def __init__(self, folder: Path, waiting: Waiting, *, unattended: bool) -> None:
        (folder / "scenario").mkdir()
        (folder / "scenario" / "eve.jsonl").write_text(
            "".join(json.dumps({"after_s": after_s, **ALERT}) + "\n" for after_s in (0, 20))
        )
        (folder / "scenario" / "posts.jsonl").write_text(json.dumps({"after_s": 1, "author": "a", "text": "b"}) + "\n")
        (folder / "scenario" / "scan.xml").write_text("<nmaprun/>")
        self.shown: list[tuple[str, str, datetime]] = []
        self.clock = ExerciseClock.create(folder / "clock", START, 0.0)
        self.desk = Desk(folder)
        self.stage = Stage(
            schedule=Schedule(sensors(), seed=1, start=START),
            truth=GroundTruth(folder / "events.jsonl"),
            eve=folder / "eve.json",
            feed=ThreatFeed(self.clock, ()),
            posts=folder / "posts.json",
            waiting=waiting,
            scan=folder / "demo" / "scan.xml",
            show=lambda camera, scene: self.shown.append((camera, scene, self.clock.now())),
        )
        self.director = Director(
            scenario(),
            folder / "scenario",
            self.desk,
            self.clock,
            self.stage,
            unattended=unattended,
            speed=60,
        )

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def phase(self) -> Phase | None:
        state = self.desk.state()
        return state.phase if state is not None else None

    def titles(self, kind: EntryKind) -> list[str]:
        return [entry.title for entry in self.desk.journal() if entry.kind is kind]


async def nothing_waits(held: Collection[str]) -> int | None:
    return 0


@asynccontextmanager
async def playing(played: Played) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(played.director.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


async def test_an_unattended_run_plays_everything_once_in_order_and_ends(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=True)
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.ENDED)
    journal = played.desk.journal()
    began = next(entry for entry in journal if entry.kind is EntryKind.STARTED)
    assert began.time == START + timedelta(seconds=60)
    injects = {entry.inject: entry for entry in journal if entry.inject}
    assert list(injects) == ["call", "crowd", "break-in", "posts", "news", "cut", "down", "scan", "film"]
    assert [entry.elapsed_s for entry in injects.values()] == [10, 20, 30, 35, 40, 50, 60, 65, 70]
    assert [(camera, scene) for camera, scene, _ in played.shown] == [("camera-2", "firearm")]
    assert injects["film"].sources == ("camera-2",)
    assert (tmp_path / "demo" / "scan.xml").read_text() == "<nmaprun/>"
    assert "people-count-market-square-fountain" in injects["crowd"].sources
    assert injects["break-in"].sources == ("10.40.1.10", "203.0.113.66")
    alerts = [json.loads(line) for line in (tmp_path / "eve.json").read_text().splitlines()]
    assert [alert["timestamp"] for alert in alerts] == [
        (began.time + timedelta(seconds=after_s)).isoformat() for after_s in (30, 50)
    ]
    assert json.loads((tmp_path / "posts.json").read_text())["text"] == "b"
    assert played.stage.feed is not None
    assert b"A leak" in played.stage.feed.document()
    [event] = played.stage.truth
    assert (event.site, event.start) == ("Market Square", began.time + timedelta(seconds=20))
    assert played.desk.held() == frozenset()
    assert "worker-air works again" in played.titles(EntryKind.OVER)


async def test_a_line_that_will_be_cut_is_known_before_so_that_no_reading_slips_through(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=True)
    bridge = next(sensor for sensor in sensors().values() if sensor.site == "Old Bridge")
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.RUNNING)
        # Still in the minute before the scenario begins, whose injects are not played yet.
        assert "Silence" not in played.titles(EntryKind.INJECT)
        assert played.director.silenced(bridge, START + timedelta(seconds=60 + 51))


async def test_nothing_begins_before_the_sensors_send(tmp_path: Path) -> None:
    """A run whose first minutes have no readings is not the same run twice."""
    played, there = Played(tmp_path, nothing_waits, unattended=True), False
    played.stage.behind_s = lambda: 0.0 if there else None
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.PREPARING)
        await asyncio.sleep(1.5)
        assert played.phase() is Phase.PREPARING
        there = True
        await played.until(lambda: played.phase() is Phase.ENDED)


async def test_the_sensors_read_what_is_played_and_are_cut_off_for_as_long_as_it_says(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=True)
    async with playing(played):
        await played.until(lambda: "Silence" in played.titles(EntryKind.INJECT))
        began = START + timedelta(seconds=60)
        bridge = next(sensor for sensor in sensors().values() if sensor.site == "Old Bridge")
        square = sensors()["people-count-market-square-fountain"]
        silenced = played.director.silenced
        assert silenced(bridge, began + timedelta(seconds=51))
        assert not silenced(bridge, began + timedelta(seconds=49))
        assert not silenced(bridge, began + timedelta(seconds=171))
        assert not silenced(square, began + timedelta(seconds=51))
        moment = began + timedelta(seconds=80)
        crowd = reading(square, moment, played.stage.schedule.active(moment))
        usual = reading(square, moment, [])
        assert crowd is not None
        assert usual is not None
        assert crowd > 1.5 * usual


async def test_a_picture_is_not_sped_up(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=True)
    async with playing(played):
        await played.until(lambda: bool(played.shown))
        since = played.shown[0][2]
        await played.until(lambda: played.clock.speed == 1.0)
        await played.until(lambda: played.clock.speed == 60.0)
        assert played.clock.now() >= since + timedelta(seconds=2)


async def test_what_nobody_here_can_play_is_skipped_with_its_reason(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=True)
    played.stage.show, played.stage.scan = None, None
    played.stage.skipped = {"news": "the tool 'cti' does not run here"}
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.ENDED)
    skipped = {entry.inject: entry.text for entry in played.desk.journal() if entry.kind is EntryKind.SKIPPED}
    assert skipped == {
        "news": "the tool 'cti' does not run here",
        "scan": "nothing here reads the reports of scanners",
        "film": "no camera of the exercise is watched here",
    }


async def test_time_stands_still_while_a_tool_is_behind(tmp_path: Path) -> None:
    waiting = [0]

    async def so_many(held: Collection[str]) -> int | None:
        return waiting[0]

    played = Played(tmp_path, so_many, unattended=True)
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.RUNNING)
        waiting[0] = 100
        await played.until(lambda: played.clock.speed == 0)
        held = played.clock.now()
        await asyncio.sleep(0.2)
        assert played.clock.now() == held
        waiting[0] = 0
        await played.until(lambda: played.clock.now() > held)


async def test_what_is_down_on_purpose_does_not_hold_time(tmp_path: Path) -> None:
    async def of_what_is_down(held: Collection[str]) -> int | None:
        return 100 if "worker-air" in played.desk.held() and "worker-air" not in held else 0

    played = Played(tmp_path, of_what_is_down, unattended=True)
    played.stage.behind_s = lambda: 100.0 if "connector-mqtt" in played.desk.held() else 0.0
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.RUNNING)
        played.desk.order(Order(kind=OrderKind.HOLD, part="connector:mqtt", minutes=1))
        await played.until(lambda: played.phase() is Phase.ENDED)
    assert "worker-air works again" in played.titles(EntryKind.OVER)
    assert "connector-mqtt works again" in played.titles(EntryKind.OVER)


async def test_a_controller_starts_pauses_adds_degrades_and_ends(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=False)
    desk = played.desk
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.READY)
        desk.order(Order(kind=OrderKind.START, by="Jonas"))
        await played.until(lambda: "A crowd" in played.titles(EntryKind.INJECT))
        desk.order(Order(kind=OrderKind.PAUSE))
        await played.until(lambda: played.clock.speed == 0)
        call: dict[str, object] = {"kind": "message", "title": "One more", "sender": "X", "text": "Y"}
        desk.order(Order(kind=OrderKind.INJECT, inject=call))
        desk.order(Order(kind=OrderKind.INJECT, inject={"kind": "dragon", "title": "No"}))
        desk.order(Order(kind=OrderKind.HOLD, part="connector:mqtt", minutes=5))
        desk.order(Order(kind=OrderKind.CUT, site="Market Square"))
        desk.order(Order(kind=OrderKind.HINT))
        desk.order(Order(kind=OrderKind.START))
        await played.until(lambda: len(played.titles(EntryKind.REFUSED)) == 2)
        assert "One more" in played.titles(EntryKind.INJECT)
        assert desk.held() == {"connector-mqtt"}
        hints = [entry.text for entry in desk.journal() if entry.title == "hint"]
        assert hints == ["Look at the square."]
        desk.order(Order(kind=OrderKind.END, by="Jonas"))
        await played.until(lambda: played.phase() is Phase.ENDED)
        assert desk.held() == frozenset()
        assert "ended by Jonas" in played.titles(EntryKind.ENDED)
        # Nothing that was still to come comes any more.
        assert played.stage.schedule.active(played.clock.now()) == []
        desk.order(Order(kind=OrderKind.START))
        await played.until(lambda: played.phase() is Phase.RUNNING)
        assert len({entry.run for entry in desk.journal()}) == 2


async def test_a_scenario_that_nobody_starts_begins_by_itself_once(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=False)
    played.director._starts_after_s = 10.0
    async with playing(played):
        await played.until(lambda: played.phase() is Phase.RUNNING)
        played.desk.order(Order(kind=OrderKind.END))
        await played.until(lambda: played.phase() is Phase.ENDED)
        await asyncio.sleep(0.5)
        assert played.phase() is Phase.ENDED


async def test_a_stop_in_the_middle_is_noted_and_cleaned_up(tmp_path: Path) -> None:
    played = Played(tmp_path, nothing_waits, unattended=True)
    async with playing(played):
        await played.until(lambda: played.desk.held() != frozenset())
    assert played.titles(EntryKind.ENDED) == ["broken off"]
    assert played.desk.held() == frozenset()
    assert played.phase() is Phase.ENDED
