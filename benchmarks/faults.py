"""Faults of machines, networks, disks and clocks: each can be brought about and mended, or says why it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.machines import Machine
from impetus.api.degraded import Lack
from tests.installation import Installation
from tests.servers import NatsServer, PostgresqlServer

CITY, BROKER, DATABASE = "city", "broker", "database"
"""The machines: the city's own, with hub, workers and connectors; NATS; PostgreSQL."""
PARTS = {"hub": "hub", "worker": "worker anomaly", "connector": "connector mqtt"}
"""Victims on the city's machine, by the words on their command lines."""
DATABASE_AWAY = "database-away"
"""Said by a page of its own, since no other can be shown."""
SLOW_WRITE_S = 0.02
"""With which each write of a broker on a slow disk is delayed."""


@dataclass(slots=True)
class World:
    """An installation over three machines."""

    installation: Installation
    broker: NatsServer
    database: PostgresqlServer
    machines: dict[str, Machine]

    def processes(self, victim: str) -> Sequence[int]:
        """Process ids of a part or of a server; none when it does not run."""
        if victim in PARTS:
            process = self.installation.children().get(PARTS[victim])
            return [] if process is None else [process]
        return (self.broker if victim == BROKER else self.database).process_ids

    def machine(self, victim: str) -> Machine:
        """The machine on which it runs."""
        return self.machines[victim if victim in self.machines else CITY]


@dataclass(slots=True)
class Fault(ABC):
    """One fault of one victim: a part, a server or a machine."""

    victim: str
    hold_s: float
    """How long it lasts, at least."""
    kind: ClassVar[str]
    victims: ClassVar[Sequence[str]]
    told: ClassVar[Mapping[str, str]] = {}
    """By victim, what the status page is to say meanwhile: a `Lack`, or `DATABASE_AWAY`."""
    longest_s: ClassVar[float] = 6.0

    @classmethod
    def draw(cls, victim: str, chance: random.Random) -> Fault:
        """One of this kind, by chance."""
        return cls(victim, chance.uniform(0.5, cls.longest_s))

    def __str__(self) -> str:
        return f"{self.kind}, {self.victim}, {self.hold_s:.1f} s"

    def obstacle(self, world: World) -> str:
        """Why this cannot be brought about on this machine; empty if it can."""
        return ""

    @abstractmethod
    async def begin(self, world: World) -> None:
        """Bring it about."""

    async def keep(self, world: World) -> None:  # noqa: B027 most faults last by themselves
        """Called again and again while it lasts."""

    @abstractmethod
    async def heal(self, world: World) -> None:
        """End it, as far as that is not the product's own task."""


@dataclass(slots=True)
class Kill(Fault):
    """`kill -9`. Parts are started again by our supervisor, servers by what stands for systemd here."""

    kind = "kill -9"
    victims = (*PARTS, BROKER, DATABASE)

    @classmethod
    def draw(cls, victim: str, chance: random.Random) -> Fault:
        return cls(victim, 0.0 if victim in PARTS else chance.uniform(0.1, 3.0))

    async def begin(self, world: World) -> None:
        match self.victim:
            case "broker":
                await asyncio.to_thread(world.broker.kill)
            case "database":
                await asyncio.to_thread(world.database.kill)
            case _:
                [process] = world.processes(self.victim)
                os.kill(process, signal.SIGKILL)

    async def heal(self, world: World) -> None:
        if self.victim not in PARTS:
            await _start(world, self.victim)


@dataclass(slots=True)
class Pause(Fault):
    """SIGSTOP, then SIGCONT: what a machine does that is out of memory or is moved."""

    kind = "pause"
    victims = ("hub", "worker", BROKER, DATABASE)

    async def begin(self, world: World) -> None:
        _signal(world.processes(self.victim), signal.SIGSTOP)

    async def heal(self, world: World) -> None:
        _signal(world.processes(self.victim), signal.SIGCONT)


@dataclass(slots=True)
class Partition(Fault):
    """Nothing passes over the network, and nobody is told. Without the city's machine no part reaches any server."""

    kind = "partition"
    victims = (CITY, BROKER, DATABASE)
    told = {CITY: DATABASE_AWAY, BROKER: Lack.LOG_AWAY, DATABASE: DATABASE_AWAY}

    @classmethod
    def draw(cls, victim: str, chance: random.Random) -> Fault:
        # Long ones too: TCP waits the longer the longer nothing came.
        return cls(victim, chance.choice((chance.uniform(0.5, 8.0), chance.uniform(8.0, 25.0))))

    def obstacle(self, world: World) -> str:
        machine = world.machine(self.victim)
        return "" if machine.ports or machine.lines else "there is no line that could be cut"

    async def begin(self, world: World) -> None:
        world.machine(self.victim).cut()

    async def heal(self, world: World) -> None:
        world.machine(self.victim).join()


