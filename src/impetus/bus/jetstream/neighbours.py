"""Members of a durable consumer that are processes of this machine: one that was killed is buried at once by the part
that is started in its place, which would otherwise wait for the end of its lease.

A member's name says which process has it. Machines are told apart by the kernel's boot id and containers by their name
space of process ids; a process whose id was given anew by when it started. Where the system does not tell any of this,
names say nothing and only leases count.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from impetus.model import new_id

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")


def new_member_name() -> str:
    """A name that no other member has: `MACHINE.PROCESS.STARTED.ID`; the last alone where the system tells nothing."""
    machine, process = _machine(), os.getpid()
    started = _started(process)
    return f"{machine}.{process}.{started}.{new_id()}" if machine and started else new_id()


def is_gone(name: str) -> bool:
    """Whether the member of that name was a process of this machine that is no more."""
    words = name.split(".")
    if len(words) != 4 or not words[0] or words[0] != _machine() or not words[1].isdecimal():
        return False
    process = int(words[1])
    started = _started(process)
    # A process of another user may be hidden, yet lives.
    return started != words[2] if started else not _exists(process)


@cache
def _machine() -> str:
    try:
        seen = f"{_BOOT.read_text().strip()} {_PROCESSES.readlink()}"
    except OSError:
        return ""
    return hashlib.sha256(seen.encode()).hexdigest()[:12]


def _started(process: int) -> str:
    """When a process started, in ticks since the machine did (proc(5), `/proc/PID/stat`); empty if that is not told."""
    try:
        state, *rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "ended" if state in "ZX" else rest[18]


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
