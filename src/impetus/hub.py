"""The hub of an installation: the HTTP interface, the pages and the situation, put together from the settings.

Apart from `impetus.app`, because what it imports is most of the program: a worker or a connector starts without it.
"""

from __future__ import annotations

from types import FrameType

import uvicorn

from impetus.api.app import create_api
from impetus.api.services import Services, running
from impetus.app import beating, configure_logging, opened_bus, opened_store, started
from impetus.bus import Bus
from impetus.exercise.clock import clock_of
from impetus.governance import Governance
from impetus.governance.sealing import open_seal
from impetus.model import Clock, Status
from impetus.operations.metrics import serving as serving_metrics
from impetus.operations.traces import tracing
from impetus.sdk import load_tools
from impetus.settings import Settings
from impetus.situation.desk import priors_of
from impetus.situation.runtime import Situation
from impetus.store import Store, open_evidence
from impetus.supervisor import Heartbeat
from impetus.ui import mount_ui


def create_services(settings: Settings, bus: Bus, store: Store, clock: Clock) -> Services:
    """What the HTTP interface and the pages work with."""
    tools = load_tools()
    situation, notification = settings.situation, settings.notification
    if settings.exercise.title:
        # Alerts of an exercise say so from the start, and everything that is made of them.
        situation = situation.model_copy(update={"status": Status.EXERCISE})
        notification = notification.model_copy(update={"exercise": True})
    return Services(
        bus=bus,
        store=store,
        clock=clock,
        settings=settings.api,
        governance=Governance(store, clock, settings.access, open_seal(settings.access, settings.home)),
        situation=Situation.create(bus, store, clock, situation, priors_of(tools)),
        evidence=open_evidence(settings.evidence, settings.home / "evidence"),
        tools=tools,
        home=settings.home,
        time_zone=settings.timezone,
        notification_settings=notification,
        exercise=settings.exercise,
        statistics_settings=settings.statistics,
        keeping=settings.keeping,
    )


class _Server(uvicorn.Server):
    """Ends the live streams as soon as it is asked to stop: it would wait for them."""

    def __init__(self, services: Services, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._services = services

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._services.broadcaster.close()
        super().handle_exit(sig, frame)


async def run_hub(settings: Settings) -> None:
    """Serve the HTTP interface and the pages, and run the situation, until SIGTERM or SIGINT."""
    configure_logging()
    clock = clock_of(settings.exercise.clock)
    heartbeat = Heartbeat.from_environment()
    async with opened_bus(settings, clock) as bus, opened_store(settings, clock, heartbeat) as store:
        services = create_services(settings, bus, store, clock)
        await services.governance.second_factors.seal_anew()
        application = create_api(services)
        mount_ui(application, services)
        started()
        server = _Server(
            services,
            uvicorn.Config(
                application,
                host=settings.http.host,
                port=settings.http.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.http.trusted_proxies),
                forwarded_allow_ips=settings.http.trusted_proxies or None,
                timeout_graceful_shutdown=2,
                timeout_keep_alive=75,
            ),
        )
        async with (
            running(services),
            serving_metrics(settings.metrics, services),
            tracing(settings.traces, services),
            beating(heartbeat),
        ):
            await server.serve()
