"""The live side: cameras in; one alert an event with masked evidence, and the state of each camera, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from impetus.model import InvalidInput, NotFound, ToolRequest, Verdict
from impetus.sdk import Context, Tool
from impetus.tools.firearm.approving import ModelInUse
from impetus.tools.firearm.camera_health import CameraHealth, in_words
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.ground import Ground
from impetus.tools.firearm.groups import Groups, Plan
from impetus.tools.firearm.hours import within_hours
from impetus.tools.firearm.kept import Memory
from impetus.tools.firearm.notices import Notice
from impetus.tools.firearm.publishing import Revisions, camera_result
from impetus.tools.firearm.settings import FirearmSettings
from impetus.tools.firearm.under_way import UnderWay
from impetus.tools.firearm.wanted import ApprovalWanted, CalibrationWanted, CameraNamed, Nothing
from impetus.tools.firearm.zones import Zones

STILL_EVERY_S = 30.0
WATCHED_EVERY_S, WATCHED_S = 1.0, 15.0


class ZonesWanted(CameraNamed):
    """Areas of a camera."""

    zones: Zones


class FirearmTool(Tool[FirearmSettings]):
    """Watches the cameras of one organisation, a few in each of several processes."""

    settings_type: ClassVar[type[FirearmSettings]] = FirearmSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {
        "watch": Nothing,
        "zones": ZonesWanted,
        "calibrate": CalibrationWanted,
        "accept-view": CameraNamed,
        "evaluate-model": Nothing,
        "approve-model": ApprovalWanted,
        "withdraw-model": ApprovalWanted,
    }

    def __init__(self, context: Context, settings: FirearmSettings) -> None:
        super().__init__(context, settings)
        self._zone = ZoneInfo(settings.time_zone)
        self._revisions = Revisions()
        self.memory = Memory(context)
        self.model = ModelInUse(context, self.memory, settings, self._revisions)
        self.groups: Groups | None = None
        """The processes of cameras; None while the model is not approved."""
        self._under_way = UnderWay(context, self.memory, self._named)
        self._health = CameraHealth(context, self.memory, settings.camera_alerts_after_s)
        self._published_s: dict[str, float] = {}
        self._watched_until_s = 0.0

    async def start(self) -> None:
        await self.memory.restore()
        await self.model.load()
        self._open_cameras()
        await self._tell_state()

    async def stop(self) -> None:
        await self.model.stop()
        await self._close_cameras()
        await self.memory.save()

    def _open_cameras(self) -> None:
        """Start the processes, if there are cameras and the model may be used."""
        if self.groups is not None or self.model.approval() is None or not self.settings.cameras:
            return
        plan = Plan(
            model=self.model.path,
            sha256=self.model.model.contract.sha256,
            rules=self.model.rules,
            frames_a_s=self.settings.frames_a_s,
            before_s=self.settings.clip_before_s,
            after_s=self.settings.clip_after_s,
        )
        self.groups = Groups(plan, self.settings.cameras, self.settings.cameras_a_process)
        zones = {id: camera.zones for id, camera in self.memory.kept.cameras.items()}
        self.groups.start(zones, self._paused())

    async def _close_cameras(self) -> None:
        if self.groups is None:
            return
        await self.groups.close()
        await self._drain()
        for camera in self.settings.cameras:
            await self._under_way.ended(camera.id)
        self.groups = None

    def _paused(self) -> frozenset[str]:
        local = self.context.clock.now().astimezone(self._zone)
        return frozenset(camera.id for camera in self.settings.cameras if not within_hours(camera.hours, local))

    def _named(self, id: str) -> CameraSettings:
        for camera in self.settings.cameras:
            if camera.id == id:
                return camera
        raise NotFound(f"there is no camera {id!r}", hint="see the tool's settings")

    # Time

    async def tick(self) -> None:
        if self.groups is None:
            return
        self.groups.pause(self._paused())
        await self._drain()
        for camera in self.settings.cameras:
            await self._health.watch(camera, self.groups.standings[camera.id])
        now_s = self.context.clock.monotonic_s()
        pause_s = WATCHED_EVERY_S if now_s < self._watched_until_s else STILL_EVERY_S
        for camera in self.settings.cameras:
            if now_s - self._published_s.get(camera.id, -1e9) >= pause_s - 0.05:
                self._published_s[camera.id] = now_s
                await self._publish(camera)

    async def _drain(self) -> None:
        while self.groups is not None and not self.groups.notices.empty():
            await self._take(self.groups.notices.get_nowait())

    async def _take(self, notice: Notice) -> None:
        event = notice.event
        if notice.what == "begun" and event is not None:
            await self._under_way.begun(notice, event, self.model.model.contract, self.model.rules)
        elif notice.what == "clip" and event is not None:
            await self._under_way.clip(notice, event)
        elif notice.what == "ended":
            await self._under_way.ended(notice.camera)
        elif notice.what == "state":
            self._published_s.pop(notice.camera, None)
            await self._tell_state()

    async def _tell_state(self) -> None:
        if self.model.problem:
            text: str | None = f"no model: {self.model.problem}"
        elif not self.settings.cameras:
            text = None
        elif self.groups is None:
            text = "the model has not been approved for this organisation: evaluate and approve it on the tool's page"
        else:
            text = in_words((camera, self.groups.standings[camera.id]) for camera in self.settings.cameras)
        await self.context.degraded(text)

    async def _publish(self, camera: CameraSettings) -> None:
        if self.groups is None:
            return
        now = self.context.clock.now()
        await self.context.publish(
            camera_result(
                tenant=self.context.tenant,
                revision=self._revisions.next(now),
                now=now,
                camera=camera,
                standing=self.groups.standings[camera.id],
                picture=self.groups.pictures.get(camera.id, b""),
                kept=self.memory.camera(camera.id),
                place=self.memory.place(camera, None),
                event=camera.id in self._under_way,
            )
        )

    # Requests and verdicts

    async def handle(self, request: ToolRequest) -> str | None:
        content = self.task_models[request.task].model_validate(request.content)
        match content:
            case Nothing() if request.task == "watch":
                self._watched_until_s = self.context.clock.monotonic_s() + WATCHED_S
                if self.groups is not None:
                    self.groups.watch()
                return "Masked pictures come for 15 seconds."
            case Nothing():
                self.model.evaluate()
                return "The evaluation has begun; its figures appear on this page in a minute or so."
            case ZonesWanted():
                camera = self._named(content.id)
                await self.memory.set_camera(camera.id, zones=content.zones)
                if self.groups is not None:
                    self.groups.set_zones(camera.id, content.zones)
                await self._publish(camera)
                return "The zones are set."
            case CalibrationWanted():
                camera = self._named(content.id)
                Ground(content.picture, content.map)
                await self.memory.set_camera(camera.id, picture=content.picture, map=content.map)
                await self._publish(camera)
                return "The camera is calibrated."
            case CameraNamed():
                camera = self._named(content.id)
                if self.groups is not None:
                    self.groups.accept_view(camera.id)
                return "The present view is the reference now."
            case ApprovalWanted():
                return await self._decide(request, content)
        raise InvalidInput(f"{request.task} is no task of this tool")

    async def _decide(self, request: ToolRequest, content: ApprovalWanted) -> str:
        approves = request.task == "approve-model"
        if approves:
            await self.model.approve(content.sha256, request.person or "", content.reason)
            self._open_cameras()
        else:
            await self.model.withdraw(content.sha256)
            if self.model.approval() is None:
                await self._close_cameras()
        await self.model.publish()
        await self._tell_state()
        return "The model is approved." if approves else "The approval is withdrawn."

    async def verdict(self, verdict: Verdict) -> None:
        if verdict.detector == "firearm":
            await self.memory.judged(verdict.alert, verdict.correct)
