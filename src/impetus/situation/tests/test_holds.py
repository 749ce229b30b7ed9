"""Protects: what a legal hold covers outlives its time, and goes when the hold ends; what went is proved."""

from __future__ import annotations

import json
from datetime import timedelta

from impetus.governance import installation_principal
from impetus.governance.cases import Cases
from impetus.model import Envelope, Health, HealthState, Observation, ObservationBatch
from impetus.model.case import CaseAction, CaseKind
from impetus.situation.retention import forget_old
from impetus.situation.settings import SituationSettings
from impetus.situation.tests.house import House


async def test_a_hold_on_data_that_is_due_for_purge_keeps_it_until_it_is_released(house: House) -> None:
    now, old = house.clock.now(), house.clock.now() - timedelta(days=100)
    batch = ObservationBatch.of([Observation(datastream="traffic-1", time=old, value=1.0)])

    async def kept(tenant: str) -> tuple[int, int]:
        columns = await house.store.readings.range(tenant, "traffic-1", since=old - timedelta(days=1), until=now)
        messages = [one async for one in house.bus.replay([f"{tenant}.>"], since=old - timedelta(days=1))]
        return len(columns.value), len(messages)

    for tenant in ("municipality", "police"):
        await house.store.readings.append(tenant, batch)
        health = Health(part="x", state=HealthState.RUNNING, time=now)
        await house.bus.publish([Envelope.wrap(health, kind="alert", tenant=tenant, origin="test", time=old)])
    cases, sofia, dora = Cases(house.store, house.clock), house.person("sofia"), house.person("dora")
    hold = await cases.open(
        sofia, CaseKind.LEGAL_HOLD, title="Court", reason="order 12/26", subject="all", until=now + timedelta(days=9)
    )
    await forget_old(house.bus, house.store, now, SituationSettings())
    assert await kept("municipality") == (1, 1)
    assert await kept("police") == (0, 0)
    await cases.act(dora, hold.id, CaseAction.CLOSE, text="the court is done", version=1)
    await forget_old(house.bus, house.store, now, SituationSettings())
    assert await kept("municipality") == (0, 0)
    records = (await house.governance.audit_records(dora, action="retention.purge")).items
    assert [json.loads(record.detail)["removed"] for record in records] == [{"readings": 1}]
    assert not (await house.governance.verify_audit(installation_principal())).findings
