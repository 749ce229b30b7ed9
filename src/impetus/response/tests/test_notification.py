"""Protects that the right people are told through real channels, the next ones when nobody acknowledges, each once."""

from __future__ import annotations

from typing import Any

import pytest

from impetus.connectors.notify import ChannelSender
from impetus.governance.principal import Principal
from impetus.model import (
    AlertState,
    Category,
    Conflict,
    DataClass,
    HealthState,
    IncidentState,
    InvalidInput,
    NotAllowed,
    Permission,
    Severity,
    Status,
)
from impetus.model.notification import (
    ChainStep,
    Channel,
    EscalationState,
    NotificationRule,
    NotificationState,
    Serves,
)
from impetus.response.notification import NotificationService
from impetus.response.notification_settings import NotificationSettings
from impetus.response.tests.duty import NOON, Duty, a_chain

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_climb_goes_on_until_somebody_acknowledges(duty: Duty) -> None:
    await duty.hear()
    await duty.turn()
    assert [got["title"] for got in duty.first.got] == ["Severe: Smoke at the station"]
    assert "Where: Main station" in duty.first.got[0]["message"]
    assert "https://city.example/#alert-1" in duty.first.got[0]["message"]
    assert "two sensors" not in duty.first.got[0]["message"]
    await duty.turn(299)
    assert duty.second.got == []
    await duty.turn(1)
    assert len(duty.second.got) == 1

    climb = await duty.service.acknowledge(duty.olivia, (await duty.climb()).id)
    assert (climb.state, climb.ended_by) == (EscalationState.ACKNOWLEDGED, "Olivia")
    await duty.turn(10_000)
    assert (len(duty.first.got), len(duty.second.got)) == (1, 1)
    assert [message.state for message in await duty.log()] == [NotificationState.SENT] * 2
    assert (await duty.service.acknowledge(duty.sofia, climb.id)).ended_by == "Olivia"


async def test_nobody_acknowledges_and_it_ends_when_all_were_told_in_every_round(duty: Duty) -> None:
    await duty.service.plans.put_chain(duty.sofia, a_chain(rounds=2), version=1)
    await duty.hear()
    for _ in range(6):
        await duty.turn(300)
    assert (len(duty.first.got), len(duty.second.got)) == (2, 2)
    assert (await duty.climb()).state is EscalationState.EXHAUSTED


async def test_news_that_come_twice_or_late_and_a_restart_change_nothing(duty: Duty, sender: ChannelSender) -> None:
    await duty.hear()
    await duty.hear()
    await duty.turn()
    assert len(duty.first.got) == 1
    # Another process takes over, hears all of it again, and climbs where the first stopped.
    duty.service = NotificationService(duty.store, duty.clock, NotificationSettings(), sender)
    await duty.hear()
    await duty.turn()
    assert len(duty.first.got) == 1
    await duty.turn(300)
    assert len(duty.second.got) == 1
    await duty.hear(state="acknowledged", version=2)
    await duty.hear()
    assert (await duty.climb()).state is EscalationState.OVER
    await duty.turn(1_000)
    assert len(duty.second.got) == 1
    # Opened again, it begins again.
    await duty.hear(state="new", version=3)
    await duty.turn(100)
    assert len(duty.first.got) == 2


async def test_what_does_not_fit_a_rule_tells_nobody(duty: Duty) -> None:
    misfits: tuple[dict[str, Any], ...] = (
        {"severity": Severity.MINOR},
        {"category": Category.MET},
        {"state": AlertState.CONFIRMED},
        {"status": Status.DRAFT},
        {"status": Status.SYSTEM},
    )
    for number, changes in enumerate(misfits):
        await duty.hear(id=f"a{number}", **changes)
    await duty.turn()
    assert await duty.log() == []


