"""Who watches an installation in the benchmarks: pages in a real browser, and cheap clients of the live stream."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import orjson
from playwright.async_api import Browser, Page, async_playwright

from tests.installation import Installation

TOPICS = "alerts,incidents,readings,health"
"""What the live page listens to."""
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

# Notes when a row of the queue, or a state in one, is first on the screen: the moment after the frame that draws it.
WATCH_ROWS = """() => {
  const shown = {}, seen = new Set();
  window.benchmarkShown = shown;
  const note = (row) => {
    const id = row.getAttribute("row-id"), state = row.querySelector("[data-state]")?.dataset.state;
    if (!id || !state) return;
    const key = `${id} ${state}`;
    if (seen.has(key)) return;
    seen.add(key);
    requestAnimationFrame(() => setTimeout(() => { shown[key] = Date.now(); }));
  };
  new MutationObserver((changes) => {
    for (const change of changes) {
      const row = change.target.closest?.("[row-id]");
      if (row) note(row);
      for (const added of change.addedNodes) {
        if (added.matches?.("[row-id]")) note(added);
        added.querySelectorAll?.("[row-id]").forEach(note);
      }
    }
  }).observe(document.querySelector("#queue-grid"), {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-state", "row-id"],
  });
}"""


@dataclass(slots=True)
class Screen:
    """The live page in a browser, logged in."""

    page: Page

    async def watch(self) -> None:
        """From now on note when rows appear and change."""
        await self.page.evaluate(WATCH_ROWS)

    async def newest_first(self) -> None:
        """Order the queue so that what arrives is on top."""
        await self.page.click("#queue-order [data-order=time]")

    async def rows(self) -> list[str]:
        """Identifiers of the alerts whose rows are in view, from the top."""
        found: list[str] = await self.page.evaluate("""() => {
          const frame = document.querySelector("#queue-grid").getBoundingClientRect();
          return [...document.querySelectorAll("#queue-grid [row-id]")]
            .map((row) => [row.getBoundingClientRect(), row.getAttribute("row-id")])
            .filter(([at]) => at.top >= frame.top + 30 && at.bottom <= frame.bottom)
            .sort(([a], [b]) => a.top - b.top).map(([, id]) => id)
            .filter((id, place, ids) => ids.indexOf(id) === place);
        }""")
        return found

    async def open_alerts(self) -> int:
        """How many open alerts the page says that it knows."""
        text = await self.page.inner_text("[data-queue-sub]")
        return int("".join(filter(str.isdigit, text.partition("open")[0])) or 0)

    async def shown(self) -> Mapping[str, float]:
        """When each row was first shown, in seconds since 1970, by `ALERT STATE`."""
        found: dict[str, float] = await self.page.evaluate("() => window.benchmarkShown")
        return {key: moment / 1e3 for key, moment in found.items()}


@asynccontextmanager
async def screens(installation: Installation, count: int) -> AsyncIterator[Sequence[Screen]]:
    """Live pages of the operator, each in a browser session of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_ARGUMENTS)
        )
        try:
            yield [Screen(await _live_page(installation, browser)) for _ in range(count)]
        finally:
            await browser.close()


async def _live_page(installation: Installation, browser: Browser) -> Page:
    login = installation.login("operator")
    context = await browser.new_context(viewport={"width": 1920, "height": 1080}, locale="en-GB")
    page = await context.new_page()
    page.set_default_timeout(60_000)
    await page.goto(f"{installation.url}/login")
    await page.fill("input[name=name]", login.name)
    await page.fill("input[name=password]", login.password)
    await page.press("input[name=password]", "Enter")
    await page.wait_for_url(lambda url: "/login" not in url)
    await page.wait_for_selector("#queue-grid .ag-root")
    return page


Take = Callable[[str, bytes, float], None]
"""Called with the event's name, its data, and when it arrived in seconds since 1970."""


