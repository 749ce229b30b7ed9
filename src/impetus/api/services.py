"""What the HTTP interface works with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from impetus.api.broadcast import Broadcaster
from impetus.api.dashboards import Dashboards
from impetus.api.settings import ApiSettings
from impetus.api.sharing import create_shares, sharing_works
from impetus.bus import Bus
from impetus.exercise.settings import ExerciseSettings
from impetus.governance import Governance
from impetus.governance.access_review import AccessReview
from impetus.governance.anchors import FILE_NAME as ANCHORS
from impetus.governance.anchors import write_anchors
from impetus.governance.cases import Cases
from impetus.governance.comparisons import Comparisons
from impetus.governance.custody import EvidenceCustody
from impetus.governance.data_protection import DataProtection
from impetus.governance.expiry import Expiry
from impetus.governance.oversight import OversightService
from impetus.governance.persons import Persons
from impetus.governance.public_register import PublicRegister
from impetus.governance.settings import KeepingSettings, StatisticsSettings
from impetus.governance.statistics import Statistics
from impetus.model import Clock, ClockWatch, Permission
from impetus.response import notification
from impetus.response.cap_exchange import CapExchange
from impetus.response.notification import NotificationService
from impetus.response.notification_settings import NotificationSettings
from impetus.response.runtime import Procedures
from impetus.response.sharing import SharedEvidence, Shares
from impetus.sdk import InstalledTool
from impetus.situation import asking, results, verdicts
from impetus.situation.asking import RequestService
from impetus.situation.consumer import Progress, consume
from impetus.situation.own import OwnService
from impetus.situation.results import ResultService
from impetus.situation.runtime import Situation, keep_running
from impetus.situation.runtime import running as situation_running
from impetus.situation.verdicts import VerdictTeller
from impetus.store import EvidenceStore, Store

FORGET_SESSIONS_S = 600.0
FORGET_OWN_S = 600.0
ANCHOR_S = 3_600.0
TRACEPARENT_LIMIT = 100
"""A longer header is none that the standard knows."""
NEWS_BATCH = 200
"""Messages that notification takes in at once."""


@dataclass(slots=True)
class Services:
    """All that the routes use. `app.py` makes it once a process."""

    bus: Bus
    store: Store
    clock: Clock
    settings: ApiSettings
    governance: Governance
    situation: Situation
    evidence: EvidenceStore
    tools: Mapping[str, InstalledTool]
    home: Path
    """Folder of all state; here are the folders of persons who consent to a tool."""
    time_zone: str = "UTC"
    """Time zone in which the pages show times."""
    notification_settings: NotificationSettings = field(default_factory=NotificationSettings)
    exercise: ExerciseSettings = field(default_factory=ExerciseSettings)
    """Of the installation of an exercise; without a title this is the real operation."""
    statistics_settings: StatisticsSettings = field(default_factory=StatisticsSettings)
    keeping: KeepingSettings = field(default_factory=KeepingSettings)
    broadcaster: Broadcaster = field(init=False)
    shares: Shares = field(init=False)
    dashboards: Dashboards = field(init=False)
    custody: EvidenceCustody = field(init=False)
    shared_evidence: SharedEvidence = field(init=False)
    procedures: Procedures = field(init=False)
    notification: NotificationService = field(init=False)
    cap: CapExchange = field(init=False)
    results: ResultService = field(init=False)
    requests: RequestService = field(init=False)
    own: OwnService = field(init=False)
    data_protection: DataProtection = field(init=False)
    public_register: PublicRegister = field(init=False)
    cases: Cases = field(init=False)
    comparisons: Comparisons = field(init=False)
    persons: Persons = field(init=False)
    access_review: AccessReview = field(init=False)
    oversight: OversightService = field(init=False)
    statistics: Statistics = field(init=False)
    clock_watch: ClockWatch = field(default_factory=ClockWatch)
    note_sender: Callable[[str, Iterable[str], str], None] | None = None
    """With tracing on: takes organisation, sources, and the W3C `traceparent` with which something of theirs came."""
    welcomed: dict[str, tuple[float, frozenset[Permission]]] = field(default_factory=dict)
    """What callers with open streams were last found to be allowed, by session or token, and when."""

    def __post_init__(self) -> None:
        self.broadcaster = Broadcaster(self.bus, self.settings.stream, self.situation.readings.latest.take_changes)
        self.shares = create_shares(self.store, self.clock, self.situation.incidents)
        self.dashboards = Dashboards(self.store, self.clock)
        self.custody = EvidenceCustody(self.store, self.evidence, self.clock)
        self.shared_evidence = SharedEvidence(self.store, self.custody, self.clock)
        self.procedures = Procedures.create(self.store, self.clock)
        self.notification = NotificationService(self.store, self.clock, self.notification_settings)
        self.results = ResultService(self.store, self.clock, self.tools)
        self.requests = RequestService(self.store, self.clock, self.tools)
        self.own = OwnService(self.store, self.clock, self.tools, self.home)
        self.data_protection = DataProtection(self.store, self.clock, self.tools)
        self.public_register = PublicRegister(self.store, self.clock, self.data_protection)
        self.cases = Cases(self.store, self.clock)
        self.persons = Persons(self.store, self.clock, self.cases)
        self.access_review = AccessReview(self.store, self.clock)
        self.oversight = OversightService(self.store, self.clock, self.tools)
        self.comparisons = Comparisons(self.store, self.clock, self.home, self.cases)
        self.statistics = Statistics(self.store, self.clock, self.statistics_settings)
        self.cap = CapExchange(self.store, self.clock, self.notification_settings)


def note_trace(hub: Services, tenant: str, sources: Iterable[str], traceparent: str | None) -> None:
    """Where traces are made, remember that what these sources sent is a part of the sender's own trace."""
    if hub.note_sender is not None and traceparent is not None and len(traceparent) <= TRACEPARENT_LIMIT:
        hub.note_sender(tenant, sources, traceparent)


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[Services]:
    """Run all background tasks of the hub while the body runs: the situation's and the live stream's."""
    broadcaster = services.broadcaster
    await broadcaster.start()
    async with situation_running(services.situation) as situation:
        works: Mapping[str, Callable[[], Awaitable[None]]] = {
            "stream": broadcaster.run,
            "stream-readings": broadcaster.run_readings,
            "sessions": lambda: _forget_sessions(services),
            "procedures": services.procedures.watch,
            "notification": services.notification.run,
            "results-retention": services.results.keep_forgetting,
            "own-retention": lambda: _forget_own(services),
            "audit-anchors": lambda: _anchor(services),
            "expiry": lambda: _expire(services),
            "model-cards": lambda: _note_cards(services),
        }
        reporting = {
            **{name: _plain(work) for name, work in works.items()},
            **sharing_works(services.bus, services.shares),
            **_tool_works(services),
            "notification-news": lambda progress: consume(
                services.bus,
                notification.DURABLE,
                notification.SUBJECTS,
                services.notification.handle,
                limit=NEWS_BATCH,
                progress=progress,
            ),
        }
        tasks = []
        for name, work in reporting.items():
            progress = Progress(name)
            situation.progress.append(progress)
            tasks.append(asyncio.create_task(keep_running(work, progress), name=f"api-{name}"))
        try:
            yield services
        finally:
            broadcaster.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _tool_works(services: Services) -> Mapping[str, Callable[[Progress], Awaitable[None]]]:
    """What passes between tools and the rest: their results, requests to them, verdicts on their alerts."""
    bus, teller = services.bus, VerdictTeller(services.store)
    return {
        "results": lambda progress: consume(
            bus, results.DURABLE, results.SUBJECTS, services.results.handle, limit=results.BATCH, progress=progress
        ),
        "tool-requests": lambda progress: consume(
            bus, asking.DURABLE, asking.SUBJECTS, services.requests.handle, limit=asking.BATCH, progress=progress
        ),
        "verdicts": lambda progress: consume(
            bus, verdicts.DURABLE, verdicts.SUBJECTS, teller.handle, limit=verdicts.BATCH, progress=progress
        ),
    }


