"""Settings of the tool `firearm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from impetus.model import Identifier, Line, Value
from impetus.sdk import ToolSettings
from impetus.tools.firearm.camera_settings import CameraSettings


class Approval(Value):
    """A model that a person approved outside of this program, as a rollout record does."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the ONNX file."""
    person: Identifier
    """Who approved it."""
    reason: Line
    """Why, and on which evaluation."""


class FirearmSettings(ToolSettings):
    """What a city may set."""

    cameras: Annotated[tuple[CameraSettings, ...], Field(title="Cameras", max_length=500)] = ()
    """The cameras; changes take hold when the tool is started again."""
    model_file: Annotated[Path | None, Field(title="Model")] = None
    """The YAML of a model; empty: the shipped one, which is not for real cameras."""
    approvals: Annotated[tuple[Approval, ...], Field(title="Approved models", max_length=50)] = ()
    """Models that were approved elsewhere, by SHA-256; others are approved on the tool's page."""
    frames_a_s: Annotated[float, Field(title="Frames analysed a second", gt=0, le=30)] = 5.0
    """How many frames a second of each camera are looked at at most, if the machine keeps up."""
    cameras_a_process: Annotated[int, Field(title="Cameras a process", ge=1, le=16)] = 4
    """So many cameras share a process; if it dies, only they are away until it was started anew."""
    needed_frames: Annotated[int, Field(title="Frames with a gun needed", ge=1, le=32)] = 4
    """So many of the last frames must show the gun before an alert is raised."""
    window_frames: Annotated[int, Field(title="Frames looked back on", ge=1, le=32)] = 8
    """Number of frames that are looked back on for that."""
    least_confidence: Annotated[float, Field(title="Least confidence", ge=0, le=1)] = 0.5
    """Probability from 0 to 1 that a gun must have to raise an alert."""
    quiet_s: Annotated[float, Field(title="Quiet seconds that end an event", gt=0, le=600)] = 8.0
    """Guns seen again within this time belong to the same event."""
    clip_before_s: Annotated[float, Field(title="Seconds of a clip before", ge=0, le=15)] = 4.0
    """How much of the time before an event its clip shows; so much is held in memory, and nothing else is kept."""
    clip_after_s: Annotated[float, Field(title="Seconds of a clip after", ge=0, le=15)] = 4.0
    """How much of the time after."""
    time_zone: Annotated[str, Field(title="Time zone", max_length=64)] = "UTC"
    """The zone of the cameras' hours, as in `Europe/Oslo`."""
    camera_alerts_after_s: Annotated[float, Field(title="Seconds until a camera alert", ge=1, le=86_400)] = 60.0
    """A camera that is out of order for so long raises an alert of its own."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {name!r}; write it as in Europe/Oslo") from error
        return name

    @model_validator(mode="after")
    def _cameras_are_distinct(self) -> FirearmSettings:
        ids = [camera.id for camera in self.cameras]
        for id in ids:
            if ids.count(id) > 1:
                raise ValueError(f"camera {id!r} is there twice")
        if self.needed_frames > self.window_frames:
            raise ValueError("more frames are needed than are looked back on")
        return self
