"""Protects: what a procedure drafted goes out as a person approved it, once, and an exercise's to no real channel."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from impetus.connectors.notify import ChannelSender
from impetus.governance.principal import Principal
from impetus.model import (
    Alert,
    AlertState,
    Conflict,
    Incident,
    IncidentState,
    InvalidInput,
    NotAllowed,
    NotFound,
    Permission,
    ProcedureRun,
    Status,
    new_id,
)
from impetus.model.notification import NotificationState
from impetus.response.requests import NewRun, NewText, Sending
from impetus.response.runtime import Procedures
from impetus.response.tests.building import END, START, procedure, task
from impetus.response.tests.duty import Duty, view
from impetus.store.tests.samples import harm

pytestmark = pytest.mark.asyncio(loop_scope="module")

DRAFTING = procedure(
    {
        "start": START,
        "warn": (
            "serviceTask",
            '<bpmn:extensionElements><impetus:automatic operation="draft-message">'
            '<impetus:parameter name="audience">Everybody at the station</impetus:parameter>'
            '<impetus:parameter name="text">Leave {place} now.</impetus:parameter></impetus:automatic>'
            "</bpmn:extensionElements>",
        ),
        "one": ("userTask", task("")),
        "end": END,
    },
    [("start", "warn"), ("warn", "one"), ("one", "end")],
)


async def drafted(duty: Duty, status: Status = Status.ACTUAL) -> tuple[Procedures, ProcedureRun]:
    """A procedure under way for an incident of this status, with its draft."""
    procedures = Procedures.create(duty.store, duty.clock)
    await procedures.service.publish(duty.sofia, NewText(content=DRAFTING.decode()))
    now = duty.clock.now()
    alert = Alert(**view(status=status))
    incident = Incident(
        id=new_id(), tenant="municipality", title="Fire", state=IncidentState.OPEN, opened=now, updated=now,
    )  # fmt: skip
    async with duty.store.transaction() as transaction:
        await transaction.alerts.upsert("municipality", [alert], received=now, harm=harm)
        assert await transaction.incidents.add(incident)
        await transaction.alerts.change(
            "municipality", alert.id, expected_version=1, state=AlertState.NEW, incident=incident.id, handled_by="x",
            updated=now,
        )  # fmt: skip
    run = await procedures.service.start(duty.olivia, incident.id, NewRun(procedure="a-test"))
    assert run.drafts[0].text == "Leave the place of the incident now."
    return procedures, run


def sending(*channels: str, **changes: Any) -> Sending:
    return Sending(**{"channels": channels, "title": "Leave the station", "text": "Walk to the harbour.", **changes})


async def sent(duty: Duty, procedures: Procedures, run: ProcedureRun, *channels: str) -> ProcedureRun:
    return await procedures.drafts.send(duty.olivia, run.id, "warn", sending(*channels))


async def test_a_draft_goes_out_as_the_person_approved_it_and_everybody_sees_who_did(duty: Duty) -> None:
    procedures, run = await drafted(duty)
    await duty.turn()
    assert duty.first.got == duty.second.got == []
    after = await sent(duty, procedures, run, "first", "second")
    # Alerts that call people at the same moment are not mixed with it.
    await duty.service.test_channel(duty.sofia, "first")
    await duty.turn()
    await duty.turn()
    assert sorted(got["title"] for got in duty.first.got) == [
        "Leave the station",
        "TEST - impetus can reach this channel",
    ]
    assert [(got["title"], got["message"]) for got in duty.second.got] == [
        ("Leave the station", "Walk to the harbour.")
    ]
    (done,) = after.drafts[0].sendings
    assert (done.person_name, done.text, done.channels) == ("Olivia", "Walk to the harbour.", ("first", "second"))
    assert after.drafts[0].text == "Leave the place of the incident now."
    seen = await procedures.service.run("municipality", run.id)
    assert ("send", "Olivia") in [(one.action.value, one.person_name) for one in seen.events]
    log = [message for message in await duty.log() if message.run == run.id]
    assert [message.state for message in log] == [NotificationState.SENT] * 2
    assert {message.subject for message in log} == {run.incident}
    async with duty.store.view() as store:
        records = (await store.audit.list("municipality", limit=1_000)).items
    assert any(record.action == "draft.send" for record in records)


async def test_each_channel_gets_it_once_whoever_asks_and_however_often(duty: Duty) -> None:
    procedures, run = await drafted(duty)
    once = sending("first")
    answers: Sequence[object] = await asyncio.gather(
        *(procedures.drafts.send(duty.olivia, run.id, "warn", once) for _ in range(3)),
        *(procedures.drafts.send(duty.sofia, run.id, "warn", sending("first")) for _ in range(3)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(refused) == 3
    assert all(isinstance(answer, ProcedureRun | Conflict) for answer in answers)
    await duty.turn()
    assert len(duty.first.got) == 1
    with pytest.raises(Conflict, match="sent this to first at 12:00"):
        await sent(duty, procedures, run, "second", "first")
    assert len((await sent(duty, procedures, run, "second")).drafts[0].sendings) == 2
    with pytest.raises(InvalidInput, match="twice"):
        await sent(duty, procedures, run, "second", "second")


async def test_what_belongs_to_an_exercise_never_goes_to_a_real_channel(duty: Duty) -> None:
    procedures, run = await drafted(duty, Status.EXERCISE)
    with pytest.raises(InvalidInput, match="not marked for exercises"):
        await sent(duty, procedures, run, "second", "first")
    await duty.turn()
    assert duty.second.got == []
    await sent(duty, procedures, run, "second")
    await duty.turn()
    assert [got["title"] for got in duty.second.got] == ["EXERCISE - Leave the station"]
    assert duty.second.got[0]["message"].startswith("This is an exercise. Nothing is real.")
    assert duty.first.got == []


@pytest.mark.parametrize("status", [Status.DRAFT, Status.SYSTEM])
async def test_what_is_for_nobody_goes_nowhere(duty: Duty, status: Status) -> None:
    procedures, run = await drafted(duty, status)
    with pytest.raises(InvalidInput, match="not for people"):
        await sent(duty, procedures, run, "second")


async def test_only_a_person_who_decides_sends_and_only_what_is_there(duty: Duty, sender: ChannelSender) -> None:
    procedures, run = await drafted(duty)
    with pytest.raises(InvalidInput, match="no such channel"):
        await sent(duty, procedures, run, "nowhere")
    with pytest.raises(NotFound):
        await procedures.drafts.send(duty.olivia, run.id, "one", sending("first"))
    with pytest.raises(NotFound):
        await procedures.drafts.send(duty.olivia, "unknown", "warn", sending("first"))
    machine = Principal(
        tenant="municipality", permissions=frozenset({Permission.INCIDENTS_DECIDE}), machine="m", token="t"
    )
    with pytest.raises(NotAllowed):
        await procedures.drafts.send(machine, run.id, "warn", sending("first"))
    nobody = Principal(tenant="municipality", permissions=frozenset(), machine="m", token="t")
    with pytest.raises(NotAllowed):
        await procedures.drafts.send(nobody, run.id, "warn", sending("first"))
    await duty.turn()
    assert duty.first.got == []
