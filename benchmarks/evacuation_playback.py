"""Playback of a run of 10,000 people in a real browser: frames a second, of one plan and of two side by side.

The people were walked by model A; the page is the tool's own modules, without the rest of the platform around them.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.evacuation import large_square, make_ways_of
from benchmarks.reporting import Figure, report
from benchmarks.screens import CHROMIUM_ARGUMENTS
from impetus.tools.evacuation.checking import venue_document
from impetus.tools.evacuation.playback import encode
from impetus.tools.evacuation.scenario import make_scenario
from impetus.tools.evacuation.simulation import prepare, simulate

PEOPLE = 10_000
SECONDS = 8
VENUE = "square"
PAGE = """<!doctype html><html lang="en"><title>Playback</title><body><div id="panel"></div><script type="module">
import { mount } from "/plan.js";
const results = await (await fetch("/results.json")).json();
window.echarts = { getInstanceByDom: () => null, init: () => ({ setOption() {}, off() {}, on() {}, resize() {} }) };
const colours = { good: "#2ec4a0", "severity-minor": "#4aa3ff", "severity-moderate": "#ffd23e",
  "severity-severe": "#ff9040", "severity-extreme": "#ff3b4e", "surface-1": "#10151c",
  "surface-3": "#1d2733", "line-3": "#33465c" };
mount(document.getElementById("panel"), {
  tool: "evacuation", locale: "en", t: (text) => text, on: () => () => {}, library: async () => {},
  colour: (name) => colours[name] ?? "#888888", get: async (path, query) => ({ items: results[query.kind] ?? [] }),
});
</script></body></html>"""


def recorded() -> dict[str, list[dict[str, Any]]]:
    """Results of the tool as its page reads them: a venue, a plan, and playbacks of it and of nearest exits."""
    venue = large_square()
    ways = make_ways_of(venue)
    outcome = simulate(prepare(ways, make_scenario({"people": PEOPLE})), seed=1, record=True)
    head, parts = encode(outcome, ways.ground)
    head["threat"] = [[ways.ground.longitude, ways.ground.latitude]] * int(outcome.frames[-1][0])
    judged: dict[str, Any] = {"t90_s": outcome.time_s(0.9), "exits": {}, "advice": [], "closed": []}
    content = {"stage": "agents", "finished": True, "elapsed_s": 0, "bound_t90_s": None, "venue": VENUE}
    plan = {"id": "plan", "title": "Plan", "time": "2026-01-01T00:00:00Z"}
    return {
        "venue": [{"content": {"venue": {**venue_document(venue), "id": VENUE}}}],
        "plan": [{**plan, "content": {**content, "baseline": judged, "plans": [judged]}}],
        "playback": [
            {"content": {"plan": "plan", "number": number, "part": part, **head, "data": data}}
            for number in (-1, 0)
            for part, data in enumerate(parts)
        ],
    }


def serve(pages: dict[str, tuple[str, bytes]]) -> ThreadingHTTPServer:
    """A server of a few pages by path, in a thread."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = pages.get(self.path, ("text/plain", b""))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def frames_per_second(page: Page, button: str) -> list[int]:
    """What the page tells, second by second, once it plays."""
    page.get_by_role("button", name=re.compile(button)).first.click()
    shown = page.locator("[data-frames-per-second]")
    page.wait_for_function("() => document.querySelector('output')?.textContent > '0'")
    shown.wait_for()
    told = []
    for _ in range(SECONDS):
        page.wait_for_timeout(1100)
        told.append(int(shown.get_attribute("data-frames-per-second") or 0))
    return told


def main() -> None:
    """Measure and print."""
    static = files("impetus.tools.evacuation") / "static"
    results = recorded()
    server = serve(
        {
            "/": ("text/html", PAGE.encode()),
            "/results.json": ("application/json", json.dumps(results).encode()),
            **{f"/{name}": ("text/javascript", (static / name).read_bytes()) for name in ("plan.js", "crowd.js")},
        }
    )
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM_ARGUMENTS))
            page = browser.new_page(viewport={"width": 1500, "height": 950})
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            one, two = frames_per_second(page, "^Play"), frames_per_second(page, "^Compare")
            browser.close()
    finally:
        server.shutdown()
    notes = [
        f"{PEOPLE:,} people, {results['playback'][0]['content']['frames']} frames, in"
        f" {sum(len(part['content']['data']) for part in results['playback']) / 2e6:.1f} MB",
        f"one: {one}; side by side: {two}",
    ]
    report(
        "Evacuation: playback",
        [
            Figure("playback of 10,000 people, median", "frames/s", 30, median(one)),
            Figure("two side by side, median", "frames/s", 30, median(two)),
        ],
        notes=notes,
    )


if __name__ == "__main__":
    main()
