"""The live side: cameras in; one alert an event with masked evidence, and the state of each camera, out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from impetus.model import (
    DataClass,
    EvidenceReference,
    ImpetusError,
    InvalidInput,
    NotFound,
    Place,
    Point,
    Status,
    ToolRequest,
    ToolResult,
    Unavailable,
    Verdict,
    derived_id,
)
from impetus.sdk import Context, Tool
from impetus.tools.firearm.camera import Camera, Notice, within_hours
from impetus.tools.firearm.confirmation import Event, Rules
from impetus.tools.firearm.evaluation import Judged, Report, look_at, report
from impetus.tools.firearm.ground import Ground
from impetus.tools.firearm.health import CameraState
from impetus.tools.firearm.heldout import rendered_pictures
from impetus.tools.firearm.inference import Model
from impetus.tools.firearm.model import SHIPPED
from impetus.tools.firearm.settings import CameraSettings, FirearmSettings
from impetus.tools.firearm.sources import shown
from impetus.tools.firearm.verdicts import KEPT, offset, shifted
from impetus.tools.firearm.wanted import ApprovalWanted, CalibrationWanted, CameraNamed, Nothing
from impetus.tools.firearm.wording import camera_alert, event_id, firearm_alert
from impetus.tools.firearm.zones import Zones

STILL_EVERY_S = 30.0
WATCHED_EVERY_S = 1.0
OUT_OF_ORDER = frozenset(
    {CameraState.FROZEN, CameraState.COVERED, CameraState.MOVED, CameraState.AWAY, CameraState.BROKEN}
)
EVALUATED_PICTURES = 200
MOST_NOTICES = 2_000
CONTENT_BYTES = 220_000


class ZonesWanted(CameraNamed):
    """Areas of a camera."""

    zones: Zones


class KeptCamera(BaseModel):
    """What people set for a camera."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    zones: Zones = Zones()
    picture: tuple[tuple[float, float], ...] = ()
    map: tuple[tuple[float, float], ...] = ()


