"""Protects: incidents and decisions are kept once, in order, and nobody overwrites another person's change."""

from __future__ import annotations

import pytest

from impetus.model import AlertState, Incident, IncidentState, NotFound
from impetus.store import IncidentFilter, Store, VersionConflict
from impetus.store.tests.conftest import NOW
from impetus.store.tests.samples import alert, assessment, harm, incident, later


async def test_an_incident_shows_the_alerts_that_were_joined_to_it(store: Store) -> None:
    kept = incident(id="incident-1")
    async with store.transaction() as transaction:
        assert await transaction.incidents.add(kept)
        assert not await transaction.incidents.add(incident(id="incident-1", title="Other"))
        for number, name in enumerate(["b", "a"]):
            await transaction.alerts.upsert("police", [alert(id=name)], received=later(number), harm=harm)
            await transaction.alerts.change(
                "police",
                name,
                expected_version=1,
                state=AlertState.CONFIRMED,
                incident="incident-1",
                handled_by="Anna",
                updated=NOW,
            )
    async with store.view() as view:
        assert await view.incidents.get("police", "incident-1") == kept.model_copy(update={"alerts": ("b", "a")})
        assert (await view.incidents.list("police")).items[0].alerts == ("b", "a")
        with pytest.raises(NotFound):
            await view.incidents.get("fire", "incident-1")


async def test_who_changes_an_incident_second_is_told(store: Store) -> None:
    kept = incident(id="incident-1")
    async with store.transaction() as transaction:
        await transaction.incidents.add(kept, handled_by="Anna Berg")
        changed = await transaction.incidents.change(
            kept.model_copy(update={"state": IncidentState.OPEN}), expected_version=1, handled_by="Anna Berg"
        )
        assert (changed.state, changed.version) == (IncidentState.OPEN, 2)
    async with store.transaction() as transaction:
        with pytest.raises(VersionConflict, match="Anna Berg") as caught:
            await transaction.incidents.change(
                kept.model_copy(update={"state": IncidentState.CLOSED}), expected_version=1, handled_by="Bo Lund"
            )
    assert (caught.value.state, caught.value.version) == ("open", 2)
    async with store.transaction() as transaction:
        with pytest.raises(NotFound):
            await transaction.incidents.change(
                kept.model_copy(update={"tenant": "fire"}), expected_version=2, handled_by="Eve"
            )


async def test_incidents_are_listed_newest_first_in_pages(store: Store) -> None:
    async with store.transaction() as transaction:
        for number in range(25):
            await transaction.incidents.add(
                incident(id=f"incident-{number:02}", opened=later(number // 3), title=f"Number {number}")
            )
        await transaction.incidents.add(incident(id="other", tenant="fire"))
    seen: list[Incident] = []
    after = None
    async with store.view() as view:
        while True:
            page = await view.incidents.list("police", limit=4, after=after)
            seen += page.items
            after = page.next
            if after is None:
                break
        assert [kept.id for kept in seen] == [f"incident-{number:02}" for number in reversed(range(25))]
        assert (await view.incidents.list("police", IncidentFilter(text="number 7"))).items[0].id == "incident-07"
        assert not (await view.incidents.list("police", IncidentFilter(states=(IncidentState.CLOSED,)))).items
        assert (await view.incidents.counts("police"))[IncidentState.CANDIDATE] == 25


async def test_a_replayed_decision_is_kept_once(store: Store) -> None:
    decision = assessment(id="decision-1", reason="Seen on camera")
    async with store.transaction() as transaction:
        assert await transaction.assessments.add(decision)
    async with store.transaction() as transaction:
        assert not await transaction.assessments.add(decision.model_copy(update={"reason": "changed"}))
        assert await transaction.assessments.add(decision.model_copy(update={"tenant": "fire"}))
    async with store.view() as view:
        assert await view.assessments.find("police", "decision-1") == decision
        assert await view.assessments.find("municipality", "decision-1") is None


async def test_history_is_in_order_even_when_the_clock_was_set_back(store: Store) -> None:
    async with store.transaction() as transaction:
        for version, seconds in ((2, 100), (3, 50), (4, 75)):
            await transaction.assessments.add(assessment(version=version, decided=later(seconds)))
        await transaction.assessments.add(assessment(subject="alert-2", decided=later(60)))
    async with store.view() as view:
        assert [decision.version for decision in await view.assessments.history("police", "alert-1")] == [2, 3, 4]
        newest = (await view.assessments.list("police", limit=2)).items
        assert [decision.decided for decision in newest] == [later(100), later(75)]
        page = await view.assessments.list("police", since=later(60), limit=2)
        rest = await view.assessments.list("police", since=later(60), limit=2, after=page.next)
        assert [decision.decided for decision in rest.items] == [later(60)]
        assert len((await view.assessments.list("police", subject="alert-2")).items) == 1
