"""Protects what becomes of a promoted item: sent to MISP once and never lost, by a person or by a written rule only."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from impetus.sdk import LocalContext, load_tool
from impetus.tools.cti.fetching import Fetcher
from impetus.tools.cti.misp import event_of
from impetus.tools.cti.rules import PromotionRule
from impetus.tools.cti.settings import CtiSettings
from impetus.tools.cti.sources import SourceState, read_source
from impetus.tools.cti.stix import bundle
from impetus.tools.cti.tests.servers import MispServer, response, service, site
from impetus.tools.cti.tests.test_worker import LEAK, WATCH, ask, polled, rss, source
from impetus.tools.cti.worker import CtiTool

RULE = {"title": "CISO, 3 March 2026: addresses of pages that the CSIRT names", "sources": ["source-rss"],
        "types": ["url"]}  # fmt: skip


def tool_with(port: int, *, context: LocalContext | None = None, **settings: Any) -> tuple[CtiTool, LocalContext]:
    _, manifest = load_tool("cti").usable()
    context = context or LocalContext(manifest)
    given = {"sources": [source(port)], "watch": WATCH, "internal_addresses": [f"127.0.0.1:{port}"]}
    return CtiTool(context, CtiSettings.model_validate({**given, **settings})), context


def misp(port: int, feed: int, **more: Any) -> dict[str, Any]:
    return {
        "misp_address": f"http://127.0.0.1:{port}", "misp_key": MispServer.KEY,
        "internal_addresses": [f"127.0.0.1:{port}", f"127.0.0.1:{feed}"], **more,
    }  # fmt: skip


async def sent(tool: CtiTool, limit_s: float = 30.0) -> None:
    """Run until nothing waits for MISP."""
    running = asyncio.create_task(tool.run())
    try:
        async with asyncio.timeout(limit_s):
            while tool._misp.waiting:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def promoted(feed: int, **settings: Any) -> tuple[CtiTool, LocalContext]:
    """A tool whose only item a person has just promoted."""
    tool, context = tool_with(feed, **settings)
    await tool.start()
    await polled(tool, 30.0)
    await tool.handle(ask(context, "promote", id=(await context.published("item"))[0].id))
    return tool, context


async def test_what_a_person_promotes_is_on_the_misp_server_and_pymisp_reads_it() -> None:
    pymisp = pytest.importorskip("pymisp", reason="PyMISP is not installed")
    server = MispServer()
    async with service(server) as port, site(lambda path, headers: response(rss(LEAK))) as feed:
        tool, context = await promoted(feed, **misp(port, feed))
        await sent(tool)
        (uuid,) = server.events
        intelligence = (await context.published("intelligence"))[0]
        event = event_of(bundle(intelligence.content["objects"]))  # type: ignore[arg-type]
        assert event["Event"]["uuid"] == uuid

        def read() -> Any:
            client = pymisp.PyMISP(f"http://127.0.0.1:{port}", MispServer.KEY)
            return client.get_event(uuid, pythonify=True)

        seen = await asyncio.to_thread(read)
        assert "Item 0" in seen.info
        by_value = {one.value: one for one in seen.attributes}
        assert by_value["http://n0rth-panel.com/x"].to_ids
        assert not by_value["198.51.100.9"].to_ids, "a warning list speaks against it"
        assert {tag.name for tag in seen.tags} >= {"tlp:green"}

        # And back: the same server as a source gives the same indicators.
        chosen = CtiSettings.model_validate({"sources": [source(port, "misp-server", "", token=MispServer.KEY)]})
        fetcher = Fetcher("t", internal_addresses=[f"127.0.0.1:{port}"])
        reading = await read_source(chosen.sources[0], SourceState(), fetcher)
        assert "http://n0rth-panel.com/x" in reading.told[0].item.text
        assert reading.told[0].tlp is not None

        # Promoted again it is brought up to date, not doubled.
        tool._misp.add(intelligence)
        await sent(tool)
        assert server.calls.count(f"POST /events/edit/{uuid}") == 1
        await fetcher.close()


async def test_what_a_server_that_is_away_was_not_sent_waits_over_a_restart() -> None:
    server = MispServer()
    server.away = True
    async with service(server) as port, site(lambda path, headers: response(rss(LEAK))) as feed:
        tool, context = await promoted(feed, **misp(port, feed))
        async with asyncio.timeout(30):
            running = asyncio.create_task(tool.run())
            while not tool._misp.problem:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await tool.tick()
        assert "MISP" in (context.degraded_text or "")
        await tool.stop()
        server.away = False
        again, _ = tool_with(feed, context=context, **misp(port, feed))
        await again.start()
        await sent(again)
        assert len(server.events) == 1


async def test_what_the_store_does_not_hold_yet_is_not_given_up() -> None:
    server = MispServer()
    async with service(server) as port, site(lambda path, headers: response(rss(LEAK))) as feed:
        tool, context = await promoted(feed, **misp(port, feed))
        await tool.stop()
        again, _ = tool_with(feed, context=context, **misp(port, feed))
        await again.start()
        fetcher = Fetcher("t", internal_addresses=[f"127.0.0.1:{port}"])
        assert not await again._misp.send(fetcher, [])
        assert again._misp.waiting
        assert "not in the store" in again._misp.problem
        context.clock.advance(60.0)
        assert await again._misp.send(fetcher, await context.published("intelligence"))
        assert len(server.events) == 1
        await fetcher.close()


async def test_a_marking_that_is_too_strict_and_a_redirect_keep_it_here() -> None:
    server = MispServer()
    async with service(server) as port, site(lambda path, headers: response(rss(LEAK))) as feed:
        tool, _ = await promoted(feed, **misp(port, feed, misp_tlp="clear"))
        assert not tool._misp.waiting

        def away(method: str, path: str, headers: Any, body: bytes) -> bytes:
            if method == "GET":
                return response(b"", status="404 Not Found")
            return response(b"", status="307 Temporary Redirect", Location=f"http://127.0.0.1:{port}{path}")

        async with service(away) as elsewhere:
            tool, _ = await promoted(feed, **misp(elsewhere, feed))
            running = asyncio.create_task(tool.run())
            async with asyncio.timeout(30):
                while not tool._misp.problem:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert "307" in tool._misp.problem
        assert server.events == {}


async def test_without_a_person_only_a_written_rule_promotes_and_says_so() -> None:
    async with site(lambda path, headers: response(rss(LEAK, "Weather."))) as feed:
        tool, context = tool_with(feed, promotion_rules=[RULE])
        await tool.start()
        await polled(tool, 30.0)
        (intelligence,) = await context.published("intelligence")
        objects: list[dict[str, Any]] = intelligence.content["objects"]  # type: ignore[assignment]
        report = next(one for one in objects if one["type"] == "report")
        assert "written rule" in report["description"]
        assert "CISO" in report["description"]
        assert {one["pattern"] for one in objects if one["type"] == "indicator"} == {
            "[url:value = 'http://n0rth-panel.com/x']"
        }
        (item,) = await context.published("item")
        assert item.content["state"] == "promoted"


@pytest.mark.parametrize(
    "changes",
    [{"sources": ["another"]}, {"types": ["sha256"]}, {"told_by": 2}, {"relevance": 0.99}, {"reliability": "A"}],
)
async def test_a_rule_holds_only_as_a_whole(changes: dict[str, Any]) -> None:
    async with site(lambda path, headers: response(rss(LEAK))) as feed:
        tool, context = tool_with(feed)
        await tool.start()
        await polled(tool, 30.0)
        content = copy.deepcopy(dict((await context.published("item"))[0].content))
        assert PromotionRule.model_validate(RULE).holds(content)
        assert not PromotionRule.model_validate({**RULE, **changes}).holds(content)
