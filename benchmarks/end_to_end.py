"""From an MQTT payload to a row in a connected browser, while thousands of readings and 20 alerts a second arrive."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from benchmarks.screens import Heard, Listeners, Screen, screens
from tests.installation import Installation, running_demo

ASKED_MS = 300.0
TOOLS = ("anomaly",)
SETTLE_S = 5.0
"""What is on its way when the last reading was sent gets this long to arrive."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How much of everything."""

    seconds: float
    warm_up_s: float
    runs: int
    readings_per_s: int
    alerts_per_s: float
    pages: int
    clients: int
    history: bool

    @property
    def warm_up_alerts(self) -> int:
        return round(self.warm_up_s * self.alerts_per_s)

    @property
    def alerts(self) -> int:
        """Alerts of one run, without its warm-up."""
        return round(self.seconds * self.alerts_per_s)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run measured, in milliseconds from the sending of the payload."""

    clients: Sequence[float]
    pages: Sequence[float]
    acknowledged: Sequence[float]
    """Until the connector had put the reading on the bus and said so."""
    raised: Sequence[float]
    """Until the tool raised the alert."""
    received: Sequence[float]
    """Until the hub took it in."""
    missing: int
    """Rows and events that were expected on a screen and did not come."""
    shares: Mapping[str, float]


async def measure(
    installation: Installation, sensors: Sequence[str], settings: Settings, pages: Sequence[Screen], clients: Listeners
) -> Run:
    """Send an impossible reading of each sensor at an even pace and see when its alert is where."""
    sender = FaultySender(installation)
    sending = asyncio.create_task(sender.run())
    await sender.connected()
    warm_up, measured = sensors[: settings.warm_up_alerts], sensors[settings.warm_up_alerts :]
    await sender.send_evenly(warm_up, settings.alerts_per_s)
    shares = ProcessorShares(
        lambda: parts_and(installation, {"clients": [clients.process_id], "this benchmark": [os.getpid()]})
    )
    await sender.send_evenly(measured, settings.alerts_per_s)
    used = shares.take()
    await asyncio.sleep(SETTLE_S)
    await sender.all_acknowledged()
    sending.cancel()

    wanted = frozenset(measured)
    alert_of: dict[str, str] = {}
    first: dict[tuple[int, str], Heard] = {}
    for heard in await clients.heard():
        if heard.source in wanted:
            alert_of[heard.source] = heard.alert
            first.setdefault((heard.client, heard.source), heard)
    on_pages = []
    for page in pages:
        shown = await page.shown()
        rows: dict[str, float] = {}
        for key, moment_s in shown.items():
            alert = key.partition(" ")[0]
            rows[alert] = min(moment_s, rows.get(alert, moment_s))
        on_pages += [(rows[alert] - sender.sent[source]) * 1e3 for source, alert in alert_of.items() if alert in rows]
    expected = len(measured) * (settings.pages + settings.clients)
    return Run(
        clients=[(heard.time_s - sender.sent[heard.source]) * 1e3 for heard in first.values()],
        pages=on_pages,
        acknowledged=[(sender.acknowledged[source] - sender.sent[source]) * 1e3 for source in measured],
        raised=[(heard.raised_s - sender.sent[heard.source]) * 1e3 for heard in first.values() if not heard.client],
        received=[(heard.received_s - sender.sent[heard.source]) * 1e3 for heard in first.values() if not heard.client],
        missing=expected - len(first) - len(on_pages),
        shares=used,
    )


async def run(installation: Installation, settings: Settings) -> Sequence[Run]:
    """All runs on one installation, each with sensors of its own."""
    each = settings.warm_up_alerts + settings.alerts
    sensors = [datastream.id for datastream in faulty_sensors(each * settings.runs)]
    found = []
    async with screens(installation, settings.pages) as pages, Listeners(installation, settings.clients) as clients:
        for page in pages:
            await page.newest_first()
            await page.watch()
        for number in range(settings.runs):
            part = sensors[number * each : (number + 1) * each]
            found.append(await measure(installation, part, settings, pages, clients))
            print(f"  run {number + 1}: {_described(found[-1])}", flush=True)
    return found


def _described(one: Run) -> str:
    parts = []
    for name, values in (
        ("on the bus", one.acknowledged),
        ("alert raised", one.raised),
        ("taken in", one.received),
        ("client", one.clients),
        ("browser row", one.pages),
    ):
        if values:
            figures = " / ".join(f"{percentile(values, percent):.0f}" for percent in (50, 95, 99))
            parts.append(f"{name} {figures}")
    return f"p50 / p95 / p99 in ms from the payload: {', '.join(parts)}; {one.missing} missing; {in_words(one.shares)}"


def main() -> None:
    """Take the figure a few times on one installation and print the medians."""
    end_tidily()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm-up", type=float, default=15.0, dest="warm_up_s", help="seconds before each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--readings-per-second", type=int, default=2_000, dest="readings_per_s")
    parser.add_argument("--alerts-per-second", type=float, default=20.0, dest="alerts_per_s")
    parser.add_argument("--pages", type=int, default=2, help="live pages in a real browser")
    parser.add_argument("--clients", type=int, default=18, help="further clients of the live stream")
    parser.add_argument("--history", action=argparse.BooleanOptionalAction, default=True, help="two weeks of readings")
    settings = Settings(**vars(parser.parse_args()))

    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as folder:
        home = Path(folder) / "home"
        register(home, faulty_sensors((settings.warm_up_alerts + settings.alerts) * settings.runs))
        if not settings.history:
            without_history(home)
        with running_demo(
            home, arguments=("--readings-per-second", str(settings.readings_per_s)), tools=TOOLS
        ) as installation:
            wait_until_settled(installation)
            runs = asyncio.run(run(installation, settings))
    figures = []
    for name, values in (
        ("payload to row in a browser, p95", [one.pages for one in runs]),
        ("payload to client of the live stream, p95", [one.clients for one in runs]),
    ):
        if all(values):
            reached = statistics.median(percentile(value, 95) for value in values)
            middle = statistics.median(percentile(value, 50) for value in values)
            last = statistics.median(percentile(value, 99) for value in values)
            figures.append(
                Figure(name, "ms", ASKED_MS, reached, at_most=True, note=f"p50 {middle:.0f}, p99 {last:.0f}")
            )
    missing = sum(one.missing for one in runs)
    figures.append(Figure("rows and events that never came", "", 0, missing, at_most=True))
    report(
        "End to end",
        figures,
        notes=(
            f"{settings.readings_per_s:,} readings/s, {settings.alerts_per_s:g} alerts/s, {settings.pages} live pages "
            f"in Chromium, {settings.clients} further clients; medians of {settings.runs} runs of "
            f"{settings.seconds:g} s.",
            f"The last run: {_described(runs[-1])}",
        ),
    )


if __name__ == "__main__":
    main()
