"""A threat feed of the demo city: reporting on an invented underground forum that the live code reads over HTTP.

Most of it concerns other cities; what concerns Aurelia turns up in between. Names and addresses are invented, or kept
for documentation (RFC 2606, RFC 5737).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

from impetus.model import Clock

PATH = "/feed.xml"
REQUEST_LIMIT_BYTES = 8_192
REQUEST_LIMIT_S = 10.0

ITEMS: Sequence[tuple[float, str, str]] = (
    (
        0.0,
        "Ransomware crew claims a furniture maker",
        "The Brontide group lists a furniture maker of Eastmoor on its leak site and threatens to publish 40 GB. "
        "Samples were seen at hxxp://brontide-files[.]example/list. SHA-256 of the encryptor: "
        "7d1f0b8e6f0a4a3c9b2e5d6c7f8091a2b3c4d5e6f708192a3b4c5d6e7f809112.",
    ),
    (
        0.0,
        "Weekly round-up: loaders and stealers",
        "GootLoader changed its lure again and creates a scheduled task for persistence. RedLine logs are sold by "
        "the thousand. Command servers: 203.0.113[.]9 and 203.0.113[.]77.",
    ),
    (
        30.0,
        "Vendor database for sale: Northeye camera maintenance accounts",
        "A seller with some standing offers a dump of maintenance accounts of Northeye Systems, the camera supplier of "
        "several cities. The sample shows credentials of technicians for video management servers, among them "
        "service.aurelia@northeye.example:Winter2026! and cctv.aurelia.example with VPN access. Price: 2 BTC. "
        "The files "
        "are checked at hxxps://paste-vault[.]example/n0rth with SHA-256 "
        "1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014.",
    ),
    (
        75.0,
        "Nyregistrert domene etterligner Aurelia kommune",
        "Domenet aurelia-billett[.]example ble registrert i går og viser en falsk innloggingsside for kommunens "
        "billettsystem. Lenken sendes på SMS. Siden ligger på 198.51.100[.]24.",
    ),
    (
        120.0,
        "Botnet fermo, i gestori arrestati",
        "Secondo la polizia la rete di dispositivi infetti non colpiva l'Italia. Nessuna città è stata bersaglio.",
    ),
    (
        180.0,
        "Exploit per SignalCore in vendita",
        "Su un forum è in vendita un exploit per CVE-2026-31337 nel sistema di controllo dei semafori SignalCore 4. "
        "Il venditore dice che gruppi di ransomware lo sfruttano già in attacchi e nomina il Comune di Aurelia "
        "come esempio.",
    ),
)
"""Seconds after the start, title, text."""


class ThreatFeed:
    """Serves the feed on 127.0.0.1; items appear as time goes on."""

    def __init__(self, clock: Clock, items: Sequence[tuple[float, str, str]] = ITEMS) -> None:
        """`items`: seconds after the start, title, text."""
        self._clock = clock
        self._items = list(items)
        self._start = clock.now()
        self._start_s = clock.monotonic_s()

    async def serve(self, port: int, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", port, limit=REQUEST_LIMIT_BYTES)
        async with server:
            await stop.wait()

    def add(self, title: str, text: str) -> None:
        """Publish an item now."""
        self._items.append((self._clock.monotonic_s() - self._start_s, title, text))

    def document(self) -> bytes:
        """The feed as it is now (RSS 2.0)."""
        elapsed_s = self._clock.monotonic_s() - self._start_s
        entries = "".join(
            f"<item><guid isPermaLink='false'>aurelia-{number}</guid><title>{escape(title)}</title>"
            f"<pubDate>{self._published(self._start + timedelta(seconds=after_s))}</pubDate>"
            f"<description>{escape(text)}</description></item>"
            for number, (after_s, title, text) in enumerate(self._items)
            if after_s <= elapsed_s
        )
        return (
            "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>"
            "<title>Underground watch (invented)</title>"
            f"<link>https://underground-watch.example/</link><description>Demo</description>{entries}</channel></rss>"
        ).encode()

    @staticmethod
    def _published(time: datetime) -> str:
        return format_datetime(time, usegmt=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(self._response(head))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    def _response(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        if not first.startswith(f"GET {PATH} "):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        body = self.document()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if any(line.lower() == f"if-none-match: {etag}" for line in lines):
            return f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\nConnection: close\r\n\r\n".encode()
        headers = (
            f"Content-Type: application/rss+xml\r\nETag: {etag}\r\nContent-Length: {len(body)}\r\nConnection: close"
        )
        return f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body


def demo_settings(port: int, every_s: float = 10) -> dict[str, Any]:
    """Settings of the tool `cti` for the demo city: this feed, and what Aurelia watches."""
    return {
        "sources": [
            {
                "id": "underground-watch",
                "title": "Underground watch (invented)",
                "kind": "rss",
                "address": f"http://127.0.0.1:{port}{PATH}",
                "purpose": "Early notice of threats against the city's systems",
                "legal_basis": "Public task, GDPR article 6(1)(e); published reporting only",
                "reliability": "B",
                "tlp": "green",
                "every_s": every_s,
            }
        ],
        "internal_addresses": [f"127.0.0.1:{port}"],
        "watch": [
            {"kind": "domain", "name": "aurelia.example"},
            {"kind": "address", "name": "192.0.2.0/24"},
            {"kind": "place", "name": "Aurelia", "aliases": ["Comune di Aurelia", "Aurelia kommune"]},
            {
                "kind": "supplier",
                "name": "Northeye Systems",
                "aliases": ["Northeye"],
                "context": ["camera", "video", "CCTV", "kamera", "telecamere"],
            },
            {"kind": "software", "name": "SignalCore 4", "aliases": ["SignalCore"]},
            {"kind": "venue", "name": "Harbour Promenade"},
            {"kind": "role", "name": "traffic operator", "aliases": ["operatore del traffico", "trafikkoperatør"]},
        ],
    }
