"""From two alerts that belong together to their incident on every connected screen."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks.load import end_tidily, wait_until_settled, without_history
from benchmarks.reporting import Figure, percentile, report
from benchmarks.screens import Listener, Screen, screens
from impetus.bus import open_bus
from impetus.exercise.seed import CITY
from impetus.model import (
    Alert,
    Category,
    Certainty,
    Envelope,
    ModelReference,
    Place,
    Point,
    Severity,
    SystemClock,
    Urgency,
)
from tests.installation import Installation, running_demo

ASKED_MS = 500.0
TOOL = "anomaly"
PAUSE_S = 0.5
SETTLE_S = 3.0
APART_DEGREES = 0.05
"""Some five kilometres: no two incidents are near each other."""

WATCH_INCIDENTS = """() => {
  const shown = {};
  window.benchmarkIncidents = shown;
  const note = (link) => {
    const id = link.getAttribute("href").split("/").pop();
    if (!(id in shown)) { shown[id] = 0; requestAnimationFrame(() => setTimeout(() => { shown[id] = Date.now(); })); }
  };
  const list = document.querySelector("#incidents");
  new MutationObserver(() => list.querySelectorAll("a.incident-row").forEach(note)).observe(list, { childList: true });
}"""


def pair(number: int) -> Sequence[Alert]:
    """Two sensors of one square notice the same thing."""
    now = datetime.now(UTC)
    east, north = 12.0 + number % 20 * APART_DEGREES, 45.5 + number // 20 * APART_DEGREES
    return [
        Alert(
            id=f"benchmark-{number:04d}-{side}",
            tool=TOOL,
            detector="level",
            source=f"people-count-{number:04d}-{side}",
            headline=f"People count rose suddenly at square {number}, side {side}",
            category=Category.SAFETY,
            urgency=Urgency.IMMEDIATE,
            severity=Severity.SEVERE,
            certainty=Certainty.LIKELY,
            confidence=0.95,
            onset=now,
            sent=now,
            place=Place(geometry=Point(coordinates=(east + side * 2e-4, north))),
            model=ModelReference(name="seasonal-baseline", version="1.0"),
        )
        for side in (0, 1)
    ]


class Client:
    """Hears of incidents over the live stream."""

    def __init__(self, installation: Installation) -> None:
        self.first_s: dict[str, float] = {}
        """When an incident with both alerts was first heard of, by the number of the pair."""
        self.incidents: dict[str, str] = {}
        self.listener = Listener(installation.url, installation.token, self._take, topics="incidents")

    def _take(self, event: str, data: bytes, moment_s: float) -> None:
        if event != "incident":
            return
        incident = orjson.loads(data)
        for id in incident["alerts"]:
            number = id.rpartition("-")[0]
            if number.startswith("benchmark-") and number not in self.first_s:
                self.first_s[number] = moment_s
                self.incidents[number] = incident["id"]


@asynccontextmanager
async def listening(installation: Installation, count: int) -> AsyncIterator[Sequence[Client]]:
    """Clients of the live stream, all of them connected."""
    clients = [Client(installation) for _ in range(count)]
    tasks = [asyncio.create_task(client.listener.run()) for client in clients]
    try:
        for client in clients:
            await client.listener.listening.wait()
        yield clients
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def run(installation: Installation, arguments: argparse.Namespace) -> Sequence[float]:
    """Milliseconds from the second alert on the bus to the last of all screens, for each incident."""
    bus = open_bus(installation.home / "bus.sqlite", SystemClock())
    sent: dict[str, float] = {}
    try:
        async with (
            screens(installation, arguments.pages) as pages,
            listening(installation, arguments.clients) as clients,
        ):
            for page in pages:
                await _open_list(installation, page)
            for number in range(arguments.incidents):
                alerts = pair(number)
                sent[f"benchmark-{number:04d}"] = time.time()
                await bus.publish(
                    [
                        Envelope.wrap(one, kind="alert", tenant=CITY, origin=TOOL, time=one.sent, partition=one.source)
                        for one in alerts
                    ]
                )
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(SETTLE_S)
            shown = [await page.page.evaluate("() => window.benchmarkIncidents") for page in pages]
    finally:
        await bus.close()
    never = float("inf")
    slowest = []
    for pair_id, sent_s in sent.items():
        heard = [client.first_s.get(pair_id, never) for client in clients]
        incident = clients[0].incidents.get(pair_id, "")
        seen = [page[incident] / 1e3 if page.get(incident) else never for page in shown]
        slowest.append((max((*heard, *seen)) - sent_s) * 1e3)
    return slowest


async def _open_list(installation: Installation, screen: Screen) -> None:
    await screen.page.goto(f"{installation.url}/incidents")
    await screen.page.wait_for_selector("#incidents:not(.loading)")
    await screen.page.evaluate(WATCH_INCIDENTS)


def main() -> None:
    """Take the figure a few times, each on an installation of its own, and print the medians."""
    end_tidily()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pages", type=int, default=2, help="lists of incidents in a real browser")
    parser.add_argument("--clients", type=int, default=18, help="further clients of the live stream")
    arguments = parser.parse_args()
    runs: list[Sequence[float]] = []
    for number in range(arguments.runs):
        with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
            home = Path(folder) / "home"
            without_history(home)
            with running_demo(home, tools=[TOOL]) as installation:
                wait_until_settled(installation)
                runs.append(asyncio.run(run(installation, arguments)))
        latest = runs[-1]
        print(
            f"  run {number + 1}: p50 {percentile(latest, 50):.0f}, p95 {percentile(latest, 95):.0f}, "
            f"max {max(latest):.0f} ms",
            flush=True,
        )
    figures = [
        Figure(
            f"two alerts to their incident on the last of all screens, {name}",
            "ms",
            ASKED_MS,
            statistics.median(percentile(each, percent) for each in runs),
            at_most=True,
        )
        for name, percent in (("p50", 50), ("p95", 95))
    ]
    report(
        "An incident on every screen",
        figures,
        notes=(
            f"{arguments.incidents} incidents of two alerts each, {arguments.pages} lists of incidents in Chromium, "
            f"{arguments.clients} further clients; medians of {arguments.runs} runs.",
        ),
    )


if __name__ == "__main__":
    main()
