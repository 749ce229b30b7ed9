"""Protects the whole way of intelligence: a feed is read, a person promotes, and a partner's TAXII client gets it under
an agreement and not without one. Over real HTTP, with the client of OASIS, and read back by our own tool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import requests
import uvicorn
from requests.auth import HTTPBasicAuth
from taxii2client.v21 import Collection, Server  # type: ignore[import-untyped]

from impetus.api.tests.conftest import Api
from impetus.api.tests.test_sharing import agree
from impetus.model import Permission
from impetus.sdk import LocalContext, load_tool
from impetus.situation.tests.house import PASSWORD
from impetus.tools.cti.fetching import Fetcher
from impetus.tools.cti.settings import CtiSettings
from impetus.tools.cti.sources import SourceState, read_source
from impetus.tools.cti.tests.servers import response, site
from impetus.tools.cti.tests.test_worker import LEAK, ask, polled, rss, source, tool_with

PATTERN = "[url:value = 'http://n0rth-panel.com/x']"


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[int]:
    """The application on a port of this machine."""
    server = uvicorn.Server(uvicorn.Config(api.app, host="127.0.0.1", port=0, lifespan="off", log_level="warning"))
    running = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(60):
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await running


async def token(api: Api, tenant: str) -> str:
    async with await api.machine(Permission.RESULTS_READ, tenant=tenant) as client:
        return client.headers["Authorization"].removeprefix("Bearer ")


async def promoted(api: Api, tlp: str) -> LocalContext:
    """Read a feed that tells of a leak, promote it as a person, and put what comes of it into the city's store."""
    async with site(lambda path, headers: response(rss(LEAK))) as port:
        tool, context = tool_with(port, source(port, tlp=tlp))
        await tool.start()
        await polled(tool, 30.0)
        await tool.handle(ask(context, "promote", id=(await context.published("item"))[0].id))
    now = api.house.clock.now()
    async with api.house.store.transaction() as transaction:
        for result in await context.published("intelligence"):
            kept = result.model_copy(update={"time": now})
            await transaction.results.put("municipality", kept, received=now, expires=now + timedelta(days=1))
    return context


def patterns(address: str, secret: str, giver: str) -> list[str]:
    """Patterns of indicators that a partner's client finds at an organisation's root."""
    auth = HTTPBasicAuth("partner", secret)
    roots = [root for root in Server(f"{address}/taxii2/", auth=auth).api_roots if giver in root.url]
    found: list[dict[str, Any]] = []
    for root in roots:
        for listed in root.collections:
            collection = Collection(listed.url, auth=auth)
            found += collection.get_objects().get("objects", [])
            assert collection.get_manifest().get("objects", []) or not found
    return [one["pattern"] for one in found if one["type"] == "indicator"]


async def test_a_partner_gets_what_is_promoted_under_an_agreement_and_not_without(api: Api) -> None:
    api.services.tools = {"cti": load_tool("cti")}
    await promoted(api, "green")
    async with served(api) as port:
        address = f"http://127.0.0.1:{port}/api/v1"
        city, police = await token(api, "municipality"), await token(api, "police")
        assert await asyncio.to_thread(patterns, address, city, "municipality") == [PATTERN]
        assert await asyncio.to_thread(patterns, address, police, "municipality") == []

        await agree(api, groups=["intelligence"])
        assert await asyncio.to_thread(patterns, address, police, "municipality") == [PATTERN]

        root = f"{address}/taxii2/municipality"
        listed = await asyncio.to_thread(
            requests.get, f"{root}/collections/", headers={"Authorization": f"Bearer {police}"}, timeout=30
        )
        collection = f"{root}/collections/{listed.json()['collections'][0]['id']}/"
        chosen = CtiSettings.model_validate({"sources": [source(port, "taxii", token=police)]}).sources[0]
        fetcher = Fetcher("t", internal_addresses=[f"127.0.0.1:{port}"])
        state = SourceState()
        reading = await read_source(chosen.model_copy(update={"address": collection}), state, fetcher)
        assert "n0rth-panel.com" in " ".join(told.item.text for told in reading.told)
        assert {told.tlp.value for told in reading.told if told.tlp} == {"green"}
        state.since = reading.since
        again = await read_source(chosen.model_copy(update={"address": collection}), state, fetcher)
        assert again.told == [], "what was read before is not asked for again"
        await fetcher.close()


async def test_what_is_marked_amber_goes_to_nobody_else_whatever_was_agreed(api: Api) -> None:
    api.services.tools = {"cti": load_tool("cti")}
    await promoted(api, "amber")
    await agree(api, groups=["intelligence"])
    async with served(api) as port:
        address = f"http://127.0.0.1:{port}/api/v1"
        city, police = await token(api, "municipality"), await token(api, "police")
        assert await asyncio.to_thread(patterns, address, city, "municipality") == [PATTERN]
        assert await asyncio.to_thread(patterns, address, police, "municipality") == []


async def test_a_persons_password_is_no_token(api: Api) -> None:
    async with served(api) as port:
        with pytest.raises(requests.HTTPError, match="401"):
            await asyncio.to_thread(
                lambda: Server(f"http://127.0.0.1:{port}/api/v1/taxii2/", auth=HTTPBasicAuth("ada", PASSWORD)).api_roots
            )
