"""Keeps the other processes alive: starts them, notices when one dies or hangs, starts it again with back-off.

The supervisor does nothing else, so that there is little that can bring it down. A child writes a byte a second into a
pipe that it inherits; silence means that its event loop hangs. When the supervisor itself is gone the pipe is broken,
and the child ends too, so that no orphan keeps a port or a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from impetus.launching import HEARTBEAT_VARIABLE, Child, Launcher

HELD_LOOK_S = 0.3
LOG_LIMIT_BYTES = 10 * 1024 * 1024
"""A part's log beyond this is set aside as `NAME.log.1` when the part starts."""
LOOK_S = 0.5
"""So often parts are looked at."""

log = structlog.get_logger("supervisor")


@dataclass(frozen=True, slots=True)
class Part:
    """One child process."""

    name: str
    """As the status board shows it: `hub`, `worker-anomaly`, `connector-mqtt`."""
    arguments: Sequence[str]
    """What follows `impetus` on the command line."""
    hang_s: float = 20.0
    """Without a heartbeat for so long the child is killed and started again."""
    start_s: float = 60.0
    """The first heartbeat may take so long."""


@dataclass(slots=True)
class _Running:
    process: Child | None = None
    restarts: int = 0
    silence_s: float = 0.0
    """Since its last heartbeat, as far as this process itself was awake."""
    beaten: bool = False


Report = Callable[[str, str, int], Awaitable[None]]
"""Called with the part's name, what happened in words, and the number of restarts so far."""


