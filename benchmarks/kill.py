"""kill -9 of the hub, the worker or the connector at random moments under load: what was acknowledged stays, once."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks.load import (
    FaultySender,
    end_tidily,
    faulty_sensors,
    post_until_answered,
    register,
    wait_until_settled,
    without_history,
)
from benchmarks.reporting import Figure, report
from benchmarks.screens import Listener
from impetus.model import new_id
from tests.installation import Installation, running_demo

TOOLS = ("anomaly",)
VICTIMS = ("hub", "worker anomaly", "connector mqtt")
"""The parts that are killed, by their command lines."""
FAULTS_PER_S = 5.0
"""Impossible readings a second."""
PAUSED = ("hub", "worker anomaly")
"""The parts that are paused, as a machine is that is out of memory or is moved."""
PAUSED_S = 3.0
LONGEST_PAUSE_S = 3.0
"""Between the recovery from one kill and the next kill, at most."""
RECOVERY_LIMIT_S = 120.0
SETTLE_LIMIT_S = 60.0
"""Without anything that arrives, however long all of it takes on a busy machine."""
TOPICS = "alerts,incidents"
STEPS = (("acknowledge", "acknowledged"), ("confirm", "confirmed"))


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and how long it took until everything worked again."""

    victim: str
    recovery_s: float
    """Until the alert of a reading that was sent after the kill was on a screen."""
    back_off_s: float
    """Of which the supervisor waited before it started the part again."""


@dataclass(slots=True)
class Outcome:
    """What was done, and what of it does not hold."""

    kills: list[Kill] = field(default_factory=list)
    readings: int = 0
    """Impossible readings that the connector acknowledged."""
    decisions: int = 0
    """Decisions that the hub acknowledged."""
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Whatever else is not as it must be."""

    @property
    def problems(self) -> Sequence[str]:
        """Everything that does not hold."""
        return [*self.lost, *self.doubled, *self.wrong]


class Witness:
    """A client of the live stream that resumes after each interruption: it must see every change."""

    def __init__(self, installation: Installation) -> None:
        self.listener = Listener(installation.url, installation.token, self._take, topics=TOPICS)
        self.alerts: Counter[tuple[str, int]] = Counter()
        """Alerts in each of their versions."""
        self.decisions: Counter[str] = Counter()
        self.heard_s: dict[str, float] = {}
        """When the alert of a sensor was first heard of, in seconds since 1970."""
        self.fresh: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        """New alerts and their versions, for whoever decides."""
        self.problems: list[str] = []
        self._sequence = 0
        self._offered: set[str] = set()

    @property
    def offered(self) -> int:
        """How many alerts were given to whoever decides."""
        return len(self._offered)

    def _take(self, event: str, data: bytes, moment_s: float) -> None:
        sequence = int(self.listener.last or 0)
        if event == "reset":
            self.problems.append(f"the stream told its client to reload: {data.decode()}")
        if event not in ("alert", "assessment"):
            return
        if sequence <= self._sequence:
            self.problems.append(f"the stream went back from {self._sequence} to {sequence}")
        self._sequence = sequence
        content = orjson.loads(data)
        if event == "assessment":
            self.decisions[content["id"]] += 1
            return
        self.alerts[content["id"], content["version"]] += 1
        if is_faulty(content):
            self.heard_s.setdefault(content["source"], moment_s)
            # An alert is told again when it becomes part of an incident; it is decided on once.
            if content["state"] == "new" and content["id"] not in self._offered:
                self._offered.add(content["id"])
                self.fresh.put_nowait((content["id"], content["version"]))


class Decider:
    """A person's client: decides on each alert with ids of its own, again and again until the hub acknowledges."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self.done = 0
        """Alerts that are decided on."""
        self.acknowledged: dict[str, tuple[str, str]] = {}
        """Alert and resulting state by decision."""
        self.problems: list[str] = []

    async def run(self, installation: Installation) -> None:
        """Work until cancelled."""
        async with api(installation) as client:
            while True:
                alert, version = await self._witness.fresh.get()
                for action, state in STEPS:
                    decision = new_id()
                    body = {"id": decision, "action": action, "version": version}
                    answer = await post_until_answered(client, f"/api/v1/alerts/{alert}/decisions", body)
                    if answer.status_code != 201:
                        self.problems.append(f"decision {decision} was answered {answer.status_code}: {answer.text}")
                        break
                    version = answer.json()["alert"]["version"]
                    self.acknowledged[decision] = (alert, state)
                self.done += 1


async def run(
    installation: Installation, sensors: Sequence[str], *, kills: int, seed: int, paused: Sequence[str] = ()
) -> Outcome:
    """Kill parts `kills` times while readings and decisions go on, pause others, then check everything."""
    chance = random.Random(seed)
    done: list[Kill] = []
    # Each part is killed, in an order by chance.
    victims = [*VICTIMS, *(chance.choice(VICTIMS) for _ in range(kills))][:kills]
    chance.shuffle(victims)

    async def kill_them(sender: FaultySender, witness: Witness) -> None:
        for victim in victims:
            await asyncio.sleep(chance.uniform(0.2, LONGEST_PAUSE_S))
            done.append(await kill(installation, victim, sender, witness))
            print(f"  {done[-1]}", file=sys.stderr, flush=True)
        for victim in paused:
            await pause(installation, victim, sender, witness)

    outcome = await under_load(installation, sensors, FAULTS_PER_S, kill_them)
    outcome.kills = done
    return outcome