def _plain(work: Callable[[], Awaitable[None]]) -> Callable[[Progress], Awaitable[None]]:
    """A task that does not report its progress."""

    async def run(_: Progress) -> None:
        await work()

    return run


async def _anchor(services: Services) -> None:
    while True:
        await write_anchors(services.store, services.clock, services.home / ANCHORS)
        await asyncio.sleep(ANCHOR_S)


async def _expire(services: Services) -> None:
    while True:
        async with services.store.view() as view:
            tenants = [one.id for one in await view.organisations.list_in_installation()]
        expiry = Expiry(services.store, services.evidence, services.clock, services.tools, services.keeping)
        for tenant in tenants:
            await expiry.run(tenant)
        await asyncio.sleep(ANCHOR_S)


async def _note_cards(services: Services) -> None:
    while True:
        async with services.store.view() as view:
            tenants = [one.id for one in await view.organisations.list_in_installation() if one.active]
        await services.oversight.note_cards(tenants)
        await asyncio.sleep(ANCHOR_S)


async def _forget_own(services: Services) -> None:
    while True:
        await services.own.forget()
        await asyncio.sleep(FORGET_OWN_S)


async def _forget_sessions(services: Services) -> None:
    while True:
        await services.governance.sessions.forget_expired()
        await asyncio.sleep(FORGET_SESSIONS_S)
