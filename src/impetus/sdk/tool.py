"""What a tool is: one class that gets observations of one organisation and emits alerts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from impetus.model import ObservationBatch, Slug, ToolRequest, ToolResult, Verdict
from impetus.sdk.context import Context


class ToolSettings(BaseModel):
    """Settings of a tool; a subclass adds fields, each with a title, a description and a default.

    The unit of a number stands at the end of its name (`silence_s`) or in its description. Secrets are `SecretStr`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    organisations: Annotated[tuple[Slug, ...], Field(title="Organisations")] = ()
    """Organisations for which the tool works; empty: all."""


SettingsType = TypeVar("SettingsType", bound=ToolSettings)


class Tool(Generic[SettingsType]):
    """Watches one organisation's data. The worker makes one instance for each organisation: `start` once, then
    `observe`, `tick`, `result` and `verdict` one at a time, `stop` at the end. `handle`, one at a time too, and `run`
    go on beside them: between two awaits nothing else happens, across an await state may have changed.

    **What a tool can rely on.** Observations come at least once and in order per source. What it emitted while it
    handled an observation is on disk before that observation counts as dealt with.

    **What a tool must do.** After a crash its state is the last checkpoint, plus what `context.history` returns since
    then, plus messages that may be delivered again. The three overlap. So a tool keeps the newest time that it has seen
    of each datastream, in its checkpoint too, and ignores readings that are not newer. An alert that is derived from
    readings has an identifier that the same readings give again (`impetus.model.derived_id`), so that it is kept once.

    **When something fails.** An exception from `observe`, or an `observe` that takes more than
    `impetus.sdk.calls.OBSERVE_LIMIT_S`, is tried once more with the same batch; so a tool takes a reading for seen
    only after it emitted what the reading gave. If that fails too, the message is set aside as a dead letter with the
    reason, and the tool is shown as degraded. A message that the process died or hung over several times, or whose
    alert the manifest does not allow, is set aside as well. `impetus.model.Unavailable` says that something the tool
    needs is away for now: the message waits. Long computations belong in `asyncio.to_thread`: a tool that blocks the
    event loop is taken for hung and restarted.
    """

    settings_type: ClassVar[type[ToolSettings]] = ToolSettings
    """The class of this tool's settings."""
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = MappingProxyType({})
    """For tasks of the manifest: what a request's content must be. Others are refused before they reach `handle`."""
    own_models: ClassVar[Mapping[str, type[BaseModel]]] = MappingProxyType({})
    """Of tools with `[own]`: what a person may say, by the kind of the entry; `consent`: what the terms must be."""

    def __init__(self, context: Context, settings: SettingsType) -> None:
        self.context = context
        self.settings = settings

    async def start(self) -> None:
        """Restore the checkpoint and warm up from history. Called once, before anything else."""

    async def observe(self, batch: ObservationBatch) -> None:
        """Handle readings: of datastreams that the manifest asks for; if it asks for all, of unregistered ones too."""

    async def tick(self) -> None:
        """Called every `manifest.tick_s` seconds: notice silence, save checkpoints."""

    async def handle(self, request: ToolRequest) -> str | None:
        """Do what a person, a rule, a procedure or another tool asks for; a task that the manifest declares.

        Comes at least once: do the work for one `request.id` once, or so that doing it twice does no harm. What is
        returned is told to whoever asked. `impetus.model.InvalidInput` refuses the request with its words; another
        exception is tried once more. A request that failed is a dead letter, unless it was a person's and refused: the
        person is told. It may take the task's `limit_s`.
        """
        raise NotImplementedError(f"the manifest declares the task {request.task!r}, but the tool has no handle()")

    async def result(self, result: ToolResult) -> None:
        """Take a result of another tool that the manifest declares as an input. Comes at least once, and a result
        with a lower revision than one seen before may come late."""

    async def verdict(self, verdict: Verdict) -> None:
        """Learn what people found of one of this tool's alerts, if the manifest declares that input; at least once."""

    async def run(self) -> None:
        """Fetch or listen to sources of its own, for tools that do: feeds, cameras, log files. Started after `start`,
        cancelled before `stop`, started again after a growing pause when it raises; not when it returns."""

    async def stop(self) -> None:
        """Save what must not be lost and let go. Called once at a clean end; after a crash it is not called."""
