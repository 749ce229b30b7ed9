"""The map with very many marks: is it smooth while a person moves it and while alerts change?

A page of a running demo in Chromium (no GPU) gets a map of the whole screen with 10,000 marks, half of them sensors and
half alerts. Measured are the times between frames (requestAnimationFrame) while the map is panned to and fro without
pause, while 50 marks a second change, and both at once.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from benchmarks.reporting import Figure, percentile, report
from benchmarks.screens import CHROMIUM_ARGUMENTS
from tests.installation import Installation, running_demo

MARKS = 10_000
UPDATES_PER_S = 50
LIMIT_MS = 50.0

SET_UP = """async ([base, marks]) => {
  const { AlertMap } = await import(`${base}/js/citymap.js`);
  const frame = document.querySelector(".map-frame").cloneNode(true);
  const place = frame.querySelector("[data-map]");
  const fresh = document.createElement("div");
  fresh.className = "map";
  fresh.dataset.map = "";
  place.replaceWith(fresh);
  document.body.replaceChildren(frame);
  frame.style.cssText = "position: fixed; inset: 0";
  const map = await new AlertMap(frame).start();
  const centre = map.map.getCenter();
  let seed = 7;
  const random = () => { seed = (seed * 16807) % 2147483647; return seed / 2147483647; };
  const somewhere = () => [centre.lng + (random() - 0.5) * 0.08, centre.lat + (random() - 0.5) * 0.04];
  const point = () => ({ geometry: { type: "Point", coordinates: somewhere() } });
  const severities = ["Extreme", "Severe", "Moderate", "Minor", "Unknown"];
  const states = ["ok", "ok", "ok", "anomalous", "silent", "stuck"];
  const alerts = [];
  const begun = performance.now();
  for (let n = 0; n < marks / 2; n += 1) {
    map.putSensor({ id: `s${n}`, name: `Sensor ${n}`, place: point(),
      state: states[n % states.length], observed_property: "x" });
    const alert = { id: `a${n}`, headline: `Alert ${n}`, place: point(),
      severity: severities[n % 5], state: "new" };
    alerts.push(alert);
    map.putAlert(alert);
  }
  window.benchmark = { map, alerts };
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - begun;
}"""

MEASURE = """async ([seconds, pan, updates]) => {
  const { map, alerts } = window.benchmark;
  const deltas = [];
  let last = performance.now();
  let running = true;
  const frame = (now) => { deltas.push(now - last); last = now; if (running) requestAnimationFrame(frame); };
  requestAnimationFrame((now) => { last = now; requestAnimationFrame(frame); });
  let panned = 0;
  const panning = pan && setInterval(() => {
    panned += 1;
    map.map.panBy([panned % 2 ? 220 : -220, panned % 4 < 2 ? 90 : -90], { duration: 0.35 });
  }, 400);
  let changed = 0;
  const changing = updates && setInterval(() => {
    changed += 1;
    const alert = alerts[(changed * 37) % alerts.length];
    map.putAlert({ ...alert, state: changed % 2 ? "acknowledged" : "new" });
  }, 1000 / updates);
  await new Promise((done) => setTimeout(done, seconds * 1000));
  running = false;
  clearInterval(panning); clearInterval(changing);
  return deltas;
}"""

SITUATIONS: Sequence[tuple[str, bool, int]] = (
    ("panning", True, 0),
    ("50 changes/s", False, UPDATES_PER_S),
    ("panning with 50 changes/s", True, UPDATES_PER_S),
)


async def frame_times(page: Page, marks: int, seconds: float) -> tuple[float, dict[str, list[float]]]:
    """How long the marks took to appear, and the milliseconds between frames in each situation."""
    base = await page.evaluate(
        """() => new URL("..", document.querySelector("script[type=module]").src).pathname.replace(/\\/$/, "")"""
    )
    loaded: float = await page.evaluate(SET_UP, [base, marks])
    await page.wait_for_timeout(1_500)
    found: dict[str, list[float]] = {}
    for name, pan, updates in SITUATIONS:
        arguments: list[Any] = [seconds, pan, updates]
        found[name] = await page.evaluate(MEASURE, arguments)
        await page.wait_for_timeout(300)
    return loaded, found


async def measured(
    url: str, name: str, password: str, marks: int, seconds: float
) -> tuple[float, dict[str, list[float]]]:
    """The same in a browser of its own, logged in."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_ARGUMENTS)
        )
        try:
            page = await (await browser.new_context(viewport={"width": 1920, "height": 1080})).new_page()
            page.set_default_timeout(120_000)
            await page.goto(f"{url}/login")
            await page.fill("input[name=name]", name)
            await page.fill("input[name=password]", password)
            await page.press("input[name=password]", "Enter")
            await page.wait_for_url(lambda url: "/login" not in url)
            await page.goto(f"{url}/sensors")
            await page.wait_for_selector(".map.leaflet-container")
            return await frame_times(page, marks, seconds)
        finally:
            await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--marks", type=int, default=MARKS)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each situation")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder), tools=()) as demo:
        loaded, found = asyncio.run(_run(demo, arguments.marks, arguments.seconds))
    print_figures(arguments.marks, loaded, found)


def print_figures(marks: int, loaded_ms: float, found: dict[str, list[float]]) -> None:
    """The table of what was asked and reached."""
    figures = [Figure("marks shown after", "ms", 2_000, loaded_ms, at_most=True)]
    for name, deltas in found.items():
        figures.append(
            Figure(
                f"frame time p95, {name}",
                "ms",
                LIMIT_MS,
                percentile(deltas, 95),
                at_most=True,
                note=f"median {percentile(deltas, 50):.1f}, longest {max(deltas):.0f} ms, {len(deltas)} frames",
            )
        )
    report(
        f"Map with {marks:,} marks",
        figures,
        notes=("Chromium without a GPU, 1920x1080, the demo city running beside it.",),
    )


async def _run(demo: Installation, marks: int, seconds: float) -> tuple[float, dict[str, list[float]]]:
    login = demo.login("operator")
    return await measured(demo.url, login.name, login.password, marks, seconds)


if __name__ == "__main__":
    main()