class Supervisor:
    """Runs parts until it is stopped.

    `back_off_s` is the wait before the first restart; it doubles up to `back_off_limit_s`, and starts anew after a part
    has run for `healthy_s`.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        launcher: Launcher,
        environment: dict[str, str],
        logs: Path,
        report: Report | None = None,
        back_off_s: float = 0.2,
        back_off_limit_s: float = 30.0,
        healthy_s: float = 60.0,
        stop_s: float = 10.0,
    ) -> None:
        self._parts = {part.name: part for part in parts}
        self._environment = environment
        self._logs = logs
        self._report = report
        self._launcher = launcher
        self._back_off_s = back_off_s
        self._back_off_limit_s = back_off_limit_s
        self._healthy_s = healthy_s
        self._stop_s = stop_s
        self._stopping = asyncio.Event()
        self._running = {part.name: _Running() for part in parts}
        self._held: frozenset[str] = frozenset()

    def process_ids(self) -> dict[str, int]:
        """The process id of each part that runs now."""
        return {
            name: running.process.pid
            for name, running in self._running.items()
            if running.process is not None and running.process.returncode is None
        }

    def stop(self) -> None:
        """Ask all parts to end; `run` returns when they have."""
        self._stopping.set()

    def hold(self, names: Collection[str]) -> None:
        """These parts shall not run until they are named no more: in an exercise, a part that is down."""
        self._held = frozenset(names)

    async def run(self) -> None:
        """Start all parts and keep them running until `stop` is called."""
        self._logs.mkdir(parents=True, exist_ok=True)
        async with asyncio.TaskGroup() as group:
            for part in self._parts.values():
                group.create_task(self._keep(part), name=part.name)

    async def _keep(self, part: Part) -> None:
        running = self._running[part.name]
        back_off_s = self._back_off_s
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            if part.name in self._held:
                await self._tell(part.name, "is down: the controller of the exercise wants it so", running.restarts)
                while part.name in self._held and not self._stopping.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(HELD_LOOK_S):
                            await self._stopping.wait()
                continue
            started_s = loop.time()
            outcome = await self._run_once(part, running)
            if self._stopping.is_set():
                return
            if part.name in self._held:
                continue
            if loop.time() - started_s >= self._healthy_s:
                back_off_s = self._back_off_s
            running.restarts += 1
            await self._tell(part.name, f"{outcome}; starting again in {back_off_s:.1f} s", running.restarts)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(back_off_s):
                    await self._stopping.wait()
            back_off_s = min(back_off_s * 2, self._back_off_limit_s)

    async def _run_once(self, part: Part, running: _Running) -> str:
        """Start the part, wait for its end, and say in words how it ended."""
        loop = asyncio.get_running_loop()
        read_end, write_end = os.pipe()
        try:
            with self._open_log(part.name) as output:
                try:
                    process = await self._launcher.launch(
                        part.arguments, self._environment, output=output.fileno(), heartbeat=write_end
                    )
                except OSError as error:
                    return f"could not be started: {error}"
        except OSError as error:
            os.close(read_end)
            return f"could not be started, its log cannot be written: {error}"
        finally:
            os.close(write_end)

        running.process = process
        running.beaten = False
        running.silence_s, looked_s, waited_s = 0.0, loop.time(), 0.0
        os.set_blocking(read_end, False)
        loop.add_reader(read_end, self._on_beat, read_end, running)
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        hung = False
        try:
            while not ended.done():
                await asyncio.wait({ended, stopping}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done() or part.name in self._held:
                    await self._end(process, ended)
                    return "was stopped"
                # Where this process itself was kept waiting (a machine that was paused), the part most likely was too.
                silent_s = min(loop.time() - looked_s, 2 * LOOK_S)
                # So it is where other processes had the processors: a part that cannot run does not hang.
                waited_before_s, waited_s = waited_s, _waited_s(process.pid)
                running.silence_s += max(0.0, silent_s - (waited_s - waited_before_s))
                looked_s = loop.time()
                if not ended.done() and running.silence_s > (part.hang_s if running.beaten else part.start_s):
                    hung = True
                    process.kill()
                    await ended
        finally:
            stopping.cancel()
            loop.remove_reader(read_end)
            os.close(read_end)
        if hung:
            return f"did not answer for {part.hang_s:.0f} s and was killed"
        return describe_exit(process.returncode or 0)

    def _on_beat(self, read_end: int, running: _Running) -> None:
        with contextlib.suppress(BlockingIOError):
            if os.read(read_end, 4096):
                running.beaten = True
                running.silence_s = 0.0
            else:
                # The child closed its end: it is about to be reaped.
                asyncio.get_running_loop().remove_reader(read_end)

    async def _end(self, process: Child, ended: asyncio.Task[int]) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        done, _ = await asyncio.wait({ended}, timeout=self._stop_s)
        if not done:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await ended

    def _open_log(self, name: str) -> IO[bytes]:
        path = self._logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    async def _tell(self, name: str, text: str, restarts: int) -> None:
        log.warning("part ended", part=name, what=text, restarts=restarts)
        if self._report is not None:
            try:
                await self._report(name, text, restarts)
            except Exception as error:  # the report goes over the bus, which may be what is broken
                log.error("could not report", part=name, error=str(error))


def describe_exit(status: int) -> str:
    """How a process ended, in words, from its return code (negative: a signal)."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _waited_s(process: int) -> float:
    """How long a process has waited for a processor so far: run delay of its main thread, which turns the event loop.

    0 where the system does not say (`sched-stats` in the kernel's documentation).
    """
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


class Heartbeat:
    """The child's side: tells the supervisor each second that the event loop turns."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def from_environment(cls) -> Heartbeat:
        """The pipe that the supervisor passed on; outside a supervisor it does nothing."""
        value = os.environ.pop(HEARTBEAT_VARIABLE, "")
        if not value.isdigit():
            return cls(None)
        descriptor = int(value)
        try:
            os.set_blocking(descriptor, False)
            os.set_inheritable(descriptor, False)
        except OSError:
            return cls(None)
        return cls(descriptor)

    def beat(self) -> None:
        """Say 'alive'. When the supervisor is gone, ask this process to end."""
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, b".")
        except BlockingIOError:
            pass  # the supervisor is slow to read; what is in the pipe already says enough
        except OSError:
            self._descriptor = None
            os.kill(os.getpid(), signal.SIGTERM)

    async def keep_beating(self, interval_s: float = 1.0) -> None:
        """Beat for ever; run it as a task of the loop that is to be watched."""
        while True:
            self.beat()
            await asyncio.sleep(interval_s)
