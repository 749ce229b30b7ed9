"""Protects against what network cameras do: go away, come back, stall, jump in time, never end a picture; and the
states that a person sees of it. Against a real RTSP server, and MJPEG over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from impetus.model import InvalidInput, Unavailable
from impetus.tools.firearm import camera as watched
from impetus.tools.firearm import sources
from impetus.tools.firearm.arrays import Picture
from impetus.tools.firearm.camera import Camera
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.connecting import TURNS, Turns
from impetus.tools.firearm.health import CameraState
from impetus.tools.firearm.notices import Notice
from impetus.tools.firearm.scenes.sequence import CameraScene
from impetus.tools.firearm.sources import Frame, frames_of, from_picture
from impetus.tools.firearm.tests.oracle import Oracle
from tests.servers import free_port, stop

LIMIT_S = 120.0
SERVER = Path(__file__).with_name("rtsp_server.py")
BINDINGS = "*/girepository-1.0/GstRtspServer-1.0.typelib"
Send = Callable[[bytes], object]


class RtspCamera:
    """A camera that speaks RTSP, and that may be killed, stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "rtsp.log"
        self._port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/camera"

    def start(self) -> None:
        with self._log.open("ab") as output:
            # Debian's own Python has GStreamer's bindings.
            self.process = subprocess.Popen(
                ["/usr/bin/python3", str(SERVER), str(self._port)], stdout=output, stderr=output
            )
        end = time.monotonic() + LIMIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    pytest.fail(f"the RTSP server did not start:\n{self._log.read_text()[-2_000:]}")
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGKILL)


