"""A bus, a store and two organisations with their people, on real files: what the tests of situation and API share."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from impetus.bus import Bus, open_bus
from impetus.governance import (
    AccessSettings,
    Governance,
    PasswordSettings,
    Principal,
    installation_principal,
    principal_of,
)
from impetus.model import (
    Alert,
    Category,
    Clock,
    Datastream,
    Envelope,
    ModelReference,
    Place,
    Point,
    Role,
    Severity,
    SystemClock,
    Urgency,
    User,
)
from impetus.situation.runtime import Situation
from impetus.situation.settings import SituationSettings
from impetus.store import Store, open_store

PASSWORD = "correct horse battery staple"
HOSTILE = "<script>alert('x')</script>\u202e\u0000\n\"&#39;{{7*7}}%00'; DROP TABLE alert;-- \U0001f4a5"
"""Text that breaks whatever does not treat it as text."""


@dataclass
class House:
    """What a test works with."""

    bus: Bus
    store: Store
    clock: Clock
    governance: Governance
    users: Mapping[str, User]
    situation: Situation

    def person(self, name: str) -> Principal:
        """A person with all that the role grants."""
        return principal_of(self.users[name])


PEOPLE: Mapping[str, Mapping[str, Role]] = {
    "municipality": {
        "olivia": Role.OPERATOR,
        "omar": Role.OPERATOR,
        "sofia": Role.SUPERVISOR,
        "ada": Role.ADMINISTRATOR,
        "dora": Role.DATA_PROTECTION_OFFICER,
    },
    "police": {"pia": Role.OPERATOR, "paul": Role.ADMINISTRATOR},
}
QUICK = AccessSettings(password=PasswordSettings(memory_kib=8, passes=1))


@asynccontextmanager
async def opened_house(
    folder: Path,
    settings: SituationSettings | None = None,
    *,
    store_url: str | None = None,
    opened: Callable[[Clock], Bus] | None = None,
) -> AsyncIterator[House]:
    """Municipality: olivia and omar (operators), sofia (supervisor), ada (administrator). Police: pia (operator).
    `opened` gives another bus than the folder's own."""
    clock = SystemClock()
    if store_url is None:
        if not (folder / "store.sqlite").exists():
            shutil.copytree(await _furnished(), folder, dirs_exist_ok=True)
        store = await open_store(f"sqlite:///{folder / 'store.sqlite'}", clock)
    else:
        store = await open_store(store_url, clock)
        await _furnish(store)
    bus = open_bus(folder / "bus.sqlite", clock) if opened is None else opened(clock)
    try:
        async with store.view() as view:
            users = {user.name: user for tenant in PEOPLE for user in await view.users.list(tenant)}
        situation = Situation.create(bus, store, clock, settings or SituationSettings())
        yield House(bus, store, clock, Governance(store, clock, QUICK), users, situation)
    finally:
        await bus.close()
        await store.close()


_furnished_folder: tempfile.TemporaryDirectory[str] | None = None


async def _furnished() -> Path:
    """The files of a store with everybody in it: made once, since making the tables takes longer than most tests."""
    global _furnished_folder
    if _furnished_folder is None:
        folder = tempfile.TemporaryDirectory(prefix="impetus-tests-")
        store = await open_store(f"sqlite:///{Path(folder.name) / 'store.sqlite'}", SystemClock())
        try:
            await _furnish(store)
        finally:
            await store.close()
        _furnished_folder = folder
    return Path(_furnished_folder.name)


async def _furnish(store: Store) -> None:
    accounts, by = Governance(store, store.clock, QUICK).accounts, installation_principal()
    for tenant, people in PEOPLE.items():
        await accounts.create_organisation(by, tenant, tenant.title())
        for name, role in people.items():
            await accounts.create_user(
                by, tenant, name=name, full_name=f"{name.title()} Example", role=role, password=PASSWORD
            )


def an_alert(**changes: Any) -> Alert:
    """An alert of the anomaly tool that began a minute ago."""
    now = SystemClock().now()
    return Alert(
        **{
            "tool": "anomaly",
            "detector": "level",
            "source": "traffic-1",
            "headline": "Traffic is unusually high",
            "category": Category.TRANSPORT,
            "severity": Severity.MODERATE,
            "urgency": Urgency.IMMEDIATE,
            "confidence": 0.8,
            "onset": now - timedelta(minutes=1),
            "sent": now,
            "place": Place(geometry=Point(coordinates=(8.0, 58.1)), name="Main street"),
            "model": ModelReference(name="robust-baseline", version="1.0"),
            **changes,
        }
    )


def a_datastream(**changes: Any) -> Datastream:
    """A traffic counter."""
    return Datastream(
        **{
            "id": "traffic-1",
            "name": "Traffic on Main street",
            "thing": "Loop 1",
            "observed_property": "traffic-flow",
            "unit": "1/h",
            "lowest": 0.0,
            "highest": 10_000.0,
            **changes,
        }
    )


def alert_message(alert: Alert, tenant: str = "municipality") -> Envelope:
    """The alert as a tool publishes it."""
    return Envelope.wrap(alert, kind="alert", tenant=tenant, origin=alert.tool, time=alert.sent, partition=alert.source)


async def eventually(condition: Callable[[], Any], *, seconds: float = 20.0) -> Any:
    """Wait until a condition (plain or awaitable) holds; its value."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("this did not happen in time")
        await asyncio.sleep(0.02)