async def under_load(
    installation: Installation,
    sensors: Sequence[str],
    per_s: float,
    disturb: Callable[[FaultySender, Witness], Awaitable[None]],
) -> Outcome:
    """Do what `disturb` does while sensors send impossible readings and a person decides, then check everything."""
    outcome = Outcome()
    witness, sender = Witness(installation), FaultySender(installation)
    decider = Decider(witness)
    async with asyncio.TaskGroup() as tasks:
        background = [
            tasks.create_task(witness.listener.run()),
            tasks.create_task(sender.run()),
            tasks.create_task(decider.run(installation)),
        ]
        await witness.listener.listening.wait()
        await sender.connected()
        sending = tasks.create_task(sender.send_evenly(sensors, per_s))
        await disturb(sender, witness)
        sending.cancel()
        await sender.all_acknowledged()
        await _all_arrived(sender, witness, decider, outcome)
        for task in background:
            task.cancel()
    outcome.readings = len(sender.acknowledged)
    outcome.decisions = len(decider.acknowledged)
    outcome.wrong += [*witness.problems, *decider.problems]
    await check(installation, sender, witness, decider, outcome)
    return outcome


async def kill(installation: Installation, victim: str, sender: FaultySender, witness: Witness) -> Kill:
    """Kill one part and wait until a reading that was sent afterwards is an alert on a screen."""
    process = installation.children()[victim]
    restarts = len(_waits(installation, victim))
    os.kill(process, signal.SIGKILL)
    killed_s = time.time()
    async with asyncio.timeout(RECOVERY_LIMIT_S):
        while True:
            later = [heard_s for source, heard_s in witness.heard_s.items() if sender.sent.get(source, 0.0) > killed_s]
            if later and installation.children().get(victim, process) != process:
                break
            await asyncio.sleep(0.02)
    return Kill(victim, min(later) - killed_s, sum(_waits(installation, victim)[restarts:]))


async def pause(installation: Installation, victim: str, sender: FaultySender, witness: Witness) -> None:
    """Pause one part for `PAUSED_S`, and wait until a reading that was sent afterwards is an alert on a screen."""
    process = installation.children()[victim]
    os.kill(process, signal.SIGSTOP)
    try:
        await asyncio.sleep(PAUSED_S)
    finally:
        os.kill(process, signal.SIGCONT)
    since_s = time.time()
    async with asyncio.timeout(RECOVERY_LIMIT_S):
        while True:
            if any(sender.sent.get(source, 0.0) > since_s for source in witness.heard_s):
                return
            await asyncio.sleep(0.02)


async def _all_arrived(sender: FaultySender, witness: Witness, decider: Decider, outcome: Outcome) -> None:
    """Wait until each reading's alert was heard of, decided on, and the decisions were heard of."""
    before, changed_s = None, time.monotonic()
    while True:
        alerts = len(sender.acknowledged.keys() - witness.heard_s.keys())
        undecided = witness.offered - decider.done
        decisions = len(decider.acknowledged.keys() - witness.decisions.keys())
        waits = (alerts, undecided, decisions)
        if not any(waits):
            return
        if (alerts, undecided, decisions, len(decider.acknowledged)) != before:
            before, changed_s = (*waits, len(decider.acknowledged)), time.monotonic()
        elif time.monotonic() - changed_s > SETTLE_LIMIT_S:
            outcome.wrong.append(
                f"nothing came for {SETTLE_LIMIT_S:.0f} s, and the screen waits for {alerts} alerts and {decisions} "
                f"decisions, {undecided} alerts for the person"
            )
            return
        await asyncio.sleep(0.1)


async def check(
    installation: Installation, sender: FaultySender, witness: Witness, decider: Decider, outcome: Outcome
) -> None:
    """Compare what was acknowledged with what the installation has."""
    async with api(installation) as client:
        alerts = [alert async for alert in pages(client, "/api/v1/alerts", tool="anomaly") if is_faulty(alert)]
        decisions = [decision async for decision in pages(client, "/api/v1/decisions")]
    of_source = Counter(alert["source"] for alert in alerts)
    outcome.lost += [f"no alert of {source}" for source in sender.acknowledged if not of_source[source]]
    outcome.doubled += [f"{count} alerts of {source}" for source, count in of_source.items() if count > 1]

    times = Counter(decision["id"] for decision in decisions)
    outcome.lost += [f"no decision {decision}" for decision in decider.acknowledged if not times[decision]]
    outcome.doubled += [f"decision {decision} {count} times" for decision, count in times.items() if count > 1]
    outcome.wrong += [f"decision {id} was never made" for id in times if id not in decider.acknowledged]
    outcome.wrong += list(_broken_histories(alerts, decisions))

    for alert in alerts:
        missed = [version for version in range(1, alert["version"] + 1) if not witness.alerts[alert["id"], version]]
        if missed:
            outcome.lost.append(f"the screen never saw alert {alert['id']} in versions {missed}")
    outcome.lost += [f"the screen never saw decision {id}" for id in decider.acknowledged if not witness.decisions[id]]

    with contextlib.closing(installation.client(installation.login("administrator"))) as administrator:
        verified = administrator.post("/api/v1/audit/verify").raise_for_status().json()
        if not verified["ok"]:
            outcome.wrong.append(f"the audit chain does not hold: {verified['findings'][:3]}")


