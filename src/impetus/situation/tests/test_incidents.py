"""Protects that alerts belong to one incident at a time, with the whole history kept, whoever acts at once."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from impetus.model import Conflict, Incident, IncidentAction, IncidentState, InvalidInput, NotFound, Severity
from impetus.situation.decisions import IncidentDecision, NewIncident
from impetus.situation.tests.house import HOSTILE, House, an_alert
from impetus.situation.timeline import EntryKind
from impetus.store import VersionConflict


async def test_an_incident_is_opened_on_alerts_and_asking_again_is_harmless(house: House) -> None:
    one, other = an_alert(severity=Severity.MINOR), an_alert(severity=Severity.SEVERE)
    await house.situation.alerts.ingest("municipality", [one, other])
    new = NewIncident(title=HOSTILE, alerts=(one.id, other.id))
    incidents = house.situation.incidents
    incident = await incidents.create(house.person("olivia"), new)
    assert await incidents.create(house.person("olivia"), new) == incident
    assert incident.title == new.title
    assert incident.severity is Severity.SEVERE
    assert incident.state is IncidentState.OPEN
    assert set(incident.alerts) == {one.id, other.id}
    room = await incidents.get("municipality", incident.id)
    assert {record.incident for record in room.alerts} == {incident.id}
    assert [entry.kind for entry in room.timeline].count(EntryKind.DECISION) == 1


async def test_an_alert_belongs_to_one_incident_at_a_time_and_moving_it_is_kept(house: House) -> None:
    alert = an_alert()
    await house.situation.alerts.ingest("municipality", [alert])
    incidents, olivia = house.situation.incidents, house.person("olivia")
    first = await incidents.create(olivia, NewIncident(title="first", alerts=(alert.id,)))
    second = await incidents.create(olivia, NewIncident(title="second"))
    join = IncidentDecision(action=IncidentAction.JOIN, version=1, alert=alert.id)
    with pytest.raises(Conflict, match=first.id):
        await incidents.decide(olivia, second.id, join)
    separate = IncidentDecision(action=IncidentAction.SEPARATE, version=1, alert=alert.id)
    separated = await incidents.decide(olivia, first.id, separate)
    assert separated.incident.alerts == ()
    joined = await incidents.decide(olivia, second.id, join)
    assert joined.incident.alerts == (alert.id,)
    assert await incidents.decide(olivia, second.id, join) == joined
    record, history = await house.situation.alerts.get("municipality", alert.id)
    assert record.incident == second.id
    assert [assessment.action for assessment in history] == ["join", "separate", "join"]
    room = await incidents.get("municipality", first.id)
    assert [entry.decision.action for entry in room.timeline if entry.decision is not None] == ["open", "separate"]
    async with house.store.view() as view:
        messages = [envelope for _, envelope in await view.outbox.waiting_in_installation()]
    views = [orjson.loads(message.data) for message in messages if message.kind == "alert-view"]
    assert [view["incident"] for view in views] == [None, first.id, None, second.id]


async def test_two_people_at_once_never_overwrite_each_other(any_house: House) -> None:
    incidents = any_house.situation.incidents
    incident = await incidents.create(any_house.person("olivia"), NewIncident(title="one"))
    outcomes = await asyncio.gather(
        incidents.decide(
            any_house.person("olivia"), incident.id, IncidentDecision(action=IncidentAction.CONTAIN, version=1)
        ),
        incidents.decide(
            any_house.person("omar"), incident.id, IncidentDecision(action=IncidentAction.CLOSE, reason="no", version=1)
        ),
        return_exceptions=True,
    )
    lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(lost) == 1
    assert isinstance(lost[0], VersionConflict)


async def test_the_same_alert_joined_to_two_incidents_at_once_ends_in_one(any_house: House) -> None:
    alert = an_alert()
    await any_house.situation.alerts.ingest("municipality", [alert])
    incidents = any_house.situation.incidents
    rooms = [await incidents.create(any_house.person("olivia"), NewIncident(title=title)) for title in "ab"]
    outcomes = await asyncio.gather(
        *(
            incidents.decide(
                any_house.person("omar"),
                room.id,
                IncidentDecision(action=IncidentAction.JOIN, version=1, alert=alert.id),
            )
            for room in rooms
        ),
        return_exceptions=True,
    )
    assert len([outcome for outcome in outcomes if isinstance(outcome, Conflict)]) == 1
    held = [(await incidents.get("municipality", room.id)).incident.alerts for room in rooms]
    assert sorted(held) == [(), (alert.id,)]


async def test_nothing_of_another_organisation_is_seen_or_joined(house: House) -> None:
    alert = an_alert()
    await house.situation.alerts.ingest("police", [alert])
    incidents = house.situation.incidents
    with pytest.raises(NotFound):
        await incidents.create(house.person("olivia"), NewIncident(title="one", alerts=(alert.id,)))
    foreign = await incidents.create(house.person("pia"), NewIncident(title="theirs", alerts=(alert.id,)))
    with pytest.raises(NotFound):
        await incidents.get("municipality", foreign.id)
    with pytest.raises(NotFound):
        await incidents.decide(
            house.person("olivia"), foreign.id, IncidentDecision(action=IncidentAction.CONTAIN, version=1)
        )


async def test_only_join_and_separate_are_about_an_alert(house: House) -> None:
    incidents, olivia = house.situation.incidents, house.person("olivia")
    incident = await incidents.create(olivia, NewIncident(title="one"))
    for decision in (
        IncidentDecision(action=IncidentAction.JOIN, version=1),
        IncidentDecision(action=IncidentAction.NOTE, reason="x", version=1, alert="a"),
    ):
        with pytest.raises(InvalidInput):
            await incidents.decide(olivia, incident.id, decision)


async def test_the_same_incident_asked_for_twice_at_once_is_opened_once(any_house: House) -> None:
    alert = an_alert()
    await any_house.situation.alerts.ingest("municipality", [alert])
    new = NewIncident(title="one", alerts=(alert.id,))
    incidents = any_house.situation.incidents
    opened = await asyncio.gather(
        *(incidents.create(any_house.person("olivia"), new) for _ in range(5)), return_exceptions=True
    )
    assert all(one.id == new.id if isinstance(one, Incident) else isinstance(one, Conflict) for one in opened)
    room = await incidents.get("municipality", new.id)
    assert room.incident.alerts == (alert.id,)
    assert len(room.timeline) == 3
