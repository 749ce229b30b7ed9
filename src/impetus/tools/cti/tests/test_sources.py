"""Protects how sources are read: politely, with the credentials of their host alone, and what becomes of it in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from impetus.tools.cti.fetching import Credentials, Fetcher
from impetus.tools.cti.grading import HALF_LIFE_DAYS
from impetus.tools.cti.health import Health
from impetus.tools.cti.settings import CtiSettings
from impetus.tools.cti.sources import SourceState, read_source
from impetus.tools.cti.tests.servers import response, site, socks
from impetus.tools.cti.tests.test_worker import LEAK, polled, rss, source, tool_with
from impetus.tools.cti.worker import FADE_EVERY_S

ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><entry><id>urn:1</id><title>Leak</title>
<updated>2026-03-01T00:00:00Z</updated>
<content type="html">&lt;p&gt;{LEAK}&lt;/p&gt;</content></entry></feed>""".encode()
DATE = "Sun, 01 Mar 2026 00:00:00 GMT"


async def test_an_atom_feed_is_read_and_asked_for_again_only_if_it_changed() -> None:
    asked: list[str | None] = []

    def serve(path: str, headers: Mapping[str, str]) -> bytes:
        asked.append(headers.get("if-modified-since"))
        same = asked[-1] == DATE
        return response(b"", status="304 Not Modified") if same else response(ATOM, Last_Modified=DATE)

    async with site(serve) as port:
        fetcher = Fetcher("t", internal_addresses=[f"127.0.0.1:{port}"])
        chosen = CtiSettings.model_validate({"sources": [source(port)]}).sources[0]
        first = await read_source(chosen, SourceState(), fetcher)
        assert ["Northeye" in told.item.whole for told in first.told] == [True]
        again = await read_source(chosen, SourceState(modified=first.modified), fetcher)
        assert again.told == []
        assert asked == [None, DATE]
        await fetcher.close()


async def test_a_taxii_collection_is_read_with_a_token() -> None:
    seen: list[str] = []

    def serve(path: str, headers: Mapping[str, str]) -> bytes:
        seen.append(headers.get("authorization", ""))
        return response(b'{"objects": [{"type": "malware", "id": "malware--2", "name": "Zlorp"}]}')

    async with site(serve) as port:
        fetcher = Fetcher("t", internal_addresses=[f"127.0.0.1:{port}"])
        wanted = source(port, "taxii", "/collections/1/", token="s3cret")
        chosen = CtiSettings.model_validate({"sources": [wanted]}).sources[0]
        assert len((await read_source(chosen, SourceState(), fetcher)).told) == 1
        assert seen == ["Bearer s3cret"]
        await fetcher.close()


async def test_credentials_do_not_follow_a_redirect_to_another_server() -> None:
    seen: dict[str, str | None] = {}

    def other(path: str, headers: Mapping[str, str]) -> bytes:
        seen["other"] = headers.get("authorization")
        return response(b"ok")

    async with site(other) as there:

        def first(path: str, headers: Mapping[str, str]) -> bytes:
            seen["first"] = headers.get("authorization")
            return response(b"", status="302 Found", Location=f"http://127.0.0.1:{there}/")

        async with site(first) as port:
            fetcher = Fetcher("t", internal_addresses=[f"127.0.0.1:{port}", f"127.0.0.1:{there}"])
            kept = Credentials(token="s3cret")
            assert (await fetcher.get(f"http://127.0.0.1:{port}/", credentials=kept)).body == b"ok"
            assert seen == {"first": "Bearer s3cret", "other": None}
            await fetcher.close()


async def test_a_page_behind_the_socks_proxy_is_a_source_like_others() -> None:
    page = f"<html><title>Board</title><p>{LEAK}</p></html>".encode()

    def serve(path: str, headers: Mapping[str, str]) -> bytes:
        return response(page) if path == "/board" else response(b"", status="404 Not Found")

    async with site(serve) as port, socks({"mirror.onion": port}) as proxy:
        fetcher = Fetcher("t", socks_proxy=f"socks5://127.0.0.1:{proxy}")
        wanted = {**source(port, "web"), "address": "http://mirror.onion/board"}
        chosen = CtiSettings.model_validate({"sources": [wanted]}).sources[0]
        reading = await read_source(chosen, SourceState(), fetcher)
        assert "Northeye" in reading.told[0].item.whole
        await fetcher.close()


def test_a_source_that_fails_is_asked_less_and_less_often_and_at_least_every_hour() -> None:
    health, waits = Health(), []
    for _ in range(12):
        health.failed("away", 0.0, 60.0)
        waits.append(health.next_s)
    assert waits[:3] == [120.0, 240.0, 480.0]
    assert waits == sorted(waits)
    assert waits[-1] == 3_600.0


async def test_relevance_fades_and_what_nobody_judged_leaves_the_queue_but_not_the_store() -> None:
    async with site(lambda path, headers: response(rss(LEAK, "Weather is fine today."))) as port:
        tool, context = tool_with(port)
        await tool.start()
        await polled(tool)
        (item,) = await context.published("item")
        first = item.content["relevance"]
        assert isinstance(first, float)
        newest = item
        for days, state in ((HALF_LIFE_DAYS["leak"], "awaiting"), (4 * HALF_LIFE_DAYS["leak"], "faded")):
            context.clock.advance(timedelta(days=days).total_seconds() + FADE_EVERY_S)
            await tool.tick()
            newest = [one for one in context.results if one.id == item.id][-1]
            assert newest.content["state"] == state
            if state == "awaiting":
                assert newest.content["relevance"] == pytest.approx(first / 2, abs=0.01)
        assert newest.ended is not None


async def test_the_trend_counts_by_day_and_outlives_a_restart() -> None:
    async with site(lambda path, headers: response(rss(LEAK, "Weather is fine today."))) as port:
        tool, context = tool_with(port)
        await tool.start()
        await polled(tool)
        await tool.stop()
        days: Any = (await context.published("trend"))[0].content["days"]
        assert [(day["items"], day["relevant"], day["leak"]) for day in days] == [(2, 1, 1)]
        again, _ = tool_with(port, context=context)
        await again.start()
        assert [one["items"] for one in again._trend.rows()] == [2]  # type: ignore[index, call-overload]
