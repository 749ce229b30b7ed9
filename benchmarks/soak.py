"""A long run under load: memory that does not grow, nothing lost, alerts on the screens as soon as at first.

So many sensors send usual readings; a pool of others reads what cannot be, and half a round later what can, so that
each alert begins and ends and the sensors stay the same. Clients of the live stream count what reaches them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

import orjson

from benchmarks.load import (
    FaultySender,
    ProcessorShares,
    end_tidily,
    faulty_sensors,
    in_words,
    parts_and,
    register,
    wait_until_settled,
    without_history,
)
from benchmarks.reporting import Figure, percentile, report
from benchmarks.screens import Listener, Take, answer_while_listening
from tests.installation import Installation, running_demo

TOOLS = ("anomaly",)
ROUND_S = 60.0
"""Each sensor of the pool reads what cannot be once in so long."""
USUAL = 55.0
LOOK_S = 5.0
SETTLE_LIMIT_S = 120.0
"""Without anything that arrives at the end."""
ASKED_MS, ASKED_GROWTH = 500.0, 5.0
ENVIRONMENT = {
    # Each time is a row and an alert of its own.
    "IMPETUS_SITUATION__REPEATS_WITHIN_S": "0",
    "IMPETUS_TOOLS__ANOMALY": json.dumps({"cool_down_s": 0}),
}


@dataclass(slots=True)
class Reached:
    """What reached one client."""

    alerts: int = 0
    delays_s: array[float] = field(default_factory=lambda: array("f"))
    """From the reading to the client, in the order of arrival."""


@dataclass(slots=True)
class Soaked:
    """What a run measured."""

    acknowledged: int
    """Impossible readings that the connector said it has."""
    reached: Sequence[Reached]
    memory: Mapping[str, Sequence[tuple[float, int]]]
    """Resident bytes of each part by seconds since the start."""
    shares: Mapping[str, float]
    dead_letters: int


async def soak(
    installation: Installation, pool: Sequence[str], *, seconds: float, per_s: float, clients: int
) -> Soaked:
    """Send, look and listen for so long, then wait until everything has arrived."""
    there, here = multiprocessing.Pipe()
    listening = multiprocessing.get_context("spawn").Process(
        target=_listen_in_process, args=(installation.url, installation.token, clients, there), daemon=True
    )
    listening.start()
    await asyncio.to_thread(here.recv)
    sender = FaultySender(installation)
    keeping = asyncio.create_task(sender.run())
    await sender.connected()
    memory: dict[str, list[tuple[float, int]]] = {}
    looking = asyncio.create_task(_look(installation, memory))
    shares = ProcessorShares(
        lambda: parts_and(installation, {"clients": [listening.pid or 0], "this benchmark": [os.getpid()]})
    )
    impossible = await _send(sender, pool, seconds, per_s)
    used = shares.take()
    looking.cancel()
    await sender.all_acknowledged(SETTLE_LIMIT_S)
    reached = await _arrived(here, impossible)
    keeping.cancel()
    here.close()
    await asyncio.to_thread(listening.join, 5)
    listening.kill()
    with installation.client() as client:
        status = client.get("/api/v1/status").raise_for_status().json()
    letters = sum(int(part.get("dead_letters") or 0) for part in status["parts"])
    return Soaked(impossible, reached, memory, used, letters)


async def _send(sender: FaultySender, pool: Sequence[str], seconds: float, per_s: float) -> int:
    """What cannot be and, half a round later, what can, at an even pace; how many of the first."""
    began_s = time.monotonic()
    number, half = 0, len(pool) // 2
    while (due_s := number / per_s) < seconds:
        await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
        if number >= half:
            sender.send(pool[(number - half) % len(pool)], USUAL)
        sender.send(pool[number % len(pool)])
        number += 1
    return number


async def _look(installation: Installation, memory: dict[str, list[tuple[float, int]]]) -> None:
    began_s = time.monotonic()
    while True:
        for name, process in installation.children().items():
            with contextlib.suppress(OSError, ValueError, IndexError):
                memory.setdefault(name, []).append((time.monotonic() - began_s, _resident_bytes(process)))
        await asyncio.sleep(LOOK_S)


def _resident_bytes(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _arrived(pipe: Connection, expected: int) -> Sequence[Reached]:
    """Wait until each client has had all, or nothing more comes."""
    before, since_s = -1, time.monotonic()
    while True:
        pipe.send("reached")
        reached: list[Reached] = await asyncio.to_thread(pipe.recv)
        count = sum(each.alerts for each in reached)
        if count >= expected * len(reached):
            return reached
        if count > before:
            before, since_s = count, time.monotonic()
        elif time.monotonic() - since_s > SETTLE_LIMIT_S:
            return reached
        await asyncio.sleep(1)


def _listen_in_process(url: str, token: str, count: int, pipe: Connection) -> None:
    """Listen until the other end of the pipe is closed."""
    reached = [Reached() for _ in range(count)]
    seen: dict[str, int] = {}
    """By alert, a bit for each client that had it: it is told again when it becomes part of an incident."""

    def take(number: int) -> Take:
        own, bit = reached[number], 1 << number

        def note(event: str, data: bytes, time_s: float) -> None:
            if event == "reset":
                raise RuntimeError(f"a client was told to reload: {data!r}")
            # Cheaper than reading the JSON of all events in all clients: ours alone are of these sensors.
            if event != "alert" or b'"faulty-' not in data:
                return
            alert = orjson.loads(data)
            before = seen.get(alert["id"], 0)
            if alert["detector"] == "impossible" and alert["revision"] == 0 and not before & bit:
                seen[alert["id"]] = before | bit
                own.alerts += 1
                own.delays_s.append(time_s - datetime.fromisoformat(alert["onset"]).timestamp())

        return note

    listeners = [Listener(url, token, take(number), topics="alerts") for number in range(count)]
    answer_while_listening(listeners, reached, pipe)


def growth(samples: Sequence[tuple[float, int]], warm_up_s: float) -> float:
    """By how many per cent the middle of the last quarter after the warm-up is above that of the first."""
    late = [size for moment_s, size in samples if moment_s >= warm_up_s]
    if len(late) < 4:
        raise ValueError("too few looks after the warm-up: run for longer")
    quarter = len(late) // 4
    first, last = statistics.median(late[:quarter]), statistics.median(late[-quarter:])
    return 100 * (last / first - 1)


def fifths(reached: Sequence[Reached]) -> Sequence[Sequence[float]]:
    """Delays in ms of all clients by fifths of what reached each: whether it became slower as it went on."""
    parts: list[list[float]] = [[] for _ in range(5)]
    for one in reached:
        count = len(one.delays_s)
        for number, part in enumerate(parts):
            part += [1e3 * delay for delay in one.delays_s[number * count // 5 : (number + 1) * count // 5]]
    return [part or [0.0] for part in parts]


def main() -> int:
    """Run for so many minutes and print what was lost, how memory grew, and how soon alerts were on the screens."""
    end_tidily()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument(
        "--warm-up", type=float, default=None, dest="warm_up", help="minutes; a fifth of the run if none"
    )
    parser.add_argument("--readings-per-second", type=int, default=5_000, dest="readings_per_s")
    parser.add_argument("--alerts-per-second", type=float, default=50.0, dest="alerts_per_s")
    parser.add_argument("--clients", type=int, default=50)
    options = parser.parse_args()
    seconds = 60 * options.minutes
    warm_up_s = seconds / 5 if options.warm_up is None else 60 * options.warm_up
    with tempfile.TemporaryDirectory(prefix="impetus-soak-") as folder:
        home = Path(folder) / "home"
        pool = faulty_sensors(max(2, round(ROUND_S * options.alerts_per_s)))
        register(home, pool)
        without_history(home)
        arguments = ("--readings-per-second", str(options.readings_per_s))
        with running_demo(home, arguments=arguments, environment=ENVIRONMENT, tools=TOOLS) as installation:
            wait_until_settled(installation)
            names = [sensor.id for sensor in pool]
            done = asyncio.run(
                soak(installation, names, seconds=seconds, per_s=options.alerts_per_s, clients=options.clients)
            )
    delays_ms = [1e3 * delay for one in done.reached for delay in one.delays_s]
    missing = sum(done.acknowledged - one.alerts for one in done.reached)
    whole = [(looks[0][0], sum(size for _, size in looks)) for looks in zip(*done.memory.values(), strict=False)]
    report(
        "A long run",
        [
            Figure(
                "payload to client of the live stream, p95", "ms", ASKED_MS, percentile(delays_ms, 95), at_most=True
            ),
            Figure("growth of memory after the warm-up", "%", ASKED_GROWTH, growth(whole, warm_up_s), at_most=True),
            Figure("alerts too few or too many at a client", "", 0, abs(missing), at_most=True),
            Figure("dead letters", "", 0, done.dead_letters, at_most=True),
        ],
        notes=[
            f"{options.minutes:g} minutes, of which {warm_up_s / 60:g} to warm up; {options.readings_per_s:,} "
            f"readings/s, {options.alerts_per_s:g} alerts/s, {options.clients} clients; {done.acknowledged:,} alerts.",
            f"p50 {percentile(delays_ms, 50):.0f} ms, p99 {percentile(delays_ms, 99):.0f} ms; p95 of each fifth of it "
            f"{', '.join(f'{percentile(fifth, 95):.0f}' for fifth in fifths(done.reached))} ms",
            *(
                f"{name}: {samples[-1][1] / 2**20:.0f} MiB, {growth(samples, warm_up_s):+.1f} %"
                for name, samples in done.memory.items()
            ),
            in_words(done.shares),
        ],
    )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
