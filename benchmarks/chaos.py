"""Faults of every kind over every part of an installation that is spread over three machines, under load: what was
acknowledged stays, once, and everything works again soon after each fault.

The city's machine has hub, worker and connector; NATS JetStream and PostgreSQL have one each. As root all three are
name spaces of the network with disks in memory that end with this program, and nothing outside is touched. Otherwise
(and with `--here`) they share this machine's network and disk and are joined by lines that can be cut, and what is not
permitted is left out and named.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from benchmarks import kill
from benchmarks.faults import (
    BROKER,
    CITY,
    DATABASE,
    DATABASE_AWAY,
    KINDS,
    PARTS,
    Fault,
    Kill,
    World,
    all_pairs,
    obstacles,
    plan,
)
from benchmarks.load import FaultySender, end_tidily, faulty_sensors, register, wait_until_settled, without_history
from benchmarks.machines import inside, machines, reached
from benchmarks.reporting import Figure, percentile, report
from tests.installation import running_demo
from tests.servers import NatsServer, PostgresqlServer

READINGS_PER_S = 100
IMPOSSIBLE_PER_S = 3.0
PAUSE_S = 1.0
"""Between the recovery from one fault and the next fault."""
RECOVERY_LIMIT_S = 150.0
TOLD_LIMIT_S = 60.0
SENSORS_PER_FAULT = 90
ASKED_RECOVERY_S = 10.0
USER, NAME = "city", "city"


@dataclass(frozen=True, slots=True)
class Survived:
    """One fault and how long it took until everything worked again."""

    fault: Fault
    recovery_s: float
    """From when the fault was mended (a kill: from the kill) until the alert of a reading sent after that was heard."""
    told_s: float | None
    """After how long the operator was told of it; None where that is not due, or was not done."""

    @property
    def untold(self) -> bool:
        """Whether the operator should have been told and was not."""
        return self.told_s is None and self.fault.victim in self.fault.told


@contextlib.contextmanager
def world(folder: Path, sensors: int, *, readings_per_s: int = READINGS_PER_S) -> Iterator[tuple[World, Sequence[str]]]:
    """An installation over three machines, and the names of so many sensors that send what cannot be."""
    with contextlib.ExitStack() as stack:
        places = stack.enter_context(machines(folder, (CITY, BROKER, DATABASE)))
        own = places[BROKER]
        broker = NatsServer(own.disk / "nats", host=own.host, before=own.before())
        stack.callback(broker.stop)
        broker.start()
        own = places[DATABASE]
        database = PostgresqlServer(
            own.disk / "postgresql",
            host=own.host,
            before=own.before("postgres"),
            environment=own.environment,
            options=("max_wal_size=128MB", "min_wal_size=32MB", "log_min_messages=warning"),
        )
        database.create()
        stack.callback(database.stop)
        database.start()
        with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {USER} LOGIN".encode())
            connection.execute(f"CREATE DATABASE {NAME} OWNER {USER}".encode())
        log_at = stack.enter_context(reached(places[CITY], places[BROKER], broker.port))
        store_at = stack.enter_context(reached(places[CITY], places[DATABASE], database.port))
        environment = {
            **places[CITY].environment,
            "IMPETUS_BUS": f"nats://{log_at}",
            "IMPETUS_STORE": f"postgresql://{USER}@{store_at}/{NAME}",
        }
        home = places[CITY].disk / "home"
        faulty = faulty_sensors(sensors)
        print(f"  registering {sensors} sensors", file=sys.stderr, flush=True)
        register(home, faulty, environment)
        without_history(home)
        print("  starting the city", file=sys.stderr, flush=True)
        arguments = ("--readings-per-second", str(readings_per_s))
        installation = stack.enter_context(
            running_demo(home, arguments=arguments, environment=environment, tools=kill.TOOLS)
        )
        wait_until_settled(installation)
        yield World(installation, broker, database, dict(places)), [sensor.id for sensor in faulty]


async def run(there: World, sensors: Sequence[str], faults: Sequence[Fault]) -> tuple[Sequence[Survived], kill.Outcome]:
    """Bring about one fault after another while readings and decisions go on, then check everything."""
    survived: list[Survived] = []

    async def break_it(sender: FaultySender, witness: kill.Witness) -> None:
        for number, fault in enumerate(faults, start=1):
            await asyncio.sleep(PAUSE_S)
            survived.append(await survive(there, fault, sender, witness))
            last = survived[-1]
            told = "" if last.told_s is None else f", told after {last.told_s:.1f} s"
            told = ", NOT TOLD" if last.untold else told
            print(
                f"  {number}/{len(faults)} {fault}: recovered in {last.recovery_s:.1f} s{told}",
                file=sys.stderr,
                flush=True,
            )

    outcome = await kill.under_load(there.installation, sensors, IMPOSSIBLE_PER_S, break_it)
    return survived, outcome


async def survive(there: World, fault: Fault, sender: FaultySender, witness: kill.Witness) -> Survived:
    """Bring about one fault, mend it, and wait until a reading that was sent afterwards is an alert on a screen."""
    before = there.processes(fault.victim) if fault.victim in PARTS else ()
    began_s = time.time()
    told_s = None
    try:
        await fault.begin(there)
        told_s = await _hold(there, fault)
    finally:
        mended_s = time.time()
        await fault.heal(there)
    killed = isinstance(fault, Kill) and fault.victim in PARTS
    since_s = began_s if killed else mended_s
    try:
        async with asyncio.timeout(RECOVERY_LIMIT_S):
            while True:
                later = [heard for source, heard in witness.heard_s.items() if sender.sent.get(source, 0.0) > since_s]
                if later and (not killed or _is_new(there.processes(fault.victim), before)):
                    return Survived(fault, min(later) - since_s, told_s)
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(
            f"nothing worked {RECOVERY_LIMIT_S:.0f} s after {fault}\n{there.installation.logs()}"
        ) from error


async def _hold(there: World, fault: Fault) -> float | None:
    """Let a fault last, and until the operator is told of it where that is due; after how many seconds that was."""
    expected = fault.told.get(fault.victim, "")
    began_s = time.monotonic()
    telling = asyncio.create_task(_until_told(there, expected)) if expected else None
    try:
        while True:
            passed_s = time.monotonic() - began_s
            waits = telling is not None and not telling.done() and passed_s < TOLD_LIMIT_S
            if passed_s >= fault.hold_s and not waits:
                break
            await fault.keep(there)
            await asyncio.sleep(0.05)
    finally:
        if telling is not None:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
    return telling.result() if telling is not None and not telling.cancelled() else None


async def _until_told(there: World, expected: str) -> float:
    """After how many seconds the status says it, or a page that the database does not answer."""
    began_s = time.monotonic()
    async with kill.api(there.installation) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.get("/api/v1/status")
                if answer.status_code == 503 and expected == DATABASE_AWAY:
                    return time.monotonic() - began_s
                if answer.status_code == 200:
                    limitations = answer.json()["limitations"]
                    if any(limitation["lack"] == expected for limitation in limitations):
                        return time.monotonic() - began_s
            await asyncio.sleep(0.2)


def _is_new(processes: Collection[int], before: Collection[int]) -> bool:
    return bool(processes) and not set(processes) & set(before)


def _by_kind(survived: Sequence[Survived]) -> Iterator[str]:
    for kind in KINDS:
        for victim in kind.victims:
            times = [
                each.recovery_s for each in survived if each.fault.kind == kind.kind and each.fault.victim == victim
            ]
            if times:
                median = statistics.median(times)
                yield f"{kind.kind} of {victim}: {len(times)} times, median {median:.1f} s, longest {max(times):.1f} s"


def main() -> int:
    """Break things, and print what was lost or doubled, and how fast it recovered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20_261_121)
    parser.add_argument("--only", action="append", default=[], choices=list(all_pairs()), help="may be given often")
    parser.add_argument("--readings-per-second", type=int, default=READINGS_PER_S, dest="readings_per_s")
    parser.add_argument("--logs", type=Path, help="folder into which all logs are copied at the end")
    parser.add_argument(
        "--here",
        action="store_true",
        help="no name spaces: network and disk are shared, and lines are cut",
    )
    arguments = parser.parse_args()
    if not arguments.here:
        inside("benchmarks.chaos", sys.argv[1:])
    end_tidily()
    began_s = time.monotonic()
    count = SENSORS_PER_FAULT * arguments.faults + 100
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="impetus-chaos-", ignore_cleanup_errors=True))
        )
        there, sensors = stack.enter_context(world(folder, count, readings_per_s=arguments.readings_per_s))
        if arguments.logs is not None:
            stack.callback(_copy_logs, there, arguments.logs)
        left_out = obstacles(there)
        faults = plan(arguments.faults, arguments.seed, arguments.only, without=left_out)
        survived, outcome = asyncio.run(run(there, sensors, faults))
        if outcome.problems:
            print(there.installation.logs(), file=sys.stderr)
    recoveries = [each.recovery_s for each in survived] or [0.0]
    report(
        "Faults under load",
        [
            Figure("faults", "", arguments.faults, len(survived)),
            Figure("acknowledged and lost", "", 0, len(outcome.lost), at_most=True),
            Figure("doubled", "", 0, len(outcome.doubled), at_most=True),
            Figure("otherwise wrong", "", 0, len(outcome.wrong), at_most=True),
            Figure(
                "of which the operator was not told",
                "",
                0,
                sum(each.untold for each in survived),
                at_most=True,
                note=f"of {sum(each.fault.victim in each.fault.told for each in survived)}",
            ),
            Figure("longest recovery", "s", ASKED_RECOVERY_S, max(recoveries), at_most=True),
            Figure("recovery, 95th percentile", "s", ASKED_RECOVERY_S, percentile(recoveries, 95), at_most=True),
        ],
        notes=[
            f"{arguments.readings_per_s} readings/s; {outcome.readings} impossible readings and {outcome.decisions} "
            f"decisions acknowledged in {time.monotonic() - began_s:.0f} s (seed {arguments.seed}).",
            *_by_kind(survived),
            *(f"left out: {name}: {why}" for name, why in left_out.items() if name in (arguments.only or left_out)),
            *outcome.problems[:20],
        ],
    )
    too_few = len(survived) < arguments.faults
    return 1 if too_few or outcome.problems or any(each.untold for each in survived) else 0


def _copy_logs(there: World, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    home = there.installation.home
    for path in [
        there.installation.log,
        *(home / "logs").glob("*.log"),
        there.broker.folder / "nats.log",
        there.database.folder / "postgresql.log",
    ]:
        if path.exists():
            (folder / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
