"""Messages between the worker and a process of cameras: a length of four bytes, then JSON; bounded on both sides."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import Field, ValidationError

from impetus.model import InvalidInput, Value
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.notices import Message, Notice, Standing
from impetus.tools.firearm.zones import Zones

LENGTH = struct.Struct(">I")
MOST_BYTES = 40_000_000
"""A clip and a snapshot of eight megabytes each, as base64, with room."""


class Post(Value):
    """One camera of a group, with what was set for it. The password is written out: this goes to a pipe only."""

    camera: CameraSettings
    password: str = ""
    zones: Zones = Zones()
    paused: bool = False

    @classmethod
    def of(cls, camera: CameraSettings, zones: Zones, *, paused: bool) -> Post:
        """A camera's post."""
        return cls(camera=camera, password=camera.password.get_secret_value(), zones=zones, paused=paused)

    def settings(self) -> CameraSettings:
        """The camera's settings with its password."""
        return CameraSettings.model_validate({**self.camera.model_dump(), "password": self.password})


class Start(Value):
    """What a process of cameras does; its first message."""

    what: Literal["start"] = "start"
    posts: tuple[Post, ...]
    model: Path
    sha256: str
    """Of the model that was approved: another one is not run."""
    rules: Rules
    frames_a_s: float
    before_s: float
    after_s: float
    turns: Path


class Order(Value):
    """What a process of cameras is told later."""

    what: Literal["watch", "zones", "accept-view", "pause", "go-on"]
    camera: str = ""
    zones: Zones = Zones()


class ToGroup(Value):
    """Envelope of what the worker says."""

    said: Annotated[Start | Order, Field(discriminator="what")]


class ToWorker(Message):
    """Envelope of what a process of cameras says: at least one a second, or it is taken for hung."""

    notices: Annotated[tuple[Notice, ...], Field(max_length=64)] = ()
    standings: Annotated[tuple[Standing, ...], Field(max_length=64)] = ()
    problem: Annotated[str, Field(max_length=400)] = ""
    """Why it ends itself."""


def packed(message: ToGroup | ToWorker) -> bytes:
    """A message as it goes over the pipe."""
    data = message.model_dump_json().encode()
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"a message of {len(data)} bytes is too long", hint="send fewer pictures")
    return LENGTH.pack(len(data)) + data


def read(stream: BinaryIO) -> ToGroup | None:
    """The next message of the worker; None when it is gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    data = stream.read(LENGTH.unpack(head)[0])
    try:
        return ToGroup.model_validate_json(data)
    except ValidationError:
        return None


async def receive(stream: asyncio.StreamReader) -> ToWorker | None:
    """The next message of a process of cameras; None when it ended. Raises `InvalidInput` for what is no message."""
    try:
        (length,) = LENGTH.unpack(await stream.readexactly(LENGTH.size))
        if length > MOST_BYTES:
            raise InvalidInput(f"a process of cameras sent {length} bytes at once", hint="it is started anew")
        data = await stream.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    try:
        return ToWorker.model_validate_json(data)
    except ValidationError as error:
        raise InvalidInput(
            f"a process of cameras sent what is no message: {error.error_count()} errors", hint="it is started anew"
        ) from error
