"""A camera's frames at their own pace: of a network camera as they come, of files and rendered scenes by the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from impetus.model import Unavailable
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.connecting import Turns
from impetus.tools.firearm.sources import PICTURES, Frame, files_of, frames_of, from_picture, is_stream, read_picture


def frames(settings: CameraSettings, rate: float, ending: threading.Event, turns: Turns) -> Iterator[Frame]:
    """The frames of a camera until `ending` is set; `rate`: frames a second of what has no rate of its own.

    Raises as `impetus.tools.firearm.sources.frames_of` does.
    """
    address = settings.opened()
    if address.startswith("scene:"):
        yield from _rendered(address, rate, ending)
    elif is_stream(address):
        yield from _streamed(address, ending, turns)
    else:
        yield from _played(Path(address.removeprefix("file://")), rate, ending)


def _streamed(address: str, ending: threading.Event, turns: Turns) -> Iterator[Frame]:
    with turns.taken(ending.is_set) as turn:
        if not turn:
            return
        coming = frames_of(address)
        first = next(coming, None)
    if first is None:
        raise Unavailable("the stream ended before its first picture", hint="check the camera")
    yield first
    yield from coming


def _played(path: Path, rate: float, ending: threading.Event) -> Iterator[Frame]:
    begun = time.monotonic()
    base_s, number = 0.0, 0
    for file in files_of(path):
        if file.suffix.lower() in PICTURES:
            coming: Iterator[Frame] = iter((from_picture(read_picture(file), number, 0.0),))
        else:
            coming = frames_of(str(file))
        last_s = 0.0
        for frame in coming:
            last_s = frame.time_s
            ending.wait(max(0.0, begun + base_s + last_s - time.monotonic()))
            yield Frame(number, base_s + last_s, frame.height, frame.width, frame.small, frame.picture)
            number += 1
        base_s += last_s + 1 / rate


def _rendered(address: str, rate: float, ending: threading.Event) -> Iterator[Frame]:
    # Rendering needs what no real camera does: it is read only for scenes.
    from impetus.tools.firearm.scenes.live import Calls, scene_of

    scene, calls = scene_of(address), Calls(address)
    begun = time.monotonic()
    number = 0
    while not ending.is_set():
        time_s = number / rate
        ending.wait(max(0.0, begun + time_s - time.monotonic()))
        for _ in range(calls.new()):
            scene.call(time_s)
        yield from_picture(scene.frame(time_s).picture, number, time_s)
        number += 1