@pytest.fixture
def rtsp(tmp_path: Path) -> Iterator[RtspCamera]:
    """A running one."""
    if not any(Path("/usr/lib").glob(BINDINGS)):
        pytest.fail("GStreamer's RTSP server is not installed; run scripts/install_test_packages.sh")
    server = RtspCamera(tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def watching(address: str, folder: Path, rate: float = 10.0) -> Iterator[Camera]:
    """A camera that is watched."""
    told: list[Notice] = []
    settings = CameraSettings(id="a", title="A", address=address)
    camera = Camera(settings, Oracle(), Rules(), told.append, Turns(folder), frames_a_s=rate)
    camera.start()
    try:
        yield camera
    finally:
        camera.close()
        camera.join(LIMIT_S)
        assert not camera.is_alive()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def test_rtsp_goes_away_and_comes_back(rtsp: RtspCamera, tmp_path: Path) -> None:
    """Pictures come; a server that is killed is away; when it is back, pictures come again by themselves."""
    with watching(rtsp.address, tmp_path) as camera:
        until(lambda: camera.health.state is CameraState.GOOD)
        assert camera.figures.size == (320, 180)
        rtsp.kill()
        until(lambda: camera.health.state is CameraState.AWAY)
        connections = camera.figures.connections
        rtsp.start()
        until(lambda: camera.health.state is CameraState.GOOD)
        assert camera.figures.connections > connections


def test_rtsp_that_stalls_is_away(rtsp: RtspCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that keeps its connection and sends nothing is away after the read limit; then it goes on."""
    monkeypatch.setattr(sources, "READ_S", 2.0)
    with watching(rtsp.address, tmp_path) as camera:
        until(lambda: camera.health.state is CameraState.GOOD)
        assert rtsp.process is not None
        os.kill(rtsp.process.pid, signal.SIGSTOP)
        until(lambda: camera.health.state is CameraState.AWAY)
        os.kill(rtsp.process.pid, signal.SIGCONT)
        until(lambda: camera.health.state is CameraState.GOOD)


@contextmanager
def http(serve: Callable[[Send], object], kind: str = "multipart/x-mixed-replace; boundary=cut") -> Iterator[str]:
    """An HTTP camera that sends what `serve` says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            try:
                serve(self.wfile.write)
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/video.mjpg"
    finally:
        server.shutdown()
        server.server_close()


def jpeg(height: int, width: int, place: int = 0) -> bytes:
    """A picture with a bright square."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[:, ::16] = 140
    picture[10:40, 10 + place : 40 + place] = 230
    return bytes(cv2.imencode(".jpg", picture)[1])


def part(data: bytes) -> bytes:
    """One picture of a multipart stream."""
    return b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n"


def test_mjpeg_over_http(tmp_path: Path) -> None:
    """The pictures of a camera that sends JPEG after JPEG."""

    def serve(send: Send) -> None:
        for number in range(10_000):
            send(part(jpeg(120, 160, number % 80)))
            time.sleep(0.05)

    with http(serve) as address, watching(address, tmp_path) as camera:
        until(lambda: camera.figures.analysed > 5)
        assert camera.figures.size == (160, 120)
        assert camera.health.state is CameraState.GOOD


def test_a_picture_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that dribble without end do not hold the camera for ever: it is away, with words."""
    monkeypatch.setattr(sources, "READ_S", 1.5)
    monkeypatch.setattr(sources, "OPEN_S", 1.5)

    def serve(send: Send) -> None:
        send(b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: 900000000\r\n\r\n\xff\xd8")
        while True:
            send(b"\x00" * 64)
            time.sleep(0.02)

    with http(serve) as address, watching(address, tmp_path) as camera:
        until(lambda: camera.health.state in {CameraState.AWAY, CameraState.BROKEN})
        assert camera.standing().words
        assert camera.figures.analysed == 0


def test_a_picture_of_16k_is_refused() -> None:
    """Nothing is converted, and the words say how large it is."""
    with (
        http(lambda send: send(part(jpeg(40, 16_640)) * 3)) as address,
        pytest.raises(InvalidInput, match="16640 x 40"),
    ):
        list(frames_of(address))


@pytest.mark.parametrize(("height", "width"), [(0, 64), (64, 0), (0, 0)])
def test_a_picture_without_pixels_is_none(height: int, width: int) -> None:
    """The header says that there is nothing: no frame comes of it, and the words say so."""
    whole = jpeg(48, 64)
    at = whole.index(b"\xff\xc0") + 5
    empty = whole[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + whole[at + 4 :]
    with http(lambda send: send(part(empty) * 3)) as address, pytest.raises((InvalidInput, Unavailable)):
        list(frames_of(address))


def test_a_stream_of_nothing_but_text() -> None:
    """No picture comes of what is none."""
    with (
        http(lambda send: send(b"hello " * 2_000), "text/plain") as address,
        pytest.raises((InvalidInput, Unavailable)),
    ):
        list(frames_of(address))


def test_two_hundred_cameras_take_turns(tmp_path: Path) -> None:
    """All get their turn, and never more at once than there are turns."""
    turns, lock = Turns(tmp_path), threading.Lock()
    now, most, done = 0, 0, 0

    def connect() -> None:
        nonlocal now, most, done
        with turns.taken(lambda: False) as turn:
            assert turn
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1
                done += 1

    threads = [threading.Thread(target=connect) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert done == 200
    assert 1 < most <= TURNS


PLACE = CameraScene(31, width=320, height=180, a_minute=0).frame(5.0).picture
ELSEWHERE = CameraScene(77, width=320, height=180, a_minute=0).frame(5.0).picture


def noisy(picture: Picture, number: int) -> Picture:
    """A picture as a camera gives it: never twice the same."""
    noise = np.random.default_rng(number).integers(-4, 5, picture.shape)
    return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)


SHOWN: dict[CameraState, Callable[[int], Picture]] = {
    CameraState.FROZEN: lambda number: PLACE,
    CameraState.COVERED: lambda number: noisy(np.full_like(PLACE, 60), number),
    CameraState.DARK: lambda number: noisy(np.full_like(PLACE, 4), number),
    CameraState.MOVED: lambda number: noisy(ELSEWHERE, number),
}


@pytest.mark.parametrize("state", SHOWN)
def test_what_is_wrong_with_a_picture(state: CameraState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen, covered, dark or moved camera has its word after a while, and works again when it does."""
    now_s = 0.0
    seen: list[CameraState] = []
    settings = CameraSettings(id="a", title="A", address="rtsp://h/")
    camera = Camera(settings, Oracle(), Rules(), lambda notice: seen.append(camera.health.state), Turns(tmp_path))

    def coming(*arguments: object) -> Iterator[Frame]:
        nonlocal now_s
        for number in range(180):
            now_s = number / 2
            wrong = 60 <= number < 120
            picture = SHOWN[state](number) if wrong else noisy(PLACE, number)
            yield from_picture(picture, number, now_s)
        camera.close()

    monkeypatch.setattr(watched, "frames", coming)
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    camera.run()
    assert seen == [CameraState.GOOD, state, CameraState.GOOD]


@pytest.mark.parametrize("jump_s", [-3_600.0, 3_600.0])
def test_a_clock_that_jumps(jump_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back: connected anew, with words. Ahead: gone on with. Pictures that come unevenly are no jump."""
    now_s = 0.0
    said: list[str] = []
    settings = CameraSettings(id="a", title="A", address="rtsp://h/")
    camera = Camera(settings, Oracle(), Rules(), lambda notice: said.append(camera.standing().words), Turns(tmp_path))

    def coming(*arguments: object) -> Iterator[Frame]:
        nonlocal now_s
        chance = np.random.default_rng(1)
        for number in range(100):
            now_s += float(chance.choice([0.02, 0.1, 0.7]))
            yield from_picture(noisy(PLACE, number), number, now_s + (jump_s if number > 50 else 0))
        camera.close()

    def ended(seconds: float | None = None) -> bool:
        camera.close()
        return True

    monkeypatch.setattr(watched, "frames", coming)
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    monkeypatch.setattr(camera._ending, "wait", ended)
    camera.run()
    assert any("clock jumps" in words for words in said) is (jump_s < 0)
    assert camera.figures.skipped == 0
    assert camera.figures.analysed > (20 if jump_s < 0 else 40)
