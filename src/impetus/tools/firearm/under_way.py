"""Events that are under way: each is one alert, brought up to date as the camera tells more of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from impetus.model import DataClass, EvidenceReference, InvalidInput, Place, Status, Unavailable
from impetus.sdk import Context
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.kept import Memory
from impetus.tools.firearm.model import Contract
from impetus.tools.firearm.notices import Found, Notice
from impetus.tools.firearm.publishing import event_result, masked_frames
from impetus.tools.firearm.wording import event_id, firearm_alert


@dataclass
class _Open:
    id: str
    camera: CameraSettings
    contract: Contract
    rules: Rules
    event: Found
    onset: datetime
    confidence: float
    trust: float
    place: Place | None
    evidence: tuple[EvidenceReference, ...]
    close_up: bytes
    frames: list[JsonValue] = field(default_factory=list)
    revision: int = 0
    ended: datetime | None = None

    @property
    def status(self) -> Status:
        rendered = self.camera.address.startswith("scene:")
        return Status.EXERCISE if rendered else Status.ACTUAL


class UnderWay:
    """The open events of an organisation's cameras, at most one a camera."""

    def __init__(self, context: Context, memory: Memory, named: Callable[[str], CameraSettings]) -> None:
        self._context, self._memory, self._named = context, memory, named
        self._open: dict[str, _Open] = {}

    def __contains__(self, camera: str) -> bool:
        return camera in self._open

    async def begun(self, notice: Notice, event: Found, contract: Contract, rules: Rules) -> None:
        """A gun was confirmed: raise the alert at once, then show the masked frames."""
        await self.ended(notice.camera)
        camera = self._named(notice.camera)
        onset = self._context.clock.now() - timedelta(seconds=notice.start_ago_s)
        opened = _Open(
            event_id(self._context.tenant, camera.id, onset),
            camera,
            contract,
            rules,
            event,
            onset,
            self._memory.learned(event.probability) * notice.trust,
            notice.trust,
            self._memory.place(camera, notice.point),
            await self._keep(notice.snapshot, "image/jpeg", f"{camera.title}: whole picture"),
            notice.close_up,
            masked_frames(notice.frames),
        )
        self._open[camera.id] = opened
        self._memory.told(opened.id, event.probability)
        await self._emit(opened)
        await self._publish(opened)

    async def clip(self, notice: Notice, event: Found) -> None:
        """The seconds around an event: its second piece of evidence, and more masked frames."""
        opened = self._open.get(notice.camera)
        if opened is None or opened.event.number != event.number:
            return
        opened.evidence += await self._keep(notice.clip, "video/webm", f"{opened.camera.title}: some seconds around")
        opened.frames = masked_frames(notice.frames) or opened.frames
        opened.revision += 1
        await self._emit(opened)
        await self._publish(opened)

    async def ended(self, camera: str) -> None:
        """No gun was seen for a while, or the camera went away."""
        opened = self._open.pop(camera, None)
        if opened is None:
            return
        opened.revision += 1
        opened.ended = self._context.clock.now()
        await self._emit(opened)
        await self._memory.save()

    async def _keep(self, data: bytes, media_type: str, title: str) -> tuple[EvidenceReference, ...]:
        """Evidence; nothing where there is none, or no room for it: the alert is more urgent than its picture."""
        if not data:
            return ()
        try:
            kept = await self._context.keep_evidence(
                data, media_type=media_type, title=title[:200], data_class=DataClass.PERSONAL
            )
        except (Unavailable, InvalidInput) as error:
            self._context.log.warning("evidence was not kept", error=str(error))
            return ()
        return (kept,)

    async def _emit(self, opened: _Open) -> None:
        await self._context.emit(
            firearm_alert(
                id=opened.id,
                revision=opened.revision,
                camera=opened.camera,
                contract=opened.contract,
                rules=opened.rules,
                event=opened.event,
                trust=opened.trust,
                confidence=opened.confidence,
                onset=opened.onset,
                sent=self._context.clock.now(),
                ended=opened.ended,
                place=opened.place,
                evidence=opened.evidence,
                status=opened.status,
            )
        )

    async def _publish(self, opened: _Open) -> None:
        await self._context.publish(
            event_result(
                alert=opened.id,
                revision=opened.revision,
                camera=opened.camera,
                contract=opened.contract,
                event=opened.event,
                confidence=opened.confidence,
                onset=opened.onset,
                place=opened.place,
                evidence=opened.evidence,
                status=opened.status,
                close_up=opened.close_up,
                frames=opened.frames,
                threshold=opened.rules.threshold,
            )
        )
