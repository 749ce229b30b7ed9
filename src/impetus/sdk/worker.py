"""The loop of `impetus worker TOOL`: messages from the bus through one tool, one instance an organisation."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from impetus.bus import Bus
from impetus.model import Clock, ConfigurationError, HealthState, Unavailable, sleep
from impetus.sdk.approval import LOOK_S, Approvals
from impetus.sdk.asking import NewsLane, RequestLane, news_subjects
from impetus.sdk.calls import Calls
from impetus.sdk.checkpoint import CheckpointFile
from impetus.sdk.condition import Condition
from impetus.sdk.evidence import EvidenceKeeper
from impetus.sdk.hosting import HostedTool, WorkerContext, describe
from impetus.sdk.hosts import Hosts
from impetus.sdk.lane import WAIT_S, Lane, Surroundings
from impetus.sdk.manifest import Manifest
from impetus.sdk.observing import ObservationLane
from impetus.sdk.outgoing import Outgoing
from impetus.sdk.own import OwnFolders
from impetus.sdk.records import Records
from impetus.sdk.registry import InstalledTool, load_tool
from impetus.sdk.spool import Spool
from impetus.sdk.suspect import Suspect
from impetus.sdk.tool import Tool, ToolSettings
from impetus.store import EvidenceStore, Store

STOP_LIMIT_S = 3.0
"""What is being handled when the worker is asked to stop may take so long, and `Tool.stop` as long again."""
HEARTBEAT_INTERVAL_S = 1.0

log = structlog.get_logger("worker")


async def run_worker(
    tool: str | InstalledTool,
    bus: Bus,
    store: Store,
    clock: Clock,
    home: Path,
    settings: Mapping[str, object],
    *,
    heartbeat: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
    evidence: EvidenceStore | None = None,
) -> None:
    """Run one tool until SIGTERM or SIGINT, or until `stop` is set.

    `home` is the folder of all state; `settings` are the tool's own, not validated yet. `heartbeat` is called once a
    second from the event loop, as long as the tool is not hung. Of the store only datastreams,
    readings, results and the data-protection register are read: for an organisation whose officer did not approve the
    tool it does not run. Bus and store stay open.

    Raises:
        ConfigurationError: the tool is broken, its settings are wrong, or it runs on this `home` already.
        NotFound: there is no such tool.
    """
    installed = load_tool(tool) if isinstance(tool, str) else tool
    tool_type, manifest = installed.usable()
    validated = validate_settings(tool_type, manifest.id, settings)
    if stop is None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    folder = home / "state" / manifest.id
    with _only_one(folder):
        worker = Worker(
            tool_type,
            manifest,
            validated,
            bus=bus,
            records=Records(store),
            clock=clock,
            folder=folder,
            evidence=evidence or EvidenceStore(home / "evidence"),
            approvals=Approvals(store, manifest, clock),
            home=home,
        )
        await worker.run(stop, heartbeat)


def validate_settings(tool_type: type[Tool[Any]], id: str, settings: Mapping[str, object]) -> ToolSettings:
    """The tool's settings as their type. Raises `ConfigurationError` that names each wrong field."""
    try:
        return tool_type.settings_type.model_validate(dict(settings))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(['tools', id, *map(str, problem['loc'])])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(wrong, hint="mend the settings of the tool and start it again") from error


def consumers(manifest: Manifest) -> Mapping[str, Sequence[str]]:
    """Durable consumers of a tool's worker, and the subjects of each: those that its manifest gives it."""
    wanted: dict[str, Sequence[str]] = {
        f"tool-{manifest.id}": ("*.observation.>",) if manifest.reads_observations else (),
        f"tool-request-{manifest.id}": (f"*.tool-request.{manifest.id}",) if manifest.tasks else (),
        f"tool-news-{manifest.id}": news_subjects(manifest),
    }
    return {durable: subjects for durable, subjects in wanted.items() if subjects}


