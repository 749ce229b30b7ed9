"""Machines of their own inside this one, as far as network, disk and clock go, so that each of these can fail.

`inside` starts a program anew in name spaces of its own (network, mounts, processes): nothing in it reaches another
process of the machine, and all of it ends with the program. There each `Machine` has a network of its own at a bridge,
and a disk of bounded size in memory. Where the system does not permit this, machines share network and disk, and lines
between them can be cut.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.line import Line, line_to

INSIDE = "IMPETUS_BENCHMARK_INSIDE"
"""In the environment of a program that has name spaces of its own."""
NAME_SPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
DISK_MIB = 512
BRIDGE = "bridge0"
FIRST_HOST = "10.77.0.1"
_SHIM = Path(__file__).with_name("fault_shim.c")
_CONTROL = struct.Struct("dd")
_DISABLED, _FORWARDING = 0, 3
_LIMIT_S = 20.0


def inside(module: str, arguments: Sequence[str]) -> None:
    """Go on as `python -m module` in name spaces of its own, if that is permitted; does nothing if it has them."""
    if os.environ.get(INSIDE) or shutil.which("unshare") is None or shutil.which("bridge") is None:
        return
    if subprocess.run([*NAME_SPACES, "true"], capture_output=True, check=False).returncode:
        return
    os.environ[INSIDE] = "yes"
    os.execvp(NAME_SPACES[0], [*NAME_SPACES, sys.executable, "-m", module, *arguments])


@dataclass(slots=True)
class Machine:
    """What stands for one machine. Made by `machines`."""

    name: str
    disk: Path
    """Where it keeps its files."""
    host: str
    """The address under which it is reached."""
    shim: Path | None
    control: Path
    bounded: bool
    """Whether the disk has an end."""
    ports: Sequence[str] = ()
    """At the bridge: those behind which the others are, or its own; none if the network is shared."""
    lines: list[Line] = field(default_factory=list)
    """Where the network is shared: those over which the city's machine reaches it, or it the others."""
    holder: subprocess.Popen[bytes] | None = None
    wrong_s: float = 0.0
    slow_s: float = 0.0
    _fillers: list[Path] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        """For its processes: lets their clock be set and their disk be slowed down, where there is a compiler."""
        return {} if self.shim is None else {"LD_PRELOAD": str(self.shim), "FAULT_CONTROL": str(self.control)}

    def before(self, user: str = "") -> list[str]:
        """Words before the command line of a process that shall run on it."""
        if self.holder is None:
            return []
        words = ["nsenter", f"--target={self.holder.pid}", "--net"]
        if user:
            who = pwd.getpwnam(user)
            words += [f"--setuid={who.pw_uid}", f"--setgid={who.pw_gid}"]
        return [*words, "--"]

    def cut(self) -> None:
        """From now on nothing passes between it and the others, and nobody is told."""
        self._set_ports(_DISABLED)
        for line in self.lines:
            line.cut()

    def join(self) -> None:
        """Everything passes again."""
        self._set_ports(_FORWARDING)
        for line in self.lines:
            line.mend()

    def set_clock(self, wrong_s: float) -> None:
        """Its clock is so many seconds ahead of the true time, or (negative) behind."""
        self.wrong_s = wrong_s
        self._tell()

    def slow_disk(self, slow_s: float) -> None:
        """Bringing a file to its disk takes so much longer."""
        self.slow_s = slow_s
        self._tell()

    def fill_disk(self) -> None:
        """Leave no room on the disk; again and again, since room may become free meanwhile."""
        filler = self.disk / f".filler-{len(self._fillers)}"
        self._fillers.append(filler)
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            for size in (2**20, 2**12):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free_disk(self) -> None:
        """There is room again."""
        for filler in self._fillers:
            filler.unlink(missing_ok=True)
        self._fillers.clear()

    def _tell(self) -> None:
        with self.control.open("r+b") as file:
            file.write(_CONTROL.pack(self.wrong_s, self.slow_s))

    def _set_ports(self, state: int) -> None:
        for port in self.ports:
            _run("bridge", "link", "set", "dev", port, "state", str(state))


@contextlib.contextmanager
def reached(city: Machine, server: Machine, port: int) -> Iterator[str]:
    """Host and port under which the city's machine reaches a server, so that what is between them can be cut."""
    if server.ports:
        yield f"{server.host}:{port}"
        return
    with line_to(port) as line:
        city.lines.append(line)
        server.lines.append(line)
        yield f"127.0.0.1:{line.port}"


@contextlib.contextmanager
def machines(folder: Path, names: Sequence[str]) -> Iterator[Mapping[str, Machine]]:
    """So many machines; this process itself, and what it starts without more, runs on the first."""
    alone = bool(os.environ.get(INSIDE))
    shim = _compiled(folder)
    made: dict[str, Machine] = {}
    for number, name in enumerate(names):
        disk, control = folder / name, folder / f"{name}.control"
        disk.mkdir(parents=True)
        control.write_bytes(_CONTROL.pack(0.0, 0.0))
        control.chmod(0o644)
        host = FIRST_HOST[:-1] + str(number + 1) if alone else "127.0.0.1"
        made[name] = Machine(name, disk, host, shim, control, alone)
    # A server that is another user must reach its folder.
    folder.chmod(0o755)
    if not alone:
        yield made
        return
    first, *others = made.values()
    try:
        for machine in made.values():
            _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}M", "tmpfs", str(machine.disk))
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "address", "add", f"{first.host}/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        for machine in others:
            _connect(machine)
        # What cuts off the first cuts off all others from it.
        first.ports = [port for machine in others for port in machine.ports]
        yield made
    finally:
        for machine in made.values():
            if machine.holder is not None:
                machine.holder.kill()
                machine.holder.wait()
            subprocess.run(["umount", "--lazy", str(machine.disk)], capture_output=True, check=False)


def _connect(machine: Machine) -> None:
    """A network of its own, with one wire to the bridge."""
    machine.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    process, own = machine.holder.pid, Path("/proc/self/ns/net").readlink()
    deadline_s = time.monotonic() + _LIMIT_S
    while Path(f"/proc/{process}/ns/net").readlink() == own:
        if time.monotonic() > deadline_s:
            raise TimeoutError("a network of its own did not come about")
        time.sleep(0.01)
    port = f"port-{machine.name}"[:15]
    _run("ip", "link", "add", port, "type", "veth", "peer", "name", "wire0", "netns", str(process))
    _run("ip", "link", "set", port, "master", BRIDGE, "up")
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{machine.host}/24", "dev", "wire0"),
        ("link", "set", "wire0", "up"),
    ):
        _run(*machine.before(), "ip", *words)
    machine.ports = [port]


def _compiled(folder: Path) -> Path | None:
    """The library that moves clocks and slows disks down; none without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    shim = folder / "fault_shim.so"
    _run(compiler, "-O2", "-shared", "-fPIC", "-o", str(shim), str(_SHIM), "-ldl", "-lm")
    return shim


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(words)}` failed: {done.stderr.strip()}")
