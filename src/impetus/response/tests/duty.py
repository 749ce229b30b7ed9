"""Notification with people on duty and real places that messages go to: what the tests of its parts share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from impetus.bus import Delivery
from impetus.connectors.notify import ChannelSender
from impetus.connectors.notify.tests.servers import Receiver, webhook_receiver
from impetus.governance import AccessSettings, Governance, PasswordSettings, installation_principal, principal_of
from impetus.governance.principal import Principal
from impetus.model import (
    Alert,
    AlertState,
    Category,
    Envelope,
    Incident,
    ManualClock,
    ModelReference,
    Place,
    Point,
    Role,
    Severity,
)
from impetus.model.notification import (
    Chain,
    ChainStep,
    Channel,
    Member,
    Notification,
    NotificationRule,
    Roster,
    Serves,
    Shift,
    Weekday,
)
from impetus.response.notification import NotificationService
from impetus.response.notification_settings import NotificationSettings
from impetus.store import Store, open_store

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
async def on_duty(store_url: str, sender: ChannelSender, clock: ManualClock) -> AsyncIterator[Duty]:
    """The service with a roster, a chain, a channel for what is real and one for exercises too."""
    store = await open_store(store_url, clock)
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
