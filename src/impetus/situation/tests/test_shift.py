"""Protects that nothing is lost between shifts, and that alerts of people who are gone come back to the queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from impetus.governance import Governance, installation_principal
from impetus.model import (
    Alert,
    AlertState,
    Conflict,
    HandoverAction,
    HandoverState,
    Health,
    HealthState,
    InvalidInput,
    NotAllowed,
    NotFound,
    Role,
    new_id,
)
from impetus.situation.decisions import AlertDecision, IncidentDecision, NewIncident
from impetus.situation.handover import HandoverDecision, NewHandover
from impetus.situation.tests.house import HOSTILE, House, an_alert
from impetus.store import VersionConflict

HOME = "municipality"


async def holding(house: House, name: str, count: int) -> list[Alert]:
    """Alerts that a person holds."""
    alerts = [an_alert(source=new_id()) for _ in range(count)]
    await house.situation.alerts.ingest(HOME, alerts)
    for alert in alerts:
        decision = AlertDecision.model_validate({"action": "acknowledge", "version": 1})
        await house.situation.alerts.decide(house.person(name), alert.id, decision)
    return alerts


async def held(house: House, name: str) -> set[str]:
    async with house.store.view() as view:
        return {record.alert.id for record in await view.workload.held_by(HOME, house.users[name].id)}


async def test_an_operator_who_is_shut_out_leaves_the_alerts_to_the_queue(house: House) -> None:
    alerts = await holding(house, "olivia", 3)
    kept = await holding(house, "omar", 1)
    assert await house.situation.shift.return_orphans() == 0
    governance: Governance = house.governance
    await governance.accounts.set_active(house.person("ada"), HOME, house.users["olivia"].id, False)
    assert await house.situation.shift.return_orphans() == 3
    assert await house.situation.shift.return_orphans() == 0
    for alert in alerts:
        record, history = await house.situation.alerts.get(HOME, alert.id)
        assert (record.state, record.holder) == (AlertState.NEW, None)
        assert history[-1].action == "release"
        assert "Olivia Example" in history[-1].reason
    assert await held(house, "omar") == {kept[0].id}
    async with house.store.view() as view:
        returned = await view.audit.list(HOME, action="shift.return")
    assert len(returned.items) == 1


async def test_an_operator_who_becomes_something_else_or_whose_organisation_ends_holds_nothing(house: House) -> None:
    await holding(house, "olivia", 1)
    await holding(house, "omar", 1)
    accounts = house.governance.accounts
    await accounts.change_role(house.person("ada"), HOME, house.users["olivia"].id, Role.PLANNER)
    assert await house.situation.shift.return_orphans() == 1
    await accounts.set_organisation_active(installation_principal(), HOME, False)
    assert await house.situation.shift.return_orphans() == 1
    async with house.store.view() as view:
        assert await view.workload.holders_in_installation() == []


async def test_the_board_says_who_holds_how_many_and_what_waits(house: House) -> None:
    await holding(house, "omar", 2)
    waiting = an_alert(source="waits")
    await house.situation.alerts.ingest(HOME, [waiting, an_alert(source="waits")])
    board = await house.situation.shift.board(HOME)
    assert [(one.name, one.held, one.cap) for one in board.people] == [
        ("Omar Example", 2, 10),
        ("Olivia Example", 0, 10),
        ("Sofia Example", 0, 20),
    ]
    assert board.waiting == 1
    assert board.oldest_waiting is not None
    police = await house.situation.shift.board("police")
    assert [one.name for one in police.people] == ["Pia Example"]
    assert police.waiting == 0


async def test_a_shift_is_handed_over_whole(house: House) -> None:
    alerts = await holding(house, "olivia", 2)
    incident = await house.situation.incidents.create(
        house.person("olivia"), NewIncident(title="Crash", alerts=(alerts[0].id,))
    )
    note = IncidentDecision.model_validate({"action": "note", "reason": "road closed", "version": 1})
    await house.situation.incidents.decide(house.person("olivia"), incident.id, note)
    house.situation.health.report(
        Health(part="worker-anomaly", state=HealthState.DEGRADED, text="slow", time=house.clock.now())
    )
    await house.bus.set_aside(HOME, "mqtt", "x", b"{", "not JSON")
    handovers = house.situation.handovers
    new = NewHandover(text=HOSTILE)
    written = await handovers.write(house.person("olivia"), new)
    assert await handovers.write(house.person("olivia"), new) == written
    with pytest.raises(Conflict, match="Another hand-over"):
        await handovers.write(house.person("omar"), new)
    summary = written.summary
    assert {one.id for one in summary.held} == {alert.id for alert in alerts}
    assert [one.title for one in summary.incidents] == ["Crash"]
    assert [one.reason for one in summary.notes] == ["road closed"]
    assert summary.decision_counts["acknowledge"] == 2
    assert summary.dead_letters == 1
    assert [(part.part, part.text) for part in summary.parts] == [("worker-anomaly", "slow")]
    # Taken after writing: it goes with the rest.
    more = await holding(house, "olivia", 3)
    accept = HandoverDecision(action=HandoverAction.ACCEPT, version=written.version)
    accepted = await handovers.decide(house.person("omar"), written.id, accept)
    assert await handovers.decide(house.person("omar"), written.id, accept) == accepted
    assert (accepted.state, accepted.successor_name) == (HandoverState.ACCEPTED, "Omar Example")
    assert set(accepted.moved) == {alert.id for alert in (*alerts, *more)} == await held(house, "omar")
    assert await held(house, "olivia") == set()
    _, history = await house.situation.alerts.get(HOME, alerts[1].id)
    assert (history[-1].action, history[-1].given_to_name) == ("assign", "Omar Example")
    async with house.store.view() as view:
        records = await view.audit.list(HOME, subject=f"handover:{written.id}")
        assert [record.action for record in records.items] == ["handover.accept", "handover.write"]
        kinds = {envelope.kind for _, envelope in await view.outbox.waiting_in_installation(1_000)}
    assert "handover" in kinds


async def test_a_hand_over_takes_more_than_the_cap_but_nothing_beyond_it(house: House) -> None:
    await holding(house, "olivia", 8)
    await holding(house, "omar", 8)
    written = await house.situation.handovers.write(house.person("olivia"), NewHandover())
    await house.situation.handovers.decide(
        house.person("omar"), written.id, HandoverDecision(action=HandoverAction.ACCEPT, version=1)
    )
    assert len(await held(house, "omar")) == 16
    with pytest.raises(Conflict, match="holds 16 alerts"):
        await holding(house, "omar", 1)


async def test_a_hand_over_is_accepted_once_and_by_whom_it_is_meant_for(any_house: House) -> None:
    house = any_house
    handovers = house.situation.handovers
    sofia = house.users["sofia"].id
    meant = await handovers.write(house.person("olivia"), NewHandover(successor=sofia))

    def accept() -> HandoverDecision:
        return HandoverDecision(action=HandoverAction.ACCEPT, version=1)

    for name, error in (("omar", "meant for Sofia"), ("olivia", "another person")):
        with pytest.raises(NotAllowed, match=error):
            await handovers.decide(house.person(name), meant.id, accept())
    with pytest.raises(NotFound):
        await handovers.decide(house.person("pia"), meant.id, accept())
    with pytest.raises(NotAllowed, match="Only Olivia"):
        await handovers.decide(
            house.person("sofia"), meant.id, HandoverDecision(action=HandoverAction.WITHDRAW, version=1)
        )
    anyone = await handovers.write(house.person("olivia"), NewHandover())
    await holding(house, "olivia", 2)
    outcomes = await asyncio.gather(
        handovers.decide(house.person("omar"), anyone.id, accept()),
        handovers.decide(house.person("sofia"), anyone.id, accept()),
        return_exceptions=True,
    )
    (lost,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(lost, VersionConflict)
    assert sorted(map(len, (await held(house, "omar"), await held(house, "sofia")))) == [0, 2]
    withdrawn = await handovers.decide(
        house.person("olivia"), meant.id, HandoverDecision(action=HandoverAction.WITHDRAW, version=1)
    )
    assert withdrawn.state is HandoverState.WITHDRAWN
    with pytest.raises(Conflict, match="withdrawn already"):
        await handovers.decide(
            house.person("sofia"), meant.id, HandoverDecision(action=HandoverAction.ACCEPT, version=2)
        )


async def test_what_cannot_be_a_shift_is_refused(house: House) -> None:
    handovers = house.situation.handovers
    now = house.clock.now()
    for since in (now + timedelta(hours=1), now - timedelta(days=30)):
        with pytest.raises(InvalidInput, match="seven days"):
            await handovers.write(house.person("olivia"), NewHandover(since=since))
    with pytest.raises(NotFound):
        await handovers.write(house.person("olivia"), NewHandover(successor=house.users["pia"].id))
    with pytest.raises(Conflict, match="cannot take over"):
        await handovers.write(house.person("olivia"), NewHandover(successor=house.users["ada"].id))
    with pytest.raises(NotFound):
        await handovers.get("police", new_id())
