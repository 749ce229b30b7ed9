"""What a tool is: one class that gets observations of one organisation and emits alerts."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from impetus.model import ObservationBatch
from impetus.sdk.context import Context


class ToolSettings(BaseModel):
    """Settings of a tool; a subclass adds fields, each with a title, a description and a default.

    The unit of a number stands at the end of its name (`silence_s`) or in its description. Secrets are `SecretStr`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


SettingsType = TypeVar("SettingsType", bound=ToolSettings)


class Tool(Generic[SettingsType]):
    """Watches one organisation's data. The worker makes one instance for each organisation and calls it from one task:
    `start` once, then `observe` and `tick` one at a time, `stop` at the end.

    **What a tool can rely on.** Observations come at least once and in order per source. What it emitted while it
    handled an observation is on disk before that observation counts as dealt with.

    **What a tool must do.** After a crash its state is the last checkpoint, plus what `context.history` returns since
    then, plus messages that may be delivered again. The three overlap. So a tool keeps the newest time that it has seen
    of each datastream, in its checkpoint too, and ignores readings that are not newer. An alert that is derived from
    readings has an identifier that the same readings give again (`impetus.model.derived_id`), so that it is kept once.

    **When something fails.** An exception from `observe`, or an `observe` that takes more than
    `impetus.sdk.worker.OBSERVE_LIMIT_S`, is tried once more with the same batch; so a tool takes a reading for seen
    only after it emitted what the reading gave. If that fails too, the message is set aside as a dead letter with the
    reason, and the tool is shown as degraded. A message that the process died or hung over several times, or whose
    alert the manifest does not allow, is set aside as well. `impetus.model.Unavailable` says that something the tool
    needs is away for now: the message waits. Long computations belong in `asyncio.to_thread`: a tool that blocks the
    event loop is taken for hung and restarted.
    """

    settings_type: ClassVar[type[ToolSettings]] = ToolSettings
    """The class of this tool's settings."""

    def __init__(self, context: Context, settings: SettingsType) -> None:
        self.context = context
        self.settings = settings

    async def start(self) -> None:
        """Restore the checkpoint and warm up from history. Called once, before anything else."""

    async def observe(self, batch: ObservationBatch) -> None:
        """Handle readings: of datastreams that the manifest asks for; if it asks for all, of unregistered ones too."""

    async def tick(self) -> None:
        """Called every `manifest.tick_s` seconds: notice silence, save checkpoints."""

    async def stop(self) -> None:
        """Save what must not be lost and let go. Called once at a clean end; after a crash it is not called."""