async def test_an_exercise_reaches_only_channels_that_are_marked_for_it(duty: Duty) -> None:
    await duty.hear(status=Status.EXERCISE)
    await duty.turn()
    # The first step could tell nobody, so the second one did not wait.
    await duty.turn()
    assert duty.first.got == []
    assert duty.second.got[0]["title"].startswith("EXERCISE - ")
    assert "Nothing is real" in duty.second.got[0]["message"]
    withheld = (await duty.log())[0]
    assert withheld.state is NotificationState.WITHHELD
    assert "not marked for exercises" in withheld.outcome


async def test_in_the_installation_of_an_exercise_not_even_what_calls_itself_real_goes_out(
    duty: Duty, sender: ChannelSender
) -> None:
    duty.service = NotificationService(duty.store, duty.clock, NotificationSettings(exercise=True), sender)
    rule = NotificationRule(subject="incident", states=("open",), lowest_severity=Severity.UNKNOWN)  # type: ignore[arg-type]
    await duty.service.plans.put_chain(duty.sofia, a_chain(rules=(rule,)), version=1)
    # Opened by hand: it has no alert that would say what it is.
    news = {
        "id": "i1", "tenant": "municipality", "title": "Fire at the station", "state": IncidentState.OPEN,
        "opened": NOON, "updated": NOON,
    }  # fmt: skip
    await duty.service.handle([duty.delivery(news, "incident")], duty.refuse)
    await duty.turn()
    await duty.turn()
    assert duty.first.got == []
    assert duty.second.got[0]["title"].startswith("EXERCISE - ")


async def test_of_what_is_more_personal_than_the_rule_allows_only_the_minimum_is_told(duty: Duty) -> None:
    await duty.hear(data_classes=(DataClass.OPERATIONAL, DataClass.PERSONAL), headline="Kari N. has fallen")
    await duty.turn()
    assert duty.first.got[0]["title"] == "Severe alert"
    assert "Kari" not in str(duty.first.got[0])
    assert "station" not in str(duty.first.got[0])


async def test_a_channel_that_hangs_stalls_no_other_and_is_seen_on_the_board(duty: Duty) -> None:
    duty.first.hangs = True
    await duty.service.plans.put_chain(
        duty.sofia, a_chain(steps=(ChainStep(rosters=("duty",), channels=("second",), wait_s=300),)), version=1
    )
    await duty.hear()
    await duty.turn()
    assert len(duty.second.got) == 1
    first, second = await duty.service.health("municipality")
    assert first.state is HealthState.DEGRADED
    assert "did not answer" in first.text
    assert second.state is HealthState.RUNNING
    hanging, sent = await duty.log()
    assert (hanging.state, hanging.attempts, hanging.hung) == (NotificationState.WAITING, 1, True)
    assert sent.state is NotificationState.SENT
    duty.first.hangs = False
    await duty.turn(10)
    assert len(duty.first.got) == 1
    assert (await duty.service.health("municipality"))[0].state is HealthState.RUNNING


async def test_attempts_have_an_end_and_then_the_next_step_does_not_wait(duty: Duty) -> None:
    duty.first.status = 500
    await duty.hear()
    await duty.turn()
    assert (await duty.log())[0].due == duty.clock.now().replace(second=10)
    await duty.turn(10)
    failed = (await duty.log())[0]
    assert (failed.state, failed.attempts, failed.due) == (NotificationState.FAILED, 2, None)
    assert "top-secret-word" not in failed.outcome
    await duty.turn()
    assert len(duty.second.got) == 1


async def test_many_at_once_become_one_message(duty: Duty) -> None:
    for number in range(30):
        await duty.hear(id=f"a{number}")
    await duty.turn()
    assert len(duty.first.got) == 1
    assert duty.first.got[0]["title"].startswith("30 notices")
    assert "... and 20 more" in duty.first.got[0]["message"]
    assert {message.outcome for message in await duty.log()} == {"together with 29 more"}


