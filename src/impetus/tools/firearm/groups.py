"""The worker's side of the processes of cameras: starts them, watches them, starts a dead or hung one anew."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from impetus.model import InvalidInput
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.health import CameraState
from impetus.tools.firearm.notices import Notice, Standing
from impetus.tools.firearm.wire import Order, Post, Start, ToGroup, packed, receive
from impetus.tools.firearm.zones import Zones

START_S, HANG_S, STOP_S = 120.0, 20.0, 6.0
"""How long the first message of a process may take, each later one, and its end."""
FIRST_PAUSE_S, LONGEST_PAUSE_S, HEALTHY_S = 1.0, 60.0, 60.0
SPARING = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072"}
"""Threads that each have an arena, and pictures that are kept once they are done with, take twice the memory."""
MOST_NOTICES = 500
"""Notices that wait for the worker; a process that has more waits too."""


@dataclass(frozen=True)
class Plan:
    """What all processes have in common."""

    model: Path
    sha256: str
    rules: Rules
    frames_a_s: float
    before_s: float
    after_s: float
    hang_s: float = HANG_S


class Groups:
    """All cameras of an organisation, a few a process.

    `standings` says how each camera is, at once and also while its process is away; `notices` what happened.
    """

    def __init__(self, plan: Plan, cameras: Sequence[CameraSettings], cameras_a_process: int) -> None:
        self._plan = plan
        self.notices: asyncio.Queue[Notice] = asyncio.Queue(MOST_NOTICES)
        self.standings = {camera.id: Standing(camera=camera.id) for camera in cameras}
        self.pictures: dict[str, bytes] = {}
        self._turns = tempfile.TemporaryDirectory(prefix="impetus-firearm-")
        self._groups = [
            _Group(self, plan, cameras[first : first + cameras_a_process], Path(self._turns.name))
            for first in range(0, len(cameras), cameras_a_process)
        ]

    def start(self, zones: Mapping[str, Zones], paused: frozenset[str]) -> None:
        """Start the processes; they go on until `close`."""
        for group in self._groups:
            group.start(zones, paused)

    async def close(self) -> None:
        """End all processes; what they still had to tell is in `notices`."""
        await asyncio.gather(*(group.close() for group in self._groups))
        self._turns.cleanup()

    @property
    def processes(self) -> list[int]:
        """Their process ids, of those that run."""
        return [group.process.pid for group in self._groups if group.process and group.process.returncode is None]

    def watch(self) -> None:
        """Somebody looks at the wall."""
        for group in self._groups:
            group.order(Order(what="watch"))

    def accept_view(self, camera: str) -> None:
        """A camera looks where it should."""
        self._of(camera).order(Order(what="accept-view", camera=camera))

    def set_zones(self, camera: str, zones: Zones) -> None:
        """Zones of a camera, for now and for when its process is started anew."""
        group = self._of(camera)
        group.zones[camera] = zones
        group.order(Order(what="zones", camera=camera, zones=zones))

    def pause(self, paused: frozenset[str]) -> None:
        """Which cameras are not watched at this hour."""
        for group in self._groups:
            group.pause(paused)

    def _of(self, camera: str) -> _Group:
        return next(group for group in self._groups if any(each.id == camera for each in group.cameras))


class _Group:
    """One process, started anew when it ends or hangs."""

    def __init__(self, groups: Groups, plan: Plan, cameras: Sequence[CameraSettings], turns: Path) -> None:
        self.cameras = cameras
        self.zones: dict[str, Zones] = {}
        self.process: asyncio.subprocess.Process | None = None
        self._paused: frozenset[str] = frozenset()
        self._groups, self._plan, self._turns = groups, plan, turns
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, zones: Mapping[str, Zones], paused: frozenset[str]) -> None:
        self.zones = {camera.id: zones[camera.id] for camera in self.cameras if camera.id in zones}
        self._paused = paused
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._stopping.set()
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        if self._task is not None:
            # Cancelled after that: whoever closes must not wait for a process that does not listen.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * STOP_S):
                    await self._task

    def order(self, order: Order) -> None:
        """Tell the process, if there is one: a new one is told all at its start."""
        process = self.process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        process.stdin.write(packed(ToGroup(said=order)))

    def pause(self, paused: frozenset[str]) -> None:
        for camera in self.cameras:
            if (camera.id in paused) != (camera.id in self._paused):
                self.order(Order(what="pause" if camera.id in paused else "go-on", camera=camera.id))
        self._paused = paused

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            begun = loop.time()
            outcome = await self._once()
            if self._stopping.is_set():
                return
            await self._away(outcome)
            if loop.time() - begun >= HEALTHY_S:
                pause_s = FIRST_PAUSE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _once(self) -> str:
        """One life of the process, and in words how it ended."""
        try:
            self.process = process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "impetus.tools.firearm.group",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, **SPARING},
            )
        except OSError as error:
            return f"its process could not be started: {error.strerror}"
        try:
            return await self._attend(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            if process.returncode is None:
                try:
                    async with asyncio.timeout(STOP_S if self._stopping.is_set() else 0.5):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()
            self.process = None

    async def _attend(self, process: asyncio.subprocess.Process) -> str:
        """Give the first order, then take what it tells until it ends, hangs or talks nonsense."""
        if process.stdin is None or process.stdout is None:
            return "its process has no pipes"
        plan = self._plan
        start = Start(
            posts=tuple(
                Post.of(camera, self.zones.get(camera.id, Zones()), paused=camera.id in self._paused)
                for camera in self.cameras
            ),
            model=plan.model,
            sha256=plan.sha256,
            rules=plan.rules,
            frames_a_s=plan.frames_a_s,
            before_s=plan.before_s,
            after_s=plan.after_s,
            turns=self._turns,
        )
        process.stdin.write(packed(ToGroup(said=start)))
        limit_s = START_S
        problem = ""
        while True:
            try:
                async with asyncio.timeout(limit_s):
                    message = await receive(process.stdout)
            except TimeoutError:
                process.kill()
                return f"its process did not answer for {limit_s:.0f} s and is started anew"
            except InvalidInput as error:
                process.kill()
                return str(error)[:250]
            if message is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_S):
                        await process.wait()
                return problem or f"its process {_ended(process.returncode)} and is started anew"
            limit_s = plan.hang_s
            problem = message.problem[:250] or problem
            for standing in message.standings:
                if standing.camera in self._groups.standings:
                    self._groups.standings[standing.camera] = standing
                    if standing.picture is not None:
                        self._groups.pictures[standing.camera] = standing.picture
            for notice in message.notices:
                if notice.camera in self._groups.standings:
                    await self._groups.notices.put(notice)

    async def _away(self, words: str) -> None:
        for camera in self.cameras:
            before = self._groups.standings[camera.id]
            self._groups.standings[camera.id] = before.model_copy(
                update={"state": CameraState.AWAY, "words": words[:300]}
            )
            # An event that was open there ends with it: nobody is left who could tell its end.
            await self._groups.notices.put(Notice(camera=camera.id, what="ended"))
            await self._groups.notices.put(Notice(camera=camera.id, what="state"))


def _ended(status: int | None) -> str:
    if status is None:
        return "closed its output"
    return f"ended with the code {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"
