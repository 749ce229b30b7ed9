"""Protects a person whose hub is restarted: any hub goes on with the session, and with the stream where it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from impetus.api.app import create_api
from impetus.api.settings import ApiSettings, StreamSettings
from impetus.api.tests.conftest import Api, services_of
from impetus.api.tests.test_stream import Listener, logged_in, served, some_alerts
from impetus.situation.tests.house import PASSWORD, House, opened_house

FREE = 5
"""Failed log-ins with one name before the next has to wait; as the settings have it."""


@asynccontextmanager
async def hub(folder: Path) -> AsyncIterator[tuple[House, str]]:
    """One hub with connections of its own to the log and the store that all share; and its address."""
    async with opened_house(folder) as house:
        services = services_of(
            house, folder, settings=ApiSettings(stream=StreamSettings(readings_interval_s=0.05, check_interval_s=0.1))
        )
        async with served(Api(house, services, create_api(services))) as address:
            yield house, address


def moved(client: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    """The same browser, sent to another hub by the proxy."""
    there = httpx.AsyncClient(base_url=address, headers={"X-CSRF-Token": client.headers["X-CSRF-Token"]})
    there.cookies = client.cookies
    return there


async def test_a_restarted_hub_loses_no_event_and_no_session(tmp_path: Path) -> None:
    alerts = some_alerts(9)
    async with hub(tmp_path) as (house, stays):
        async with hub(tmp_path) as (_, goes), logged_in(goes, "olivia") as olivia:
            first = Listener(olivia, "topics=alerts")
            await house.situation.alerts.ingest("municipality", alerts[:3])
            heard = await first.heard("alert", 3)
            # A decision that the one hub takes is on the other's screens.
            async with moved(olivia, stays) as other:
                answer = await other.post(
                    f"/alerts/{alerts[0].id}/decisions", json={"action": "acknowledge", "version": 1}
                )
                assert answer.status_code == 201, answer.text
            heard = await first.heard("alert", 4)
        # While it is away, and before the browser has noticed:
        await house.situation.alerts.ingest("municipality", alerts[3:6])
        await first.close()
        async with moved(olivia, stays) as again:
            assert (await again.get("/session")).json()["user"]["name"] == "olivia"
            second = Listener(again, "topics=alerts", {"Last-Event-ID": str(heard[-1].id)})
            await house.situation.alerts.ingest("municipality", alerts[6:])
            await second.heard("alert", 6)
            seen = [(one.data["id"], one.data["version"]) for one in (*heard, *second.of("alert"))]
            assert sorted(seen) == sorted([*((alert.id, 1) for alert in alerts), (alerts[0].id, 2)])
            assert not second.of("reset")
            await second.close()


async def test_hubs_agree_on_who_is_out_and_who_has_to_wait(tmp_path: Path) -> None:
    async with hub(tmp_path) as (_, one), hub(tmp_path) as (_, other), logged_in(one, "olivia") as olivia:
        async with moved(olivia, other) as there:
            assert (await there.delete("/session")).status_code == 204
        assert (await olivia.get("/session")).status_code == 401
        async with httpx.AsyncClient(base_url=one) as first, httpx.AsyncClient(base_url=other) as second:
            for _ in range(FREE):
                assert (await first.post("/session", json={"name": "omar", "password": "no"})).status_code == 401
            assert (await second.post("/session", json={"name": "omar", "password": PASSWORD})).status_code == 429
