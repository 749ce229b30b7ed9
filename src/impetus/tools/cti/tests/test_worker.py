"""Protects the way of an item from a source to a promoted indicator; no hostile source gets further than it may."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from impetus.model import ImpetusError, InvalidInput, NotAllowed, RequestOrigin, ToolRequest, Unavailable
from impetus.model.network_address import is_public
from impetus.sdk import LocalContext, load_tool
from impetus.tools.cti.fetching import Fetcher
from impetus.tools.cti.settings import CtiSettings
from impetus.tools.cti.sources import SourceState, items_of_stix, read_source
from impetus.tools.cti.tests.servers import response, site, socks
from impetus.tools.cti.worker import CtiTool

LEAK = (
    "Dump of Northeye Systems, the camera supplier: credentials of technicians at cctv.aurelia.example are for sale. "
    "Panel at hxxp://n0rth-panel[.]com/x and 198.51.100[.]9. Contact svc@northeye.com:Winter26!"
)
WATCH = [{"kind": "domain", "name": "aurelia.example"}, {"kind": "supplier", "name": "Northeye Systems"}]


def rss(*texts: str) -> bytes:
    items = "".join(
        f"<item><guid>{n}</guid><title>Item {n}</title><description>{text}</description></item>"
        for n, text in enumerate(texts)
    )
    return f"<rss version='2.0'><channel><title>F</title>{items}</channel></rss>".encode()


def source(port: int, kind: str = "rss", path: str = "/feed", **more: Any) -> dict[str, Any]:
    return {
        "id": f"source-{kind}", "title": f"A {kind}", "kind": kind, "address": f"http://127.0.0.1:{port}{path}",
        "purpose": "tests", "legal_basis": "none needed", "every_s": 5, "reliability": "B", "tlp": "green", **more,
    }  # fmt: skip


def tool_with(port: int, *sources: dict[str, Any], context: LocalContext | None = None) -> tuple[CtiTool, LocalContext]:
    settings = CtiSettings.model_validate(
        {"sources": sources or [source(port)], "watch": WATCH, "internal_addresses": [f"127.0.0.1:{port}"]}
    )
    _, manifest = load_tool("cti").usable()
    context = context or LocalContext(manifest)
    return CtiTool(context, settings), context


async def polled(tool: CtiTool, seconds: float = 60.0) -> None:
    """Run until every source was tried once."""
    running = asyncio.create_task(tool.run())
    try:
        async with asyncio.timeout(seconds):
            while any(one.read is None and not one.problem for one in tool._health.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def ask(context: LocalContext, task: str, **content: Any) -> ToolRequest:
    return ToolRequest(
        id=f"{task}-{len(context.results)}", tool="cti", task=task, reason="test", origin=RequestOrigin.PERSON,
        content=content, asked=context.clock.now(),
    )  # fmt: skip


async def test_a_leak_is_raised_once_reviewed_and_promoted() -> None:
    asked: list[Mapping[str, str]] = []

    def serve(path: str, headers: Mapping[str, str]) -> bytes:
        asked.append(headers)
        if headers.get("if-none-match") == '"1"':
            return response(b"", status="304 Not Modified")
        return response(rss(LEAK, "Weather is fine today."), ETag='"1"')

    async with site(serve) as port:
        tool, context = tool_with(port)
        await tool.start()
        await polled(tool)
        assert [alert.detector for alert in context.alerts] == ["leak"]
        assert len(await context.published("item")) == 1
        assert len(await context.published("report")) == 1, "what is not relevant is set aside, not lost"
        item = (await context.published("item"))[0]
        assert "Winter26" not in item.model_dump_json()
        assert await context.published("intelligence") == [], "nothing is an indicator without a person"

        again, _ = tool_with(port, context=context)
        await again.start()
        await polled(again)
        assert len(context.alerts) == 1
        assert asked[-1].get("if-none-match") == '"1"'

        request = ask(context, "promote", id=item.id)
        assert await again.handle(request) == "promoted: 1 indicators"
        assert await again.handle(request) == "done before"
        promoted = (await context.published("intelligence"))[0]
        objects = promoted.content["objects"]
        assert isinstance(objects, list)
        patterns = {one["pattern"] for one in objects if isinstance(one, dict) and one["type"] == "indicator"}
        assert patterns == {"[url:value = 'http://n0rth-panel.com/x']"}
        assert "198.51.100.9" in {one.get("value") for one in objects if isinstance(one, dict)}, (
            "annotated, not deleted"
        )
        with pytest.raises(InvalidInput, match="promoted already"):
            await again.handle(ask(context, "reject", id=item.id))


async def test_the_same_report_of_two_sources_is_one_item_with_both() -> None:
    async with site(lambda path, headers: response(rss(LEAK))) as port:
        tool, context = tool_with(port, source(port), {**source(port, path="/other"), "id": "second", "title": "B"})
        await tool.start()
        await polled(tool)
        items = await context.published("item")
        assert [len(one.content["sources"]) for one in items] == [2]  # type: ignore[arg-type]
        assert items[0].content["grade"] == "B2"


async def test_notes_and_the_watch_are_changed_by_people() -> None:
    async with site(lambda path, headers: response(rss(LEAK))) as port:
        tool, context = tool_with(port)
        await tool.start()
        await polled(tool)
        item = (await context.published("item"))[0]
        await tool.handle(ask(context, "note", id=item.id, text="Called the supplier."))
        assert "Called the supplier." in str((await context.published("item"))[0].content["notes"])
        await tool.handle(ask(context, "watch-add", kind="brand", name="Harbour Line", aliases="HL Ferries"))
        await tool.handle(ask(context, "watch-remove", id="supplier:northeye systems"))
        after, _ = tool_with(port, context=context)
        await after.start()
        watched = (await context.published("watch"))[0].content["items"]
        assert {one["name"] for one in watched} == {"aurelia.example", "Harbour Line"}  # type: ignore[index, union-attr, call-overload]
        with pytest.raises(InvalidInput):
            await tool.handle(ask(context, "watch-add", kind="address", name="no address"))


async def test_every_kind_of_source_is_read(tmp_path: Path) -> None:
    uuid = "5f8b7a52-7d1c-4c2e-9d6a-000000000001"
    event = {"Event": {"uuid": uuid, "info": "Leak of Northeye Systems credentials", "timestamp": "1772409600",
                       "Attribute": [{"type": "domain", "value": "n0rth-panel.com"}],
                       "Tag": [{"name": "tlp:amber"}]}}  # fmt: skip
    report = {"type": "report", "id": "report--1", "name": "Northeye Systems breach", "object_refs": ["malware--2"],
              "published": "2026-03-01T00:00:00Z"}  # fmt: skip
    broken = {"type": "report", "id": "nonsense"}
    malware = {"type": "malware", "id": "malware--2", "name": "Zlorp", "description": "steals credentials"}
    pages = {
        "/taxii/collections/1/objects/": json.dumps({"objects": [report, broken, malware, 7]}).encode(),
        "/misp/manifest.json": json.dumps({uuid: {"timestamp": "5"}, "not-a-uuid": {}}).encode(),
        f"/misp/{uuid}.json": json.dumps(event).encode(),
        "/server/events/restSearch": json.dumps({"response": [event, {"nonsense": 1}]}).encode(),
        "/posts": json.dumps([{"id": "1", "title": "paste", "content": LEAK}]).encode(),
        "/page": f"<html><title>Page</title><p>{LEAK}</p></html>".encode(),
        "/robots.txt": b"User-agent: *\nDisallow: /private",
    }
    seen: dict[str, Mapping[str, str]] = {}

    def serve(path: str, headers: Mapping[str, str]) -> bytes:
        seen[path.partition("?")[0]] = headers
        body = pages.get(path.partition("?")[0])
        return response(b"", status="404 Not Found") if body is None else response(body)

    (tmp_path / "report.md").write_text(f"# Report\n{LEAK}")
    (tmp_path / "report.zip").write_bytes(b"PK\x03\x04")
    async with site(serve) as port:
        fetcher = Fetcher("impetus-cti/0.1", internal_addresses=[f"127.0.0.1:{port}"])
        wanted = {
            "taxii": ("/taxii/collections/1/", {"user": "u", "password": "p"}, 1),
            "misp-feed": ("/misp", {}, 1),
            "misp-server": ("/server", {"token": "key"}, 1),
            "posts": ("/posts", {}, 1),
            "web": ("/page", {}, 1),
        }
        for kind, (path, more, count) in wanted.items():
            chosen = CtiSettings.model_validate({"sources": [source(port, kind, path, **more)]}).sources[0]
            reading = await read_source(chosen, SourceState(), fetcher)
            assert len(reading.told) == count, kind
            assert "Northeye" in reading.told[0].item.whole
        assert seen["/taxii/collections/1/objects/"]["authorization"] == "Basic dTpw"
        assert seen["/server/events/restSearch"]["authorization"] == "key"
        private = CtiSettings.model_validate({"sources": [source(port, "web", "/private/x")]}).sources[0]
        with pytest.raises(NotAllowed, match="robots"):
            await read_source(private, SourceState(), fetcher)
        folder = {**source(port, "folder"), "address": str(tmp_path)}
        state = SourceState()
        chosen = CtiSettings.model_validate({"sources": [folder]}).sources[0]
        reading = await read_source(chosen, state, fetcher)
        assert [told.item.title for told in reading.told] == ["Report"]
        assert "ZIP" in reading.problems[0]
        assert (await read_source(chosen, state, fetcher)).told == []
        await fetcher.close()
    problems: list[str] = []
    items_of_stix([broken], problems)
    assert problems


async def test_an_onion_mirror_is_read_through_the_socks_proxy() -> None:
    async with site(lambda path, headers: response(rss(LEAK))) as port, socks({"mirror.onion": port}) as proxy:
        fetcher = Fetcher("t", socks_proxy=f"socks5://127.0.0.1:{proxy}")
        answer = await fetcher.get("http://mirror.onion/feed")
        assert b"Northeye" in answer.body
        with pytest.raises(Unavailable):
            await fetcher.get("http://unknown.onion/feed")
        with pytest.raises(NotAllowed):
            await fetcher.get("http://127.0.0.1/feed", through_proxy=True)
        await fetcher.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://10.0.0.1/", "http://2130706433:{port}/",
        "http://169.254.169.254/latest/meta-data", "http://0x7f.1:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    ],
)  # fmt: skip
async def test_the_own_network_is_never_reached(url: str) -> None:
    async with site(lambda path, headers: response(b"secret")) as port:
        fetcher = Fetcher("t", limit_s=5)
        with pytest.raises((NotAllowed, Unavailable)) as raised:
            await fetcher.get(url.format(port=port))
        assert "secret" not in str(raised.value)
        await fetcher.close()


async def test_a_redirect_into_the_own_network_is_refused_and_credentials_stay() -> None:
    async with site(lambda path, headers: response(b"inner")) as inner:
        target = f"http://127.0.0.1:{inner}/"
        async with site(lambda path, headers: response(b"", status="302 Found", Location=target)) as port:
            fetcher = Fetcher("t", internal_addresses=[f"127.0.0.1:{port}"])
            with pytest.raises(NotAllowed):
                await fetcher.get(f"http://127.0.0.1:{port}/")
            await fetcher.close()


async def test_answers_without_end_compressed_or_redirecting_for_ever_are_refused() -> None:
    answers = {
        "/large": response(b"x" * 200_000),
        "/gzip": response(b"x", Content_Encoding="gzip"),
        "/loop": response(b"", status="302 Found", Location="/loop"),
        "/bracket": response(b"", status="302 Found", Location="http://["),
        "/port": response(b"", status="302 Found", Location="http://127.0.0.1:99999/"),
        "/error": response(b"", status="500 Internal Server Error"),
    }
    async with site(lambda path, headers: answers[path]) as port:
        fetcher = Fetcher("t", limit_bytes=100_000, internal_addresses=[f"127.0.0.1:{port}"])
        for path in answers:
            with pytest.raises(ImpetusError):
                await fetcher.get(f"http://127.0.0.1:{port}{path}")
        await fetcher.close()


async def test_a_server_that_never_ends_its_answer_is_given_up() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    fetcher = Fetcher("t", limit_s=0.3, internal_addresses=[f"127.0.0.1:{port}"])
    with pytest.raises(Unavailable, match="longer than"):
        await fetcher.get(f"http://127.0.0.1:{port}/")
    await fetcher.close()
    server.close()


async def test_a_wrong_certificate_is_refused_and_the_right_one_taken(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    for ca in (authority, stranger):
        ca.cert_pem.write_to_path(tmp_path / ("own.pem" if ca is authority else "other.pem"))
    async with site(lambda path, headers: response(b"ok"), ssl=context) as port:
        for name, fails in (("other.pem", True), ("own.pem", False)):
            fetcher = Fetcher("t", internal_addresses=[f"localhost:{port}"], certificate_authorities=tmp_path / name)
            if fails:
                with pytest.raises(Unavailable, match="certificate"):
                    await fetcher.get(f"https://localhost:{port}/")
            else:
                assert (await fetcher.get(f"https://localhost:{port}/")).body == b"ok"
            await fetcher.close()


async def test_a_failing_source_is_shown_and_holds_up_no_other() -> None:
    def serve(path: str, headers: Mapping[str, str]) -> bytes:
        return response(b"<broken") if path == "/bad" else response(rss(LEAK))

    async with site(serve) as port:
        bad = {**source(port, path="/bad"), "id": "bad", "title": "Bad feed"}
        tool, context = tool_with(port, bad, source(port))
        await tool.start()
        await polled(tool)
        await tool.tick()
        assert len(context.alerts) == 1
        assert "Bad feed" in (context.degraded_text or "")
        states = {one.title: one.content["state"] for one in await context.published("source")}
        assert states == {"Bad feed": "degraded", "A rss": "ok"}


async def test_an_exploited_vulnerability_is_told_to_other_tools() -> None:
    text = "Exploit for CVE-2026-1111 in a product of Northeye Systems: ransomware gangs attack with it."
    async with site(lambda path, headers: response(rss(text))) as port:
        tool, context = tool_with(port)
        await tool.start()
        await polled(tool)
        told = (await context.published("exploitation"))[0].content
        assert (told["cve"], told["exploited"]) == ("CVE-2026-1111", True)


def test_addresses_that_hide_private_ones_are_not_public() -> None:
    for address in (
        "127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "fe80::1%eth0",
        "224.0.0.1",
        "100.64.0.1",
    ):
        assert not is_public(address), address
    assert is_public("2606:4700:4700::1111")
