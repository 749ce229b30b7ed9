"""Protects that an alert is held by one person at a time, that nobody is buried, and that repeats are one row."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import (
    Alert,
    AlertAction,
    AlertState,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    Place,
    Point,
    Role,
    Severity,
    Status,
)
from impetus.situation.decisions import AlertDecided, AlertDecision
from impetus.situation.holding import AtCapacity
from impetus.situation.repeats import RepeatBoard, distance_m
from impetus.situation.settings import SituationSettings
from impetus.situation.tests.house import House, an_alert, opened_house
from impetus.store import AlertFilter, AlertOrder, VersionConflict
from impetus.store.records import AlertRecord

HOME = "municipality"


async def act(house: House, name: str, alert: Alert, action: str, version: int, **more: object) -> AlertDecided:
    decision = AlertDecision.model_validate({"action": action, "version": version, **more})
    return await house.situation.alerts.decide(house.person(name), alert.id, decision)


def distinct(count: int) -> list[Alert]:
    """Alerts that repeat nothing: each on a source of its own."""
    return [an_alert(source=f"traffic-{number}") for number in range(count)]


async def queue(house: House) -> list[AlertRecord]:
    page = await house.situation.alerts.list(
        HOME, AlertFilter(joined=True), order=AlertOrder.HARM, limit=1_000, after=None
    )
    return list(page.items)


async def test_who_acknowledges_holds_and_who_settles_lets_go(house: House) -> None:
    one, other = distinct(2)
    await house.situation.alerts.ingest(HOME, [one, other])
    taken = (await act(house, "olivia", one, "acknowledge", 1)).alert
    assert (taken.holder, taken.holder_name) == (house.users["olivia"].id, "Olivia Example")
    assert taken.held_since is not None
    settled = (await act(house, "omar", one, "confirm", 2)).alert
    assert (settled.holder, settled.held_since, settled.handled_by) == (None, None, "Omar Example")
    await act(house, "olivia", other, "acknowledge", 1)
    assert (await act(house, "olivia", other, "escalate", 2)).alert.holder is None


async def test_two_people_who_take_the_same_alert_at_once(any_house: House) -> None:
    alert = an_alert()
    await any_house.situation.alerts.ingest(HOME, [alert])
    outcomes = await asyncio.gather(
        act(any_house, "olivia", alert, "acknowledge", 1),
        act(any_house, "omar", alert, "acknowledge", 1),
        return_exceptions=True,
    )
    (lost,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, AlertDecided)]
    assert isinstance(lost, VersionConflict)
    record, history = await any_house.situation.alerts.get(HOME, alert.id)
    assert record.holder == won.decision.person
    assert len(history) == 1


async def test_nobody_takes_more_than_the_cap_even_all_at_once(tmp_path: Path) -> None:
    async with opened_house(tmp_path, SituationSettings(held_at_most={Role.OPERATOR: 2})) as house:
        alerts = distinct(5)
        await house.situation.alerts.ingest(HOME, alerts)
        outcomes = await asyncio.gather(
            *(act(house, "olivia", alert, "acknowledge", 1) for alert in alerts), return_exceptions=True
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, AtCapacity)]
        assert len(refused) == 3
        assert "holds 2 alerts, and the cap is 2" in refused[0].message
        assert "elease" in refused[0].hint
        taken = [alert for alert, outcome in zip(alerts, outcomes, strict=True) if isinstance(outcome, AlertDecided)]
        left = [alert for alert in alerts if alert not in taken]
        # Settling one makes room for one.
        await act(house, "olivia", taken[0], "dismiss", 2, reason="roadworks")
        await act(house, "olivia", left[0], "acknowledge", 1)
        with pytest.raises(AtCapacity):
            await act(house, "olivia", left[1], "acknowledge", 1)
        # To confirm or dismiss at once takes nothing on.
        await act(house, "olivia", left[1], "dismiss", 1, reason="roadworks")


async def test_only_a_supervisor_goes_above_the_cap_and_says_why(tmp_path: Path) -> None:
    async with opened_house(tmp_path, SituationSettings(held_at_most={Role.OPERATOR: 1})) as house:
        one, other = distinct(2)
        await house.situation.alerts.ingest(HOME, [one, other])
        await act(house, "olivia", one, "acknowledge", 1)
        with pytest.raises(NotAllowed, match="supervisor"):
            await act(house, "olivia", other, "acknowledge", 1, override=True, reason="I can")
        olivia = house.users["olivia"].id
        with pytest.raises(AtCapacity):
            await act(house, "sofia", other, "assign", 1, person=olivia)
        with pytest.raises(InvalidInput, match="reason"):
            await act(house, "sofia", other, "assign", 1, person=olivia, override=True)
        given_ = await act(house, "sofia", other, "assign", 1, person=olivia, override=True, reason="all hands")
        assert given_.alert.holder == olivia
        assert given_.alert.state is AlertState.ACKNOWLEDGED
        assert given_.decision.given_to_name == "Olivia Example"
        async with house.store.view() as view:
            (record, *_) = (await view.audit.list(HOME, subject=f"alert:{other.id}")).items
        assert orjson.loads(record.detail)["override"] is True


async def test_a_cap_that_is_lowered_takes_nothing_away(tmp_path: Path) -> None:
    alerts = distinct(4)
    async with opened_house(tmp_path, SituationSettings(held_at_most={Role.OPERATOR: 3})) as house:
        await house.situation.alerts.ingest(HOME, alerts)
        for alert in alerts[:3]:
            await act(house, "olivia", alert, "acknowledge", 1)
        lower = SituationSettings(held_at_most={Role.OPERATOR: 1})
        house.situation.alerts._settings = lower
        async with house.store.view() as view:
            assert await view.workload.count(HOME, house.users["olivia"].id) == 3
        with pytest.raises(AtCapacity, match="holds 3 alerts, and the cap is 1"):
            await act(house, "olivia", alerts[3], "acknowledge", 1)
        for alert in alerts[:3]:
            await act(house, "olivia", alert, "confirm", 2)
        await act(house, "olivia", alerts[3], "acknowledge", 1)


async def test_release_and_hand_over_are_the_holders_and_the_supervisors(house: House) -> None:
    alert = an_alert()
    await house.situation.alerts.ingest(HOME, [alert])
    omar = house.users["omar"].id
    with pytest.raises(NotAllowed, match="only what you hold"):
        await act(house, "olivia", alert, "assign", 1, person=omar)
    await act(house, "olivia", alert, "acknowledge", 1)
    with pytest.raises(NotAllowed, match="Olivia Example holds this alert"):
        await act(house, "omar", alert, "release", 2)
    handed = await act(house, "olivia", alert, "assign", 2, person=omar, reason="end of shift")
    assert handed.alert.holder == omar
    again = AlertDecision(
        id=handed.decision.id, action=AlertAction.ASSIGN, version=2, person=omar, reason="end of shift"
    )
    assert await house.situation.alerts.decide(house.person("olivia"), alert.id, again) == handed
    with pytest.raises(Conflict, match="Another decision"):
        await house.situation.alerts.decide(
            house.person("olivia"), alert.id, again.model_copy(update={"person": house.users["sofia"].id})
        )
    with pytest.raises(Conflict, match="holds this alert already"):
        await act(house, "sofia", alert, "assign", 3, person=omar)
    released = await act(house, "sofia", alert, "release", 3)
    assert (released.alert.state, released.alert.holder) == (AlertState.NEW, None)


@pytest.mark.parametrize(("name", "error"), [("ada", Conflict), ("pia", NotFound), ("nobody", NotFound)])
async def test_an_alert_is_given_to_nobody_who_cannot_work_on_it(
    house: House, name: str, error: type[Exception]
) -> None:
    alert = an_alert()
    await house.situation.alerts.ingest(HOME, [alert])
    person = house.users[name].id if name in house.users else name
    with pytest.raises(error):
        await act(house, "sofia", alert, "assign", 1, person=person)
    with pytest.raises(InvalidInput, match="person"):
        await act(house, "sofia", alert, "assign", 1)
    with pytest.raises(InvalidInput, match="person"):
        await act(house, "sofia", alert, "acknowledge", 1, person=person)
    record, history = await house.situation.alerts.get(HOME, alert.id)
    assert (record.holder, record.version, list(history)) == (None, 1, [])


async def test_ten_thousand_copies_of_one_are_one_row_and_all_are_kept(house: House) -> None:
    first = an_alert()
    start = first.onset
    copies = [
        first.model_copy(update={"id": f"copy-{number}", "onset": start + timedelta(seconds=number % 60)})
        for number in range(10_000)
    ]
    for begin in range(0, len(copies), 1_000):
        await house.situation.alerts.ingest(HOME, copies[begin : begin + 1_000])
    # Delivered again, as the bus may do, nothing is counted twice.
    await house.situation.alerts.ingest(HOME, copies[:1_000])
    (row,) = await queue(house)
    assert row.alert.id == "copy-0"
    assert row.repeats == 9_999
    async with house.store.view() as view:
        assert (await view.alerts.counts(HOME))[AlertState.NEW] == 1
        assert len(await view.alerts.many(HOME, [copy.id for copy in copies])) == 10_000
        waiting = await view.outbox.waiting_in_installation(100_000)
    assert len(waiting) <= 20
    # One decision settles the row and what it stands for.
    await act(house, "olivia", row.alert, "acknowledge", 1)
    await act(house, "olivia", row.alert, "dismiss", 2, reason="one stuck loop")
    async with house.store.view() as view:
        records = await view.alerts.many(HOME, [copy.id for copy in copies])
    assert {record.state for record in records.values()} == {AlertState.DISMISSED}
    _, history = await house.situation.alerts.get(HOME, "copy-77")
    assert [decision.action for decision in history] == ["acknowledge", "dismiss"]
    # What comes after the verdict is news.
    await house.situation.alerts.ingest(HOME, [first])
    assert [row.alert.id for row in await queue(house) if row.state is AlertState.NEW] == [first.id]


async def test_what_differs_is_a_row_of_its_own(house: House) -> None:
    first = an_alert()
    far = Place(geometry=Point(coordinates=(8.1, 58.1)))
    others = [
        an_alert(detector="shape"),
        an_alert(source="traffic-2"),
        an_alert(tool="camera"),
        an_alert(place=far),
        an_alert(severity=Severity.SEVERE),
        an_alert(status=Status.EXERCISE),
        an_alert(onset=first.onset - timedelta(hours=2)),
    ]
    repeats = [
        an_alert(place=None),
        an_alert(severity=Severity.MINOR),
        an_alert(onset=first.onset + timedelta(minutes=2)),
    ]
    await house.situation.alerts.ingest(HOME, [first, *others, *repeats])
    rows = {row.alert.id: row.repeats for row in await queue(house)}
    assert set(rows) == {first.id, *(alert.id for alert in others)}
    assert sum(rows.values()) == len(repeats)


async def test_a_repeat_that_turns_graver_comes_out_of_the_row(house: House) -> None:
    first, repeat = an_alert(), an_alert()
    await house.situation.alerts.ingest(HOME, [first])
    await house.situation.alerts.ingest(HOME, [repeat])
    assert [row.repeats for row in await queue(house)] == [1]
    graver = repeat.model_copy(update={"revision": 1, "severity": Severity.EXTREME})
    await house.situation.alerts.ingest(HOME, [graver])
    assert {row.alert.id: row.repeats for row in await queue(house)} == {first.id: 0, repeat.id: 0}


def test_distance_is_the_great_circles() -> None:
    # One degree of latitude on a sphere of the earth's mean radius.
    assert distance_m((8.0, 58.0), (8.0, 59.0)) == pytest.approx(111_195, abs=1)
    assert distance_m((179.9, 0.0), (-179.9, 0.0)) == pytest.approx(22_239, abs=1)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from(list(Severity))), max_size=30))
def test_every_alert_is_a_head_or_repeats_one_that_is_no_less_severe(sightings: list[tuple[int, Severity]]) -> None:
    base = an_alert()
    board = RepeatBoard((), within_s=600, within_m=100)
    heads: dict[str, int] = {}
    for second, severity in sightings:
        alert = an_alert(onset=base.onset + timedelta(seconds=second), severity=severity)
        record = AlertRecord(
            alert=alert, tenant=HOME, state=AlertState.NEW, version=1, received=alert.sent, updated=alert.sent, harm=0.1
        )
        head = board.place(record)
        if head is None:
            heads[alert.id] = 0
        else:
            heads[head.alert.id] += 1
            assert head.alert.severity is severity or head.alert.severity is not Severity.MINOR
    assert sum(heads.values()) + len(heads) == len(sightings)
    assert {record.alert.id: more for record, more, _ in board.grown()} == {
        id: more for id, more in heads.items() if more
    }
