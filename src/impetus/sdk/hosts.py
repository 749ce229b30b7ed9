"""The instances of a tool, one an organisation: which there are, started as needed, with what they listen to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import structlog

from impetus.model import Clock, Unavailable
from impetus.sdk.approval import AHEAD, Approvals
from impetus.sdk.condition import Condition
from impetus.sdk.hosting import HostedTool, describe
from impetus.sdk.records import Records
from impetus.sdk.tool import Tool, ToolSettings

TENANTS_INTERVAL_S = 10.0
FIRST_RUN_PAUSE_S = 1.0
LONGEST_RUN_PAUSE_S = 300.0
"""`Tool.run` that raised is called again after a pause that doubles from one to the other."""
RAN_WELL_S = 60.0
"""One that ran for so long before it raised begins with the first pause again."""

log = structlog.get_logger("worker")


class Hosts:
    """Starts the tool for each organisation that it works for, and keeps its `run` going."""

    def __init__(
        self,
        settings: ToolSettings,
        *,
        records: Records,
        clock: Clock,
        condition: Condition,
        approvals: Approvals,
        observes: bool,
        make: Callable[[str], HostedTool],
    ) -> None:
        """`make` gives a tool that was not started yet."""
        self._organisations = frozenset(settings.organisations)
        self._records = records
        self._clock = clock
        self._condition = condition
        self._approvals = approvals
        self._observes = observes
        self._make = make
        self._hosted: dict[str, HostedTool] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._starting = asyncio.Lock()

    def serves(self, tenant: str) -> bool:
        """Whether the tool works for an organisation."""
        return not self._organisations or tenant in self._organisations

    def obstacle(self, tenant: str) -> str | None:
        """Why the tool may not work for an organisation, by the data-protection register; None if it may."""
        reason = self._approvals.obstacle(tenant)
        self._condition.note(f"approval {tenant}", reason and f"{tenant}: does not run: {reason}")
        return reason

    async def lasting_obstacle(self, tenant: str) -> str | None:
        """As `obstacle`. Raises `Unavailable` for one that ends by itself as soon as this machine's clock is right."""
        if (reason := self.obstacle(tenant)) == AHEAD:
            raise Unavailable(reason, hint="set the clock of this machine")
        return reason

    def running(self) -> Iterator[tuple[str, HostedTool]]:
        """The instances that run, by organisation."""
        return iter([(tenant, hosted) for tenant, hosted in self._hosted.items() if hosted.running])

    async def of(self, tenant: str) -> HostedTool:
        """The tool of an organisation, started if it was not yet and may be. Raises `Unavailable`."""
        async with self._starting:
            hosted = self._hosted.get(tenant)
            if hosted is None or hosted.forbidden:
                hosted = self._hosted[tenant] = self._make(tenant)
            if (reason := self.obstacle(tenant)) is not None:
                hosted.forbid(reason)
                return hosted
            if not hosted.running:
                started = await hosted.start()
                failure = hosted.failure and f"{tenant}: did not start, will be tried again: {hosted.failure}"
                self._condition.note(f"start {tenant}", failure or None)
                if started and type(hosted.tool).run is not Tool.run:
                    self._runs[tenant] = asyncio.create_task(self._keep_running(tenant, hosted))
            return hosted

    async def find(self) -> None:
        """Start the tool for every organisation that it works for. Raises `Unavailable`."""
        tenants = await self._records.tenants(with_datastreams=self._observes)
        for tenant in filter(self.serves, tenants):
            if self.obstacle(tenant) is None:
                await self.of(tenant)

    async def keep_finding(self) -> None:
        """Find organisations that are new, until cancelled."""
        while True:
            await asyncio.sleep(TENANTS_INTERVAL_S)
            try:
                await self.find()
                self._condition.note("tenants", None)
            except Unavailable as error:
                self._condition.note("tenants", str(error))  # what runs goes on meanwhile

    async def look(self) -> bool:
        """Read the data-protection register anew; whether it says something else. Raises `Unavailable`."""
        return await self._approvals.look()

    async def end_forbidden(self, turn: asyncio.Lock, limit_s: float) -> None:
        """Stop the instances whose approval is over: nothing more reaches them, and nothing of theirs gets out."""
        for tenant, hosted in self.running():
            reason = self.obstacle(tenant)
            if reason is None:
                continue
            hosted.forbid(reason)
            log.warning("approval is over", tenant=tenant, reason=reason)
            if run := self._runs.pop(tenant, None):
                run.cancel()
            async with turn:
                try:
                    async with asyncio.timeout(limit_s):
                        await hosted.tool.stop()
                except Exception as error:  # it is let go of, whatever it does
                    log.warning("tool did not stop cleanly", tenant=tenant, exc_info=error)
            if self._hosted.get(tenant) is hosted:
                del self._hosted[tenant]

    async def end_runs(self, limit_s: float) -> None:
        """Cancel every `run`; one that does not let go within `limit_s` is left behind."""
        for task in self._runs.values():
            task.cancel()
        if self._runs:
            await asyncio.wait(self._runs.values(), timeout=limit_s)

    async def _keep_running(self, tenant: str, hosted: HostedTool) -> None:
        pause_s = FIRST_RUN_PAUSE_S
        while True:
            began_s = self._clock.monotonic_s()
            well = asyncio.get_running_loop().call_later(RAN_WELL_S, self._condition.note, f"run {tenant}", None)
            try:
                await hosted.tool.run()
            except Exception as error:  # whatever a tool does, the worker goes on
                if self._clock.monotonic_s() - began_s > RAN_WELL_S:
                    pause_s = FIRST_RUN_PAUSE_S
                text = f"{tenant}: its own source failed, tried again in {pause_s:g} s: {describe(error)}"
                self._condition.note(f"run {tenant}", text)
                hosted.context.log.warning("run failed", pause_s=pause_s, exc_info=error)
            else:
                self._condition.note(f"run {tenant}", None)
                return
            finally:
                well.cancel()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RUN_PAUSE_S)
