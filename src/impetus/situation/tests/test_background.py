"""Protects the background of the hub: nothing is acknowledged before it is kept, one bad message stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from impetus.bus import Delivery
from impetus.model import Alert, AlertAction, Envelope, Health, HealthState, Observation, ObservationBatch, Unavailable
from impetus.situation.consumer import Progress, Refuse, consume
from impetus.situation.decisions import AlertDecision
from impetus.situation.retention import forget_old
from impetus.situation.runtime import keep_running, publish_health
from impetus.situation.settings import SituationSettings
from impetus.situation.tests.house import House, alert_message, an_alert, eventually


async def test_while_the_store_is_away_everything_waits_and_then_comes_in_order(house: House) -> None:
    alerts = [an_alert() for _ in range(20)]
    kept: list[str] = []
    failures = 2
    progress = Progress("alerts")

    async def handle(deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable("no room left")
        kept.extend(delivery.envelope.open(Alert).id for delivery in deliveries)

    await house.bus.publish([alert_message(alert) for alert in alerts])
    task = asyncio.create_task(consume(house.bus, "test", ["*.alert.>"], handle, limit=100, progress=progress))
    await eventually(lambda: "no room left" in progress.trouble)
    await eventually(lambda: len(kept) == 20)
    assert kept == [alert.id for alert in alerts]
    await eventually(lambda: not progress.trouble)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not await house.bus.dead_letters("municipality")


async def test_a_message_that_always_fails_is_set_aside_and_the_others_are_kept(house: House) -> None:
    alerts = [an_alert() for _ in range(5)]
    kept: set[str] = set()

    async def handle(deliveries: Sequence[Delivery], refuse: Refuse) -> None:
        ids = [delivery.envelope.open(Alert).id for delivery in deliveries]
        if alerts[2].id in ids:
            raise RuntimeError("a fault of ours")
        kept.update(ids)

    await house.bus.publish([alert_message(alert) for alert in alerts])
    task = asyncio.create_task(
        consume(house.bus, "test", ["*.alert.>"], handle, limit=100, progress=Progress("alerts"))
    )
    await eventually(lambda: len(kept) == 4)
    (letter,) = await eventually(lambda: house.bus.dead_letters("municipality"), seconds=60)
    assert "a fault of ours" in letter.reason
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_task_that_fails_is_started_again_and_says_so() -> None:
    runs = 0

    async def work(progress: Progress) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("broken")
        await asyncio.Event().wait()

    progress = Progress("work")
    task = asyncio.create_task(keep_running(work, progress))
    await eventually(lambda: runs == 2)
    assert "broken" in progress.trouble
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_too_old_is_removed_and_decisions_are_not(house: House) -> None:
    now = house.clock.now()
    batch = ObservationBatch.of(
        [Observation(datastream="traffic-1", time=now - timedelta(days=age), value=1.0) for age in (1, 100)]
    )
    await house.store.readings.append("municipality", batch)
    alert = an_alert()
    await house.situation.alerts.ingest("municipality", [alert])
    await house.situation.alerts.decide(
        house.person("olivia"), alert.id, AlertDecision(action=AlertAction.CONFIRM, version=1)
    )
    await publish_health(house.bus, Health(part="hub", state=HealthState.RUNNING, time=now - timedelta(hours=2)))
    await publish_health(house.bus, Health(part="hub", state=HealthState.RUNNING, time=now))
    await forget_old(house.bus, house.store, now, SituationSettings())
    columns = await house.store.readings.range("municipality", "traffic-1", since=now - timedelta(days=200), until=now)
    assert len(columns.value) == 1
    left = [one async for one in house.bus.replay(["system.health.>"], since=now - timedelta(days=1))]
    assert len(left) == 1
    _, history = await house.situation.alerts.get("municipality", alert.id)
    assert len(history) == 1


async def test_the_same_decision_sent_twice_at_once_is_taken_once(any_house: House) -> None:
    alert = an_alert()
    await any_house.situation.alerts.ingest("municipality", [alert])
    decision = AlertDecision(action=AlertAction.CONFIRM, version=1)
    answers = await asyncio.gather(
        *(any_house.situation.alerts.decide(any_house.person("olivia"), alert.id, decision) for _ in range(5))
    )
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].alert.version == 2


async def test_no_kind_of_message_stays_because_nobody_thought_of_it(house: House) -> None:
    now = house.clock.now()

    def message(kind: str, age: timedelta) -> Envelope:
        health = Health(part="x", state=HealthState.RUNNING, time=now)
        return Envelope.wrap(health, kind=kind, tenant="municipality", origin="test", time=now - age)

    kinds = ["shared-incident", "incident-message", "handover", "agreement", "of-a-later-version"]
    await house.bus.publish([message(kind, timedelta(days=age)) for kind in kinds for age in (29, 31)])
    await forget_old(house.bus, house.store, now, SituationSettings())
    left = [one.envelope async for one in house.bus.replay([">"], since=now - timedelta(days=50))]
    assert sorted(one.kind for one in left) == sorted(kinds)
    assert {one.time for one in left} == {now - timedelta(days=29)}
