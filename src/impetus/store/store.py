"""The store as the rest of the house uses it: transactions with repositories, and the readings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Clock
from impetus.store.accounts import (
    IdentityRepository,
    OrganisationRepository,
    PasskeyRepository,
    SecondFactorRepository,
    SessionRepository,
    ThrottleRepository,
    TokenRepository,
    UserRepository,
)
from impetus.store.alerts import AlertRepository
from impetus.store.audit import AuditRepository
from impetus.store.correlation import RulesRepository, VerdictRepository
from impetus.store.custody import CustodyRepository
from impetus.store.dashboards import DashboardRepository
from impetus.store.data_protection import DataProtectionRepository
from impetus.store.database import Database, parse_url
from impetus.store.datastreams import DatastreamRepository
from impetus.store.expectations import ExpectationStore
from impetus.store.expiry import ExpiryRepository
from impetus.store.governance_documents import GovernanceDocumentRepository
from impetus.store.handovers import HandoverRepository
from impetus.store.incidents import AssessmentRepository, IncidentRepository
from impetus.store.migrations import READINGS, STORE, migrate
from impetus.store.notification import CapRepository, NotificationRepository
from impetus.store.outbox import OutboxRepository
from impetus.store.partitions import Partitions
from impetus.store.persons import PersonRepository
from impetus.store.procedures import ProcedureRepository, TaskRepository
from impetus.store.readings import ReadingStore
from impetus.store.requests import RequestRepository
from impetus.store.results import ResultRepository
from impetus.store.series import SeriesNumbers
from impetus.store.sharing import SharingRepository
from impetus.store.workload import WorkloadRepository


class Transaction:
    """The repositories, all within one transaction: either all that was done through them is kept, or nothing."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.organisations = OrganisationRepository(connection)
        self.users = UserRepository(connection)
        self.sessions = SessionRepository(connection)
        self.second_factors = SecondFactorRepository(connection)
        self.passkeys = PasskeyRepository(connection)
        self.identities = IdentityRepository(connection)
        self.tokens = TokenRepository(connection)
        self.throttles = ThrottleRepository(connection)
        self.alerts = AlertRepository(connection)
        self.workload = WorkloadRepository(connection)
        self.handovers = HandoverRepository(connection)
        self.incidents = IncidentRepository(connection)
        self.persons = PersonRepository(connection)
        self.expiry = ExpiryRepository(connection)
        self.verdicts = VerdictRepository(connection)
        self.rules = RulesRepository(connection)
        self.assessments = AssessmentRepository(connection)
        self.datastreams = DatastreamRepository(connection)
        self.sharing = SharingRepository(connection)
        self.procedures = ProcedureRepository(connection)
        self.tasks = TaskRepository(connection)
        self.audit = AuditRepository(connection)
        self.dashboards = DashboardRepository(connection)
        self.custody = CustodyRepository(connection)
        self.data_protection = DataProtectionRepository(connection)
        self.governance_documents = GovernanceDocumentRepository(connection)
        self.notification = NotificationRepository(connection)
        self.cap = CapRepository(connection)
        self.results = ResultRepository(connection)
        self.requests = RequestRepository(connection)
        self.outbox = OutboxRepository(connection)


class Store:
    """What is kept. Made by `open_store`; `close` it at the end."""

    def __init__(self, database: Database, readings_database: Database, clock: Clock) -> None:
        self.clock = clock
        self._database = database
        self._readings_database = readings_database
        numbers = SeriesNumbers(readings_database)
        self.readings = ReadingStore(readings_database, numbers)
        """Readings write in transactions of their own."""
        self.partitions = Partitions(database, readings_database)
        self.expectations = ExpectationStore(readings_database, numbers)
        self.outbox_written = asyncio.Event()
        """Set after each commit that left something in the outbox; `OutboxRelay` waits for it."""

    @asynccontextmanager
    async def transaction(self, *, across: bool = False) -> AsyncIterator[Transaction]:
        """A transaction that may change things: committed at the end, rolled back if the body raises.

        On SQLite one of these runs at a time: do nothing slow in it, and do not open a second one inside (that raises
        RuntimeError). What was committed survives kill -9 and a power cut. With `across` it is not held within the
        organisation on whose behalf the task works (`within`). Raises `Unavailable`.
        """
        async with self._database.write(across=across) as connection:
            transaction = Transaction(connection)
            yield transaction
        if transaction.outbox.written:
            self.outbox_written.set()

    @asynccontextmanager
    async def view(self, *, across: bool = False) -> AsyncIterator[Transaction]:
        """A transaction that only reads, sees one state throughout, and never waits for a writer; `across` as with
        `transaction`."""
        async with self._database.read(across=across) as connection:
            yield Transaction(connection)

    async def wall_stands(self) -> bool:
        """Whether the database holds requests within their organisation: with PostgreSQL, unless we are its superuser.
        True with SQLite, which has no such wall and needs none to be as it should."""
        if self._database.sqlite:
            return True
        async with self._database.read() as connection:
            query = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            return not await connection.scalar(query)

    async def close(self) -> None:
        """Let go of the databases."""
        await self._database.close()
        if self._readings_database is not self._database:
            await self._readings_database.close()


def readings_url(url: URL) -> URL:
    """Where the readings are: with SQLite in the file `NAME-readings.SUFFIX` beside the store's."""
    path = Path(str(url.database))
    return url.set(database=str(path.with_name(f"{path.stem}-readings{path.suffix}")))


async def open_store(url: str, clock: Clock) -> Store:
    """Open the store at `sqlite:///FOLDER/store.sqlite` or `postgresql://...`, made or brought up to date as needed.

    Raises `ConfigurationError` for an address that cannot be used or a store that a newer version wrote, and
    `Unavailable` for a database that does not answer.
    """
    parsed = parse_url(url)
    database = Database(parsed)
    readings = Database(readings_url(parsed), sync="NORMAL", cache_mib=64) if database.sqlite else database
    store = Store(database, readings, clock)
    try:
        await migrate(database, STORE)
        await migrate(readings, READINGS)
    except BaseException:
        await store.close()
        raise
    return store