class Listener:
    """A client of the live stream that resumes where it broke off."""

    def __init__(self, url: str, token: str, take: Take, *, topics: str = TOPICS, after: int | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._token = token
        self._topics = topics
        self._take = take
        self.last = "" if after is None else str(after)
        self.connections = 0
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled, connecting again whenever the stream ends."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ConnectionError):
                await self._listen()
            self.listening.clear()
            await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=2**24)
        try:
            resume = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
            writer.write(
                f"GET /api/v1/stream?topics={self._topics} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
                f"Authorization: Bearer {self._token}\r\n{resume}\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise ConnectionError(f"the live stream was refused: {head[:200]!r}")
            self.connections += 1
            self.listening.set()
            text = bytearray()
            while size := int(await reader.readline() or b"0", 16):
                text += (await reader.readexactly(size + 2))[:-2]
                *frames, rest = text.split(b"\n\n")
                text = bytearray(rest)
                moment_s = time.time()
                for frame in frames:
                    self._handle(bytes(frame), moment_s)
        finally:
            writer.close()

    def _handle(self, frame: bytes, moment_s: float) -> None:
        event, data = "", b""
        for line in frame.split(b"\n"):
            name, _, value = line.partition(b": ")
            if name == b"id":
                self.last = value.decode()
            elif name == b"event":
                event = value.decode()
            elif name == b"data":
                data = value
        if event:
            self._take(event, data, moment_s)


@dataclass(frozen=True, slots=True)
class Heard:
    """One `alert` event as a client got it."""

    client: int
    alert: str
    source: str
    state: str
    raised_s: float
    """When the tool raised it, all times in seconds since 1970."""
    received_s: float
    """When the hub took it in."""
    time_s: float
    """When the client had it."""


class Listeners:
    """Clients of the live stream, all in one process of their own. Use as an asynchronous context."""

    def __init__(self, installation: Installation, count: int) -> None:
        self._pipe, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_listen_in_process, args=(installation.url, installation.token, count, there), daemon=True
        )

    @property
    def process_id(self) -> int:
        """Of the process that listens."""
        return self._process.pid or 0

    async def __aenter__(self) -> Listeners:
        self._process.start()
        await asyncio.to_thread(self._pipe.recv)
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._pipe.close()
        await asyncio.to_thread(self._process.join, 5)
        self._process.kill()

    async def heard(self) -> list[Heard]:
        """All `alert` events so far."""
        self._pipe.send("heard")
        found: list[Heard] = await asyncio.to_thread(self._pipe.recv)
        return found


def _listen_in_process(url: str, token: str, count: int, pipe: Connection) -> None:
    """Listen until the other end of the pipe is closed."""
    heard: list[Heard] = []

    def take(client: int) -> Take:
        def note(event: str, data: bytes, time_s: float) -> None:
            if event == "alert":
                alert = orjson.loads(data)
                raised_s, received_s = (
                    datetime.fromisoformat(alert[name]).timestamp() for name in ("sent", "received")
                )
                heard.append(Heard(client, alert["id"], alert["source"], alert["state"], raised_s, received_s, time_s))
            elif event == "reset":
                raise RuntimeError(f"client {client} was told to reload: {data!r}")

        return note

    answer_while_listening([Listener(url, token, take(number)) for number in range(count)], heard, pipe)


def answer_while_listening(listeners: Sequence[Listener], known: object, pipe: Connection) -> None:
    """Say that all listen, then what is `known` so far each time the other end asks; until that is closed."""

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(listener.run()) for listener in listeners]
            for listener in listeners:
                await listener.listening.wait()
            pipe.send("ready")
            ended = asyncio.Event()

            def answer() -> None:
                try:
                    pipe.recv()
                    pipe.send(known)
                except (EOFError, OSError):
                    asyncio.get_running_loop().remove_reader(pipe.fileno())
                    ended.set()

            asyncio.get_running_loop().add_reader(pipe.fileno(), answer)
            await ended.wait()
            for task in working:
                task.cancel()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
