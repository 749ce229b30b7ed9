"""Real browsers for the tests in this folder. A module starts the installation that it needs; `city/` shares one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.installation import Installation, Login
from tests.servers import program

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # Chromium refuses its sandbox to root, which CI is
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

OpenPage = Callable[..., Page]

# A busy machine is slow; that is no failure of the pages.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test of this folder try twice more.

    A city and two browsers on two cores are at times too slow for a click. Each repeat is printed in the summary
    (`-ra` in pyproject.toml); what is wrong fails three times.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=2))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(900))  # a city starts in it, and many waits may be long at once


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window.

    Not for the whole session: while Playwright is open its event loop runs in this thread, and no test can run another.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def log_in(demo: Installation, chromium: Browser) -> Iterator[OpenPage]:
    """Open a browser of its own for a person, logged in on the page `path`.

    At the end it fails if a page broke the content security policy, raised an error, or asked another host for a thing.
    """
    troubles: list[str] = []
    with ExitStack() as stack:

        def open_page(login: Login, path: str = "/", *, width: int = 1920, height: int = 1080) -> Page:
            context = chromium.new_context(viewport={"width": width, "height": height}, locale="en-GB")
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.on("pageerror", lambda error: troubles.append(f"error in a page: {error}"))
            page.on(
                "console",
                lambda message: (
                    troubles.append(f"policy: {message.text}") if "Content Security Policy" in message.text else None
                ),
            )
            page.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith((demo.url, "data:", "blob:"))
                    else troubles.append(f"request to another host: {request.url}")
                ),
            )
            page.goto(f"{demo.url}/login")
            page.fill("input[name=name]", login.name)
            page.fill("input[name=password]", login.password)
            page.press("input[name=password]", "Enter")
            page.wait_for_url(lambda url: "/login" not in url)
            if urlsplit(page.url).path != path:  # each role begins on a page of its own
                page.goto(f"{demo.url}{path}")
            return page

        yield open_page
    assert not troubles
