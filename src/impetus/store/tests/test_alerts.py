"""Protects: the queue's order and pages, arrivals without doubles, decisions that nobody overwrites."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from impetus.model import AlertState, InvalidInput, NotFound, Severity, Status, to_microseconds
from impetus.store import AlertFilter, AlertOrder, AlertRecord, Store, VersionConflict
from impetus.store.tests.conftest import NOW
from impetus.store.tests.samples import alert, harm, later


async def test_an_alert_comes_back_as_it_was(store: Store) -> None:
    sent = alert(id="one", headline="<script>alert(1)</script> \0 '; DROP TABLE alert; --", description="Ünïcödé 🚨")
    async with store.transaction() as transaction:
        arrivals = await transaction.alerts.upsert("police", [sent], received=NOW, harm=harm)
    assert arrivals[0].created
    assert arrivals[0].changed
    async with store.view() as view:
        record = await view.alerts.get("police", "one")
    assert record == arrivals[0].record
    assert record.alert == sent
    assert (record.state, record.version, record.received) == (AlertState.NEW, 1, NOW)


async def test_repeating_an_alert_is_harmless_and_a_revision_changes_the_content_only(store: Store) -> None:
    first = alert(id="one", confidence=0.4)
    async with store.transaction() as transaction:
        arrivals = await transaction.alerts.upsert("police", [first, first], received=NOW, harm=harm)
        assert [(arrival.created, arrival.changed) for arrival in arrivals] == [(True, True), (False, False)]
        await transaction.alerts.change(
            "police",
            "one",
            expected_version=1,
            state=AlertState.CONFIRMED,
            incident="incident-1",
            handled_by="Anna Berg",
            updated=later(5),
        )
    revised = first.model_copy(update={"revision": 2, "confidence": 0.9, "severity": Severity.EXTREME})
    async with store.transaction() as transaction:
        arrivals = await transaction.alerts.upsert("police", [revised], received=later(10), harm=harm)
        assert [(arrival.created, arrival.changed) for arrival in arrivals] == [(False, True)]
    older = first.model_copy(update={"revision": 1, "headline": "too late"})
    async with store.transaction() as transaction:
        arrivals = await transaction.alerts.upsert("police", [older], received=later(20), harm=harm)
        assert [(arrival.created, arrival.changed) for arrival in arrivals] == [(False, False)]
    async with store.view() as view:
        record = await view.alerts.get("police", "one")
        page = await view.alerts.list("police", AlertFilter(severities=(Severity.EXTREME,)))
    assert record.alert == revised
    assert (record.state, record.version, record.incident) == (AlertState.CONFIRMED, 2, "incident-1")
    assert (record.received, record.updated, record.harm) == (NOW, later(10), 0.9)
    assert page.items == (record,)


async def test_a_new_alert_and_its_revision_may_come_together(store: Store) -> None:
    first = alert(id="one")
    revised = first.model_copy(update={"revision": 1, "headline": "Now worse"})
    async with store.transaction() as transaction:
        arrivals = await transaction.alerts.upsert("police", [first, revised], received=NOW, harm=harm)
    assert [arrival.created for arrival in arrivals] == [True, False]
    async with store.view() as view:
        assert (await view.alerts.get("police", "one")).alert == revised


async def test_who_decides_second_is_told_what_the_first_did(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.alerts.upsert("police", [alert(id="one")], received=NOW, harm=harm)
        record = await transaction.alerts.change(
            "police",
            "one",
            expected_version=1,
            state=AlertState.DISMISSED,
            incident=None,
            handled_by="Anna Berg",
            updated=later(1),
        )
        assert record.version == 2
    async with store.transaction() as transaction:
        with pytest.raises(VersionConflict, match="Anna Berg changed this alert first: it is dismissed") as caught:
            await transaction.alerts.change(
                "police",
                "one",
                expected_version=1,
                state=AlertState.CONFIRMED,
                incident=None,
                handled_by="Bo Lund",
                updated=later(2),
            )
    assert (caught.value.state, caught.value.version, caught.value.handled_by) == ("dismissed", 2, "Anna Berg")
    async with store.view() as view:
        assert (await view.alerts.get("police", "one")).handled_by == "Anna Berg"


async def test_nobody_sees_or_changes_another_organisations_alert(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.alerts.upsert("police", [alert(id="one")], received=NOW, harm=harm)
        await transaction.alerts.upsert("fire", [alert(id="one", headline="Smoke")], received=NOW, harm=harm)
        await transaction.alerts.upsert("police", [alert(id="two")], received=NOW, harm=harm)
    async with store.transaction() as transaction:
        with pytest.raises(NotFound):
            await transaction.alerts.change(
                "fire",
                "two",
                expected_version=1,
                state=AlertState.CONFIRMED,
                incident=None,
                handled_by="Eve",
                updated=NOW,
            )
    async with store.view() as view:
        assert [record.alert.headline for record in (await view.alerts.list("fire")).items] == ["Smoke"]
        assert await view.alerts.find("fire", "two") is None
        assert (await view.alerts.get("police", "two")).state is AlertState.NEW
        assert await view.alerts.many("municipality", ["one", "two"]) == {}


@pytest.mark.parametrize("order", list(AlertOrder))
async def test_pages_hold_each_alert_once_in_order_while_others_arrive(store: Store, order: AlertOrder) -> None:
    chance = random.Random(7)
    # Few different values, so that pages end between equals.
    alerts = [alert(id=f"alert-{number:03}", confidence=chance.choice([0.1, 0.3, 1 / 3])) for number in range(60)]
    async with store.transaction() as transaction:
        for sent in alerts:
            received = NOW + timedelta(seconds=chance.randrange(4), microseconds=chance.randrange(3))
            await transaction.alerts.upsert("police", [sent], received=received, harm=harm)
    seen: list[AlertRecord] = []
    after = None
    for page_number in range(20):
        async with store.view() as view:
            page = await view.alerts.list("police", order=order, limit=7, after=after)
        seen += page.items
        async with store.transaction() as transaction:
            newcomer = alert(id=f"newcomer-{page_number}", confidence=1.0)
            await transaction.alerts.upsert("police", [newcomer], received=later(100), harm=harm)
        after = page.next
        if after is None:
            break
    assert sorted(record.alert.id for record in seen) == [sent.id for sent in alerts]
    keys = [(record.harm if order is AlertOrder.HARM else to_microseconds(record.received)) for record in seen]
    assert keys == sorted(keys, reverse=True)


async def test_filters_restrict(store: Store) -> None:
    alerts = [
        alert(id="one", source="loop-1", severity=Severity.SEVERE, headline="Queue on Ringway"),
        alert(id="two", tool="air", detector="release", source="mast-2", description="100% chlorine_like"),
        alert(id="three", status=Status.EXERCISE, source="loop-3"),
    ]
    async with store.transaction() as transaction:
        for number, sent in enumerate(alerts):
            await transaction.alerts.upsert("police", [sent], received=later(number), harm=harm)
        await transaction.alerts.change(
            "police",
            "three",
            expected_version=1,
            state=AlertState.ACKNOWLEDGED,
            incident="incident-9",
            handled_by="Anna",
            updated=later(9),
        )
    cases = [
        (AlertFilter(), {"one", "two", "three"}),
        (AlertFilter(states=(AlertState.NEW,)), {"one", "two"}),
        (AlertFilter(severities=(Severity.SEVERE,)), {"one"}),
        (AlertFilter(statuses=(Status.EXERCISE,)), {"three"}),
        (AlertFilter(tools=("air",)), {"two"}),
        (AlertFilter(sources=("loop-1", "loop-3")), {"one", "three"}),
        (AlertFilter(incident="incident-9"), {"three"}),
        (AlertFilter(since=later(1)), {"two", "three"}),
        (AlertFilter(until=later(1)), {"one"}),
        (AlertFilter(text="RINGWAY"), {"one"}),
        (AlertFilter(text="harbour square"), {"one", "two", "three"}),
        (AlertFilter(text="100% chlorine_"), {"two"}),
        (AlertFilter(text="100_"), set()),
        (AlertFilter(text="\0"), set()),
        (AlertFilter(text="' OR 1=1 --"), set()),
        (AlertFilter(tools=("air",), states=(AlertState.ACKNOWLEDGED,)), set()),
    ]
    async with store.view() as view:
        for wanted, expected in cases:
            page = await view.alerts.list("police", wanted)
            assert {record.alert.id for record in page.items} == expected, wanted
        assert (await view.alerts.counts("police"))[AlertState.NEW] == 2
        assert (await view.alerts.open_counts_by_severity("police"))[Severity.SEVERE] == 1
        assert (await view.alerts.open_detectors_by_source("police"))["mast-2"] == ("release",)


async def test_a_cursor_of_another_list_is_refused(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.alerts.upsert("police", [alert(), alert()], received=NOW, harm=harm)
    async with store.view() as view:
        page = await view.alerts.list("police", order=AlertOrder.HARM, limit=1)
        with pytest.raises(InvalidInput):
            await view.alerts.list("police", order=AlertOrder.TIME, after=page.next)
        with pytest.raises(InvalidInput):
            await view.alerts.list("police", limit=0)
