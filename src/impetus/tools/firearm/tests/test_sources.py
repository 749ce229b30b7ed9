"""Protects against what streams bring: broken H.264, no picture at all, sizes that nobody can use."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.model import ImpetusError, InvalidInput, Unavailable
from impetus.tools.firearm import hardware
from impetus.tools.firearm.recording import Ring, clip
from impetus.tools.firearm.sources import frames_of, read_picture, shown


def video(path: Path, *, frames: int = 20, codec: str = "libx264") -> Path:
    """A small video with something that moves."""
    with av.open(str(path), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=10))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(frames):
            picture = np.full((64, 96, 3), 60, np.uint8)
            picture[20:40, 2 * number : 2 * number + 20] = 200
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def test_frames_of_a_video(tmp_path: Path) -> None:
    """All frames, their times, the grey copy without conversion and the whole picture."""
    frames = list(frames_of(str(video(tmp_path / "a.mp4"))))
    assert [frame.number for frame in frames] == list(range(20))
    assert frames[10].time_s == pytest.approx(1.0, abs=0.01)
    assert frames[0].picture().shape == (64, 96, 3)
    small = frames[0].small()
    assert abs(int(small[30, 5]) - 200) < 25
    assert abs(int(small[5, 80]) - 60) < 25


def test_hardware_that_refuses_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's file without a device that works: the processor decodes, and the device is not tried again."""
    monkeypatch.setattr(hardware, "NODES", {"cuda": str(tmp_path)})
    monkeypatch.setattr(hardware, "_refused", set())
    monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda"])
    monkeypatch.setattr(hardware, "HWAccel", Refusing)
    assert hardware.device() == "cuda"
    assert len(list(frames_of(str(video(tmp_path / "a.mp4"))))) == 20
    assert hardware.device() is None


def test_a_camera_that_is_away_is_not_blamed_on_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be opened either way is a matter of the video."""
    monkeypatch.setattr(hardware, "NODES", {"cuda": str(tmp_path)})
    monkeypatch.setattr(hardware, "_refused", set())
    monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda"])
    monkeypatch.setattr(hardware, "HWAccel", Refusing)
    with pytest.raises(InvalidInput):
        list(frames_of(str(tmp_path / "nothing.mp4")))
    assert hardware.device() == "cuda"


class Refusing:
    """A device that cannot be opened."""

    def __init__(self, *_: object, **__: object) -> None:
        raise PermissionError("Operation not permitted")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=60), st.floats(0.2, 1.0))
def test_corrupt_videos_end_in_a_word(tmp_path: Path, changes: list[tuple[float, int]], length: float) -> None:
    """Any bytes changed or cut off: frames, or an error with a sentence; never anything else."""
    whole = tmp_path / "whole.mp4"
    data = bytearray((whole if whole.exists() else video(whole)).read_bytes())
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(data[: int(len(data) * length)]))
    try:
        for frame in frames_of(str(broken)):
            assert frame.picture().shape[2] == 3
            frame.small()
    except ImpetusError:
        return


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    """Text, nothing and sound are no video; a camera that is not there is away."""
    text = tmp_path / "a.mp4"
    text.write_bytes(b"hello" * 100)
    with pytest.raises(InvalidInput):
        list(frames_of(str(text)))
    empty = tmp_path / "b.mp4"
    empty.write_bytes(b"")
    with pytest.raises(InvalidInput):
        list(frames_of(str(empty)))
    with pytest.raises(Unavailable):
        list(frames_of("http://user:secret@127.0.0.1:9/stream"))


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    """Empty, cut and foreign files have their word."""
    for name, data in (("a.jpg", b""), ("b.jpg", b"\xff\xd8\xff\xe0cut"), ("c.png", b"GIF89a")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InvalidInput):
            read_picture(tmp_path / name)


def test_passwords_are_not_shown() -> None:
    """An address for people has no user and no password."""
    assert "secret" not in shown("rtsp://user:secret@10.0.0.1:554/a")


def test_the_ring_forgets_and_gives_a_clip() -> None:
    """Only so many seconds are in memory; a clip of them is a video that plays."""
    ring = Ring(2.0)
    picture = np.full((90, 160, 3), 100, np.uint8)
    for number in range(50):
        ring.add(picture, number / 10)
    assert 20 <= len(ring) <= 21
    data = clip(ring.since(3.5))
    with av.open(io.BytesIO(data), "r") as container:
        assert len(list(container.decode(video=0))) >= 14
    assert clip([]) == b""