class Kept(BaseModel):
    """The checkpoint."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cameras: dict[str, KeptCamera] = {}
    approved: dict[str, dict[str, str]] = {}
    """By SHA-256: `person`, `time`, `reason`."""
    evaluations: dict[str, dict[str, JsonValue]] = {}
    told: list[tuple[str, float]] = []
    """Ids of alerts and the probability before verdicts."""
    verdicts: dict[str, tuple[float, bool]] = {}


@dataclass
class Open:
    """An alert that is under way."""

    id: str
    camera: CameraSettings
    onset: datetime
    revision: int
    confidence: float
    place: Place | None
    evidence: tuple[EvidenceReference, ...]
    notice: Notice
    event: Event
    frames: list[dict[str, JsonValue]] = field(default_factory=list)
    ended: datetime | None = None


class FirearmTool(Tool[FirearmSettings]):
    """Watches the cameras of one organisation."""

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
        self._kept = Kept()
        self._model: Model | None = None
        self._problem = ""
        self._cameras: dict[str, Camera] = {}
        self._open: dict[str, Open] = {}
        """By camera."""
        self._notices: deque[Notice] = deque(maxlen=MOST_NOTICES)
        self._published_s: dict[str, float] = {}
        self._states: dict[str, str] = {}
        self._revision = 0
        self._watched_until_s = 0.0
        self._wrong_since: dict[str, datetime] = {}
        self._wrong_told: dict[str, int] = {}
        self._evaluating: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        self._restore(await self.context.load_checkpoint())
        try:
            path = self.settings.model_file
            self._model = await asyncio.to_thread(_shipped if path is None else lambda: Model.read(path))
        except ImpetusError as error:
            self._problem = str(error)[:400]
        await self._publish_model()
        self._open_cameras()
        await self._tell_state()

    async def stop(self) -> None:
        self._stopping = True
        if self._evaluating is not None:
            await self._evaluating
        for camera in self._cameras.values():
            camera.close()
        await self._drain()
        await self._save()

    # Cameras

    def _approval(self) -> dict[str, str] | None:
        """Who approved the model in use; None if nobody did."""
        if self._model is None:
            return None
        sha256 = self._model.contract.sha256
        if sha256 in self._kept.approved:
            return self._kept.approved[sha256]
        for given in self.settings.approvals:
            if given.sha256 == sha256:
                return {"person": given.person, "time": "", "reason": given.reason}
        return None

    @property
    def _in_use(self) -> Model:
        if self._model is None:
            raise Unavailable("there is no model", hint=self._problem or "see the settings")
        return self._model

    def _rules(self) -> Rules:
        return Rules(
            needed=self.settings.needed_frames,
            window=self.settings.window_frames,
            threshold=self._in_use.contract.thresholds.weapon,
            least_probability=self.settings.least_confidence,
            quiet_s=self.settings.quiet_s,
        )

    def _open_cameras(self) -> None:
        """Start a thread for each camera, if the model may be used."""
        if self._model is None or self._approval() is None or self._cameras:
            return
        for settings in self.settings.cameras:
            camera = Camera(
                settings,
                self._model,
                self._rules(),
                self._notices.append,
                zones=self._kept.cameras.get(settings.id, KeptCamera()).zones,
                frames_a_s=self.settings.frames_a_s,
                before_s=self.settings.clip_before_s,
                after_s=self.settings.clip_after_s,
                open_now=lambda hours=settings.hours: within_hours(  # type: ignore[misc]
                    hours, self.context.clock.now().astimezone(self._zone)
                ),
            )
            self._cameras[settings.id] = camera
            camera.start()

    def _close_cameras(self) -> None:
        for camera in self._cameras.values():
            camera.close()
        self._cameras = {}

    def _named(self, id: str) -> CameraSettings:
        for camera in self.settings.cameras:
            if camera.id == id:
                return camera
        raise NotFound(f"there is no camera {id!r}", hint="see the tool's settings")

    # Time

    async def tick(self) -> None:
        await self._drain()
        await self._watch_health()
        await self._publish_cameras()

    async def _drain(self) -> None:
        while self._notices:
            notice = self._notices.popleft()
            if notice.what == "begun":
                await self._begun(notice)
            elif notice.what == "clip":
                await self._clip(notice)
            elif notice.what == "ended":
                await self._ended(notice)
            elif notice.what == "state":
                self._published_s.pop(notice.camera, None)
                await self._tell_state()

    async def _begun(self, notice: Notice) -> None:
        if notice.event is None:
            return
        settings = self._named(notice.camera)
        now = self.context.clock.now()
        onset = now - timedelta(seconds=notice.start_ago_s)
        told = notice.event.probability
        confidence = shifted(told, offset(list(self._kept.verdicts.values()))) * notice.trust
        evidence = await self._keep(notice.snapshot, "image/jpeg", f"{settings.title}: whole picture")
        under_way = Open(
            event_id(self.context.tenant, settings.id, onset),
            settings,
            onset,
            0,
            confidence,
            self._place(settings, notice.point),
            evidence,
            notice,
            notice.event,
        )
        self._open[notice.camera] = under_way
        self._kept = self._kept.model_copy(update={"told": [*self._kept.told, (under_way.id, told)][-KEPT:]})
        await self._emit(under_way)
        await self._publish_event(under_way, notice)

    async def _clip(self, notice: Notice) -> None:
        under_way = self._open.get(notice.camera)
        if under_way is None or notice.event is None or under_way.event.number != notice.event.number:
            return
        under_way.evidence += await self._keep(
            notice.clip, "video/webm", f"{under_way.camera.title}: some seconds around"
        )
        under_way.revision += 1
        await self._emit(under_way)
        await self._publish_event(under_way, notice)

    async def _ended(self, notice: Notice) -> None:
        under_way = self._open.pop(notice.camera, None)
        if under_way is None:
            return
        under_way.revision += 1
        under_way.ended = self.context.clock.now()
        await self._emit(under_way)
        await self._save()

    async def _keep(self, data: bytes, media_type: str, title: str) -> tuple[EvidenceReference, ...]:
        """Evidence; nothing where there is none, or no room for it: the alert is more urgent than its picture."""
        if not data:
            return ()
        try:
            kept = await self.context.keep_evidence(
                data, media_type=media_type, title=title[:200], data_class=DataClass.PERSONAL
            )
        except (Unavailable, InvalidInput) as error:
            self.context.log.warning("evidence was not kept", error=str(error))
            return ()
        return (kept,)

    async def _emit(self, under_way: Open) -> None:
        rendered = under_way.camera.address.startswith("scene:")
        await self.context.emit(
            firearm_alert(
                id=under_way.id,
                revision=under_way.revision,
                camera=under_way.camera,
                contract=self._in_use.contract,
                rules=self._rules(),
                event=under_way.event,
                notice=under_way.notice,
                confidence=under_way.confidence,
                onset=under_way.onset,
                sent=self.context.clock.now(),
                ended=under_way.ended,
                place=under_way.place,
                evidence=under_way.evidence,
                status=Status.EXERCISE if rendered else Status.ACTUAL,
            )
        )

    def _place(self, settings: CameraSettings, point: tuple[float, float] | None) -> Place | None:
        kept = self._kept.cameras.get(settings.id, KeptCamera())
        if point is not None and kept.picture:
            found = Ground(kept.picture, kept.map).place(*point)
            if found is not None:
                return Place(geometry=Point(coordinates=found), name=settings.title)
        if settings.longitude is None or settings.latitude is None:
            return None
        return Place(geometry=Point(coordinates=(settings.longitude, settings.latitude)), name=settings.title)

    async def _watch_health(self) -> None:
        now = self.context.clock.now()
        for id, camera in self._cameras.items():
            wrong = camera.health.state in OUT_OF_ORDER
            if not wrong:
                since = self._wrong_since.pop(id, None)
                if since is not None and id in self._wrong_told:
                    await self._camera_alert(camera, since, now, ended=now, revision=self._wrong_told.pop(id) + 1)
                continue
            since = self._wrong_since.setdefault(id, now)
            if id not in self._wrong_told and (now - since).total_seconds() >= self.settings.camera_alerts_after_s:
                self._wrong_told[id] = 0
                await self._camera_alert(camera, since, now, ended=None, revision=0)

    async def _camera_alert(
        self, camera: Camera, since: datetime, now: datetime, *, ended: datetime | None, revision: int
    ) -> None:
        await self.context.emit(
            camera_alert(
                tenant=self.context.tenant,
                camera=camera.settings,
                contract=self._in_use.contract,
                words=camera.words,
                since=since,
                now=now,
                ended=ended,
                revision=revision,
                place=self._place(camera.settings, None),
            )
        )

    async def _tell_state(self) -> None:
        wrong = [camera for camera in self._cameras.values() if camera.health.state in OUT_OF_ORDER]
        if self._problem:
            text: str | None = f"no model: {self._problem}"
        elif not self.settings.cameras:
            text = None
        elif self._approval() is None:
            text = "the model has not been approved for this organisation: evaluate and approve it on the tool's page"
        elif wrong:
            named = "; ".join(f"{camera.settings.title} {camera.words}" for camera in wrong[:5])
            text = f"{len(wrong)} of {len(self._cameras)} cameras out of order: {named}"[:900]
        else:
            text = None
        await self.context.degraded(text)

    # Results

    async def _publish_cameras(self) -> None:
        now_s = self.context.clock.monotonic_s()
        for id, camera in self._cameras.items():
            pause_s = WATCHED_EVERY_S if now_s < self._watched_until_s else STILL_EVERY_S
            if now_s - self._published_s.get(id, -1e9) < pause_s - 0.05:
                continue
            self._published_s[id] = now_s
            await self._publish_camera(camera)

    async def _publish_camera(self, camera: Camera) -> None:
        settings, figures = camera.settings, camera.figures
        kept = self._kept.cameras.get(settings.id, KeptCamera())
        picture = camera.masked()
        self._revision += 1
        now = self.context.clock.now()
        await self.context.publish(
            ToolResult(
                id=derived_id(self.context.tenant, "firearm-camera", settings.id),
                revision=int(now.timestamp() * 1_000) * 10 + self._revision % 10,
                tool="firearm",
                kind="camera",
                title=settings.title,
                time=now,
                place=self._place(settings, None),
                content={
                    "camera": settings.id,
                    "address": shown(settings.address),
                    "state": camera.health.state.value,
                    "words": camera.words,
                    "trust": round(camera.health.trust, 3),
                    "picture": _data_url(picture),
                    "size": list(figures.size),
                    "frames": figures.frames,
                    "analysed": figures.analysed,
                    "looked": figures.looked,
                    "skipped": figures.skipped,
                    "connections": figures.connections,
                    "look_ms": round(figures.look_ms, 1),
                    "event": settings.id in self._open,
                    "hours": settings.hours,
                    "zones": kept.zones.model_dump(mode="json"),
                    "calibrated": bool(kept.picture),
                    "calibration": {"picture": _json(kept.picture), "map": _json(kept.map)},
                },
            )
        )

    async def _publish_event(self, under_way: Open, notice: Notice) -> None:
        event = under_way.event
        frames: list[dict[str, JsonValue]] = [
            {
                "after_s": frame.after_s,
                "picture": _data_url(frame.data),
                "boxes": _json(frame.boxes),
                "score": round(frame.score, 3),
            }
            for frame in notice.frames
        ]
        while sum(len(str(frame["picture"])) for frame in frames) > CONTENT_BYTES:
            frames.pop(len(frames) // 2)
        under_way.frames = frames or under_way.frames
        await self.context.publish(
            ToolResult(
                id=derived_id(under_way.id, "event"),
                revision=under_way.revision,
                tool="firearm",
                kind="event",
                title=f"Possible firearm: {under_way.camera.title}",
                time=under_way.onset,
                place=under_way.place,
                alert=under_way.id,
                status=Status.EXERCISE if under_way.camera.address.startswith("scene:") else Status.ACTUAL,
                evidence=under_way.evidence,
                content={
                    "camera": under_way.camera.id,
                    "confidence": round(under_way.confidence, 4),
                    "hits": event.hits,
                    "window": event.window,
                    "size_px": round(event.size_px, 1),
                    "length_s": round(event.confirmed_s - event.start_s, 2),
                    "threshold": self._rules().threshold,
                    "close_up": _data_url(under_way.notice.close_up),
                    "frames": _json(under_way.frames),
                    "model": self._in_use.contract.name,
                    "sha256": self._in_use.contract.sha256,
                },
            )
        )

    async def _publish_model(self) -> None:
        if self._model is None:
            return
        contract = self._model.contract
        approval = self._approval()
        self._revision += 1
        now = self.context.clock.now()
        await self.context.publish(
            ToolResult(
                id=derived_id(self.context.tenant, "firearm-model", contract.sha256),
                revision=int(now.timestamp() * 1_000) * 10 + self._revision % 10,
                tool="firearm",
                kind="model",
                title=f"{contract.name} {contract.version}",
                time=now,
                content={
                    "sha256": contract.sha256,
                    "not_for": contract.not_for,
                    "provider": self._model.provider,
                    "licence": contract.licence,
                    "licence_notice": contract.licence_notice() or "",
                    "data": contract.data,
                    "command": contract.command,
                    "decoder": contract.decoder.value,
                    "state": "approved" if approval else "waits for approval",
                    "approval": dict(approval) if approval else {},
                    "evaluation": self._kept.evaluations.get(contract.sha256, {}),
                    "recorded": contract.evaluation,
                },
            )
        )

    # Requests

    async def handle(self, request: ToolRequest) -> str | None:
        content = self.task_models[request.task].model_validate(request.content)
        match content:
            case Nothing() if request.task == "watch":
                self._watched_until_s = self.context.clock.monotonic_s() + 15.0
                for camera in self._cameras.values():
                    camera.watch()
                return "Masked pictures come for 15 seconds."
            case Nothing():
                return self._evaluate()
            case ZonesWanted():
                self._named(content.id)
                self._set(content.id, zones=content.zones)
                if content.id in self._cameras:
                    self._cameras[content.id].zones = content.zones
                await self._saved(content.id)
                return "The zones are set."
            case CalibrationWanted():
                self._named(content.id)
                Ground(content.picture, content.map)
                self._set(content.id, picture=content.picture, map=content.map)
                await self._saved(content.id)
                return "The camera is calibrated."
            case CameraNamed():
                self._named(content.id)
                if content.id in self._cameras:
                    self._cameras[content.id].accept_view()
                return "The present view is the reference now."
            case ApprovalWanted():
                return await self._decide(request, content)
        raise InvalidInput(f"{request.task} is no task of this tool")

    def _set(self, id: str, **changes: object) -> None:
        kept = self._kept.cameras.get(id, KeptCamera()).model_copy(update=changes)
        self._kept = self._kept.model_copy(update={"cameras": {**self._kept.cameras, id: kept}})

    async def _saved(self, id: str) -> None:
        await self._save()
        if id in self._cameras:
            await self._publish_camera(self._cameras[id])

    def _evaluate(self) -> str:
        """Begin the evaluation; it goes on beside the cameras, and its figures are published when they are there."""
        model = self._in_use
        if self._evaluating is None or self._evaluating.done():
            self._evaluating = asyncio.create_task(self._evaluated(model))
        return "The evaluation has begun; its figures appear on this page in a minute or so."

    async def _evaluated(self, model: Model) -> None:
        figures = await asyncio.to_thread(self._figures, model)
        if figures is None:
            return
        recorded: dict[str, JsonValue] = {
            "time": self.context.clock.now().isoformat(timespec="seconds"),
            "data": f"{EVALUATED_PICTURES} rendered pictures, held out",
            **json.loads(json.dumps(figures.json())),
        }
        evaluations = {**self._kept.evaluations, model.contract.sha256: recorded}
        self._kept = self._kept.model_copy(update={"evaluations": evaluations})
        await self._save()
        await self._publish_model()

    def _figures(self, model: Model) -> Report | None:
        """The figures of a model; None where the tool was stopped before they were there."""
        judged: list[Judged] = []
        for each in rendered_pictures(EVALUATED_PICTURES):
            if self._stopping:
                return None
            judged += look_at(model, [each])
        return report(judged, threshold=model.contract.thresholds.weapon, draws=100)

    async def _decide(self, request: ToolRequest, content: ApprovalWanted) -> str:
        if self._model is None or self._model.contract.sha256 != content.sha256:
            raise InvalidInput("this is not the model in use", hint="load the page again")
        approved = dict(self._kept.approved)
        if request.task == "withdraw-model":
            if approved.pop(content.sha256, None) is None:
                raise InvalidInput("it was not approved here", hint="see the tool's settings")
            self._close_cameras()
        else:
            if content.sha256 not in self._kept.evaluations and not self._model.contract.evaluation:
                raise InvalidInput("there is no recorded evaluation of it", hint="evaluate it first")
            approved[content.sha256] = {
                "person": request.person or "",
                "time": self.context.clock.now().isoformat(timespec="seconds"),
                "reason": content.reason,
            }
        self._kept = self._kept.model_copy(update={"approved": approved})
        await self._save()
        self._open_cameras()
        await self._publish_model()
        await self._tell_state()
        return "The model is approved." if request.task == "approve-model" else "The approval is withdrawn."

    async def verdict(self, verdict: Verdict) -> None:
        told = dict(self._kept.told).get(verdict.alert)
        if verdict.detector != "firearm" or told is None:
            return
        verdicts = dict(self._kept.verdicts)
        verdicts.pop(verdict.alert, None)
        if verdict.correct is not None:
            verdicts[verdict.alert] = (told, verdict.correct)
        self._kept = self._kept.model_copy(update={"verdicts": dict(list(verdicts.items())[-KEPT:])})
        await self._save()

    def _restore(self, data: bytes | None) -> None:
        if data is None:
            return
        try:
            self._kept = Kept.model_validate_json(data)
        except (ValidationError, ValueError) as error:
            self.context.log.warning("the checkpoint cannot be read", error=str(error)[:300])

    async def _save(self) -> None:
        await self.context.save_checkpoint(self._kept.model_dump_json().encode())


@cache
def _shipped() -> Model:
    """The shipped model: it holds no state, so one serves all."""
    return Model.read(SHIPPED)


def _data_url(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else ""


def _json(value: object) -> JsonValue:
    found: JsonValue = json.loads(json.dumps(value))
    return found
