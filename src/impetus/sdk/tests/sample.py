"""Small tools that behave well or badly, for tests of the worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from typing import Annotated, Any, ClassVar

from pydantic import Field

from impetus.model import (
    Alert,
    Category,
    ConfigurationError,
    DataClass,
    ModelReference,
    ObservationBatch,
    Role,
    Severity,
    Unavailable,
    derived_id,
    from_microseconds,
)
from impetus.sdk.context import Context
from impetus.sdk.manifest import AiActClass, Capability, Detector, Manifest, ToolInput
from impetus.sdk.registry import InstalledTool
from impetus.sdk.tool import Tool, ToolSettings


def manifest(id: str, *, properties: tuple[str, ...] = (), tick_s: float = 0.1) -> Manifest:
    return Manifest(
        id=id,
        title=id,
        summary="For tests.",
        version="1.0.0",
        capability=Capability.IDENTIFYING_EMERGING_THREATS,
        roles=(Role.OPERATOR,),
        inputs=(ToolInput(observed_properties=properties),),
        detectors=(Detector(id="high", title="High", category=Category.INFRA, max_severity=Severity.MODERATE),),
        purposes=("testing",),
        personal_data=False,
        data_classes=(DataClass.OPERATIONAL,),
        retention_days=1,
        ai_act_class=AiActClass.NO_AI,
        tick_s=tick_s,
    )


def installed(tool_type: type[Tool[Any]], id: str = "sample", *, properties: tuple[str, ...] = ()) -> InstalledTool:
    return InstalledTool(id, None, manifest(id, properties=properties), tool_type)


class SampleSettings(ToolSettings):
    limit: Annotated[float, Field(title="Limit")] = 100.0
    """Unit of the datastream."""


class HighTool(Tool[SampleSettings]):
    """Well behaved: one alert for each reading above the limit."""

    settings_type = SampleSettings
    tool_id: ClassVar[str] = "sample"
    detector: ClassVar[str] = "high"

    def __init__(self, context: Context, settings: SampleSettings) -> None:
        super().__init__(context, settings)
        self.newest: dict[str, int] = {}
        self.seen: list[float] = []

    async def start(self) -> None:
        saved = await self.context.load_checkpoint()
        self.newest = json.loads(saved) if saved else {}

    async def observe(self, batch: ObservationBatch) -> None:
        for index, time_us, value in zip(batch.index, batch.time_us, batch.value, strict=True):
            name = batch.datastreams[index]
            if time_us <= self.newest.get(name, -(2**63)):
                continue
            if value > self.settings.limit:
                await self.context.emit(self.alert(name, time_us, value))
            self.newest[name] = time_us
            self.seen.append(value)

    async def stop(self) -> None:
        await self.context.save_checkpoint(json.dumps(self.newest).encode())

    def alert(self, name: str, time_us: int, value: float) -> Alert:
        return Alert(
            id=derived_id(self.tool_id, self.context.tenant, name, str(time_us)),
            tool=self.tool_id,
            detector=self.detector,
            source=name,
            headline=f"{value:g}",
            category=Category.INFRA,
            severity=Severity.MINOR,
            confidence=0.5,
            onset=from_microseconds(time_us),
            sent=self.context.clock.now(),
            model=ModelReference(name="limit", version="1"),
        )


class GoodTool(HighTool):
    """Saves its state at every tick as well."""

    tool_id: ClassVar[str] = "good"

    async def tick(self) -> None:
        await self.stop()


class RecordingTool(HighTool):
    """Keeps its instances where a test finds them, by tenant."""

    instances: ClassVar[dict[str, RecordingTool]] = {}
    ticks = 0
    calls = 0
    stopped = False

    async def start(self) -> None:
        await super().start()
        self.instances[self.context.tenant] = self

    async def observe(self, batch: ObservationBatch) -> None:
        self.calls += 1
        await super().observe(batch)

    async def tick(self) -> None:
        self.ticks += 1

    async def stop(self) -> None:
        await super().stop()
        self.stopped = True


class UndeclaredTool(HighTool):
    """Emits what its manifest does not declare, and takes no notice of the error."""

    detector: ClassVar[str] = "undeclared"

    async def observe(self, batch: ObservationBatch) -> None:
        with contextlib.suppress(ConfigurationError):
            await super().observe(batch)


class FailingTool(RecordingTool):
    """Raises on the value 13, once or always."""

    fail_times: ClassVar[int] = 1_000_000
    failures: ClassVar[int] = 0

    async def observe(self, batch: ObservationBatch) -> None:
        if 13.0 in batch.value and FailingTool.failures < self.fail_times:
            FailingTool.failures += 1
            raise ValueError("13 is unlucky")
        await super().observe(batch)


class UnavailableTool(RecordingTool):
    """What it needs is away for the first three calls."""

    attempts: ClassVar[int] = 0

    async def observe(self, batch: ObservationBatch) -> None:
        UnavailableTool.attempts += 1
        if UnavailableTool.attempts <= 3:
            raise Unavailable("the model server does not answer")
        await super().observe(batch)


class NeverStartingTool(RecordingTool):
    """Fails to start for one organisation until it is mended."""

    broken: ClassVar[bool] = True

    async def start(self) -> None:
        if NeverStartingTool.broken and self.context.tenant == "police":
            raise RuntimeError("no model file")
        await super().start()


class SlowTool(RecordingTool):
    """Never comes back from the value 13; lets itself be cancelled."""

    async def observe(self, batch: ObservationBatch) -> None:
        if 13.0 in batch.value:
            await asyncio.sleep(3_600)
        await super().observe(batch)


class StubbornTool(RecordingTool):
    """Never comes back from the value 13, and does not let itself be cancelled."""

    async def observe(self, batch: ObservationBatch) -> None:
        while 13.0 in batch.value:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                if self.stopped:
                    raise
        await super().observe(batch)


class TickFailsTool(RecordingTool):
    """Its tick raises."""

    async def tick(self) -> None:
        self.ticks += 1
        raise ValueError("tock")


class HistoryTool(RecordingTool):
    """Reads what was kept, when it starts."""

    async def start(self) -> None:
        await super().start()
        async for batch in self.context.history(from_microseconds(0)):
            await self.observe(batch)


class CrashingTool(HighTool):
    """Takes its whole process down at the value 13."""

    tool_id: ClassVar[str] = "crashing"

    async def observe(self, batch: ObservationBatch) -> None:
        if 13.0 in batch.value:
            os.abort()
        await super().observe(batch)


class BlockingTool(HighTool):
    """Blocks the event loop of its process for good at the value 13."""

    tool_id: ClassVar[str] = "blocking"

    async def observe(self, batch: ObservationBatch) -> None:
        while 13.0 in batch.value:
            time.sleep(1)  # noqa: ASYNC251 that is the point
        await super().observe(batch)


TOOLS: dict[str, type[Tool[Any]]] = {"good": GoodTool, "crashing": CrashingTool, "blocking": BlockingTool}
"""Tools that `worker_process.py` runs by name."""
