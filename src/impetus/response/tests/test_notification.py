"""Protects that the right people are told through real channels, the next ones when nobody acknowledges, each once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from impetus.bus import Delivery
from impetus.connectors.notify import ChannelSender
from impetus.connectors.notify.tests.servers import Receiver, webhook_receiver
from impetus.governance import AccessSettings, Governance, PasswordSettings, installation_principal, principal_of
from impetus.governance.principal import Principal
from impetus.model import (
    Alert,
    AlertState,
    Category,
    Conflict,
    DataClass,
    Envelope,
    HealthState,
    Incident,
    IncidentState,
    InvalidInput,
    ManualClock,
    ModelReference,
    NotAllowed,
    Permission,
    Place,
    Point,
    Role,
    Severity,
    Status,
)
from impetus.model.notification import (
    Chain,
    ChainStep,
    Channel,
    EscalationState,
    Member,
    Notification,
    NotificationRule,
    NotificationState,
    Roster,
    Serves,
    Shift,
    Weekday,
)
from impetus.response.notification import NotificationService
from impetus.response.notification_settings import NotificationSettings
from impetus.store import Store, open_store

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Duty:
    """A service on a real store, and two places that messages can go to."""

    store: Store
    clock: ManualClock
    service: NotificationService
    sofia: Principal
    olivia: Principal
    first: Receiver
    second: Receiver
    sequence: int = 0

    async def hear(self, **changes: Any) -> str:
        """The news of an alert, as the bus delivers it; its id."""
        news = view(**changes)
        await self.service.handle([self.delivery(news, "alert-view")], self.refuse)
        return str(news["id"])

    def delivery(self, news: dict[str, Any], kind: str) -> Delivery:
        self.sequence += 1
        data = Incident(**news) if kind == "incident" else Anything(**news)
        envelope = Envelope.wrap(data, kind=kind, tenant="municipality", origin="test", time=self.clock.now())
        return Delivery(self.sequence, envelope)

    @staticmethod
    def refuse(delivery: Delivery, reason: str) -> None:
        raise AssertionError(reason)

    async def turn(self, seconds: float = 0) -> None:
        """Let time go by, take the steps that are due, send what is due."""
        self.clock.advance(seconds)
        await self.service.climb_due()
        await self.service.send_due(wait=True)

    async def log(self) -> list[Notification]:
        async with self.store.view() as view:
            page = await view.notification.notifications("municipality")
        return sorted(page.items, key=lambda message: (message.created, message.channel))

    async def climb(self) -> Any:
        async with self.store.view() as view:
            (found,) = (await view.notification.escalations("municipality")).items
        return found


class Anything(Alert):
    """An alert with its state, as the situation tells it."""

    state: AlertState = AlertState.NEW
    version: int = 1
    harm: float = 0.5
    something_new: str = "that this room has not heard of"


def view(**changes: Any) -> dict[str, Any]:
    return {
        "id": "alert-1",
        "tool": "anomaly",
        "detector": "level",
        "source": "traffic-1",
        "headline": "Smoke at the station",
        "description": "Seen by two sensors",
        "category": Category.FIRE,
        "severity": Severity.SEVERE,
        "confidence": 0.9,
        "onset": NOON,
        "sent": NOON,
        "place": Place(geometry=Point(coordinates=(8.0, 58.1)), name="Main station"),
        "model": ModelReference(name="m", version="1"),
        **changes,
    }


def all_week(*members: str) -> Shift:
    return Shift(
        members=members, start_day=Weekday.MONDAY, start=time(0), end_day=Weekday.MONDAY, end=time(0)
    )  # fmt: skip


def a_chain(**changes: Any) -> Chain:
    return Chain(
        **{
            "id": "fire",
            "title": "Fire",
            "rules": (NotificationRule(states=("new",), categories=(Category.FIRE,)),),
            "steps": (ChainStep(rosters=("duty",), wait_s=300), ChainStep(channels=("second",), wait_s=300)),
            **changes,
        }
    )


@asynccontextmanager
async def on_duty(folder: Path, sender: ChannelSender, clock: ManualClock) -> AsyncIterator[Duty]:
    store = await open_store(f"sqlite:///{folder / 'store.sqlite'}", clock)
    governance = Governance(store, clock, AccessSettings(password=PasswordSettings(memory_kib=8, passes=1)))
    by = installation_principal()
    await governance.accounts.create_organisation(by, "municipality", "Municipality")
    people = {
        name: principal_of(
            await governance.accounts.create_user(
                by, "municipality", name=name, full_name=name.title(), role=role, password="correct horse battery"
            )
        )
        for name, role in (("sofia", Role.SUPERVISOR), ("olivia", Role.OPERATOR))
    }
    settings = NotificationSettings(attempts=2, retry_first_s=10, address="https://city.example")
    service = NotificationService(store, clock, settings, sender)
    async with webhook_receiver() as first, webhook_receiver() as second:
        duty = Duty(store, clock, service, people["sofia"], people["olivia"], first, second)
        for id, receiver, serves in (("first", first, Serves.REAL), ("second", second, Serves.BOTH)):
            channel = Channel(id=id, title=id.title(), serves=serves, gap_s=0)
            await service.plans.put_channel(duty.sofia, channel, version=0, address=receiver.webhook)
        roster = Roster(
            id="duty",
            title="Duty",
            zone="Europe/Oslo",
            members=(Member(id="kari", name="Kari Nordmann", channels=("first",)),),
            shifts=(all_week("kari"),),
        )
        await service.plans.put_roster(duty.sofia, roster, version=0)
        await service.plans.put_chain(duty.sofia, a_chain(), version=0)
        yield duty
    await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sender() -> AsyncIterator[ChannelSender]:
    """One for all tests: its processes take seconds to start."""
    sender = ChannelSender(processes=1, timeout_s=4)
    yield sender
    await sender.close()


@pytest_asyncio.fixture(loop_scope="module")
async def duty(tmp_path: Path, sender: ChannelSender) -> AsyncIterator[Duty]:
    async with on_duty(tmp_path, sender, ManualClock(NOON)) as duty:
        yield duty


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
