"""What the tool remembers over restarts: zones, calibrations, approvals, evaluations, what people found of alerts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from impetus.model import Place, Point
from impetus.sdk import Context
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.ground import Ground
from impetus.tools.firearm.verdicts import KEPT, offset, shifted
from impetus.tools.firearm.zones import Zones


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


class Memory:
    """The checkpoint and the ways in which it changes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.kept = Kept()

    async def restore(self) -> None:
        """Read it; one that cannot be read is as good as none, and the log says so."""
        data = await self._context.load_checkpoint()
        if data is None:
            return
        try:
            self.kept = Kept.model_validate_json(data)
        except (ValidationError, ValueError) as error:
            self._context.log.warning("the checkpoint cannot be read", error=str(error)[:300])

    async def save(self) -> None:
        """Write it."""
        await self._context.save_checkpoint(self.kept.model_dump_json().encode())

    def camera(self, id: str) -> KeptCamera:
        """What was set for a camera."""
        return self.kept.cameras.get(id, KeptCamera())

    async def set_camera(self, id: str, **changes: object) -> None:
        """Zones or points of a camera."""
        changed = self.camera(id).model_copy(update=changes)
        await self.change(cameras={**self.kept.cameras, id: changed})

    async def change(self, **changes: object) -> None:
        """Replace fields of the checkpoint and write it."""
        self.kept = self.kept.model_copy(update=changes)
        await self.save()

    def place(self, camera: CameraSettings, point: tuple[float, float] | None) -> Place | None:
        """Where a point of a camera's picture (shares) lies; where the camera hangs if that is not known."""
        kept = self.camera(camera.id)
        if point is not None and kept.picture:
            found = Ground(kept.picture, kept.map).place(*point)
            if found is not None:
                return Place(geometry=Point(coordinates=found), name=camera.title)
        if camera.longitude is None or camera.latitude is None:
            return None
        return Place(geometry=Point(coordinates=(camera.longitude, camera.latitude)), name=camera.title)

    def told(self, alert: str, probability: float) -> None:
        """An alert was raised with a probability."""
        self.kept = self.kept.model_copy(update={"told": [*self.kept.told, (alert, probability)][-KEPT:]})

    def learned(self, probability: float) -> float:
        """A probability after what people found of earlier alerts."""
        return shifted(probability, offset(list(self.kept.verdicts.values())))

    async def judged(self, alert: str, correct: bool | None) -> None:
        """What people found of an alert; None takes it back."""
        told = dict(self.kept.told).get(alert)
        if told is None:
            return
        verdicts = {id: verdict for id, verdict in self.kept.verdicts.items() if id != alert}
        if correct is not None:
            verdicts[alert] = (told, correct)
        await self.change(verdicts=dict(list(verdicts.items())[-KEPT:]))
