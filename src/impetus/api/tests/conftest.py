"""Fixtures of the API's tests: the whole application on a real bus and store, reached through ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from impetus.api.app import create_api
from impetus.api.services import Services
from impetus.api.settings import ApiSettings, StreamSettings
from impetus.model import Permission
from impetus.sdk import InstalledTool
from impetus.situation.tests.house import PASSWORD, House, opened_house
from impetus.store import EvidenceStore


@dataclass
class Api:
    """The application, and clients that are logged in."""

    house: House
    services: Services
    app: FastAPI
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def client(self, **options: Any) -> httpx.AsyncClient:
        """A client that nobody is logged in with."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test/api/v1", **options)

    async def person(self, name: str) -> httpx.AsyncClient:
        """A client with this person's session and CSRF token."""
        if name not in self.clients:
            client = self.client()
            answer = await client.post("/session", json={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            self.clients[name] = client
        return self.clients[name]

    async def machine(self, *scopes: Permission, tenant: str = "municipality") -> httpx.AsyncClient:
        """A client with a machine's token."""
        administrator = {"municipality": "ada", "police": "paul"}[tenant]
        _, secret = await self.house.governance.tokens.create_machine(
            self.house.person(administrator), "a machine", scopes
        )
        return self.client(headers={"Authorization": f"Bearer {secret}"})


def services_of(house: House, folder: Path, **more: Any) -> Services:
    """What the interface of a house works with, below a folder; `more` stands in place of what it has by itself."""
    given: dict[str, Any] = {
        "bus": house.bus,
        "store": house.store,
        "clock": house.clock,
        "settings": ApiSettings(),
        "governance": house.governance,
        "situation": house.situation,
        "evidence": EvidenceStore(folder / "evidence"),
        "tools": {},
        "home": folder,
    }
    return Services(**given | more)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """The application; nothing runs in the background."""
    async with opened_house(tmp_path) as house:
        services = services_of(
            house,
            tmp_path,
            settings=ApiSettings(
                stream=StreamSettings(readings_interval_s=0.05, check_interval_s=0.1, ping_interval_s=1.0)
            ),
            tools={"broken": InstalledTool("broken", None, None, None, "it does not import")},
        )
        api = Api(house, services, create_api(services))
        yield api
        for client in api.clients.values():
            await client.aclose()
