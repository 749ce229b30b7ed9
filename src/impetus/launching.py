"""How the process of a part comes about: it is forked from one that has imported the program already.

Most of a part's start is imports. Such a process has them behind it (`multiprocessing`'s fork server), so that a part
that died is back at once even where the processors are busy, and all parts share the memory of what is imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Protocol

HEARTBEAT_VARIABLE = "IMPETUS_HEARTBEAT_FD"
STATUS_LIMIT_S = 5.0
"""An ended process's exit status is known after so long, or never."""
STATUS_UNKNOWN = 255
"""As `multiprocessing` has it."""


class Child(Protocol):
    """A process that was started; `asyncio.subprocess.Process` is one."""

    @property
    def pid(self) -> int:
        """Process id."""

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""

    async def wait(self) -> int:
        """Wait for its end; the exit status."""

    def terminate(self) -> None:
        """Ask it to end. Raises ProcessLookupError if it has."""

    def kill(self) -> None:
        """End it by force. Raises ProcessLookupError if it has ended."""


class Launcher(Protocol):
    """Starts processes."""

    async def launch(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, output: int, heartbeat: int
    ) -> Child:
        """Start `impetus ARGUMENTS` in a session of its own.

        It writes to the file descriptor `output` and finds `heartbeat` in its environment (`HEARTBEAT_VARIABLE`); both
        stay the caller's to close. Raises OSError if it cannot be started.
        """


class ForkLauncher:
    """Forks each process from one that has imported `modules`.

    That one starts with the first launch, and again with a later one if it died; the children live on without it.
    """

    def __init__(self, modules: Sequence[str] = ("impetus.preloaded",)) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(modules))
        # multiprocessing looks at all its processes whenever one starts, and an exit status can be read only once.
        self._lock = asyncio.Lock()

    async def launch(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, output: int, heartbeat: int
    ) -> Child:
        """See `Launcher`."""
        with (
            contextlib.closing(Connection(os.dup(output), readable=False)) as output_end,
            contextlib.closing(Connection(os.dup(heartbeat), readable=False)) as heartbeat_end,
        ):
            process = self._context.Process(
                target=_run_part, args=(tuple(arguments), dict(environment), output_end, heartbeat_end)
            )
            async with self._lock:
                try:
                    await asyncio.to_thread(process.start)
                except EOFError as error:  # it died at that moment
                    raise OSError("the process that parts are forked from ended") from error
        if process.pid is None:
            raise OSError("the process that parts are forked from told of none")
        return _Forked(process, process.pid, self._lock)


class _Forked:
    """A forked process, watched by its own descriptor: the fork server may die before it."""

    def __init__(self, process: ForkServerProcess, pid: int, lock: asyncio.Lock) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._process = process
        self._lock = lock
        try:
            self._descriptor: int | None = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._descriptor = None
        self._ending = asyncio.create_task(self._end(), name=f"end of process {self.pid}")

    async def wait(self) -> int:
        return await asyncio.shield(self._ending)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._descriptor is None:
            raise ProcessLookupError(f"process {self.pid} has ended")
        signal.pidfd_send_signal(self._descriptor, number)

    async def _end(self) -> int:
        if self._descriptor is not None:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(self._descriptor, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._descriptor)
                os.close(self._descriptor)
                self._descriptor = None
        async with self._lock:
            await asyncio.to_thread(self._process.join, STATUS_LIMIT_S)
            status = self._process.exitcode
        self.returncode = STATUS_UNKNOWN if status is None else status
        return self.returncode


def _run_part(
    arguments: Sequence[str], environment: Mapping[str, str], output: Connection, heartbeat: Connection
) -> None:
    """What a forked process does: become a session, files, environment and command line of its own, and run."""
    from setproctitle import setproctitle

    from impetus import cli

    sys.argv = ["impetus", *arguments]
    setproctitle(" ".join(sys.argv))  # it looks for the command line beside the environment, so before that changes
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((nothing, 0), (output.fileno(), 1), (output.fileno(), 2)):
        os.dup2(descriptor, standard)
    os.close(nothing)
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    os.environ[HEARTBEAT_VARIABLE] = str(os.dup(heartbeat.fileno()))
    heartbeat.close()
    cli.main()