class Worker:
    """Runs one tool: its lanes bring messages, what it emits is published, and only then is acknowledged."""

    def __init__(
        self,
        tool_type: type[Tool[Any]],
        manifest: Manifest,
        settings: ToolSettings,
        *,
        bus: Bus,
        records: Records,
        clock: Clock,
        folder: Path,
        evidence: EvidenceStore,
        approvals: Approvals,
        home: Path | None = None,
    ) -> None:
        condition = Condition(f"worker-{manifest.id}", bus, clock)
        self._spool = Spool(folder)
        outgoing = Outgoing(bus, lambda text: condition.note("bus", text), self._spool)

        def make(tenant: str) -> HostedTool:
            context = WorkerContext(
                manifest,
                tenant,
                clock=clock,
                records=records,
                outgoing=outgoing,
                checkpoint=CheckpointFile(folder / tenant / "checkpoint"),
                evidence=EvidenceKeeper(manifest, tenant, evidence, folder / tenant / "evidence", clock),
                own=OwnFolders(home, manifest.id, tenant) if manifest.own is not None and home is not None else None,
                home=home,
                on_degraded=lambda text: condition.note(f"tool {tenant}", text and f"{tenant}: {text}"),
            )
            return HostedTool(tool_type, settings, context, clock=clock)

        hosts = Hosts(
            settings,
            records=records,
            clock=clock,
            condition=condition,
            approvals=approvals,
            observes=manifest.reads_observations,
            make=make,
        )
        self._shared = Surroundings(
            manifest=manifest,
            bus=bus,
            clock=clock,
            outgoing=outgoing,
            condition=condition,
            calls=Calls(),
            hosts=hosts,
            turn=asyncio.Lock(),
        )
        self._suspects: list[Suspect] = []
        self._lanes = self._make_lanes(folder)

    def _make_lanes(self, folder: Path) -> Sequence[Lane]:
        makers: Sequence[tuple[str, type[Lane], str]] = (
            ("tool", ObservationLane, ".suspect"),
            ("tool-request", RequestLane, ".request-suspect"),
            ("tool-news", NewsLane, ".news-suspect"),
        )
        wanted = consumers(self._shared.manifest)
        lanes = []
        for prefix, lane, suffix in makers:
            durable = f"{prefix}-{self._shared.manifest.id}"
            if durable in wanted:
                suspect = Suspect(folder.with_suffix(suffix))
                self._suspects.append(suspect)
                lanes.append(lane(self._shared, durable, wanted[durable], suspect))
        return lanes

    async def run(self, stop: asyncio.Event, heartbeat: Callable[[], None] | None = None) -> None:
        """Work until `stop` is set; then let the tool save its state and leave."""
        shared = self._shared
        helpers = [asyncio.create_task(shared.outgoing.run()), asyncio.create_task(shared.condition.report())]
        if heartbeat is not None:
            helpers.append(asyncio.create_task(self._beat(heartbeat)))
        work = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        try:
            ended, _ = await asyncio.wait({work, stopping, *helpers}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended - {stopping}:
                task.result()  # only an error ends one of them by itself
            shared.stopping = True
            await asyncio.wait({work}, timeout=STOP_LIMIT_S)
            await _cancel(work)
            await shared.hosts.end_runs(STOP_LIMIT_S)
            await asyncio.gather(*(self._stop_tool(tenant, hosted) for tenant, hosted in shared.hosts.running()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await shared.outgoing.flush()
        finally:
            await _cancel(work, stopping, *helpers)
            for suspect in self._suspects:
                suspect.close()
            self._spool.close()
        await shared.condition.publish(HealthState.STOPPED)

    async def _work(self) -> None:
        """Bring messages to the tool until the worker stops."""
        shared = self._shared
        await shared.condition.with_patience("register", shared.hosts.look)
        await shared.condition.with_patience("store", shared.hosts.find)
        shared.condition.state = HealthState.RUNNING
        keeping = (
            asyncio.create_task(self._tick()),
            asyncio.create_task(shared.hosts.keep_finding()),
            asyncio.create_task(self._keep_to_approvals()),
        )
        lanes = [asyncio.create_task(lane.run()) for lane in self._lanes] or [asyncio.create_task(self._idle())]
        try:
            # Of lanes and keepers only an error, or the worker's stop, ends one.
            ended, _ = await asyncio.wait({*lanes, *keeping}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
            await asyncio.gather(*lanes)
            async with shared.turn:  # a tick that is under way comes to its end
                await _cancel(*keeping)
        finally:
            await _cancel(*lanes, *keeping)

    async def _keep_to_approvals(self) -> None:
        """Stop what is not approved any more, and start what is approved now."""
        shared = self._shared
        while True:
            await asyncio.sleep(LOOK_S)
            changed = False
            try:
                changed = await shared.hosts.look()
                shared.condition.note("register", None)
            except Unavailable as error:
                shared.condition.note("register", f"the data-protection register: {error}")
            await shared.hosts.end_forbidden(shared.turn, STOP_LIMIT_S)
            if changed:
                with contextlib.suppress(Unavailable):  # `keep_finding` tries again, and says so
                    await shared.hosts.find()

    async def _idle(self) -> None:
        """In place of lanes, for a tool that reads nothing from the bus."""
        while not self._shared.stopping:  # noqa: ASYNC110
            await asyncio.sleep(WAIT_S)

    async def _tick(self) -> None:
        shared = self._shared
        next_s = shared.clock.monotonic_s()
        while True:
            async with shared.turn:
                for tenant, hosted in shared.hosts.running():
                    await self._tick_one(tenant, hosted)
            await shared.outgoing.flush()
            next_s = max(next_s + shared.manifest.tick_s, shared.clock.monotonic_s())
            await sleep(shared.clock, next_s - shared.clock.monotonic_s())

    async def _tick_one(self, tenant: str, hosted: HostedTool) -> None:
        condition = self._shared.condition
        try:
            with hosted.protected():
                await self._shared.calls.limited(hosted.tool.tick())
        except Exception as error:  # whatever a tool does, the worker goes on
            text = f"{tenant}: tick failed: {describe(error)}"
            if not condition.knows(f"tick {tenant}", text):  # once, not at every tick
                log.warning("tick failed", tool=self._shared.manifest.id, tenant=tenant, exc_info=error)
            condition.note(f"tick {tenant}", text)
        else:
            condition.note(f"tick {tenant}", None)

    async def _stop_tool(self, tenant: str, hosted: HostedTool) -> None:
        if hosted.spoilt:
            return
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await hosted.tool.stop()
        except Exception as error:  # the other organisations' tools still have to stop
            log.error("tool did not stop cleanly", tool=self._shared.manifest.id, tenant=tenant, exc_info=error)

    async def _beat(self, heartbeat: Callable[[], None]) -> None:
        while True:
            if not self._shared.calls.hung:
                heartbeat()
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("task failed while the worker stopped", exc_info=outcome)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the tool's folder: two workers would overwrite each other's checkpoints."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with folder.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"{folder} is in use by another worker", hint="stop that one first, or set another IMPETUS_HOME"
            ) from error
        yield