def _broken_histories(alerts: Sequence[Mapping[str, Any]], decisions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Alerts whose versions and states do not follow from the decisions on them."""
    history: dict[str, list[Mapping[str, Any]]] = {}
    for decision in decisions:
        history.setdefault(decision["subject"], []).append(decision)
    for alert in alerts:
        state, version = "new", 1
        for decision in sorted(history.get(alert["id"], ()), key=lambda each: int(each["version"])):
            if (decision["state_before"], decision["version"]) != (state, version + 1):
                yield f"alert {alert['id']}: decision {decision['id']} does not follow version {version}, {state}"
            state, version = decision["state_after"], decision["version"]
        if (alert["state"], alert["version"]) != (state, version):
            yield f"alert {alert['id']} is {alert['state']}, version {alert['version']}, not {state}, {version}"


def is_faulty(alert: Mapping[str, Any]) -> bool:
    """Whether it is the alert of one of our impossible readings."""
    return str(alert["source"]).startswith("faulty-") and alert["detector"] == "impossible"


def api(installation: Installation) -> httpx.AsyncClient:
    """A client with the demo's token, whose person may decide."""
    return httpx.AsyncClient(
        base_url=installation.url, headers={"Authorization": f"Bearer {installation.token}"}, timeout=10
    )


async def pages(client: httpx.AsyncClient, address: str, **query: str) -> AsyncIterator[Mapping[str, Any]]:
    """All items of a list."""
    after: dict[str, str] = {}
    while True:
        answer = await client.get(address, params={"limit": "1000", **query, **after})
        page = answer.raise_for_status().json()
        for item in page["items"]:
            yield item
        if page["next"] is None:
            return
        after = {"after": page["next"]}


def _waits(installation: Installation, victim: str) -> Sequence[float]:
    """How long the supervisor waited, in seconds, each time before it started a part again."""
    kind, _, name = victim.partition(" ")
    part = f"{kind}-{name}" if name else kind
    entries = [json.loads(line) for line in installation.log.read_text().splitlines() if '"part ended"' in line]
    texts = [entry["what"] for entry in entries if entry["part"] == part]
    return [float(text.rpartition("starting again in ")[2].split()[0]) for text in texts]


def main() -> int:
    """Kill many times in one run and print what was lost or doubled, and how fast it recovered."""
    end_tidily()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20_261_121)
    parser.add_argument("--readings-per-second", type=int, default=300, dest="readings_per_s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
        home = Path(folder) / "home"
        # The supervisor waits up to 30 s before it restarts a part that ends again and again.
        sensors = faulty_sensors(round(arguments.kills * 60 * FAULTS_PER_S))
        register(home, sensors)
        without_history(home)
        with running_demo(
            home, arguments=("--readings-per-second", str(arguments.readings_per_s)), tools=TOOLS
        ) as installation:
            wait_until_settled(installation)
            names = [sensor.id for sensor in sensors]
            outcome = asyncio.run(run(installation, names, kills=arguments.kills, seed=arguments.seed))
    notes = [
        f"{arguments.readings_per_s} readings/s; {outcome.readings} impossible readings and {outcome.decisions} "
        f"decisions acknowledged while {len(outcome.kills)} parts were killed (seed {arguments.seed})."
    ]
    for victim in VICTIMS:
        of_it = [each for each in outcome.kills if each.victim == victim]
        if of_it:
            own = [each.recovery_s - each.back_off_s for each in of_it]
            notes.append(
                f"{victim}: {len(of_it)} times; from the kill to an alert on the screen, without the supervisor's wait "
                f"(0.2 s, doubled with each crash within a minute): median {statistics.median(own):.1f} s, "
                f"longest {max(own):.1f} s; longest with it {max(each.recovery_s for each in of_it):.1f} s"
            )
    notes += outcome.problems[:20]
    report(
        "kill -9 under load",
        [
            Figure("kills", "", arguments.kills, len(outcome.kills)),
            Figure("acknowledged and lost", "", 0, len(outcome.lost), at_most=True),
            Figure("doubled", "", 0, len(outcome.doubled), at_most=True),
            Figure("otherwise wrong", "", 0, len(outcome.wrong), at_most=True),
        ],
        notes=notes,
    )
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
