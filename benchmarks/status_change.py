"""From a person's decision on one alert among 10,000 open ones to every connected screen."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from benchmarks.load import ProcessorShares, end_tidily, in_words, parts_and, wait_until_settled, without_history
from benchmarks.reporting import Figure, percentile, report
from benchmarks.screens import Listeners, Screen, screens
from impetus.bus import open_bus
from impetus.exercise.seed import CITY
from impetus.model import (
    Alert,
    Category,
    Certainty,
    Envelope,
    Factor,
    ModelReference,
    Place,
    Point,
    Severity,
    SystemClock,
    Urgency,
)
from tests.installation import Installation, running_demo

ASKED_MS = 200.0
TOOL = "anomaly"
AT_ONCE = 500
STEPS = (("acknowledge", "acknowledged"), ("escalate", "escalated"), ("confirm", "confirmed"))
"""What is done with each alert that is looked at, and the state that follows."""
PAUSE_S = 0.3
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Change:
    """One decision: milliseconds from its sending until it was on each screen and heard by each client."""

    pages: Sequence[float]
    clients: Sequence[float]
    answered: float
    """The same until the server's answer came."""

    @property
    def slowest(self) -> float:
        """Until the last one had it."""
        return max((*self.pages, *self.clients))


def alert(number: int) -> Alert:
    """One of many open alerts, with all that an alert of the anomaly tool carries."""
    now = datetime.now(UTC)
    return Alert(
        id=f"benchmark-{number:05d}",
        tool=TOOL,
        detector="level",
        source=f"sound-level-{number:05d}",  # one each: repeats of one source are joined
        headline=f"Sound level at place {number} is far above what is usual on a Saturday night",
        description="Readings of the last minutes are above everything that was read here at this time of the week.",
        instruction="Look at the camera, and ask the patrol nearby whether something is going on.",
        category=Category.SAFETY,
        urgency=Urgency.IMMEDIATE,
        # The severest are on top of the queue, and those are looked at.
        severity=Severity.EXTREME if number < 100 else Severity.MODERATE,
        certainty=Certainty.LIKELY,
        confidence=0.5 + number % 50 / 100,
        onset=now,
        sent=now,
        place=Place(geometry=Point(coordinates=(7.98 + number % 100 / 4_000, 58.13 + number // 100 / 4_000))),
        explanation=(
            Factor(name="value", weight=0.7, observed="93.4 dB", expected="58 to 71 dB", text="above the usual band"),
            Factor(name="duration", weight=0.2, observed="4 minutes", text="holds on"),
        ),
        model=ModelReference(name="seasonal-baseline", version="1.0"),
    )


async def fill(installation: Installation, count: int) -> None:
    """Put alerts on the bus, as a tool's worker does, and wait until all are dealt with."""
    bus = open_bus(installation.home / "bus.sqlite", SystemClock())
    try:
        for first in range(0, count, AT_ONCE):
            alerts = [alert(number) for number in range(first, min(count, first + AT_ONCE))]
            await bus.publish(
                [
                    Envelope.wrap(each, kind="alert", tenant=CITY, origin=TOOL, time=each.sent, partition=each.source)
                    for each in alerts
                ]
            )
        async with asyncio.timeout(300), _client(installation) as client:
            while (await client.get("/api/v1/status")).json()["counts"]["alerts_open"] < count:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
            # What follows from them (incidents, notifications) is dealt with too: the figure is about a decision
            # among many alerts, not about one in the middle of their arrival.
            while any(consumer.pending > 50 for consumer in await bus.consumers()):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    finally:
        await bus.close()


async def measure(
    installation: Installation, pages: Sequence[Screen], clients: Listeners, changes: int
) -> Sequence[Change]:
    """Decide on alerts that all pages have in view, one decision after the other."""
    inside = [await page.rows() for page in pages]
    chosen = [id for id in inside[0] if id.startswith("benchmark-") and all(id in rows for rows in inside)]
    decisions = [(id, *step) for id in chosen for step in STEPS][:changes]
    if len(decisions) < changes:
        raise RuntimeError(f"only {len(chosen)} rows are in view of all pages: {inside}")
    sent: dict[tuple[str, str], float] = {}
    answered: dict[tuple[str, str], float] = {}
    version = dict.fromkeys(chosen, 1)
    async with _client(installation) as client:
        await client.get("/api/v1/session")
        for id, action, state in decisions:
            body = {"action": action, "version": version[id], "reason": "benchmark"}
            began_s = sent[id, state] = time.time()
            answer = (await client.post(f"/api/v1/alerts/{id}/decisions", json=body)).raise_for_status().json()
            answered[id, state] = (time.time() - began_s) * 1e3
            version[id] = answer["alert"]["version"]
            await asyncio.sleep(PAUSE_S)
    await asyncio.sleep(SETTLE_S)

    heard: dict[tuple[str, str], list[float]] = {key: [] for key in sent}
    for event in await clients.heard():
        if (event.alert, event.state) in heard:
            heard[event.alert, event.state].append(event.time_s)
    shown = [await page.shown() for page in pages]
    return [
        Change(
            # What never came is worse than any time.
            pages=[(page.get(f"{id} {state}", float("inf")) - began_s) * 1e3 for page in shown],
            clients=[(moment_s - began_s) * 1e3 for moment_s in heard[id, state]] or [float("inf")],
            answered=answered[id, state],
        )
        for (id, state), began_s in sent.items()
    ]


def _client(installation: Installation) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=installation.url, headers={"Authorization": f"Bearer {installation.token}"}, timeout=60
    )


async def run(installation: Installation, arguments: argparse.Namespace) -> tuple[Sequence[Change], str]:
    """Fill the store, open the screens, decide."""
    await fill(installation, arguments.alerts)
    async with screens(installation, arguments.pages) as pages, Listeners(installation, arguments.clients) as clients:
        async with asyncio.timeout(180):
            for page in pages:
                while await page.open_alerts() < arguments.alerts:  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        await asyncio.sleep(SETTLE_S)
        for page in pages:
            await page.watch()
        shares = ProcessorShares(lambda: parts_and(installation, {"clients": [clients.process_id]}))
        changes = await measure(installation, pages, clients, arguments.changes)
        return changes, in_words(shares.take())


def main() -> None:
    """Take the figure a few times, each on an installation of its own, and print the medians."""
    end_tidily()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=10_000, help="open alerts")
    parser.add_argument("--changes", type=int, default=51)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pages", type=int, default=2, help="live pages in a real browser")
    parser.add_argument("--clients", type=int, default=18, help="further clients of the live stream")
    parser.add_argument("--history", action=argparse.BooleanOptionalAction, default=True, help="two weeks of readings")
    arguments = parser.parse_args()

    runs: list[Sequence[Change]] = []
    shares = ""
    for number in range(arguments.runs):
        with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
            home = Path(folder) / "home"
            if not arguments.history:
                without_history(home)
            with running_demo(home, tools=[TOOL]) as installation:
                wait_until_settled(installation)
                changes, shares = asyncio.run(run(installation, arguments))
        runs.append(changes)
        slowest = [change.slowest for change in changes]
        on_pages = [max(change.pages, default=0.0) for change in changes]
        to_clients = [max(change.clients) for change in changes]
        print(
            f"  run {number + 1}: slowest screen p50 {percentile(slowest, 50):.0f}, p95 {percentile(slowest, 95):.0f}, "
            f"max {max(slowest):.0f} ms; slowest page p50 {percentile(on_pages, 50):.0f}, slowest client p50 "
            f"{percentile(to_clients, 50):.0f}, server's answer p50 "
            f"{percentile([change.answered for change in changes], 50):.0f} ms; {shares}",
            flush=True,
        )
    figures = [
        Figure(
            f"decision to the last of all screens, {name}",
            "ms",
            ASKED_MS,
            statistics.median(percentile([change.slowest for change in changes], percent) for changes in runs),
            at_most=True,
        )
        for name, percent in (("p50", 50), ("p95", 95), ("slowest of all", 100))
    ]
    report(
        "A status change on one alert among many",
        figures,
        notes=(
            f"{arguments.alerts:,} open alerts, {arguments.pages} live pages in Chromium, {arguments.clients} further "
            f"clients, {arguments.changes} decisions; medians of {arguments.runs} runs.",
            shares,
        ),
    )


if __name__ == "__main__":
    main()