@dataclass(slots=True)
class DiskFull(Fault):
    """No byte is free, and what becomes free is taken at once."""

    kind = "disk full"
    victims = (CITY, BROKER, DATABASE)
    told = {CITY: Lack.DISK_FULL}

    def obstacle(self, world: World) -> str:
        return "" if world.machine(self.victim).bounded else "mounting a disk of bounded size is not permitted"

    async def begin(self, world: World) -> None:
        await self.keep(world)

    async def keep(self, world: World) -> None:
        await asyncio.to_thread(world.machine(self.victim).fill_disk)

    async def heal(self, world: World) -> None:
        world.machine(self.victim).free_disk()
        # Servers end, or keep no more messages, without room: systemd and whoever made room start them again, by force,
        # since NATS takes long over an orderly end then.
        if self.victim == BROKER or (self.victim == DATABASE and not world.database.process_ids):
            await _stop(world, self.victim)
            await _start(world, self.victim)


@dataclass(slots=True)
class SlowDisk(Fault):
    """Each order to bring a file to the disk takes part of a second longer."""

    slow_s: float = 0.3
    tracer: asyncio.subprocess.Process | None = None
    kind = "slow disk"
    victims = (CITY, BROKER, DATABASE)

    @classmethod
    def draw(cls, victim: str, chance: random.Random) -> Fault:
        return cls(victim, chance.uniform(1.0, cls.longest_s), chance.uniform(0.1, 0.6))

    def obstacle(self, world: World) -> str:
        if self.victim == BROKER:
            return "" if shutil.which("strace") else "strace is not installed, and NATS passes the C library by"
        return "" if world.machine(self.victim).shim else "there is no C compiler for what delays fsync"

    async def begin(self, world: World) -> None:
        if self.victim != BROKER:
            world.machine(self.victim).slow_disk(self.slow_s)
            return
        words = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=pwrite64,fsync"]
        for call, slow_s in (("pwrite64", SLOW_WRITE_S), ("fsync", self.slow_s)):
            words += ["-e", f"inject={call}:delay_exit={round(1e6 * slow_s)}"]
        words += [word for process in world.broker.process_ids for word in ("-p", str(process))]
        self.tracer = await asyncio.create_subprocess_exec(*words, stderr=subprocess.DEVNULL)

    async def heal(self, world: World) -> None:
        world.machine(self.victim).slow_disk(0.0)
        if self.tracer is not None:
            with contextlib.suppress(ProcessLookupError):
                self.tracer.send_signal(signal.SIGINT)
            await self.tracer.wait()


@dataclass(slots=True)
class ClockJump(Fault):
    """The machine's clock is set wrong by minutes, forwards or back, and later right again."""

    wrong_s: float = 0.0
    kind = "clock jump"
    victims = (CITY, BROKER, DATABASE)
    told = {CITY: Lack.CLOCK_STEPPED}

    @classmethod
    def draw(cls, victim: str, chance: random.Random) -> Fault:
        return cls(victim, chance.uniform(1.0, cls.longest_s), chance.choice((-1, 1)) * chance.uniform(30, 3_000))

    def __str__(self) -> str:
        return f"{Fault.__str__(self)} by {self.wrong_s:+.0f} s"

    def obstacle(self, world: World) -> str:
        if self.victim == BROKER:
            return "NATS asks the kernel for the time and passes the C library by"
        return "" if world.machine(self.victim).shim else "there is no C compiler for what moves clocks"

    async def begin(self, world: World) -> None:
        world.machine(self.victim).set_clock(self.wrong_s)

    async def heal(self, world: World) -> None:
        world.machine(self.victim).set_clock(0.0)


KINDS: Sequence[type[Fault]] = (Kill, Pause, Partition, DiskFull, SlowDisk, ClockJump)


def all_pairs() -> Mapping[str, tuple[type[Fault], str]]:
    """Each kind on each of its victims, by `KIND:VICTIM`."""
    return {f"{kind.kind}:{victim}": (kind, victim) for kind in KINDS for victim in kind.victims}


def obstacles(world: World) -> Mapping[str, str]:
    """Which of `all_pairs` this machine does not permit, and why."""
    chance = random.Random(0)
    why = {name: kind.draw(victim, chance).obstacle(world) for name, (kind, victim) in all_pairs().items()}
    return {name: obstacle for name, obstacle in why.items() if obstacle}


def plan(count: int, seed: int, names: Sequence[str] = (), *, without: Collection[str] = ()) -> list[Fault]:
    """So many faults in an order by chance, the same for the same seed; each kind on each of its victims comes before
    any comes again. Only `names` of `all_pairs`, in this order at first, if there are any, and none that is in
    `without`; no fault if nothing remains."""
    chance = random.Random(seed)
    pairs = all_pairs()
    some = [name for name in names or pairs if name not in without]
    chosen = some[:] if names else []
    while some and len(chosen) < count:
        chosen += chance.sample(some, len(some))
    return [kind.draw(victim, chance) for kind, victim in (pairs[name] for name in chosen[:count])]


def _signal(processes: Sequence[int], what: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, what)


async def _start(world: World, victim: str) -> None:
    await asyncio.to_thread(world.broker.start if victim == BROKER else world.database.start)


async def _stop(world: World, victim: str) -> None:
    await asyncio.to_thread(world.broker.kill if victim == BROKER else world.database.kill)
