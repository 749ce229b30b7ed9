"""What a camera tells: that something happened (`Notice`), and how it is (`Standing`).

Both are values that pass from a process of cameras to the worker as JSON, and nothing else does: what reads foreign
video has no way to make the worker run anything.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from impetus.model import Value
from impetus.tools.firearm.confirmation import Event
from impetus.tools.firearm.health import WORDS, CameraState

MOST_SNAPSHOT_BYTES = 8_000_000
MOST_SHOWN_BYTES = 1_000_000
MOST_FRAMES = 12
Box = tuple[float, float, float, float]


class Message(Value):
    """A value with pictures: bytes, which JSON holds as base64."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class MaskedFrame(Message):
    """A frame of an event that anybody may see."""

    after_s: float
    """Since the event's first sight."""
    data: Annotated[bytes, Field(max_length=MOST_SHOWN_BYTES)]
    boxes: Annotated[tuple[Box, ...], Field(max_length=100)]
    """Weapons, as shares of width and height."""
    score: float


class Found(Message):
    """An event as the worker needs it; times are seconds since the camera was connected."""

    number: int
    start_s: float
    confirmed_s: float
    probability: float
    hits: int
    window: int
    frames: Annotated[tuple[int, ...], Field(max_length=100)]
    best_score: float
    size_px: float
    """Longer side of the gun where it was seen best."""

    @classmethod
    def of(cls, event: Event) -> Found:
        """The event as it is now."""
        return cls(
            number=event.number,
            start_s=event.start_s,
            confirmed_s=event.confirmed_s,
            probability=event.probability,
            hits=event.hits,
            window=event.window,
            frames=tuple(event.frames[:100]),
            best_score=float(event.best.score),
            size_px=event.size_px,
        )


class Notice(Message):
    """Something that happened in a camera."""

    camera: Annotated[str, Field(max_length=200)]
    what: Literal["begun", "clip", "ended", "state"]
    event: Found | None = None
    start_ago_s: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """How long before this notice the gun was first seen."""
    taken_s: float = 0.0
    """When the picture that confirmed the event came, on the machine's monotonic clock."""
    snapshot: Annotated[bytes, Field(max_length=MOST_SNAPSHOT_BYTES)] = b""
    """The whole picture, as JPEG, for those entitled."""
    close_up: Annotated[bytes, Field(max_length=MOST_SHOWN_BYTES)] = b""
    """The gun, heads covered, as JPEG."""
    frames: Annotated[tuple[MaskedFrame, ...], Field(max_length=MOST_FRAMES)] = ()
    clip: Annotated[bytes, Field(max_length=MOST_SNAPSHOT_BYTES)] = b""
    point: tuple[float, float] | None = None
    """Where the person or gun stands, as shares of width and height."""
    trust: float = 1.0


class Figures(Message):
    """What a camera did, for the status board and the page."""

    model_config = ConfigDict(frozen=False)

    frames: int = 0
    analysed: int = 0
    looked: int = 0
    skipped: int = 0
    connections: int = 0
    look_ms: float = 0.0
    """Smoothed milliseconds of a frame that the detector looked at."""
    size: tuple[int, int] = (0, 0)


class Standing(Message):
    """How a camera is."""

    camera: Annotated[str, Field(max_length=200)]
    state: CameraState = CameraState.STARTING
    words: Annotated[str, Field(max_length=300)] = WORDS[CameraState.STARTING]
    trust: float = 1.0
    figures: Figures = Field(default_factory=Figures)
    picture: Annotated[bytes, Field(max_length=MOST_SHOWN_BYTES)] | None = None
    """The newest masked picture as JPEG; None where it did not change since the last message."""
