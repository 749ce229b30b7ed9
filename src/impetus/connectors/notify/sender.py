"""Sends messages through Apprise in processes of their own, so that a channel that hangs holds up nothing.

A service that does not come back cannot be stopped from within the process that called it. Therefore each is called in
a small pool of child processes: one that takes too long is killed and replaced. Channels that hung last time wait in a
lane of their own, so that they cannot use up the pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from impetus.model import InvalidInput

START_TIMEOUT_S: Final = 60.0
ANSWER_LIMIT_BYTES: Final = 64 * 1024
_LOCAL: Final = frozenset({"dbus", "kde", "qt", "gio", "glib", "gnome", "macosx", "windows", "syslog", "file"})
"""Services that would act on the machine that runs impetus."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt."""

    sent: bool
    reason: str = ""
    """Why it was not sent, without any secret; empty when it was."""
    hung: bool = False


def service_of(address: str) -> str:
    """The kind of a channel, as people may see it: the scheme of its address.

    >>> service_of("mailto://me:secret@mail.example")
    'mailto'
    """
    return address.partition("://")[0].lower()[:32]


def check_scheme(address: str) -> None:
    """Raises `InvalidInput` for what is no address of a remote service."""
    scheme, found, rest = address.partition("://")
    hint = "Write it as Apprise does, for example ntfys://HOST/TOPIC or mailtos://NAME:PASSWORD@HOST."
    if not found or not rest or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,31}", scheme) or not address.isprintable():
        raise InvalidInput("the address of the channel cannot be read", hint=hint)
    if scheme.lower() in _LOCAL:
        raise InvalidInput(f"channels of the kind {scheme.lower()} act on this machine itself", hint=hint)


class ChannelSender:
    """Up to `processes` messages are sent at once; each may take `timeout_s`."""

    def __init__(self, *, processes: int = 3, timeout_s: float = 15.0, internal_addresses: Sequence[str] = ()) -> None:
        """`internal_addresses`: `HOST:PORT`, or `HOST`, inside the own network that channels may reach."""
        self._timeout_s = timeout_s
        self._internal = list(internal_addresses)
        self._lane = asyncio.Semaphore(processes)
        self._slow_lane = asyncio.Semaphore(1)
        self._idle: deque[asyncio.subprocess.Process] = deque()
        self._all: set[asyncio.subprocess.Process] = set()
        self.killed = 0
        """Processes that had to be killed because a channel hung."""

    async def send(self, address: str, title: str, body: str, *, suspect: bool = False) -> Outcome:
        """Send one message; never raises for what the channel does. `suspect`: it hung the last time."""
        return await self._ask(
            {"address": address, "title": title, "body": body, "internal": self._internal}, suspect=suspect
        )

    async def check(self, address: str) -> None:
        """Raises `InvalidInput` for an address that no service understands. Nothing is sent."""
        check_scheme(address)
        outcome = await self._ask({"address": address, "check": True}, suspect=False)
        if not outcome.sent:
            raise InvalidInput(
                f"the address of the channel cannot be used: {outcome.reason}",
                hint="Look the service up at https://github.com/caronc/apprise/wiki and copy the form of its address.",
            )

    async def close(self) -> None:
        """End all processes."""
        for process in list(self._all):
            await self._end(process)
        self._idle.clear()

    async def _ask(self, request: dict[str, Any], *, suspect: bool) -> Outcome:
        async with self._slow_lane if suspect else self._lane:
            try:
                process = self._idle.popleft() if self._idle else await self._start()
            except (OSError, TimeoutError, EOFError, ValueError):
                return Outcome(False, "no process could be started to send it")
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._exchange(process, request)
            except TimeoutError:
                self.killed += 1
                await self._end(process)
                return Outcome(False, f"the channel did not answer within {self._timeout_s:g} s", hung=True)
            except (OSError, EOFError, ValueError):
                await self._end(process)
                return Outcome(False, "the process that sends it broke off")
            except BaseException:
                await self._end(process)
                raise
            self._idle.append(process)
            return Outcome(bool(answer.get("sent")), str(answer.get("reason", ""))[:300])

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "impetus.connectors.notify.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=ANSWER_LIMIT_BYTES,
            env={name: value for name, value in os.environ.items() if not name.startswith("IMPETUS_")},
        )
        self._all.add(process)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._exchange(process, None)
        except BaseException:
            await self._end(process)
            raise
        return process

    async def _exchange(self, process: asyncio.subprocess.Process, request: dict[str, Any] | None) -> dict[str, Any]:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        if request is not None:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._all.discard(process)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await process.wait()
