"""Pictures from cameras: RTSP, HTTP, video files, folders of pictures and rendered scenes, all with the same face.

Each frame can give its small grey copy without the whole being converted, because most frames are needed no further.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from impetus.model import InvalidInput, Unavailable
from impetus.tools.firearm.arrays import Mask, Picture
from impetus.tools.firearm.gate import small_size
from impetus.tools.firearm.hardware import opened
from impetus.tools.firearm.inference import LARGEST_PIXELS, LARGEST_SIDE

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
VIDEOS = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".ts", ".m4v", ".h264", ".264", ".mpg", ".mpeg", ".mjpeg"})
STREAMS = frozenset({"rtsp", "rtsps", "http", "https"})
OPEN_S, READ_S = 8.0, 6.0
"""A stream that says nothing for so long is away."""
PICTURE_S = 15.0
"""A stream that talks for so long without a whole picture is given up."""
MOST_BROKEN = 250
"""Broken packets one after the other, after which a stream is given up."""
MOST_FILE_BYTES = 100_000_000
"""Of one picture file."""


@dataclass(frozen=True)
class Frame:
    """One picture of a source. `number` counts all frames of the source, `time_s` is since its start."""

    number: int
    time_s: float
    height: int
    width: int
    small: Callable[[], Mask]
    """The grey copy, of `impetus.tools.firearm.gate.small_size`."""
    picture: Callable[[], Picture]
    """Blue, green, red."""


def from_picture(picture: Picture, number: int, time_s: float) -> Frame:
    """A frame of an array."""
    height, width = picture.shape[:2]

    def small() -> Mask:
        high, wide = small_size(height, width)
        copy = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(copy, cv2.COLOR_BGR2GRAY), np.uint8)

    return Frame(number, time_s, height, width, small, lambda: picture)


def is_stream(address: str) -> bool:
    """Whether it is an address of a network camera."""
    return urlsplit(address).scheme.lower() in STREAMS


def shown(address: str) -> str:
    """An address without a password, for people.

    >>> shown("rtsp://user:secret@10.0.0.7/stream")
    'rtsp://10.0.0.7/stream'
    """
    parts = urlsplit(address)
    if parts.scheme.lower() not in STREAMS:
        return address
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def read_picture(file: Path) -> Picture:
    """The picture of a file; raises `InvalidInput` if it is none."""
    try:
        if file.stat().st_size > MOST_FILE_BYTES:
            raise InvalidInput(f"{file} is larger than {MOST_FILE_BYTES // 1_000_000} MB", hint="use a smaller picture")
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", hint="name a picture") from error
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:
        picture = None
    if picture is None:
        raise InvalidInput(f"{file} is no picture that can be read", hint="use JPEG or PNG")
    return np.asarray(picture, np.uint8)


def frames_of(address: str, *, threads: int = 1) -> Iterator[Frame]:
    """The frames of a video file or of a network camera, as fast as they come.

    Broken packets are passed over. Raises `InvalidInput` where there is no video, the pictures have too many pixels, or
    nothing but broken packets comes; `Unavailable` where a camera is away.
    """
    stream = is_stream(address)
    options = {"rtsp_transport": "tcp", "fflags": "nobuffer"} if address.startswith("rtsp") else {}
    try:
        container = opened(
            lambda device: av.open(
                address, options=options, timeout=(OPEN_S, READ_S) if stream else None, hwaccel=device
            )
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        if stream:
            raise Unavailable(f"{shown(address)} does not answer: {_said(error)}", hint="check the camera") from error
        raise InvalidInput(f"{address} is no video: {_said(error)}", hint="name a video file") from error
    with contextlib.closing(container):
        if not container.streams.video:
            raise InvalidInput(f"{shown(address)} has no picture, only sound", hint="name a video")
        video = container.streams.video[0]
        if video.codec_context is None:
            raise InvalidInput(f"{shown(address)} is packed in a way that is not known", hint="let it send H.264")
        video.codec_context.thread_count = threads
        yield from _decoded(container, video, shown(address), stream=stream)


def _decoded(
    container: av.container.InputContainer, video: av.VideoStream, name: str, *, stream: bool
) -> Iterator[Frame]:
    number, broken = 0, 0
    first_s: float | None = None
    rate = float(video.average_rate or video.guessed_rate or 25)
    packets = container.demux(video)
    pictured_s = time.monotonic()
    while True:
        if stream and time.monotonic() - pictured_s > PICTURE_S:
            raise Unavailable(f"{name} sends no whole picture", hint="check the camera")
        try:
            packet = next(packets)
            decoded = packet.decode()
        except StopIteration:
            break
        except (av.FFmpegError, OSError, ValueError) as error:
            if isinstance(error, av.EOFError):
                break
            broken += 1
            if stream and not isinstance(error, av.InvalidDataError):
                raise Unavailable(f"{name} went away: {_said(error)}", hint="check the camera") from error
            if broken > MOST_BROKEN:
                raise InvalidInput(f"{name} sends nothing but broken pictures", hint="check the camera") from error
            continue
        for frame in decoded:
            height, width = frame.height, frame.width
            if height < 1 or width < 1:
                broken += 1
                continue
            if max(height, width) > LARGEST_SIDE or height * width > LARGEST_PIXELS:
                raise InvalidInput(f"{name} sends {width} x {height} pixels", hint="let it send a smaller picture")
            broken = 0
            moment = float(frame.time) if frame.pts is not None else number / rate
            first_s = moment if first_s is None else first_s
            yield _frame(frame, number, moment - first_s, height, width)
            # However long the picture was looked at, that is not the camera's silence.
            pictured_s = time.monotonic()
            number += 1
    if not number:
        raise InvalidInput(f"{name} holds no picture that can be read", hint="check the file")


def _frame(frame: av.VideoFrame, number: int, time_s: float, height: int, width: int) -> Frame:
    def small() -> Mask:
        high, wide = small_size(height, width)
        plane = frame.planes[0]
        if frame.format.name.startswith(("yuv", "nv12", "gray")) and plane.line_size >= width:
            # The brightness lies there already: only it is read and shrunk.
            grey = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            if grey.shape[0] >= height and not frame.format.name.endswith(("le", "be")):
                step = max(1, min(height // high, width // wide) // 3)
                thinned = np.ascontiguousarray(grey[:height:step, :width:step])
                return np.asarray(cv2.resize(thinned, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)
        return np.asarray(frame.reformat(width=wide, height=high, format="gray").to_ndarray(), np.uint8)

    def picture() -> Picture:
        return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)

    return Frame(number, time_s, height, width, small, picture)


def _said(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:160]


def files_of(path: Path) -> list[Path]:
    """The picture and video files that a path names: itself, or those below a folder in order of their names.

    Raises `InvalidInput` where there is none.
    """
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in PICTURES | VIDEOS and each.is_file())
        if not found:
            raise InvalidInput(f"{path} holds no picture and no video", hint="name a folder with some")
        return found
    if not path.exists():
        raise InvalidInput(f"{path} does not exist", hint="name a video, a picture or a folder")
    return [path]
