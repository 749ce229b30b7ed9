"""10,000 streams at a reading a second through MQTT, bus and worker: the lag; and how fast the tool's page feels then.

Gateways send what 100 sensors read in one message (SensorThings data arrays), as single messages of so many sensors
are more than one listener takes. The lag is that of impossible readings among them, from the sending until the tool
raised the alert.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

from playwright.async_api import Page, async_playwright

from benchmarks.load import (
    FaultySender,
    ProcessorShares,
    end_tidily,
    faulty_sensors,
    in_words,
    register,
    wait_until_settled,
    without_history,
)
from benchmarks.reporting import Figure, percentile, report
from benchmarks.screens import CHROMIUM_ARGUMENTS
from impetus.exercise.city import load_datastreams
from impetus.exercise.load import connect_packet, publish_packet
from tests.installation import Installation, running_demo

GATEWAY_SENSORS = 100
FAULTY_A_S = 10.0
SETTLE_S = 6.0
ASKED_S = 2.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Lag of the anomaly tool under full load, and its page.")
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--warm-up", type=float, default=8.0)
    parser.add_argument("--picture", type=Path, help="also measure the page, and put a picture of it here")
    options = parser.parse_args()
    end_tidily()
    count = round(options.seconds * FAULTY_A_S)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        register(home, [*faulty_sensors(count), *load_datastreams(options.streams)])
        without_history(home)
        with running_demo(home, arguments=["--readings-per-second", "1"], tools=("anomaly",)) as installation:
            wait_until_settled(installation)
            asyncio.run(_measure(installation, options, count))


async def _measure(installation: Installation, options: argparse.Namespace, count: int) -> None:
    kept = json.loads((installation.home / "secrets" / "mqtt.json").read_text())
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    arguments = (installation.mqtt_port, kept["name"], kept["password"], options.streams, stop)
    gateways = spawn.Process(target=send_arrays, args=arguments, daemon=True)
    gateways.start()
    page_figures: list[Figure] = []
    try:
        await asyncio.sleep(options.warm_up)
        sender = FaultySender(installation)
        sending = asyncio.create_task(sender.run())
        await sender.connected()
        shares = ProcessorShares(lambda: {name: [process] for name, process in installation.children().items()})
        await sender.send_evenly([sensor.id for sensor in faulty_sensors(count)], FAULTY_A_S)
        used = shares.take()
        await asyncio.sleep(SETTLE_S)
        sending.cancel()
        lags_s = _lags_s(installation, sender.sent)
        if options.picture is not None:
            page_figures = await _page(installation, options.streams, options.picture)
    finally:
        stop.set()
        gateways.join(10)
        if gateways.is_alive():
            gateways.terminate()
    missing = count - len(lags_s)
    # What did not come within the time counts as long as that.
    lags_s += [SETTLE_S] * missing
    figures = [
        Figure("lag of an alert, p95", "s", ASKED_S, percentile(lags_s, 95), at_most=True),
        Figure("lag of an alert, median", "s", ASKED_S, percentile(lags_s, 50), at_most=True),
        Figure("alerts that did not come", "", 0, missing, at_most=True, note=f"of {count}"),
        *page_figures,
    ]
    notes = [
        f"{options.streams:,} streams at 1 reading/s in messages of {GATEWAY_SENSORS}, {options.seconds:.0f} s",
        "processor shares: " + in_words(used),
    ]
    report("Anomalies under full load", figures, notes=notes)


def send_arrays(port: int, name: str, password: str, streams: int, stop: Event) -> None:
    """A reading of each stream a second, evenly in messages of 100 sensors; runs in a process of its own."""
    chance = random.Random(1)
    groups = [range(first, min(first + GATEWAY_SENSORS, streams)) for first in range(0, streams, GATEWAY_SENSORS)]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(connect_packet("benchmark-gateways", name, password))
        connection.recv(4)
        began_s, sent = time.monotonic(), 0
        while not stop.is_set():
            due = int((time.monotonic() - began_s) * len(groups))
            for number in range(sent, due):
                connection.sendall(_message(groups[number % len(groups)], chance))
            sent = max(sent, due)
            time.sleep(0.01)


def _message(sensors: range, chance: random.Random) -> bytes:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    payload = ",".join(
        f'{{"Datastream":{{"@iot.id":"load-{number + 1:05d}"}},"components":["phenomenonTime","result"],'
        f'"dataArray":[["{moment}",{58.0 + number % 7 + chance.gauss(0.0, 0.8):.1f}]]}}'
        for number in sensors
    )
    return publish_packet(b"v1.1/CreateObservations", f"[{payload}]".encode())


def _lags_s(installation: Installation, sent: dict[str, float]) -> list[float]:
    """Seconds from the sending of each impossible reading until the tool raised its alert."""
    found: dict[str, float] = {}
    with installation.client() as client:
        for source, moment_s in sent.items():
            answer = client.get("/api/v1/alerts", params={"tool": "anomaly", "source": source, "limit": 5})
            for alert in answer.raise_for_status().json()["items"]:
                raised_s = datetime.fromisoformat(alert["sent"]).timestamp()
                if alert["detector"] == "impossible" and alert["revision"] == 0:
                    found[source] = raised_s - moment_s
    return list(found.values())


async def _page(installation: Installation, streams: int, picture: Path) -> list[Figure]:
    """How long the page takes to stand, to show another stream, and to follow the slider."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_ARGUMENTS)
        )
        login = installation.login("supervisor")
        context = await browser.new_context(viewport={"width": 1600, "height": 1100}, locale="en-GB")
        page = await context.new_page()
        page.set_default_timeout(60_000)
        await page.goto(f"{installation.url}/login")
        await page.fill("input[name=name]", login.name)
        await page.fill("input[name=password]", login.password)
        await page.press("input[name=password]", "Enter")
        await page.wait_for_url(lambda url: "/login" not in url)
        began_s = time.monotonic()
        await page.goto(f"{installation.url}/tools/anomaly")
        await page.wait_for_function(
            "(count) => Number((document.body.innerText.match(/([0-9,]+) streams,/) ?? [])[1]?.replaceAll(",
            ", )) >= count",
            arg=streams,
        )
        stands_s = time.monotonic() - began_s
        chosen_s = [await _choose(page, f"load-{number:05d}") for number in (77, 5_000 % streams, streams - 1)]
        slid_s = await _slide(page)
        await page.screenshot(path=str(picture))
        await browser.close()
    return [
        Figure("the page stands with all streams", "s", 3.0, stands_s, at_most=True),
        Figure("another stream is drawn", "s", 1.0, max(chosen_s), at_most=True, note="the slowest of three"),
        Figure("the slider's answer", "s", 0.1, max(slid_s), at_most=True, note="the slowest of ten"),
    ]


async def _choose(page: Page, stream: str) -> float:
    began_s = time.monotonic()
    await page.fill("input[list=anomaly-streams]", stream)
    await page.wait_for_function(
        "(id) => [...document.querySelectorAll('h3')].some((one) => one.innerText.includes(id))",
        arg=f"Load test {int(stream[-5:])}",
    )
    await page.wait_for_function("() => document.querySelectorAll('main canvas').length > 2")
    return time.monotonic() - began_s


async def _slide(page: Page) -> Sequence[float]:
    return [
        float(seconds)
        for seconds in await page.evaluate("""async () => {
          const slider = document.querySelector("#anomaly-bar"), told = [];
          for (let at = 0; at < 60; at += 6) {
            const began = performance.now();
            slider.value = String(at);
            slider.dispatchEvent(new Event("input"));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            told.push((performance.now() - began) / 1e3);
          }
          return told;
        }""")
    ]


if __name__ == "__main__":
    main()