async def test_an_incident_calls_people_too(duty: Duty) -> None:
    rule = NotificationRule(subject="incident", states=("open",), lowest_severity=Severity.UNKNOWN)  # type: ignore[arg-type]
    await duty.service.plans.put_chain(duty.sofia, a_chain(rules=(rule,)), version=1)
    news = {
        "id": "i1", "tenant": "municipality", "title": "Fire at the station", "state": IncidentState.OPEN,
        "opened": NOON, "updated": NOON,
    }  # fmt: skip
    await duty.service.handle([duty.delivery(news, "incident")], duty.refuse)
    await duty.turn()
    assert duty.first.got[0]["title"] == "Unknown: Fire at the station"
    closed = {**news, "state": IncidentState.CLOSED, "version": 2}
    await duty.service.handle([duty.delivery(closed, "incident")], duty.refuse)
    assert (await duty.climb()).state is EscalationState.OVER


async def test_a_chain_or_channel_that_is_removed_under_way_ends_plainly(duty: Duty) -> None:
    await duty.hear()
    await duty.turn()
    await duty.service.plans.remove(duty.sofia, "chain", "fire")
    await duty.turn(300)
    assert (await duty.climb()).ended_by == "the chain was removed"
    with pytest.raises(Conflict, match="Duty still uses it"):
        await duty.service.plans.remove(duty.sofia, "channel", "first")
    await duty.service.test_channel(duty.sofia, "second")
    await duty.service.plans.remove(duty.sofia, "channel", "second")
    await duty.turn()
    assert (await duty.log())[-1].state is NotificationState.WITHHELD


async def test_setting_up_is_for_those_who_may_and_nobody_is_overwritten(duty: Duty) -> None:
    with pytest.raises(NotAllowed):
        await duty.service.plans.put_chain(duty.olivia, a_chain(), version=1)
    with pytest.raises(Conflict):
        await duty.service.plans.put_chain(duty.sofia, a_chain(), version=0)
    with pytest.raises(InvalidInput, match="no channel nowhere"):
        await duty.service.plans.put_chain(
            duty.sofia, a_chain(id="x", steps=(ChainStep(channels=("nowhere",)),)), version=0
        )
    machine = Principal(
        tenant="municipality", permissions=frozenset({Permission.ALERTS_DECIDE}), machine="m", token="t"
    )
    with pytest.raises(NotAllowed):
        await duty.service.acknowledge(machine, "x")
    async with duty.store.view() as view:
        page = await view.audit.list("municipality", limit=1_000)
    assert any(record.action == "notification-channel.create" for record in page.items)
    assert "top-secret-word" not in str(page.items)


async def test_the_log_forgets_what_is_settled_and_old_and_nothing_else(duty: Duty) -> None:
    await duty.hear()
    await duty.turn()
    duty.second.status = 500
    duty.clock.advance(80 * 86_400)
    await duty.service.test_channel(duty.sofia, "first")
    await duty.service.climb_due()
    assert await duty.service.forget_old() == 0
    duty.clock.advance(30 * 86_400)
    # The second step's message and the test still wait, however old they are; the first step's was sent long ago.
    assert await duty.service.forget_old() == 1
    left = await duty.log()
    assert {message.state for message in left} == {NotificationState.WAITING}
    assert len(left) == 2
    # Who was called stays known as long as the alert is.
    assert (await duty.climb()).step == 2
    async with duty.store.transaction() as transaction:
        assert await transaction.notification.forget_notifications("police", duty.clock.now()) == 0


async def test_a_channel_that_is_marked_for_exercises_meanwhile_carries_nothing_real(duty: Duty) -> None:
    await duty.hear()
    await duty.service.climb_due()
    marked = Channel(id="first", title="First", serves=Serves.EXERCISES, gap_s=0)
    await duty.service.plans.put_channel(duty.sofia, marked, version=1, address=None)
    await duty.service.send_due(wait=True)
    assert duty.first.got == []
    (message,) = await duty.log()
    assert (message.state, message.outcome) == (NotificationState.WITHHELD, "the channel is for exercises only")
