"""Protects that alerts become candidates that explain themselves, that what people decide stands, and that verdicts
teach; on a real bus and a real store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from impetus.model import (
    Alert,
    AlertAction,
    Category,
    Conflict,
    Incident,
    IncidentAction,
    IncidentOrigin,
    IncidentState,
    Place,
    Point,
    Severity,
)
from impetus.situation.decisions import AlertDecision, IncidentDecision, NewIncident
from impetus.situation.runtime import Situation, running
from impetus.situation.tests.house import House, alert_message, an_alert, eventually
from impetus.store.records import IncidentFilter

HERE = (8.0, 58.1)
NEXT_DOOR = (8.001, 58.1003)


def sighting(**changes: object) -> Alert:
    """A camera that sees a firearm."""
    return an_alert(
        **{
            "tool": "firearm",
            "detector": "handgun",
            "source": "camera-1",
            "headline": "Firearm in view",
            "category": Category.SECURITY,
            "severity": Severity.EXTREME,
            "confidence": 0.9,
            "place": Place(geometry=Point(coordinates=HERE), name="Square"),
            **changes,
        }
    )


def crowd(**changes: object) -> Alert:
    """A sensor beside it that reads something unusual."""
    return an_alert(
        **{
            "source": "counter-9",
            "category": Category.SAFETY,
            "confidence": 0.8,
            "place": Place(geometry=Point(coordinates=NEXT_DOOR), name="Square"),
            **changes,
        }
    )


async def send(house: House, *alerts: Alert) -> None:
    await house.bus.publish([alert_message(alert) for alert in alerts])


async def incidents(house: House) -> list[Incident]:
    page = await house.situation.incidents.list("municipality", IncidentFilter(), limit=100, after=None)
    return list(page.items)


async def one_candidate(house: House) -> Incident | None:
    found = [one for one in await incidents(house) if one.state is IncidentState.CANDIDATE and len(one.alerts) > 1]
    return found[0] if len(found) == 1 else None


async def test_alerts_near_each_other_become_one_candidate_that_says_why(house: House) -> None:
    seen, unusual = sighting(), crowd()
    far = crowd(source="counter-1", place=Place(geometry=Point(coordinates=(8.4, 58.3))))
    async with running(house.situation):
        await send(house, seen, unusual, far)
        candidate = await eventually(lambda: one_candidate(house))
        assert set(candidate.alerts) == {seen.id, unusual.id}
        assert candidate.origin is IncidentOrigin.CORRELATION
        assert candidate.severity is Severity.EXTREME
        assert candidate.title == "Firearm in view"
        assert 0.5 < candidate.probability <= 1
        assert candidate.reasons[0].startswith("firearm: Firearm in view")
        assert "m away" in candidate.reasons[1]
        record, history = await house.situation.alerts.get("municipality", seen.id)
        assert (record.incident, record.version, list(history)) == (candidate.id, 1, [])
        assert record.probability is not None


async def test_the_same_alerts_again_and_a_restart_make_no_second_candidate(house: House) -> None:
    seen, unusual = sighting(), crowd()
    async with running(house.situation):
        await send(house, seen, unusual)
        candidate = await eventually(lambda: one_candidate(house))
    again = Situation.create(house.bus, house.store, house.clock, house.situation.settings)
    house.situation = again
    third = crowd(source="counter-10")
    async with running(again):
        await send(house, seen.model_copy(update={"revision": 1}), unusual.model_copy(update={"revision": 1}), third)
        await eventually(lambda: has(house, candidate.id, third.id))
        assert [one.id for one in await incidents(house)] == [candidate.id]


async def has(house: House, incident: str, alert: str) -> bool:
    room = await house.situation.incidents.get("municipality", incident)
    return alert in room.incident.alerts


async def test_what_a_person_separated_never_comes_back_even_after_a_restart(house: House) -> None:
    seen, unusual = sighting(), crowd()
    sofia = house.person("sofia")
    async with running(house.situation):
        await send(house, seen, unusual)
        candidate = await eventually(lambda: one_candidate(house))
        await house.situation.incidents.decide(
            sofia,
            candidate.id,
            IncidentDecision(action=IncidentAction.SEPARATE, version=1, alert=unusual.id, reason="A parade"),
        )
        await send(house, unusual.model_copy(update={"revision": 1}))
        joins = crowd(source="counter-10")
        await send(house, joins)
        await eventually(lambda: placed(house, joins.id))
        assert not await has(house, candidate.id, unusual.id)
    house.situation = Situation.create(house.bus, house.store, house.clock, house.situation.settings)
    async with running(house.situation):
        more = sighting(source="camera-2")
        await send(house, unusual.model_copy(update={"revision": 2}), more)
        await eventually(lambda: placed(house, more.id))
        assert not await has(house, candidate.id, unusual.id)


async def test_a_person_takes_an_alert_out_of_a_candidate_by_opening_or_joining_another_incident(house: House) -> None:
    seen, unusual, third = sighting(), crowd(), crowd(source="counter-10")
    sofia = house.person("sofia")
    async with running(house.situation):
        await send(house, seen, unusual, third)
        candidate = await eventually(lambda: one_candidate(house))
        await eventually(lambda: has(house, candidate.id, third.id))
        wanted = NewIncident(title="A parade", alerts=(unusual.id,))
        parade = await house.situation.incidents.create(sofia, wanted)
        assert (await house.situation.incidents.create(sofia, wanted)).id == parade.id
        assert list(parade.alerts) == [unusual.id]
        joined = await house.situation.incidents.decide(
            sofia, parade.id, IncidentDecision(action=IncidentAction.JOIN, version=parade.version, alert=third.id)
        )
        assert set(joined.incident.alerts) == {unusual.id, third.id}
        left = await house.situation.incidents.get("municipality", candidate.id)
        assert list(left.incident.alerts) == [seen.id]
        decisions = [entry.decision for entry in left.timeline if entry.decision is not None]
        assert [one.alert for one in decisions if one.action == IncidentAction.SEPARATE] == [unusual.id, third.id]
        # From an incident that people opened, nobody takes it by opening another.
        with pytest.raises(Conflict, match="belongs to incident"):
            await house.situation.incidents.create(sofia, NewIncident(title="A fair", alerts=(unusual.id,)))


async def placed(house: House, alert: str) -> str | None:
    async with house.store.view() as view:
        record = await view.alerts.find("municipality", alert)
    return None if record is None else record.incident


async def test_an_alert_that_a_person_joined_stays_and_words_stay_as_the_person_left_them(house: House) -> None:
    seen, unusual = sighting(), crowd()
    stray = crowd(source="counter-1", place=Place(geometry=Point(coordinates=(8.4, 58.3))))
    async with running(house.situation):
        await send(house, seen, unusual, stray)
        candidate = await eventually(lambda: one_candidate(house))
        await eventually(lambda: known(house, stray.id))
        decided = await house.situation.incidents.decide(
            house.person("sofia"),
            candidate.id,
            IncidentDecision(action=IncidentAction.JOIN, version=1, alert=stray.id),
        )
        assert stray.id in decided.incident.alerts
        late = sighting(source="camera-2", headline="Another headline", confidence=0.99)
        await send(house, late)
        await eventually(lambda: has(house, candidate.id, late.id))
        room = await house.situation.incidents.get("municipality", candidate.id)
        assert stray.id in room.incident.alerts
        assert (room.incident.title, room.incident.version) == (candidate.title, 2)


async def known(house: House, alert: str) -> bool:
    async with house.store.view() as view:
        return await view.alerts.find("municipality", alert) is not None


async def test_verdicts_teach_and_taking_one_back_unteaches(house: House) -> None:
    olivia = house.person("olivia")
    service = house.situation.alerts
    async with running(house.situation):
        before = (await house.situation.correlation.calibrated("municipality"))(sighting())
        alerts = [
            sighting(place=None, onset=house.clock.now() - timedelta(hours=number), revision=0) for number in range(12)
        ]
        await service.ingest("municipality", alerts)
        for alert in alerts:
            await service.decide(olivia, alert.id, AlertDecision(action=AlertAction.DISMISS, reason="a toy", version=1))

        async def learnt() -> bool:
            return (await house.situation.correlation.calibrated("municipality"))(sighting()) < before - 0.2

        await eventually(learnt)
        record, _ = await service.get("municipality", alerts[0].id)
        await service.decide(
            olivia,
            alerts[0].id,
            AlertDecision(action=AlertAction.REOPEN, reason="look again", version=record.version),
        )

        async def verdicts() -> int:
            async with house.store.view() as view:
                return len(await view.verdicts.newest("municipality"))

        await eventually(lambda: counted(verdicts, 11))


async def counted(ask: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await ask() == wanted


async def test_a_confirmed_sighting_asks_the_evacuation_tool(house: House) -> None:
    seen = sighting()
    async with running(house.situation):
        await send(house, seen)
        await eventually(lambda: known(house, seen.id))
        await house.situation.alerts.decide(
            house.person("olivia"), seen.id, AlertDecision(action=AlertAction.CONFIRM, version=1)
        )

        async def asked() -> list[str]:
            since = house.clock.now() - timedelta(hours=1)
            replay = house.bus.replay(["*.tool-request.>"], since=since)
            return [delivery.envelope.subject async for delivery in replay]

        assert await eventually(asked) == ["municipality.tool-request.evacuation"]
