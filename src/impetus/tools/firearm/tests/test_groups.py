"""Protects the processes of cameras: one that dies or hangs is started anew, the others go on, nothing stays open."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.connecting import Turns
from impetus.tools.firearm.groups import Groups, Plan
from impetus.tools.firearm.health import CameraState
from impetus.tools.firearm.notices import Notice
from impetus.tools.firearm.tests.finder import always, sha256
from impetus.tools.firearm.wire import Post, ToWorker, packed, read, receive
from impetus.tools.firearm.zones import Zones

LIMIT_S = 120.0


def camera(id: str) -> CameraSettings:
    """A rendered camera."""
    return CameraSettings(id=id, title=id, address="scene:31?a_minute=30&width=320")


@asynccontextmanager
async def running(folder: Path, *ids: str, a_process: int = 1, hang_s: float = 60.0) -> AsyncIterator[Groups]:
    """Processes of rendered cameras."""
    path = always(folder)
    plan = Plan(path, sha256(path), Rules(threshold=0.5), 5.0, 1.0, 1.0, hang_s=hang_s)
    groups = Groups(plan, [camera(id) for id in ids], a_process)
    groups.start({}, frozenset())
    try:
        yield groups
    finally:
        await groups.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.05)


def taken(groups: Groups) -> list[Notice]:
    """The notices that wait."""
    found = []
    while not groups.notices.empty():
        found.append(groups.notices.get_nowait())
    return found


async def test_a_process_that_dies_is_started_anew(tmp_path: Path) -> None:
    """Its camera is away meanwhile, what was open there ends, the other one's process goes on; no process is left."""
    async with running(tmp_path, "one", "two") as groups:
        await until(lambda: all(each.state is CameraState.GOOD for each in groups.standings.values()))
        first = set(groups.processes)
        assert len(first) == 2
        victim = groups.processes[0]
        seen: list[Notice] = taken(groups)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: groups.standings["one"].state is CameraState.AWAY)
        assert "SIGKILL" in groups.standings["one"].words
        assert groups.standings["two"].state is CameraState.GOOD
        seen += taken(groups)
        assert any(each.camera == "one" and each.what == "ended" and each.event is None for each in seen)
        before = groups.standings["two"].figures.analysed
        await until(lambda: groups.standings["one"].state is CameraState.GOOD)
        await until(lambda: groups.standings["two"].figures.analysed > before)
        assert first - {victim} <= set(groups.processes)
        last = groups.processes
    for process in last:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


async def test_a_process_that_hangs_is_killed(tmp_path: Path) -> None:
    """One that tells nothing any more is away, and another takes its place."""
    async with running(tmp_path, "one", hang_s=4.0) as groups:
        await until(lambda: groups.standings["one"].state is CameraState.GOOD)
        (victim,) = groups.processes
        os.kill(victim, signal.SIGSTOP)
        await until(lambda: groups.standings["one"].state is CameraState.AWAY)
        assert "did not answer" in groups.standings["one"].words
        await until(lambda: groups.standings["one"].state is CameraState.GOOD)
        assert groups.processes != [victim]


async def test_cameras_share_a_process(tmp_path: Path) -> None:
    """As many as are set; each raises its own event with its own pictures."""
    async with running(tmp_path, "one", "two", "three", a_process=2) as groups:
        begun: dict[str, Notice] = {}

        def all_begun() -> bool:
            begun.update({each.camera: each for each in taken(groups) if each.what == "begun"})
            return len(begun) == 3

        await until(all_begun)
        assert len(groups.processes) == 2
        for notice in begun.values():
            assert notice.snapshot.startswith(b"\xff\xd8")
            assert notice.event is not None
            assert 0 < notice.taken_s <= time.monotonic()


async def test_another_model_than_the_approved_one_is_not_run(tmp_path: Path) -> None:
    """A file that was exchanged after its approval: no camera is watched, and the board says why."""
    path = always(tmp_path)
    plan = Plan(path, "0" * 64, Rules(), 5.0, 1.0, 1.0)
    groups = Groups(plan, [camera("one")], 4)
    groups.start({}, frozenset())
    await until(lambda: "approved" in groups.standings["one"].words)
    assert groups.standings["one"].figures.analysed == 0
    await groups.close()


async def test_nonsense_from_a_process_is_refused() -> None:
    """What is no message, or too long a one, is an error with a sentence; an end in the middle is an end."""
    for data in (b"\0\0\0\2{}x", struct.pack(">I", 1 << 31), packed(ToWorker())[:-1], b""):
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        if data[:4] == struct.pack(">I", 1 << 31):
            with pytest.raises(InvalidInput):
                await receive(stream)
        elif data[:1] == b"\0" and len(data) == 7:
            assert await receive(stream) == ToWorker()
        else:
            assert await receive(stream) is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_word(data: bytes) -> None:
    """Whatever a process writes: a message, an end, or a refusal."""

    async def received() -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(struct.pack(">I", len(data)) + data)
        stream.feed_eof()
        try:
            message = await receive(stream)
        except InvalidInput:
            return
        assert isinstance(message, ToWorker)

    asyncio.run(received())
    assert read(io.BytesIO(struct.pack(">I", len(data)) + data)) is None


def test_a_password_goes_over_the_pipe_only() -> None:
    """The post of a camera holds it, the camera's own words do not."""
    settings = CameraSettings.model_validate(
        {"id": "a", "title": "A", "address": "rtsp://h/", "user": "u", "password": "secret"}
    )
    post = Post.of(settings, Zones(), paused=False)
    again = Post.model_validate_json(post.model_dump_json())
    assert again.settings().opened() == "rtsp://u:secret@h/"
    assert "secret" not in settings.model_dump_json()


def test_turns_are_given_back_by_whoever_dies(tmp_path: Path) -> None:
    """As many as there are, no more; a process that is killed while it holds one gives it back."""
    turns = Turns(tmp_path, turns=2)
    with turns.taken(lambda: True) as first, turns.taken(lambda: True) as second:
        assert first
        assert second
        with turns.taken(lambda: True) as third:
            assert not third
    child = os.fork()
    if child == 0:
        with turns.taken(lambda: True), turns.taken(lambda: True):
            signal.pause()
    held = Turns(tmp_path, turns=2)
    end = time.monotonic() + LIMIT_S
    while True:
        with held.taken(lambda: True) as turn:
            if not turn:
                break
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with held.taken(lambda: True) as turn:
        assert turn
