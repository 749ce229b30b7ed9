"""A store on each database, organisations with people, and the services on a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
import pytest_asyncio

from impetus.connectors.notify import ChannelSender
from impetus.governance import (
    AccessSettings,
    Governance,
    PasswordSettings,
    Principal,
    installation_principal,
    principal_of,
)
from impetus.model import Incident, IncidentState, ManualClock, ProcedureRun, Role, Task, User, new_id
from impetus.response.requests import Completion, NewRun, NewText
from impetus.response.runtime import Procedures
from impetus.response.tests.duty import NOON, Duty, on_duty
from impetus.store import Store

# The databases are the store's business.
from impetus.store.tests.conftest import clock, shared_database, store, store_url  # noqa: F401

PEOPLE = {
    "olivia": ("municipality", Role.OPERATOR),
    "omar": ("municipality", Role.OPERATOR),
    "sofia": ("municipality", Role.SUPERVISOR),
    "peter": ("municipality", Role.PLANNER),
    "pia": ("police", Role.OPERATOR),
}


@dataclass
class Room:
    """What a test works with."""

    store: Store
    clock: ManualClock
    procedures: Procedures
    users: Mapping[str, User]

    def person(self, name: str) -> Principal:
        """A person with all that the role grants."""
        return principal_of(self.users[name])

    async def incident(self, tenant: str = "municipality") -> str:
        """A new incident's id."""
        now = self.clock.now()
        incident = Incident(
            id=new_id(), tenant=tenant, title="Something", state=IncidentState.OPEN, opened=now, updated=now
        )
        async with self.store.transaction() as transaction:
            assert await transaction.incidents.add(incident)
        return incident.id

    async def publish(self, content: bytes) -> str:
        """Publish a procedure; its hash."""
        return (await self.procedures.service.publish(self.person("sofia"), NewText(content=content.decode()))).hash

    async def start(self, procedure: str = "a-test", incident: str | None = None) -> ProcedureRun:
        """Start a procedure for a new incident."""
        incident = incident or await self.incident()
        return await self.procedures.service.start(self.person("olivia"), incident, NewRun(procedure=procedure))

    async def tasks(self, run: ProcedureRun) -> list[Task]:
        """The tasks of a run that are to be done."""
        view = await self.procedures.service.run(run.tenant, run.id)
        return [task for task in view.tasks if task.state in ("open", "claimed")]

    async def complete(self, name: str, task: Task, **answers: str) -> Task:
        """Complete a task as somebody."""
        completion = Completion(version=task.version, answers=dict(answers))
        return await self.procedures.tasks.complete(self.person(name), task.id, completion)

    async def messages(self) -> list[str]:
        """Kinds of the messages that wait to be sent."""
        async with self.store.view() as view:
            return [envelope.kind for _, envelope in await view.outbox.waiting_in_installation(1_000)]


@pytest.fixture
async def room(store: Store, clock: ManualClock) -> Room:  # noqa: F811
    """A room; nothing runs in the background."""
    governance = Governance(store, clock, AccessSettings(password=PasswordSettings(memory_kib=8, passes=1)))
    by = installation_principal()
    for tenant in ("municipality", "police"):
        await governance.accounts.create_organisation(by, tenant, tenant.title())
    users = {
        name: await governance.accounts.create_user(
            by, tenant, name=name, full_name=f"{name.title()} Example", role=role, password="twelve long words"
        )
        for name, (tenant, role) in PEOPLE.items()
    }
    return Room(store, clock, Procedures.create(store, clock), users)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sender() -> AsyncIterator[ChannelSender]:
    """One for all tests of a module: its processes take seconds to start."""
    sender = ChannelSender(processes=1, timeout_s=4, internal_addresses=("127.0.0.1",))
    yield sender
    await sender.close()


@pytest_asyncio.fixture(loop_scope="module")
async def duty(store_url: str, sender: ChannelSender) -> AsyncIterator[Duty]:  # noqa: F811
    """Notification on a real store, with two places that messages can go to."""
    async with on_duty(store_url, sender, ManualClock(NOON)) as duty:
        yield duty
