"""The last seconds of a camera, in memory only, and a clip made of them when an event asks for one."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np

from impetus.tools.firearm.arrays import Picture

CLIP_WIDTH = 960
QUALITY = 82
MOST_FRAMES = 400
CODEC = "libvpx"
"""VP8: free of patents' fees, and every browser plays it."""


@dataclass(frozen=True)
class Kept:
    """One frame of the ring: its time, and the picture as JPEG."""

    time_s: float
    data: bytes


class Ring:
    """The newest frames of so many seconds; older ones are gone."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._frames: deque[Kept] = deque(maxlen=MOST_FRAMES)

    def add(self, picture: Picture, time_s: float) -> None:
        """Keep a picture; a time before the last one empties the ring."""
        if self._frames and time_s < self._frames[-1].time_s:
            self._frames.clear()
        height, width = picture.shape[:2]
        if width > CLIP_WIDTH:
            picture = np.asarray(
                cv2.resize(picture, (CLIP_WIDTH, round(height * CLIP_WIDTH / width)), interpolation=cv2.INTER_AREA),
                np.uint8,
            )
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        self._frames.append(Kept(time_s, bytes(data)))
        while self._frames and time_s - self._frames[0].time_s > self._seconds:
            self._frames.popleft()

    def since(self, time_s: float) -> list[Kept]:
        """Frames from a time on."""
        return [frame for frame in self._frames if frame.time_s >= time_s]

    def __len__(self) -> int:
        return len(self._frames)


def clip(frames: Sequence[Kept]) -> bytes:
    """A WebM of the frames with their own times; empty where there are fewer than two."""
    if len(frames) < 2:
        return b""
    first = _picture(frames[0].data)
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = cast(av.VideoStream, container.add_stream(CODEC, rate=30))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, 1_000)
        stream.codec_context.time_base = Fraction(1, 1_000)
        stream.options = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "1500k"}
        last = -1
        for kept in frames:
            picture = np.ascontiguousarray(_picture(kept.data)[:height, :width])
            if picture.shape[:2] != (height, width):
                continue
            moment = round((kept.time_s - frames[0].time_s) * 1_000)
            if moment <= last:
                continue
            last = moment
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = moment, Fraction(1, 1_000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return out.getvalue()


def _picture(data: bytes) -> Picture:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.zeros((2, 2, 3), np.uint8) if decoded is None else np.asarray(decoded, np.uint8)
