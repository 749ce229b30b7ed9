"""Cameras that are out of order: each raises an alert of its own after a while, which ends when it is well again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from impetus.sdk import Context
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.health import CameraState
from impetus.tools.firearm.kept import Memory
from impetus.tools.firearm.notices import Standing
from impetus.tools.firearm.wording import camera_alert

OUT_OF_ORDER = frozenset(
    {CameraState.FROZEN, CameraState.COVERED, CameraState.MOVED, CameraState.AWAY, CameraState.BROKEN}
)
NAMED = 5


class CameraHealth:
    """Since when which camera is out of order, and of which an alert told."""

    def __init__(self, context: Context, memory: Memory, alerts_after_s: float) -> None:
        self._context, self._memory, self._after_s = context, memory, alerts_after_s
        self._since: dict[str, datetime] = {}
        self._told: set[str] = set()

    async def watch(self, camera: CameraSettings, standing: Standing) -> None:
        """Take how a camera is now."""
        now = self._context.clock.now()
        id = camera.id
        if standing.state not in OUT_OF_ORDER:
            since = self._since.pop(id, None)
            if since is not None and id in self._told:
                self._told.discard(id)
                await self._emit(camera, standing, since, now, ended=now)
            return
        since = self._since.setdefault(id, now)
        if id not in self._told and (now - since).total_seconds() >= self._after_s:
            self._told.add(id)
            await self._emit(camera, standing, since, now, ended=None)

    async def _emit(
        self, camera: CameraSettings, standing: Standing, since: datetime, now: datetime, *, ended: datetime | None
    ) -> None:
        await self._context.emit(
            camera_alert(
                tenant=self._context.tenant,
                camera=camera,
                words=standing.words,
                since=since,
                now=now,
                ended=ended,
                revision=0 if ended is None else 1,
                place=self._memory.place(camera, None),
            )
        )


def in_words(cameras: Iterable[tuple[CameraSettings, Standing]]) -> str | None:
    """Which cameras are out of order, for the status board; None where none is."""
    all_of_them = list(cameras)
    wrong = [(camera, standing) for camera, standing in all_of_them if standing.state in OUT_OF_ORDER]
    if not wrong:
        return None
    named = "; ".join(f"{camera.title} {standing.words}" for camera, standing in wrong[:NAMED])
    return f"{len(wrong)} of {len(all_of_them)} cameras out of order: {named}"[:900]
