"""Fixtures of the pages' tests: the pages on the whole interface, on a real bus and store, reached through ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from impetus.api.app import create_api
from impetus.api.services import Services
from impetus.api.settings import ApiSettings, MapSettings
from impetus.api.tests.conftest import services_of
from impetus.sdk import load_tools
from impetus.situation.tests.house import PASSWORD, House, opened_house
from impetus.ui import mount_ui


@dataclass
class Ui:
    """The application, and browsers (without scripts) to look at it."""

    house: House
    app: FastAPI
    services: Services

    def browser(self, **headers: str) -> httpx.AsyncClient:
        """A browser that nobody is logged in with."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    @asynccontextmanager
    async def person(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        """A browser in which this person has logged in with the form, sending the CSRF token as htmx does."""
        async with self.browser() as browser:
            answer = await browser.post("/login", data={"name": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            browser.headers["X-CSRF-Token"] = (await browser.get("/api/v1/session")).json()["csrf"]
            yield browser


@pytest.fixture
async def ui(tmp_path: Path) -> AsyncIterator[Ui]:
    """The pages; nothing runs in the background."""
    async with opened_house(tmp_path) as house:
        services = services_of(
            house,
            tmp_path,
            settings=ApiSettings(map=MapSettings(tiles="https://{s}.tiles.example.org/{z}/{x}/{y}.png")),
            tools=load_tools(),
        )
        app = create_api(services)
        mount_ui(app, services)
        yield Ui(house, app, services)
